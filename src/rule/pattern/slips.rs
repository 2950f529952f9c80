//! Patterns that are valid and cannot do what their author meant: doubled backslashes, a missing `/`, a query, a glob.
//!
//! Whether a pattern can match any path is decided from what was compiled. A slip that leaves it some paths is found in its text.

use std::collections::HashMap;

use regex::Regex;

use super::AnchoredRegex;

/// Classes of one pattern that are tried; further ones count as matching something.
const MAX_CLASSES: usize = 64;

impl AnchoredRegex {
    /// What is wrong with a pattern that allows nothing, or less or more than it seems to: a clause that says what to write instead.
    pub fn slip(&self) -> Option<String> {
        let compiled = self.regex.as_str();
        let inner = compiled.strip_prefix(r"\A(?:").and_then(|rest| rest.strip_suffix(r")\z"));
        let reach = Reach::of(inner.unwrap_or(compiled));
        let why = why(&self.source).or_else(|| {
            let words = "every path begins with `/`, has no control character, no `\\`, and nothing behind its end";
            match reach {
                Reach::Everywhere => None,
                Reach::NoSlash => Some("every path begins with `/`".to_owned()),
                Reach::Nowhere | Reach::InPart => Some(words.to_owned()),
            }
        })?;
        Some(match reach {
            Reach::NoSlash | Reach::Nowhere => format!("matches nothing, because {why}"),
            Reach::InPart => format!("matches less than it seems to, because {why}"),
            Reach::Everywhere => format!("does not mean what it seems to: {why}"),
        })
    }
}

/// A known slip, by the text of the pattern.
fn why(pattern: &str) -> Option<String> {
    let text = pattern.trim_start_matches('^');
    let ends_blank = pattern.trim_end_matches('$').ends_with(char::is_whitespace);
    if pattern.starts_with(char::is_whitespace)
        || ends_blank
        || pattern.contains(['\n', '\r', '\t'])
    {
        return Some("a blank or a line break is part of it; take it away (in YAML use `>-`, not `>` or `|`)".to_owned());
    }
    if text.starts_with(['"', '\'', '`']) {
        return Some("the quotes around it are part of it; take them away".to_owned());
    }
    if has_escaped_backslash(pattern) {
        return Some(r"its backslashes are doubled, as JSON, YAML and logs show them; write `[.]` for a dot and `[0-9]` for a digit, which are the same everywhere".to_owned());
    }
    if text.contains("://") {
        return Some("it holds an address; a pattern is for the path alone".to_owned());
    }
    if let Some((method, _)) = text.split_once(" /")
        && crate::request::Method::parse(method).is_some()
    {
        return Some("the method is no part of it; begin with `/`".to_owned());
    }
    let bare = outside_classes(pattern);
    if is_query(&bare, pattern) {
        return Some("a query is no part of the path; leave out `?` and what follows".to_owned());
    }
    if let Some(place) = placeholder(&bare) {
        return Some(format!("`{place}` is no placeholder; write `[^/]+` for a name or an id"));
    }
    if is_glob(&bare) {
        return Some("`/*` is any number of slashes; write `/[^/]+` for one name, or `/.*` for everything below".to_owned());
    }
    if lists_paths(&bare) {
        return Some("the comma is part of it; write `|` between two paths".to_owned());
    }
    if has_encoding(pattern) {
        return Some(
            "paths are matched decoded; write the character in place of its percent-encoding"
                .to_owned(),
        );
    }
    if bare.contains("//") && !bare.contains("//*") && !bare.contains("//?") {
        return Some("no path holds `//`".to_owned());
    }
    let end = bare.trim_end_matches('$');
    let is_open = |rest: &str| rest.ends_with(|c: char| c.is_alphanumeric() || "_.+*-".contains(c));
    if end.strip_suffix('/').is_some_and(is_open) {
        return Some("no path ends with `/`; leave it out".to_owned());
    }
    None
}

/// Whether a `\\` stands for a backslash, which no path has.
fn has_escaped_backslash(pattern: &str) -> bool {
    let mut rest = pattern;
    while let Some((_, behind)) = rest.split_once('\\') {
        if behind.starts_with('\\') {
            return true;
        }
        let mut behind = behind.chars();
        behind.next();
        rest = behind.as_str();
    }
    false
}

/// The pattern with every class written as `.`, and every escape as `\` and `x`, so that what is left means itself.
fn outside_classes(pattern: &str) -> String {
    let mut bare = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let takes_name = matches!(characters.next(), Some('p' | 'P' | 'x'));
                if takes_name && characters.as_str().starts_with('{') {
                    characters.by_ref().find(|c| *c == '}');
                }
                bare.push_str("\\x");
            }
            '[' => {
                // `]` is a plain character where it comes first, also behind `^`.
                let mut first = true;
                while let Some(c) = characters.next() {
                    match c {
                        '^' if first => continue,
                        '\\' => {
                            characters.next();
                        }
                        ']' if !first => break,
                        _ => {}
                    }
                    first = false;
                }
                bare.push('.');
            }
            _ => bare.push(c),
        }
    }
    bare
}

