//! What reaches past a container: field by field, for `hostaccess=deny`.
//!
//! The fields that are known to stay inside are listed; a field that is set and not listed is refused, because a newer engine may make
//! anything of it. The facts are those of moby's `api/types/container` and `daemon/` up to API 1.55.

use crate::request::json::{Json, Object, fold};
use crate::text::printable;

use ipnet::IpNet;

use super::fields::{
    BESIDE, CONFIG, CONTAINER_SPEC, ENDPOINT, EXEC, HOST_CONFIG, IPAM, NETWORK, SERVICE, TASK,
};
use super::inquiry::{Inquiry, Veil};
use super::known::{
    GATEWAY_MODES, MASKED_PATHS, NETWORK_OPTIONS, PRIVATE_ADDRESSES, READONLY_PATHS, Shape, Table,
    UNKNOWN, find, holds_known,
};
use super::mounts::{host_mounts, refused, spec_mounts};
use super::names::is_plain;
use super::question::Question;
use super::reach::target_stays_inside;
use super::references::{Config, endpoints};
use super::terms::Mounts;
use super::values::{
    array, capabilities, environment, fields, log_config, paths, security, sysctls, texts,
    working_directory,
};
use super::violation::{Clause, Verdict, host, violation};

const HOST_NETWORK: &str = "uses the network of the host";
const MODE_INSIDE: &str = "shares a namespace with the host or another container";

/// `POST /containers/create`. Engines up to 26 read the fields of `HostConfig` at the top level as well when `HostConfig` is absent or
/// `null` (moby `runconfig/config_unix.go`), so they are judged in both places.
pub(super) fn container_create(inquiry: &mut Inquiry<'_>) -> Verdict {
    let Some(body) = inquiry.body.and_then(Json::as_object) else { return Ok(()) };
    host_config(inquiry, body, Config::Top, &[CONFIG, HOST_CONFIG, BESIDE])?;
    match body.field("HostConfig") {
        None => {}
        Some(Json::Object(config)) => {
            host_config(inquiry, config, Config::HostConfig, &[HOST_CONFIG])?;
        }
        Some(_) => {
            return Err(violation(Clause::Unclear, "`HostConfig`", "is no object; send one"));
        }
    }
    for (network, endpoint, place) in inquiry.body.into_iter().flat_map(endpoints) {
        endpoint_of_host(inquiry, network, endpoint, &place)?;
        endpoint_settings(inquiry, Some(endpoint), &place)?;
    }
    Ok(())
}

/// `POST /containers/{id}/update`, whose body is the resources of a `HostConfig` without the object around them.
pub(super) fn container_update(inquiry: &mut Inquiry<'_>) -> Verdict {
    let Some(body) = inquiry.body.and_then(Json::as_object) else { return Ok(()) };
    host_config(inquiry, body, Config::Top, &[HOST_CONFIG])
}

fn host_config<'a>(
    inquiry: &mut Inquiry<'a>,
    config: &'a Object,
    of: Config,
    known: &[Table],
) -> Verdict {
    host_mounts(inquiry, config, of)?;
    if !inquiry.denies_host() {
        return Ok(());
    }
    for (key, value) in config.iter() {
        host_field(inquiry, key, value, of.prefix(), known)?;
    }
    Ok(())
}

