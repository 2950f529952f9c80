//! The real engine: whether it is there, the image the tests run, and the removal of everything they make.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use serde_json::Value;

use crate::http;
use crate::tar::{self, Entry};

/// The label on everything the tests make.
pub const LABEL: &str = "sockwarden-test=1";
/// The label that says which run of which scenario made a thing: its [`Names::prefix`].
pub const RUN_LABEL: &str = "sockwarden-test.run";
const PREFIX: &str = "sockwarden-test-";
/// How long the removal of one object may take.
const REMOVAL: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// A Docker Engine on a Unix socket, talked to without anything in between.
#[derive(Debug)]
pub struct Engine {
    socket: PathBuf,
}

impl Engine {
    /// The engine under test; `None`, said loudly, where there is none.
    pub fn present() -> Option<&'static Self> {
        static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
        let engine = ENGINE.get_or_init(|| {
            let socket = env::var_os("SOCKWARDEN_TEST_ENGINE")
                .map_or_else(|| PathBuf::from("/var/run/docker.sock"), PathBuf::from);
            match http::over_unix(&socket, "GET", "/_ping", &[], b"") {
                Ok(answer) if answer.status == 200 => {
                    let engine = Self { socket };
                    engine.sweep_the_dead();
                    Ok(engine)
                }
                Ok(answer) => Err(format!("it answered `/_ping` with {}", answer.status)),
                Err(error) => Err(format!("`{}`: {error}", socket.display())),
            }
        });
        match engine {
            Ok(engine) => Some(engine),
            Err(why) => {
                crate::skip(&format!("no Docker Engine: {why}"));
                None
            }
        }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The minor number of its newest API version, 1.n.
    ///
    /// # Panics
    /// When it does not tell.
    pub fn api(&self) -> u32 {
        self.minor_of("ApiVersion")
    }

    /// The minor number of its oldest API version, 1.n.
    ///
    /// # Panics
    /// When it does not tell.
    pub fn oldest_api(&self) -> u32 {
        self.minor_of("MinAPIVersion")
    }

    fn minor_of(&self, which: &str) -> u32 {
        let version = self.call("GET", "/version", b"").json();
        let minor = version[which].as_str().and_then(|text| text.strip_prefix("1."));
        minor.and_then(|minor| minor.parse().ok()).expect("an API version 1.n")
    }

    /// Whether it is Podman.
    pub fn is_podman(&self) -> bool {
        let version = self.call("GET", "/version", b"").json();
        let components = version["Components"].as_array().into_iter().flatten();
        components.into_iter().any(|it| it["Name"].as_str() == Some("Podman Engine"))
    }

    /// Calls the engine.
    ///
    /// # Panics
    /// When it does not answer.
    #[track_caller]
    pub fn call(&self, method: &str, target: &str, body: &[u8]) -> http::Answer {
        let fields: &[_] =
            if body.is_empty() { &[] } else { &[("Content-Type", "application/x-tar")] };
        http::over_unix(&self.socket, method, target, fields, body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    /// The image the tests run, shared by all that run now and removed with the last of them.
    pub fn image(&'static self) -> Arc<Image> {
        static IMAGE: Mutex<Weak<Image>> = Mutex::new(Weak::new());
        let mut shared = IMAGE.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let image = Arc::new(Image::import(self));
            *shared = Arc::downgrade(&image);
            image
        })
    }

    /// Removes what test processes left behind that are no longer alive. Nothing without our label is touched, and nothing of a living
    /// process, so that several suites can run beside each other.
    fn sweep_the_dead(&self) {
        self.sweep(LABEL, |run| {
            let process = run.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
            process.is_some_and(|process| !lives(process))
        });
    }

    /// Removes an object. A network is in use for as long as a container on it is being removed.
    fn remove(&self, target: &str) {
        let deadline = Instant::now() + REMOVAL;
        while Instant::now() < deadline {
            match self.try_call("DELETE", target) {
                Some(answer) if !matches!(answer.status, 200..=299 | 404) => {}
                _ => return,
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
    }

    /// Calls the engine where a test may have failed already: a second panic would end the process, and leave what other tests made.
    fn try_call(&self, method: &str, target: &str) -> Option<http::Answer> {
        http::over_unix(&self.socket, method, target, &[], b"").ok()
    }

    /// Removes the objects with a label whose run label is one that `ours` wants.
    fn sweep(&self, label: &str, ours: impl Fn(&str) -> bool) {
        let filters = percent_encode(&format!("{{\"label\":[\"{label}\"]}}"));
        let list = |target: &str| {
            let answer = self.try_call("GET", &format!("{target}filters={filters}"));
            answer.and_then(|it| serde_json::from_slice(&it.body).ok()).unwrap_or(Value::Null)
        };
        let wanted = |object: &Value| object["Labels"][RUN_LABEL].as_str().is_some_and(&ours);
        let remove = |objects: &Value, key: &str, path: &str, query: &str| {
            for object in objects.as_array().into_iter().flatten().filter(|it| wanted(it)) {
                if let Some(id) = object[key].as_str() {
                    self.remove(&format!("{path}/{id}?{query}"));
                }
            }
        };
        // Podman waits ten seconds for the end of a container that it removes, unless it is told otherwise.
        let query = "force=1&v=1&timeout=0";
        remove(&list("/containers/json?all=1&"), "Id", "/containers", query);
        remove(&list("/networks?"), "Id", "/networks", "");
        remove(&list("/volumes?")["Volumes"], "Name", "/volumes", "force=1");
        remove(&list("/images/json?all=1&"), "Id", "/images", "force=1");
    }
}

/// A small image with busybox in it.
#[derive(Debug)]
pub struct Image {
    engine: &'static Engine,
    name: String,
}

impl Image {
    /// Its name with its tag.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn import(engine: &'static Engine) -> Self {
        let run = unique();
        let name = format!("{run}:busybox");
        let changes: String = [
            format!("LABEL {LABEL}"),
            format!("LABEL {RUN_LABEL}={run}"),
            "ENV PATH=/bin".to_owned(),
            "CMD [\"sh\"]".to_owned(),
        ]
        .iter()
        .map(|change| format!("&changes={}", percent_encode(change)))
        .collect();
        let target = format!("/images/create?fromSrc=-&repo={}{changes}", percent_encode(&name));
        let answer = engine.call("POST", &target, &busybox_root());
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 200 && !said.contains("error"), "the image import failed: {said}");
        Self { engine, name }
    }
}

