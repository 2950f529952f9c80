//! A JSON value, and what Go makes of its keys.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use super::keep::Keep;

/// A JSON value with one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`, which Go takes for "leave the default".
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written; what it means depends on the field.
    Number(Number),
    /// A string, its escapes resolved.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object),
}

/// A number as it was written. Nearly all are short enough to need no memory of their own.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(Digits);

#[derive(Clone, PartialEq, Eq)]
enum Digits {
    Few(u8, [u8; Number::FEW]),
    Many(Box<str>),
}

/// A JSON object.
///
// INVARIANT: no two keys are one to the reader: of fields none fold alike, of entries none are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub(super) keys: Keys,
    /// Where only some of its fields were kept, which.
    pub(super) kept: Option<&'static Keep>,
    pub(super) members: Box<[(String, Json)]>,
}

/// How the daemon finds an object's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// They are fields of a Go struct: case and the two letters that fold to ASCII make no difference.
    Fields,
    /// They are keys of a Go map: compared byte by byte.
    Entries,
}

/// The most levels of arrays and objects in each other.
pub const MAX_DEPTH: usize = 128;
/// The most values in one document: bounds what a body of many small values makes of memory.
pub const MAX_VALUES: usize = 65_536;
/// What a value takes at most beside its text, in bytes, while it is read: a member of an object, twice while its object grows, and a key.
const VALUE_BYTES: usize = 128;

impl Json {
    /// What reading a document of so many bytes takes at most beside those bytes, in bytes, and keeping it.
    pub const fn most_memory(bytes: usize) -> usize {
        // Nothing is shorter than a value and a comma.
        let values = bytes / 2 + 1;
        bytes + if values < MAX_VALUES { values } else { MAX_VALUES } * VALUE_BYTES
    }

    /// The same for a document that is there; it need not be one that can be read.
    pub fn memory(bytes: &[u8]) -> usize {
        // There is no value without one of these before or behind it.
        let marks = bytes.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
        Self::most_memory(bytes.len()).min(bytes.len() + (marks + 1) * VALUE_BYTES)
    }

    /// Prints it, without white space, in the order it was read.
    pub fn to_text(&self) -> String {
        self.to_text_of(0)
    }

    /// The same, where it is known how long it will be, more or less.
    pub fn to_text_of(&self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes);
        self.write(&mut text);
        text
    }

    /// The fields of an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The values of an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A field of an object; `None` where there is no object, no such field, or `null` in it.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.as_object().and_then(|object| object.field(name))
    }

    /// Whether Go makes of it what it makes of an absent field: `null`, `false`, `0`, `""`, `[]` or `{}`.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Number(text) => text.parse() == Ok(0.0),
            Self::String(text) => text.is_empty(),
            Self::Array(values) => values.is_empty(),
            Self::Object(object) => object.members.is_empty(),
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(true) => text.push_str("true"),
            Self::Bool(false) => text.push_str("false"),
            Self::Number(number) => text.push_str(number),
            Self::String(string) => write_string(string, text),
            Self::Array(values) => {
                text.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    value.write(text);
                }
                text.push(']');
            }
            Self::Object(object) => {
                text.push('{');
                for (index, (key, value)) in object.members.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    write_string(key, text);
                    text.push(':');
                    value.write(text);
                }
                text.push('}');
            }
        }
    }
}

impl Object {
    /// An object without members, whose keys the daemon finds in this way.
    pub fn new(keys: Keys) -> Self {
        Self { keys, kept: None, members: Box::default() }
    }

    /// The value the daemon finds under this name; `None` where there is none, or `null`.
    pub fn field(&self, name: &str) -> Option<&Json> {
        self.member(name).filter(|value| **value != Json::Null)
    }

    /// The same, `null` included.
    ///
    /// # Panics
    /// When the document is an answer of the engine of which this field was not kept. That is a bug, and what is not there must not pass for
    /// what is not set: the connection ends, and nothing is sent.
    pub fn member(&self, name: &str) -> Option<&Json> {
        assert!(
            self.kept.is_none_or(|kept| kept.lists(name)),
            "`{name}` is read of an answer and was not kept of it; list it where answers are kept"
        );
        self.members.iter().find(|(key, _)| self.keys.agree(key, name)).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Json> {
        let keys = self.keys;
        self.members.iter_mut().find(|(key, _)| keys.agree(key, name)).map(|(_, value)| value)
    }

    /// Sets a member under exactly this key, in place of all that anybody could take for it.
    pub fn set(&mut self, name: &str, value: Json) {
        let mut members = std::mem::take(&mut self.members).into_vec();
        members.retain(|(key, _)| !folds_alike(key, name));
        members.push((name.to_owned(), value));
        self.members = members.into();
    }

    /// Every member, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl Number {
    /// How many digits need no memory of their own.
    const FEW: usize = 22;

    pub(super) fn new(text: &str) -> Self {
        let mut few = [0; Self::FEW];
        match (few.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self(Digits::Few(length, few))
            }
            _ => Self(Digits::Many(text.into())),
        }
    }
}

