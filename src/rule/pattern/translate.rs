//! Rewrites Go's regular expression syntax for the `regex` crate.
//!
//! The two dialects share most of their grammar and differ where it hurts: the same text can be
//! refused by one, or mean something else. So nothing of the user's text is passed on. The pattern
//! is read with the rules of Go's `regexp/syntax/parse.go` (flags `syntax.Perl`, as
//! `regexp.Compile` uses them), and what is written out is a small subset of Rust's syntax in which
//! every atom stands alone and no flag is left to context.
//!
//! Two things are left out because they cannot change *whether* a whole path matches: group names,
//! and greediness.

use super::cursor::Cursor;
use super::unicode_class::unicode_class;
use crate::text::escaped;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Groups inside groups, at most. Go allows a tree of height 1000; nobody needs it, and the
/// compiler recurses.
const MAX_DEPTH: usize = 100;

/// What one counted repetition may ask for, alone or multiplied with those around it (Go's
/// `repeatIsValid`).
const MAX_COPIES: u32 = 1000;

/// What folding the case of classes and looking up Unicode properties may cost, in code points.
///
/// The engine folds a range code point by code point and limits only what comes out of it, so that
/// `(?i)[\x{0}-\x{10FFFF}]` a few hundred times in a row would take seconds. This allows one such
/// range, or 64 properties: about 15 ms.
const MAX_CLASS_WORK: u32 = 2 << 20;

/// What one `\p{..}` costs in the same unit, measured with `(?i)\pL`.
const PROPERTY_WORK: u32 = 32 << 10;

/// A Go pattern in the syntax of the `regex` crate.
#[derive(Debug)]
pub(super) struct Translation {
    /// Balanced, without captures, and independent of flags set around it.
    pub(super) regex: String,
    /// Whether a `|` stands outside of all groups.
    pub(super) has_top_level_alternation: bool,
    /// Where the counted repetition stands that makes the most copies; the start if there is none.
    pub(super) most_copies_at: usize,
}

/// What is wrong, where, and what to do about it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset_bytes: usize,
    pub(super) problem: Cow<'static, str>,
    pub(super) remedy: Cow<'static, str>,
}

/// Reads `pattern` as Go does and writes it as Rust wants it.
///
/// # Errors
///
/// When Go would refuse the pattern, and in the few cases where Go accepts what we cannot express
/// or nobody means: surrogate escapes such as `\x{D800}`, a repetition of a repetition with only
/// flags between, more than [`MAX_DEPTH`] nested groups, more than [`MAX_COPIES`] copies hidden
/// under a `{0}`, and a few names for `\p{..}`.
pub(super) fn translate(pattern: &str) -> Result<Translation, Fault> {
    let mut translator = Translator {
        cursor: Cursor::new(pattern),
        regex: String::with_capacity(pattern.len() * 2),
        open: Vec::new(),
        flags: Flags::default(),
        last: Last::Nothing,
        copies: 1,
        most_copies: (1, 0),
        has_top_level_alternation: false,
        class_work: 0,
    };
    while translator.item()? {}
    if let Some(group) = translator.open.last() {
        return Err(fault(
            group.at,
            "missing closing `)`",
            r"add it or write `\(` for a literal parenthesis",
        ));
    }
    Ok(Translation {
        regex: translator.regex,
        has_top_level_alternation: translator.has_top_level_alternation,
        most_copies_at: translator.most_copies.1,
    })
}

/// The state of Go's `parse`, less the tree.
struct Translator<'p> {
    cursor: Cursor<'p>,
    regex: String,
    /// The groups we are in, outermost first.
    open: Vec<OpenGroup>,
    flags: Flags,
    last: Last,
    /// The largest product of nested counts in the group we are in.
    copies: u32,
    /// The largest such product anywhere, and the offset of the repetition that made it.
    most_copies: (u32, usize),
    has_top_level_alternation: bool,
    /// Of [`MAX_CLASS_WORK`], what is used up.
    class_work: u32,
}

/// A `(` that still waits for its `)`, and what to go back to then.
struct OpenGroup {
    at: usize,
    flags: Flags,
    copies: u32,
}

/// What `(?flags)` can set. `U`, which swaps greedy and lazy, is read and forgotten.
#[derive(Clone, Copy, Default)]
struct Flags {
    /// `i`
    fold_case: bool,
    /// `m`: `^` and `$` match at lines. Go keeps the opposite as `OneLine`.
    multi_line: bool,
    /// `s`
    dot_newline: bool,
}

/// What a repetition would repeat.
#[derive(Clone, Copy)]
enum Last {
    /// The start of the pattern, of a group or of an alternative.
    Nothing,
    /// One character, class, assertion or group, with the largest product of nested counts in it.
    Atom { copies: u32 },
    /// Something that is repeated already.
    Repetition,
}