impl Drop for Image {
    /// A build from it that failed leaves its step, and the images of the steps before, with the labels of this one.
    fn drop(&mut self) {
        let run = self.name.split(':').next().unwrap_or_default();
        self.engine.sweep(&format!("{RUN_LABEL}={run}"), |it| it == run);
        self.engine.try_call("DELETE", &format!("/images/{}?force=1", self.name));
    }
}

/// The root file system of the test image, as a tar archive.
///
/// # Panics
/// When there is no static busybox.
pub fn busybox_root() -> Vec<u8> {
    let path = env::var_os("SOCKWARDEN_TEST_BUSYBOX").map(PathBuf::from).or_else(|| {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).map(|dir| dir.join("busybox")).find(|it| it.exists())
    });
    let path = path
        .expect("a static busybox in PATH (Debian: busybox-static), or SOCKWARDEN_TEST_BUSYBOX");
    let busybox = fs::read(&path).expect("busybox is readable");
    let applets = "sh cat echo sleep true false touch mkfifo wc dd stty test ls id head seq mkdir kill md5sum hostname tty mv";
    let links: Vec<String> = applets.split(' ').map(|applet| format!("bin/{applet}")).collect();
    let mut entries = vec![
        ("bin/", Entry::Directory),
        ("tmp/", Entry::Directory),
        ("etc/", Entry::Directory),
        ("bin/busybox", Entry::File(0o755, &busybox)),
    ];
    entries.extend(links.iter().map(|link| (link.as_str(), Entry::Link("busybox"))));
    tar::archive(&entries)
}

/// The names of what one run of a scenario makes; all of it is removed when this is dropped.
#[derive(Debug)]
pub struct Names {
    engine: &'static Engine,
    prefix: String,
    images: Mutex<Vec<String>>,
}

impl Names {
    /// Names that nobody else has.
    pub fn new(engine: &'static Engine) -> Self {
        Self { engine, prefix: unique(), images: Mutex::default() }
    }

    /// What all of them begin with, and the value of [`RUN_LABEL`].
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A name for a container, a network or a volume, which must carry [`Names::labels`] to be removed.
    pub fn name(&self, word: &str) -> String {
        format!("{}-{word}", self.prefix)
    }

    /// A name for an image, removed by this name.
    pub fn image(&self, word: &str) -> String {
        let name = format!("{}:{word}", self.prefix);
        self.images.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// A name for an image in a repository of several segments, removed by this name.
    pub fn image_in_a_repository(&self, word: &str) -> String {
        let name = format!("{}/{word}:1", self.prefix);
        self.images.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// The labels that every object must carry.
    pub fn labels(&self) -> [(String, String); 2] {
        let (key, value) = LABEL.split_once('=').expect("the label has a value");
        [(key.to_owned(), value.to_owned()), (RUN_LABEL.to_owned(), self.prefix.clone())]
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.engine.sweep(&format!("{RUN_LABEL}={}", self.prefix), |run| run == self.prefix);
        for image in self.images.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            self.engine.try_call("DELETE", &format!("/images/{image}?force=1"));
        }
    }
}

/// A name that begins as all of ours do, then says which process we are, then has a number.
fn unique() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let id = process::id();
    let began = began(&id.to_string()).unwrap_or_default();
    format!("{PREFIX}{id}x{began}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Whether the process still lives that a name speaks of: its id and when it began. An id alone may be another process's by now.
fn lives(process: &str) -> bool {
    let Some((id, begins)) = process.split_once('x') else { return began(process).is_some() };
    began(id).is_some_and(|it| it == begins)
}

/// When a process began, as the kernel counts.
fn began(id: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind its name, which may hold anything.
    Some(stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned())
}

#[test]
fn a_process_lives_under_its_own_beginning() {
    let own = unique();
    let process = own.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).unwrap();
    assert!(lives(process), "{own}");
    let id = process::id();
    assert!(!lives(&format!("{id}x1")) && !lives("4194305x1") && !lives("4194305"));
}

/// Percent-encodes a query value.
pub fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
