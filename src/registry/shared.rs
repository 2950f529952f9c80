//! What the files of this room share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::ContainerId;
use crate::engine::questions::ContainerInspect;
use crate::engine::{Engine, EngineError, OwnCall};

/// An error that several askers get.
pub(super) type Shared = Arc<EngineError>;

/// What the engine says of a container now; `None` if it knows none with this id.
pub(super) async fn inspect(
    engine: &Engine,
    id: ContainerId,
) -> Result<Option<ContainerInspect>, Shared> {
    engine.ask_for(OwnCall::Container(&id.to_string())).await.map_err(Arc::new)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is right after every statement, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
