//! Text that somebody else wrote, made fit to be read.
//!
//! Names, labels, paths and settings are shown on terminals and in logs. There a control character is obeyed, and a format character is
//! worse than seen: U+202E turns the rest of the line round, and U+200B makes two names look like one. [`escaped`] is the one place that
//! says what such characters become. Letters of all scripts stay as they are.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most characters of a text that go into a message.
const MOST_CHARS: usize = 512;

/// Whether a reader sees this character, in its place: no control or format character, and no blank but the space.
pub fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~') || !(c.is_control() || c.is_whitespace() || is_format(c))
}

/// The whole text, with everything escaped that a reader would not see as it is.
///
/// Backslashes stay as they are, because a pattern is full of them and must be recognised by the person who wrote it.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if is_plain(text) || text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    escape_into(&mut escaped, text.chars());
    Cow::Owned(escaped)
}

/// Whether all of it is printable ASCII: nearly every text is, and this is seen faster. All of it is looked at, without a branch for each
/// byte.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'))
}

/// As [`escaped`]; bytes that are not UTF-8 become `\xff`.
pub fn escaped_bytes(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        escape_into(&mut escaped, chunk.valid().chars());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\x{byte:02x}");
        }
    }
    escaped
}

/// A text for a message: as [`escaped`], and shortened.
pub fn printable(text: &str) -> Cow<'_, str> {
    shortened(text, MOST_CHARS)
}

/// The first so many characters of a text, as [`escaped`].
pub fn shortened(text: &str, most_chars: usize) -> Cow<'_, str> {
    let is_longer = text.len() > most_chars;
    let end = is_longer.then(|| text.char_indices().nth(most_chars)).flatten();
    match end.and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => Cow::Owned(format!("{}…", escaped(beginning))),
        None => escaped(text),
    }
}

/// Appends characters, those that a reader would not see as escapes.
pub(crate) fn escape_into(escaped: &mut String, characters: impl Iterator<Item = char>) {
    for c in characters {
        match c {
            '\0' => escaped.push_str("\\0"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            c if is_printable(c) => escaped.push(c),
            c => escaped.extend(c.escape_unicode()),
        }
    }
}

/// Unicode 16.0, general category Cf (`extracted/DerivedGeneralCategory.txt`); a test compares it with that of the regex crate.
const fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'
            | '\u{e0020}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_unicode() {
        let (format, separators) =
            (regex::Regex::new(r"\A\p{Cf}\z").unwrap(), regex::Regex::new(r"\A\p{Z}\z").unwrap());
        let mut buffer = [0; 4];
        for c in '\0'..=char::MAX {
            let text = &*c.encode_utf8(&mut buffer);
            assert_eq!(is_format(c), format.is_match(text), "U+{:04X}", c as u32);
            let is_hidden =
                c.is_control() || is_format(c) || (separators.is_match(text) && c != ' ');
            assert_eq!(is_printable(c), !is_hidden, "U+{:04X}", c as u32);
        }
    }

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(escaped(text), want);
        assert_eq!(printable(text), want);
        assert_eq!(escaped_bytes(text.as_bytes()), want);
        // What was escaped stays as it is.
        assert_eq!(escaped(want), want);
    }

    #[test]
    fn what_nobody_sees_is_escaped() {
        check("/v1\\..+\"' plain", "/v1\\..+\"' plain");
        check("a\n\r\t\0\u{1b}[1m\u{7f}\u{9b}b", r"a\n\r\t\0\u{1b}[1m\u{7f}\u{9b}b");
        check("evil\u{202e}gpj.exe", r"evil\u{202e}gpj.exe");
        check(
            "\u{2066}a\u{2069}\u{200b}b\u{feff}\u{ad}",
            r"\u{2066}a\u{2069}\u{200b}b\u{feff}\u{ad}",
        );
        check("a\u{2028}b\u{2029}c\u{a0}d", r"a\u{2028}b\u{2029}c\u{a0}d");
        check("\u{e0041}", r"\u{e0041}");
        assert_eq!(escaped_bytes(b"a\xff\xfe\n"), r"a\xff\xfe\n");
    }

    #[test]
    fn letters_of_all_scripts_stay() {
        for text in
            ["größer", "e\u{301}", "Ωμέγα", "имя", "שם", "اسم", "नाम", "ชื่อ", "名前", "이름", "🐳"]
        {
            assert!(matches!(escaped(text), Cow::Borrowed(it) if it == text), "{text}");
        }
    }

    #[test]
    fn a_message_holds_the_beginning() {
        let long = |count| "é".repeat(count);
        assert_eq!(printable(&long(MOST_CHARS)), long(MOST_CHARS));
        assert_eq!(printable(&long(MOST_CHARS + 1)), format!("{}…", long(MOST_CHARS)));
        assert_eq!(
            printable(&"\n".repeat(MOST_CHARS + 9)),
            format!("{}…", r"\n".repeat(MOST_CHARS))
        );
    }
}
