//! Patterns one by one, and grown ones against an oracle.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt;

/// Checks that `pattern` matches all of `yes` and nothing of `no`.
#[track_caller]
fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let regex = AnchoredRegex::new(pattern).unwrap_or_else(|error| panic!("{error}"));
    for path in yes {
        assert!(regex.is_match(path), "`{pattern}` must match {path:?}: {regex:?}");
    }
    for path in no {
        assert!(!regex.is_match(path), "`{pattern}` must not match {path:?}: {regex:?}");
    }
}

/// Checks where `pattern` is refused, and how the message goes on.
#[track_caller]
fn check_refused(pattern: &str, offset_bytes: usize, problem_and_remedy: &str) {
    let error = AnchoredRegex::new(pattern).expect_err(pattern);
    assert_eq!(format!("{}; {}", error.problem(), error.remedy()), problem_and_remedy);
    assert_eq!(error.offset_bytes(), offset_bytes, "{error}");
}

#[track_caller]
fn check_refused_like(pattern: &str, problem: &str) {
    let error = AnchoredRegex::new(pattern).expect_err(pattern);
    assert!(error.problem().contains(problem), "{error}");
}

#[test]
fn ordinary_patterns_mean_what_they_say() {
    check(
        r"/v1\..{1,2}/(version|containers/.*|events.*)",
        &["/v1.41/version", "/v1.9/containers/json", "/v1.41/events"],
        &["/v1.41/versions", "/v1/version", "/v1.411/version", "x/v1.41/version"],
    );
    check(
        r"^(/v[\d.]+)?/containers/create$",
        &["/containers/create", "/v1.41/containers/create"],
        &["/v1.41/containers/create/", "/v/containers/create", "/containers/created"],
    );
    check(
        r"/v1\..{2}/containers/[a-zA-Z0-9_.-]{1,128}/(start|stop)",
        &["/v1.41/containers/web-1/start", "/v1.41/containers/a.b_c/stop"],
        &["/v1.41/containers/a/b/start", "/v1.41/containers//start"],
    );
}

// wollomatic/socket-proxy compiled "^" + p + "$"
#[test]
fn a_pattern_is_the_whole_path() {
    check("/a", &["/a"], &["/ab", "x/a", "/a/", "/a\n", "\n/a", "", "/A"]);
    check("/a|/b", &["/a", "/b"], &["/a/x", "x/b", "/b/x", "x/a"]);
    check("^/a$|^/b$", &["/a", "/b"], &["/a/x", "x/b", "/a\n/b"]);
    check("^/a|/b$", &["/a", "/b"], &["/a/x", "x/b"]);
    check("(?m)/a", &["/a"], &["/a\n", "/a\n/b", "x\n/a"]);
    check("(?m)^/a$", &["/a"], &["/a\n", "/a\n/b", "x\n/a"]);
    check("(?m:^/a$)", &["/a"], &["/a\n/b", "x\n/a"]);
    check("(?s)/a.*", &["/a", "/ab\nc"], &["x/a"]);
    check("/a.*", &["/a", "/abc"], &["/a\nc"]);
    check("(?i)/a", &["/a", "/A"], &["/A/", "x/A"]);
    check("(?U)/a+", &["/a", "/aa"], &["/aab"]);
    check(r"\A/a\z", &["/a"], &["/ab", "x/a"]);
    check("|/a", &["", "/a"], &["x", "/ax"]);
    check(r"\Q/a", &["/a"], &["/a)", "/ab"]);
}

