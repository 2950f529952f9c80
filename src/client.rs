//! Who asks: the peer of a connection, and what is known of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection, as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A TCP peer; an IPv4-mapped IPv6 address is written as IPv4.
    Tcp(SocketAddr),
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
    /// A TCP peer with its address in canonical form.
    pub fn tcp(address: SocketAddr) -> Self {
        Self::Tcp(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// The address of a TCP peer.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix { .. } => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
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
}

/// Whether a peer may use the default allowlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is listed in `allowfrom`, or came through a Unix socket it was able to open.
    Listed,
    /// It is not.
    Unlisted,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Peer::Tcp(address) => address.ip().fmt(f),
            Peer::Unix { uid, .. } => write!(f, "uid {uid}"),
        }
    }
}
