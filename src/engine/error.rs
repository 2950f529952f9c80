//! How the engine can fail.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

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
