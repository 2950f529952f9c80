//! What keeps a client from enlarging its own rights, where rights come from labels: no labels that carry any, no hand on the proxy's own
//! container, no identity of another.
//!
//! The names that decide who is let in are guarded in `names.rs`.
//!
//! A client whose list says `allow.labels=true` may hand out rights. It may set such labels, take names that the policy uses, and move other
//! containers between the proxy's networks, as a program does that creates containers anew. The proxy's own container, fixed addresses
//! and the network namespaces of others stay out of its reach all the same.

use crate::request::json::{Json, Keys, Object};
use crate::rule::labels::keys::CREATOR_LABEL as CREATOR;
use crate::setting::SettingName;
use crate::text::printable;

use super::builds::{guard_build_network, guard_hidden_build};
use super::decisions::{Decision, Guarded, Own};
use super::host::look_at_previous;
use super::inquiry::{Inquiry, Veil};
use super::protected::{OWN, Protected, is_full_id};
use super::question::Question;
use super::references::{Reference, Role, references};
use super::swarm::guard_swarm;
use super::values::array;
use super::violation::{Clause, Verdict, Violation, violation};

/// The length of the ids that people are shown.
const SHORT_ID: usize = 12;

/// The spellings of the platform that we run on, which is the engine's: we share its host.
const OWN_PLATFORMS: &[&str] = if cfg!(target_arch = "aarch64") {
    &["linux", "linux/arm64", "linux/arm64/v8", "linux/aarch64"]
} else {
    &["linux", "linux/amd64", "linux/x86_64"]
};

/// The clauses that hold for everyone who is judged where rights come from labels.
pub(super) fn guard(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    match Decision::of(inquiry.head.operation).own {
        Own::No | Own::Looks => {}
        Own::Changes => not_own_container(inquiry, protected, inquiry.object(), "the path")?,
    }
    guard_swarm(inquiry, protected)?;
    guard_operation(inquiry, protected)
}

fn guard_operation(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    match Decision::of(inquiry.head.operation).guarded {
        Guarded::No => Ok(()),
        Guarded::Create => guard_create(inquiry, protected),
        Guarded::Exec => guard_exec(inquiry, protected),
        Guarded::Commit => guard_commit(inquiry, protected),
        Guarded::Import => {
            no_labelled_image(inquiry, protected)?;
            changes_set_no_label(inquiry, protected)
        }
        Guarded::Build => guard_build(inquiry, protected),
        Guarded::HiddenBuild => {
            no_labelled_image(inquiry, protected)?;
            guard_hidden_build(inquiry, protected)
        }
        Guarded::Image => no_labelled_image(inquiry, protected),
        Guarded::Member => guard_network(inquiry, protected),
        Guarded::Network => guard_new_network(inquiry, protected),
        Guarded::Service => guard_service(inquiry, protected, inquiry.body, ""),
        Guarded::ServiceUpdate => guard_service_update(inquiry, protected),
    }
}

fn guard_create(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    let Some(body) = inquiry.body else { return Ok(()) };
    platform_is_ours(inquiry)?;
    image_carries_no_label(inquiry, protected, body.field("Image"))?;
    labels_to_sign_carry_none(inquiry, protected, body.field("Labels"), "Labels")?;
    let mut joins = false;
    for reference in references(inquiry.head, inquiry.body) {
        let Reference { role, name, place, .. } = reference?;
        match role {
            Role::Namespace(mode) => {
                not_own_container(inquiry, protected, name, &place)?;
                if mode == "NetworkMode" && !inquiry.limits.may_label {
                    let problem = "joins the network namespace of another container, whose address is its identity; choose a network";
                    return Err(violation(Clause::Identity, &place, problem));
                }
            }
            Role::Network => {
                // Podman takes addresses and paths of namespaces behind the colon.
                if name.contains(':') {
                    let problem = "names a network that cannot be one";
                    return Err(violation(Clause::Identity, &place, problem));
                }
                not_own_namespace(inquiry, protected, name, &place)?;
                joins |= protected.is_network(name);
            }
            Role::Target
            | Role::Committed
            | Role::Member
            | Role::Mounts { .. }
            | Role::Link { .. } => {
                not_own_container(inquiry, protected, name, &place)?;
            }
            Role::Endpoint(endpoint) => {
                joins |= joins_clients(protected, name, endpoint);
                guard_endpoint(inquiry, protected, name, endpoint, &place)?;
            }
        }
    }
    match body.field("MacAddress") {
        Some(address) if joins && !address.is_zero() && !inquiry.limits.may_label => {
            Err(fixed("`MacAddress`"))
        }
        _ => Ok(()),
    }
}

