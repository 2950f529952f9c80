//! Who is recognised, and by what, on engines with several networks: whichever way a container comes, it is itself.

mod creator;
mod engine;
mod why;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::{Value, json};
use sockwarden::admission::AdmissionList;
use sockwarden::admission::AllowFrom;
use sockwarden::audit::Audit;
use sockwarden::bounds::Bounds;
use sockwarden::bounds::Limits;
use sockwarden::clauses::{Defaults, Question};
use sockwarden::client::{Admission, Peer};
use sockwarden::engine::Engine;
use sockwarden::policy::Policy;
use sockwarden::proxy::{Proxy, Stop};
use sockwarden::registry::OwnContainer;
use sockwarden::registry::{LabelPolicy, Networks, OwnContainerError, Registry};
use sockwarden::request::Method;
use sockwarden::rule::HostAccess;
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule, RuleSet};
use sockwarden::socket::Socket;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::fake_engine::{FakeEngine, Feed};
use crate::support::{Client, eventually, get, run, with_body};
use engine::{Tongue, World, id};

/// Our own addresses on the network `net`.
const OURS: &str = "10.9.0.1";
const OURS_6: &str = "fd00:9::1";
const LINK_LOCAL: &str = "fe80::42:aff:fe09:1";
/// The host's address on the machine's own network.
const HOST: &str = "192.0.2.10";

/// A container with these labels may `GET /info`, create containers, and use networks.
fn may() -> Value {
    json!({
        "sockwarden.allow.get": "/info|/events",
        "sockwarden.allow.post": ".*/(containers/create|networks/.*)",
    })
}

/// A proxy on `net`, a container `a` with labels there and one `b` without; `c` and `d` are the same on `other`, `e` on both has a label
/// that is wrong.
fn world(mode: &str) -> World {
    let world = World::default();
    world.network("net", "1", &[("10.9.0.0/24", "10.9.0.254"), ("fd00:9::/64", "fd00:9::fe")]);
    world.network("other", "2", &[("10.8.0.0/24", "10.8.0.254"), ("fd00:8::/64", "fd00:8::fe")]);
    let ours: &[_] = if mode == "net" { &[("net", OURS), ("net", OURS_6)] } else { &[] };
    world.container("0", mode, json!({}), ours);
    world.container("a", "net", may(), &[("net", "10.9.0.2"), ("net", "fd00:9::2")]);
    world.container("b", "net", json!({}), &[("net", "10.9.0.3"), ("net", "fd00:9::3")]);
    world.container("c", "other", may(), &[("other", "10.8.0.2"), ("other", "fd00:8::2")]);
    world.container("d", "other", json!({}), &[("other", "10.8.0.3")]);
    let broken = json!({"sockwarden.allow.gte": "/info"});
    world.container("e", "net", broken, &[("net", "fd00:9::5"), ("other", "10.8.0.5")]);
    world
}

/// A proxy whose default list allows everybody `GET /containers/json`.
struct Town {
    engine: FakeEngine,
    world: World,
    feed: Feed,
    registry: Arc<Registry>,
    bounds: Arc<Bounds>,
    audit: Arc<Audit>,
    door: Engine,
    proxy: Arc<Proxy>,
    tasks: RefCell<JoinSet<()>>,
    stop: watch::Sender<Stop>,
    _dir: TempDir,
}

async fn registry(world: &World, feed: &Feed) -> (FakeEngine, Arc<Registry>, Engine, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let (told, told_feed) = (world.clone(), feed.clone());
    let engine = FakeEngine::start(&path, move |request| told.answer(request, &told_feed)).unwrap();
    let labels = LabelPolicy {
        prefixes: vec!["sockwarden".to_owned()],
        trust_image_labels: false,
        limits: Defaults::default(),
    };
    let door = Engine::new(&path);
    let own = OwnContainer::Named("0".to_owned());
    let registry = Registry::new(door.clone(), &own, labels).await.unwrap();
    (engine, registry, door, dir)
}

