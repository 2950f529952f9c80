//! What somebody wrote for a setting, before anybody asks what it means.

use std::ffi::OsString;

use crate::rule::Origin;

/// A value, and where it was written.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) origin: Origin,
    pub(super) value: OsString,
}
