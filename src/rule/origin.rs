//! Where a right was written.

use std::fmt;

/// Where a rule was written, so that a verdict can be traced to a line somebody can edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag, for example `-allowGET`.
    Flag(String),
    /// An environment variable, for example `SP_ALLOW_GET_2`.
    Env(String),
    /// A container's label, for example `socket-proxy.allow.get`.
    Label(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Env(name) | Self::Label(name) => f.write_str(name),
        }
    }
}
