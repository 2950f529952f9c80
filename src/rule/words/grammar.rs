//! How words are written: `read, exec(name=web-*, cmd=pg_dump *), dozzle@1`.
//!
//! Only `*` and `?` are special in a value. There is no `!`, `&`, `|`, `[` or `{`: each of them means something in a YAML value or to a
//! shell, and breaks there in silence.

use super::glob::Glob;
use super::mistake::{WordMistake, short};

/// The longest text that is read, in bytes.
const MOST_BYTES: usize = 32 * 1024;

/// One grant as it is written: a name, and what stands in its parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// The name of a word, as it was typed.
    pub(super) name: String,
    /// What stands behind an `@`.
    pub(super) revision: Option<String>,
    /// What stands in parentheses; `None` without any.
    pub(super) arguments: Option<Vec<Argument>>,
    /// All of it, shortened for messages.
    pub(super) text: String,
}

/// One of the arguments of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Argument {
    /// `key=value`
    Key { key: String, value: Value },
    /// `kind:value` or `kind:key=value`, with `not` in front or without.
    Item { is_not: bool, kind: String, name: Value, value: Option<Value> },
    /// A name alone.
    Flag(String),
}

/// A value: patterns with unquoted blanks between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Value(pub(super) Vec<Glob>);

/// One character, and whether it may be special.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It stands outside quotes and may separate.
    Bare(char),
    /// It stands in quotes: `*` and `?` are special, and nothing else is.
    Quoted(char),
    /// It stands for itself.
    Literal(char),
}

impl Mark {
    const fn is_bare(self, wanted: char) -> bool {
        matches!(self, Self::Bare(c) if c == wanted)
    }

    const fn is_blank(self) -> bool {
        matches!(self, Self::Bare(' ' | '\t' | '\n' | '\r'))
    }

    const fn char(self) -> char {
        match self {
            Self::Bare(c) | Self::Quoted(c) | Self::Literal(c) => c,
        }
    }
}

/// Cuts a text into grants; what is wrong with one does not hide what is wrong with the next.
pub(super) fn grants(text: &str) -> Vec<Result<Written, WordMistake>> {
    items(text, grant)
}

/// Cuts a list of values, which have no parentheses.
pub(super) fn values(text: &str) -> Vec<Result<(Value, String), WordMistake>> {
    items(text, |marks| {
        let shown = plain(marks);
        Ok((value(marks, &shown)?, short(&shown)))
    })
}

fn items<T>(
    text: &str,
    read: impl Fn(&[Mark]) -> Result<T, WordMistake>,
) -> Vec<Result<T, WordMistake>> {
    if text.len() > MOST_BYTES {
        return vec![Err(WordMistake::TooLong)];
    }
    if text.trim().is_empty() {
        return vec![Err(WordMistake::Empty)];
    }
    let marks = match marks(text) {
        Ok(marks) => marks,
        Err(mistake) => return vec![Err(mistake)],
    };
    let one = |item: &[Mark]| {
        if item.is_empty() { Err(WordMistake::EmptyItem) } else { read(item) }
    };
    cut(&marks).into_iter().map(one).collect()
}

/// Cuts at commas and newlines outside parentheses. A newline beside another separator separates nothing; what two commas have between them
/// is empty.
fn cut(marks: &[Mark]) -> Vec<&[Mark]> {
    let lines = |item| {
        let lines = split(item, '\n').into_iter().map(trim).filter(|line| !line.is_empty());
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() { vec![&[] as &[Mark]] } else { lines }
    };
    split(marks, ',').into_iter().flat_map(lines).collect()
}

/// Reads quotes and backslashes.
fn marks(text: &str) -> Result<Vec<Mark>, WordMistake> {
    let mut marks = Vec::new();
    let mut chars = text.chars();
    let mut quoted_from = None;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted_from.is_some() => quoted_from = None,
            '"' => quoted_from = Some(marks.len()),
            '\\' => match chars.next() {
                Some(next @ ('*' | '?' | '"' | '\\')) => marks.push(Mark::Literal(next)),
                _ => return Err(WordMistake::Backslash { item: short(text) }),
            },
            c if quoted_from.is_some() => marks.push(Mark::Quoted(c)),
            c => marks.push(Mark::Bare(c)),
        }
    }
    match quoted_from {
        None => Ok(marks),
        Some(_) => Err(WordMistake::OpenQuote { item: short(text) }),
    }
}

