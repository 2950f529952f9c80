//! The stream of events: bytes in, events out.
//!
//! A container's labels are part of its events, so an event may be megabytes long; nothing of it is held but what we read.

use std::collections::VecDeque;

use super::error::EngineError;
use super::told::EVENT;
use super::told::Event;
use crate::request::json::skim::{NotJson, Record, Shape, Skimmer, Wanted};

/// How much of an event is kept at most, in bytes; its fields have limits of their own that add up to less.
const MOST_EVENT_BYTES: usize = 16 * 1024;

/// Puts the pieces of the engine's answer together and reads one event a line.
#[derive(Debug)]
pub struct EventReader {
    skimmer: Skimmer,
    /// What was read and not asked for yet; the last may be what ended the stream.
    events: VecDeque<Result<Event, EngineError>>,
    has_failed: bool,
}

impl Default for EventReader {
    fn default() -> Self {
        let skimmer = Skimmer::new(Shape::Lines, &EVENT, Wanted::default(), MOST_EVENT_BYTES);
        Self { skimmer, events: VecDeque::new(), has_failed: false }
    }
}

impl EventReader {
    /// Takes the next bytes of the stream, cut as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        let Self { skimmer, events, has_failed } = self;
        if *has_failed {
            return;
        }
        let take = |record: Record<'_>| {
            if !*has_failed {
                let event = serde_json::from_slice(record.text);
                *has_failed = event.is_err();
                events.push_back(event.map_err(|_| no_event()));
            }
        };
        if let Err(NotJson) = skimmer.push(bytes, take)
            && !*has_failed
        {
            *has_failed = true;
            events.push_back(Err(no_event()));
        }
    }

    /// The next event that has come whole; `None` while more bytes are needed.
    ///
    /// # Errors
    /// When a line is no event; what follows it is not to be believed then.
    pub fn next_event(&mut self) -> Result<Option<Event>, EngineError> {
        self.events.pop_front().transpose()
    }
}

fn no_event() -> EngineError {
    EngineError::Unexpected("its event is not the JSON it should be")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The actions that are read when the stream comes in these pieces, and how it ends.
    fn read(pieces: &[&[u8]]) -> (Vec<String>, bool) {
        let mut reader = EventReader::default();
        let mut actions = Vec::new();
        for piece in pieces {
            reader.push(piece);
            loop {
                match reader.next_event() {
                    Ok(Some(event)) => actions.push(event.action),
                    Ok(None) => break,
                    Err(_) => return (actions, false),
                }
            }
        }
        (actions, true)
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let stream = b"{\"Action\":\"die\"}\n\r\n{\"Action\":\"start\"}\n{\"Action\":\"half";
        let want = (vec!["die".to_owned(), "start".to_owned()], true);
        assert_eq!(read(&[stream]), want);
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_eq!(read(&[first, second]), want, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes), want);
    }

    #[test]
    fn what_is_no_event_ends_the_stream() {
        for wrong in ["null\n", "1\n", "{\"Action\":1}\n", "{}{}\n", "\u{feff}{}\n", "x\n"] {
            assert_eq!(read(&[b"{\"Action\":\"die\"}\n", wrong.as_bytes()]).0, ["die"]);
            assert!(!read(&[wrong.as_bytes()]).1, "{wrong:?}");
        }
    }

    /// What an event says of the container does not matter, however long it is and whatever it looks like.
    #[test]
    fn a_death_behind_a_label_of_megabytes_is_heard() {
        // As the engine writes `<`, and with something in it that looks like another event.
        let label = format!(
            "{}\\n{{\\\"Type\\\":\\\"network\\\",\\\"Action\\\":\\\"connect\\\"}}",
            "\\u003c".repeat(1 << 19)
        );
        let id = "ab".repeat(32);
        let docker = format!(
            "{{\"status\":\"die\",\"id\":\"{id}\",\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{{\"ID\":\"{id}\",\"Attributes\":{{\"Action\":\"{label}\",\"ID\":\"x\",\"x\":\"{label}\"}}}}}}\n"
        );
        // Others may say the same in another order.
        let podman = format!(
            "{{\"Actor\":{{\"Attributes\":{{\"x\":\"{label}\"}},\"ID\":\"{id}\"}},\"Action\":\"die\",\"Type\":\"container\"}}\n"
        );
        let mut reader = EventReader::default();
        for piece in [docker, podman, "{\"Action\":\"start\"}\n".to_owned()]
            .concat()
            .as_bytes()
            .chunks(30_011)
        {
            reader.push(piece);
        }
        for _ in 0..2 {
            let event = reader.next_event().unwrap().unwrap();
            assert_eq!((&*event.kind, &*event.action, &event.actor.id), ("container", "die", &id));
            assert_eq!(event.actor.attributes.container, "");
        }
        assert_eq!(reader.next_event().unwrap().unwrap().action, "start");
        assert!(reader.next_event().unwrap().is_none());
    }

    #[test]
    fn a_command_line_in_an_event_is_passed_over() {
        let line = format!(
            "{{\"Type\":\"container\",\"Action\":\"exec_create: {}\"}}\n",
            "x".repeat(1 << 20)
        );
        assert_eq!(
            read(&[line.as_bytes(), b"{\"Action\":\"die\"}\n"]),
            (vec![String::new(), "die".to_owned()], true)
        );
    }
}