/// One field of a container's configuration.
fn host_field<'a>(
    inquiry: &mut Inquiry<'a>,
    key: &str,
    value: &'a Json,
    at: &str,
    known: &[Table],
) -> Verdict {
    let folded = fold(key);
    // Here an empty list is not the default: it hides and protects nothing.
    let empty_counts = matches!(&*folded, "maskedpaths" | "readonlypaths");
    if value.is_zero() && !empty_counts {
        return Ok(());
    }
    let place = format!("`{at}{}`", printable(key));
    let refuse = |problem: &str| Err(host(&place, problem));
    let text = value.as_str().unwrap_or("?");
    match &*folded {
        "maskedpaths" => {
            paths(value, MASKED_PATHS, &place)?;
            if *value == Json::Null {
                return Ok(());
            }
            paths(value, inquiry.hidden_paths(), &place)
        }
        "readonlypaths" => paths(value, READONLY_PATHS, &place),
        // -1 asks for the engine's default.
        "memoryswappiness" => Ok(()),
        "annotations" => refuse("tells the runtime what to do outside the container"),
        "capadd" => capabilities(value, &inquiry.limits.exceptions.capabilities, &place),
        "cgroupnsmode" | "utsmode" | "usernsmode" | "pidmode" if text == "private" => Ok(()),
        "cgroupparent" => refuse("puts the container under a cgroup of the client's choice"),
        "devices" if devices_are_exceptions(inquiry, value) => Ok(()),
        "devicecgrouprules" | "devices" | "devicerequests" => refuse("opens devices of the host"),
        "cgroupnsmode" if text == "host" => match inquiry.cgroups_are_the_hosts() {
            // Nothing that the container would not have without the field.
            Some(true) | None => Ok(()),
            Some(false) => refuse(MODE_INSIDE),
        },
        "containeridfile" => match inquiry.is_docker() {
            Some(true) | None => Ok(()),
            Some(false) => refuse("names a file of the host, which this engine removes"),
        },
        "env" => variables(inquiry, value, &place),
        "groupadd" if texts(value).contains(&"keep-groups") => {
            refuse("keeps the groups of the engine itself")
        }
        "ipcmode" if matches!(text, "private" | "shareable" | "none") => Ok(()),
        "cgroup" | "cgroupnsmode" | "ipcmode" | "pidmode" | "usernsmode" | "utsmode" => {
            refuse(MODE_INSIDE)
        }
        "isolation" if text.eq_ignore_ascii_case("default") => Ok(()),
        "isolation" => refuse("is for Windows"),
        "links" => refuse("copies the environment of the linked container"),
        "logconfig" => log_config(value, "Type", "Config", &place),
        "networkmode" => match text {
            "host" | "?" => refuse(HOST_NETWORK),
            _ if text.starts_with("container:") => refuse(MODE_INSIDE),
            _ => network_of_host(inquiry, text, &place),
        },
        "privileged" => refuse("gives the container everything of the host"),
        "runtime" if matches!(text, "runc" | "io.containerd.runc.v2") => Ok(()),
        "runtime" => refuse("names a runtime that may isolate less"),
        "securityopt" => security(value, &place),
        "sysctls" => sysctls(value, &place),
        "volumesfrom" => refuse("takes over whatever another container mounts"),
        "workingdir" => working_directory(text, &place),
        _ => known_field(key, value, known, &place),
    }
}

/// Whether each of these devices is one that may be reached although access to the host is denied.
fn devices_are_exceptions(inquiry: &Inquiry<'_>, devices: &Json) -> bool {
    let listed = &inquiry.limits.exceptions.devices;
    devices.as_array().is_some_and(|devices| {
        devices.iter().all(|device| {
            let path = device.field("PathOnHost").and_then(Json::as_str).unwrap_or_default();
            listed.iter().any(|listed| listed == path)
        })
    })
}

/// `POST /networks/{id}/connect`.
pub(super) fn network_connect(inquiry: &mut Inquiry<'_>) -> Verdict {
    let Some(endpoint) = inquiry.field("EndpointConfig") else { return Ok(()) };
    endpoint_of_host(inquiry, "", endpoint, "EndpointConfig")?;
    endpoint_settings(inquiry, Some(endpoint), "EndpointConfig")
}

/// One place of a container on a network.
pub(super) fn endpoint_settings<'a>(
    inquiry: &mut Inquiry<'a>,
    endpoint: Option<&'a Json>,
    at: &str,
) -> Verdict {
    let Some(endpoint) = endpoint.filter(|_| inquiry.denies_host()) else { return Ok(()) };
    for (key, value) in fields(endpoint, at)? {
        let place = format!("`{at}.{}`", printable(key));
        match &*fold(key) {
            _ if value.is_zero() => {}
            "links" => {
                return Err(host(&place, "is deprecated and copies environments; use aliases"));
            }
            "driveropts" => interface_options(value, &place)?,
            _ => known_field(key, value, &[ENDPOINT], &place)?,
        }
    }
    Ok(())
}

