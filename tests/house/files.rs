//! Files stay small, and no two use each other, so that each can be read and changed by itself.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::tidy::{files_of, rooms, source};

/// The most lines of a file; at 500 it is time to look for its second idea.
const MOST_LINES: usize = 600;

/// Files that are longer still. The list only gets shorter.
const LONG: &[&str] = &[];

/// Files that use each other still. The list only gets shorter.
const IN_A_CIRCLE: &[&str] = &[];

#[test]
fn no_file_is_long() {
    let long: BTreeSet<String> = lengths()
        .into_iter()
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(file, _)| file)
        .collect();
    let known: BTreeSet<String> = LONG.iter().map(ToString::to_string).collect();
    assert_eq!(
        long, known,
        "files of more than {MOST_LINES} lines (left) and the list of them (right)"
    );
}

#[test]
fn no_two_files_use_each_other() {
    let in_a_circle = Files::of_the_source().in_a_circle();
    let known: BTreeSet<String> = IN_A_CIRCLE.iter().map(ToString::to_string).collect();
    let told: Vec<_> =
        in_a_circle.iter().map(|(file, way)| format!("{file}: {}", way.join(" > "))).collect();
    let files: BTreeSet<String> = in_a_circle.into_keys().collect();
    assert_eq!(
        files,
        known,
        "files in a circle (left) and the list of them (right):\n{}",
        told.join("\n")
    );
}

/// A check that sees nothing proves nothing.
#[test]
fn a_circle_is_seen() {
    let files = |texts: &[(&str, &str)]| {
        Files::new(texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
    };
    let circle =
        |texts: &[(&str, &str)]| files(texts).in_a_circle().into_keys().collect::<Vec<_>>();
    let a = ("a.rs", "mod b;\nmod c;\npub use b::{B, Two};\n");
    assert!(circle(&[a, ("a/b.rs", "use super::c::C;\n"), ("a/c.rs", "struct C;\n")]).is_empty());
    // By a path, by a name that the parent passes on, in a group, and without `use`.
    for uses in [
        "use super::b::B;\n",
        "use super::B;\n",
        "use crate::a::{x, B};\n",
        "fn f() { super::b::g() }\n",
    ] {
        let texts = [a, ("a/b.rs", "use super::c::C;\n"), ("a/c.rs", uses)];
        assert_eq!(circle(&texts), ["a/b.rs", "a/c.rs"], "{uses}");
    }
    // A parent that uses what its child has, and passes it on, is used by the child for more than that.
    let parent = ("a.rs", "mod b;\npub use b::B;\nstruct A(B);\n");
    assert_eq!(circle(&[parent, ("a/b.rs", "use super::A;\nstruct B;\n")]), ["a.rs", "a/b.rs"]);
    assert!(
        circle(&[("a.rs", "mod b;\npub use b::B;\nstruct A;\n"), ("a/b.rs", "use super::A;\n")])
            .is_empty()
    );
}

/// How many lines each file of the source has, its tests and comments among them.
fn lengths() -> Vec<(String, usize)> {
    let (mut lengths, mut directories) = (Vec::new(), vec![source()]);
    while let Some(directory) = directories.pop() {
        for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                lengths.push((path.strip_prefix(source()).unwrap().display().to_string(), lines));
            }
        }
    }
    lengths
}

/// Files by the path of their module, and what each uses.
///
/// Seen is what a path names: in a `use`, its groups and other names, and in the text, from `crate`, `super`, `self` or a module of the file
/// itself. A name that another file only passes on leads to where it comes from, and passing on is no use. Not seen are what macros write,
/// methods of a value that was handed over, and what comes by a glob.
struct Files {
    texts: BTreeMap<Module, String>,
    /// The names that a file brings in, with their paths and whether they are only passed on.
    names: BTreeMap<Module, BTreeMap<String, (Vec<String>, bool)>>,
}

type Module = Vec<String>;

impl Files {
    fn of_the_source() -> Self {
        let start = format!("{}/", source().display());
        Self::new(
            rooms()
                .iter()
                .flat_map(|room| files_of(room))
                .map(|(path, text)| (path.strip_prefix(&start).unwrap().to_owned(), text)),
        )
    }

