//! The only room that says yes.
//!
//! [`Policy::judge`] turns a head and what it says of its body into [`Allowed`], which the engine room demands and nobody else can make;
//! into [`Denied`], which says what would have allowed it; or into [`Pending`], where body or engine have to be asked first.

mod body;
mod judgement;

use std::sync::Arc;

use crate::clauses::{Defaults, Past, Protected, Terms, needs_creator};
use crate::client::{Admission, Client, Standing, WhyUnknown};
use crate::request::Head;
use crate::rule::words::{Uses, uses};
use crate::rule::{Allowlist, Match};

pub use body::DeclaredBody;
pub use judgement::{Allowed, Body, Denied, DenyReason, Grant, Judgement, MAX_QUESTIONS, Pending};

/// What is allowed to those who bring no allowlist of their own, and what holds for all. Immutable: a request is judged by one policy
/// from start to end. The default denies.
#[derive(Debug, Default)]
pub struct Policy {
    default: Arc<Allowlist>,
    defaults: Arc<Defaults>,
}

impl Policy {
    /// A policy that gives admitted clients the default allowlist, within these defaults.
    pub fn new(default: Allowlist, defaults: Defaults) -> Self {
        Self { default: Arc::new(default), defaults: Arc::new(defaults) }
    }

    /// What is allowed to those who bring no allowlist of their own.
    pub fn default_list(&self) -> &Allowlist {
        &self.default
    }

    /// Judges a request by its head and by what its head says of the body. `protected` is what no client may touch, where rights come
    /// from labels.
    pub fn judge<B>(
        &self,
        client: &Client,
        protected: Option<Arc<Protected>>,
        head: Head,
        body: DeclaredBody<B>,
    ) -> Judgement<B> {
        self.judge_after(client, protected, Past::default(), head, body)
    }

    /// The same for a client of which is remembered what it took down.
    pub fn judge_after<B>(
        &self,
        client: &Client,
        protected: Option<Arc<Protected>>,
        past: Past,
        head: Head,
        body: DeclaredBody<B>,
    ) -> Judgement<B> {
        let (grant, lists) = match self.lists(client, &head, &body) {
            Ok(allowed) => allowed,
            Err(reason) => return Judgement::Denied(Box::new(Denied { head, reason, by: None })),
        };
        match body::plan(head, body) {
            Ok((head, body)) => {
                let defaults = Arc::clone(&self.defaults);
                let names = uses(head.operation) != Uses::No || needs_creator(head.operation);
                let creator = (protected.is_some() && names).then(|| client.as_creator());
                let terms = Terms { lists, defaults, protected, creator, past };
                Pending::begin(head, body, grant, terms)
            }
            Err(denied) => Judgement::Denied(denied),
        }
    }

    /// The lists that allow the head, each of which has to allow the rest too.
    fn lists<B>(
        &self,
        client: &Client,
        head: &Head,
        body: &DeclaredBody<B>,
    ) -> Result<(Grant, Vec<Arc<Allowlist>>), DenyReason> {
        let default = || match client.admission {
            Admission::Listed => Ok(&self.default),
            Admission::Unlisted => Err(DenyReason::NotAdmitted),
        };
        let one = |list: &Arc<Allowlist>| {
            allowed_by(list, head, body).map(|grant| (grant, vec![Arc::clone(list)]))
        };
        // Containers that share an address cannot be told apart, so what one of them may not do none may.
        client
            .identity
            .standings()
            .map(|standing| match standing {
                Standing::Default => one(default()?),
                Standing::Own(own) => one(own),
                Standing::Broken(errors) => Err(DenyReason::BrokenLabels(Arc::clone(errors))),
                Standing::Unknown(why) => Err(DenyReason::UnknownClient(why.clone())),
                Standing::Creator(by) => one(by.list()).map_err(|reason| match reason {
                    DenyReason::NoMethod | DenyReason::NoPath | DenyReason::NoWord => {
                        DenyReason::Creator(Box::new(by.may_not()))
                    }
                    other => other,
                }),
                Standing::Orphan(bound) => Err(DenyReason::Creator(Box::new(bound))),
                Standing::Step(container) => Err(DenyReason::Step(container.name.clone())),
            })
            .reduce(|all, this| {
                let ((_, mut lists), (grant, list)) = (all?, this?);
                lists.extend(list);
                Ok((grant, lists))
            })
            .unwrap_or(Err(DenyReason::UnknownClient(WhyUnknown::NotFound)))
    }
}

/// Looks for what allows the head in one allowlist.
fn allowed_by<B>(
    list: &Allowlist,
    head: &Head,
    body: &DeclaredBody<B>,
) -> Result<Grant, DenyReason> {
    // Without its version negotiation a client picks an API version of its own and breaks, so a ping is open to all admitted.
    if head.operation.is_ping() && (body.body.is_none() || body::must_be_empty(head)) {
        return Ok(Grant::Ping);
    }
    if let Some(granted) = list.words.find(head) {
        return Ok(Grant::Word(Arc::clone(&granted.rule)));
    }
    match list.rules.find(head.method, head.target.versioned_path()) {
        Match::Rule(rule) => Ok(Grant::Rule(Arc::clone(rule))),
        Match::NoPath | Match::NoMethod if list.words.replaces(head.operation).is_some() => {
            // It was just found.
            let rule = list.words.replaces(head.operation);
            rule.map_or(Err(DenyReason::NoWord), |rule| Ok(Grant::Word(Arc::clone(rule))))
        }
        Match::NoPath | Match::NoMethod if !list.words.is_empty() => Err(DenyReason::NoWord),
        Match::NoPath => Err(DenyReason::NoPath),
        Match::NoMethod => Err(DenyReason::NoMethod),
    }
}
