//! Reads JSON as it comes, in pieces cut anywhere, and keeps of it what a [`Keep`] lists; what is not listed is passed over and never held,
//! however long it is.
//!
//! What is kept is JSON again, and small: it goes to a reader that wants a whole document. Everything is read by its structure, so a text
//! that looks like a field is a text.

mod state;

use std::fmt;
use std::sync::Arc;

use super::keep::{Keep, MOST_KEY_BYTES, MOST_LABEL_BYTES};
use super::value::{MAX_DEPTH, write_string};
use state::{Escape, Open, Part, State, is_number, is_word};

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    One,
    /// A list, each value of which is one to be kept; `null` is an empty one.
    Rows,
    /// One value a line, without end.
    Lines,
}

/// Says whether a label is wanted, by its key.
#[derive(Clone)]
pub struct Wanted(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl Wanted {
    /// Those for which this says so.
    pub fn new(wants: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(wants))
    }
}

impl Default for Wanted {
    /// None.
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wanted")
    }
}

/// What was kept of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// It, as JSON.
    pub text: &'a [u8],
    /// Whether there was more to keep than may be kept; some of it is missing then.
    pub is_cut: bool,
}

/// What was read is no JSON, or is not of the shape that was asked for. Nothing behind it is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not the JSON it should be")]
pub struct NotJson;

/// A reading under way.
#[derive(Debug)]
pub struct Skimmer {
    shape: Shape,
    keep: &'static Keep,
    wanted: Wanted,
    /// How much of one value may be kept, in bytes.
    most: usize,
    state: State,
    /// The lists and objects we are in.
    open: Vec<Open>,
    /// What is kept of the value that is being read.
    out: Vec<u8>,
    is_cut: bool,
    /// The key or the number that is being read, as it was written.
    word: Vec<u8>,
    /// How much of an over-long key is whole characters.
    whole: usize,
    is_long: bool,
    /// What is kept of the value that comes next.
    next: Option<&'static Keep>,
}

/// The longest number, in bytes.
const MOST_NUMBER_BYTES: usize = 512;

impl Skimmer {
    /// Reads this shape, and keeps this of each value, at most so many bytes.
    pub fn new(shape: Shape, keep: &'static Keep, wanted: Wanted, most: usize) -> Self {
        let next = (shape != Shape::Rows).then_some(keep);
        Self {
            shape,
            keep,
            wanted,
            most,
            state: State::Value { is_first: false },
            open: Vec::new(),
            out: Vec::new(),
            is_cut: false,
            word: Vec::new(),
            whole: 0,
            is_long: false,
            next,
        }
    }

