//! From bytes to a [`Json`]: RFC 8259, with one reading or none.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::value::{
    Json, JsonError, Keys, MAX_DEPTH, Number, Object, fold, fold_char, plain_length,
};

/// Reads a document whole.
///
/// # Errors
/// When it is not JSON, or when two readers could understand it differently.
pub(super) fn read(bytes: &[u8], author: Author, most_values: usize) -> Result<Json, JsonError> {
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

/// The fields that are maps wherever the Engine API has them as objects (moby `api/types`), folded. Their keys are somebody's words and
/// not fields.
pub(super) const MAPS: &[&str] = &[
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

/// Who wrote a document.
#[derive(Debug, Clone, Copy)]
pub(super) enum Author {
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
                // Many short lists would otherwise take many times what is in them.
                values.shrink_to_fit();
                return Ok(Json::Array(values));
            }
            self.want(b',', "`,` or `]`")?;
            self.skip_space();
        }
    }

    fn object(&mut self, keys: Keys) -> Result<Json, JsonError> {
        let mut members: Vec<(String, Json)> = Vec::new();
        if self.take(b'}') {
            return Ok(object(keys, members));
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
                let twice = if seen.are_many() { twice(&members, keys) } else { None };
                return match twice {
                    Some(key) => Err(JsonError::DuplicateKey { key }),
                    None => Ok(object(keys, members)),
                };
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
                self.low_half(unit).unwrap_or_else(|| {
                    // Half of a pair is U+FFFD to Go (`encoding/json`, `unquoteBytes`), and what follows stands for itself.
                    char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER)
                })
            }
            _ => return Err(JsonError::Syntax { at: begin, wanted: "a known escape" }),
        })
    }

    /// The character of a surrogate pair, where the second half follows the first; takes nothing where it does not.
    fn low_half(&mut self, high: u16) -> Option<char> {
        let digits = self.rest().strip_prefix("\\u")?.get(..4)?;
        let low = u16::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal(digits))?;
        let c =
            (0xd800..0xdc00).contains(&high).then(|| char::decode_utf16([high, low]).next())??;
        let c = c.ok()?;
        self.at += 6;
        Some(c)
    }

    fn code_unit(&mut self, begin: usize) -> Result<u16, JsonError> {
        let digits = self.rest().get(..4).filter(|text| is_hexadecimal(text));
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
        Ok(Json::Number(Number::new(number)))
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

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn object(keys: Keys, members: Vec<(String, Json)>) -> Json {
    Json::Object(Object { keys, kept: None, members: members.into() })
}

/// The keys of one object so far, while they are few enough to be looked through.
#[derive(Default)]
pub(super) struct Seen<'a> {
    few: Vec<Cow<'a, str>>,
    are_many: bool,
}

impl<'a> Seen<'a> {
    /// As many as the largest object of the API has, but for maps.
    pub(super) const FEW: usize = 64;

    /// Whether the key, of which only the case is not folded yet, is new; of many keys that is found out at the end.
    fn insert(&mut self, key: Cow<'a, str>, keys: Keys) -> bool {
        if self.are_many {
            return true;
        }
        let is_new = match keys {
            Keys::Fields => !self.few.iter().any(|known| known.eq_ignore_ascii_case(&key)),
            Keys::Entries => !self.few.contains(&key),
        };
        self.few.push(key);
        if self.few.len() > Self::FEW {
            *self = Self { few: Vec::new(), are_many: true };
        }
        is_new
    }

    const fn are_many(&self) -> bool {
        self.are_many
    }
}

/// The first key that is one with a key before it. Sorted by place, so that no key is copied.
fn twice(members: &[(String, Json)], keys: Keys) -> Option<String> {
    let key = |place: &usize| members.get(*place).map_or("", |(key, _)| key.as_str());
    let compare = |one: &usize, other: &usize| -> Ordering {
        let (one, other) = (key(one), key(other));
        match keys {
            Keys::Fields => one.chars().map(fold_char).cmp(other.chars().map(fold_char)),
            Keys::Entries => one.cmp(other),
        }
    };
    let mut places: Vec<usize> = (0..members.len()).collect();
    places.sort_unstable_by(|one, other| compare(one, other).then(one.cmp(other)));
    let pairs = places.windows(2).filter_map(|pair| match pair {
        [one, other] if compare(one, other).is_eq() => Some(*other),
        _ => None,
    });
    pairs.min().map(|place| key(&place).to_owned())
}