/// A `?` that is meant to begin a query: `?all=1`, `[?].*`, `json?.*`.
fn is_query(bare: &str, pattern: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins_query = |behind: &str| {
        let value = behind.trim_start_matches(is_name);
        value.len() < behind.len() && value.starts_with('=')
    };
    let mut before = None;
    for (at, c) in bare.char_indices() {
        let behind = bare.get(at + 1..).unwrap_or_default();
        let is_optional_letter = before.is_some_and(|c: char| c.is_ascii_alphabetic());
        if c == '?' && (begins_query(behind) || is_optional_letter && behind.starts_with(".*")) {
            return true;
        }
        before = Some(c);
    }
    has_escape(pattern, '?') || pattern.contains("[?]")
}

fn has_escape(pattern: &str, wanted: char) -> bool {
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if c == '\\' && characters.next() == Some(wanted) {
            return true;
        }
    }
    false
}

/// `{id}`, `:id` or `<id>`, as documentation writes paths.
fn placeholder(bare: &str) -> Option<&str> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    let marked = |segment: &&str| {
        let inside = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        segment.strip_prefix(':').or(inside).is_some_and(is_name)
    };
    let mut segments = bare.trim_end_matches('$').split('/').skip(1);
    if let Some(segment) = segments.find(marked) {
        return Some(segment);
    }
    let mut rest = bare;
    while let Some((_, behind)) = rest.split_once('{') {
        let (name, _) = behind.split_once('}')?;
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let at = bare.len() - behind.len() - 1;
            return bare.get(at..at + name.len() + 2);
        }
        rest = behind;
    }
    None
}

fn is_glob(bare: &str) -> bool {
    bare.match_indices("/*").any(|(at, found)| {
        let behind = bare.get(at + found.len()..).unwrap_or_default();
        behind.is_empty() || behind.starts_with(['/', '|', ')', '$'])
    })
}

/// Several paths as other options take several values.
fn lists_paths(bare: &str) -> bool {
    bare.split(',')
        .skip(1)
        .any(|behind| behind.trim_start().trim_start_matches('^').starts_with('/'))
}

fn has_encoding(pattern: &str) -> bool {
    pattern.split('%').skip(1).any(|behind| {
        behind.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// How much of a pattern can match a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// All of it, as far as can be said.
    Everywhere,
    /// Not every side of a `|` that stands outside of all groups.
    InPart,
    /// Nothing: whatever it matches begins with something else than a slash.
    NoSlash,
    /// Nothing.
    Nowhere,
}

/// What a part of a pattern can match of paths.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Whether there is a text of characters that paths have, the empty one included.
    possible: bool,
    empty: bool,
    /// Whether a text of it can begin with a slash.
    slash: bool,
}

/// One group while it is read.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// The sides of the `|` so far.
    sides: Option<Part>,
    /// The side that is being read, without its last part.
    side: Part,
    last: Option<Part>,
    /// Behind `\z` nothing can come.
    is_over: bool,
    dead_sides: bool,
}

impl Group {
    const EMPTY: Part = Part { possible: true, empty: true, slash: false };

    fn new() -> Self {
        Self { sides: None, side: Self::EMPTY, last: None, is_over: false, dead_sides: false }
    }

    fn add(&mut self, part: Part) {
        self.settle();
        self.last = Some(part);
    }

    /// Puts the last part behind the others.
    fn settle(&mut self) {
        let Some(part) = self.last.take() else { return };
        let side = &mut self.side;
        side.possible &= part.possible && (part.empty || !self.is_over);
        side.slash |= side.empty && part.slash;
        side.empty &= part.empty;
    }

    fn end_side(&mut self) {
        self.settle();
        let side = std::mem::replace(&mut self.side, Self::EMPTY);
        self.is_over = false;
        let side =
            if side.possible { side } else { Part { possible: false, empty: false, slash: false } };
        self.dead_sides |= !side.slash;
        self.sides = Some(self.sides.map_or(side, |sides| Part {
            possible: sides.possible | side.possible,
            empty: sides.empty | side.empty,
            slash: sides.slash | side.slash,
        }));
    }

    fn whole(mut self) -> (Part, bool) {
        self.end_side();
        (self.sides.unwrap_or(Self::EMPTY), self.dead_sides)
    }
}