/// A network that is the host's own under another name: by its id, or a part of it.
pub(super) fn network_of_host(inquiry: &mut Inquiry<'_>, network: &str, place: &str) -> Verdict {
    if !inquiry.denies_host() || matches!(network, "default" | "bridge" | "none" | "nat" | "") {
        return Ok(());
    }
    if network == "host" {
        return Err(host(place, HOST_NETWORK));
    }
    if !is_plain(network) {
        return Err(violation(Clause::Unclear, place, "names a network that cannot be one"));
    }
    let veil = Veil { place, problem: HOST_NETWORK };
    // What a part of the host network's id means now may be gone when the container starts.
    inquiry.look(&Question::Network("host".to_owned()), veil, |_, found| {
        let Some(found) = found else { return Ok(()) };
        match found.field("Id").and_then(Json::as_str) {
            Some(id) if !id.starts_with(network) => Ok(()),
            _ => Err(host(place, HOST_NETWORK)),
        }
    })?;
    inquiry.look(&Question::Network(network.to_owned()), veil, |_, found| {
        let driver = found.and_then(|it| it.field("Driver")).and_then(Json::as_str);
        if driver == Some("host") { Err(host(place, HOST_NETWORK)) } else { Ok(()) }
    })
}

/// A network that stands under a name and has an id besides; engines prefer the id.
fn endpoint_of_host<'a>(
    inquiry: &mut Inquiry<'a>,
    network: &str,
    endpoint: &'a Json,
    at: &str,
) -> Verdict {
    network_of_host(inquiry, network, &format!("`{at}`"))?;
    let id = endpoint.field("NetworkID").filter(|id| !id.is_zero());
    let Some(id) = id else { return Ok(()) };
    network_of_host(inquiry, id.as_str().unwrap_or("?"), &format!("`{at}.NetworkID`"))
}

/// `POST /containers/{id}/exec`.
pub(super) fn container_exec(inquiry: &mut Inquiry<'_>) -> Verdict {
    if !inquiry.denies_host() {
        return Ok(());
    }
    for (key, value) in inquiry.body.and_then(Json::as_object).into_iter().flat_map(Object::iter) {
        let place = format!("`{}`", printable(key));
        match &*fold(key) {
            _ if value.is_zero() => {}
            "privileged" => {
                return Err(host(&place, "gives the command every capability"));
            }
            "env" => variables(inquiry, value, &place)?,
            "workingdir" => working_directory(value.as_str().unwrap_or("?"), &place)?,
            _ => known_field(key, value, &[EXEC], &place)?,
        }
    }
    target_stays_inside(inquiry)
}

/// A service's specification, in a create, an update, or as the one to go back to.
pub(super) fn service_spec<'a>(
    inquiry: &mut Inquiry<'a>,
    spec: Option<&'a Json>,
    at: &str,
) -> Verdict {
    let Some(spec) = spec else { return Ok(()) };
    let task = spec.field("TaskTemplate");
    let container = task.and_then(|task| task.field("ContainerSpec"));
    let mounts = container.and_then(|container| container.field("Mounts"));
    spec_mounts(inquiry, mounts, &format!("{at}TaskTemplate.ContainerSpec.Mounts"))?;
    if !inquiry.denies_host() {
        return service_is_no_plugin(inquiry, task, at);
    }
    for (key, value) in fields(spec, "the service")? {
        let place = format!("`{at}{}`", printable(key));
        match &*fold(key) {
            _ if value.is_zero() => {}
            "networks" => service_networks(inquiry, value, &place)?,
            "tasktemplate" => task_template(inquiry, value, &format!("{at}TaskTemplate"))?,
            _ => known_field(key, value, &[SERVICE], &place)?,
        }
    }
    Ok(())
}

