//! Where in a value a reading is, and what words it takes.

use crate::request::json::keep::Keep;

#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) is_object: bool,
    /// What is kept of what is in it; nothing where nothing is.
    pub(super) keep: Option<&'static Keep>,
    /// Whether something of it was kept already.
    pub(super) holds: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// In front of a value; of the first in a list, which may have none, if so.
    Value {
        is_first: bool,
    },
    /// In front of a key; of the first in an object, which may have none, if so.
    Key {
        is_first: bool,
    },
    Colon,
    /// Behind a value.
    Behind,
    /// In a text.
    Text {
        part: Part,
        escape: Escape,
    },
    /// In a number, `true`, `false` or `null`.
    Word,
    /// Behind a value that must end its line.
    LineEnd,
    /// Behind everything.
    Done,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    /// A value that is kept, from this place of what is kept on, as long as it is no longer than so much.
    Kept {
        from: usize,
        most: usize,
        is_label: bool,
    },
    Skipped,
}

/// Where in an escape we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    None,
    /// Behind the backslash.
    Begun,
    /// So many hexadecimal digits are to come.
    Digits(u8),
}

pub(super) const fn is_word(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.')
}

/// RFC 8259 section 6.
pub(super) fn is_number(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let digits = |word: &[u8]| word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(word);
    if whole == 0 || (whole > 1 && word.first() == Some(&b'0')) {
        return false;
    }
    let mut rest = word.get(whole..).unwrap_or_default();
    if let Some(behind) = rest.strip_prefix(b".") {
        let count = digits(behind);
        if count == 0 {
            return false;
        }
        rest = behind.get(count..).unwrap_or_default();
    }
    if let [b'e' | b'E', behind @ ..] = rest {
        let behind =
            behind.strip_prefix(b"+").or_else(|| behind.strip_prefix(b"-")).unwrap_or(behind);
        return !behind.is_empty() && digits(behind) == behind.len();
    }
    rest.is_empty()
}
