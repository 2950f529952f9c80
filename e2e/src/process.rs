//! A child process that cannot hang a test or outlive it.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::wait;

/// A running child, killed when dropped.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Captured>,
    stderr: Arc<Captured>,
}

/// How a child ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code, or minus the signal.
    pub code: i32,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, without the white space around it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// Standard error as text, without the white space around it.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }
}

impl Process {
    /// Starts a command with its three streams piped.
    ///
    /// # Panics
    /// When the command cannot be started.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let what = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        let stdin = child.stdin.take();
        let stdout = Captured::reading(child.stdout.take());
        let stderr = Captured::reading(child.stderr.take());
        Self { what, child, stdin, stdout, stderr }
    }

    /// Runs a command to its end with nothing on its standard input.
    #[track_caller]
    pub fn run(command: Command) -> Output {
        let mut process = Self::start(command);
        process.close_stdin();
        process.finish()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input.
    ///
    /// # Panics
    /// When the child has closed it.
    #[track_caller]
    pub fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("standard input is still open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the child reads");
    }

    /// Writes all of `bytes` to its standard input and closes it, without waiting for the child to read them.
    pub fn feed_all(&mut self, bytes: Vec<u8>) {
        if let Some(mut stdin) = self.stdin.take() {
            // A child that ends early does not read everything, and that shows in its output.
            thread::spawn(move || drop(stdin.write_all(&bytes)));
        }
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until its standard output holds `text`.
    #[track_caller]
    pub fn expect_output(&self, text: &str) {
        let found = self.stdout.wait(|it| contains(&it.bytes, text.as_bytes()) || it.ended);
        assert!(
            contains(&found, text.as_bytes()),
            "{}: `{text}` never came; standard output: {}; standard error: {}",
            self.what,
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(&self.stderr.now()),
        );
    }

    /// What it has written to standard output so far.
    pub fn output_so_far(&self) -> Vec<u8> {
        self.stdout.now()
    }

    /// What it has written to standard error so far.
    pub fn errors_so_far(&self) -> Vec<u8> {
        self.stderr.now()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has no process id any more.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("a child has a process id"), signal)
            .expect("the child is still ours to signal");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        let stdout = self.stdout.wait(|it| it.ended);
        let stderr = self.stderr.wait(|it| it.ended);
        assert!(
            self.stdout.has_ended() && self.stderr.has_ended(),
            "{}: still running after {} s; standard output: {}; standard error: {}",
            self.what,
            wait::DEADLINE.as_secs(),
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr),
        );
        let child = &mut self.child;
        let status = wait::until("the child's exit", || child.try_wait().ok().flatten());
        Output { code: code(status), stdout, stderr }
    }

    /// Kills it with SIGKILL and reaps it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(code)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

/// What a stream has carried.
#[derive(Debug, Default)]
struct Captured {
    state: Mutex<Carried>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Carried {
    bytes: Vec<u8>,
    ended: bool,
}

impl Captured {
    fn reading(stream: Option<impl Read + Send + 'static>) -> Arc<Self> {
        let captured = Arc::new(Self::default());
        let Some(mut stream) = stream else { return captured };
        let writer = Arc::clone(&captured);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = stream.read(&mut buffer).unwrap_or(0);
                let mut state = writer.state.lock().unwrap();
                state.bytes.extend_from_slice(&buffer[..count]);
                state.ended = count == 0;
                writer.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        captured
    }

    /// Waits for a condition, or for the deadline; says what there is then.
    fn wait(&self, mut done: impl FnMut(&Carried) -> bool) -> Vec<u8> {
        let state = self.state.lock().unwrap();
        let (state, _) =
            self.changed.wait_timeout_while(state, wait::DEADLINE, |it| !done(it)).unwrap();
        state.bytes.clone()
    }

    fn now(&self) -> Vec<u8> {
        self.state.lock().unwrap().bytes.clone()
    }

    fn has_ended(&self) -> bool {
        self.state.lock().unwrap().ended
    }
}
