//! What is logged, and how.

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The least level that is written.
    pub level: tracing::Level,
    /// JSON lines instead of text.
    pub json: bool,
}
