//! An engine without a socket, for tests that have their own clock: a connection is a pair of pipes in memory. The program has none of this.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::DuplexStream;

use super::error::EngineError;

/// Opens a connection to a scripted engine.
#[derive(Clone)]
pub(crate) struct Scripted(pub(super) Arc<dyn Fn() -> Option<DuplexStream> + Send + Sync>);

impl Scripted {
    pub(super) fn dial(&self) -> Result<DuplexStream, EngineError> {
        (self.0)().ok_or_else(|| EngineError::Unreachable {
            socket: PathBuf::new(),
            source: io::ErrorKind::ConnectionRefused.into(),
        })
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}
