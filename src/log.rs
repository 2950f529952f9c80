//! Log lines on standard output: `key=value` text or one JSON object each, both with `time`, `level` and `msg` first, as the peer's
//! users know them from Go's `log/slog`.
//!
//! Lines go through a bounded queue to one writing thread: a reader that stalls costs lines, which are counted, and never a request. Lines
//! that say the same again are counted too, see `log/fold.rs`.

mod fold;
mod queue;
mod settings;
mod time;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::text::is_printable;
use fold::{FOLD, Key, Repeats, sample_of};
use queue::{Queue, Sink};
use time::write_time;

pub use settings::LogSettings;

/// How much room is kept for the next lines, in bytes.
const KEPT_BYTES: usize = 64 * 1024;
/// How long the writing thread rests between two batches.
const REST: Duration = Duration::from_millis(2);

/// Starts logging for the whole process; the lines are out when the value is dropped.
///
/// # Errors
/// When logging was started before.
pub fn start(settings: LogSettings) -> Result<Logging, tracing::subscriber::SetGlobalDefaultError> {
    let queue = Arc::<Queue>::default();
    let sink = Sink(Arc::clone(&queue));
    let format = Format { json: settings.json };
    let folding = Folding { format, queue: Arc::clone(&queue) };
    let layer = tracing_subscriber::fmt::layer().event_format(folding).with_writer(sink);
    tracing::subscriber::set_global_default(
        tracing_subscriber::registry().with(LevelFilter::from_level(settings.level)).with(layer),
    )?;
    std::panic::set_hook(Box::new(tell_panic));
    let lines = Arc::clone(&queue);
    let writer = std::thread::Builder::new().name("log".to_owned());
    // Without the thread nobody reads the log, and nobody waits for its last line.
    if writer.spawn(move || write_lines(&lines, format)).is_err() {
        queue.abandon();
    }
    Ok(Logging { queue })
}

/// Writes where we panicked, in place of a text on standard error. What it was about is told by the request's own record. A message that
/// was put together may quote what a client sent, so only one that stands in the source is written.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let reason = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("-");
    tracing::error!(at, reason, "a bug in sockwarden; please report this");
}

/// Keeps the log's writing thread.
#[derive(Debug)]
#[must_use]
pub struct Logging {
    queue: Arc<Queue>,
}

impl Drop for Logging {
    fn drop(&mut self) {
        // The subscriber lives as long as the process and holds the queue too, so the end has to be said.
        self.queue.close();
    }
}

fn write_lines(queue: &Queue, format: Format) {
    let mut out = io::stdout();
    let mut lines = Vec::new();
    while let Some((repeats, dropped)) = queue.take(&mut lines) {
        // Nobody is left to tell when standard output is gone.
        for repeats in repeats {
            let _ = out.write_all(format.repeats(&repeats).as_bytes());
        }
        let _ = out.write_all(&lines);
        lines.clear();
        lines.shrink_to(KEPT_BYTES);
        if dropped > 0 {
            let message = "log lines were dropped because standard output is read too slowly";
            let fields = [("msg", message.to_owned()), ("count", dropped.to_string())];
            let _ = out.write_all(format.warning(&fields).as_bytes());
        }
        let _ = out.flush();
        if !queue.is_over() {
            std::thread::sleep(REST);
        }
    }
}

/// Writes lines, but for those that say what was said before.
struct Folding {
    format: Format,
    queue: Arc<Queue>,
}

/// The shape of a line.
#[derive(Debug, Clone, Copy)]
struct Format {
    json: bool,
}

impl<S, N> FormatEvent<S, N> for Folding
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if let Some(key) = Key::of(event)
            && !self.queue.note(key, || sample_of(event))
        {
            return Ok(());
        }
        self.format.line(&mut writer, *event.metadata().level(), |line| {
            // The macros of tracing put the message in front of the other fields, where slog has it too.
            let mut fields = FieldWriter { line, text: String::new(), result: Ok(()) };
            event.record(&mut fields);
            fields.result
        })
    }
}

impl Format {
    /// The line with a count of lines that were not written.
    fn repeats(self, repeats: &Repeats) -> String {
        let mut fields = vec![("msg", "blocked requests like this one".to_owned())];
        fields.extend(repeats.sample.iter().cloned());
        fields.push(("count", repeats.count.to_string()));
        fields.push(("seconds", repeats.seconds.to_string()));
        self.warning(&fields)
    }