    fn new(files: impl Iterator<Item = (String, String)>) -> Self {
        let import = Regex::new(r"(?m)^[ \t]*(pub(?:\([a-z]+\))? )?use ([^;]+);").unwrap();
        let (mut texts, mut names) = (BTreeMap::new(), BTreeMap::new());
        for (path, text) in files {
            let module: Module =
                path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            let mut brought = BTreeMap::new();
            for found in import.captures_iter(&text) {
                let mut paths = Vec::new();
                expand(&[], &found[2], &mut paths);
                for (name, path) in paths {
                    brought.insert(name, (path, found.get(1).is_some()));
                }
            }
            let rest = import.replace_all(&text, "").into_owned();
            for (name, (_, is_passed_on)) in &mut brought {
                let is_used = Regex::new(&format!(r"(?:^|[^:A-Za-z0-9_]){name}(?-u:\b)"))
                    .unwrap()
                    .is_match(&rest);
                *is_passed_on &= !is_used;
            }
            names.insert(module.clone(), brought);
            texts.insert(module, rest);
        }
        Self { texts, names }
    }

    /// The file that a path leads to from this module, if it is one of ours.
    fn resolve(&self, module: &[String], path: &[String], patience: usize) -> Option<Module> {
        let mut at: Module = module.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                if !self.texts.contains_key(&[module, &[first.to_owned()]].concat()) {
                    return None;
                }
            }
        }
        while let Some(part) = rest.first() {
            let deeper = [at.as_slice(), std::slice::from_ref(part)].concat();
            if self.texts.contains_key(&deeper) {
                (at, rest) = (deeper, &rest[1..]);
            } else if let Some((path, _)) = self.names.get(&at).and_then(|names| names.get(part))
                && let Some(there) =
                    patience.checked_sub(1).and_then(|less| self.resolve(&at, path, less))
            {
                return Some(there);
            } else {
                break;
            }
        }
        self.texts.contains_key(&at).then_some(at)
    }

    /// The files that this one uses.
    fn used_by(&self, module: &Module) -> BTreeSet<Module> {
        let inline = Regex::new(r"(?-u:\b)[a-z_]+(?:::[A-Za-z0-9_]+)+").unwrap();
        let brought = self.names[module].values().filter(|(_, is_passed_on)| !is_passed_on);
        let brought = brought.map(|(path, _)| path.clone());
        let named = inline
            .find_iter(&self.texts[module])
            .map(|path| path.as_str().split("::").map(str::to_owned).collect());
        let used = brought.chain(named).filter_map(|path| self.resolve(module, &path, 9));
        used.filter(|used| used != module).collect()
    }

    /// The files that lead back to themselves, each with a shortest way.
    fn in_a_circle(&self) -> BTreeMap<String, Vec<String>> {
        let used: BTreeMap<&Module, BTreeSet<Module>> =
            self.texts.keys().map(|module| (module, self.used_by(module))).collect();
        let way_back = |module: &Module| {
            let mut ways = vec![vec![module.clone()]];
            let mut seen = BTreeSet::new();
            while !ways.is_empty() {
                let mut longer = Vec::new();
                for way in ways {
                    for next in way.last().and_then(|last| used.get(last)).into_iter().flatten() {
                        let way = [way.as_slice(), std::slice::from_ref(next)].concat();
                        if next == module {
                            return Some(way);
                        }
                        if seen.insert(next.clone()) {
                            longer.push(way);
                        }
                    }
                }
                ways = longer;
            }
            None
        };
        let file = |module: &Module| format!("{}.rs", module.join("/"));
        let circles = self.texts.keys().filter_map(|module| {
            Some((file(module), way_back(module)?.iter().map(file).collect()))
        });
        circles.collect()
    }
}

/// Each name that a `use` brings in, with its path.
fn expand(start: &[String], text: &str, paths: &mut Vec<(String, Vec<String>)>) {
    let text = text.trim();
    if let Some((before, group)) = text.split_once('{') {
        let before = before.split("::").map(str::trim).filter(|part| !part.is_empty());
        let start: Vec<String> = start.iter().cloned().chain(before.map(str::to_owned)).collect();
        let group = group.trim().strip_suffix('}').unwrap_or(group);
        let (mut depth, mut part) = (0, String::new());
        for c in group.chars().chain([',']) {
            if c == ',' && depth == 0 {
                expand(&start, &part, paths);
                part.clear();
                continue;
            }
            depth += i32::from(c == '{') - i32::from(c == '}');
            part.push(c);
        }
        return;
    }
    let (path, name) = text.split_once(" as ").unwrap_or((text, ""));
    let path = path.split("::").map(|part| part.trim().to_owned());
    let mut path: Vec<String> = start.iter().cloned().chain(path).collect();
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = if name.is_empty() {
        path.last().cloned().unwrap_or_default()
    } else {
        name.trim().to_owned()
    };
    if !name.is_empty() && name != "*" && name != "_" {
        paths.push((name, path));
    }
}
