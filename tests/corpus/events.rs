//! Events are read the same however the stream is cut, one a line, and nothing behind a line that is none.
//!
//! The first byte of the input says how long the pieces are; the rest is the stream.

use sockwarden::engine::events::EventReader;
use sockwarden::engine::own::Event;

pub(crate) fn check(input: &[u8]) {
    let Some((&length, stream)) = input.split_first() else { return };
    let mut want = Vec::new();
    let mut ends_well = true;
    // What stands behind the last line feed is no line yet.
    let whole = stream.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    for line in stream[..whole].split_inclusive(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Ok(event) = serde_json::from_slice::<Event>(line) else {
            ends_well = false;
            break;
        };
        want.push(format!("{event:?}"));
    }
    for pieces in [stream.chunks(usize::from(length) + 1), stream.chunks(1), stream.chunks(1 << 20)]
    {
        assert_eq!(read(pieces), (want.clone(), ends_well));
    }
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
