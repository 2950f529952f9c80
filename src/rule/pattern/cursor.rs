//! Reads the small units of Go's syntax: counts, codes, names.
//!
//! Each `eat_` takes what it names from the front of the pattern, or takes nothing and says so.

/// The pattern from where we are.
pub(super) struct Cursor<'p> {
    pub(super) rest: &'p str,
    total_bytes: usize,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(pattern: &'p str) -> Self {
        Self { rest: pattern, total_bytes: pattern.len() }
    }

    pub(super) fn offset_bytes(&self) -> usize {
        self.total_bytes - self.rest.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    pub(super) fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes one character as text.
    pub(super) fn eat_char(&mut self) -> Option<&'p str> {
        let (c, rest) = self.rest.split_at_checked(self.peek()?.len_utf8())?;
        self.rest = rest;
        Some(c)
    }

    /// Takes everything before `end`, and `end` itself, which is not returned.
    pub(super) fn eat_through(&mut self, end: &str) -> Option<&'p str> {
        let (text, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(text)
    }

    /// Takes `{n}`, `{n,}` or `{n,m}`. Anything else, such as `{,2}`, `{ 1}` or `{01}`, is text
    /// (Go's `parseRepeat`).
    pub(super) fn eat_counts(&mut self) -> Option<(u32, Option<u32>)> {
        let (counts, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        let (min, max) = match counts.split_once(',') {
            Some((min, "")) => (count(min)?, None),
            Some((min, max)) => (count(min)?, Some(count(max)?)),
            None => (count(counts)?, Some(count(counts)?)),
        };
        self.rest = rest;
        Some((min, max))
    }

    /// Takes `[:name:]`. As in Go, the end is looked for in the whole pattern, and without one
    /// there is no name.
    pub(super) fn eat_class_name(&mut self) -> Option<&'p str> {
        let (name, rest) = self.rest.strip_prefix("[:")?.split_once(":]")?;
        self.rest = rest;
        Some(name)
    }

    /// Takes a `-` that has a character after it, which makes it a range.
    pub(super) fn eat_range_hyphen(&mut self) -> bool {
        let range =
            self.rest.strip_prefix('-').filter(|end| !end.is_empty() && !end.starts_with(']'));
        range.is_some_and(|end| {
            self.rest = end;
            true
        })
    }

    /// Takes what may follow `\x`: two digits, or any number in braces.
    pub(super) fn eat_hexadecimal(&mut self) -> Option<u32> {
        let (digits, rest) = match self.rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => self.rest.split_at_checked(2)?,
        };
        // `from_str_radix` would allow a sign
        if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.rest = rest;
        Some(code)
    }

    /// Takes the rest of an octal code of at most three digits. A single digit is a code only if it
    /// is `0`.
    pub(super) fn eat_octal(&mut self, first: char) -> Option<u32> {
        let mut code = first.to_digit(8)?;
        let mut digits = 1;
        while digits < 3
            && let Some(digit) = self.peek().and_then(|c| c.to_digit(8))
        {
            self.bump();
            code = code * 8 + digit;
            digits += 1;
        }
        (first == '0' || digits > 1).then_some(code)
    }
}

/// A count as Go's `parseInt` reads it: digits without a leading zero. Too large a number is still
/// a number.
fn count(digits: &str) -> Option<u32> {
    let plain =
        digits.chars().all(|c| c.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    (plain && !digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
}
