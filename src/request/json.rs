//! JSON read as the daemon reads it, or refused.
//!
//! The daemon decodes with Go's `encoding/json`, which forgives much: keys in any case, two of the same key (merged), text behind the
//! document, broken Unicode. A reader that forgives other things sees another document. This one accepts only documents that have a
//! single reading, finds keys as Go finds them, and prints what it understood, so the client's own bytes are never sent.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// A JSON value with one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`, which Go takes for "leave the default".
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written; what it means depends on the field.
    Number(String),
    /// A string, its escapes resolved.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object),
}

/// A JSON object.
///
// INVARIANT: no two keys are one to the reader: of fields none fold alike, of entries none are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    keys: Keys,
    members: Vec<(String, Json)>,
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

impl Json {
    /// Reads a document. `keys` says what its outermost object is to the daemon: a struct for a request body, a map for a parameter such
    /// as the `labels` of a build.
    ///
    /// # Errors
    /// When it is not JSON, or when two readers could understand it differently.
    pub fn parse(bytes: &[u8], keys: Keys) -> Result<Self, JsonError> {
        Self::parse_as(bytes, Author::Client(keys), MAX_VALUES)
    }

    /// Reads what the engine describes an object with. It writes its fields in one spelling, and beside them maps that no request has, so
    /// every key is what it is: a container may be labelled `version` and `Version`. A network may have thousands of containers.
    ///
    /// # Errors
    /// As for [`Json::parse`].
    pub fn parse_answer(bytes: &[u8]) -> Result<Self, JsonError> {
        Self::parse_as(bytes, Author::Engine, bytes.len())
    }