impl Translator<'_> {
    /// Reads the next item, or says that there is none.
    fn item(&mut self) -> Result<bool, Fault> {
        let at = self.cursor.offset_bytes();
        if let Some((min, max)) = self.cursor.eat_counts() {
            self.counted(at, min, max)?;
            return Ok(true);
        }
        if self.cursor.rest.starts_with('\\') {
            self.escape(at)?;
            return Ok(true);
        }
        let Some(c) = self.cursor.bump() else { return Ok(false) };
        match c {
            '(' if self.cursor.eat("?") => self.special_group(at)?,
            '(' => self.open_group(at, self.flags)?,
            ')' => self.close_group(at)?,
            '|' => {
                self.has_top_level_alternation |= self.open.is_empty();
                self.regex.push('|');
                self.last = Last::Nothing;
            }
            '^' => self.atom(if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
            '$' => self.atom(if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
            '.' => self.atom(if self.flags.dot_newline { "(?s:.)" } else { r"[^\n]" }),
            '*' | '+' | '?' => {
                let copies = self.repeatable(at)?;
                self.repeat(c.encode_utf8(&mut [0; 4]), copies);
            }
            '[' => self.class(at)?,
            // `{` too, when it starts no repetition
            _ => self.literal(c),
        }
        Ok(true)
    }

    /// Writes something that a repetition can follow.
    fn atom(&mut self, regex: &str) {
        self.regex.push_str(regex);
        self.last = Last::Atom { copies: 1 };
    }

    fn literal(&mut self, c: char) {
        // every character outside of ASCII may have another case; Rust knows
        let fold = self.flags.fold_case && (c.is_ascii_alphabetic() || !c.is_ascii());
        if fold {
            self.regex.push_str("(?i:");
        }
        push_char(&mut self.regex, c);
        self.atom(if fold { ")" } else { "" });
    }

    fn open_group(&mut self, at: usize, inside: Flags) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            let problem = format!("more than {MAX_DEPTH} groups are nested here");
            return Err(fault(at, problem, "write the pattern with fewer parentheses"));
        }
        self.open.push(OpenGroup { at, flags: self.flags, copies: self.copies });
        self.regex.push_str("(?:");
        self.flags = inside;
        self.copies = 1;
        self.last = Last::Nothing;
        Ok(())
    }

    fn close_group(&mut self, at: usize) -> Result<(), Fault> {
        let Some(group) = self.open.pop() else {
            return Err(fault(
                at,
                "`)` closes nothing",
                r"remove it or write `\)` for a literal parenthesis",
            ));
        };
        self.regex.push(')');
        self.last = Last::Atom { copies: self.copies };
        self.flags = group.flags;
        self.copies = self.copies.max(group.copies);
        Ok(())
    }

    /// Reads on after `(?`: a named group, a group with flags, or flags alone (Go's
    /// `parsePerlFlags`).
    fn special_group(&mut self, at: usize) -> Result<(), Fault> {
        for look_around in ["=", "!", "<=", "<!"] {
            if self.cursor.eat(look_around) {
                return Err(fault(
                    at,
                    format!("look-around `(?{look_around}` is not supported"),
                    "write what the path may be instead of what surrounds it",
                ));
            }
        }
        if self.cursor.eat("<") || self.cursor.eat("P<") {
            let name = self.cursor.eat_through(">").unwrap_or_default();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(fault(
                    at,
                    "a group name is letters, digits and `_`, closed by `>`",
                    "correct the name, or leave it out: it has no effect here",
                ));
            }
            return self.open_group(at, self.flags);
        }
        let mut flags = self.flags;
        let mut value = true;
        let mut needs_flag = false;
        loop {
            let flag_at = self.cursor.offset_bytes();
            let flag = self.cursor.bump();
            match flag {
                Some('i') => flags.fold_case = value,
                Some('m') => flags.multi_line = value,
                Some('s') => flags.dot_newline = value,
                Some('U') => {}
                Some('-') if value => {
                    value = false;
                    needs_flag = true;
                    continue;
                }
                Some(':') if !needs_flag => return self.open_group(at, flags),
                Some(')') if !needs_flag => {
                    // no atom: `a(?i)*` repeats the `a`
                    self.flags = flags;
                    return Ok(());
                }
                Some('-' | ':' | ')') => {
                    return Err(fault(
                        flag_at,
                        "a flag must follow `-`",
                        "name the flags to clear, as in `(?-i)`",
                    ));
                }
                Some(c) => {
                    let problem =
                        format!("`{}` is not a flag", escaped(c.encode_utf8(&mut [0; 4])));
                    return Err(fault(
                        flag_at,
                        problem,
                        "use i, m, s or U, as in `(?i)`, or `(?:` for a plain group",
                    ));
                }
                None => {
                    return Err(fault(
                        at,
                        "`(?` has no end",
                        r"close it, or write `\(\?` for the two characters",
                    ));
                }
            }
            needs_flag = false;
        }
    }

    /// What there is to repeat, as the largest product of nested counts in it.
    fn repeatable(&mut self, at: usize) -> Result<u32, Fault> {
        match self.last {
            Last::Atom { copies } => {
                // `a*?` matches the same paths as `a*`
                self.cursor.eat("?");
                Ok(copies)
            }
            Last::Nothing => Err(fault(
                at,
                "there is nothing to repeat here",
                r"put `.` before it to mean any character, or `\` to mean the character itself",
            )),
            Last::Repetition => Err(fault(
                at,
                "this repeats a repetition",
                r"keep one, or put `\` before the second to mean the character itself",
            )),
        }
    }

    fn repeat(&mut self, operator: &str, copies: u32) {
        self.regex.push_str(operator);
        self.copies = self.copies.max(copies);
        self.last = Last::Repetition;
    }

    /// Writes `{min}`, `{min,}` or `{min,max}`, of which the text is read already.
    fn counted(&mut self, at: usize, min: u32, max: Option<u32>) -> Result<(), Fault> {
        let inner = self.repeatable(at)?;
        let outer = max.unwrap_or(min);
        if min > outer {
            return Err(fault(
                at,
                format!("the range {{{min},{outer}}} runs backwards"),
                "put the smaller number first",
            ));
        }
        let copies = inner.saturating_mul(outer.max(1));
        if outer > MAX_COPIES || outer > 1 && copies > MAX_COPIES {
            return Err(fault(
                at,
                format!("this asks for more than {MAX_COPIES} copies"),
                "use a smaller number (nested ones multiply), or `*` or `+` for any number",
            ));
        }
        if copies > self.most_copies.0 {
            self.most_copies = (copies, at);
        }
        let operator = match max {
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        };
        self.repeat(&operator, copies);
        Ok(())
    }

    /// Reads what begins with a `\`, outside of a class.
    fn escape(&mut self, at: usize) -> Result<(), Fault> {
        // ASCII word boundaries, as RE2 has them
        for (go, rust) in
            [(r"\A", r"\A"), (r"\z", r"\z"), (r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)")]
        {
            if self.cursor.eat(go) {
                self.atom(rust);
                return Ok(());
            }
        }
        if self.cursor.eat(r"\Q") {
            // the end may be missing
            let text = match self.cursor.eat_through(r"\E") {
                Some(text) => text,
                None => std::mem::take(&mut self.cursor.rest),
            };
            text.chars().for_each(|c| self.literal(c));
            return Ok(());
        }
        let Some(items) = self.class_escape(at)? else {
            self.cursor.bump();
            let c = self.char_escape(at)?;
            self.literal(c);
            return Ok(());
        };
        self.push_class(&format!("[{items}]"));
        Ok(())
    }

    /// Writes a class; Rust folds case as Go does: first each item, then the negation.
    fn push_class(&mut self, class: &str) {
        if self.flags.fold_case {
            self.regex.push_str("(?i:");
            self.regex.push_str(class);
            self.atom(")");
        } else {
            self.atom(class);
        }
    }

    /// Reads `\d`, `\pL` and the like: what to write between brackets.
    fn class_escape(&mut self, at: usize) -> Result<Option<Cow<'static, str>>, Fault> {
        // ASCII only, and `\s` without `\v` (`perl_groups.go`)
        const PERL_CLASSES: [(&str, &str); 6] = [
            (r"\d", "0-9"),
            (r"\D", "[^0-9]"),
            (r"\s", r"\t\n\f\r\x20"),
            (r"\S", r"[^\t\n\f\r\x20]"),
            (r"\w", "0-9A-Za-z_"),
            (r"\W", "[^0-9A-Za-z_]"),
        ];
        for (go, rust) in PERL_CLASSES {
            if self.cursor.eat(go) {
                return Ok(Some(rust.into()));
            }
        }
        let negated = self.cursor.eat(r"\P");
        if !negated && !self.cursor.eat(r"\p") {
            return Ok(None);
        }
        let name = if self.cursor.eat("{") {
            self.cursor.eat_through("}")
        } else {
            self.cursor.eat_char()
        };
        let Some(name) = name else {
            return Err(fault(at, r"`\p` has no end", r"write it as `\pL` or `\p{Greek}`"));
        };
        let (negated, name) =
            name.strip_prefix('^').map_or((negated, name), |name| (!negated, name));
        let Some(class) = unicode_class(name) else {
            return Err(fault(
                at,
                "there is no Unicode category or script of this name",
                r"use `\p{L}`, `\p{Greek}` or the like, or name the characters, as in `[a-z]`",
            ));
        };
        self.spend(at, PROPERTY_WORK)?;
        let escape = if negated { r"\P" } else { r"\p" };
        Ok(Some(format!("{escape}{{{class}}}").into()))
    }

    /// Counts work that the engine will have with a class.
    fn spend(&mut self, at: usize, work: u32) -> Result<(), Fault> {
        self.class_work = self.class_work.saturating_add(work);
        if self.class_work > MAX_CLASS_WORK {
            return Err(fault(
                at,
                "up to here the character classes are too large together",
                r"name fewer characters, as in `[A-Za-z]` or `[^/]`, or leave out `(?i)`",
            ));
        }
        Ok(())
    }

    /// Reads `[..]` after the `[` (Go's `parseClass`).
    fn class(&mut self, at: usize) -> Result<(), Fault> {
        let mut class = String::from("[");
        if self.cursor.eat("^") {
            class.push('^');
        }
        // `]` is a plain character where it comes first
        let mut first = true;
        loop {
            if !first && self.cursor.eat("]") {
                break;
            }
            first = false;
            let item_at = self.cursor.offset_bytes();
            if let Some(name) = self.cursor.eat_class_name() {
                if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(fault(
                        item_at,
                        "there is no character class of this name between `[:` and `:]`",
                        r"use one such as `[:alnum:]`, or write `\[` for a literal bracket",
                    ));
                }
                // writing to a String cannot fail
                let _ = write!(class, "[:{name}:]");
                continue;
            }
            if let Some(items) = self.class_escape(item_at)? {
                class.push_str(&items);
                continue;
            }
            let low = self.class_char(at)?;
            push_char(&mut class, low);
            if self.cursor.eat_range_hyphen() {
                let high = self.class_char(at)?;
                if high < low {
                    return Err(fault(
                        item_at,
                        "this range runs backwards",
                        r"swap its ends, or write `\-` for a literal hyphen",
                    ));
                }
                if self.flags.fold_case {
                    self.spend(item_at, u32::from(high) - u32::from(low))?;
                }
                class.push('-');
                push_char(&mut class, high);
            }
        }
        class.push(']');
        self.push_class(&class);
        Ok(())
    }

    /// Reads one character of a class that was opened at `class_at`.
    fn class_char(&mut self, class_at: usize) -> Result<char, Fault> {
        let at = self.cursor.offset_bytes();
        match self.cursor.bump() {
            Some('\\') => self.char_escape(at),
            Some(c) => Ok(c),
            None => Err(fault(
                class_at,
                "missing closing `]`",
                r"add it or write `\[` for a literal bracket",
            )),
        }
    }

    /// Reads on after a `\` that stands for one character (Go's `parseEscape`).
    fn char_escape(&mut self, at: usize) -> Result<char, Fault> {
        let Some(c) = self.cursor.bump() else {
            return Err(fault(
                at,
                r"a `\` at the end escapes nothing",
                r"remove it or write `\\` for a literal one",
            ));
        };
        let code = match c {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => self.cursor.eat_hexadecimal().ok_or_else(|| {
                fault(
                    at,
                    r"`\x` needs two hexadecimal digits, or some in braces",
                    r"write it as `\x2F` or `\x{2F}`",
                )
            })?,
            '0'..='7' => self.cursor.eat_octal(c).ok_or_else(|| {
                fault(
                    at,
                    "back-references are not supported",
                    r"write the group again, or a code as in `\x01`",
                )
            })?,
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => {
                let remedy = match c {
                    'Z' => Cow::Borrowed(r"write `\z` for the end"),
                    'u' | 'U' => Cow::Borrowed(r"write `\x{..}` for a code point"),
                    // not every character should be repeated to the reader
                    c if c.is_ascii_alphanumeric() => {
                        Cow::Owned(format!("write `{c}` for the character itself"))
                    }
                    _ => Cow::Borrowed("write the character without the backslash"),
                };
                return Err(fault(at, "this is not an escape sequence", remedy));
            }
            // escaped punctuation is itself; in Rust `\<` and `\>` would be word boundaries
            c => return Ok(c),
        };
        // Go accepts a surrogate here, for which no valid path has a character
        char::from_u32(code).ok_or_else(|| {
            fault(at, "there is no character with this code", "write the one you mean")
        })
    }
}

/// The names Go knows between `[:` and `:]` (`perl_groups.go`). Rust has the same, of the same
/// meaning.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Writes `c` so that it means itself, in a class or out of it.
fn push_char(regex: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || c == '/' || c == '_' {
        regex.push(c);
    } else {
        // writing to a String cannot fail
        let _ = write!(regex, "\\x{{{:X}}}", u32::from(c));
    }
}

pub(super) fn fault(
    at: usize,
    problem: impl Into<Cow<'static, str>>,
    remedy: impl Into<Cow<'static, str>>,
) -> Fault {
    Fault { offset_bytes: at, problem: problem.into(), remedy: remedy.into() }
}