/// In the containerd image store an image has variants for several platforms, and the engine tells the labels of the host's own variant
/// only (moby `daemon/containerd/image_inspect.go`): labels of another could not be told from the container's own.
fn platform_is_ours(inquiry: &Inquiry<'_>) -> Verdict {
    let platform = inquiry.parameter("platform");
    if inquiry.limits.may_label || platform.is_empty() || OWN_PLATFORMS.contains(&platform) {
        return Ok(());
    }
    let problem = "asks for an image of another platform, whose labels cannot be told from the container's own";
    Err(violation(Clause::Labels, "the parameter `platform`", problem))
}

fn guard_endpoint<'a>(
    inquiry: &Inquiry<'a>,
    protected: &Protected,
    network: &str,
    endpoint: &'a Json,
    at: &str,
) -> Verdict {
    not_own_namespace(inquiry, protected, network, &format!("`{at}`"))?;
    if !joins_clients(protected, network, endpoint) {
        return Ok(());
    }
    let addresses = endpoint.field("IPAMConfig").and_then(Json::as_object);
    let fixes = addresses.into_iter().flat_map(Object::iter).any(|(_, value)| !value.is_zero());
    if fixes {
        return Err(fixed(&format!("`{at}.IPAMConfig`")));
    }
    // Docker reads no address here and Podman does. Whoever may label sends them along when it creates a container anew.
    for field in ["MacAddress", "IPAddress", "GlobalIPv6Address"] {
        let is_set = endpoint.field(field).is_some_and(|address| !address.is_zero());
        if is_set && !inquiry.limits.may_label {
            return Err(fixed(&format!("`{at}.{field}`")));
        }
    }
    Ok(())
}

/// Who is connected to the proxy's networks is who has which rights; the proxy's own container stays where it is.
fn guard_network(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    let network = inquiry.object();
    for reference in references(inquiry.head, inquiry.body) {
        let Reference { name, place, .. } = reference?;
        not_own_container(inquiry, protected, name, &place)?;
    }
    let endpoint = inquiry.field("EndpointConfig");
    if joins_clients(protected, network, endpoint.unwrap_or(&Json::Null))
        && !inquiry.limits.may_label
    {
        let problem = "is a network of the proxy's clients, on which nobody may connect or disconnect containers";
        return Err(violation(Clause::Identity, &format!("`{}`", printable(network)), problem));
    }
    match endpoint {
        Some(endpoint) => guard_endpoint(inquiry, protected, network, endpoint, "EndpointConfig"),
        None => Ok(()),
    }
}

/// Engines up to 24 take a name twice, and then nobody finds either network by it; a name also goes before the start of an id.
fn guard_new_network(inquiry: &Inquiry<'_>, protected: &Protected) -> Verdict {
    let name = inquiry.field("Name").and_then(Json::as_str).unwrap_or_default();
    let taken = |(id, known): &(String, String)| {
        known == name || (name.len() >= SHORT_ID && id.starts_with(name))
    };
    // Whoever chooses a network's addresses chooses those of its containers.
    let chosen = |field: &str| match inquiry.field(field) {
        Some(Json::Object(ipam)) => {
            ipam.iter().any(|(key, value)| !key.eq_ignore_ascii_case("Driver") && !value.is_zero())
        }
        Some(other) => !other.is_zero(),
        None => false,
    };
    if protected.every_network
        && !inquiry.limits.may_label
        && let Some(field) = ["IPAM", "ConfigFrom"].into_iter().find(|field| chosen(field))
    {
        return Err(fixed(&format!("`{field}`")));
    }
    if inquiry.limits.may_label || !protected.networks.iter().any(taken) {
        return Ok(());
    }
    let problem =
        format!("takes the name of a network of the proxy's clients (`{}`)", printable(name));
    Err(violation(Clause::Identity, "`Name`", &problem))
}

