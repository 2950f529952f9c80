//! Who asks: the peer of a connection, and what is known of it.

mod container;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::rule::labels::creator::{Creator, Maker};

pub use container::{
    Bound, Container, ContainerId, Lineage, MadeBy, Parent, Standing, Step, WhyBound, WhyUnknown,
};

/// The other end of a connection, as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A TCP peer; IPv4-mapped IPv6 addresses are written as IPv4.
    Tcp {
        /// Its own address.
        remote: SocketAddr,
        /// The address of ours that it connected to, which says over which network it came.
        local: IpAddr,
    },
    /// The peer credentials of a Unix socket, unix(7) `SO_PEERCRED`.
    Unix {
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Its process, where the kernel can say it in our namespace.
        pid: Option<i32>,
    },
}

impl Peer {
    /// A TCP peer with its addresses in canonical form.
    pub fn tcp(remote: SocketAddr, local: IpAddr) -> Self {
        Self::Tcp {
            remote: SocketAddr::new(remote.ip().to_canonical(), remote.port()),
            local: local.to_canonical(),
        }
    }

    /// The address of a TCP peer.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { remote, .. } => Some(remote.ip()),
            Self::Unix { .. } => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { remote, .. } => remote.ip().fmt(f),
            Self::Unix { uid, pid: Some(pid), .. } => write!(f, "uid {uid} pid {pid}"),
            Self::Unix { uid, .. } => write!(f, "uid {uid}"),
        }
    }
}

/// Who a request is judged as.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it came from.
    pub peer: Peer,
    /// Whether the default allowlist is for it.
    pub admission: Admission,
    /// What it was recognised as.
    pub identity: Identity,
}

/// Whether a peer may use the default allowlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is listed in `allowfrom`, or came through a Unix socket it was able to open.
    Listed,
    /// It is not.
    Unlisted,
}

/// What a peer was recognised as.
#[derive(Debug, Clone)]
pub enum Identity {
    /// Nothing more than its address or its user: per-container allowlists are off, or no container can be behind it.
    Plain,
    /// A container; several where they share one network namespace, and then each of them must be allowed to ask.
    Containers(Arc<[Arc<Container>]>),
    /// It might be a container, and which one cannot be said.
    Unknown(WhyUnknown),
}

impl Identity {
    /// By which lists it is judged. Each of them must allow a request: containers that share an address cannot be told apart.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        let (alone, containers) = match self {
            Self::Plain => (Some(Standing::Default), None),
            Self::Unknown(why) => (Some(Standing::Unknown(why)), None),
            Self::Containers(containers) => (None, Some(containers)),
        };
        let containers = containers.into_iter().flat_map(|containers| containers.iter());
        alone.into_iter().chain(containers.flat_map(|container| container.standings()))
    }

    /// Whether the default list is for it, or for one of the containers that it may be.
    pub fn is_by_default(&self) -> bool {
        self.standings().any(|standing| standing.is_by_default())
    }
}

impl fmt::Display for Client {
    /// A container by its name and address, others by their address or user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Identity::Containers(containers) = &self.identity {
            for (index, container) in containers.iter().enumerate() {
                write!(f, "{}{container}", if index == 0 { "" } else { "+" })?;
            }
            return write!(f, " ({})", self.peer);
        }
        self.peer.fmt(f)
    }
}

impl Client {
    /// As whom it is written on what it creates. Containers that share an address are all named.
    pub fn as_creator(&self) -> Creator {
        match &self.identity {
            Identity::Plain => Creator::of([match self.peer {
                Peer::Unix { uid, .. } => Maker::User(uid),
                Peer::Tcp { remote, .. } => Maker::Address(remote.ip()),
            }]),
            Identity::Containers(containers) => {
                Creator::of(containers.iter().flat_map(|container| container.makers()))
            }
            Identity::Unknown(_) => Creator::Unreadable,
        }
    }
}

impl Identity {
    /// Those who created it and are no containers, of whom somebody has to ask whether they are admitted.
    pub fn peers(&self) -> Vec<Maker> {
        let Self::Containers(containers) = self else { return Vec::new() };
        let made_by = containers.iter().flat_map(|container| &container.lineage.makers);
        made_by
            .filter_map(|made_by| match made_by {
                MadeBy::Peer(maker) => Some(maker.clone()),
                _ => None,
            })
            .collect()
    }

    /// The same, where these of its peers are admitted, and no others.
    #[must_use]
    pub fn where_admitted(&self, admitted: &[Maker]) -> Self {
        let Self::Containers(containers) = self else { return self.clone() };
        let asked = |container: &Arc<Container>| {
            let mut lineage = container.lineage.clone();
            for made_by in &mut lineage.makers {
                if let MadeBy::Peer(maker) = made_by {
                    let maker = maker.clone();
                    *made_by = if admitted.contains(&maker) {
                        MadeBy::Admitted(maker)
                    } else {
                        MadeBy::Stranger(maker)
                    };
                }
            }
            Arc::new(container.with_lineage(lineage))
        };
        Self::Containers(containers.iter().map(asked).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::container::tests::{container, made_by, own};
    use super::*;
    use crate::rule::labels::Rights;
    use crate::rule::labels::creator::Service;

    #[track_caller]
    fn check(containers: &[Arc<Container>], want: &str) {
        let address = IpAddr::from([10, 0, 0, 2]);
        let client = Client {
            peer: Peer::tcp((address, 5).into(), address),
            admission: Admission::Listed,
            identity: Identity::Containers(containers.into()),
        };
        assert_eq!(client.as_creator().to_string(), want);
    }

    #[test]
    fn a_client_is_written_as_the_root_of_what_it_creates() {
        let service = |is_own_service| Lineage {
            service: Service::new("web", "ci"),
            is_own_service,
            ..Lineage::default()
        };
        let ci = container("ci", own(), service(true));
        check(&[Arc::clone(&ci)], "service:web/ci");
        check(&[container("ci", own(), service(false))], "name:ci");
        check(&[container("x", Rights::Unlabelled, Lineage::default())], "name:x");
        let child = container("c", Rights::Unlabelled, made_by("user:5,name:a"));
        check(&[Arc::clone(&child)], "user:5,name:a");
        check(&[ci, child], "service:web/ci,user:5,name:a");
        // What creates with labels of its own stands behind it too: they may limit it further.
        check(&[container("both", own(), made_by("name:a"))], "name:a,name:both");
        check(&[container("both", own(), made_by("?"))], "unknown");
        check(&[container("lost", Rights::Unlabelled, made_by("?"))], "unknown");
        check(&[container("o d", own(), Lineage::default())], "name:o d");
        assert_eq!(Creator::parse("name:o d"), Creator::Unreadable);
    }

    #[test]
    fn others_than_containers_are_written_too() {
        let client =
            |peer| Client { peer, admission: Admission::Listed, identity: Identity::Plain };
        let unix = client(Peer::Unix { uid: 1000, gid: 5, pid: None });
        assert_eq!(unix.as_creator().to_string(), "user:1000");
        let remote = "[::ffff:10.0.0.9]:77".parse().unwrap();
        let tcp = client(Peer::tcp(remote, "10.0.0.1".parse().unwrap()));
        assert_eq!(tcp.as_creator().to_string(), "address:10.0.0.9");
    }
}
