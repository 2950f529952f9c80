//! Looks at the engine: what a clause has to know of an object that the request only names.
//!
//! An answer is judged inside [`Review::look`], which lays a veil over what is found there: a refusal tells a client nothing of an answer
//! that its own list would not let it read. So what clauses read of an answer is all in the functions that take one, named `…_found` or
//! given to `look` on the spot.

use crate::request::Method;
use crate::request::json::Json;
use crate::rule::{Allowlist, Match};
use crate::text::printable;

use super::{Answers, Clause, Review, Verdict, Violation, is_plain, violation};

/// Something about the engine that a clause needs to know. With each stands what is read of its answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The container that this name, id or part of an id means: `Id`, `Name`; `Type`, `Name`, `Source`, `Destination` and `RW` of its `Mounts`; of its
    /// `HostConfig` what `inside.rs` looks at.
    Container(String),
    /// The exec with this id: `ContainerID`, `ProcessConfig.privileged`.
    Exec(String),
    /// The image that this reference means: `Config.Labels`.
    Image(String),
    /// How the engine is set up (`GET /info`): `CgroupVersion`, `SecurityOptions`.
    Info,
    /// The network that this name, id or part of an id means: `Id`, `Driver`.
    Network(String),
    /// The node of the swarm that this name, id or part of an id means: `ID`.
    Node(String),
    /// The service that this name or id means: `PreviousSpec`, all of it.
    Service(String),
    /// Which engine it is (`GET /version`): the `Name` of its `Components`.
    Version,
    /// The volume of this name: `Driver`, `Options`.
    Volume(String),
}

impl Question {
    /// What it is about, as it was named.
    pub fn name(&self) -> &str {
        match self {
            Self::Container(name)
            | Self::Exec(name)
            | Self::Image(name)
            | Self::Network(name)
            | Self::Node(name)
            | Self::Service(name)
            | Self::Volume(name) => name,
            Self::Info | Self::Version => "the engine",
        }
    }

    /// The paths whose answers say what the answer to this says.
    fn paths(&self, answer: Option<&Json>) -> Vec<String> {
        let one = |path: &str| vec![path.to_owned()];
        let or_listed =
            |kind: &str, name: &str| vec![format!("/{kind}/{name}"), format!("/{kind}")];
        match self {
            Self::Container(name) => references(answer)
                .iter()
                .chain([name])
                .map(|name| format!("/containers/{name}/json"))
                .collect(),
            Self::Exec(id) => vec![format!("/exec/{id}/json")],
            Self::Image(name) => vec![format!("/images/{name}/json")],
            Self::Info => one("/info"),
            Self::Network(name) => or_listed("networks", name),
            Self::Node(name) => or_listed("nodes", name),
            Self::Service(name) => or_listed("services", name),
            Self::Version => one("/version"),
            Self::Volume(name) => or_listed("volumes", name),
        }
    }
}

/// What a container can be called in a path: its full id, the twelve digits that people are shown, its name.
pub(super) fn references(inspect: Option<&Json>) -> Vec<String> {
    let text = |name: &str| inspect.and_then(|it| it.field(name)).and_then(Json::as_str);
    let id = text("Id").unwrap_or_default();
    let name = text("Name").unwrap_or_default().trim_start_matches('/');
    let all = [id, id.get(..12).unwrap_or_default(), name];
    all.into_iter().filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// What the engine has answered so far. Only this file can read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a>(&'a Answers);

impl<'a> Known<'a> {
    pub(super) const fn new(answers: &'a Answers) -> Self {
        Self(answers)
    }
}

/// What a client that may not read an answer is told of what was found in it, and of which place in its own request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Veil<'p> {
    pub(super) place: &'p str,
    pub(super) problem: &'static str,
}