#[test]
fn nothing_escapes_the_anchors() {
    let unopened = r"`)` closes nothing; remove it or write `\)` for a literal parenthesis";
    check_refused("/a)|(/b", 2, unopened);
    check_refused(")", 0, unopened);
    check_refused(r"/a)\z|.*", 2, unopened);
    let unclosed = r"missing closing `)`; add it or write `\(` for a literal parenthesis";
    check_refused("/containers/(.*", 12, unclosed);
    check_refused("((a)", 0, unclosed);
    check_refused("(?i:a", 0, unclosed);
    check_refused("[a", 0, r"missing closing `]`; add it or write `\[` for a literal bracket");
    let backslash = r"a `\` at the end escapes nothing; remove it or write `\\` for a literal one";
    check_refused(r"/a\", 2, backslash);
    // `x` would turn the closing parenthesis into a comment
    check_refused(
        "(?x)/a #",
        2,
        "`x` is not a flag; use i, m, s or U, as in `(?i)`, or `(?:` for a plain group",
    );
}

#[test]
fn tells_of_alternatives_that_used_to_be_half_anchored() {
    for (pattern, want) in [
        ("/a|/b", true),
        ("^/a|/b$", true),
        ("(/a|/b)|c", true),
        ("(?i)a|b", true),
        ("(/a|/b)", false),
        ("^(/a|/b)$", false),
        (r"[|]\|\Q|\E", false),
    ] {
        let regex = AnchoredRegex::new(pattern).expect(pattern);
        assert_eq!(regex.has_top_level_alternation(), want, "{pattern}");
    }
}

#[test]
fn classes_are_ascii() {
    check(r"\d", &["0", "9"], &["a", "\u{663}"]);
    check(r"\D", &["a", "\n", "\u{663}"], &["5"]);
    check(r"\w", &["a", "Z", "0", "_"], &["é", "-"]);
    check(r"\W", &["é", "-"], &["a", "_"]);
    check(r"(?i)\w", &["a", "\u{17f}", "\u{212a}"], &["é"]);
    check(r"(?i)\W", &["é"], &["a", "\u{17f}", "\u{212a}"]);
    check(r"\s", &["\t", "\n", "\x0c", "\r", " "], &["\x0b", "\u{85}", "\u{a0}"]);
    check(r"\S", &["\x0b", "\u{85}", "\u{a0}", "a"], &["\t", " "]);
    check(r"[\s]", &[" "], &["\x0b"]);
    check(r"[^\S]", &[" "], &["\x0b", "a"]);
    check(r"é\b", &[], &["é"]);
    check(r"é\B", &["é"], &[]);
    check(r"é\B.", &["éé"], &["éa"]);
    check(r"a\b.", &["a-", "aé"], &["aa"]);
}

#[test]
fn escapes_are_those_of_go() {
    check(r"\<a\>", &["<a>"], &["a"]);
    check(r"a\Q.*\Eb", &["a.*b"], &["axxb", "ab"]);
    check(r"a\Q+", &["a+"], &["aa"]);
    check(r"\Qab\E*", &["a", "abb"], &["abab"]);
    check(r"\0\12\141", &["\0\na"], &[]);
    check(r"\1411", &["a1"], &[]);
    check(r"\08", &["\08"], &[]);
    check(r"\x41\x{42}\x{00043}\xe9", &["ABCé"], &[]);
    check(r"\a\f\n\r\t\v", &["\x07\x0c\n\r\t\x0b"], &[]);
    check(r"\_\-\ \/\.\&", &["_- /.&"], &[]);
    check(r"a\b{start}", &["a{start}"], &["a"]);
    check(r"a\z", &["a"], &["a\n"]);

    let references = "back-references are not supported";
    for pattern in [r"\1", r"(a)\1", r"\18", r"[\1]"] {
        check_refused_like(pattern, references);
    }
    for pattern in [r"\Z", r"\C", r"\e", r"\K", r"\y", r"\é", r"\E", r"[\b]", r"[\Q]", r"[\z]"] {
        check_refused_like(pattern, "this is not an escape sequence");
    }
    check_refused(r"/a\Z", 2, r"this is not an escape sequence; write `\z` for the end");
    check_refused(r"\u0041", 0, r"this is not an escape sequence; write `\x{..}` for a code point");
    for pattern in [r"\x", r"\x4", r"\xg1", r"\x+1", r"\x{}", r"\x{+41}", r"\x{41", r"\x4é"] {
        check_refused_like(pattern, "two hexadecimal digits");
    }
    // Go takes the surrogate, which cannot occur in a path
    for pattern in [r"\x{110000}", r"\x{D800}", r"[\x{D800}-\x{DFFF}]"] {
        check_refused_like(pattern, "there is no character with this code");
    }
    for pattern in ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)"] {
        check_refused_like(pattern, "look-around");
    }
}