    /// Reads on; each value that is complete is given to `take`.
    ///
    /// # Errors
    /// When it is no JSON, or not of the shape that was asked for.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Record<'_>),
    ) -> Result<(), NotJson> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::Text { part, escape } => {
                    bytes = self.text(bytes, part, escape, &mut take)?;
                    continue;
                }
                State::Word if is_word(byte) => {
                    if self.word.len() >= MOST_NUMBER_BYTES {
                        return Err(NotJson);
                    }
                    self.word.push(byte);
                    bytes = rest;
                    continue;
                }
                State::Word => {
                    self.end_word(&mut take)?;
                    continue;
                }
                _ => {}
            }
            bytes = rest;
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                if byte == b'\n' && self.shape == Shape::Lines {
                    self.end_line(&mut take)?;
                }
                continue;
            }
            self.structure(byte, &mut take)?;
        }
        Ok(())
    }

    /// The end of what comes.
    ///
    /// # Errors
    /// When something is missing.
    pub fn finish(&mut self, mut take: impl FnMut(Record<'_>)) -> Result<(), NotJson> {
        if self.state == State::Word {
            self.end_word(&mut take)?;
        }
        match self.state {
            State::Done => Ok(()),
            State::Value { .. } if self.shape == Shape::Lines && self.open.is_empty() => Ok(()),
            _ => Err(NotJson),
        }
    }

    /// A byte that stands between words and texts.
    fn structure(&mut self, byte: u8, take: &mut impl FnMut(Record<'_>)) -> Result<(), NotJson> {
        match (self.state, byte) {
            (State::Value { is_first: true }, b']') | (State::Key { is_first: true }, b'}') => {
                self.close(take)
            }
            (State::Value { .. }, b'{' | b'[') => {
                self.separate_element();
                self.enter(byte == b'{')
            }
            (State::Value { .. }, b'"') => {
                if self.shape == Shape::Rows && self.open.is_empty() {
                    return Err(NotJson);
                }
                self.separate_element();
                self.begin_text();
                Ok(())
            }
            (State::Value { .. }, byte) if is_word(byte) => {
                self.separate_element();
                self.word.clear();
                self.word.push(byte);
                self.state = State::Word;
                Ok(())
            }
            (State::Key { .. }, b'"') => {
                self.word.clear();
                (self.whole, self.is_long) = (0, false);
                self.state = State::Text { part: Part::Key, escape: Escape::None };
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value { is_first: false };
                Ok(())
            }
            (State::Behind, b',') => {
                let Some(open) = self.open.last() else { return Err(NotJson) };
                if open.is_object {
                    self.state = State::Key { is_first: false };
                } else {
                    self.begin_element();
                    self.state = State::Value { is_first: false };
                }
                Ok(())
            }
            (State::Behind, b'}' | b']')
                if self.open.last().is_some_and(|open| open.is_object == (byte == b'}')) =>
            {
                self.close(take)
            }
            _ => Err(NotJson),
        }
    }

    fn end_line(&mut self, take: &mut impl FnMut(Record<'_>)) -> Result<(), NotJson> {
        match self.state {
            State::LineEnd => {
                self.give(take);
                self.state = State::Value { is_first: false };
                Ok(())
            }
            State::Value { .. } if self.open.is_empty() => Ok(()),
            _ => Err(NotJson),
        }
    }

    /// Whether values of the list we are in are what is given out, one by one.
    fn is_at_rows(&self) -> bool {
        self.shape == Shape::Rows && self.open.len() == 1
    }

    fn enter(&mut self, is_object: bool) -> Result<(), NotJson> {
        if self.open.len() >= MAX_DEPTH {
            return Err(NotJson);
        }
        let is_list_of_rows = self.shape == Shape::Rows && self.open.is_empty();
        if is_list_of_rows && is_object {
            return Err(NotJson);
        }
        let keep = self.next.filter(|keep| match keep {
            Keep::Whole | Keep::Each(_) => true,
            Keep::Fields(_) | Keep::Names | Keep::Labels => is_object,
            Keep::Text(_) => false,
        });
        match (self.next, keep) {
            (Some(_), Some(_)) => self.out.push(if is_object { b'{' } else { b'[' }),
            // Something else than what should be there.
            (Some(_), None) => self.out.extend_from_slice(b"false"),
            (None, _) => {}
        }
        self.open.push(Open { is_object, keep, holds: false });
        self.state = if is_object {
            State::Key { is_first: true }
        } else {
            self.begin_element();
            State::Value { is_first: true }
        };
        Ok(())
    }

    /// In front of a value in a list: what is kept of it.
    fn begin_element(&mut self) {
        if self.is_at_rows() {
            self.next = Some(self.keep);
            return;
        }
        self.next = self.open.last().and_then(|open| open.keep).and_then(|keep| match keep {
            Keep::Whole => Some(keep),
            Keep::Each(inner) => Some(*inner),
            _ => None,
        });
        if self.next.is_some() && !self.has_room(self.most / 2) {
            self.next = None;
        }
    }

    /// Puts a comma in front of a value in a list that is kept.
    fn separate_element(&mut self) {
        let is_in_list = self.open.last().is_some_and(|open| !open.is_object);
        if is_in_list && self.next.is_some() && !self.is_at_rows() {
            self.separate();
        }
    }

    /// Puts a comma where one belongs, once it is sure that something follows.
    fn separate(&mut self) {
        if let Some(open) = self.open.last_mut() {
            if open.holds {
                self.out.push(b',');
            }
            open.holds = true;
        }
    }

    /// Whether there is room for more, once so much is kept. What there may be many of gets half of the room, so that the fields behind it
    /// are kept all the same.
    fn has_room(&mut self, most: usize) -> bool {
        let has_room = self.out.len() < most;
        self.is_cut |= !has_room;
        has_room
    }

    fn close(&mut self, take: &mut impl FnMut(Record<'_>)) -> Result<(), NotJson> {
        let Some(open) = self.open.pop() else { return Err(NotJson) };
        if open.keep.is_some() {
            self.out.push(if open.is_object { b'}' } else { b']' });
        }
        self.behind_value(take);
        Ok(())
    }

    fn behind_value(&mut self, take: &mut impl FnMut(Record<'_>)) {
        self.next = None;
        self.state = State::Behind;
        if self.is_at_rows() {
            self.give(take);
        } else if self.open.is_empty() {
            match self.shape {
                Shape::One => self.give(take),
                Shape::Rows => self.out.clear(),
                Shape::Lines => {}
            }
            self.state = if self.shape == Shape::Lines { State::LineEnd } else { State::Done };
        }
    }

    fn give(&mut self, take: &mut impl FnMut(Record<'_>)) {
        take(Record { text: &self.out, is_cut: self.is_cut });
        self.out.clear();
        // One large row must not leave its room behind.
        self.out.shrink_to(KEPT_ROOM_BYTES);
        self.is_cut = false;
        self.next = (self.shape == Shape::Lines).then_some(self.keep);
    }

    fn begin_text(&mut self) {
        let part = match self.next {
            None => Part::Skipped,
            Some(keep) => {
                let from = self.out.len();
                self.out.push(b'"');
                let most = match keep {
                    Keep::Whole => usize::MAX,
                    Keep::Text(most) => *most,
                    // Something else than what should be there.
                    Keep::Fields(_) | Keep::Each(_) | Keep::Names => 0,
                    Keep::Labels => MOST_LABEL_BYTES,
                };
                Part::Kept { from, most, is_label: matches!(keep, Keep::Labels) }
            }
        };
        self.state = State::Text { part, escape: Escape::None };
    }

    /// Reads on in a text; gives back what stands behind what was read of it.
    fn text<'b>(
        &mut self,
        bytes: &'b [u8],
        mut part: Part,
        escape: Escape,
        take: &mut impl FnMut(Record<'_>),
    ) -> Result<&'b [u8], NotJson> {
        let (count, next) = match (escape, bytes.first()) {
            (Escape::None, _) => {
                let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                let plain = bytes.get(..end).unwrap_or_default();
                // All of it is looked at, which compilers turn into a few instructions.
                let is_control = |byte: &u8| *byte < b' ';
                if plain.iter().fold(false, |found, byte| found | is_control(byte)) {
                    return Err(NotJson);
                }
                part = self.keep_text(plain, part, true);
                match bytes.get(end) {
                    None => (end, Escape::None),
                    Some(b'"') => {
                        self.end_text(part, take)?;
                        return Ok(bytes.get(end + 1..).unwrap_or_default());
                    }
                    Some(_) => (end + 1, Escape::Begun),
                }
            }
            (Escape::Begun, Some(b'u')) => (1, Escape::Digits(4)),
            (Escape::Begun, Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => {
                (1, Escape::None)
            }
            (Escape::Digits(left), Some(byte)) if byte.is_ascii_hexdigit() => {
                (1, if left > 1 { Escape::Digits(left - 1) } else { Escape::None })
            }
            _ => return Err(NotJson),
        };
        // What is not plain, one byte at a time.
        let special = match escape {
            Escape::None if next == Escape::Begun => &b"\\"[..],
            Escape::None => &[],
            Escape::Begun | Escape::Digits(_) => bytes.get(..1).unwrap_or_default(),
        };
        part = self.keep_text(special, part, false);
        self.state = State::Text { part, escape: next };
        Ok(bytes.get(count..).unwrap_or_default())
    }

    /// Takes over a piece of a text; says what the rest of it is.
    fn keep_text(&mut self, piece: &[u8], part: Part, is_plain: bool) -> Part {
        match part {
            Part::Skipped => part,
            Part::Key => {
                let room = MOST_KEY_BYTES - self.word.len().min(MOST_KEY_BYTES);
                if is_plain && !self.is_long {
                    self.whole = self.word.len() + piece.len().min(room);
                }
                self.is_long |= piece.len() > room;
                self.word.extend_from_slice(piece.get(..room).unwrap_or(piece));
                part
            }
            Part::Kept { from, most, is_label } => {
                let length = self.out.len() - from - 1 + piece.len();
                if length <= most && self.out.len() + piece.len() <= self.most {
                    self.out.extend_from_slice(piece);
                    return part;
                }
                self.is_cut |= length <= most;
                self.out.truncate(from);
                self.out.extend_from_slice(if is_label { b"null" } else { b"\"\"" });
                Part::Skipped
            }
        }
    }

    fn end_text(&mut self, part: Part, take: &mut impl FnMut(Record<'_>)) -> Result<(), NotJson> {
        match part {
            Part::Key => {
                self.end_key()?;
                self.state = State::Colon;
            }
            Part::Kept { .. } => {
                self.out.push(b'"');
                self.behind_value(take);
            }
            Part::Skipped => self.behind_value(take),
        }
        Ok(())
    }

    /// Behind a key: what is kept of its value.
    fn end_key(&mut self) -> Result<(), NotJson> {
        self.next = None;
        let Some(keep) = self.open.last().and_then(|open| open.keep) else { return Ok(()) };
        let key = self.key()?;
        let next = match keep {
            Keep::Fields(fields) => {
                fields.iter().find(|(listed, _)| *listed == key).map(|(_, keep)| keep)
            }
            Keep::Whole | Keep::Names => Some(keep),
            Keep::Each(inner) => Some(*inner),
            Keep::Labels => (self.wanted.0)(&key).then_some(keep),
            Keep::Text(_) => None,
        };
        let room = if matches!(keep, Keep::Fields(_)) { self.most } else { self.most / 2 };
        if next.is_none() || !self.has_room(room) {
            return Ok(());
        }
        // A key of which only the beginning is known.
        if self.is_long && matches!(keep, Keep::Whole | Keep::Each(_)) {
            self.is_cut = true;
            return Ok(());
        }
        self.separate();
        let mut text = String::with_capacity(key.len() + 3);
        write_string(&key, &mut text);
        text.push(':');
        self.out.extend_from_slice(text.as_bytes());
        match keep {
            Keep::Names => self.out.extend_from_slice(b"true"),
            Keep::Labels if self.is_long => self.out.extend_from_slice(b"null"),
            _ => self.next = next,
        }
        Ok(())
    }

    /// The key that was read, or the beginning of an over-long one.
    fn key(&self) -> Result<String, NotJson> {
        let word = if self.is_long { self.word.get(..self.whole) } else { self.word.get(..) };
        let word = word.unwrap_or_default();
        if !word.contains(&b'\\') {
            return match std::str::from_utf8(word) {
                Ok(key) => Ok(key.to_owned()),
                Err(error) if self.is_long && error.error_len().is_none() => {
                    let whole = word.get(..error.valid_up_to()).unwrap_or_default();
                    Ok(String::from_utf8_lossy(whole).into_owned())
                }
                Err(_) => Err(NotJson),
            };
        }
        let quoted = [b"\"", word, b"\""].concat();
        match serde_json::from_slice(&quoted) {
            Ok(key) => Ok(key),
            // Cut in the middle of a character.
            Err(_) if self.is_long => Ok(String::new()),
            Err(_) => Err(NotJson),
        }
    }

    fn end_word(&mut self, take: &mut impl FnMut(Record<'_>)) -> Result<(), NotJson> {
        let is_literal = matches!(self.word.as_slice(), b"true" | b"false" | b"null");
        if !is_literal && !is_number(&self.word) {
            return Err(NotJson);
        }
        let is_list_of_rows = self.shape == Shape::Rows && self.open.is_empty();
        if is_list_of_rows && self.word != b"null" {
            return Err(NotJson);
        }
        if self.next.is_some() {
            self.out.extend_from_slice(&self.word);
        }
        self.behind_value(take);
        Ok(())
    }
}

/// How much room is kept for the next value.
const KEPT_ROOM_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