    fn warning(self, fields: &[(&str, String)]) -> String {
        let mut text = String::new();
        // Memory takes what is written to it.
        let _ = self.line(&mut Writer::new(&mut text), tracing::Level::WARN, |line| {
            fields.iter().try_for_each(|(name, value)| match *name {
                "count" | "seconds" | "status" => line.bare(name, format_args!("{value}")),
                name => line.field(name, value),
            })
        });
        text
    }

    fn line(
        self,
        writer: &mut Writer<'_>,
        level: tracing::Level,
        fields: impl FnOnce(&mut LineWriter<'_, '_>) -> fmt::Result,
    ) -> fmt::Result {
        let mut line = LineWriter { writer, json: self.json };
        line.writer.write_str(if self.json { "{\"time\":\"" } else { "time=" })?;
        write_time(line.writer)?;
        if self.json {
            write!(line.writer, "\",\"level\":\"{level}\"")?;
            fields(&mut line)?;
            line.writer.write_str("}\n")
        } else {
            write!(line.writer, " level={level}")?;
            fields(&mut line)?;
            line.writer.write_char('\n')
        }
    }
}

/// A line that is being written.
struct LineWriter<'w, 'b> {
    writer: &'w mut Writer<'b>,
    json: bool,
}

impl LineWriter<'_, '_> {
    fn name(&mut self, name: &str) -> fmt::Result {
        let (front, behind) = if self.json { (",\"", "\":") } else { (" ", "=") };
        [front, name, behind].into_iter().try_for_each(|part| self.writer.write_str(part))
    }

    /// A number or a truth value, which JSON writes without quotes. A text that looks like one stays a text: a container may be called `42`.
    fn bare(&mut self, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
        self.name(name)?;
        self.writer.write_fmt(value)
    }

    fn field(&mut self, name: &str, value: &str) -> fmt::Result {
        self.name(name)?;
        match Plain::of(value) {
            // Most are, and need no escapes.
            Plain::Word if !self.json => self.writer.write_str(value),
            Plain::Word | Plain::Words => {
                for part in ["\"", value, "\""] {
                    self.writer.write_str(part)?;
                }
                Ok(())
            }
            Plain::No if self.json => write!(self.writer, "{}", Json(value)),
            Plain::No => write!(self.writer, "{}", Text(value)),
        }
    }
}

/// Writes an event's fields.
struct FieldWriter<'l, 'w, 'b> {
    line: &'l mut LineWriter<'w, 'b>,
    /// Where values are put together that are no text yet.
    text: String,
    result: fmt::Result,
}

impl FieldWriter<'_, '_, '_> {
    fn add(&mut self, field: &Field, value: &str) {
        if FOLD.contains(&field.name()) {
            return;
        }
        let result = self.line.field(name_of(field), value);
        self.result = self.result.and(result);
    }

    fn add_bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if FOLD.contains(&field.name()) {
            return;
        }
        let result = self.line.bare(name_of(field), value);
        self.result = self.result.and(result);
    }

    fn add_text(&mut self, field: &Field, write: impl FnOnce(&mut String)) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        write(&mut text);
        self.add(field, &text);
        self.text = text;
    }
}

/// tracing's name, and slog's.
fn name_of(field: &Field) -> &'static str {
    if field.name() == "message" { "msg" } else { field.name() }
}

impl Visit for FieldWriter<'_, '_, '_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add_bare(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add_bare(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add_bare(field, format_args!("{value}"));
    }

    /// What is no number in JSON is a text.
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.add_bare(field, format_args!("{value:.3}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, |text| {
            let _ = write!(text, "{value:?}");
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add_text(field, |text| {
            let _ = write!(text, "{value}");
            let mut source = value.source();
            while let Some(error) = source {
                let _ = write!(text, ": {error}");
                source = error.source();
            }
        });
    }
}

/// What can be told of a value at a glance.
enum Plain {
    /// It means itself, bare or quoted.
    Word,
    /// It means itself when it is quoted.
    Words,
    No,
}

impl Plain {
    fn of(value: &str) -> Self {
        // Every byte is looked at, which takes less time than to stop at the first one that decides.
        let seen = value.bytes().fold(0, |seen, byte| seen | kind(byte));
        match seen {
            0 if !value.is_empty() => Self::Word,
            QUOTED => Self::Words,
            _ => Self::No,
        }
    }
}

const QUOTED: u8 = 1;
const ESCAPED: u8 = 2;