fn service_is_no_plugin(inquiry: &Inquiry<'_>, task: Option<&Json>, at: &str) -> Verdict {
    let text = |name: &str| {
        task.and_then(|task| task.field(name)).map(|value| value.as_str().unwrap_or("?"))
    };
    let is_plugin = !matches!(text("Runtime").unwrap_or_default(), "" | "container")
        || text("PluginSpec").is_some();
    match inquiry.limits.mounts {
        Mounts::From(_) | Mounts::Denied | Mounts::Unlisted if is_plugin => {
            Err(refused(inquiry, &format!("`{at}TaskTemplate`"), PLUGIN))
        }
        _ => Ok(()),
    }
}

fn task_template<'a>(inquiry: &mut Inquiry<'a>, task: &'a Json, at: &str) -> Verdict {
    for (key, value) in fields(task, at)? {
        let place = format!("`{at}.{}`", printable(key));
        match &*fold(key) {
            _ if value.is_zero() => {}
            "containerspec" => container_spec(inquiry, value, &format!("{at}.ContainerSpec"))?,
            "logdriver" => log_config(value, "Name", "Options", &place)?,
            "networks" => service_networks(inquiry, value, &place)?,
            "runtime" if value.as_str() == Some("container") => {}
            "runtime" | "pluginspec" => return Err(host(&place, "installs a plugin")),
            _ => known_field(key, value, &[TASK], &place)?,
        }
    }
    Ok(())
}

fn service_networks<'a>(inquiry: &mut Inquiry<'a>, networks: &'a Json, place: &str) -> Verdict {
    for network in array(Some(networks), place)? {
        let target = network.field("Target").and_then(Json::as_str).unwrap_or_default();
        network_of_host(inquiry, target, place)?;
        if let Some(options) = network.field("DriverOpts") {
            interface_options(options, place)?;
        }
    }
    Ok(())
}

/// `POST /services/{id}/update`; with `rollback=previous` the engine takes the specification it had before, whatever the body says.
pub(super) fn service_update(inquiry: &mut Inquiry<'_>) -> Verdict {
    service_spec(inquiry, inquiry.body, "")?;
    if inquiry.parameter("rollback").is_empty() || inquiry.limits.are_none() {
        return Ok(());
    }
    look_at_previous(inquiry, |review, previous| {
        service_spec(review, Some(previous), "PreviousSpec.")
    })
}

/// The specification that a service had before, which a client that may not read it knows nothing of.
pub(super) fn look_at_previous<'a>(
    inquiry: &mut Inquiry<'a>,
    judge: impl FnOnce(&mut Inquiry<'a>, &'a Json) -> Verdict,
) -> Verdict {
    const PLACE: &str = "the parameter `rollback`";
    const NONE: &str =
        "asks for a specification that the engine does not have; send the one you want";
    let name = inquiry.object();
    let none = || violation(Clause::Unclear, PLACE, NONE).veiled(PLACE, NONE);
    if !is_plain(name) {
        return Err(none());
    }
    let problem =
        "asks for a specification that goes beyond what is allowed; send the one you want";
    let veil = Veil { place: PLACE, problem };
    inquiry.look(&Question::Service(name.to_owned()), veil, |review, service| {
        let previous = service.and_then(|service| service.field("PreviousSpec"));
        judge(review, previous.ok_or_else(none)?)
    })
}

/// `POST /networks/create`.
pub(super) fn network_create(inquiry: &Inquiry<'_>) -> Verdict {
    let Some(body) = inquiry.body.filter(|_| inquiry.denies_host()) else { return Ok(()) };
    for (key, value) in fields(body, "the body")? {
        let place = format!("`{}`", printable(key));
        match &*fold(key) {
            _ if value.is_zero() => {}
            "driver" if matches!(value.as_str(), Some("bridge" | "overlay" | "default")) => {}
            "driver" => return Err(host(&place, "joins a network of the host")),
            "options" => {
                for (option, value) in fields(value, "Options")? {
                    let is_usual = GATEWAY_MODES.contains(&option)
                        && matches!(value.as_str(), Some("isolated" | "nat"));
                    if !is_usual && !NETWORK_OPTIONS.contains(&option) {
                        let place = format!("`Options.{}`", printable(option));
                        return Err(host(&place, "changes interfaces or addresses of the host"));
                    }
                }
            }
            "ipam" => {
                holds_known(value, &Shape::Fields(IPAM), &place)?;
                for (index, pool) in array(value.field("Config"), "IPAM.Config")?.iter().enumerate()
                {
                    pool_of_private_addresses(pool, &format!("`IPAM.Config[{index}].Subnet`"))?;
                }
                let driver = value.field("Driver").and_then(Json::as_str).unwrap_or_default();
                if !matches!(driver, "" | "default")
                    || value.field("Options").is_some_and(|options| !options.is_zero())
                {
                    return Err(host("`IPAM`", "asks another address driver than the default"));
                }
            }
            "scope" if value.as_str() == Some("local") => {}
            "configfrom" if value.field("Network").is_none_or(Json::is_zero) => {}
            _ => match find(&[NETWORK], key) {
                Some(shape) => holds_known(value, shape, &place)?,
                None => {
                    return Err(host(&place, "reaches networks beyond one of the client's own"));
                }
            },
        }
    }
    Ok(())
}

