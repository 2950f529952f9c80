//! Patterns of words: `*` for anything, `?` for one character, and nothing else that is special.

use std::fmt;

/// A pattern for a whole text. `*` and `?` match any character, `/` and `:` too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Glob(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// This character.
    One(char),
    /// Any one character.
    Any,
    /// Any text, the empty one too.
    Many,
}

impl Glob {
    /// Adds a character that stands for itself.
    pub(super) fn push_literal(&mut self, c: char) {
        self.0.push(Part::One(c));
    }

    /// Adds a character, which is special if it is `*` or `?`.
    pub(super) fn push(&mut self, c: char) {
        match c {
            // Two of them say no more than one, and take longer.
            '*' if self.0.last() == Some(&Part::Many) => {}
            '*' => self.0.push(Part::Many),
            '?' => self.0.push(Part::Any),
            c => self.0.push(Part::One(c)),
        }
    }

    /// A pattern that only this text matches.
    pub fn exactly(text: &str) -> Self {
        Self(text.chars().map(Part::One).collect())
    }

    /// `*`
    pub(super) fn anything() -> Self {
        Self(vec![Part::Many])
    }

    /// Whether it is `*`.
    pub fn is_anything(&self) -> bool {
        self.0 == [Part::Many]
    }

    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one text that it matches; `None` if there are more.
    pub fn text(&self) -> Option<String> {
        let one = |part: &Part| match part {
            Part::One(c) => Some(*c),
            Part::Any | Part::Many => None,
        };
        self.0.iter().map(one).collect()
    }

    /// What stands before and behind the first of these characters, if it is written out.
    pub(super) fn cut_at(&self, c: char) -> Option<(Self, Self)> {
        self.cut(self.0.iter().position(|part| *part == Part::One(c))?)
    }

    /// The same for the last.
    pub(super) fn cut_at_last(&self, c: char) -> Option<(Self, Self)> {
        self.cut(self.0.iter().rposition(|part| *part == Part::One(c))?)
    }

    fn cut(&self, at: usize) -> Option<(Self, Self)> {
        let (before, behind) = self.0.split_at_checked(at)?;
        Some((Self(before.to_vec()), Self(behind.get(1..)?.to_vec())))
    }

    /// Whether this character is written out in it.
    pub(super) fn holds(&self, c: char) -> bool {
        self.0.contains(&Part::One(c))
    }

    /// Whether it begins with `*` or `?`.
    pub(super) fn begins_freely(&self) -> bool {
        matches!(self.0.first(), Some(Part::Any | Part::Many))
    }

    /// This, and then the other.
    pub(super) fn followed_by(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// Whether it matches the whole text. It takes at most the product of both lengths.
    pub fn is_match(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut part) = (0, 0);
        // The last `*`, and how far it reaches.
        let mut star: Option<(usize, usize)> = None;
        while let Some(c) = text.get(at) {
            match self.0.get(part) {
                Some(Part::Many) => {
                    star = Some((part, at));
                    part += 1;
                }
                Some(Part::Any) => (at, part) = (at + 1, part + 1),
                Some(Part::One(own)) if own == c => (at, part) = (at + 1, part + 1),
                _ => {
                    let Some((many, reach)) = star else { return false };
                    star = Some((many, reach + 1));
                    (at, part) = (reach + 1, many + 1);
                }
            }
        }
        self.0.iter().skip(part).all(|part| *part == Part::Many)
    }
}

impl fmt::Display for Glob {
    /// As one writes it, quoted if it has to be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let needs_quotes = |part: &Part| match part {
            Part::One(c) => !(c.is_alphanumeric() || "-_./:@+%".contains(*c)),
            Part::Any | Part::Many => false,
        };
        let quoted = self.0.is_empty() || self.0.iter().any(needs_quotes);
        if quoted {
            f.write_char('"')?;
        }
        for part in &self.0 {
            match part {
                Part::One(c @ ('*' | '?' | '"' | '\\')) => write!(f, "\\{c}")?,
                Part::One(c) => f.write_char(*c)?,
                Part::Any => f.write_char('?')?,
                Part::Many => f.write_char('*')?,
            }
        }
        if quoted { f.write_char('"') } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        let mut glob = Glob::default();
        text.chars().for_each(|c| glob.push(c));
        glob
    }

    #[track_caller]
    fn check(pattern: &str, text: &str, want: bool) {
        assert_eq!(glob(pattern).is_match(text), want, "{pattern} {text}");
    }

    #[test]
    fn a_glob_matches_the_whole_text() {
        for (pattern, text) in [
            ("web", "web"),
            ("web-*", "web-"),
            ("web-*", "web-1/2:3"),
            ("*", ""),
            ("**", "x"),
            ("?", "é"),
            ("a*b*c", "a1b2bc"),
            ("*b", "abb"),
            ("", ""),
        ] {
            check(pattern, text, true);
        }
        for (pattern, text) in [
            ("web", "web2"),
            ("web", "aweb"),
            ("web-*", "web"),
            ("?", ""),
            ("?", "ab"),
            ("a*b", "abc"),
            ("", "x"),
            ("WEB", "web"),
        ] {
            check(pattern, text, false);
        }
    }

    #[test]
    fn a_hostile_glob_ends() {
        let many = "a*".repeat(200) + "b";
        assert!(!glob(&many).is_match(&"a".repeat(2000)));
    }

    #[test]
    fn what_is_literal_is_not_special() {
        assert!(Glob::exactly("*").is_match("*") && !Glob::exactly("*").is_match("x"));
        assert_eq!(Glob::exactly("a*b").to_string(), r#""a\*b""#);
        assert_eq!(glob("web-*").to_string(), "web-*");
        assert_eq!(glob("a b,c").to_string(), r#""a b,c""#);
        assert_eq!(glob("web").text().as_deref(), Some("web"));
        assert_eq!(glob("w?b").text(), None);
    }
}