impl Town {
    async fn start(world: World) -> Self {
        let feed = Feed::default();
        let (engine, registry, door, dir) = registry(&world, &feed).await;
        registry.sees_clients().await.unwrap();
        let bounds = Bounds::new(Limits::default(), 10_000);
        let rule = Rule {
            origin: Origin::Flag("-allowGET".to_owned()),
            method: Method::Get,
            path: Arc::new(AnchoredRegex::new("/containers/json").unwrap()),
        };
        let default = Allowlist { rules: RuleSet::from_iter([rule]), ..Allowlist::default() };
        let free = Defaults {
            bind_mount_from: None,
            deny_host_mounts: false,
            deny_network_volumes: false,
            host_access: HostAccess::Allow,
            ..Defaults::default()
        };
        let everybody =
            ["0.0.0.0/0", "::/0"].map(|net| AllowFrom::Net(net.parse().unwrap())).to_vec();
        let audit = Arc::<Audit>::default();
        let proxy = Arc::new(Proxy::new(
            Policy::new(default, free),
            AdmissionList::new(&everybody),
            door.clone(),
            Some(Arc::clone(&registry)),
            Arc::clone(&audit),
        ));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&registry).keep_fresh());
        let town = Self {
            engine,
            world,
            feed,
            registry,
            bounds,
            audit,
            door,
            proxy,
            tasks: RefCell::new(tasks),
            stop: watch::channel(Stop::Running).0,
            _dir: dir,
        };
        eventually("fresh knowledge", async || {
            town.registry.is_fresh() && town.feed.followers() == 1
        })
        .await;
        town
    }

    /// A connection from one address to another.
    fn client(&self, remote: &str, local: &str) -> Client {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let remote = SocketAddr::new(remote.parse().unwrap(), 40_000);
        let peer = Peer::tcp(remote, local.parse::<IpAddr>().unwrap());
        let permit = self.bounds.admit(&peer).unwrap();
        let serving = Arc::clone(&self.proxy).serve(
            Socket::Unix(theirs),
            peer,
            permit,
            self.stop.subscribe(),
        );
        self.tasks.borrow_mut().spawn(serving);
        Client::over(ours)
    }

    /// Who comes from this address is judged in this way.
    async fn check(&self, remote: &str, local: &str, want: Judged) {
        let statuses = async |line: &str| {
            let mut client = self.client(remote, local);
            client.send(get(line, &[])).await;
            let answer = client.answer().await;
            (answer.status, if answer.status < 400 { String::new() } else { answer.message() })
        };
        let (own, said) = statuses("GET /info").await;
        let (default, _) = statuses("GET /containers/json").await;
        let got = match (own, default) {
            (200, 403) => ByLabels,
            (403, 200) => ByDefault,
            (403, 403) => Refused,
            other => panic!("{remote} to {local}: {other:?} {said}"),
        };
        assert_eq!(got, want, "{remote} to {local}: {said}");
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Judged {
    ByLabels,
    ByDefault,
    Refused,
}

use Judged::{ByDefault, ByLabels, Refused};

#[test]
fn a_container_is_itself_whichever_way_it_comes() {
    run(async {
        let town = Town::start(world("net")).await;
        for ours in [OURS, OURS_6, LINK_LOCAL, "::ffff:10.9.0.1", HOST, "127.0.0.1", "203.0.113.7"]
        {
            town.check("10.9.0.2", ours, ByLabels).await;
            town.check("fd00:9::2", ours, ByLabels).await;
            town.check("fd00:9::3", ours, ByDefault).await;
            town.check("fd00:9::5", ours, Refused).await;
            // From a network that we are not on.
            town.check("::ffff:10.8.0.2", ours, ByLabels).await;
            town.check("10.8.0.3", ours, ByDefault).await;
            town.check("10.8.0.5", ours, Refused).await;
            // The host, and ourselves.
            town.check("10.8.0.254", ours, ByDefault).await;
            town.check("fd00:9::fe", ours, ByDefault).await;
            town.check("127.0.0.1", ours, ByDefault).await;
            town.check(OURS, ours, ByDefault).await;
            town.check("fe80::2", ours, Refused).await;
        }
        // No network of the engine could have given out this one; a neighbour on the link has no such address either.
        town.check("198.51.100.1", OURS, ByDefault).await;
        town.check("2001:db8::1", OURS_6, ByDefault).await;
        town.check("2001:db8::1", LINK_LOCAL, Refused).await;
    });
}

/// `sockwarden clients` shows it, for containers and for nobody else.
#[test]
fn what_a_client_was_refused_last_is_remembered() {
    run(async {
        let town = Town::start(world("net")).await;
        let last_refusal = async |name: &str| {
            let clients = town.registry.clients(|id| town.audit.last_refusal(id)).await.unwrap();
            clients.into_iter().find(|client| client.name == name).unwrap().last_refusal
        };
        let mut client = town.client("10.9.0.2", OURS);
        client.send(get("GET /info", &[])).await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(last_refusal("a").await, None);
        for path in ["/version", "/containers/json"] {
            client.send(get(&format!("GET {path}"), &[])).await;
            let answer = client.answer().await;
            let told = last_refusal("a").await.unwrap();
            assert!(told.contains(path) && answer.message().contains(&told), "{told}");
        }
        assert_eq!(last_refusal("b").await, None);
    });
}

/// An address that a network could give out and nobody has is waited for, then refused, whatever `-allowfrom` says.
#[test]
fn an_address_that_nobody_has_is_refused() {
    run(async {
        let town = Town::start(world("net")).await;
        let mut waiting: Vec<_> = [("10.8.0.99", OURS), ("fd00:9::99", LINK_LOCAL)]
            .into_iter()
            .map(|(remote, local)| town.client(remote, local))
            .collect();
        for client in &mut waiting {
            client.send(get("GET /containers/json", &[])).await;
        }
        for client in &mut waiting {
            let answer = client.answer().await;
            let said = answer.message();
            // On a busy machine the time is up before the first look is over.
            assert!(answer.status == 503 || said.contains("knows no container"), "{said}");
        }
        // One that is starting is known a moment later.
        let mut early = town.client("10.8.0.77", OURS);
        early.send(get("GET /info", &[])).await;
        town.world.network("late", "3", &[("10.7.0.0/24", "10.7.0.254")]);
        town.world.container("7", "other", may(), &[("other", "10.8.0.77"), ("late", "10.7.0.2")]);
        assert_eq!(early.answer().await.status, 200);
        // So are networks that were made later.
        town.check("10.7.0.2", OURS, ByLabels).await;
    });
}

#[test]
fn on_the_hosts_network_containers_of_all_networks_are_recognised() {
    run(async {
        let town = Town::start(world("host")).await;
        for (remote, want) in [
            ("10.9.0.2", ByLabels),
            ("10.8.0.2", ByLabels),
            ("fd00:8::2", ByLabels),
            ("10.9.0.3", ByDefault),
            ("fd00:9::5", Refused),
            ("10.9.0.254", ByDefault),
            (HOST, ByDefault),
            ("127.0.0.1", ByDefault),
            ("198.51.100.1", ByDefault),
        ] {
            town.check(remote, HOST, want).await;
        }
        town.check("fd00:9::2", LINK_LOCAL, ByLabels).await;
        // What can be recognised is protected, on networks to come as well.
        let post = async |line: &str, body: &str| {
            let mut client = town.client("10.9.0.2", HOST);
            client.send(with_body(line, "application/json", body)).await;
            client.answer().await
        };
        for network in ["net", "other", "to-come", &id("2")] {
            let create = format!(
                r#"{{"NetworkingConfig":{{"EndpointsConfig":{{"{network}":{{"IPAMConfig":{{"IPv4Address":"10.8.0.9"}}}}}}}}}}"#
            );
            let answer = post("POST /containers/create", &create).await;
            assert_eq!(answer.status, 403, "{network}");
            assert!(answer.message().contains("fixes an address"), "{}", answer.message());
            for verb in ["connect", "disconnect"] {
                let line = format!("POST /networks/{network}/{verb}");
                assert_eq!(
                    post(&line, &format!(r#"{{"Container":"{}"}}"#, id("d"))).await.status,
                    403
                );
            }
        }
        let free = r#"{"HostConfig":{"NetworkMode":"other"}}"#;
        assert_eq!(post("POST /containers/create", free).await.status, 201);
    });
}

/// A connection over a network that we are not on ends like any other.
#[test]
fn connections_over_other_networks_end_too() {
    run(async {
        for mode in ["net", "host"] {
            let event = |kind: &str, action: &str, of: &str, attributes: &Value| {
                json!({"Type": kind, "Action": action, "Actor": {"ID": of, "Attributes": attributes}})
                    .to_string()
                    + "\n"
            };
            let member = json!({"container": id("c"), "name": "other"});
            for event in [
                event("container", "die", &id("c"), &json!({})),
                event("network", "disconnect", &id("2"), &member),
                event("network", "destroy", &id("2"), &json!({"name": "other"})),
                // What Podman says.
                event("container", "died", &id("c"), &json!({})),
                event("container", "remove", &id("c"), &json!({})),
                event("network", "disconnect", &id("c"), &json!({})),
            ] {
                let town = Town::start(world(mode)).await;
                let mut stream = town.client("10.8.0.2", HOST);
                stream.send(get("GET /events", &[])).await;
                stream.head().await;
                let mut other = town.client("10.9.0.2", HOST);
                other.send(get("GET /info", &[])).await;
                assert_eq!(other.answer().await.status, 200);
                let mark = town.registry.networks().departures();
                town.feed.send(&event);
                stream.rest().await;
                // No name is believed to lead there any more.
                assert_ne!(town.registry.networks().departures(), mark, "{event}");
                // Nobody else's ends.
                other.send(get("GET /info", &[])).await;
                assert_eq!(other.answer().await.status, 200, "{event}");
            }
            // The address goes to somebody else, and only his arrival is told.
            for attributes in [json!({"container": id("d")}), json!({})] {
                let town = Town::start(world(mode)).await;
                let mut stream = town.client("10.8.0.2", HOST);
                stream.send(get("GET /events", &[])).await;
                stream.head().await;
                {
                    let mut state = town.world.lock();
                    state.containers.remove(&id("c"));
                    state.containers.get_mut(&id("d")).unwrap().on = vec![("other", "10.8.0.2")];
                }
                let of = if attributes.as_object().unwrap().is_empty() { id("d") } else { id("2") };
                town.feed.send(event("network", "connect", &of, &attributes));
                stream.rest().await;
                town.check("10.8.0.2", HOST, ByDefault).await;
            }
        }
    });
}

/// Podman names networks where Docker gives ids, and never says who shares whose network.
#[test]
fn podmans_words_mean_the_same() {
    run(async {
        for tongue in [Tongue::Docker, Tongue::Podman, Tongue::Podman4] {
            let world = world("net");
            world.lock().tongue = tongue;
            let mode = format!("container:{}", id("a"));
            world.container("6", &mode, json!({}), &[]);
            world.container("4", "net", may(), &[("net", "10.9.0.4")]);
            world.container("5", "net", may(), &[("net", "10.9.0.5")]);
            world.container("7", &format!("container:{}", id("5")), may(), &[]);
            let town = Town::start(world).await;
            town.check("10.9.0.4", OURS, ByLabels).await;
            town.check("10.8.0.2", OURS, ByLabels).await;
            town.check("10.9.0.3", OURS, ByDefault).await;
            // Two share this address, and one of them may not do this, the other not that.
            town.check("10.9.0.2", OURS, Refused).await;
            // Of these two both may.
            town.check("10.9.0.5", OURS, ByLabels).await;
            // And a third that came a moment ago may not; Podman has not told of it yet.
            if tongue != Tongue::Docker {
                town.world.container("8", &format!("container:{}", id("5")), json!({}), &[]);
                town.check("10.9.0.5", OURS, Refused).await;
            }
            let fixed = async |network: &str| {
                let body = format!(
                    r#"{{"NetworkingConfig":{{"EndpointsConfig":{{"{network}":{{"IPAMConfig":{{"IPv4Address":"10.9.0.9"}}}}}}}}}}"#
                );
                let mut client = town.client("10.9.0.4", OURS);
                let request = with_body("POST /containers/create", "application/json", &body);
                client.send(request).await;
                client.answer().await.status
            };
            for network in ["net", &id("1"), &"1".repeat(12), "11"] {
                assert_eq!(fixed(network).await, 403, "{tongue:?} {network}");
            }
            assert_eq!(fixed("other").await, 201, "{tongue:?}");
            let connect = format!("POST /networks/{}/connect", id("1"));
            let mut client = town.client("10.9.0.4", OURS);
            let body = format!(r#"{{"Container":"{}"}}"#, id("d"));
            client.send(with_body(&connect, "application/json", &body)).await;
            assert_eq!(client.answer().await.status, 403, "{tongue:?}");
        }
    });
}

/// Whoever builds an image lifts no limit of its containers by repeating it in the image.
#[test]
fn an_image_lifts_no_limit() {
    run(async {
        let world = world("net");
        let limited = |key: &str, value: &str| {
            let mut labels = may();
            labels[key] = json!(value);
            labels
        };
        let deny = limited("sockwarden.hostaccess", "deny");
        world.container("6", "net", deny, &[("net", "10.9.0.6")]);
        let srv = limited("sockwarden.bindmountfrom", "/srv");
        world.container("4", "net", srv, &[("net", "10.9.0.4")]);
        world.lock().image =
            json!({"sockwarden.hostaccess": "deny", "sockwarden.bindmountfrom": "/srv"});
        let town = Town::start(world).await;
        let create = async |body: &str| {
            let mut client = town.client("10.9.0.6", OURS);
            client.send(with_body("POST /containers/create", "application/json", body)).await;
            client.answer().await.status
        };
        assert_eq!(create(r#"{"Image":"x"}"#).await, 201);
        assert_eq!(create(r#"{"Image":"x","HostConfig":{"Privileged":true}}"#).await, 403);
        town.check("10.9.0.4", OURS, Refused).await;
        town.check("10.9.0.2", OURS, ByLabels).await;
    });
}

/// Many strangers at once cost the engine a few questions.
#[test]
fn strangers_share_their_questions() {
    run(async {
        let town = Town::start(world("net")).await;
        let asked = |town: &Town| {
            town.engine.lines().iter().filter(|line| line.contains("/networks")).count()
        };
        town.check("198.51.100.1", HOST, ByDefault).await;
        let before = asked(&town);
        let mut strangers: Vec<_> =
            (1..=200).map(|last| town.client(&format!("198.51.100.{last}"), HOST)).collect();
        for stranger in &mut strangers {
            stranger.send(get("GET /info", &[])).await;
        }
        for stranger in &mut strangers {
            assert_eq!(stranger.answer().await.status, 403);
        }
        let more = asked(&town) - before;
        assert!(more <= 50, "200 strangers asked {more} times");
    });
}

/// Where the engine knows no address of ours nobody could be recognised, so the start ends.
#[test]
fn without_an_address_the_start_ends() {
    run(async {
        let check = async |mode: &str, wanted: bool| {
            let world = world(mode);
            let feed = Feed::default();
            let (_engine, registry, _, _dir) = registry(&world, &feed).await;
            match registry.sees_clients().await {
                Ok(()) => assert!(wanted, "{mode}"),
                Err(error @ OwnContainerError::NoAddress { .. }) => {
                    assert!(!wanted && error.to_string().contains("attach it"), "{mode}: {error}");
                }
                Err(other) => panic!("{mode}: {other}"),
            }
        };
        let (known, unknown) = (format!("container:{}", id("b")), format!("container:{}", id("9")));
        // Side by side, because each start that ends has tried for a while.
        tokio::join!(
            check("net", true),
            check("host", true),
            check(&known, true),
            check("none", false),
            check("pasta", false),
            check(&unknown, false),
        );
    });
}

/// A proxy that uses another container's network has that one's addresses, and nobody may touch it.
#[test]
fn the_network_of_another_container_is_ours() {
    run(async {
        let mode = format!("container:{}", id("b"));
        let town = Town::start(world(&mode)).await;
        town.check("10.9.0.2", "10.9.0.3", ByLabels).await;
        town.check("10.8.0.3", "10.9.0.3", ByDefault).await;
        town.check("10.9.0.3", "10.9.0.3", ByDefault).await;
        town.check("fd00:9::3", "10.9.0.3", ByDefault).await;
        let protected = town.registry.protected().await.unwrap();
        assert!(protected.companions.contains(&id("b")) && protected.names.contains("b"));
        assert!(protected.is_network(&id("1")) && !protected.is_network(&id("2")));
    });
}

/// A name leads to one address of a container; it is let in on its others too, and nobody else is.
#[test]
fn a_name_admits_a_container_on_all_its_networks() {
    run(async {
        let world = world("net");
        // What `localhost` leads to.
        world.network("near", "4", &[("127.0.0.0/8", "127.0.0.254")]);
        world.container("8", "near", json!({}), &[("near", "127.0.0.1"), ("other", "10.8.0.8")]);
        let feed = Feed::default();
        let (engine, _, door, _dir) = registry(&world, &feed).await;
        let list = AdmissionList::new(&[AllowFrom::Host("localhost".to_owned())]);
        let alone = list.clone();
        let asking = list.asking(Arc::new(Networks::new(door)));
        let mut looking = JoinSet::new();
        let looked = asking.clone();
        looking.spawn(async move { looked.keep_looking_up().await });
        let admits = async |list: &AdmissionList, address: &str| {
            let address: IpAddr = address.parse().unwrap();
            let peer = Peer::tcp(SocketAddr::new(address, 5), address);
            list.admission(&peer).await == Admission::Listed
        };
        assert!(admits(&alone, "127.0.0.1").await);
        assert!(!admits(&alone, "10.8.0.8").await);
        assert!(!admits(&asking, "10.8.0.2").await);
        assert!(!admits(&asking, "10.8.0.99").await);
        assert!(admits(&asking, "10.8.0.8").await);
        // It was gone before the answer is asked for again; the engine may also be something that does not tell.
        world.lock().containers.remove(&id("8"));
        eventually("the end of the belief", async || !admits(&asking, "10.8.0.8").await).await;
        drop(engine);
        assert!(!admits(&asking, "10.8.0.2").await);
        assert!(admits(&asking, "127.0.0.1").await);
    });
}

/// Podman fails at times over an image that is there. Once more is enough, and nothing else is asked twice.
#[test]
fn an_image_is_asked_for_once_more() {
    run(async {
        let world = world("net");
        let (_engine, _registry, door, _dir) = registry(&world, &Feed::default()).await;
        let image = Question::Image("sha256:1".to_owned());
        for (failures, is_answered) in [(0, true), (1, true), (2, false)] {
            world.lock().failures = failures;
            assert_eq!(door.answer(&image).await.is_ok(), is_answered, "{failures}");
            assert_eq!(world.lock().failures, 0);
        }
        world.lock().failures = 2;
        assert!(door.answer(&Question::Volume("x".to_owned())).await.is_err());
        assert_eq!(world.lock().failures, 1);
    });
}