#[test]
fn braces_are_text_unless_they_are_counts() {
    check("{", &["{"], &[""]);
    check("a{,2}", &["a{,2}"], &["aa", "a"]);
    check("a{ 1}", &["a{ 1}"], &["a"]);
    check("a{1, 2}", &["a{1, 2}"], &["a"]);
    check("a{01}", &["a{01}"], &["a"]);
    check("a{1", &["a{1"], &["a"]);
    check("{}", &["{}"], &[]);
    check("a{2}", &["aa"], &["a", "aaa", "a{2}"]);
    check("a{2,}", &["aa", "aaaa"], &["a"]);
    check("a{0,1}b{0}", &["", "a"], &["aa", "ab"]);
    check("a{2,3}?b??", &["aa", "aaab"], &["a", "aaaa"]);
    check("(?:a{500}){2}", &[&"a".repeat(1000)], &[&"a".repeat(999)]);

    let copies = "this asks for more than 1000 copies";
    for pattern in ["a{1001}", "a{0,1001}", "a{99999999999}", "(?:a{501}){2}", "((a{11}b){10}){10}"]
    {
        check_refused_like(pattern, copies);
    }
    check_refused("a{2,1}", 1, "the range {2,1} runs backwards; put the smaller number first");
}

#[test]
fn repetitions_need_something_to_repeat() {
    check("a(?i)*", &["", "aa"], &["A"]);
    check("a(?i)*b", &["ab", "aaB"], &["Ab"]);
    check(r"a\Q\E*", &["", "aa"], &[]);
    check("^*a$*", &["a"], &["b"]);
    check("(?:a*)*", &["", "aa"], &["b"]);
    for pattern in ["*", "a|*", "(*)", "(?i)*", "{1}", "(|+)", "?"] {
        check_refused_like(pattern, "there is nothing to repeat here");
    }
    for pattern in ["a**", "a*+", "a???", "a{1}{2}", "a{1}*", "a*{2}", "a*(?i)*"] {
        check_refused_like(pattern, "this repeats a repetition");
    }
}

#[test]
fn flags_reach_as_far_as_in_go() {
    check("a(?i)b|c", &["ab", "aB", "c", "C"], &["Ab"]);
    check("(a(?i)b)c", &["aBc"], &["aBC"]);
    check("(?i)a(?-i)b", &["Ab"], &["AB"]);
    check("(?i:a)b", &["Ab"], &["AB"]);
    check("(?ii)(?i-i)a(?)", &["a"], &["A"]);
    check("(?im-s:^A.$)", &["ab"], &["a\n"]);
    check("(?i)k[s]", &["ks", "\u{212a}\u{17f}"], &["kx"]);
    check("(?i)[^k]", &["a"], &["k", "K", "\u{212a}"]);
    check("(?m)a$\nb", &["a\nb"], &["a\nb\n"]);
    check("a$\nb", &[], &["a\nb"]);
    for pattern in ["(?u)a", "(?R)a", "(?x:a)", "(?P=n)", "(?>a)", "(?#a)", "(?P)"] {
        check_refused_like(pattern, "is not a flag");
    }
    for pattern in ["(?-)", "(?i-)", "(?i-:a)", "(?-i-m)"] {
        check_refused_like(pattern, "a flag must follow `-`");
    }
    check_refused("a(?i", 1, r"`(?` has no end; close it, or write `\(\?` for the two characters");
}

#[test]
fn classes_have_no_operators() {
    check("[a[b]c]", &["ac]", "[c]", "bc]"], &["a", "c"]);
    check("[[a]", &["[", "a"], &["]"]);
    check("[a&&b]", &["a", "&", "b"], &["c"]);
    check("[a~~b]", &["a", "~", "b"], &["c"]);
    check("[+--]", &["+", ",", "-"], &["."]);
    check("[--a]", &["-", "A", "a"], &["b"]);
    check("[a-]", &["a", "-"], &["b"]);
    check("[]a]", &["]", "a"], &["b"]);
    check("[^]a]", &["b", "\n"], &["]", "a"]);
    check(r"[\d-z]", &["5", "-", "z"], &["a"]);
    check("[[:alpha:]-z]", &["q", "-"], &["5"]);
    check("[[:^alpha:]]", &["5", "é"], &["q"]);
    check("[:alpha:]", &["a", ":", "p"], &["b"]);
    check("[[:]", &["[", ":"], &["]"]);
    check(r"[\x{41}-\103]", &["B"], &["D"]);
    check(r"[^\x00-\x{10FFFF}]", &[], &["a", ""]);
    for pattern in ["[[:foo:]]", "[[:]:]", "[[:Alpha:]]", "[[:^^alpha:]]"] {
        check_refused_like(pattern, "no character class of this name");
    }
    for pattern in ["[z-a]", r"[\x{10FFFF}-a]", "[a-[:digit:]]"] {
        check_refused_like(pattern, "this range runs backwards");
    }
    for pattern in ["[", "[]", "[^]", "[a", "[a-", "[^"] {
        check_refused_like(pattern, "missing closing `]`");
    }
    for pattern in [r"[a-\d]", r"[a-\pL]"] {
        check_refused_like(pattern, "this is not an escape sequence");
    }
}