/// Whether a byte has to be quoted, or worse.
fn kind(byte: u8) -> u8 {
    const KINDS: [u8; 256] = {
        let mut kinds = [ESCAPED; 256];
        let mut byte = b' ';
        while byte <= b'~' {
            #[expect(clippy::indexing_slicing, reason = "evaluated when we are built")]
            {
                kinds[byte as usize] = match byte {
                    b' ' | b'=' => QUOTED,
                    b'"' | b'\\' => ESCAPED,
                    _ => 0,
                };
            }
            byte += 1;
        }
        kinds
    };
    KINDS.get(usize::from(byte)).copied().unwrap_or(ESCAPED)
}

/// A JSON string in which a reader sees every character.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self.0).map_err(|_| fmt::Error)?;
        // serde_json leaves what it need not escape, such as DEL and what turns a line round; a terminal obeys it.
        text.chars().try_for_each(|c| {
            if is_printable(c) {
                return f.write_char(c);
            }
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
        })
    }
}

/// A text value: bare where that is unambiguous, else quoted and escaped.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = !self.0.is_empty()
            && self
                .0
                .chars()
                .all(|c| c != ' ' && is_printable(c) && c != '"' && c != '=' && c != '\\');
        if bare { f.write_str(self.0) } else { write!(f, "{:?}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, text: &str, json: &str) {
        for (is_json, want) in [(false, text), (true, json)] {
            let mut line = String::new();
            let mut writer = Writer::new(&mut line);
            LineWriter { writer: &mut writer, json: is_json }.field("a", value).unwrap();
            assert_eq!(line.split_once(['=', ':']).unwrap().1, want);
        }
        assert_eq!(
            (Text(value).to_string().as_str(), Json(value).to_string().as_str()),
            (text, json)
        );
    }

    #[test]
    fn the_message_comes_first() {
        let queue = Arc::<Queue>::default();
        for json in [false, true] {
            let folding = Folding { format: Format { json }, queue: Arc::clone(&queue) };
            let layer = tracing_subscriber::fmt::layer().event_format(folding);
            let layer = layer.with_writer(Sink(Arc::clone(&queue)));
            let subscriber = tracing_subscriber::registry().with(layer);
            tracing::subscriber::with_default(subscriber, || {
                let error = io::Error::other("late");
                tracing::callsite::rebuild_interest_cache();
                tracing::warn!(
                    a = 1,
                    b = "two words",
                    c = "42",
                    d = 0.1234,
                    e = true,
                    f = Option::<&str>::None,
                    error = %error,
                    "it happened"
                );
            });
        }
        let mut lines = Vec::new();
        queue.take(&mut lines);
        let lines = String::from_utf8(lines).unwrap();
        let lines: Vec<&str> =
            lines.lines().map(|line| line.split_once("level").unwrap().1).collect();
        assert_eq!(
            lines,
            [
                "=WARN msg=\"it happened\" a=1 b=\"two words\" c=42 d=0.123 e=true error=late",
                "\":\"WARN\",\"msg\":\"it happened\",\"a\":1,\"b\":\"two words\",\"c\":\"42\",\"d\":0.123,\"e\":true,\"error\":\"late\"}"
            ]
        );
    }

    #[test]
    fn values_hold_no_raw_control_character() {
        check("plain", "plain", "\"plain\"");
        check("a=b", "\"a=b\"", "\"a=b\"");
        check("back\\slash", "\"back\\\\slash\"", "\"back\\\\slash\"");
        check("größer", "größer", "\"größer\"");
        check("two words", "\"two words\"", "\"two words\"");
        check("", "\"\"", "\"\"");
        check("42", "42", "\"42\"");
        check("007", "007", "\"007\"");
        check("a\nlevel=ERROR", "\"a\\nlevel=ERROR\"", "\"a\\nlevel=ERROR\"");
        check("\u{1b}[31m", "\"\\u{1b}[31m\"", "\"\\u001b[31m\"");
        check("\u{7f}\u{85}", "\"\\u{7f}\\u{85}\"", "\"\\u007f\\u0085\"");
        // What would turn the rest of the line round, and what nobody sees.
        check("a\u{202e}b", "\"a\\u{202e}b\"", "\"a\\u202eb\"");
        check("\u{200b}\u{2028}", "\"\\u{200b}\\u{2028}\"", "\"\\u200b\\u2028\"");
        check("\u{e0041}", "\"\\u{e0041}\"", "\"\\udb40\\udc41\"");
        check("say \"hi\"", "\"say \\\"hi\\\"\"", "\"say \\\"hi\\\"\"");
    }
}
