//! What holds now. A reload replaces it as a whole; a request takes it once, at its start, and keeps what it took.
//!
//! The limits are not in here: they apply before there is a request. ARCHITECTURE.md says more ("Decisions that look odd").

use std::sync::{Arc, PoisonError, RwLock};

use crate::admission::AdmissionList;
use crate::policy::Policy;

/// What is allowed, and who is admitted.
#[derive(Debug)]
pub struct InForce {
    /// What is allowed.
    pub policy: Policy,
    /// Who may use the default allowlist.
    pub admissions: AdmissionList,
}

/// Holds what is in force.
#[derive(Debug)]
pub struct Current(RwLock<Arc<InForce>>);

impl Current {
    /// Puts this in force.
    pub fn new(first: InForce) -> Self {
        Self(RwLock::new(Arc::new(first)))
    }

    /// What is in force now.
    pub fn take(&self) -> Arc<InForce> {
        // Nothing is done while it is locked that could fail halfway.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts this in force for every request that begins from now on.
    pub fn replace(&self, next: InForce) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}
