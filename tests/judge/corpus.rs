//! What the fuzz targets hold to be true, and their corpora, tried on every run of the tests. `just fuzz` looks for more.

mod answer;
mod config;
mod engine;
mod events;
mod gate;
mod json;
mod labels;
mod pattern;
mod target;

use std::fs;
use std::path::{Path, PathBuf};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// Runs every file of a corpus through what its target checks.
#[track_caller]
fn replay(name: &str, check: fn(&[u8])) {
    let entries = fs::read_dir(corpora().join(name)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "`{name}` has {} files", files.len());
    for file in files {
        let input = fs::read(&file).unwrap();
        let holds = std::panic::catch_unwind(|| check(&input)).is_ok();
        assert!(holds, "{}", file.display());
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        const TARGETS: &[&str] = &[$(stringify!($name)),*];

        mod replays {
            $(#[test]
            fn $name() {
                super::replay(stringify!($name), super::$name::check);
            })*
        }
    };
}

targets!(answer, config, engine, events, gate, json, labels, pattern, target);

#[test]
fn every_fuzz_target_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut sources: Vec<String> = fs::read_dir(fuzz.join("fuzz_targets"))
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str()?.strip_suffix(".rs").map(str::to_owned)
        })
        .collect();
    sources.sort();
    assert_eq!(sources, TARGETS);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
