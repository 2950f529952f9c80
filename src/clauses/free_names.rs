//! Nobody takes a name that decides who is let in.

use crate::request::json::Json;
use crate::rule::HostAccess;
use crate::rule::labels::creator::{Creator, Maker, PROJECT_LABEL, SERVICE_LABEL, Service};
use crate::text::printable;

use super::decisions::{Decision, Gives};
use super::host::look_at_previous;
use super::inquiry::Inquiry;
use super::names::{Names, spelling};
use super::references::{configs, endpoints};
use super::values::array;
use super::violation::{Clause, Verdict, Violation, violation};

/// A name that a request gives to something, and where it stands.
type Given<'a> = (String, &'a str);

/// Nobody takes a name that decides who is let in, where rights come from labels or access to the host is denied. Elsewhere a client may
/// have to: one that creates containers anew creates them under their own names.
pub(super) fn names_are_free(inquiry: &mut Inquiry<'_>) -> Verdict {
    if inquiry.limits.may_label {
        return Ok(());
    }
    are_free(inquiry, &names_given(inquiry)?)?;
    compose_services_are_free(inquiry)?;
    match Decision::of(inquiry.head.operation).gives {
        Gives::No | Gives::Container | Gives::Parameter | Gives::Endpoint | Gives::Service => {
            Ok(())
        }
        Gives::ServiceUpdate if inquiry.parameter("rollback").is_empty() => Ok(()),
        Gives::ServiceUpdate => look_at_previous(inquiry, |inquiry, previous| {
            let mut given = Vec::new();
            service(previous, "PreviousSpec.", &mut given)?;
            are_free(inquiry, &given)
        }),
        Gives::Network => {
            let name = inquiry.field("Name").and_then(Json::as_str).unwrap_or_default();
            if guards_admitted(inquiry) && inquiry.terms.defaults.admitted.name_network(name) {
                return Err(takes("`Name`", name, "a client of the proxy"));
            }
            Ok(())
        }
    }
}

fn guards_admitted(inquiry: &Inquiry<'_>) -> bool {
    inquiry.terms.protected.is_some() || inquiry.limits.host_access == HostAccess::Deny
}

fn are_free(inquiry: &Inquiry<'_>, given: &[Given<'_>]) -> Verdict {
    let own: Names =
        inquiry.terms.protected.iter().flat_map(|protected| &protected.names).collect();
    let taken = |name: &str| {
        own.may_mean(name)
            || (guards_admitted(inquiry) && inquiry.terms.defaults.admitted.may_mean(name))
    };
    if let Some((place, name)) = given.iter().find(|(_, name)| taken(name)) {
        return Err(takes(place, name, "the proxy or one of its clients"));
    }
    // What is created carries the label, and so never passes for whoever is named in one. What is renamed may.
    let renames = Decision::of(inquiry.head.operation).gives == Gives::Parameter;
    let creators: Names = makers(inquiry, renames)
        .filter_map(|maker| match maker {
            Maker::Name(name) => Some(name),
            Maker::Service(_) | Maker::User(_) | Maker::Address(_) => None,
        })
        .collect();
    match given.iter().find(|(_, name)| creators.may_mean(name)) {
        Some((place, name)) => Err(takes(place, name, "a container that created others")),
        None => Ok(()),
    }
}

/// Whose names decide what other containers may do; whoever asks is among them only if this says so.
fn makers<'a>(inquiry: &Inquiry<'a>, also_own: bool) -> impl Iterator<Item = &'a Maker> {
    let terms = inquiry.terms;
    let all = terms.protected.iter().flat_map(|protected| protected.makers.iter());
    let own = terms.creator.as_ref().map(Creator::makers).unwrap_or_default();
    all.filter(move |maker| also_own || !own.contains(maker))
}

/// Nobody passes for a service of Compose whose name decides what other containers may do.
fn compose_services_are_free(inquiry: &Inquiry<'_>) -> Verdict {
    let Some(body) = inquiry.body else { return Ok(()) };
    match Decision::of(inquiry.head.operation).gives {
        Gives::Container => compose_service_is_free(inquiry, body, "Labels"),
        Gives::Service | Gives::ServiceUpdate => {
            let task = body.field("TaskTemplate");
            match task.and_then(|task| task.field("ContainerSpec")) {
                Some(spec) => {
                    compose_service_is_free(inquiry, spec, "TaskTemplate.ContainerSpec.Labels")
                }
                None => Ok(()),
            }
        }
        Gives::No | Gives::Parameter | Gives::Endpoint | Gives::Network => Ok(()),
    }
}

