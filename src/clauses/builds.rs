//! Where builds run, if rights come from labels.
//!
//! What a build makes has no rights of its own, whatever its labels say: `registry` knows the steps of the classic builder, and those of others
//! are no containers. What is left is to keep a step from being somebody else: the host, another container, or a client that has a name on a network
//! of the proxy's clients.

use crate::request::json::Json;
use crate::text::printable;

use super::inquiry::{Inquiry, Veil};
use super::names::is_plain;
use super::protected::Protected;
use super::question::Question;
use super::violation::{Clause, Verdict, violation};

const IS_HOST: &str = "is the network of the host, where a step of the build counts as the host";
/// Engines from 25 on let a container be found by its host name, and a step has the one in its base image.
const HAS_CLIENTS: &str = "is a network of the proxy's clients, where a step of the build may have any name, also the proxy's";

/// Where a build runs.
pub(super) fn guard_build_network(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    const PLACE: &str = "the parameter `networkmode`";
    let mode = inquiry.parameter("networkmode");
    if mode.starts_with("container:") {
        let problem = "builds under an address that is somebody's identity; choose another network";
        return Err(violation(Clause::Identity, PLACE, problem));
    }
    // Names lead nowhere on the default bridge.
    if inquiry.limits.may_label || matches!(mode, "none" | "" | "default" | "bridge") {
        return Ok(());
    }
    let refused = |problem: &str| Err(violation(Clause::BuildNetwork, PLACE, problem));
    if mode == "host" {
        return refused(IS_HOST);
    }
    // A proxy of which no network is known may be on any of them.
    if protected.networks.is_empty() || protected.is_own_network(mode) {
        return refused(&format!("is `{}`, which {HAS_CLIENTS}", printable(mode)));
    }
    let none = "names a network that the engine does not have; name one that it has, or `none`";
    if !is_plain(mode) {
        return Err(violation(Clause::Unclear, PLACE, none));
    }
    // What a part of the host network's id means now may be gone when the build begins.
    let veil = Veil { place: PLACE, problem: IS_HOST };
    inquiry.look(&Question::Network("host".to_owned()), veil, |_, network| {
        match network.and_then(|it| it.field("Id")).and_then(Json::as_str) {
            Some(id) if id.starts_with(mode) => refused(IS_HOST),
            _ => Ok(()),
        }
    })?;
    inquiry.look(&Question::Network(mode.to_owned()), veil, |_, network| {
        let Some(network) = network else {
            return Err(violation(Clause::Unclear, PLACE, none).veiled(PLACE, none));
        };
        let text = |name: &str| network.field(name).and_then(Json::as_str).unwrap_or("host");
        if text("Driver") == "host" {
            return refused(IS_HOST);
        }
        if protected.is_own_network(text("Id")) {
            return refused(HAS_CLIENTS).map_err(|it| it.veiled(PLACE, HAS_CLIENTS));
        }
        Ok(())
    })
}

/// A build by `BuildKit`'s own protocol chooses its network where nobody sees it: the default bridge, the host's, or none.
pub(super) fn guard_hidden_build(inquiry: &Inquiry<'_>, protected: &Protected) -> Verdict {
    let is_on_host = protected.every_network || protected.networks.is_empty();
    if inquiry.limits.may_label || !is_on_host {
        return Ok(());
    }
    let place = format!("`{}`", inquiry.head.operation);
    let problem = "builds on a network that cannot be seen, and that may be the host's, which is the proxy's own";
    Err(violation(Clause::BuildNetwork, &place, problem))
}