    fn parse_as(bytes: &[u8], author: Author, most_values: usize) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| JsonError::NotUtf8 { at: error.valid_up_to() })?;
        if text.starts_with('\u{feff}') {
            return Err(JsonError::ByteOrderMark);
        }
        let mut reader = Reader { text, at: 0, depth: 0, values_left: most_values, author };
        reader.skip_space();
        if reader.peek().is_none() {
            return Err(JsonError::Empty);
        }
        let value = reader.value(author.keys())?;
        reader.skip_space();
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(JsonError::TrailingData { at: reader.at }),
        }
    }

    /// Prints it, without white space, in the order it was read.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
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
    /// The value the daemon finds under this name; `None` where there is none, or `null`.
    pub fn field(&self, name: &str) -> Option<&Json> {
        self.member(name).filter(|value| **value != Json::Null)
    }

    /// The same, `null` included.
    pub fn member(&self, name: &str) -> Option<&Json> {
        self.members.iter().find(|(key, _)| self.keys.agree(key, name)).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Json> {
        let keys = self.keys;
        self.members.iter_mut().find(|(key, _)| keys.agree(key, name)).map(|(_, value)| value)
    }

    /// Every member, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
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

const fn fold_char(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

/// The fields that are maps wherever the Engine API has them as objects (moby `api/types`), folded. Their keys are somebody's words and
/// not fields.
const MAPS: &[&str] = &[
    "annotations",
    "auxiliaryaddresses",
    "config",
    "driveropts",
    "endpointsconfig",
    "exposedports",
    "labels",
    "options",
    "portbindings",
    "segments",
    "storageopt",
    "sysctls",
    "tmpfs",
    "volumes",
];

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
    #[error("there is half of a surrogate pair at byte {at}; send whole characters")]
    LoneSurrogate { at: usize },
    #[error("it is nested more than {MAX_DEPTH} levels deep; send it flatter")]
    TooDeep,
    #[error("it holds more than {MAX_VALUES} values; send fewer")]
    TooManyValues,
}

/// Who wrote a document.
#[derive(Debug, Clone, Copy)]
enum Author {
    /// A client, for the daemon to read; the outermost object is this to it.
    Client(Keys),
    /// The daemon.
    Engine,
}

impl Author {
    const fn keys(self) -> Keys {
        match self {
            Self::Client(keys) => keys,
            Self::Engine => Keys::Entries,
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    author: Author,
    /// In bytes, always on a character boundary.
    at: usize,
    depth: usize,
    values_left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, keys: Keys) -> Result<Json, JsonError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(JsonError::TooManyValues)?;
        match self.peek() {
            Some(b'{') => self.nested(|reader| reader.object(keys)),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(|text| Json::String(text.into_owned())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            _ => Err(self.syntax("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        if !self.rest().starts_with(word) {
            return Err(self.syntax("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Json, JsonError>,
    ) -> Result<Json, JsonError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json, JsonError> {
        let mut values = Vec::new();
        if self.take(b']') {
            return Ok(Json::Array(values));
        }
        loop {
            let keys = self.inner(Keys::Entries, "");
            values.push(self.value(keys)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(values));
            }
            self.want(b',', "`,` or `]`")?;
            self.skip_space();
        }
    }

    fn object(&mut self, keys: Keys) -> Result<Json, JsonError> {
        let mut members: Vec<(String, Json)> = Vec::new();
        if self.take(b'}') {
            return Ok(Json::Object(Object { keys, members }));
        }
        let mut seen = Seen::default();
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.syntax("a key"));
            }
            let key = self.string()?;
            // So that only the case of ASCII is left to make no difference.
            let compared = match keys {
                Keys::Fields if !key.is_ascii() => Cow::Owned(fold(&key).into_owned()),
                Keys::Fields | Keys::Entries => key.clone(),
            };
            let inner = self.inner(keys, &compared);
            if !seen.insert(compared, keys) {
                return Err(JsonError::DuplicateKey { key: key.into_owned() });
            }
            self.skip_space();
            self.want(b':', "`:`")?;
            self.skip_space();
            let value = self.value(inner)?;
            members.push((key.into_owned(), value));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(Object { keys, members }));
            }
            self.want(b',', "`,` or `}`")?;
            self.skip_space();
        }
    }

    /// What an object is that stands under this key, of which only the case is not folded yet.
    fn inner(&self, keys: Keys, key: &str) -> Keys {
        let is_map = || MAPS.iter().any(|map| key.eq_ignore_ascii_case(map));
        match (self.author, keys) {
            (Author::Engine, _) => Keys::Entries,
            (Author::Client(_), Keys::Fields) if is_map() => Keys::Entries,
            // What stands in a map is a struct, whatever its key is called; a network may be named `labels`.
            (Author::Client(_), Keys::Fields | Keys::Entries) => Keys::Fields,
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let end = plain_length(rest);
            let (plain, behind) = rest.split_at(end);
            if text.is_empty() {
                text = Cow::Borrowed(plain);
            } else {
                text.to_mut().push_str(plain);
            }
            self.at += end;
            match behind.bytes().next() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    text.to_mut().push(c);
                }
                None => return Err(self.syntax("the end of a string")),
                Some(_) => return Err(self.syntax("no control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let begin = self.at;
        self.at += 1;
        let escaped = self.peek();
        self.at += 1;
        Ok(match escaped {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.code_unit(begin)?;
                let pair = if (0xd800..0xdc00).contains(&unit) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    vec![unit, self.code_unit(begin)?]
                } else {
                    vec![unit]
                };
                let mut decoded = char::decode_utf16(pair);
                match (decoded.next(), decoded.next()) {
                    (Some(Ok(c)), None) => c,
                    _ => return Err(JsonError::LoneSurrogate { at: begin }),
                }
            }
            _ => return Err(JsonError::Syntax { at: begin, wanted: "a known escape" }),
        })
    }

    fn code_unit(&mut self, begin: usize) -> Result<u16, JsonError> {
        let digits =
            self.rest().get(..4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or(JsonError::Syntax { at: begin, wanted: "`\\u` and four hexadecimal digits" })
    }

    /// RFC 8259 section 6.
    fn number(&mut self) -> Result<Json, JsonError> {
        let begin = self.at;
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(self.syntax("a digit"));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.syntax("a digit"));
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            if self.digits() == 0 {
                return Err(self.syntax("a digit"));
            }
        }
        let number = self.text.get(begin..self.at).unwrap_or_default();
        Ok(Json::Number(number.to_owned()))
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        count
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, byte: u8, wanted: &'static str) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.syntax(wanted)) }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    const fn syntax(&self, wanted: &'static str) -> JsonError {
        JsonError::Syntax { at: self.at, wanted }
    }
}

/// The keys of one object so far. Few are looked through, many are hashed.
#[derive(Default)]
struct Seen<'a> {
    few: Vec<Cow<'a, str>>,
    /// As every key that is the same to the object's reader is written.
    many: HashSet<String>,
}

impl<'a> Seen<'a> {
    /// As many as the largest object of the API has, but for maps.
    const FEW: usize = 64;

    /// Whether the key, of which only the case is not folded yet, is new.
    fn insert(&mut self, key: Cow<'a, str>, keys: Keys) -> bool {
        let hashed = |key: Cow<'a, str>| match keys {
            Keys::Fields => key.to_ascii_lowercase(),
            Keys::Entries => key.into_owned(),
        };
        if !self.many.is_empty() {
            return self.many.insert(hashed(key));
        }
        let is_new = match keys {
            Keys::Fields => !self.few.iter().any(|known| known.eq_ignore_ascii_case(&key)),
            Keys::Entries => !self.few.contains(&key),
        };
        self.few.push(key);
        if self.few.len() > Self::FEW {
            self.many.extend(self.few.drain(..).map(hashed));
        }
        is_new
    }
}

/// How much of a string can be taken as it stands. Looked at in blocks, which compilers turn into a few instructions each.
fn plain_length(text: &str) -> usize {
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

fn write_string(string: &str, text: &mut String) {
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
