//! What is wrong with a command line or an environment, written for the person who has to mend it.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;

use crate::rule::Origin;
use crate::setting::SettingName;
use crate::text::escaped_bytes;

/// Everything that is wrong with one command line and environment, at least one thing. Prints one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// INVARIANT: the caller has at least one.
    pub(super) fn new(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes)
    }

    /// Each mistake: those of the flags as they stand on the command line, then those of the variables by name.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// One thing that is wrong. Its text is a single line without control characters, whatever was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A setting we know has a value it cannot take.
    #[error("`{origin}`: {} {problem}", shown(value))]
    Value {
        /// The flag or variable.
        origin: Origin,
        /// The value, or the part of it that is wrong; printable.
        value: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A flag without the value it needs.
    #[error("`{flag}` needs a value{}; write `{flag}={placeholder}`", taken(next.as_deref()))]
    NoValue {
        /// The flag.
        flag: String,
        /// What stands for its value in the help.
        placeholder: &'static str,
        /// The word that follows, when it is a flag.
        next: Option<String>,
    },
    /// A flag nobody defined.
    #[error("`{flag}` is not a flag of ours; {}", did_you_mean(nearest.as_deref(), "`--help` lists them"))]
    UnknownFlag {
        /// The flag as written, without a value.
        flag: String,
        /// The flag that was probably meant.
        nearest: Option<String>,
    },
    /// A variable in our name space that nobody defined.
    #[error("`{variable}` is not a variable of ours; {}", did_you_mean(nearest.as_deref(), "`--help` lists all that begin with `SP_`"))]
    UnknownVariable {
        /// The variable's name.
        variable: String,
        /// The variable that was probably meant.
        nearest: Option<String>,
    },
    /// Something that begins like a flag and is none.
    #[error("`{word}` is not a flag; flags are written `-name=value`")]
    Malformed {
        /// The word.
        word: String,
    },
    /// A word where only flags are expected. Go, and with it socket-proxy, would silently ignore it and all that follows.
    #[error("`{word}` is not expected here; {advice}")]
    Word {
        /// The word.
        word: String,
        /// What was probably meant.
        advice: String,
    },
    /// Words for clients that nobody admits.
    #[error(
        "`{setting}` says what the clients in {allow_from} may do, and that admits this container alone; list who may connect in {allow_from}, or give each client its words in its label `sockwarden.allow`",
        allow_from = SettingName::AllowFrom.or_variable()
    )]
    WordsForNobody {
        /// The setting as it was written.
        setting: String,
    },
    /// Two settings that cannot both be meant.
    #[error(
        "`{one}` and `{other}` are the same path, `{path}`; the proxy would replace the engine's socket by its own"
    )]
    SameSocket {
        /// The setting of the socket we create.
        one: String,
        /// The setting of the socket we connect to.
        other: String,
        /// The path.
        path: String,
    },
}

/// What a value's parser has to say; the caller knows where the value came from.
#[derive(Debug)]
pub(super) struct Problem {
    /// The part of the value that is meant; `None` for all of it.
    pub(super) part: Option<String>,
    /// What is wrong, and what would be right.
    pub(super) text: String,
}

impl Problem {
    /// A problem with one entry of a list.
    pub(super) fn with(part: &str, text: &str) -> Self {
        Self { part: Some(part.to_owned()), text: text.to_owned() }
    }
}

impl<T: Into<String>> From<T> for Problem {
    fn from(text: T) -> Self {
        Self { part: None, text: text.into() }
    }
}

/// A word or value for a message; see [`crate::text`].
pub(super) fn printable(text: &OsStr) -> String {
    escaped_bytes(text.as_bytes())
}

/// The name that was probably meant: the nearest by edits, or the only one that contains what was typed.
///
/// Case, dashes and underscores count for nothing, as they are what people mix up first.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    const LONGEST_BYTES: usize = 64; // the comparison is quadratic, and our longest name has 30
    let typed = stem(typed);
    if typed.is_empty() || typed.len() > LONGEST_BYTES {
        return None;
    }
    let edits = (typed.len() / 4).clamp(1, 3);
    let close = names
        .clone()
        .map(|name| (strsim::damerau_levenshtein(&typed, &stem(name)), name))
        .filter(|(distance, _)| *distance <= edits)
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, name)) = close {
        return Some(name);
    }
    let mut containing = names.filter(|name| typed.len() >= 4 && stem(name).contains(&typed));
    containing.next().filter(|_| containing.next().is_none())
}

fn stem(name: &str) -> String {
    let name = name.strip_prefix("SP_").unwrap_or(name);
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

fn shown(value: &str) -> String {
    if value.is_empty() { "an empty value".to_owned() } else { format!("`{value}`") }
}

fn taken(next: Option<&str>) -> String {
    next.map_or_else(String::new, |next| format!(", and the next word `{next}` is a flag"))
}

fn did_you_mean(nearest: Option<&str>, otherwise: &str) -> String {
    nearest.map_or_else(|| otherwise.to_owned(), |nearest| format!("did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, want: Option<&str>) {
        let names = [
            "allowfrom",
            "allowGET",
            "allowHEAD",
            "allowPUT",
            "proxyport",
            "proxysocketendpoint",
            "socketpath",
        ];
        assert_eq!(nearest(typed, names.into_iter()), want);
    }

    #[test]
    fn the_nearest_name_is_the_one_meant() {
        check("alowfrom", Some("allowfrom"));
        check("allow-from", Some("allowfrom"));
        check("allowget", Some("allowGET"));
        check("allowGTE", Some("allowGET"));
        check("port", Some("proxyport"));
        check("SP_PROXYPORTS", Some("proxyport"));
        check("socket", None); // two of them
        check("v", None);
        check("", None);
        check(&"a".repeat(100), None);
    }

    #[test]
    fn what_is_quoted_can_be_printed() {
        assert_eq!(
            printable(OsStr::from_bytes(b"/v1\\..+\n\x1b[1m\xff\xfe\"'")),
            "/v1\\..+\\n\\u{1b}[1m\\xff\\xfe\"'"
        );
        assert_eq!(printable(OsStr::new("a\u{202e}b é")), "a\\u{202e}b é");
    }
}
