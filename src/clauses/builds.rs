//! Builds, where rights come from labels. A step of the classic builder runs in a container of the engine's making, which carries the
//! labels that the client wrote into its Dockerfile, and an image's variants may differ in labels. Neither can be told from labels that
//! were given. So nobody both builds and makes or starts containers, and no build reaches the proxy, unless the client may hand out
//! labels anyway.

use crate::request::json::Json;
use crate::request::{ApiVersion, Operation};
use crate::rule::Allowlist;
use crate::text::printable;

use super::decisions::{Decision, Guarded, Starts};
use super::inquiry::{Inquiry, Veil};
use super::names::is_plain;
use super::protected::Protected;
use super::question::Question;
use super::violation::{Clause, Verdict, violation};

/// Whether this is an operation that a client that builds may not use without `allow.labels`.
pub fn starts_containers(operation: Operation) -> bool {
    Decision::of(operation).starts != Starts::No
}

/// Whether this is an operation that builds images.
pub fn builds_images(operation: Operation) -> bool {
    match Decision::of(operation).guarded {
        Guarded::Build | Guarded::HiddenBuild => true,
        Guarded::No
        | Guarded::Create
        | Guarded::Exec
        | Guarded::Commit
        | Guarded::Import
        | Guarded::Image
        | Guarded::Member
        | Guarded::Network
        | Guarded::Service
        | Guarded::ServiceUpdate => false,
    }
}

const REACHES: &str =
    "lets the build reach the proxy from a container whose labels the client chooses";

/// Nobody starts what builds leave behind. It comes last, because whoever is told this may take the builds out of the list, and should
/// not learn only then what else is wrong.
pub(super) fn starts_nothing_built(inquiry: &Inquiry<'_>) -> Verdict {
    let operation = inquiry.head.operation;
    let starts = match Decision::of(operation).starts {
        Starts::No => false,
        Starts::Yes => true,
        Starts::ByPolicy => sets_restart_policy(inquiry),
    };
    if !inquiry.asks_nothing() || !builds_unlabelled(inquiry.list) || !starts {
        return Ok(());
    }
    let problem = "makes or starts a container, and the list allows builds as well, which make images and containers with labels of the client's choice";
    Err(violation(Clause::BuildsToo, &format!("`{operation}`"), problem))
}

fn sets_restart_policy(inquiry: &Inquiry<'_>) -> bool {
    let policy = inquiry.field("RestartPolicy").filter(|policy| !policy.is_zero());
    policy.is_some_and(|policy| {
        let name = policy.field("Name").map_or("", |name| name.as_str().unwrap_or("?"));
        !matches!(name, "" | "no")
    })
}

/// Where a build runs.
pub(super) fn guard_build_network(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    const PLACE: &str = "the parameter `networkmode`";
    let mode = inquiry.parameter("networkmode");
    if mode.starts_with("container:") {
        let problem = "builds under an address that is somebody's identity; choose another network";
        return Err(violation(Clause::Identity, PLACE, problem));
    }
    if inquiry.limits.may_label {
        return Ok(());
    }
    // The list was searched for builds under the versions below this one.
    if inquiry.head.target.version().is_some_and(|version| version >= ApiVersion::new(2, 0)) {
        let problem = "is one that no engine speaks";
        return Err(violation(Clause::Unclear, "the API version", problem));
    }
    if mode == "none" {
        return Ok(());
    }
    let reaches = |problem: &str| Err(violation(Clause::BuildNetwork, PLACE, problem));
    if mode == "host" || protected.is_reached_by_builds(mode) {
        let mode = if mode.is_empty() { "default" } else { mode };
        return reaches(&format!("is `{}`, which {REACHES}", printable(mode)));
    }
    if matches!(mode, "" | "default" | "bridge") {
        return Ok(());
    }
    let none = "names a network that the engine does not have; name one that it has, or `none`";
    if !is_plain(mode) {
        return Err(violation(Clause::Unclear, PLACE, none));
    }
    // What a part of the host network's id means now may be gone when the build begins.
    let veil = Veil { place: PLACE, problem: REACHES };
    inquiry.look(&Question::Network("host".to_owned()), veil, |_, network| {
        match network.and_then(|it| it.field("Id")).and_then(Json::as_str) {
            Some(id) if id.starts_with(mode) => reaches(REACHES),
            _ => Ok(()),
        }
    })?;
    inquiry.look(&Question::Network(mode.to_owned()), veil, |_, network| {
        let Some(network) = network else {
            return Err(violation(Clause::Unclear, PLACE, none).veiled(PLACE, none));
        };
        let text = |name: &str| network.field(name).and_then(Json::as_str).unwrap_or("host");
        if text("Driver") == "host" || protected.is_network(text("Id")) {
            return reaches(REACHES);
        }
        Ok(())
    })
}

/// A build by `BuildKit`'s own protocol chooses its network where nobody sees it.
pub(super) fn guard_hidden_build(inquiry: &Inquiry<'_>, protected: &Protected) -> Verdict {
    if inquiry.limits.may_label || !protected.is_reached_by_builds("") {
        return Ok(());
    }
    let place = format!("`{}`", inquiry.head.operation);
    let problem = "builds on a network that cannot be seen, and so may reach the proxy";
    Err(violation(Clause::BuildNetwork, &place, problem))
}

/// Whether a list allows builds and not the labels that come with them.
pub fn builds_unlabelled(list: &Allowlist) -> bool {
    !list.may_label && list.allows_builds()
}
