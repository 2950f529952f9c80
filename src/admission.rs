//! Who may use the default allowlist over TCP: addresses, networks, and host names that are resolved when somebody connects.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Admission, Peer};
use crate::config::AllowFrom;

/// How long an address that a name resolved to is believed.
const FRESH: Duration = Duration::from_secs(2);
/// How soon a name is asked for again when an address is not among its answers: a rescheduled container has a new one.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long one look-up may take.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);

/// The list of admitted clients.
#[derive(Debug)]
pub struct AdmissionList {
    nets: Vec<IpNet>,
    hosts: Vec<Arc<Host>>,
}

#[derive(Debug)]
struct Host {
    name: String,
    /// Held while asking, so that one question is on its way at most.
    answer: Mutex<Option<(Instant, Vec<IpAddr>)>>,
}

impl AdmissionList {
    /// The list that `allowfrom` says.
    pub fn new(entries: &[AllowFrom]) -> Self {
        let mut list = Self { nets: Vec::new(), hosts: Vec::new() };
        for entry in entries {
            match entry {
                AllowFrom::Net(net) => {
                    list.nets.push(*net);
                }
                AllowFrom::Host(name) => {
                    list.hosts
                        .push(Arc::new(Host { name: name.clone(), answer: Mutex::new(None) }));
                }
            }
        }
        list
    }

    /// Whether a peer is on the list now. Who could open a Unix socket was admitted by its file mode.
    pub async fn admission(&self, peer: &Peer) -> Admission {
        let Some(address) = peer.ip() else { return Admission::Listed };
        if self.nets.iter().any(|net| net.contains(&address)) || self.is_named(address).await {
            Admission::Listed
        } else {
            Admission::Unlisted
        }
    }

    /// Whether the answer for every peer is known without asking DNS.
    pub fn is_static(&self) -> bool {
        self.hosts.is_empty()
    }

    async fn is_named(&self, address: IpAddr) -> bool {
        for host in &self.hosts {
            if host.is_known(address).await == Some(true) {
                return true;
            }
        }
        let mut asking = JoinSet::new();
        for host in &self.hosts {
            let host = Arc::clone(host);
            asking.spawn(async move { host.has(address).await });
        }
        while let Some(result) = asking.join_next().await {
            if result.unwrap_or(false) {
                return true;
            }
        }
        false
    }
}

impl Host {
    /// Whether the address is the host's, as far as the last answer is young enough to say so.
    async fn is_known(&self, address: IpAddr) -> Option<bool> {
        known(self.answer.lock().await.as_ref()?, address)
    }

    async fn has(&self, address: IpAddr) -> bool {
        let mut answer = self.answer.lock().await;
        if let Some(known) = answer.as_ref().and_then(|answer| known(answer, address)) {
            return known;
        }
        // A name that does not resolve has no addresses: fail closed, and ask again soon.
        let addresses = self.look_up().await;
        let found = addresses.contains(&address);
        *answer = Some((Instant::now(), addresses));
        found
    }

    async fn look_up(&self) -> Vec<IpAddr> {
        match tokio::time::timeout(
            LOOKUP_DEADLINE,
            tokio::net::lookup_host((self.name.as_str(), 0)),
        )
        .await
        {
            Ok(Ok(addresses)) => addresses.map(|address| address.ip().to_canonical()).collect(),
            Ok(Err(error)) => {
                tracing::debug!(host = self.name, error = %error, "a name in allowfrom does not resolve");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(
                    host = self.name,
                    "a name in allowfrom took too long to resolve; nobody is admitted by it meanwhile"
                );
                Vec::new()
            }
        }
    }
}

fn known((at, addresses): &(Instant, Vec<IpAddr>), address: IpAddr) -> Option<bool> {
    let age = at.elapsed();
    let listed = addresses.contains(&address);
    if listed && age < FRESH {
        return Some(true);
    }
    (!listed && age < ASK_AGAIN).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(entries: &[AllowFrom], peer: &str, want: Admission) {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let peer = Peer::tcp(peer, peer.ip());
        assert_eq!(AdmissionList::new(entries).admission(&peer).await, want, "{entries:?} {peer}");
    }

    #[tokio::test]
    async fn addresses_networks_and_names_admit() {
        let net = |text: &str| AllowFrom::Net(text.parse().unwrap());
        check(&[net("127.0.0.1/32")], "127.0.0.1:5", Admission::Listed).await;
        check(&[net("127.0.0.1/32")], "[::ffff:127.0.0.1]:5", Admission::Listed).await;
        check(&[net("127.0.0.1/32")], "127.0.0.2:5", Admission::Unlisted).await;
        check(&[net("0.0.0.0/0")], "[2001:db8::1]:5", Admission::Unlisted).await;
        check(&[net("10.0.0.0/8"), net("2001:db8::/32")], "[2001:db8::1]:5", Admission::Listed)
            .await;
        check(&[AllowFrom::Host("localhost".to_owned())], "127.0.0.1:5", Admission::Listed).await;
        check(&[AllowFrom::Host("localhost".to_owned())], "127.0.0.9:5", Admission::Unlisted).await;
        check(
            &[AllowFrom::Host("no-such-host.invalid".to_owned())],
            "127.0.0.1:5",
            Admission::Unlisted,
        )
        .await;
        check(&[], "127.0.0.1:5", Admission::Unlisted).await;
    }
}
