//! The house keeps its order: a room uses only rooms beneath it, and the rooms that decide do no I/O.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room with what it is for, bottom-up, as `src/lib.rs` says. A room may use those in front of it.
fn map() -> Vec<(String, String)> {
    let map = fs::read_to_string(source().join("lib.rs")).unwrap();
    let mut rooms = Vec::new();
    let mut purpose = String::new();
    for line in map.lines() {
        if let Some(words) = line.strip_prefix("// ") {
            purpose = words.trim_end_matches('.').to_owned();
        } else if let Some(room) = line.strip_prefix("pub mod ") {
            rooms.push((room.trim_end_matches(';').to_owned(), std::mem::take(&mut purpose)));
        }
    }
    rooms
}

/// The names of the rooms, bottom-up.
pub(crate) fn rooms() -> Vec<String> {
    map().into_iter().map(|(room, _)| room).collect()
}

/// The rooms that decide: text and values in, values out.
const PURE: &[&str] =
    &["text", "request", "rule", "clauses", "risks", "client", "policy", "wording"];

/// What a room that decides has no business with: other people's time, files, sockets and logs.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "tracing",
    "rustix",
    "socket2",
    "std::env",
    "std::fs",
    "std::io",
    "std::os",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "UnixStream",
    "UnixListener",
    "Instant",
    "SystemTime",
    "println!",
];

#[test]
fn the_map_is_the_same_in_both_places() {
    let architecture = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let architecture = fs::read_to_string(architecture).unwrap();
    let table: Vec<(String, String)> = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .map(|(room, purpose)| (room.to_owned(), purpose.to_owned()))
        .collect();
    assert_eq!(table, map(), "ARCHITECTURE.md (left) and src/lib.rs (right)");
    assert!(map().iter().all(|(_, purpose)| !purpose.is_empty()), "every room has a sentence");
}

#[test]
fn no_room_uses_one_above_it() {
    let rooms = rooms();
    for (place, room) in rooms.iter().enumerate() {
        for (file, text) in files_of(room) {
            for used in text.split("crate::").skip(1) {
                let used: String =
                    used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let Some(other) = rooms.iter().position(|room| *room == used) else {
                    panic!("{file}: `crate::{used}` is no room; write one path for each room");
                };
                assert!(other <= place, "{file}: `{room}` uses `{used}`, which stands above it");
            }
            // The other ways up.
            assert!(
                !text.contains("super::super::super"),
                "{file} leaves its room without `crate::`"
            );
            let is_door = file.ends_with(&format!("src/{room}.rs"));
            assert!(
                !(is_door && text.contains("super::")),
                "{file} leaves its room without `crate::`"
            );
        }
    }
}

#[test]
fn the_rooms_that_decide_do_no_io() {
    for room in PURE {
        for (file, text) in files_of(room) {
            for word in IMPURE {
                assert!(!text.contains(word), "{file}: `{word}` has no business in `{room}`");
            }
        }
    }
}

/// An operation is compared as what it is: a name in a text could be mistyped, and would then mean "no clause".
#[test]
fn the_rooms_that_decide_compare_no_identifiers() {
    for room in PURE.iter().filter(|room| **room != "request") {
        for (file, text) in files_of(room) {
            assert!(!text.contains("operation.id()"), "{file} reads an operation's identifier");
            // The rows of the first two are matches without a wildcard; the last lists names alone.
            let is_table = [
                "clauses/decisions.rs",
                "rule/words/operations.rs",
                "rule/words/libpod.rs",
                "rule/words/table.rs",
            ]
            .iter()
            .any(|table| file.ends_with(table));
            let decides = |line: &&str| {
                line.replace("Operation::all()", "")
                    .replace("Operation::id", "")
                    .replace("Operation::find(", "")
                    .contains("Operation::")
            };
            for line in text.lines().filter(decides) {
                assert!(is_table, "{file} decides about an operation by itself: {line}");
            }
            if is_table && !file.ends_with("table.rs") {
                assert!(!text.contains("_ =>"), "{file} has a wildcard");
            }
        }
    }
}

/// Time is measured with a clock that only goes forward, so a wall clock that jumps can cut nothing and prolong nothing. The log shows it,
/// and the `Date` of an answer.
#[test]
fn the_wall_clock_is_for_the_log() {
    for room in rooms().iter().filter(|room| *room != "log") {
        for (file, text) in files_of(room) {
            let tells_it = file.ends_with("/proxy/reply.rs");
            assert!(tells_it || !text.contains("SystemTime"), "{file} looks at the wall clock");
        }
    }
    assert!(files_of("log").iter().any(|(_, text)| text.contains("SystemTime")));
}

/// A check that finds nothing to check proves nothing.
#[test]
fn the_rooms_are_where_they_are_looked_for() {
    for room in PURE {
        let files = files_of(room);
        assert!(files.iter().any(|(_, text)| text.contains("pub ")), "`{room}` is empty");
    }
    assert!(files_of("proxy").iter().any(|(_, text)| text.contains("crate::policy")));
}

pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files of a room with their text, without comments and tests.
pub(crate) fn files_of(room: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut directories = vec![source().join(room)];
    let mut paths = vec![source().join(format!("{room}.rs"))];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() { directories.push(path) } else { paths.push(path) }
        }
    }
    for path in paths {
        let is_test = path.components().any(|part| part.as_os_str() == "tests")
            || path.file_name().is_some_and(|name| name == "tests.rs");
        if let (false, Ok(text)) = (is_test, fs::read_to_string(&path)) {
            files.push((path.display().to_string(), program(&text)));
        }
    }
    files
}

/// A file's text up to its tests, which come last, without its comment lines.
fn program(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let (program, _) = text.split_at(end);
    let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}
