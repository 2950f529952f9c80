//! What reaches past a container: field by field, for `hostaccess=deny`.
//!
//! The fields that are known to stay inside are listed; a field that is set and not listed is refused, because a newer engine may make
//! anything of it. The facts are those of moby's `api/types/container` and `daemon/` up to API 1.55.

use crate::request::json::{Json, Object, fold};
use crate::text::printable;

use ipnet::IpNet;

use super::known::{
    CONFIG, CONTAINER_SPEC, ENDPOINT, EXEC, GATEWAY_MODES, HOST_CONFIG, MASKED_PATHS, NETWORK,
    NETWORK_OPTIONS, PRIVATE_ADDRESSES, READONLY_PATHS, SERVICE, TASK,
};
use super::look::Veil;
use super::mounts::array;
use super::values::{
    capabilities, environment, fields, log_config, paths, security, sysctls, texts,
    working_directory,
};
use super::{Clause, Mounts, Question, Review, Verdict, host, is_plain, violation};

const HOST_NETWORK: &str = "uses the network of the host";
const MODE_INSIDE: &str = "shares a namespace with the host or another container";

impl<'a> Review<'a> {
    /// `POST /containers/create`. Engines up to 26 read the fields of `HostConfig` at the top level as well when `HostConfig` is absent or
    /// `null` (moby `runconfig/config_unix.go`), so they are judged in both places.
    pub(super) fn container_create(&mut self) -> Verdict {
        let Some(body) = self.body.and_then(Json::as_object) else { return Ok(()) };
        self.host_config(body, "", &[CONFIG, HOST_CONFIG, &["hostconfig", "networkingconfig"]])?;
        match body.field("HostConfig") {
            None => {}
            Some(Json::Object(config)) => {
                self.host_config(config, "HostConfig.", &[HOST_CONFIG])?;
            }
            Some(_) => {
                return Err(violation(Clause::Unclear, "`HostConfig`", "is no object; send one"));
            }
        }
        let endpoints =
            body.field("NetworkingConfig").and_then(|config| config.field("EndpointsConfig"));
        for (network, endpoint) in
            endpoints.and_then(Json::as_object).into_iter().flat_map(Object::iter)
        {
            let place = format!("NetworkingConfig.EndpointsConfig.{}", printable(network));
            self.endpoint_of_host(network, endpoint, &place)?;
            self.endpoint(Some(endpoint), &place)?;
        }
        Ok(())
    }

    /// `POST /containers/{id}/update`, whose body is the resources of a `HostConfig` without the object around them.
    pub(super) fn container_update(&mut self) -> Verdict {
        let Some(body) = self.body.and_then(Json::as_object) else { return Ok(()) };
        self.host_config(body, "", &[HOST_CONFIG])
    }

    fn host_config(&mut self, config: &'a Object, at: &str, known: &[&[&str]]) -> Verdict {
        self.host_mounts(config, at)?;
        if !self.denies_host() {
            return Ok(());
        }
        for (key, value) in config.iter() {
            self.host_field(key, value, at, known)?;
        }
        Ok(())
    }

