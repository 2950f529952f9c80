//! What starts again, if access to the host or mounts are limited.
//!
//! What a client, or the root of its chain, created through the proxy was judged then. What it only names may have been made again since, by somebody who may do
//! more: a volume, a network, a container whose namespace it shares. What others created starts with whatever it reaches: it is theirs, and a client that
//! restarts what has failed must be able to.

use crate::request::json::{Json, Object};
use crate::rule::labels::creator::{CREATOR_LABEL, Creator};
use crate::text::printable;

use super::host::network_of_host;
use super::inquiry::{Inquiry, Veil};
use super::mounts::named_volume;
use super::question::Question;
use super::reach::{shared_stays_inside, volumes};
use super::values::{environment, texts, working_directory};
use super::violation::{Verdict, host};

const MADE_AGAIN: &str =
    "reaches more than is allowed by something that was made again since it was created";

/// Start, restart, and what lets the engine start it.
pub(super) fn own_stays_inside(inquiry: &mut Inquiry<'_>) -> Verdict {
    let Some(client) = &inquiry.terms.creator else { return Ok(()) };
    if inquiry.mounts_are_free() && !inquiry.denies_host() {
        return Ok(());
    }
    let name = inquiry.object();
    let place = format!("`{}`", printable(name));
    inquiry.look_at_container(name, &place, MADE_AGAIN, |inquiry, inspect| {
        if !is_by(inspect, client) {
            return Ok(());
        }
        for volume in volumes(inspect) {
            named_volume(inquiry, volume, &place)?;
        }
        if !inquiry.denies_host() {
            return Ok(());
        }
        let networks = inspect.field("NetworkSettings").and_then(|it| it.field("Networks"));
        let networks = networks.and_then(Json::as_object).into_iter().flat_map(Object::iter);
        for (network, _) in networks {
            network_of_host(inquiry, network, &place)?;
        }
        shared_stays_inside(inquiry, inspect, &place)?;
        settings_stay_inside(inquiry, inspect, &place)
    })
}

/// What its image brought may be another's than was judged: an image is found by its name, which may have been given to another in between.
fn settings_stay_inside(inquiry: &mut Inquiry<'_>, inspect: &Json, place: &str) -> Verdict {
    let id = inspect.field("Id").and_then(Json::as_str).unwrap_or_default();
    let veil = Veil { place, problem: MADE_AGAIN };
    inquiry.look(&Question::Settings(id.to_owned()), veil, |_, inspect| {
        let Some(config) = inspect.and_then(|inspect| inspect.field("Config")) else {
            return Ok(());
        };
        let directory = config.field("WorkingDir").and_then(Json::as_str).unwrap_or_default();
        working_directory(directory, &format!("the `WorkingDir` of {place}"))?;
        let variables = config.field("Env").unwrap_or(&Json::Null);
        let at = format!("the `Env` of {place}");
        if texts(variables).contains(&"") {
            return Err(host(&at, "sets a variable that is too long to be judged"));
        }
        environment(variables, &at)
    })
}

/// Whether one of those created a container who ask now. A label that cannot be read may mean them.
pub(super) fn is_by(inspect: &Json, client: &Creator) -> bool {
    let labels = inspect.field("Config").and_then(|config| config.field("Labels"));
    let mut labels = labels.and_then(Json::as_object).into_iter().flat_map(Object::iter);
    let Some((_, value)) = labels.find(|(key, _)| *key == CREATOR_LABEL) else { return false };
    let creator = value.as_str().map_or(Creator::Unreadable, Creator::parse);
    creator == Creator::Unreadable
        || creator.makers().iter().any(|maker| client.makers().contains(maker))
}
