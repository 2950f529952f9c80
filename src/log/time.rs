//! The time of a line.

use std::cell::RefCell;
use std::fmt;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// Writes the time as RFC 3339 has it, in UTC and with microseconds. All but those is put together once a second.
#[expect(clippy::disallowed_methods, reason = "nothing is decided by it")]
pub(super) fn write_time(writer: &mut Writer<'_>) -> fmt::Result {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    /// `2026-11-25T05:18:32`.
    const TO_THE_SECOND: usize = 19;
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default();
    LAST.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            text.clear();
            SystemTime.format_time(&mut Writer::new(text))?;
            // It looked at the clock itself, perhaps in the next second already.
            let seconds = text.get(TO_THE_SECOND - 2..TO_THE_SECOND);
            if seconds.and_then(|it| it.parse().ok()) != Some(since.as_secs() % 60) {
                *second = 0;
                return writer.write_str(text);
            }
            *second = since.as_secs();
            text.truncate(TO_THE_SECOND);
        }
        writer.write_str(text)?;
        write!(writer, ".{:06}Z", since.subsec_micros())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_library() {
        let time = |write: &dyn Fn(&mut Writer<'_>) -> fmt::Result| {
            let mut text = String::new();
            write(&mut Writer::new(&mut text)).unwrap();
            text
        };
        for _ in 0..1000 {
            let before = time(&|writer| SystemTime.format_time(writer));
            let ours = time(&|writer| write_time(writer));
            let after = time(&|writer| SystemTime.format_time(writer));
            // They are in order as texts, and as long.
            assert!(before <= ours && ours <= after, "{before} {ours} {after}");
            assert_eq!((before.len(), ours.len()), (27, 27));
        }
    }
}