#[test]
fn unicode_classes_have_the_names_of_go() {
    check(r"\pL", &["a", "é"], &["1", "pL"]);
    check(r"\PL\pN", &["-1"], &["a1"]);
    check(r"\p{Greek}\p{greek}", &["λΣ"], &["ab"]);
    check(r"\p{^Lu}\P{^Lu}", &["aA"], &["Aa", "AA"]);
    check(r"\p{uppercase letter}\p{L_C}", &["Aa"], &["aa", "A1"]);
    check(r"[\p{Lu}1]", &["A", "1"], &["a"]);
    check(r"(?i)\p{Lu}", &["A", "a"], &["1"]);
    check(r"\p{ASCII}\p{Any}\p{Assigned}", &["aéa"], &["éaa"]);
    // the last ones are known to Rust
    for name in ["", "^", "Foo", "Grek", "sc=Greek", "IsGreek", "Alphabetic", "gc=L", "L&"] {
        check_refused_like(&format!(r"\p{{{name}}}"), "no Unicode category or script");
    }
    for pattern in [r"\p", r"\p{L", r"[\p{"] {
        check_refused_like(pattern, r"`\p` has no end");
    }
}

// the lists must not promise what the engine does not have
#[test]
fn every_unicode_name_compiles() {
    for name in unicode_class::names() {
        check(&format!(r"\p{{{name}}}|.*"), &["a"], &[]);
    }
}

#[test]
fn group_names_are_dropped() {
    check("(?P<n>a)(?<n>b)(?P<1a>c)", &["abc"], &[]);
    for pattern in ["(?P<>a)", "(?<a b>a)", "(?P<n", "(?<é>a)", "(?<"] {
        check_refused_like(pattern, "a group name is letters, digits and `_`");
    }
}

#[test]
fn other_alphabets_are_matched_by_character() {
    check("é.", &["éλ", "é😀"], &["é", "éλλ"]);
    check("[à-ö]", &["é"], &["e", "Ã"]);
    check("(?i)é", &["É"], &["e"]);
    check(r"[^/]{2}", &["é😀", "aé"], &["é", "é/"]);
}

#[test]
fn size_is_limited() {
    check_refused(
        "",
        0,
        "it is empty and no path is; write the path to allow, or leave the rule out",
    );
    check(&"a".repeat(8192), &[&"a".repeat(8192)], &["a"]);
    check_refused_like(&"a".repeat(8193), "it goes on after 8192 bytes");
    check_refused(
        r"/a{2}\pL{500}",
        8,
        "it takes more than 1024 KiB of memory when compiled; \
         use smaller numbers in `{..}`, or `*` or `+` for any number",
    );
    // what is refused here is refused before it costs time or memory
    check_refused_like(&r"\pL".repeat(65), "the character classes are too large together");
    check_refused_like(&r"(?i)[\x{0}-\x{10FFFF}]".repeat(2), "too large together");
    check_refused_like(&format!("(?i)[{}]", r"\pL".repeat(65)), "too large together");
    check_refused_like(&format!("{}{}", "(".repeat(101), ")".repeat(101)), "100 groups");
    // the deepest tree that a pattern can make; it must neither meet the engine's limit nor the
    // end of the stack
    let deep = format!("{}c{}", "(?i:a|b(?:c){2}".repeat(99), ")*".repeat(99));
    check(&deep, &["", "a", "BCCa"], &["bc"]);
}

