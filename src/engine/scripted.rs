//! An engine without a socket, for tests that have their own clock: a connection is a pair of pipes in memory. The program has none of this.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::DuplexStream;

use super::{Engine, EngineError};

/// Opens a connection to a scripted engine.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<dyn Fn() -> Option<DuplexStream> + Send + Sync>);

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

impl Engine {
    /// An engine that answers our own questions on what `dial` opens; it cannot be reached while there is nothing.
    pub(crate) fn scripted(
        dial: impl Fn() -> Option<DuplexStream> + Send + Sync + 'static,
    ) -> Self {
        Self { scripted: Some(Scripted(Arc::new(dial))), ..Self::new(Path::new("")) }
    }
}