/// `POST /build`, whose parameters are all in the query.
pub(super) fn image_build(inquiry: &mut Inquiry<'_>) -> Verdict {
    if !inquiry.denies_host() {
        return Ok(());
    }
    let refuse = |name: &str, problem: &str| Err(host(&format!("the parameter `{name}`"), problem));
    match inquiry.parameter("networkmode") {
        "host" => return refuse("networkmode", "builds in the network of the host"),
        mode if mode.starts_with("container:") => return refuse("networkmode", MODE_INSIDE),
        mode => network_of_host(inquiry, mode, "the parameter `networkmode`")?,
    }
    if inquiry.parameter("version") == "2" {
        return refuse("version", "asks for BuildKit, whose builds nobody can inspect");
    }
    for (name, problem) in [
        ("additionalbuildcontexts", "takes files of the host into the build"),
        ("addcaps", "gives the build further capabilities"),
        ("apparmor", "replaces a protection of the build"),
        ("devices", "opens devices of the host for the build"),
        ("idmappingoptions", "chooses the users of the build"),
        ("isolation", "chooses how the build is isolated"),
        ("labelopts", "replaces a protection of the build"),
        ("nsoptions", "chooses the namespaces of the build"),
        ("rusagelogfile", "writes a file of the host"),
        ("seccomp", "replaces a protection of the build"),
        ("transientRunMounts", "mounts files of the host into the build"),
        ("volume", "mounts files of the host into the build"),
        ("remote", "makes the host fetch the build; send it as a tar"),
        ("cgroupparent", "puts the build under a cgroup of the client's choice"),
        ("securityopt", "weakens the isolation of the build"),
        ("outputs", "writes the build's result somewhere else"),
    ] {
        // Engines read every `securityopt`.
        let mut values = inquiry.head.target.query().all(name);
        let is_default =
            |value: &str| value.is_empty() || (name == "isolation" && value == "default");
        if !values.all(is_default) {
            return refuse(name, problem);
        }
    }
    Ok(())
}

/// The variables of a container or an exec. Podman copies those that have no value, or a `*` in their names, from its own environment.
fn variables(inquiry: &mut Inquiry<'_>, value: &Json, place: &str) -> Verdict {
    environment(value, place)?;
    let copies = |entry: &&str| entry.split_once('=').is_none_or(|(name, _)| name.contains('*'));
    match texts(value).iter().find(|entry| copies(entry)) {
        Some(entry) if inquiry.is_docker() == Some(false) => {
            // Not the value, which may be a secret.
            let name = entry.split_once('=').map_or(*entry, |(name, _)| name);
            let problem = format!(
                "copies `{}` from the environment of this engine; give it a value",
                printable(name)
            );
            Err(host(place, &problem))
        }
        _ => Ok(()),
    }
}

/// `POST /images/create`: a pull is what it is for; an import by address is the host fetching anything.
pub(super) fn image_create(inquiry: &Inquiry<'_>) -> Verdict {
    match inquiry.parameter("fromSrc") {
        "" | "-" => Ok(()),
        _ if !inquiry.denies_host() => Ok(()),
        _ => Err(host("the parameter `fromSrc`", "makes the host fetch an address; send a tar")),
    }
}

