//! Proof by compile error: programs that try to get past the judge must not compile, each beside a twin that does what it is for.
//!
//! A case is `tests/forge/NAME.rs`. With a `NAME.stderr` beside it, it must fail to compile with exactly that message; without one it must
//! compile. The cases are compiled against the library that was just built for this test, so a case costs about a second.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The messages are those of the compiler that `rust-toolchain.toml` pins; `UPDATE_EXPECT=1 cargo test --test house forge::` writes them again.
#[test]
fn programs_that_cheat_do_not_compile() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let library = Library::just_built();
    let (mut cheats, mut twins, mut wrong) = (0, 0, Vec::new());
    for case in cases() {
        let outcome = library.check(&case);
        let expected = case.with_extension("stderr");
        match fs::read_to_string(&expected) {
            Err(_) => {
                twins += 1;
                if let Err(errors) = outcome {
                    wrong.push(format!("{} must compile, and does not:\n{errors}", case.display()));
                }
            }
            Ok(want) => {
                cheats += 1;
                match outcome {
                    Ok(()) => wrong.push(format!("{} compiles, so cheating works", case.display())),
                    Err(errors) if errors == want => {}
                    Err(errors) if update => fs::write(&expected, errors).unwrap(),
                    Err(errors) => wrong.push(format!(
                        "{} fails to compile for another reason than expected.\nexpected:\n{want}\ngot:\n{errors}",
                        case.display()
                    )),
                }
            }
        }
    }
    assert!(cheats > 0 && twins > 0, "tests/forge holds {cheats} cheats and {twins} twins");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The cases, in the order of their names.
fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forge");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        files.filter(|path| path.extension() == Some(OsStr::new("rs"))).collect();
    cases.sort();
    cases
}

/// What a case is compiled against.
struct Library {
    /// Where Cargo puts the library and everything it depends on.
    dependencies: PathBuf,
    rlib: PathBuf,
}

impl Library {
    /// The library that this test was linked with: the newest in Cargo's directory that is not newer than the test. Cargo builds a library
    /// that is out of date before the tests, so even one that was built for another package is made of the present sources.
    fn just_built() -> Self {
        let test = std::env::current_exe().unwrap();
        let dependencies = test.parent().unwrap().to_owned();
        let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let not_after = modified(&test);
        let rlib = fs::read_dir(&dependencies)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
                name.starts_with("libsockwarden-") && path.extension() == Some(OsStr::new("rlib"))
            })
            .filter(|path| modified(path) <= not_after)
            .max_by_key(|path| modified(path))
            .expect("Cargo built the library before this test");
        Self { dependencies, rlib }
    }

    /// Compiles a case as far as it takes to find every error.
    ///
    /// # Errors
    /// What the compiler says, as it stands in a `.stderr` file.
    fn check(&self, case: &Path) -> Result<(), String> {
        let out = tempfile::tempdir().unwrap();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut library = std::ffi::OsString::from("sockwarden=");
        library.push(&self.rlib);
        let output = Command::new(rustc)
            .current_dir(crate_directory)
            .args([
                "--edition=2024",
                "--crate-type=bin",
                "--emit=metadata",
                "--cap-lints=allow",
                "--color=never",
            ])
            .arg("--out-dir")
            .arg(out.path())
            .arg("-L")
            .arg(&self.dependencies)
            .arg("--extern")
            .arg(library)
            .arg(case.strip_prefix(crate_directory).unwrap())
            .output()
            .expect("rustc starts");
        if output.status.success() {
            return Ok(());
        }
        Err(plain(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// A message without what changes from machine to machine or with unrelated edits: the summary, and the line numbers of our own source.
fn plain(errors: &str) -> String {
    let errors = errors.replace(&format!("{}/", env!("CARGO_MANIFEST_DIR")), "");
    let mut lines: Vec<String> = Vec::new();
    for line in errors.lines() {
        if line.starts_with("error: aborting due to")
            || line.starts_with("For more information about")
            || line.starts_with("Some errors have")
        {
            continue;
        }
        let (number, rest) = line
            .split_at(line.find(|c: char| !c.is_ascii_digit() && c != ' ').unwrap_or(line.len()));
        let shown = match rest.split_once("src/") {
            // Where in our source something stands.
            Some((arrow, place)) if arrow.ends_with("> ") || arrow.ends_with(": ") => {
                format!("{arrow}src/{}", place.split(':').next().unwrap_or_default())
            }
            // The number of a source line.
            _ if rest.starts_with('|') && !number.trim().is_empty() => rest.to_owned(),
            _ => line.trim_start().to_owned(),
        };
        lines.push(shown.trim_end().to_owned());
    }
    format!("{}\n", lines.join("\n").trim())
}