fn compose_service_is_free(inquiry: &Inquiry<'_>, of: &Json, at: &str) -> Verdict {
    let label = |key: &str| of.field("Labels")?.field(key)?.as_str();
    let (Some(project), Some(name)) = (label(PROJECT_LABEL), label(SERVICE_LABEL)) else {
        return Ok(());
    };
    let given = Service::new(project, name);
    let taken =
        |maker: &Maker| matches!(maker, Maker::Service(service) if Some(service) == given.as_ref());
    if !makers(inquiry, false).any(taken) {
        return Ok(());
    }
    let problem = format!(
        "passes for the Compose service `{name}` of the project `{project}`, whose name decides what other containers may do"
    );
    Err(violation(Clause::Labels, &format!("`{at}`"), &problem))
}

fn names_given<'a>(inquiry: &Inquiry<'a>) -> Result<Vec<Given<'a>>, Violation> {
    let mut given = Vec::new();
    match Decision::of(inquiry.head.operation).gives {
        Gives::Container => {
            parameter_name(inquiry, &mut given);
            if let Some(body) = inquiry.body {
                container(body, &mut given)?;
            }
        }
        Gives::Parameter => parameter_name(inquiry, &mut given),
        Gives::Endpoint => {
            if let Some(endpoint) = inquiry.field("EndpointConfig") {
                names_on_network(endpoint, "EndpointConfig", &mut given)?;
            }
        }
        Gives::Service | Gives::ServiceUpdate => {
            if let Some(spec) = inquiry.body {
                service(spec, "", &mut given)?;
            }
        }
        // A network's name leads to no container by itself.
        Gives::No | Gives::Network => {}
    }
    Ok(given)
}

/// Podman also reads it in other case.
fn parameter_name<'a>(inquiry: &Inquiry<'a>, given: &mut Vec<Given<'a>>) {
    let names =
        inquiry.head.target.query().iter().filter(|(key, _)| key.eq_ignore_ascii_case("name"));
    given.extend(names.map(|(_, name)| ("the parameter `name`".to_owned(), name)));
}

fn container<'a>(body: &'a Json, given: &mut Vec<Given<'a>>) -> Verdict {
    given.push(("`Hostname`".to_owned(), text(body, "Hostname")));
    for (of, config) in configs(body) {
        links(config.field("Links"), &format!("{}Links", of.prefix()), given)?;
    }
    for (_, endpoint, at) in endpoints(body) {
        names_on_network(endpoint, &at, given)?;
    }
    Ok(())
}

fn names_on_network<'a>(endpoint: &'a Json, at: &str, given: &mut Vec<Given<'a>>) -> Verdict {
    for field in ["Aliases", "DNSNames"] {
        texts(endpoint, field, at, given)?;
    }
    links(endpoint.field("Links"), &format!("{at}.Links"), given)
}

/// `name:alias`, or `/name:/container/alias` as engines tell it. Whoever gives a container its own name changes nothing.
fn links<'a>(links: Option<&'a Json>, at: &str, given: &mut Vec<Given<'a>>) -> Verdict {
    for link in array(links, at)? {
        let link = link.as_str().unwrap_or_default();
        let Some((name, alias)) = link.split_once(':') else { continue };
        let alias = alias.rsplit('/').next().unwrap_or_default();
        if spelling(name) != spelling(alias) {
            given.push((format!("`{at}`"), alias));
        }
    }
    Ok(())
}

fn service<'a>(spec: &'a Json, at: &str, given: &mut Vec<Given<'a>>) -> Verdict {
    let name = text(spec, "Name");
    given.push((format!("`{at}Name`"), name));
    let task = spec.field("TaskTemplate");
    for (networks, at) in [
        (spec.field("Networks"), format!("{at}Networks")),
        (task.and_then(|task| task.field("Networks")), format!("{at}TaskTemplate.Networks")),
    ] {
        for network in array(networks, &at)? {
            texts(network, "Aliases", &at, given)?;
        }
    }
    if let Some(container) = task.and_then(|task| task.field("ContainerSpec")) {
        let place = format!("`{at}TaskTemplate.ContainerSpec.Hostname`");
        given.push((place, text(container, "Hostname")));
    }
    Ok(())
}

fn texts<'a>(of: &'a Json, field: &str, at: &str, given: &mut Vec<Given<'a>>) -> Verdict {
    let at = format!("{at}.{field}");
    for name in array(of.field(field), &at)? {
        given.push((format!("`{at}`"), name.as_str().unwrap_or_default()));
    }
    Ok(())
}

fn text<'a>(of: &'a Json, field: &str) -> &'a str {
    of.field(field).and_then(Json::as_str).unwrap_or_default()
}

fn takes(place: &str, name: &str, whose: &str) -> Violation {
    let problem = format!("takes the name `{}`, which can lead to {whose}", printable(name));
    violation(Clause::Labels, place, &problem)
}