/// `POST /secrets/create`.
pub(super) fn secret_create(inquiry: &Inquiry<'_>) -> Verdict {
    match inquiry.field("Driver").filter(|driver| !driver.is_zero()) {
        Some(_) if inquiry.denies_host() => Err(host("`Driver`", "asks a plugin for the secret")),
        _ => Ok(()),
    }
}

/// A plugin runs as root on the host and mounts what it likes.
pub(super) fn plugin(inquiry: &Inquiry<'_>) -> Verdict {
    let place = format!("`{}`", inquiry.head.operation);
    match inquiry.limits.mounts {
        // A list that has the name of this operation means plugins.
        _ if inquiry.is_by_words() => Ok(()),
        _ if inquiry.denies_host() => Err(host(&place, PLUGIN)),
        Mounts::All => Ok(()),
        Mounts::From(_) | Mounts::Denied | Mounts::Unlisted => {
            Err(refused(inquiry, &place, PLUGIN))
        }
    }
}

/// A field that is judged by nothing but its name and its shape.
fn known_field(key: &str, value: &Json, known: &[Table], place: &str) -> Verdict {
    match find(known, key) {
        Some(shape) => holds_known(value, shape, place),
        None => Err(host(place, UNKNOWN)),
    }
}

const PLUGIN: &str = "installs or starts a plugin, which runs as root on the host";

/// The parameters of an interface may be those of the kernel; a name inside the container is harmless. The kernel takes fifteen bytes.
fn interface_options(options: &Json, place: &str) -> Verdict {
    if options.is_zero() {
        return Ok(());
    }
    for (option, value) in fields(options, place)? {
        let is_name = |name: &str| name.len() <= 15 && is_plain(name);
        let names = option == "com.docker.network.endpoint.ifname";
        if !names || !value.as_str().is_some_and(is_name) {
            return Err(host(place, "sets kernel parameters of an interface"));
        }
    }
    Ok(())
}

/// The host routes what a network of its own has as addresses, so a network of others' addresses takes the host's traffic to them.
fn pool_of_private_addresses(pool: &Json, place: &str) -> Verdict {
    let text = pool.field("Subnet").map_or("", |subnet| subnet.as_str().unwrap_or("?"));
    let is_private = |subnet: IpNet| {
        PRIVATE_ADDRESSES
            .iter()
            .filter_map(|it| it.parse().ok())
            .any(|it: IpNet| it.contains(&subnet))
    };
    if text.is_empty() || text.parse().is_ok_and(is_private) {
        return Ok(());
    }
    let problem = format!("is `{}`, whose addresses are not for private networks", printable(text));
    Err(host(place, &problem))
}

fn container_spec(inquiry: &Inquiry<'_>, spec: &Json, at: &str) -> Verdict {
    for (key, value) in fields(spec, at)? {
        let place = format!("`{at}.{}`", printable(key));
        match &*fold(key) {
            _ if value.is_zero() => {}
            "capabilityadd" => {
                capabilities(value, &inquiry.limits.exceptions.capabilities, &place)?;
            }
            "dir" => working_directory(value.as_str().unwrap_or("?"), &place)?,
            "env" => environment(value, &place)?,
            "isolation" if value.as_str() == Some("default") => {}
            "privileges" => privileges(value, &place)?,
            "sysctls" => sysctls(value, &place)?,
            _ => known_field(key, value, &[CONTAINER_SPEC], &place)?,
        }
    }
    Ok(())
}

/// Of a service's `Privileges` only what strengthens, or says nothing.
fn privileges(value: &Json, place: &str) -> Verdict {
    for (key, value) in fields(value, place)? {
        let says_nothing = |value: &Json| {
            value.is_zero()
                || value.as_object().is_some_and(|object| {
                    object.iter().all(|(key, value)| {
                        value.is_zero()
                            || (fold(key) == "mode" && value.as_str() == Some("default"))
                    })
                })
        };
        if fold(key) != "nonewprivileges" && !says_nothing(value) {
            let problem = format!("weakens or replaces a protection (`{}`)", printable(key));
            return Err(host(place, &problem));
        }
    }
    Ok(())
}