    /// One field of a container's configuration.
    fn host_field(&mut self, key: &str, value: &'a Json, at: &str, known: &[&[&str]]) -> Verdict {
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
            "maskedpaths" => paths(value, MASKED_PATHS, &place),
            "readonlypaths" => paths(value, READONLY_PATHS, &place),
            // -1 asks for the engine's default.
            "memoryswappiness" => Ok(()),
            "annotations" => refuse("tells the runtime what to do outside the container"),
            "capadd" => capabilities(value, &place),
            "cgroupnsmode" | "utsmode" | "usernsmode" | "pidmode" if text == "private" => Ok(()),
            "cgroupparent" => refuse("puts the container under a cgroup of the client's choice"),
            "devicecgrouprules" | "devices" | "devicerequests" => {
                refuse("opens devices of the host")
            }
            "cgroupnsmode" if text == "host" => match self.cgroups_are_the_hosts() {
                // Nothing that the container would not have without the field.
                Some(true) | None => Ok(()),
                Some(false) => refuse(MODE_INSIDE),
            },
            "containeridfile" => match self.is_docker() {
                Some(true) | None => Ok(()),
                Some(false) => refuse("names a file of the host, which this engine removes"),
            },
            "env" => self.environment(value, &place),
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
            "logconfig" => log_config(value.field("Type"), value.field("Config"), &place),
            "networkmode" => match text {
                "host" | "?" => refuse(HOST_NETWORK),
                _ if text.starts_with("container:") => refuse(MODE_INSIDE),
                _ => self.network_of_host(text, &place),
            },
            "privileged" => refuse("gives the container everything of the host"),
            "runtime" if matches!(text, "runc" | "io.containerd.runc.v2") => Ok(()),
            "runtime" => refuse("names a runtime that may isolate less"),
            "securityopt" => security(value, &place),
            "sysctls" => sysctls(value, &place),
            "volumesfrom" => refuse("takes over whatever another container mounts"),
            "workingdir" => working_directory(text, &place),
            name if known.iter().any(|known| known.contains(&name)) => Ok(()),
            _ => refuse(UNKNOWN),
        }
    }

    /// `POST /networks/{id}/connect`.
    pub(super) fn network_connect(&mut self) -> Verdict {
        let Some(endpoint) = self.field("EndpointConfig") else { return Ok(()) };
        self.endpoint_of_host("", endpoint, "EndpointConfig")?;
        self.endpoint(Some(endpoint), "EndpointConfig")
    }

    /// One place of a container on a network.
    pub(super) fn endpoint(&mut self, endpoint: Option<&'a Json>, at: &str) -> Verdict {
        let Some(endpoint) = endpoint.filter(|_| self.denies_host()) else { return Ok(()) };
        for (key, value) in fields(endpoint, at)? {
            let place = format!("`{at}.{}`", printable(key));
            match &*fold(key) {
                _ if value.is_zero() => {}
                "links" => {
                    return Err(host(&place, "is deprecated and copies environments; use aliases"));
                }
                "driveropts" => interface_options(value, &place)?,
                name if ENDPOINT.contains(&name) => {}
                _ => return Err(host(&place, UNKNOWN)),
            }
        }
        Ok(())
    }

    /// A network that is the host's own under another name: by its id, or a part of it.
    fn network_of_host(&mut self, network: &str, place: &str) -> Verdict {
        if !self.denies_host() || matches!(network, "default" | "bridge" | "none" | "nat" | "") {
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
        self.look(&Question::Network("host".to_owned()), veil, |_, found| {
            let Some(found) = found else { return Ok(()) };
            match found.field("Id").and_then(Json::as_str) {
                Some(id) if !id.starts_with(network) => Ok(()),
                _ => Err(host(place, HOST_NETWORK)),
            }
        })?;
        self.look(&Question::Network(network.to_owned()), veil, |_, found| {
            let driver = found.and_then(|it| it.field("Driver")).and_then(Json::as_str);
            if driver == Some("host") { Err(host(place, HOST_NETWORK)) } else { Ok(()) }
        })
    }

    /// A network that stands under a name and has an id besides; engines prefer the id.
    fn endpoint_of_host(&mut self, network: &str, endpoint: &'a Json, at: &str) -> Verdict {
        self.network_of_host(network, &format!("`{at}`"))?;
        let id = endpoint.field("NetworkID").filter(|id| !id.is_zero());
        let Some(id) = id else { return Ok(()) };
        self.network_of_host(id.as_str().unwrap_or("?"), &format!("`{at}.NetworkID`"))
    }

    /// `POST /containers/{id}/exec`.
    pub(super) fn container_exec(&mut self) -> Verdict {
        if !self.denies_host() {
            return Ok(());
        }
        for (key, value) in self.body.and_then(Json::as_object).into_iter().flat_map(Object::iter) {
            let place = format!("`{}`", printable(key));
            match &*fold(key) {
                _ if value.is_zero() => {}
                "privileged" => {
                    return Err(host(&place, "gives the command every capability"));
                }
                "env" => self.environment(value, &place)?,
                "workingdir" => working_directory(value.as_str().unwrap_or("?"), &place)?,
                name if EXEC.contains(&name) => {}
                _ => return Err(host(&place, UNKNOWN)),
            }
        }
        self.target_stays_inside()
    }

    /// A service's specification, in a create, an update, or as the one to go back to.
    pub(super) fn service(&mut self, spec: Option<&'a Json>, at: &str) -> Verdict {
        let Some(spec) = spec else { return Ok(()) };
        let task = spec.field("TaskTemplate");
        let container = task.and_then(|task| task.field("ContainerSpec"));
        let mounts = container.and_then(|container| container.field("Mounts"));
        self.mounts(mounts, &format!("{at}TaskTemplate.ContainerSpec.Mounts"))?;
        if !self.denies_host() {
            return self.service_is_no_plugin(task, at);
        }
        for (key, value) in fields(spec, "the service")? {
            let place = format!("`{at}{}`", printable(key));
            match &*fold(key) {
                _ if value.is_zero() => {}
                "networks" => self.service_networks(value, &place)?,
                "tasktemplate" => self.task(value, &format!("{at}TaskTemplate"))?,
                name if SERVICE.contains(&name) => {}
                _ => return Err(host(&place, UNKNOWN)),
            }
        }
        Ok(())
    }

    fn service_is_no_plugin(&self, task: Option<&Json>, at: &str) -> Verdict {
        let text = |name: &str| {
            task.and_then(|task| task.field(name)).map(|value| value.as_str().unwrap_or("?"))
        };
        let is_plugin = !matches!(text("Runtime").unwrap_or_default(), "" | "container")
            || text("PluginSpec").is_some();
        match self.limits.mounts {
            Mounts::From(_) | Mounts::Denied | Mounts::Unlisted if is_plugin => {
                Err(self.refused(&format!("`{at}TaskTemplate`"), PLUGIN))
            }
            _ => Ok(()),
        }
    }

    fn task(&mut self, task: &'a Json, at: &str) -> Verdict {
        for (key, value) in fields(task, at)? {
            let place = format!("`{at}.{}`", printable(key));
            match &*fold(key) {
                _ if value.is_zero() => {}
                "containerspec" => container_spec(value, &format!("{at}.ContainerSpec"))?,
                "logdriver" => log_config(value.field("Name"), value.field("Options"), &place)?,
                "networks" => self.service_networks(value, &place)?,
                "runtime" if value.as_str() == Some("container") => {}
                "runtime" | "pluginspec" => return Err(host(&place, "installs a plugin")),
                name if TASK.contains(&name) => {}
                _ => return Err(host(&place, UNKNOWN)),
            }
        }
        Ok(())
    }

    fn service_networks(&mut self, networks: &'a Json, place: &str) -> Verdict {
        for network in array(Some(networks), place)? {
            let target = network.field("Target").and_then(Json::as_str).unwrap_or_default();
            self.network_of_host(target, place)?;
            if let Some(options) = network.field("DriverOpts") {
                interface_options(options, place)?;
            }
        }
        Ok(())
    }

    /// `POST /services/{id}/update`; with `rollback=previous` the engine takes the specification it had before, whatever the body says.
    pub(super) fn service_update(&mut self) -> Verdict {
        self.service(self.body, "")?;
        if self.parameter("rollback").is_empty() || self.limits.are_none() {
            return Ok(());
        }
        self.look_at_previous(|review, previous| review.service(Some(previous), "PreviousSpec."))
    }

    /// The specification that a service had before, which a client that may not read it knows nothing of.
    pub(super) fn look_at_previous(
        &mut self,
        judge: impl FnOnce(&mut Self, &'a Json) -> Verdict,
    ) -> Verdict {
        const PLACE: &str = "the parameter `rollback`";
        const NONE: &str =
            "asks for a specification that the engine does not have; send the one you want";
        let name = self.object();
        let none = || violation(Clause::Unclear, PLACE, NONE).veiled(PLACE, NONE);
        if !is_plain(name) {
            return Err(none());
        }
        let problem =
            "asks for a specification that goes beyond what is allowed; send the one you want";
        let veil = Veil { place: PLACE, problem };
        self.look(&Question::Service(name.to_owned()), veil, |review, service| {
            let previous = service.and_then(|service| service.field("PreviousSpec"));
            judge(review, previous.ok_or_else(none)?)
        })
    }

    /// `POST /networks/create`.
    pub(super) fn network_create(&self) -> Verdict {
        let Some(body) = self.body.filter(|_| self.denies_host()) else { return Ok(()) };
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
                            return Err(host(
                                &place,
                                "changes interfaces or addresses of the host",
                            ));
                        }
                    }
                }
                "ipam" => {
                    for (index, pool) in
                        array(value.field("Config"), "IPAM.Config")?.iter().enumerate()
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
                name if NETWORK.contains(&name) => {}
                _ => return Err(host(&place, "reaches networks beyond one of the client's own")),
            }
        }
        Ok(())
    }

    /// `POST /build`, whose parameters are all in the query.
    pub(super) fn build(&mut self) -> Verdict {
        if !self.denies_host() {
            return Ok(());
        }
        let refuse =
            |name: &str, problem: &str| Err(host(&format!("the parameter `{name}`"), problem));
        match self.parameter("networkmode") {
            "host" => return refuse("networkmode", "builds in the network of the host"),
            mode if mode.starts_with("container:") => return refuse("networkmode", MODE_INSIDE),
            mode => self.network_of_host(mode, "the parameter `networkmode`")?,
        }
        if self.parameter("version") == "2" {
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
            let value = self.parameter(name);
            let is_default = value.is_empty() || (name == "isolation" && value == "default");
            if !is_default {
                return refuse(name, problem);
            }
        }
        Ok(())
    }

    /// The variables of a container or an exec. Podman copies those that have no value, or a `*` in their names, from its own environment.
    fn environment(&mut self, value: &Json, place: &str) -> Verdict {
        environment(value, place)?;
        let copies =
            |entry: &&str| entry.split_once('=').is_none_or(|(name, _)| name.contains('*'));
        match texts(value).iter().find(|entry| copies(entry)) {
            Some(entry) if self.is_docker() == Some(false) => {
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
    pub(super) fn image_create(&self) -> Verdict {
        match self.parameter("fromSrc") {
            "" | "-" => Ok(()),
            _ if !self.denies_host() => Ok(()),
            _ => {
                Err(host("the parameter `fromSrc`", "makes the host fetch an address; send a tar"))
            }
        }
    }

    /// `POST /secrets/create`.
    pub(super) fn secret_create(&self) -> Verdict {
        match self.field("Driver").filter(|driver| !driver.is_zero()) {
            Some(_) if self.denies_host() => Err(host("`Driver`", "asks a plugin for the secret")),
            _ => Ok(()),
        }
    }

    /// A plugin runs as root on the host and mounts what it likes.
    pub(super) fn plugin(&self) -> Verdict {
        let place = format!("`{}`", self.head.operation.id());
        match self.limits.mounts {
            _ if self.denies_host() => Err(host(&place, PLUGIN)),
            Mounts::All => Ok(()),
            Mounts::From(_) | Mounts::Denied | Mounts::Unlisted => {
                Err(self.refused(&place, PLUGIN))
            }
        }
    }
}

const UNKNOWN: &str = "is not a field that sockwarden knows to stay inside the container";

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

fn container_spec(spec: &Json, at: &str) -> Verdict {
    for (key, value) in fields(spec, at)? {
        let place = format!("`{at}.{}`", printable(key));
        match &*fold(key) {
            _ if value.is_zero() => {}
            "capabilityadd" => capabilities(value, &place)?,
            "dir" => working_directory(value.as_str().unwrap_or("?"), &place)?,
            "env" => environment(value, &place)?,
            "isolation" if value.as_str() == Some("default") => {}
            "privileges" => privileges(value, &place)?,
            "sysctls" => sysctls(value, &place)?,
            name if CONTAINER_SPEC.contains(&name) => {}
            _ => return Err(host(&place, UNKNOWN)),
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
