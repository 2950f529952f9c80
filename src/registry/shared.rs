//! What the files of this room share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::EngineError;

/// An error that several askers get.
pub(super) type Shared = Arc<EngineError>;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is right after every statement, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
