//! What the house promises: commands and examples in the README are the real ones, and links lead somewhere.

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
        "docs/how-requests-are-judged.md",
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
            let file = link.split('#').next().unwrap_or_default();
            let leads_here = file.is_empty() || link.contains("://") || folder.join(file).exists();
            assert!(leads_here, "{page} links to {link}, which is not there");
        }
    }
}
