//! One request on its way through the clauses, for one of the lists that have to allow it: what was asked, and what the engine said of the
//! objects in it.
//!
//! An answer of the engine is judged inside [`Inquiry::look`], which lays a veil over what is found there: a refusal tells a client nothing of
//! an answer that its own list would not let it read. So what clauses read of an answer is all in the functions that take one, named
//! `…_found` or given to `look` on the spot.

use crate::request::json::Json;
use crate::request::{Head, Method, Operation, Reading};
use crate::rule::{Allowlist, HostAccess, Match};

use crate::text::printable;

use super::answers::Answers;
use super::known::hidden_since;
use super::names::is_plain;
use super::question::Question;
use super::terms::{By, ListLimits, Mounts, Terms};
use super::violation::{Verdict, host, no_such};

/// One look at a request, for one list. Clauses are functions over it.
#[derive(Debug)]
pub(super) struct Inquiry<'a> {
    pub(super) head: &'a Head,
    pub(super) body: Option<&'a Json>,
    pub(super) terms: &'a Terms,
    /// The one of the lists that is looked at.
    pub(super) list: &'a Allowlist,
    pub(super) limits: ListLimits<'a>,
    /// Which of the list's grants are looked at.
    pub(super) by: By,
    /// Only [`Inquiry::look`] reads them.
    answers: &'a Answers,
    /// What has to be asked of the engine before this request can be allowed.
    questions: Vec<Question>,
}

/// What a client that may not read an answer is told of what was found in it, and of which place in its own request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Veil<'p> {
    pub(super) place: &'p str,
    pub(super) problem: &'static str,
}

impl<'a> Inquiry<'a> {
    /// A look at this request with what is known so far.
    pub(super) fn new(
        head: &'a Head,
        body: Option<&'a Json>,
        terms: &'a Terms,
        list: &'a Allowlist,
        by: By,
        answers: &'a Answers,
    ) -> Self {
        let limits = ListLimits::of(list, &terms.defaults, by);
        Self { head, body, terms, list, limits, by, answers, questions: Vec::new() }
    }

    /// What has to be asked before the next look.
    pub(super) fn into_questions(self) -> Vec<Question> {
        self.questions
    }

    /// What the path names, as the client named it.
    pub(super) fn object(&self) -> &'a str {
        let path = self.head.target.path();
        self.head.operation.object(path).and_then(|range| path.get(range)).unwrap_or_default()
    }

    pub(super) fn field(&self, name: &str) -> Option<&'a Json> {
        self.body.and_then(|body| body.field(name))
    }

    /// The value of a parameter that engines read once. Of a list this would be its first value alone.
    pub(super) fn parameter(&self, name: &str) -> &'a str {
        debug_assert!(
            !self.head.operation.parameters().contains(&(name, Reading::List)),
            "`{name}` is a list, of which every value has to be judged"
        );
        self.head.target.query().first(name).unwrap_or_default()
    }

    /// The same of a parameter that the operation may not have.
    pub(super) fn parameter_or_empty(&self, name: &str) -> &'a str {
        self.head.target.query().first(name).unwrap_or_default()
    }

    /// Whether a word gives the operation, which lifts what refuses it as a whole.
    pub(super) fn is_by_words(&self) -> bool {
        self.by == By::Words
    }

    pub(super) const fn denies_host(&self) -> bool {
        matches!(self.limits.host_access, HostAccess::Deny)
    }

    /// Whether anything may be mounted, of the host and from the network.
    pub(super) const fn mounts_are_free(&self) -> bool {
        matches!(self.limits.mounts, Mounts::All) && self.limits.network_volumes
    }

    /// Refuses the whole operation where access to the host is denied and no word gives it.
    pub(super) fn denied(&self, problem: &str) -> Verdict {
        let place = format!("`{}`", self.head.operation);
        if self.denies_host() && !self.is_by_words() { Err(host(&place, problem)) } else { Ok(()) }
    }

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
        self.look(&question, Veil { place, problem }, |inquiry, inspect| match inspect {
            Some(inspect) => judge(inquiry, inspect),
            None => Ok(()),
        })
    }

    /// Whether the engine said that it has no such object.
    pub(super) fn has_none(&self, question: &Question) -> bool {
        matches!(self.answers.get(question), Some(None))
    }

    /// Whether every list that has to allow this request would let the client read this answer.
    fn may_read(&self, question: &Question, answer: Option<&Json>) -> bool {
        let paths = question.paths(answer);
        let in_words = |list: &Allowlist, path: &str| {
            !list.words.is_empty() && list.words.gives_freely(Operation::find(Method::Get, path))
        };
        let reads = |list: &Allowlist| {
            paths.iter().any(|path| in_words(list, path) || self.may_ask(list, Method::Get, path))
        };
        self.terms.lists.iter().all(|list| reads(list))
    }

    /// Whether a list's patterns allow this, as this client names versions or without one.
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

    /// What this engine hides of the kernel besides what all of them do; nothing while it has to be asked.
    pub(super) fn hidden_paths(&mut self) -> &'static [&'static str] {
        if self.is_docker() != Some(true) {
            return &[];
        }
        match self.answer(&Question::Version) {
            Looked::NotYet | Looked::Missing => &[],
            Looked::Found(version) => {
                hidden_since(version.field("Version").and_then(Json::as_str).unwrap_or_default())
            }
        }
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
    pub(super) fn answer(&mut self, question: &Question) -> Looked<'a> {
        match self.answers.get(question) {
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
pub(super) enum Looked<'a> {
    /// It was not asked yet; a question is left for it.
    NotYet,
    /// It has no such object.
    Missing,
    /// It describes the object.
    Found(&'a Json),
}