impl Reach {
    /// Reads what `translate` wrote: its syntax is small, and no flag is left to context.
    fn of(translated: &str) -> Self {
        let mut classes = HashMap::new();
        let mut outer = Vec::new();
        let mut group = Group::new();
        let mut rest = translated;
        while let Some(c) = rest.chars().next() {
            let assertions = [r"\A", "(?m:^)", "(?m:$)", r"(?-u:\b)", r"(?-u:\B)"];
            if let Some(behind) = assertions.iter().find_map(|it| rest.strip_prefix(it)) {
                group.add(Group::EMPTY);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix(r"\z") {
                group.add(Group::EMPTY);
                group.settle();
                // What may stand there or not says nothing.
                group.is_over = !behind.starts_with(['*', '?', '{']);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix("(?s:.)") {
                group.add(Part { possible: true, empty: false, slash: true });
                rest = behind;
            } else if let Some(behind) = ["(?:", "(?i:"].iter().find_map(|it| rest.strip_prefix(it))
            {
                outer.push(std::mem::replace(&mut group, Group::new()));
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix(r"\x{") {
                let (digits, behind) = behind.split_once('}').unwrap_or((behind, ""));
                let literal = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                group.add(literal.map_or(Group::EMPTY, character));
                rest = behind;
            } else if c == '[' {
                let length = class_bytes(rest);
                let (class, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
                let full = classes.len() >= MAX_CLASSES;
                let part = match classes.get(class) {
                    Some(part) => *part,
                    None if full => Part { possible: true, empty: false, slash: true },
                    None => *classes.entry(class).or_insert_with(|| any_of(class)),
                };
                group.add(part);
                rest = behind;
            } else {
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                match c {
                    ')' => {
                        let Some(before) = outer.pop() else { return Self::Everywhere };
                        let (part, _) = std::mem::replace(&mut group, before).whole();
                        group.add(part);
                    }
                    '|' => group.end_side(),
                    '*' | '?' => group.repeat(false),
                    '{' => {
                        let (counts, behind) = rest.split_once('}').unwrap_or((rest, ""));
                        let least = counts.split(',').next().unwrap_or_default();
                        if counts == "0,0" {
                            group.last = Some(Group::EMPTY);
                        } else {
                            group.repeat(!least.trim_start_matches('0').is_empty());
                        }
                        rest = behind;
                    }
                    '+' => {}
                    _ => group.add(character(c)),
                }
            }
        }
        let (whole, dead_sides) = group.whole();
        match whole {
            Part { possible: false, .. } => Self::Nowhere,
            Part { slash: false, .. } => Self::NoSlash,
            _ if dead_sides => Self::InPart,
            _ => Self::Everywhere,
        }
    }
}

impl Group {
    /// The last part may be repeated; `needed` if it must be there once.
    fn repeat(&mut self, needed: bool) {
        let Some(part) = self.last.as_mut().filter(|_| !needed) else { return };
        *part = Part { possible: true, empty: true, slash: part.possible && part.slash };
    }
}

/// What one character can match of a path.
fn character(c: char) -> Part {
    Part { possible: !c.is_control() && c != '\\', empty: false, slash: c == '/' }
}

/// What a class can match of a path, tried character by character.
fn any_of(class: &str) -> Part {
    let any = Part { possible: true, empty: false, slash: true };
    let Ok(class) = Regex::new(&format!(r"\A(?:{class})\z")) else { return any };
    let matches = |c: char| class.is_match(c.encode_utf8(&mut [0; 4]));
    // Of what is beyond ASCII a sample says enough: a class that has only what the sample lacks counts as possible.
    let beyond = class.as_str().contains(r"\p")
        || class.as_str().contains(r"\P")
        || !class.as_str().is_ascii();
    let far = |text: &str| {
        text.split(r"\x{")
            .skip(1)
            .any(|code| code.split('}').next().is_some_and(|code| code.len() > 2))
    };
    let possible = beyond
        || far(class.as_str())
        || (' '..='~').filter(|c| *c != '\\').any(matches)
        || matches('\u{e9}');
    Part { possible, empty: false, slash: matches('/') }
}

/// The length of the class that a text begins with. Brackets inside are classes themselves; literal ones are written as codes.
fn class_bytes(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth <= 1 => return at + 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn slip(pattern: &str) -> Option<String> {
        AnchoredRegex::new(pattern).unwrap().slip()
    }

    #[track_caller]
    fn check(pattern: &str, want: &[&str]) {
        let text = slip(pattern).unwrap_or_else(|| panic!("{pattern} has no slip"));
        for part in want {
            assert!(text.contains(part), "`{part}` is not in `{text}` for {pattern}");
        }
    }

    #[test]
    fn known_slips_are_named() {
        let nothing = "matches nothing";
        check(r"/v1\\.\\d+/info", &[nothing, "doubled", "[.]", "[0-9]"]);
        // The optional group hides the fault: without a version the path matches.
        check(r"(/v1\\.\\d+)?/info", &["does not mean", "doubled"]);
        check("version", &[nothing, "begins with `/`"]);
        check("^containers/json$", &[nothing, "begins with `/`"]);
        check("\"/version\"", &[nothing, "quotes"]);
        check("'/version'", &[nothing, "quotes"]);
        check("/version\n", &[nothing, "line break"]);
        check("/version ", &["blank"]);
        check(" /version", &[nothing, "blank"]);
        check("GET /version", &[nothing, "method"]);
        check("http://proxy:2375/version", &[nothing, "address"]);
        check("/containers/json?all=1", &["query"]);
        check(r"/containers/json\?.*", &["query"]);
        check("/containers/json[?]all=1", &["query"]);
        check("/containers/json?.*", &["query"]);
        check(r"/containers/json(\?.*)?", &["query"]);
        check("/containers/*", &["`/*`", "`/.*`"]);
        check("/containers/*/json", &["`/*`"]);
        check("(/v1[.][0-9]+)?/containers/*", &["`/*`"]);
        check("/containers/{id}/json", &["`{id}`", "[^/]+"]);
        check("/containers/:id/json", &["`:id`", "[^/]+"]);
        check("/containers/<name>", &["`<name>`", "[^/]+"]);
        check("/version,/info", &["comma", "`|`"]);
        check("/version, ^/info$", &["comma"]);
        check("/networks/", &["ends with `/`"]);
        check("/images/a%2fb/json", &["decoded"]);
        check("/containers//json", &["`//`"]);
        check("/containers/json/", &["ends with `/`"]);
        check("/x${SUFFIX}", &[nothing]);
        check("/x$y", &[nothing]);
        check("/version|info", &["less than it seems", "begins with `/`"]);
        check("info|version", &[nothing]);
        check("/a|/b\\n", &["less than it seems"]);
        check("v+/version", &[nothing]);
        check("[a-z]+/json", &[nothing]);
        check("(v1|containers)/json", &[nothing]);
        check(r"\x0a?x", &[nothing]);
        check("é", &[nothing]);
        check("(?i)VERSION", &[nothing]);
        check("/a[\\n]b", &[nothing]);
        check("/a{1,3}[\\\\]b", &["doubled"]);
    }

    #[test]
    fn patterns_that_are_in_use_have_no_slip() {
        for fine in [
            "/version",
            "^/version$",
            "/",
            ".*",
            "/.*",
            ".+",
            "v?/version",
            "v*/version",
            "v{0}/x",
            "(/v1)?/x",
            "(/v1[.][0-9]+)?/containers/[^/]+/json",
            r"(/v1\.\d+)?/(version|events|containers/json|containers/[^/]+/json)",
            r"/v1\..{1,2}/(version|containers/.*|events.*)",
            r"/v[\d\.]+/images/.*",
            "[/]x",
            r"\/x",
            r"\x2fx",
            r"/it.s[(]odd[)]",
            "(?i)/Version",
            "(?s)/.",
            "/a|/b",
            "(|/v1[.]41)/info",
            "/containers/(json|.+/json)$",
            r"\Q/a.b\E",
            r"/\pL+",
            r"/\p{Greek}+",
            "/[^a-z]",
            r"/\S+",
            r"\D/x",
            "/networks/?",
            "/images/[a-z:/]+/json",
            "/images/x:latest/json",
            "/a{1,}/b",
            "/a,b",
            "(?P<id>/x)",
            "/(?P<id>x)/y",
            "(/v1[.][0-9]+)?/",
            "/containers?/json",
            "/volumes/[A-Za-z0-9_.-]*",
            "/images/[a-z/]*/json",
            "/services(/[a-z0-9]{25})?",
            "/libpod/.*",
        ] {
            assert_eq!(slip(fine), None, "{fine}");
        }
    }

    /// The judgement agrees with the engine: what is said to match nothing does not match any of many paths.
    #[test]
    fn nothing_that_matches_a_path_is_called_dead() {
        let paths =
            ["/", "/a", "/version", "/v1.41/info", "/a b", "/x'y", "/{id}", "/é", "/-", "/_ping"];
        let atoms = ["/", "a", ".", "[/a]", "(/a|b)", "(a|)", "$", "^", "x*", "/?", "(?i)A"];
        for one in atoms {
            for two in atoms {
                for three in atoms {
                    for pattern in [
                        format!("{one}{two}{three}"),
                        format!("{one}|{two}{three}"),
                        format!("({one}{two})?{three}"),
                    ] {
                        let Ok(pattern) = AnchoredRegex::new(&pattern) else { continue };
                        let text = pattern.slip().unwrap_or_default();
                        let dead = text.starts_with("matches nothing");
                        assert!(
                            !dead || !paths.iter().any(|path| pattern.is_match(path)),
                            "{}",
                            pattern.as_str()
                        );
                    }
                }
            }
        }
    }
}
