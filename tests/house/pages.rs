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
    let example = read("examples/compose/traefik/compose.yaml");
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
        "docs/how-requests-are-judged.md",
        "docs/known-attacks.md",
        "docs/performance.md",
        "docs/per-container-allowlists.md",
        "docs/reference.md",
        "docs/reliability.md",
        "docs/threat-model.md",
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