fn guard_exec(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    const PLACE: &str = "the container of the exec";
    let veil = Veil { place: PLACE, problem: OWN };
    inquiry.look(&Question::Exec(inquiry.object().to_owned()), veil, |_, exec| {
        let Some(exec) = exec else { return Ok(()) };
        let id = exec.field("ContainerID").and_then(Json::as_str);
        match id.map_or(Some(OWN), |id| protected.why_untouchable(id)) {
            None => Ok(()),
            Some(why) => Err(violation(Clause::OwnContainer, PLACE, why)),
        }
    })
}

fn guard_commit(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    no_labelled_image(inquiry, protected)?;
    for reference in references(inquiry.head, inquiry.body) {
        let Reference { name, place, .. } = reference?;
        not_own_container(inquiry, protected, name, &place)?;
    }
    labels_carry_none(inquiry, protected, inquiry.field("Labels"), "Labels")?;
    changes_set_no_label(inquiry, protected)
}

fn guard_build(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    no_labelled_image(inquiry, protected)?;
    let labels = inquiry.parameter("labels");
    if !labels.is_empty() {
        let parsed = Json::parse(labels.as_bytes(), Keys::Entries).map_err(|error| {
            violation(Clause::Unclear, "the parameter `labels`", &format!("is unclear: {error}"))
        })?;
        labels_carry_none(inquiry, protected, Some(&parsed), "labels")?;
    }
    if !inquiry.parameter("nsoptions").is_empty() {
        let problem = "chooses namespaces for the build, which cannot be judged; leave it out";
        return Err(violation(Clause::Unclear, "the parameter `nsoptions`", problem));
    }
    guard_build_network(inquiry, protected)
}

fn guard_service(
    inquiry: &Inquiry<'_>,
    protected: &Protected,
    spec: Option<&Json>,
    at: &str,
) -> Verdict {
    let Some(spec) = spec else { return Ok(()) };
    // The engine fetches a service's image by itinquiry.
    no_labelled_image(inquiry, protected)?;
    let own = format!("{at}Labels");
    labels_to_sign_carry_none(inquiry, protected, spec.field("Labels"), &own)?;
    let task = spec.field("TaskTemplate");
    for (networks, at) in [
        (spec.field("Networks"), format!("{at}Networks")),
        (task.and_then(|task| task.field("Networks")), format!("{at}TaskTemplate.Networks")),
    ] {
        for network in array(networks, &at)? {
            let target = network.field("Target").and_then(Json::as_str).unwrap_or_default();
            not_own_namespace(inquiry, protected, target, &format!("`{at}.Target`"))?;
        }
    }
    let container = task.and_then(|task| task.field("ContainerSpec"));
    let Some(container) = container else { return Ok(()) };
    let at = format!("{at}TaskTemplate.ContainerSpec.Labels");
    labels_to_sign_carry_none(inquiry, protected, container.field("Labels"), &at)
}

fn guard_service_update(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    guard_service(inquiry, protected, inquiry.body, "")?;
    if inquiry.parameter("rollback").is_empty() {
        return Ok(());
    }
    look_at_previous(inquiry, |review, previous| {
        guard_service(review, protected, Some(previous), "PreviousSpec.")
    })
}

/// Whatever the engine finds under this reference must not be the proxy.
fn not_own_container(
    inquiry: &mut Inquiry<'_>,
    protected: &Protected,
    reference: &str,
    place: &str,
) -> Verdict {
    let own = |why| Err(violation(Clause::OwnContainer, place, why));
    if let Some(why) = protected.why_untouchable(reference) {
        return own(why);
    }
    if protected.names.contains(reference) {
        return own(OWN);
    }
    // A full id is nobody else's, now or later.
    if is_full_id(reference) {
        return Ok(());
    }
    inquiry.look_at_container(reference, place, OWN, |_, inspect| {
        let id = inspect.field("Id").and_then(Json::as_str);
        match id.map_or(Some(OWN), |id| protected.why_untouchable(id)) {
            None => Ok(()),
            Some(why) => own(why),
        }
    })
}

fn labels_carry_none(
    inquiry: &Inquiry<'_>,
    protected: &Protected,
    labels: Option<&Json>,
    at: &str,
) -> Verdict {
    are_free_of(inquiry, labels, at, |key| protected.is_label(key))
}

/// The same for labels among which we write who created it: what a client says of that is overwritten, because one that creates a container
/// anew sends back what it was told.
fn labels_to_sign_carry_none(
    inquiry: &Inquiry<'_>,
    protected: &Protected,
    labels: Option<&Json>,
    at: &str,
) -> Verdict {
    are_free_of(inquiry, labels, at, |key| key != CREATOR && protected.is_label(key))
}

