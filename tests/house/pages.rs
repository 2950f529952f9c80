//! What the house promises: commands and examples in the README are the real ones, links lead somewhere, and tests that a page names exist.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| format!("{}: {error}", path.display()))
}

/// The fenced code blocks of a page in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .collect()
}

#[test]
fn the_first_two_commands_are_quickstart_and_the_tests() {
    let readme = read("README.md");
    assert_eq!(blocks(&readme, "sh").get(..2), Some(&["./quickstart\n", "cargo test\n"][..]));
}

#[test]
fn the_compose_file_in_the_readme_is_the_example() {
    let example = read("examples/compose/per-container/compose.yaml");
    assert_eq!(blocks(&read("README.md"), "yaml"), [example.as_str()]);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/client-suites.md",
        "docs/coming-from.md",
        "docs/how-requests-are-judged.md",
        "docs/known-attacks.md",
        "docs/performance.md",
        "docs/presets.md",
        "docs/per-container-allowlists.md",
        "docs/reference.md",
        "docs/reliability.md",
        "docs/threat-model.md",
        "docs/which-rights.md",
        "docs/words.md",
    ];
    for page in pages {
        let text = read(page);
        let folder = root.join(page).parent().unwrap().to_path_buf();
        for rest in text.split("](").skip(1) {
            let link = rest.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root.join(page) } else { folder.join(file) };
            assert!(target.exists(), "{page} links to {link}, which is not there");
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&target).unwrap());
                let leads_there = there.iter().any(|it| it == anchor);
                assert!(leads_there, "{page} links to {link}, and there are {there:?}");
            }
        }
    }
    assert_eq!(anchors("# A `b`\n```\n# no\n```\n## What's new?\n"), ["a-b", "whats-new"]);
}

/// What links to the headings of a page end with, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let mut is_code = false;
    let mut anchors = Vec::new();
    for line in page.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#').strip_prefix(' ');
        if let Some(heading) = heading.filter(|_| !is_code && line.starts_with('#')) {
            let kept =
                heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            anchors.push(kept.collect::<String>().to_lowercase().replace(' ', "-"));
        }
    }
    anchors
}

/// What docs/threat-model.md says of bounds without an option, beside the line of the source that sets each.
const BOUNDS: &[(&str, &str)] = &[
    ("are left after 128;", "const SPARE_DESCRIPTORS: u64 = 128;"),
    ("| 32, for 1 second each;", "const FAREWELLS: usize = 32;"),
    ("| 32, for 1 second each;", "const LINGER: Duration = Duration::from_secs(1);"),
    (
        "first request | 60 seconds |",
        "const FIRST_BYTE_DEADLINE: Duration = Duration::from_mins(1);",
    ),
    ("chunk's size; trailers | 1 KiB;", "const MAX_CHUNK_LINE_BYTES: usize = 1024;"),
    ("chunk's size; trailers | 1 KiB; 8 KiB |", "const MAX_TRAILER_BYTES: usize = 8 * 1024;"),
    (
        "engine's answer; the lines between its chunks; trailers | 256 KiB",
        "const MAX_HEAD_BYTES: usize = 256 * 1024;",
    ),
    ("| 256 KiB and 100 fields;", "const MAX_FIELDS: usize = 100;"),
    ("reads none | 64 KiB and 30 seconds", "const MAX_DISCARDED_BYTES: usize = 64 * 1024;"),
    (
        "reads none | 64 KiB and 30 seconds",
        "const DISCARD_DEADLINE: Duration = Duration::from_secs(30);",
    ),
    ("more than 256 KiB that stands still | 5 seconds", "const LARGE_BYTES: usize = 256 * 1024;"),
    (
        "more than 256 KiB that stands still | 5 seconds",
        "const LONGEST_STALL: Duration = Duration::from_secs(5);",
    ),
    ("judged | 128 levels,", "const MAX_DEPTH: usize = 128;"),
    ("levels, 65,536 values,", "const MAX_VALUES: usize = 65_536;"),
    ("makes us look up | 64 |", "const MAX_QUESTIONS: usize = 64;"),
    ("2 seconds each, not again", "const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);"),
    (
        "not again within 200 milliseconds",
        "const ASK_AGAIN: Duration = Duration::from_millis(200);",
    ),
    ("; 64 addresses of a name", "const MOST_ADDRESSES: usize = 64;"),
    (
        "to a busy engine | 10 seconds |",
        "const CONNECT_PATIENCE: Duration = Duration::from_secs(10);",
    ),
    ("5 in all, 60 for a list", "const ANSWER_DEADLINE: Duration = Duration::from_secs(5);"),
    ("5 in all, 60 for a list", "const LIST_DEADLINE: Duration = Duration::from_mins(1);"),
    ("held: 512 KiB for a judgement,", "const MOST_ANSWER_BYTES: usize = 512 * 1024;"),
    ("256 KiB for a container in a list,", "const MOST_ROW_BYTES: usize = 256 * 1024;"),
    ("4 MiB for a network;", "const MOST_OBJECT_BYTES: usize = 4 * 1024 * 1024;"),
    ("of an event 16 KiB.", "const MOST_EVENT_BYTES: usize = 16 * 1024;"),
    ("for judgements at once | 16;", "const MOST_QUESTIONS: usize = 16;"),
    ("rights | 32 KiB each,", "const MOST_LABEL_BYTES: usize = 32 * 1024;"),
    ("64 KiB for a container,", "const MOST_LABEL_BYTES_IN_ALL: usize = 64 * 1024;"),
    ("32 MiB for all in one list.", "const MOST_LISTED_LABEL_BYTES: usize = 32 * 1024 * 1024;"),
    ("does not know | 2 seconds,", "const UNKNOWN_PATIENCE: Duration = Duration::from_secs(2);"),
    (
        "gets no bytes | 1 second |",
        "const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(1);",
    ),
    ("has ended | 60 seconds without a byte", "const SILENCE: Duration = Duration::from_mins(1);"),
    ("wait to be written | 4 MiB;", "const QUEUED_BYTES: usize = 4 * 1024 * 1024;"),
    ("count every 5 seconds; 16 kinds", "const EVERY: Duration = Duration::from_secs(5);"),
    ("16 kinds for each client", "const MOST_PER_CLIENT: usize = 16;"),
    ("and 512 for all at a time", "const MOST: usize = 512;"),
    ("`sockwarden why` | 256, and 32", "const MOST: usize = 256;"),
    ("and 32 for each client;", "const MOST_PER_CLIENT: usize = 32;"),
    ("Health questions at once | 16 |", "const MAX_CLIENTS: usize = 16;"),
    ("then 1 second to close", "const CLOSING_DEADLINE: Duration = Duration::from_secs(1);"),
    ("after 30 seconds of silence", "const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);"),
    (
        "further probes every 10 seconds",
        "const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);",
    ),
];

