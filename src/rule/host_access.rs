//! Whether the host may be reached.

/// Whether a client may reach past its containers: into the host's namespaces, devices and kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAccess {
    /// What reaches the host is refused.
    Deny,
    /// Only the other limits count.
    Allow,
}

impl HostAccess {
    /// Reads `deny` or `allow`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [("deny", Self::Deny), ("allow", Self::Allow)]
            .into_iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text))
            .map(|(_, access)| access)
    }
}