fn are_free_of(
    inquiry: &Inquiry<'_>,
    labels: Option<&Json>,
    at: &str,
    is_label: impl Fn(&str) -> bool,
) -> Verdict {
    let Some(labels) = labels.filter(|labels| !labels.is_zero() && !inquiry.limits.may_label)
    else {
        return Ok(());
    };
    let Some(labels) = labels.as_object() else {
        return Err(violation(Clause::Unclear, &format!("`{at}`"), "is no object; send one"));
    };
    match labels.iter().find(|(key, _)| is_label(key)) {
        None => Ok(()),
        Some((key, _)) => {
            let problem = format!("sets `{}`, a label that carries rights", printable(key));
            Err(violation(Clause::Labels, &format!("`{at}`"), &problem))
        }
    }
}

/// The `changes` of a commit or an import are lines of a Dockerfile. What they mean depends on quotes, escapes and variables, so a line
/// that could set a label of ours, read in the worst way, counts as one that does.
fn changes_set_no_label(inquiry: &Inquiry<'_>, protected: &Protected) -> Verdict {
    if inquiry.limits.may_label {
        return Ok(());
    }
    for change in inquiry.head.target.query().all("changes") {
        let bare: String = change
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '\\' | '`' | '"' | '\''))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let mut prefixes = protected.prefixes.iter().map(String::as_str).chain([CREATOR]);
        let ours = prefixes.any(|prefix| bare.contains(&prefix.to_ascii_lowercase()));
        if bare.contains("label") && (ours || bare.contains('$')) {
            let problem = format!("may set a label that carries rights (`{}`)", printable(change));
            return Err(violation(Clause::Labels, "the parameter `changes`", &problem));
        }
    }
    Ok(())
}

/// Where the labels of images count, whoever makes or fetches an image hands out rights.
fn no_labelled_image(inquiry: &Inquiry<'_>, protected: &Protected) -> Verdict {
    if protected.image_labels_count && !inquiry.limits.may_label {
        let place = format!("`{}`", inquiry.head.operation);
        let problem = format!(
            "makes or fetches an image, whose labels carry rights because {} is set",
            SettingName::TrustImageLabels
        );
        return Err(violation(Clause::Labels, &place, &problem));
    }
    Ok(())
}

/// Where the labels of images count, whoever starts from an image takes the rights in its labels.
fn image_carries_no_label(
    inquiry: &mut Inquiry<'_>,
    protected: &Protected,
    image: Option<&Json>,
) -> Verdict {
    let image = image.and_then(Json::as_str).unwrap_or_default();
    if !protected.image_labels_count || inquiry.limits.may_label || image.is_empty() {
        return Ok(());
    }
    let veil = Veil { place: "`Image`", problem: "sets a label that carries rights" };
    inquiry.look(&Question::Image(image.to_owned()), veil, |review, inspect| {
        let config = inspect.and_then(|inspect| inspect.field("Config"));
        let labels = config.and_then(|config| config.field("Labels"));
        labels_carry_none(review, protected, labels, "Image")
    })
}

/// A container on the host's network is the host, and where the proxy uses that network too, it is the proxy.
fn not_own_namespace(
    inquiry: &Inquiry<'_>,
    protected: &Protected,
    network: &str,
    place: &str,
) -> Verdict {
    if inquiry.limits.may_label || !protected.is_own_namespace(network) {
        return Ok(());
    }
    let problem = "joins the host's network, which is the proxy's own";
    Err(violation(Clause::Identity, place, problem))
}

/// Whether an endpoint may lie on a network of the proxy's clients. Engines prefer the id in it to the name it stands under (moby
/// `daemon/container_operations.go`, `getNetworkID`).
fn joins_clients(protected: &Protected, network: &str, endpoint: &Json) -> bool {
    let id = endpoint.field("NetworkID").filter(|id| !id.is_zero());
    protected.is_network(network)
        || id.is_some_and(|id| protected.is_network(id.as_str().unwrap_or_default()))
}

fn fixed(place: &str) -> Violation {
    let problem = "fixes an address on a network of the proxy's clients, where addresses are identities; leave it to the engine";
    violation(Clause::Identity, place, problem)
}
