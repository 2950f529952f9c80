//! Who asks: the peer of a connection, and what is known of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::rule::Allowlist;
use crate::rule::labels::{LabelError, Rights};
use crate::text::escaped;

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

/// By which list somebody is judged.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    /// By the default allowlist, if the peer is admitted.
    Default,
    /// By the list that its own labels give.
    Own(&'a Arc<Allowlist>),
    /// By none: its labels are wrong.
    Broken(&'a Arc<[LabelError]>),
    /// By none: it might be a container, and nobody can say which.
    Unknown(&'a WhyUnknown),
}

impl Standing<'_> {
    fn is_by_default(self) -> bool {
        matches!(self, Self::Default)
    }
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
        alone.into_iter().chain(containers.map(|container| container.standing()))
    }

    /// Whether the default list is for it, or for one of the containers that it may be.
    pub fn is_by_default(&self) -> bool {
        self.standings().any(Standing::is_by_default)
    }
}

/// Why nobody can say which container a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyUnknown {
    /// The engine knows no container with this address on this network, even after a while.
    NotFound,
    /// The engine does not answer, so what we knew may be old.
    Stale,
    /// The engine names several containers for the address.
    Ambiguous,
    /// It uses a link-local address, which no engine lists.
    LinkLocal,
}

impl fmt::Display for WhyUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "the engine knows no container with this address",
            Self::Stale => "the engine does not say whose address this is",
            Self::Ambiguous => "the engine names several containers for this address",
            Self::LinkLocal => "link-local addresses belong to nobody",
        })
    }
}

/// A container as far as judging needs it. Its labels never change, so neither do its rights.
#[derive(Debug)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the leading slash.
    pub name: String,
    /// What its labels say.
    pub rights: Rights,
}

impl Container {
    /// By which list it is judged.
    pub fn standing(&self) -> Standing<'_> {
        match &self.rights {
            Rights::Unlabelled => Standing::Default,
            Rights::Own(list) => Standing::Own(list),
            Rights::Broken(errors) => Standing::Broken(errors),
        }
    }

    /// Whether the default list is for it.
    pub fn is_by_default(&self) -> bool {
        self.standing().is_by_default()
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.name))
    }
}

/// A container's full id, 64 hexadecimal digits; nothing can shadow it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId([u8; 32]);

impl ContainerId {
    /// Reads a full id.
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 32];
        let mut digits = text.chars();
        for byte in &mut id {
            let high = lower_hex(digits.next()?)?;
            let low = lower_hex(digits.next()?)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        digits.next().is_none().then_some(Self(id))
    }

    /// The twelve digits that people read.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

fn lower_hex(digit: char) -> Option<u32> {
    digit.to_digit(16).filter(|_| !digit.is_ascii_uppercase())
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_lower_case_ids_are_ids() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(ContainerId::parse(&id).unwrap().to_string(), id);
        assert_eq!(ContainerId::parse(&id).unwrap().short(), "0123456789ab");
        for wrong in ["", "0123", &id.to_uppercase(), &format!("{id}0"), &"g".repeat(64)] {
            assert_eq!(ContainerId::parse(wrong), None);
        }
    }

    #[test]
    fn a_name_does_not_turn_a_line_round() {
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        let name = "we\u{202e}b".to_owned();
        let container = Container { id, name, rights: Rights::Unlabelled };
        assert_eq!(container.to_string(), r"we\u{202e}b");
    }
}
