//! The program as a process of its own, in front of an engine.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fake_engine::{FakeEngine, docker_like};
use crate::support::eventually;

/// The running program, with an engine behind it.
pub(crate) struct Program {
    child: Child,
    dir: tempfile::TempDir,
    _engine: FakeEngine,
}

impl Program {
    /// Starts it with these words, `DIR` in them being a directory of its own, and with these variables alone.
    pub(crate) fn start(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = FakeEngine::start(&dir.path().join("engine.sock"), docker_like).unwrap();
        let place = dir.path().to_str().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sockwarden"))
            .env_clear()
            .envs(variables.iter().copied())
            .arg(format!("-socketpath={place}/engine.sock"))
            .arg("-loglevel=INFO")
            .args(words.iter().map(|word| word.replace("DIR", place)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, dir, _engine: engine }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What proc(5) says of each of its threads under this name.
    pub(crate) fn of_threads(&self, name: &str) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // A thread may end meanwhile.
        tasks.filter_map(|task| status(&task.unwrap().path().join("status"), name)).collect()
    }

    /// Asks it to stop; says how it ended, and what it had logged.
    pub(crate) async fn stop(mut self) -> (Option<i32>, String) {
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

/// A line of a `status` file of proc(5).
pub(crate) fn status(path: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Its answer to a request that ends the connection, as soon as it listens.
pub(crate) async fn ask<S>(connect: impl AsyncFn() -> std::io::Result<S>, request: &str) -> String
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
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