#[test]
fn errors_are_one_harmless_line() {
    let message = |pattern: &str| AnchoredRegex::new(pattern).expect_err(pattern).to_string();
    assert_eq!(
        message("/containers/(.*"),
        "`/containers/(.*` is not a valid pattern at byte 12: missing closing `)`; \
         add it or write `\\(` for a literal parenthesis"
    );
    assert_eq!(
        message("*.json"),
        "`*.json` is not a valid pattern at byte 0: there is nothing to repeat here; \
         put `.` before it to mean any character, or `\\` to mean the character itself"
    );
    assert!(message("a\n\x1b[31m\u{202e}(é\"").starts_with(r#"`a\n\u{1b}[31m\u{202e}(é"`"#));
    let long = format!("{}({}", "a".repeat(4000), "b".repeat(4000));
    let excerpt = format!("`…{}({}…`", "a".repeat(80), "b".repeat(80));
    assert!(message(&long).starts_with(&excerpt), "{}", message(&long));
}

/// A pattern, and what it matches said another way.
#[derive(Clone, Debug)]
enum Node {
    Char(char),
    Any,
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
    Star(Box<Self>),
    Optional(Box<Self>),
}

impl Node {
    /// Where a match that starts at any of `starts` may end. `.` leaves out the line feed.
    fn ends(&self, path: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        let step = |takes: &dyn Fn(char) -> bool| {
            let starts = starts.iter().filter(|&&at| path.get(at).is_some_and(|&c| takes(c)));
            starts.map(|at| at + 1).collect()
        };
        match self {
            Self::Char(wanted) => step(&|c| c == *wanted),
            Self::Any => step(&|c| c != '\n'),
            Self::Both(first, second) => second.ends(path, &first.ends(path, starts)),
            Self::Either(one, other) => &one.ends(path, starts) | &other.ends(path, starts),
            Self::Optional(inner) => starts | &inner.ends(path, starts),
            Self::Star(inner) => {
                let mut all = starts.clone();
                loop {
                    let more = &all | &inner.ends(path, &all);
                    if more == all {
                        return all;
                    }
                    all = more;
                }
            }
        }
    }

    fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        self.ends(&path, &BTreeSet::from([0])).contains(&path.len())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(c) => write!(f, "{c}"),
            Self::Any => f.write_str("."),
            // alternatives stay bare where they can, so that many patterns have a top-level `|`
            Self::Either(one, other) => write!(f, "{one}|{other}"),
            Self::Both(first, second) => write!(f, "{}{}", Inner(first), Inner(second)),
            Self::Star(inner) => write!(f, "(?:{inner})*"),
            Self::Optional(inner) => write!(f, "({inner})?"),
        }
    }
}

/// A node in a sequence.
struct Inner<'n>(&'n Node);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Node::Either(..) => write!(f, "(?m-i:{})", self.0),
            node => node.fmt(f),
        }
    }
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        proptest::sample::select(vec!['a', 'b', '/', '\n']).prop_map(Node::Char),
        Just(Node::Any),
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        let inner = inner.prop_map(Box::new);
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Node::Both(a, b)),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Node::Either(a, b)),
            1 => inner.clone().prop_map(Node::Star),
            1 => inner.prop_map(Node::Optional),
        ]
    })
}

/// Text in which the syntax is denser than in arbitrary strings.
fn almost_a_pattern() -> impl Strategy<Value = String> {
    const TOKENS: [&str; 44] = [
        "(", ")", "(?", "(?i", "(?P<", "(?:", ">", "-", ":", "[", "]", "[^", "[:", ":]", "{", "}",
        "{2}", "{2,", "*", "+", "?", "|", "\\", "\\Q", "\\E", "\\p", "\\p{", "\\x", "\\x{", "\\d",
        "\\b", "\\z", "^", "$", ".", "0", "9", "a", "K", "é", "L", "&&", "\n", "😀",
    ];
    proptest::collection::vec(proptest::sample::select(TOKENS.to_vec()), 0..24)
        .prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_text_is_answered(
        pattern in prop_oneof![any::<String>(), almost_a_pattern()],
        path in any::<String>(),
    ) {
        match AnchoredRegex::new(&pattern) {
            Ok(regex) => {
                prop_assert_eq!(regex.as_str(), &pattern);
                let _ = regex.is_match(&path);
            }
            Err(error) => {
                prop_assert!(error.offset_bytes() <= pattern.len());
                prop_assert!(pattern.is_char_boundary(error.offset_bytes()));
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn the_whole_path_matches_or_none(
        node in node(),
        path in "[ab/\n]{0,6}",
        flags in proptest::sample::select(vec!["", "(?m)", "(?U)", "(?i-i)"]),
        anchors in proptest::sample::select(vec![("", ""), ("^", "$"), ("^", ""), (r"\A", r"\z")]),
    ) {
        let pattern = format!("{flags}{}{node}{}", anchors.0, anchors.1);
        let regex = AnchoredRegex::new(&pattern).expect("the grammar makes Go patterns only");
        for path in [path.clone(), format!("X{path}"), format!("{path}X"), format!("{path}\n"), format!("\n{path}")] {
            prop_assert_eq!(regex.is_match(&path), node.matches(&path), "{:?} on {:?}", pattern, path);
        }
    }
}
