//! What `sockwarden check` can find, and one thing that it found.

use super::project::Place;

/// A kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Configuration,
    Surprising,
    Label,
    DeployLabel,
    DeadPattern,
    WidePattern,
    HostOwner,
    NetRaw,
    Published,
    RawSocket,
    NoSocket,
    NoSharedNetwork,
    LabelsNotRead,
}

impl Rule {
    /// Every kind.
    pub(super) const ALL: [Self; 13] = [
        Self::Configuration,
        Self::Surprising,
        Self::Label,
        Self::DeployLabel,
        Self::DeadPattern,
        Self::WidePattern,
        Self::HostOwner,
        Self::NetRaw,
        Self::Published,
        Self::RawSocket,
        Self::NoSocket,
        Self::NoSharedNetwork,
        Self::LabelsNotRead,
    ];

    /// Its name, which stays the same.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Surprising => "surprising",
            Self::Label => "label",
            Self::DeployLabel => "deploy-label",
            Self::DeadPattern => "dead-pattern",
            Self::WidePattern => "wide-pattern",
            Self::HostOwner => "host-owner",
            Self::NetRaw => "net-raw",
            Self::Published => "published-port",
            Self::RawSocket => "raw-socket",
            Self::NoSocket => "no-socket",
            Self::NoSharedNetwork => "no-shared-network",
            Self::LabelsNotRead => "labels-not-read",
        }
    }

    /// What it is about, a sentence without a full stop.
    pub(super) const fn summary(self) -> &'static str {
        match self {
            Self::Configuration => "A flag or a variable is wrong, so sockwarden does not start",
            Self::Surprising => "A flag or a variable does not mean what it seems to",
            Self::Label => "A label is wrong, so its container has no rights",
            Self::DeployLabel => {
                "A label belongs to the service of a swarm, and its containers do not have it"
            }
            Self::DeadPattern => "A pattern matches nothing, or not what it seems to",
            Self::WidePattern => "Patterns give more than words would",
            Self::HostOwner => "A client owns the host",
            Self::NetRaw => "A container can take the address of a client",
            Self::Published => "The proxy can be reached from outside",
            Self::RawSocket => "A container has the engine's socket without a proxy",
            Self::NoSocket => "The proxy has no socket of an engine",
            Self::NoSharedNetwork => "A client cannot reach the proxy, or is not recognised",
            Self::LabelsNotRead => "The proxy does not read labels",
        }
    }

    /// How bad it is, as SARIF says it.
    pub(super) const fn level(self) -> &'static str {
        match self {
            Self::Configuration | Self::Label | Self::RawSocket | Self::Published => "error",
            _ => "warning",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: Rule,
    /// Where it stands, if in a file.
    pub(super) place: Option<Place>,
    /// The service, or what else it is about.
    pub(super) subject: String,
    /// What is wrong and what to do, on one line.
    pub(super) message: String,
}

/// What somebody may do, as a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) place: Option<Place>,
    pub(super) subject: String,
    /// From `A` to `F`.
    pub(super) letter: String,
    /// The letter, a sentence, and what makes it so.
    pub(super) risk: String,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) found: Vec<Finding>,
    pub(super) clients: Vec<Client>,
}

impl Findings {
    pub(super) fn add(
        &mut self,
        rule: Rule,
        place: Option<&Place>,
        subject: &str,
        message: impl Into<String>,
    ) {
        let (place, subject) = (place.cloned(), subject.to_owned());
        let finding = Finding { rule, place, subject, message: message.into() };
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }
}
