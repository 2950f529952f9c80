//! The containers and networks that a request names: in its path, in a parameter, in its body.
//!
//! One walk serves those that guard containers, those that judge mounts, and `pin`, which puts ids in the place of names. So what is judged by id
//! is what is sent by id: a reference that the walk did not find would be neither.

use crate::request::json::{Json, Object};
use crate::request::{Head, ObjectKind};
use crate::text::printable;

use super::decisions::{Decision, Refers};
use super::values::array;
use super::violation::{Clause, Violation, violation};

/// One name of a container or a network, or what could be one.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    /// What the request wants of it.
    pub(super) role: Role<'a>,
    /// As the client named it.
    pub(super) name: &'a str,
    /// Where it stands, in words.
    pub(super) place: String,
    /// Where it stands, to be replaced.
    pub(super) site: Site,
}

/// What a request wants of an object that it names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role<'a> {
    /// It is the container of the path.
    Target,
    /// An image is made of it.
    Committed,
    /// It is connected to a network, or disconnected.
    Member,
    /// One of its namespaces is shared: the field that says so.
    Namespace(&'static str),
    /// Its mounts are taken over; with what stands behind the name.
    Mounts { mode: Option<&'a str> },
    /// It is linked under this alias.
    Link { alias: &'a str },
    /// It is the network that a new container uses (`NetworkMode`); empty for the default one.
    Network,
    /// It is a network that a new container is connected to, with these settings.
    Endpoint(&'a Json),
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// In the path.
    Path,
    /// In this parameter.
    Parameter(&'static str),
    /// In a field of the body, or of its `HostConfig`; in a list, at this place.
    Field { of: Config, name: &'static str, index: Option<usize> },
    /// The key of an object, which nothing replaces.
    Key,
}

/// The two places of a create's body that engines read a container's configuration from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Config {
    /// The body itself, for engines up to 26.
    Top,
    /// Its `HostConfig`.
    HostConfig,
}

impl Config {
    /// What stands in front of a field's name in messages.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Top => "",
            Self::HostConfig => "HostConfig.",
        }
    }
}

/// The fields of a configuration that may name another container.
const MODES: &[&str] = &["NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "Cgroup"];

/// A reference, or why what stands in its place cannot be one.
type Found<'a> = Result<Reference<'a>, Violation>;

/// Every container and network that a request names; what cannot be read stands in its place among them.
pub(super) fn references<'a>(head: &'a Head, body: Option<&'a Json>) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    let path = head.target.path();
    if head.operation.object_kind() == ObjectKind::Container {
        let name = head.operation.object(path).and_then(|range| path.get(range));
        let place = "the path".to_owned();
        let name = name.unwrap_or_default();
        found.push(Ok(Reference { role: Role::Target, name, place, site: Site::Path }));
    }
    match Decision::of(head.operation).refers {
        Refers::No => {}
        Refers::Commit => {
            const PARAMETER: &str = "container";
            found.push(Ok(Reference {
                role: Role::Committed,
                name: head.target.query().first(PARAMETER).unwrap_or_default(),
                place: format!("the parameter `{PARAMETER}`"),
                site: Site::Parameter(PARAMETER),
            }));
        }
        Refers::Member => {
            let name = body.and_then(|body| body.field("Container")).and_then(Json::as_str);
            let site = Site::Field { of: Config::Top, name: "Container", index: None };
            let place = "`Container`".to_owned();
            let name = name.unwrap_or_default();
            found.push(Ok(Reference { role: Role::Member, name, place, site }));
        }
        Refers::Create => {
            let Some(body) = body else { return found };
            for (of, config) in configs(body) {
                modes(config, of, &mut found);
                found.extend(mounts_of_others(config, of));
                links(config, of, &mut found);
            }
            found.extend(endpoints(body).map(|(network, endpoint, place)| {
                let role = Role::Endpoint(endpoint);
                Ok(Reference { role, name: network, place, site: Site::Key })
            }));
        }
    }
    found
}

/// The places of a create's body that hold a container's configuration.
pub(super) fn configs(body: &Json) -> impl Iterator<Item = (Config, &Object)> {
    let both =
        [(Config::Top, Some(body)), (Config::HostConfig, body.field("HostConfig"))].into_iter();
    both.filter_map(|(of, config)| Some((of, config?.as_object()?)))
}

/// The networks that a create connects its container to, with its settings on each and where those stand.
pub(super) fn endpoints(body: &Json) -> impl Iterator<Item = (&str, &Json, String)> {
    let endpoints =
        body.field("NetworkingConfig").and_then(|config| config.field("EndpointsConfig"));
    endpoints.and_then(Json::as_object).into_iter().flat_map(Object::iter).map(
        |(network, endpoint)| {
            let place = format!("NetworkingConfig.EndpointsConfig.{}", printable(network));
            (network, endpoint, place)
        },
    )
}

fn modes<'a>(config: &'a Object, of: Config, found: &mut Vec<Found<'a>>) {
    for field in MODES {
        let value = config.field(field).and_then(Json::as_str).unwrap_or_default();
        let (role, name) = match value.strip_prefix("container:") {
            Some(name) => (Role::Namespace(field), name),
            None if *field == "NetworkMode" => (Role::Network, value),
            None => continue,
        };
        let place = format!("`{}{field}`", of.prefix());
        found.push(Ok(Reference {
            role,
            name,
            place,
            site: Site::Field { of, name: field, index: None },
        }));
    }
}

/// The containers whose mounts a configuration takes over (`VolumesFrom`).
pub(super) fn mounts_of_others(config: &Object, of: Config) -> Vec<Found<'_>> {
    const FIELD: &str = "VolumesFrom";
    list(config, of, FIELD, |from, place, site| {
        let (name, mode) =
            from.split_once(':').map_or((from, None), |(name, mode)| (name, Some(mode)));
        Reference { role: Role::Mounts { mode }, name, place, site }
    })
}

/// `name`, `name:alias`, or `/name:/container/alias` as engines show it.
fn links<'a>(config: &'a Object, of: Config, found: &mut Vec<Found<'a>>) {
    found.extend(list(config, of, "Links", |link, place, site| {
        let name = link.split(':').next().unwrap_or_default().trim_start_matches('/');
        let alias = link.split_once(':').map_or(name, |(_, alias)| alias);
        Reference { role: Role::Link { alias }, name, place, site }
    }));
}

/// What a list of names holds.
fn list<'a>(
    config: &'a Object,
    of: Config,
    field: &'static str,
    read: impl Fn(&'a str, String, Site) -> Reference<'a>,
) -> Vec<Found<'a>> {
    let at = format!("{}{field}", of.prefix());
    let values = match array(config.field(field), &at) {
        Ok(values) => values,
        Err(violation) => return vec![Err(violation)],
    };
    let found = values.iter().enumerate().map(|(index, value)| {
        let site = Site::Field { of, name: field, index: Some(index) };
        match value {
            Json::String(text) => Ok(read(text, format!("`{at}`"), site)),
            // Go makes an empty string of it.
            Json::Null => Ok(read("", format!("`{at}`"), site)),
            _ => {
                let place = format!("`{at}[{index}]`");
                Err(violation(Clause::Unclear, &place, "is no string; send one"))
            }
        }
    });
    found.collect()
}
