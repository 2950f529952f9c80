//! What is wrong with a text of words, and what would be right.

use crate::request::Operation;
use crate::text::{printable, shortened};

/// The longest part of a text that is quoted, in characters.
const MOST_CHARS: usize = 80;

/// One thing that is wrong with words, conditions or images.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum WordMistake {
    #[error(
        "the value is empty, perhaps because YAML or an unset variable made that of it; write what is meant, or leave the key out"
    )]
    Empty,
    #[error("nothing stands between two separators; take one of them out")]
    EmptyItem,
    #[error(
        "`{item}` opens a parenthesis and does not close it; a comma may have split the value, so quote it in YAML"
    )]
    OpenParenthesis { item: String },
    #[error("`{item}` opens a quotation mark and does not close it")]
    OpenQuote { item: String },
    #[error("`{item}` goes on behind its end; put a comma between two words")]
    Behind { item: String },
    #[error("`{item}` holds a `{found}`, {advice}")]
    Character { item: String, found: String, advice: &'static str },
    #[error("`{item}` holds a `\\` that stands before none of `*`, `?`, `\"` and `\\`")]
    Backslash { item: String },
    #[error("`{given}` is not a word; {}", did_you_mean(nearest.as_deref()))]
    UnknownWord { given: String, nearest: Option<String> },
    #[error("`{given}` is not a word; {why}")]
    NoWord { given: String, why: &'static str },
    #[error("`{given}` is not in this version; leave it out, {instead}")]
    NotYet { given: String, instead: &'static str },
    #[error("`{word}` takes no `@`; only presets have revisions")]
    NoRevision { word: String },
    #[error("`{word}@{given}`: this version has revision {there}; write `{word}@{there}`")]
    Revision { word: String, given: String, there: u32 },
    #[error("`{word}` takes nothing in parentheses")]
    NoArguments { word: String },
    #[error("`{word}`: `{given}` is not a condition; {}", conditions(.there))]
    UnknownKey { word: String, given: String, there: Vec<&'static str> },
    #[error("`{word}`: {operation} has no `{key}`, so the condition would not hold for all of the word; {}", conditions(.there))]
    KeyNotThere { word: String, operation: Operation, key: &'static str, there: Vec<&'static str> },
    #[error("`{word}`: `{key}` has no value; {advice}")]
    NoValue { word: String, key: String, advice: &'static str },
    #[error("`{word}`: `{key}` has a blank in its value; put the value in double quotes")]
    Blank { word: String, key: String },
    #[error(
        "`{word}`: `{given}` is not a signal; give its name or number, for example `SIGHUP` or `1`"
    )]
    Signal { word: String, given: String },
    #[error("`{given}` is not an image; give for example `docker.io/library/*` or `traefik:v3`")]
    Image { given: String },
    #[error("`{given}` is not an exception; {there}")]
    Exception { given: String, there: &'static str },
    #[error("the value is longer than can be read; use fewer words")]
    TooLong,
}

impl WordMistake {
    /// The symbol that does not belong there, with what it may have been meant for.
    pub(super) fn symbol(item: &str, found: char) -> Self {
        let item = short(item);
        let advice = match Symbol::of(found) {
            Symbol::Not => "which YAML may swallow; write `not` in front of what is meant",
            Symbol::And => "which is no separator; put a comma between words",
            Symbol::Bracket => "which YAML reads in its own way; leave it out",
            Symbol::Variable => {
                "so a variable was not replaced (Compose writes `$$` for one `$`); write the value itself"
            }
            Symbol::Quote => "and only double quotes quote here",
            Symbol::Other => "which has no place there; quote the value with `\"`",
        };
        Self::Character { item, found: printable(&found.to_string()).into_owned(), advice }
    }
}

/// What a symbol that has no place here was probably meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Not,
    And,
    Bracket,
    Variable,
    Quote,
    Other,
}

impl Symbol {
    const fn of(c: char) -> Self {
        match c {
            '!' => Self::Not,
            '&' | '|' | ';' => Self::And,
            '[' | ']' | '{' | '}' => Self::Bracket,
            '$' => Self::Variable,
            '\'' | '`' => Self::Quote,
            _ => Self::Other,
        }
    }
}

/// As much of a text as is quoted.
pub(super) fn short(text: &str) -> String {
    printable(&shortened(text.trim(), MOST_CHARS)).into_owned()
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "`sockwarden presets` lists the programs, and the page \"Words\" all others".to_owned(),
        |nearest| format!("did you mean `{nearest}`?"),
    )
}

fn conditions(there: &[&str]) -> String {
    match there {
        [] => "it has none".to_owned(),
        there => {
            let there: Vec<_> = there.iter().map(|key| format!("`{key}`")).collect();
            format!("there are {}", there.join(", "))
        }
    }
}
