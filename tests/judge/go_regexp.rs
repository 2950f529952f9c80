//! Patterns and what Go 1.27's `regexp` says of them, replayed: `tests/data/go_regexp.tsv`.
//!
//! The first lines, which begin with `#`, name the subjects. Every other line is a pattern and what Go makes of it: `!` where it refuses it, else one
//! hexadecimal digit per four subjects, a bit each, the first one highest, set where `\A(?:pattern)\z` matches.

use sockwarden::rule::AnchoredRegex;

const CORPUS: &str = include_str!("../data/go_regexp.tsv");

#[test]
fn patterns_mean_what_they_mean_to_go() {
    let subject = |line: &'static str| line.strip_prefix("#\t").map(unescape);
    let subjects: Vec<String> = CORPUS.lines().map_while(subject).collect();
    let (mut patterns, mut refused_by_us_alone) = (0, 0);
    for line in CORPUS.lines().skip(subjects.len()) {
        let (pattern, go) = line.rsplit_once('\t').unwrap();
        patterns += 1;
        match AnchoredRegex::new(pattern) {
            Ok(_) if go == "!" => panic!("Go refuses `{pattern}`"),
            Ok(regex) => assert_eq!(matches(&regex, &subjects), go, "`{pattern}`"),
            Err(_) if go == "!" => {}
            // Refusing what Go accepts fails closed; it is for a few odd corners only, such as surrogates.
            Err(_) => refused_by_us_alone += 1,
        }
    }
    assert!(patterns > 1000, "the corpus has only {patterns} patterns");
    assert!(
        refused_by_us_alone * 100 < patterns,
        "{refused_by_us_alone} of {patterns} patterns are refused by us alone"
    );
}

fn matches(regex: &AnchoredRegex, subjects: &[String]) -> String {
    subjects
        .chunks(4)
        .map(|four| {
            four.iter().fold(0, |digit, subject| digit * 2 + u32::from(regex.is_match(subject)))
        })
        .filter_map(|digit| char::from_digit(digit, 16))
        .collect()
}

fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next().map_or(c, escaped) } else { c };
        plain.push(c);
    }
    plain
}

fn escaped(letter: char) -> char {
    match letter {
        'n' => '\n',
        't' => '\t',
        'v' => '\x0b',
        '0' => '\0',
        other => other,
    }
}
