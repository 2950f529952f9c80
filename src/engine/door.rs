//! Where the engine is, and how it is reached.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1::SendRequest;
use rustix::io::Errno;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::EngineError;
use crate::request::ApiVersion;
use crate::request::json::skim::Wanted;
use crate::socket::Socket;

/// Questions of judgements that are under way at once.
pub(super) const MOST_QUESTIONS: usize = 16;

/// Where the engine is.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) socket: Arc<Path>,
    /// The API version of our own questions, once agreed.
    pub(super) api: Arc<RwLock<Option<ApiVersion>>>,
    /// Whether it was Docker's engine when we agreed on that.
    pub(super) is_docker: Arc<AtomicBool>,
    /// Connections for our own questions that wait for the next one.
    pub(super) idle: Arc<Mutex<Vec<OwnConnection>>>,
    /// For the questions of judgements.
    pub(super) seats: Arc<Semaphore>,
    /// The labels that we read.
    pub(super) labels: Wanted,
    /// What a test has in place of the socket, for our own questions.
    #[cfg(test)]
    pub(super) scripted: Option<super::scripted::Scripted>,
}

impl Engine {
    /// The engine behind a Unix socket.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: Arc::from(socket),
            api: Arc::default(),
            is_docker: Arc::default(),
            idle: Arc::default(),
            seats: Arc::new(Semaphore::new(MOST_QUESTIONS)),
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

/// A connection for our own questions.
#[derive(Debug)]
pub(super) struct OwnConnection {
    pub(super) sender: SendRequest<Empty<Bytes>>,
    pub(super) _driver: JoinSet<()>,
}

#[cfg(test)]
impl Engine {
    /// An engine that answers our own questions on what `dial` opens; it cannot be reached while there is nothing.
    pub(crate) fn scripted(
        dial: impl Fn() -> Option<tokio::io::DuplexStream> + Send + Sync + 'static,
    ) -> Self {
        Self {
            scripted: Some(super::scripted::Scripted(Arc::new(dial))),
            ..Self::new(Path::new(""))
        }
    }
}
