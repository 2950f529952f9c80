//! The docker CLI, of two generations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::{env, fmt, fs};

use tempfile::TempDir;

use crate::Target;
use crate::engine::{Engine, Image, Names};
use crate::process::{Output, Process};
use crate::proxy::Sockwarden;
use crate::transcript::{self, Transcript};

/// Which CLI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cli {
    /// 20.10: has BuildKit's client built in, attaches and execs with the old headers.
    V20,
    /// 28, or whatever is newer than 23.
    V28,
}

impl Cli {
    fn variable(self) -> &'static str {
        match self {
            Self::V20 => "DOCKER_CLI_20",
            Self::V28 => "DOCKER_CLI_28",
        }
    }

    /// Its path; `None`, said loudly, where it is not installed.
    pub fn found(self) -> Option<&'static Path> {
        static FOUND: OnceLock<BTreeMap<Cli, PathBuf>> = OnceLock::new();
        let found = FOUND.get_or_init(find_all);
        if found.is_empty() {
            crate::skip("no docker CLI found");
        }
        let path = found.get(&self).map(PathBuf::as_path);
        if path.is_none() {
            crate::set_aside(&format!("no docker CLI for {self}; set {}", self.variable()));
        }
        path
    }
}

impl fmt::Display for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V20 => "20.10",
            Self::V28 => "28",
        })
    }
}

fn find_all() -> BTreeMap<Cli, PathBuf> {
    let mut found = BTreeMap::new();
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(["/usr/local/bin".into(), "/usr/bin".into()]);
    let candidates = directories.map(|dir| dir.join("docker")).filter(|it| it.exists());
    for candidate in candidates {
        let major = Command::new(&candidate).arg("--version").output().ok().and_then(|output| {
            let text = String::from_utf8(output.stdout).ok()?;
            text.strip_prefix("Docker version ")?.split('.').next()?.parse::<u32>().ok()
        });
        match major {
            Some(..=22) => found.entry(Cli::V20).or_insert(candidate),
            Some(_) => found.entry(Cli::V28).or_insert(candidate),
            None => continue,
        };
    }
    for cli in [Cli::V20, Cli::V28] {
        if let Some(path) = env::var_os(cli.variable()) {
            found.insert(cli, path.into());
        }
    }
    found
}

/// The Pythons that have docker-py, by its version: `DOCKER_PY`, and whatever is in `PATH`.
pub fn pythons() -> BTreeMap<String, PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let given = env::var_os("DOCKER_PY").map(PathBuf::from);
    let mut found = BTreeMap::new();
    for python in env::split_paths(&path).map(|dir| dir.join("python3")).chain(given) {
        let script = "import docker; print(docker.__version__)";
        let output = Command::new(&python).args(["-c", script]).output();
        if let Some(output) = output.ok().filter(|output| output.status.success()) {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            found.entry(version).or_insert(python);
        }
    }
    if found.is_empty() {
        crate::skip("no Python with docker-py found");
    }
    found
}

/// The newest Compose as a program of its own: `DOCKER_COMPOSE_5`.
pub fn compose_5() -> Option<PathBuf> {
    let found = env::var_os("DOCKER_COMPOSE_5").map(PathBuf::from);
    if found.is_none() {
        crate::skip("DOCKER_COMPOSE_5 does not name a Compose");
    }
    found
}

/// The directory of the newer CLI's plugins.
fn plugins() -> Option<PathBuf> {
    env::var_os("DOCKER_CLI_PLUGINS").map(PathBuf::from)
}

/// Whether the newer CLI has the plugin of this name, such as `docker-buildx`.
pub fn has_plugin(name: &str) -> bool {
    plugins().is_some_and(|directory| directory.join(name).exists())
}

/// A docker CLI that talks to one target, and what it has made there.
#[derive(Debug)]
pub struct Docker {
    program: PathBuf,
    host: String,
    names: Names,
    unnamed: AtomicUsize,
    transcript: Transcript,
    directory: TempDir,
    image: Arc<Image>,
    /// Last, so that it outlives what uses it.
    _proxy: Option<Sockwarden>,
}

/// Runs a scenario on every target under test, and compares what it saw.
#[track_caller]
pub fn scenario(cli: Cli, scenario: impl Fn(&Docker)) {
    let Some(engine) = Engine::present() else { return };
    let Some(program) = cli.found() else { return };
    let run = |target| {
        let docker = Docker::new(engine, program, target);
        scenario(&docker);
        docker.transcript.text()
    };
    let mut transcripts = Vec::new();
    for target in Target::under_test() {
        transcripts.push(match target {
            Target::Direct => match crate::directly(engine, || run(*target)) {
                Some(transcript) => transcript,
                None => return,
            },
            Target::Through => run(*target),
        });
    }
    if let [direct, through] = transcripts.as_slice() {
        transcript::same(direct, through);
    }
}

