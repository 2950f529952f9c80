//! Events are read the same however the stream is cut, one a line, and nothing behind a line that is none; and as serde reads a line that
//! it has as a whole, as far as both look at it.
//!
//! The first byte of the input says how long the pieces are; the rest is the stream.

use serde_json::Value;
use sockwarden::engine::events::EventReader;
use sockwarden::engine::questions::Event;

pub(crate) fn check(input: &[u8]) {
    let Some((&length, stream)) = input.split_first() else { return };
    for pieces in [stream.chunks(usize::from(length) + 1), stream.chunks(1 << 20)] {
        assert_eq!(read(pieces), read(stream.chunks(1)));
    }
    let mut want = Vec::new();
    let mut ends_well = true;
    // What stands behind the last line feed is no line yet.
    let whole = stream.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    for line in stream[..whole].split_inclusive(|byte| *byte == b'\n') {
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            continue;
        }
        let Ok(event) = serde_json::from_slice::<Event>(line) else {
            // A text that is longer than what is kept is passed over, and may be no Unicode.
            if line.len() > 128 {
                return;
            }
            ends_well = false;
            break;
        };
        // Nested deeper than is read.
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return };
        // Longer than anything that an engine writes there.
        let texts =
            [&event.kind, &event.action, &event.actor.id, &event.actor.attributes.container];
        if texts.iter().any(|text| text.len() > 20) || line.len() > 500 {
            return;
        }
        // serde takes a list for an object with its values in order.
        let actor = &value["Actor"];
        if value.is_array() || actor.is_array() || actor["Attributes"].is_array() {
            ends_well = false;
            break;
        }
        want.push(format!("{event:?}"));
    }
    let (events, ended_well) = read(stream.chunks(1));
    assert_eq!(events, want);
    // A line that has not come whole yet may already be known to be none.
    let begun = &stream[whole..];
    let is_no_line = ends_well && !ended_well && serde_json::from_slice::<Event>(begun).is_err();
    assert!(ended_well == ends_well || is_no_line, "{ended_well} {ends_well}");
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, bool) {
    let mut reader = EventReader::default();
    let mut events = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_event() {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(_) => return (events, false),
            }
        }
    }
    (events, true)
}