#[test]
fn the_bounds_that_the_threat_model_states_are_those_of_the_source() {
    let page = read("docs/threat-model.md").replace('\n', " ");
    let source: String = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).concat();
    for (words, line) in BOUNDS {
        assert!(page.contains(words), "docs/threat-model.md does not say `{words}`");
        assert!(source.contains(line), "no source says `{line}`; docs/threat-model.md: `{words}`");
    }
    // Those with an option: `-option`, and its default.
    let reference = read("docs/reference.md");
    let default_of = |option: &str| {
        let row = reference.lines().find(|row| row.starts_with(&format!("| `-{option}=")))?;
        amount(&row.split(" | ").nth(2)?.replace('`', ""))
    };
    let stated = page.split("`-").skip(1).filter_map(|rest| {
        let (option, behind) = rest.split_once("`, ")?;
        Some((option, amount(behind)?, default_of(option)))
    });
    let stated: Vec<_> = stated.collect();
    assert!(stated.len() == 11, "{stated:?}");
    for (option, amount, default) in stated {
        assert_eq!(Some(amount), default, "`-{option}`");
    }
}

/// The amount that a text begins with, such as `10,000` or `64 KiB`.
fn amount(text: &str) -> Option<u64> {
    let mut words = text.split([' ', ';']);
    let number = words.next()?.trim_end_matches('.').replace(',', "");
    let number: u64 = number.parse().ok()?;
    Some(match words.next().map(|unit| unit.trim_end_matches(',')) {
        Some("KiB") => number << 10,
        Some("MiB") => number << 20,
        _ => number,
    })
}

/// The text of every source file in a directory.
fn sources(directory: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            texts.extend(sources(&path));
        } else {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
    texts
}

/// Each row of docs/known-attacks.md ends with the tests that prove it: `file::name`, or `file::"words of a case"`.
#[test]
fn the_tests_that_prove_what_is_known_of_attacks_exist() {
    let page = read("docs/known-attacks.md");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| {
            line.starts_with("| ") && !line.ends_with("| Test |") && !line.starts_with("|--")
        })
        .collect();
    assert!(rows.len() > 80, "{} rows", rows.len());
    for row in rows {
        let last = row.trim_end_matches('|').rsplit(" | ").next().unwrap_or_default();
        let named: Vec<_> = last.split('`').filter(|part| part.contains("::")).collect();
        assert!(!named.is_empty(), "no test proves this: {row}");
        for test in named {
            if let Err(why) = exists(test) {
                panic!("`{test}` {why}: {row}");
            }
        }
    }
    assert!(exists("tests/house/pages.rs::no_such_test").is_err());
    assert!(exists("tests/house/pages.rs::read").is_err(), "a helper is no test");
    assert!(exists("tests/support/body_cases.rs::\"no such case\"").is_err());
}

/// Whether a test or a case of this name stands in its file.
fn exists(test: &str) -> Result<(), &'static str> {
    let (file, name) = test.split_once("::").ok_or("names no file")?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(path).map_err(|_| "is in no file")?;
    if name.starts_with('"') {
        // The words come first in a case.
        return source.contains(&format!("({name},")).then_some(()).ok_or("is no case");
    }
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    let place = lines
        .iter()
        .position(|line| line.strip_prefix("async ").unwrap_or(line).starts_with(&head));
    let above = lines.get(..place.ok_or("is no function")?).unwrap_or_default();
    let attributes =
        above.iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let is_test = attributes
        .into_iter()
        .any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"));
    is_test.then_some(()).ok_or("is no test")
}
