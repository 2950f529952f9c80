//! The names that decide who is let in: `-allowfrom` admits whatever container a name in it leads to, so nobody may take such a name.
//!
//! Docker's DNS finds a container by its name and its aliases, alone or with the network's name behind a dot, and a resolver adds its search
//! domains. So what stands behind the first dot says nothing, and two names meet if what stands before it is the same.

use std::collections::BTreeSet;

use crate::request::json::{Json, Object};
use crate::text::printable;

use super::mounts::array;
use super::{Clause, HostAccess, Review, Verdict, Violation, violation};

/// Names that lead to a container, each in one spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeSet<String>);

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().map(|name| spelling(name.as_ref())).collect())
    }
}

impl Names {
    /// Whether one of these could lead to a container that is called `name`.
    pub fn may_mean(&self, name: &str) -> bool {
        self.0.iter().any(|ours| {
            // In a swarm `tasks.x` leads to the containers of the service `x`.
            meet(ours, name) || ours.strip_prefix("tasks.").is_some_and(|ours| meet(ours, name))
        })
    }

    /// Whether one of these could be for a container on the network with this name: it is what stands behind a dot.
    pub fn name_network(&self, network: &str) -> bool {
        let network = spelling(network);
        self.0.iter().any(|ours| {
            ours.strip_suffix(&network)
                .is_some_and(|host| !network.is_empty() && host.ends_with('.'))
        })
    }
}

/// Whether two names could lead to the same container.
fn meet(ours: &str, theirs: &str) -> bool {
    let theirs = spelling(theirs);
    !theirs.is_empty() && ours.split('.').next() == theirs.split('.').next()
}

/// A name as DNS compares it: in lower case, without the root's dot. The engine also takes a slash in front.
fn spelling(name: &str) -> String {
    name.trim_start_matches('/').trim_end_matches('.').to_lowercase()
}

/// A name that a request gives to something, and where it stands.
type Given<'a> = (String, &'a str);

impl<'a> Review<'a> {
    /// Nobody takes a name that decides who is let in, where rights come from labels or access to the host is denied. Elsewhere a client may
    /// have to: one that creates containers anew creates them under their own names.
    pub(super) fn names_are_free(&mut self) -> Verdict {
        if self.limits.may_label {
            return Ok(());
        }
        self.are_free(&self.names_given()?)?;
        if self.head.operation.id() == "ServiceUpdate" && !self.parameter("rollback").is_empty() {
            self.look_at_previous(|review, previous| {
                let mut given = Vec::new();
                service(previous, "PreviousSpec.", &mut given)?;
                review.are_free(&given)
            })?;
        }
        if self.head.operation.id() == "NetworkCreate" {
            let name = self.field("Name").and_then(Json::as_str).unwrap_or_default();
            if self.guards_admitted() && self.admitted.name_network(name) {
                return Err(takes("`Name`", name, "a client of the proxy"));
            }
        }
        Ok(())
    }

    fn guards_admitted(&self) -> bool {
        self.protected.is_some() || self.limits.host_access == HostAccess::Deny
    }

    fn are_free(&self, given: &[Given<'_>]) -> Verdict {
        let own: Names = self.protected.iter().flat_map(|protected| &protected.names).collect();
        let taken = |name: &str| {
            own.may_mean(name) || (self.guards_admitted() && self.admitted.may_mean(name))
        };
        match given.iter().find(|(_, name)| taken(name)) {
            Some((place, name)) => Err(takes(place, name, "the proxy or one of its clients")),
            None => Ok(()),
        }
    }

    fn names_given(&self) -> Result<Vec<Given<'a>>, Violation> {
        let mut given = Vec::new();
        match self.head.operation.id() {
            "ContainerCreate" => {
                self.parameter_name(&mut given);
                if let Some(body) = self.body {
                    container(body, &mut given)?;
                }
            }
            "ContainerRename" => self.parameter_name(&mut given),
            "NetworkConnect" => {
                if let Some(endpoint) = self.field("EndpointConfig") {
                    names_on_network(endpoint, "EndpointConfig", &mut given)?;
                }
            }
            "ServiceCreate" | "ServiceUpdate" => {
                if let Some(spec) = self.body {
                    service(spec, "", &mut given)?;
                }
            }
            _ => {}
        }
        Ok(given)
    }

    /// Podman also reads it in other case.
    fn parameter_name(&self, given: &mut Vec<Given<'a>>) {
        let names =
            self.head.target.query().iter().filter(|(key, _)| key.eq_ignore_ascii_case("name"));
        given.extend(names.map(|(_, name)| ("the parameter `name`".to_owned(), name)));
    }
}

fn container<'a>(body: &'a Json, given: &mut Vec<Given<'a>>) -> Verdict {
    given.push(("`Hostname`".to_owned(), text(body, "Hostname")));
    // Engines up to 26 read it at the top level as well.
    for (config, at) in [(Some(body), ""), (body.field("HostConfig"), "HostConfig.")] {
        links(config, &format!("{at}Links"), given)?;
    }
    let endpoints =
        body.field("NetworkingConfig").and_then(|config| config.field("EndpointsConfig"));
    for (network, endpoint) in
        endpoints.and_then(Json::as_object).into_iter().flat_map(Object::iter)
    {
        let at = format!("NetworkingConfig.EndpointsConfig.{}", printable(network));
        names_on_network(endpoint, &at, given)?;
    }
    Ok(())
}

fn names_on_network<'a>(endpoint: &'a Json, at: &str, given: &mut Vec<Given<'a>>) -> Verdict {
    for field in ["Aliases", "DNSNames"] {
        texts(endpoint, field, at, given)?;
    }
    links(Some(endpoint), &format!("{at}.Links"), given)
}

/// `name:alias`, or `/name:/container/alias` as engines tell it. Whoever gives a container its own name changes nothing.
fn links<'a>(config: Option<&'a Json>, at: &str, given: &mut Vec<Given<'a>>) -> Verdict {
    for link in array(config.and_then(|config| config.field("Links")), at)? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, name: &str, want: bool) {
        assert_eq!(Names::from_iter([entry]).may_mean(name), want, "{entry} {name}");
    }

    #[test]
    fn names_meet_before_the_first_dot() {
        for name in ["good", "GOOD", "good.", "/good", "good..", "good.netname", "Good.Corp.Test."]
        {
            check("good", name, true);
        }
        for name in
            ["good", "good.netname", "good.netname.corp.test", "good.netname.", "good.corp.test"]
        {
            check("good.netname", name, true);
            check("Good.NetName.", name, true);
        }
        for name in ["", ".", "/", "goo", "goods", "a.good", "good-1", "good_2"] {
            check("good", name, false);
        }
        for name in ["netname", "goods.netname", "x.netname", "x.good.netname"] {
            check("good.netname", name, false);
        }
        // The DNS of a swarm finds the tasks of a service under this name.
        check("tasks.good", "good", true);
        check("tasks.good", "tasks", true);
        check("tasks.good", "better", false);
    }

    #[test]
    fn networks_stand_behind_a_dot() {
        let names = Names::from_iter(["good.netname", "plain", "deep.corp.test"]);
        for network in ["netname", "NetName", "test", "corp.test"] {
            assert!(names.name_network(network), "{network}");
        }
        for network in ["", ".", "name", "good", "plain", "good.netname", "corp"] {
            assert!(!names.name_network(network), "{network}");
        }
    }
}