impl<'a> Review<'a> {
    /// Judges what the engine says of an object, `None` where it has no such. Without an answer a question is left for it, and whatever is
    /// judged has to wait.
    pub(super) fn look(
        &mut self,
        question: &Question,
        veil: Veil<'_>,
        judge: impl FnOnce(&mut Self, Option<&'a Json>) -> Verdict,
    ) -> Verdict {
        let answer = match self.answer(question) {
            Looked::NotYet => return Ok(()),
            Looked::Missing => None,
            Looked::Found(answer) => Some(answer),
        };
        judge(self, answer).map_err(|violation| {
            if self.may_read(question, answer) {
                violation
            } else {
                violation.veiled(veil.place, veil.problem)
            }
        })
    }

    /// The container that a name, id or part of an id means; that there is none is a violation.
    pub(super) fn look_at_container(
        &mut self,
        name: &str,
        place: &str,
        problem: &'static str,
        judge: impl FnOnce(&mut Self, &'a Json) -> Verdict,
    ) -> Verdict {
        let missing = || no_such(place, &format!("No such container: {}", printable(name)));
        if !is_plain(name) {
            return Err(missing());
        }
        let question = Question::Container(name.to_owned());
        // That there is none is what the client would hear of the engine as well.
        if self.has_none(&question) {
            return Err(missing());
        }
        self.look(&question, Veil { place, problem }, |review, inspect| match inspect {
            Some(inspect) => judge(review, inspect),
            None => Ok(()),
        })
    }

    /// Whether the engine said that it has no such object.
    pub(super) fn has_none(&self, question: &Question) -> bool {
        matches!(self.known.0.get(question), Some(None))
    }

    /// Whether every list that has to allow this request would let the client read this answer.
    fn may_read(&self, question: &Question, answer: Option<&Json>) -> bool {
        let paths = question.paths(answer);
        let reads =
            |list: &Allowlist| paths.iter().any(|path| self.may_ask(list, Method::Get, path));
        self.lists.iter().all(|list| reads(list))
    }

    /// Whether a list allows this, as this client names versions or without one.
    pub(super) fn may_ask(&self, list: &Allowlist, method: Method, path: &str) -> bool {
        let allows = |path: &str| matches!(list.rules.find(method, path), Match::Rule(_));
        let version = self.head.target.version();
        version.is_some_and(|version| allows(&format!("/v{version}{path}"))) || allows(path)
    }

    /// Whether this is Docker's engine, which says so in its version; `None` while that has to be asked. Others speak its API as well
    /// (Podman's component is called `Podman Engine`), and they hide in their answers what Docker shows.
    pub(super) fn is_docker(&mut self) -> Option<bool> {
        let version = match self.answer(&Question::Version) {
            Looked::NotYet => return None,
            Looked::Missing => return Some(false),
            Looked::Found(version) => version,
        };
        let components = version.field("Components").and_then(Json::as_array);
        let name = |component: &'a Json| component.field("Name").and_then(Json::as_str);
        Some(components.unwrap_or_default().iter().any(|it| name(it) == Some("Engine")))
    }

    /// Whether containers of this engine are in the host's cgroup namespace by default, as they are with cgroup v1; `None` while that has
    /// to be asked. Where they are not, `cgroupns` is among the engine's security options (moby `daemon/info.go`, `fillSecurityOptions`).
    pub(super) fn cgroups_are_the_hosts(&mut self) -> Option<bool> {
        let info = match self.answer(&Question::Info) {
            Looked::NotYet => return None,
            Looked::Missing => return Some(false),
            Looked::Found(info) => info,
        };
        let version = info.field("CgroupVersion").and_then(Json::as_str);
        let options = info.field("SecurityOptions").and_then(Json::as_array);
        let is_private = options.is_none_or(|options| {
            options.iter().any(|it| it.as_str().is_none_or(|it| it.contains("cgroupns")))
        });
        Some(version == Some("1") && !is_private)
    }

    /// What the engine answered; where it was not asked yet, a question is left for it.
    fn answer(&mut self, question: &Question) -> Looked<'a> {
        match self.known.0.get(question) {
            Some(Some(answer)) => Looked::Found(answer),
            Some(None) => Looked::Missing,
            None => {
                self.questions.push(question.clone());
                Looked::NotYet
            }
        }
    }
}

/// What a look at the engine gave.
#[derive(Debug, Clone, Copy)]
enum Looked<'a> {
    /// It was not asked yet; a question is left for it.
    NotYet,
    /// It has no such object.
    Missing,
    /// It describes the object.
    Found(&'a Json),
}

pub(super) fn no_such(place: &str, problem: &str) -> Violation {
    violation(Clause::NoSuchObject, place, problem)
}