impl Deref for Number {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Digits::Few(length, few) => {
                let digits = few.get(..usize::from(*length)).unwrap_or_default();
                std::str::from_utf8(digits).unwrap_or_default()
            }
            Digits::Many(digits) => digits,
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Keys {
    fn agree(self, key: &str, name: &str) -> bool {
        match self {
            Self::Entries => key == name,
            Self::Fields => key == name || folds_to(key, name),
        }
    }
}

/// Whether Go's `encoding/json` takes this key for the field of that (ASCII) name: simple Unicode folding, of which only U+017F and
/// U+212A lead from outside ASCII into it (`encoding/json/fold.go`).
fn folds_to(key: &str, name: &str) -> bool {
    key.len() >= name.len() && key.chars().map(fold_char).eq(name.chars().map(fold_char))
}

/// A key as every key that the daemon takes for the same field is written here.
pub fn fold(key: &str) -> Cow<'_, str> {
    if !key.is_ascii() {
        Cow::Owned(key.chars().map(fold_char).collect())
    } else if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(key.to_ascii_lowercase())
    } else {
        Cow::Borrowed(key)
    }
}

/// Whether two keys are one to a reader that takes them in any case.
pub fn folds_alike(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { fold(a) == fold(b) }
}

pub(super) const fn fold_char(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

/// Why a document is refused; each says what to send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum JsonError {
    #[error("it is empty; send a JSON object")]
    Empty,
    #[error("it is not UTF-8 at byte {at}; send UTF-8")]
    NotUtf8 { at: usize },
    #[error("it begins with a byte order mark; send it without")]
    ByteOrderMark,
    #[error("it is not JSON at byte {at}, where {wanted} should be; send JSON as RFC 8259 has it")]
    Syntax { at: usize, wanted: &'static str },
    #[error("there is something behind the JSON document, at byte {at}; send one document")]
    TrailingData { at: usize },
    #[error(
        "the key `{key}` stands there twice in one object, or in two spellings that the engine takes for one; send it once"
    )]
    DuplicateKey { key: String },
    #[error("it is nested more than {MAX_DEPTH} levels deep; send it flatter")]
    TooDeep,
    #[error("it holds more than {MAX_VALUES} values; send fewer")]
    TooManyValues,
}

/// How much of a string can be taken as it stands. Looked at in blocks, which compilers turn into a few instructions each.
pub(super) fn plain_length(text: &str) -> usize {
    const BLOCK: usize = 16;
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let bytes = text.as_bytes();
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let is_plain = |block: &&[u8; BLOCK]| {
        !block.iter().fold(false, |special, byte| special | is_special(byte))
    };
    let begin = blocks.iter().take_while(is_plain).count() * BLOCK;
    let rest = bytes.get(begin..).unwrap_or_default();
    begin + rest.iter().position(is_special).unwrap_or(rest.len())
}

pub(super) fn write_string(string: &str, text: &mut String) {
    text.push('"');
    let mut rest = string;
    loop {
        let (plain, behind) = rest.split_at(plain_length(rest));
        text.push_str(plain);
        if behind.is_empty() {
            break;
        }
        let mut chars = behind.chars();
        match chars.next() {
            // None is longer than what it can have been sent as.
            Some('\u{8}') => text.push_str("\\b"),
            Some('\u{c}') => text.push_str("\\f"),
            Some('\n') => text.push_str("\\n"),
            Some('\r') => text.push_str("\\r"),
            Some('\t') => text.push_str("\\t"),
            Some(c) if c < ' ' => {
                let code = u32::from(c);
                let hex = |nibble: u32| char::from_digit(nibble & 0xf, 16).unwrap_or('0');
                text.push_str("\\u00");
                text.extend([hex(code >> 4), hex(code)]);
            }
            c => text.extend(std::iter::once('\\').chain(c)),
        }
        rest = chars.as_str();
    }
    text.push('"');
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl Json {
    /// The document with nothing in it but what is kept of it. From then on, nothing else can be asked of it.
    #[must_use]
    pub fn kept(mut self, keep: &'static Keep) -> Self {
        self.keep(keep);
        self
    }

    fn keep(&mut self, keep: &'static Keep) {
        match (self, keep) {
            (this @ Self::Array(_), Keep::Fields(_) | Keep::Text(_))
            | (this @ Self::Object(_), Keep::Text(_)) => *this = Self::Bool(false),
            (Self::Array(values), Keep::Each(inner)) => {
                for value in values {
                    value.keep(inner);
                }
            }
            (Self::Object(object), Keep::Fields(fields)) => {
                let mut members = std::mem::take(&mut object.members).into_vec();
                members.retain_mut(|(name, value)| {
                    let listed = fields.iter().find(|(listed, _)| listed == name);
                    if let Some((_, keep)) = listed {
                        value.keep(keep);
                    }
                    listed.is_some()
                });
                object.kept = Some(keep);
                object.members = members.into();
            }
            (Self::Object(object), Keep::Each(inner)) => {
                for (_, value) in &mut object.members {
                    value.keep(inner);
                }
            }
            (Self::Object(object), Keep::Names) => {
                for (_, value) in &mut object.members {
                    *value = Self::Bool(true);
                }
            }
            (Self::String(text), Keep::Text(most)) if text.len() > *most => text.clear(),
            (Self::String(text), Keep::Fields(_) | Keep::Each(_) | Keep::Names) => text.clear(),
            _ => {}
        }
    }
}
