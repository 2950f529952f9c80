//! The engine's socket, with two doors: [`Link::send`] for what clients were allowed, and [`Engine::ask_for`] for our own reading.

pub mod events;
pub mod head;
mod link;
pub mod questions;
#[cfg(test)]
pub(crate) mod scripted;
pub mod told;
mod transfer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

pub use link::{Answer, AnswerBody, EngineEnd, Link};
pub use questions::{EngineVersion, OwnCall};
pub use transfer::EngineBody;

use crate::bounds::memory::Purse;
use crate::request::ApiVersion;
use crate::request::json::skim::Wanted;
use crate::socket::Socket;

/// Where the engine is.
#[derive(Debug, Clone)]
pub struct Engine {
    socket: Arc<Path>,
    /// The API version of our own questions, once agreed.
    api: Arc<RwLock<Option<ApiVersion>>>,
    /// Whether it was Docker's engine when we agreed on that.
    is_docker: Arc<AtomicBool>,
    /// Connections for our own questions that wait for the next one.
    idle: Arc<Mutex<Vec<questions::OwnConnection>>>,
    /// For the questions of judgements.
    seats: Arc<Semaphore>,
    /// The labels that we read.
    labels: Wanted,
    /// What a test has in place of the socket, for our own questions.
    #[cfg(test)]
    scripted: Option<scripted::Scripted>,
}

impl Engine {
    /// The engine behind a Unix socket.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: Arc::from(socket),
            api: Arc::default(),
            is_docker: Arc::default(),
            idle: Arc::default(),
            seats: Arc::new(Semaphore::new(questions::MOST_QUESTIONS)),
            labels: Wanted::default(),
            #[cfg(test)]
            scripted: None,
        }
    }

    /// The same engine, of whose containers and images these labels are read; else none are.
    #[must_use]
    pub fn reading_labels(self, labels: Wanted) -> Self {
        Self { labels, ..self }
    }

    /// The engine side of one client connection, at the expense of that client. Nothing is opened before the first request.
    pub fn link(&self, purse: Option<Purse>) -> Link {
        Link::new(self.clone(), purse)
    }

    /// The path of its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Connects to the socket and does nothing with it.
    ///
    /// # Errors
    /// When nobody listens there, or we may not connect.
    pub async fn connect(&self) -> Result<Arc<Socket>, EngineError> {
        let refused =
            |source| EngineError::Unreachable { socket: self.socket.to_path_buf(), source };
        let deadline = tokio::time::Instant::now() + CONNECT_PATIENCE;
        loop {
            match UnixStream::connect(&*self.socket).await {
                Ok(stream) => return Ok(Arc::new(Socket::Unix(stream))),
                // unix(7): a non-blocking connect to a full backlog fails with EAGAIN and cannot be waited for.
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        && tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(BACKLOG_PAUSE).await;
                }
                Err(error)
                    if Errno::from_io_error(&error)
                        .is_some_and(|error| matches!(error, Errno::MFILE | Errno::NFILE)) =>
                {
                    return Err(EngineError::NoDescriptor(error));
                }
                Err(error) => return Err(refused(error)),
            }
        }
    }
}

/// How long a full backlog of the engine's socket is waited for.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two tries at a full backlog.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// Why the engine did not answer as it should. None of it is the client's fault.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no connection to be had.
    #[error("the engine does not answer on `{}`; check that it runs and that the socket is the engine's", socket.display())]
    Unreachable {
        /// The socket that was tried.
        socket: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// We cannot open another socket.
    #[error(
        "no file descriptor is left to reach the engine with; try again later, or raise the limit of open files"
    )]
    NoDescriptor(#[source] io::Error),
    /// The connection failed before an answer came.
    #[error("the engine ended the connection before it answered; look at the engine's log")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer has more fields, or a longer head, than we read.
    #[error("the head of the engine's answer is too large to be passed on")]
    TooLarge,
    /// The answer cannot be read, or can be read in two ways.
    #[error("the engine's answer is not HTTP/1.1 ({0}); check that the socket is the engine's")]
    NotHttp(&'static str),
    /// The answer is not one that can be passed on.
    #[error("the engine's answer makes no sense here: {0}")]
    Unexpected(&'static str),
    /// It answers one of our own questions with an error.
    #[error("the engine answers one of our own questions with {0}")]
    Refused(http::StatusCode),
    /// It took too long over one of our own questions.
    #[error("the engine did not answer within {} seconds", .0.as_secs())]
    Slow(Duration),
    /// The client's own body failed on the way.
    #[error("the request body ended early")]
    ClientBody,
}