impl Docker {
    /// A CLI on a target.
    #[track_caller]
    pub fn new(engine: &'static Engine, program: &Path, target: Target) -> Self {
        match target {
            Target::Direct => {
                Self::on(engine, program, format!("unix://{}", engine.socket().display()), None)
            }
            Target::Through => {
                let proxy = Sockwarden::allow_all(engine.socket());
                Self::on(engine, program, format!("tcp://{}", proxy.address()), Some(proxy))
            }
        }
    }

    /// A CLI on an address.
    ///
    /// # Panics
    /// When there is no temporary directory.
    pub fn on(
        engine: &'static Engine,
        program: &Path,
        host: String,
        proxy: Option<Sockwarden>,
    ) -> Self {
        let names = Names::new(engine);
        let image = engine.image();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let transcript = Transcript::replacing(vec![
            (image.name().to_owned(), "IMAGE"),
            (names.prefix().to_owned(), "NAME"),
            (directory.path().display().to_string(), "DIR"),
            (host.clone(), "HOST"),
        ]);
        Self {
            program: program.to_owned(),
            host,
            names,
            unnamed: AtomicUsize::new(0),
            transcript,
            directory,
            image,
            _proxy: proxy,
        }
    }

    /// The test image.
    pub fn image(&self) -> &str {
        self.image.name()
    }

    /// A directory of this scenario's own.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The names of what it makes.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// A name for a container, a network or a volume.
    pub fn name(&self, word: &str) -> String {
        self.names.name(word)
    }

    /// Writes down what must be the same on every target.
    pub fn note(&self, text: &str) {
        self.transcript.note(text);
    }

    /// A docker command line. Whatever it creates gets our labels, and a name where it has none.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.environment(&mut command);
        command.args(self.labelled(arguments));
        command
    }

    /// Points a program at the target, with no configuration but ours.
    pub fn environment(&self, command: &mut Command) {
        let configuration = self.directory().join(".docker");
        let _ = fs::create_dir(&configuration);
        if let Some(plugins) = plugins() {
            let text = serde_json::json!({ "cliPluginsExtraDirs": [plugins] }).to_string();
            let _ = fs::write(configuration.join("config.json"), text);
        }
        for name in
            ["DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"]
        {
            command.env_remove(name);
        }
        command
            .env("DOCKER_HOST", &self.host)
            .env("DOCKER_CONFIG", configuration)
            .env("DOCKER_BUILDKIT", "0")
            .current_dir(self.directory());
    }

    /// The arguments of [`Docker::command`], with what it adds to them.
    pub fn labelled(&self, arguments: &[&str]) -> Vec<String> {
        let words = match arguments {
            ["run" | "create" | "build", ..] => 1,
            ["network" | "volume", "create", ..] => 2,
            _ => 0,
        };
        let (words, rest) = arguments.split_at(words);
        let mut all: Vec<String> = words.iter().map(ToString::to_string).collect();
        if !words.is_empty() {
            for (key, value) in self.names.labels() {
                all.push(format!("--label={key}={value}"));
            }
        }
        if matches!(words, ["run" | "create"]) && !rest.iter().any(|it| it.starts_with("--name")) {
            let number = self.unnamed.fetch_add(1, Ordering::Relaxed);
            all.push(format!("--name={}", self.name(&format!("unnamed-{number}"))));
        }
        all.extend(rest.iter().map(ToString::to_string));
        all
    }

    /// Starts a command.
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::start(self.command(arguments))
    }

    /// Runs a command and writes down what it said.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.note_output(arguments, Process::run(self.command(arguments)))
    }

    /// Runs a command that must succeed, and says what it wrote.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, 0, "docker {arguments:?}: {}", output.errors());
        output.text()
    }

    /// Runs a command with something on its standard input.
    #[track_caller]
    pub fn fed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut process = self.start(arguments);
        process.feed_all(input.to_vec());
        self.note_output(arguments, process.finish())
    }

    /// Runs a command whose words differ from run to run.
    #[track_caller]
    pub fn run_without_transcript(&self, arguments: &[&str]) -> Output {
        Process::run(self.command(arguments))
    }

    /// [`Docker::fed`] for a command whose words differ from run to run.
    #[track_caller]
    pub fn fed_without_transcript(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut process = self.start(arguments);
        process.feed_all(input.to_vec());
        process.finish()
    }

    /// Writes down how a command ended.
    pub fn note_output(&self, arguments: &[&str], output: Output) -> Output {
        let show = |bytes: &[u8]| {
            if bytes.len() > 4096 {
                return format!("{} bytes", bytes.len());
            }
            String::from_utf8_lossy(bytes).into_owned()
        };
        self.note(&format!("$ docker {}", arguments.join(" ")));
        self.note(&format!("exit {}", output.code));
        self.note(&format!("out: {}", show(&output.stdout)));
        self.note(&format!("err: {}", show(&output.stderr)));
        output
    }
}