fn split(marks: &[Mark], separator: char) -> Vec<&[Mark]> {
    let mut parts = Vec::new();
    let (mut from, mut depth) = (0, 0_usize);
    for (at, mark) in marks.iter().enumerate() {
        match mark {
            Mark::Bare('(') => depth += 1,
            Mark::Bare(')') => depth = depth.saturating_sub(1),
            mark if depth == 0 && mark.is_bare(separator) => {
                parts.push(marks.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(marks.get(from..).unwrap_or_default());
    parts
}

fn trim(marks: &[Mark]) -> &[Mark] {
    let begin = marks.iter().position(|mark| !mark.is_blank()).unwrap_or(marks.len());
    let end = marks.iter().rposition(|mark| !mark.is_blank()).map_or(begin, |at| at + 1);
    marks.get(begin..end).unwrap_or_default()
}

fn plain(marks: &[Mark]) -> String {
    marks.iter().map(|mark| mark.char()).collect()
}

fn grant(marks: &[Mark]) -> Result<Written, WordMistake> {
    let text = plain(marks);
    let open = marks.iter().position(|mark| mark.is_bare('('));
    let (head, arguments) = match open {
        None => (marks, None),
        Some(open) => {
            let (head, rest) = marks.split_at_checked(open).unwrap_or((marks, &[]));
            let rest = rest.get(1..).unwrap_or_default();
            let Some(close) = rest.iter().position(|mark| mark.is_bare(')')) else {
                return Err(WordMistake::OpenParenthesis { item: short(&text) });
            };
            if !trim(rest.get(close + 1..).unwrap_or_default()).is_empty() {
                return Err(WordMistake::Behind { item: short(&text) });
            }
            (head, Some(arguments_in(rest.get(..close).unwrap_or_default(), &text)?))
        }
    };
    let head = trim(head);
    let (name, revision) = match head.iter().position(|mark| mark.is_bare('@')) {
        None => (head, None),
        Some(at) => {
            let (name, revision) = head.split_at_checked(at).unwrap_or((head, &[]));
            (name, Some(plain(revision.get(1..).unwrap_or_default())))
        }
    };
    if head.iter().any(|mark| mark.is_blank()) {
        return Err(WordMistake::Behind { item: short(&text) });
    }
    if let Some(found) = unexpected(head) {
        return Err(WordMistake::symbol(&text, found));
    }
    Ok(Written { name: plain(name), revision, arguments, text: short(&text) })
}

/// A symbol that has no place outside quotes. Those of image names are passed on, so that the message can say what was meant.
fn unexpected(marks: &[Mark]) -> Option<char> {
    let fits = |c: char| c.is_alphanumeric() || "-_./:@*?+%~#^<>".contains(c);
    marks.iter().find_map(|mark| match mark {
        Mark::Bare(c) if !fits(*c) && !c.is_whitespace() => Some(*c),
        _ => None,
    })
}

fn arguments_in(marks: &[Mark], text: &str) -> Result<Vec<Argument>, WordMistake> {
    let argument = |marks: &[Mark]| {
        if marks.is_empty() {
            return Err(WordMistake::EmptyItem);
        }
        if marks.iter().any(|mark| mark.is_bare('(')) {
            return Err(WordMistake::symbol(text, '('));
        }
        let (is_not, marks) = match marks {
            [Mark::Bare('n'), Mark::Bare('o'), Mark::Bare('t'), blank, rest @ ..]
                if blank.is_blank() =>
            {
                (true, trim(rest))
            }
            marks => (false, marks),
        };
        let equals = marks.iter().position(|mark| mark.is_bare('='));
        let colon = marks.iter().position(|mark| mark.is_bare(':'));
        let name = |end: usize| plain(trim(marks.get(..end).unwrap_or_default()));
        let behind = |at: usize| marks.get(at + 1..).unwrap_or_default();
        match (colon, equals) {
            (Some(colon), equals) if equals.is_none_or(|equals| colon < equals) => {
                let (kind, rest) = (name(colon), behind(colon));
                let (named, like) = match equals {
                    Some(equals) => (
                        marks.get(colon + 1..equals).unwrap_or_default(),
                        Some(value(behind(equals), text)?),
                    ),
                    None => (rest, None),
                };
                Ok(Argument::Item { is_not, kind, name: value(named, text)?, value: like })
            }
            (_, Some(equals)) if !is_not => {
                Ok(Argument::Key { key: name(equals), value: value(behind(equals), text)? })
            }
            _ if is_not => Err(WordMistake::Behind { item: short(text) }),
            _ => match unexpected(marks) {
                Some(found) => Err(WordMistake::symbol(text, found)),
                None => Ok(Argument::Flag(plain(marks))),
            },
        }
    };
    cut(marks).into_iter().map(argument).collect()
}

fn value(marks: &[Mark], text: &str) -> Result<Value, WordMistake> {
    let mut globs: Vec<Glob> = Vec::new();
    let mut is_between = true;
    for mark in trim(marks) {
        if mark.is_blank() {
            is_between = true;
            continue;
        }
        if std::mem::take(&mut is_between) {
            globs.push(Glob::default());
        }
        let Some(glob) = globs.last_mut() else { continue };
        match mark {
            Mark::Bare(c) if unexpected(&[*mark]).is_some() && *c != '=' => {
                return Err(WordMistake::symbol(text, *c));
            }
            Mark::Bare(c) | Mark::Quoted(c) => glob.push(*c),
            Mark::Literal(c) => glob.push_literal(*c),
        }
    }
    Ok(Value(globs))
}

/// All values, or all mistakes.
pub(super) fn collected<T>(
    read: impl Iterator<Item = Result<T, WordMistake>>,
) -> Result<Vec<T>, Vec<WordMistake>> {
    let (mut values, mut mistakes) = (Vec::new(), Vec::new());
    for one in read {
        match one {
            Ok(value) => values.push(value),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(values) } else { Err(mistakes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(written: &Written) -> String {
        use std::fmt::Write as _;
        let mut shown = written.name.clone();
        if let Some(revision) = &written.revision {
            let _ = write!(shown, "@{revision}");
        }
        let value =
            |value: &Value| value.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        for argument in written.arguments.iter().flatten() {
            let _ = match argument {
                Argument::Key { key, value: text } => write!(shown, " [{key}={}]", value(text)),
                Argument::Item { is_not, kind, name, value: text } => {
                    let text =
                        text.as_ref().map_or_else(String::new, |it| format!("={}", value(it)));
                    let not = if *is_not { "not " } else { "" };
                    write!(shown, " [{not}{kind}:{}{text}]", value(name))
                }
                Argument::Flag(flag) => write!(shown, " [{flag}]"),
            };
        }
        shown
    }

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let found: Vec<String> =
            grants(text).iter().map(|it| shown(it.as_ref().unwrap())).collect();
        assert_eq!(found, want, "{text}");
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        check("read", &["read"]);
        check(" read ,\n logs\n", &["read", "logs"]);
        check("read\n\nlogs", &["read", "logs"]);
        check("dozzle@1, my/word", &["dozzle@1", "my/word"]);
        check(
            "exec(name=web-*, cmd=pg_dump \"my db\" *)",
            &[r#"exec [name=web-*] [cmd=pg_dump "my db" *]"#],
        );
        check("lifecycle(label:autoheal=true)", &["lifecycle [label:autoheal=true]"]);
        check(
            "logs( not label:a.b/c , project:web\n service:web/db )",
            &["logs [not label:a.b/c] [project:web] [service:web/db]"],
        );
        check("logs(name=a,\n name=b\n)", &["logs [name=a] [name=b]"]);
        check("learn(logs)", &["learn [logs]"]);
        check(r#"exec(cmd=sh -c "a, b) = *\*")"#, &[r#"exec [cmd=sh -c "a, b) = *\*"]"#]);
        check("images(image=docker.io/library/*:1.2)", &["images [image=docker.io/library/*:1.2]"]);
    }

    #[track_caller]
    fn mistake(text: &str, want: &str) {
        let found: Vec<String> =
            grants(text).into_iter().filter_map(Result::err).map(|it| it.to_string()).collect();
        assert!(found.iter().any(|it| it.contains(want)), "{text}: {found:?}");
    }

    #[test]
    fn what_is_no_word_is_a_mistake() {
        mistake("", "is empty");
        mistake(" \n ", "is empty");
        mistake("a,,b", "between two separators");
        mistake("a,", "between two separators");
        mistake("exec(name=x", "does not close it");
        mistake("exec(name=x, cmd=a", "quote it in YAML");
        mistake("exec(name=x) logs", "put a comma");
        mistake("read logs", "put a comma");
        mistake("exec()", "between two separators");
        mistake("exec(name=\"x)", "quotation mark");
        mistake("exec(name=a\\d)", "`\\`");
        mistake("!read", "write `not`");
        mistake("read|logs", "put a comma");
        mistake("read & logs", "put a comma");
        mistake("{read}", "leave it out");
        mistake("${RIGHTS}", "variable was not replaced");
        mistake("exec(name=${X})", "variable was not replaced");
        mistake("'read'", "double quotes");
        mistake("exec(name=[a-z])", "leave it out");
        mistake("exec(a(b))", "goes on behind its end");
        mistake(&"a,".repeat(40_000), "longer than can be read");
    }

    #[test]
    fn one_mistake_does_not_hide_the_next() {
        let found = grants("!a, read, exec(, b c");
        assert_eq!(found.iter().filter(|it| it.is_err()).count(), 2, "{found:?}");
    }
}
