//! What a request asks for that its rule does not cover, with a face for each of its two readers.

use std::fmt;

/// What a clause says: nothing, or what is wrong.
pub(super) type Verdict = Result<(), Violation>;

/// What a request asks for that its rule does not cover.
///
/// It has two faces. The operator's, which goes to the log, says everything (its `Display`). The client's says what the client
/// may know ([`Violation::told`]). They differ where the engine's answers were judged: what stands in those is only for clients that may
/// read them themselves. The veil is laid by `Inquiry::look`, the only way to an answer, so a new clause cannot forget it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The clause that refuses it.
    pub clause: Clause,
    /// Where it stands: a field, a parameter, or what the path names.
    place: String,
    /// What is wrong with it.
    problem: String,
    /// What the client reads in place of the two above.
    veil: Option<(String, &'static str)>,
}

/// The clauses, by what would have to be changed for the request to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clause {
    /// A mount from outside the listed directories (`bindmountfrom`); none are listed where only `hostaccess` denies it.
    MountSource,
    /// A mount, where none is allowed (`-denyhostmounts`).
    NoMounts,
    /// An NFS or CIFS volume (`-denynetworkvolumes`).
    NetworkVolume,
    /// It reaches the host (`hostaccess`).
    HostAccess,
    /// It sets a label that carries rights, or takes a name that does (`allow.labels`).
    Labels,
    /// A build on a network where a step of it could be somebody else (`allow.labels`).
    BuildNetwork,
    /// It touches the proxy's own container. Nothing allows that.
    OwnContainer,
    /// It would take another's identity. Nothing allows that.
    Identity,
    /// The body or parameter cannot be understood, so nobody can say what it asks for.
    Unclear,
    /// The engine has no such container or exec.
    NoSuchObject,
    /// An exec in a container in which the list allows no exec.
    ExecElsewhere,
    /// A word gives the operation, and its conditions or its terms do not hold.
    Condition,
    /// An image that the list does not name (`images`).
    Image,
}

impl Violation {
    /// What the client is told: where it stands, and what is wrong with it.
    pub fn told(&self) -> impl fmt::Display {
        let (place, problem) = self.told_parts();
        fmt::from_fn(move |f| write!(f, "{place} {problem}"))
    }

    /// What the client is told is wrong, without the place.
    pub fn told_problem(&self) -> &str {
        self.told_parts().1
    }

    fn told_parts(&self) -> (&str, &str) {
        match &self.veil {
            Some((place, problem)) => (place, problem),
            None => (&self.place, &self.problem),
        }
    }

    /// The same with less for the client, unless it has a veil already: the innermost says the most.
    pub(super) fn veiled(mut self, place: &str, problem: &'static str) -> Self {
        self.veil.get_or_insert_with(|| (place.to_owned(), problem));
        self
    }
}

impl fmt::Display for Violation {
    /// The operator's face.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.problem)
    }
}

pub(super) fn violation(clause: Clause, place: &str, problem: &str) -> Violation {
    Violation { clause, place: place.to_owned(), problem: problem.to_owned(), veil: None }
}

pub(super) fn host(place: &str, problem: &str) -> Violation {
    violation(Clause::HostAccess, place, problem)
}

pub(super) fn no_such(place: &str, problem: &str) -> Violation {
    violation(Clause::NoSuchObject, place, problem)
}
