//! The program as it is started, in its sandbox: every thread is in it, and serving works all the same.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::fake_engine::{FakeEngine, docker_like};
use crate::support::{eventually, get, run};

/// The running program, with an engine behind it.
struct Program {
    child: Child,
    dir: tempfile::TempDir,
    _engine: FakeEngine,
}

impl Program {
    /// Starts it with these words, `DIR` in them being a directory of its own.
    fn start(words: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = FakeEngine::start(&dir.path().join("engine.sock"), docker_like).unwrap();
        let place = dir.path().to_str().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sockwarden"))
            .env_clear()
            .arg(format!("-socketpath={place}/engine.sock"))
            .args(["-allowGET=/info", "-loglevel=INFO"])
            .args(words.iter().map(|word| word.replace("DIR", place)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, dir, _engine: engine }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What proc(5) says of each of its threads under this name.
    fn of_threads(&self, name: &str) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // A thread may end meanwhile.
        tasks.filter_map(|task| status(&task.unwrap().path().join("status"), name)).collect()
    }

    /// Asks it to stop; says how it ended, and what it had logged.
    async fn stop(mut self) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let mut code = None;
        eventually("the end", async || {
            let ended = self.child.try_wait().unwrap();
            code = ended.and_then(|status| status.code());
            ended.is_some()
        })
        .await;
        let mut log = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut log).unwrap();
        (code, log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(path: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// What holds for this process, and so for its children to begin with.
fn of_ours(name: &str) -> String {
    status(Path::new("/proc/self/status"), name).unwrap()
}

/// Its answer to `GET /info`, as soon as it listens.
async fn ask<S>(connect: impl AsyncFn() -> std::io::Result<S>) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut stream = None;
    eventually("listening", async || {
        stream = connect().await.ok();
        stream.is_some()
    })
    .await;
    let mut stream = stream.unwrap();
    stream.write_all(get("GET /info", &["Connection: close"]).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[test]
fn every_thread_is_in_the_sandbox_and_serving_works() {
    run(async {
        let program = Program::start(&["-proxysocketendpoint=DIR/proxy.sock"]);
        let path = program.path("proxy.sock");
        let answer = ask(async || UnixStream::connect(&path).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let many = program.of_threads("Name").len();
        assert!(many > 2, "{many} threads");
        for (name, want) in [("NoNewPrivs", "1"), ("Seccomp", "2")] {
            let states = program.of_threads(name);
            assert!(states.len() > 2 && states.iter().all(|state| state == want), "{states:?}");
        }
        let filters: u32 = of_ours("Seccomp_filters").parse().unwrap();
        let with_ours = (filters + 1).to_string();
        let states = program.of_threads("Seccomp_filters");
        assert!(states.iter().all(|state| *state == with_ours), "{states:?}");
        // The socket is removed by a process that may remove nothing elsewhere.
        let (code, log) = program.stop().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(!path.exists(), "the socket was left behind");
        assert!(log.contains("msg=\"the sandbox is closed\" no_new_privs=on"), "{log}");
    });
}

#[test]
fn the_sandbox_can_be_switched_off() {
    run(async {
        let program = Program::start(&["-proxysocketendpoint=DIR/proxy.sock", "-nosandbox"]);
        let path = program.path("proxy.sock");
        let answer = ask(async || UnixStream::connect(&path).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        for name in ["NoNewPrivs", "Seccomp", "Seccomp_filters"] {
            let states = program.of_threads(name);
            assert!(states.iter().all(|state| *state == of_ours(name)), "{name}: {states:?}");
        }
        let (code, log) = program.stop().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("level=WARN msg=\"the sandbox is off"), "{log}");
    });
}

/// Looking names up takes files, threads, netlink and perhaps a name server; all of that happens inside.
#[test]
fn names_are_looked_up_inside() {
    run(async {
        // An address that nobody else listens on, because this process's number is in it.
        let id = std::process::id();
        let address = format!("127.{}.{}.{}", 100 + id / 65536 % 100, id / 256 % 256, id % 256);
        let listen = format!("-listenip={address}");
        let program = Program::start(&[&listen, "-proxyport=2375", "-allowfrom=localhost"]);
        let answer = ask(async || TcpStream::connect((address.as_str(), 2375)).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let (code, log) = program.stop().await;
        assert_eq!(code, Some(0), "{log}");

        let program = Program::start(&[&listen, "-proxyport=2375", "-allowfrom=no-such.invalid"]);
        let answer = ask(async || TcpStream::connect((address.as_str(), 2375)).await).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        program.stop().await;
    });
}
