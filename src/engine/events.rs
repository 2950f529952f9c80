//! The stream of events, cut into lines: bytes in, events out.

use bytes::BytesMut;

use super::EngineError;
use super::own::Event;

/// The longest event, in bytes; a container's labels are part of its events.
pub const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;

/// Puts the pieces of the engine's answer together and reads one event a line.
#[derive(Debug, Default)]
pub struct EventReader {
    buffer: BytesMut,
    /// So many bytes of it hold no line feed.
    searched: usize,
}

impl EventReader {
    /// Takes the next bytes of the stream, cut as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event that has come whole; `None` while more bytes are needed.
    ///
    /// # Errors
    /// When a line is no event, or is too long to be one; what follows it is not to be believed then.
    pub fn next_event(&mut self) -> Result<Option<Event>, EngineError> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = unsearched.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                if self.searched > MAX_EVENT_BYTES {
                    return Err(EngineError::Unexpected("its event is too long"));
                }
                return Ok(None);
            };
            let line = self.buffer.split_to(self.searched + at + 1);
            self.searched = 0;
            if line.trim_ascii().is_empty() {
                continue;
            }
            return serde_json::from_slice(&line)
                .map(Some)
                .map_err(|_| EngineError::Unexpected("its event is not the JSON it should be"));
        }
    }
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

    #[test]
    fn a_line_has_a_limit() {
        let long = vec![b' '; MAX_EVENT_BYTES];
        assert_eq!(read(&[&long, b"{}\n"]), (vec![String::new()], true));
        assert_eq!(read(&[&long, b" ", b"{}\n"]), (vec![], false));
    }
}
