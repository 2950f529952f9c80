//! The names that decide who is let in: `-allowfrom` admits whatever container a name in it leads to, so nobody may take such a name.
//!
//! Docker's DNS finds a container by its name and its aliases, alone or with the network's name behind a dot, and a resolver adds its search
//! domains. So what stands behind the first dot says nothing, and two names meet if what stands before it is the same.

use std::collections::BTreeSet;

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
pub(super) fn spelling(name: &str) -> String {
    name.trim_start_matches('/').trim_end_matches('.').to_lowercase()
}

/// A name or id in the characters that Docker gives them (moby `daemon/names`), so that it means one thing in a path of ours.
pub(super) fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    name.len() <= 255
        && name.bytes().all(fits)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
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
