//! Events that lie, repeat, skip and flood, and an engine that is slow to say who asks. What a container may do is never more than the
//! engine says when it is asked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::json;
use sockwarden::admission::AdmissionList;
use sockwarden::bounds::Bounds;
use sockwarden::bounds::Limits;
use sockwarden::clauses::Defaults;
use sockwarden::client::Peer;
use sockwarden::engine::Engine;
use sockwarden::policy::Policy;
use sockwarden::proxy::{Proxy, Stop};
use sockwarden::registry::OwnContainer;
use sockwarden::registry::{LabelPolicy, Registry};
use sockwarden::rule::Allowlist;
use sockwarden::socket::Socket;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Plan;
use crate::fake_engine::{
    CHUNKED, FakeEngine, Feed, Gate, PATIENCE, Reply, Request, Step, docker_like,
};
use crate::support::{Answer, Client, eventually, get, run};

/// Our own address on the only network.
const OURS: &str = "10.9.0.1";
/// The address of [`World::labelled`] at first, and that of [`World::plain`].
const LABELLED: &str = "10.9.0.2";
const PLAIN: &str = "10.9.0.3";

/// What the engine says when it is asked.
#[derive(Clone, Default)]
struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Who has which address.
    members: BTreeMap<&'static str, String>,
    /// Holds every look at the network back.
    held: Option<Gate>,
}

fn id(digit: &str) -> String {
    digit.repeat(64)
}

/// The first digit of its id.
fn name_of(id: &str) -> &str {
    id.get(..1).unwrap()
}

impl World {
    fn new() -> Self {
        let world = Self::default();
        world.lock().members =
            BTreeMap::from([(OURS, id("0")), (LABELLED, id("a")), (PLAIN, id("b"))]);
        world
    }

    /// The container that may `GET /info`.
    fn labelled() -> String {
        id("a")
    }

    /// The one that may do nothing.
    fn plain() -> String {
        id("b")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn answer(&self, request: &Request, feed: &Feed) -> Reply {
        let state = self.lock();
        let row = |id: &str| {
            let labels = if id == Self::labelled() {
                json!({"sockwarden.allow.get": "/info"})
            } else {
                json!({})
            };
            json!({"Id": id, "Names": [format!("/{}", name_of(id))], "Image": "x", "ImageID": "sha256:1", "Labels": labels, "State": "running"})
        };
        let ids: Vec<&String> = state.members.values().collect();
        let body = match request.path() {
            "/version" => return docker_like(request),
            "/events" => return Reply::steps([Step::send(CHUNKED), Step::Follow(feed.clone())]),
            "/containers/json" if request.head.contains("filters=") => {
                let wanted = ids.iter().filter(|id| request.head.contains(id.as_str()));
                json!(wanted.map(|id| row(id)).collect::<Vec<_>>())
            }
            "/containers/json" => json!(ids.iter().map(|id| row(id)).collect::<Vec<_>>()),
            "/images/sha256:1/json" => json!({"Config": {"Labels": null}}),
            "/networks/net" => {
                let members: serde_json::Map<_, _> = state
                    .members
                    .iter()
                    .map(|(address, id)| {
                        (
                            id.clone(),
                            json!({"Name": name_of(id), "IPv4Address": format!("{address}/24")}),
                        )
                    })
                    .collect();
                let body = json!({
                    "Id": "net", "Name": "net", "Containers": members,
                    "IPAM": {"Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.254"}]},
                });
                let reply = Reply::json("200 OK", &body.to_string());
                return match &state.held {
                    Some(gate) => {
                        let reply = Reply::steps([Step::Wait(gate.clone())]);
                        reply.then(Step::send(json_answer(&body)))
                    }
                    None => reply,
                };
            }
            path => {
                let name =
                    path.strip_prefix("/containers/").and_then(|it| it.strip_suffix("/json"));
                let is_named =
                    |id: &&&String| name.is_some_and(|name| ***id == name || name_of(id) == name);
                let Some(id) = ids.iter().find(is_named) else {
                    return if path == "/info" { docker_like(request) } else { Reply::not_found() };
                };
                let address = state.members.iter().find(|(_, member)| **member == **id).unwrap().0;
                json!({
                    "Id": id, "Name": format!("/{}", name_of(id)), "State": {"Running": true},
                    "NetworkSettings": {"Networks": {"net": {"NetworkID": "net", "IPAddress": address, "Gateway": "10.9.0.254"}}},
                })
            }
        };
        Reply::json("200 OK", &body.to_string())
    }
}

fn json_answer(body: &serde_json::Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An event line.
fn event(kind: &str, action: &str, id: &str, attributes: &serde_json::Value) -> String {
    json!({"Type": kind, "Action": action, "Actor": {"ID": id, "Attributes": attributes}})
        .to_string()
        + "\n"
}

fn container_event(action: &str, id: &str) -> String {
    event("container", action, id, &json!({}))
}

/// The proxy with a registry, and clients that come from the addresses of containers.
struct Town {
    engine: FakeEngine,
    world: World,
    feed: Feed,
    registry: Arc<Registry>,
    bounds: Arc<Bounds>,
    proxy: Arc<Proxy>,
    tasks: RefCell<JoinSet<()>>,
    stop: watch::Sender<Stop>,
    _dir: TempDir,
}

impl Town {
    async fn start(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (world, feed) = (World::new(), Feed::default());
        let (told, told_feed) = (world.clone(), feed.clone());
        let path = dir.path().join("docker.sock");
        let engine =
            FakeEngine::start(&path, move |request| told.answer(request, &told_feed)).unwrap();
        let labels = LabelPolicy {
            prefixes: vec!["sockwarden".to_owned()],
            trust_image_labels: false,
            limits: Defaults::default(),
        };
        let own = OwnContainer::Named("0".to_owned());
        let engine_door = Engine::new(&path);
        let registry = Registry::new(engine_door.clone(), &own, labels).await.unwrap();
        let bounds = Bounds::new(limits, 10_000);
        let policy = Policy::new(Allowlist::default(), Defaults::default());
        let proxy = Arc::new(Proxy::new(
            policy,
            AdmissionList::new(&[]),
            engine_door,
            Some(Arc::clone(&registry)),
            Arc::default(),
        ));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&registry).keep_fresh());
        let town = Self {
            engine,
            world,
            feed,
            registry,
            bounds,
            proxy,
            tasks: RefCell::new(tasks),
            stop: watch::channel(Stop::Running).0,
            _dir: dir,
        };
        town.until_fresh().await;
        town
    }

    async fn until_fresh(&self) {
        eventually("fresh knowledge", async || {
            self.registry.is_fresh() && self.feed.followers() == 1
        })
        .await;
    }

    /// A connection from this address.
    fn client(&self, address: &str) -> Client {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let remote = SocketAddr::new(address.parse().unwrap(), 40_000);
        let peer = Peer::tcp(remote, OURS.parse::<IpAddr>().unwrap());
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

    /// Asks until there is an answer: what is told of a container may cut its connection off at any time.
    async fn ask(&self, address: &str, line: &str) -> Answer {
        let mut answer = None;
        eventually("an answer", async || {
            let mut client = self.client(address);
            if client.try_send(get(line, &[])).await.is_ok() {
                answer = client.answer_if_any(line).await;
            }
            answer.is_some()
        })
        .await;
        answer.unwrap()
    }

    /// Each may do what it may, and no more; the engine has seen nothing else.
    async fn judges_rightly(&self) {
        assert_eq!(self.ask(LABELLED, "GET /info").await.status, 200);
        assert_eq!(self.ask(LABELLED, "GET /containers/json").await.status, 403);
        for line in ["GET /info", "GET /containers/json", "POST /containers/create"] {
            assert!(matches!(self.ask(PLAIN, line).await.status, 403 | 405), "{line}");
        }
        for request in self.engine.requests() {
            let is_ours = request.field("User-Agent").is_none();
            assert!(is_ours || request.line() == "GET /info", "{request:?} got through");
        }
    }
}

#[test]
fn its_events_lie() {
    run(async {
        let town = Town::start(Limits::default()).await;
        town.judges_rightly().await;
        let mut kept = town.client(LABELLED);
        kept.send(get("GET /info", &[])).await;
        assert_eq!(kept.answer().await.status, 200);
        // A container that lives is said to have died: it loses its connection, and gets another.
        town.feed.send(container_event("die", &World::labelled()));
        kept.ends().await;
        town.judges_rightly().await;
        // Rights that no label gives, deaths of nobody, networks that are not ours.
        let rights = json!({"sockwarden.allow.get": ".*", "container": World::plain()});
        for action in
            ["create", "start", "rename", "die", "destroy", "connect", "disconnect", "nonsense"]
        {
            for kind in ["container", "network", "nonsense"] {
                for id in
                    [World::plain(), id("c"), "net".to_owned(), String::new(), "../..".to_owned()]
                {
                    town.feed.send(event(kind, action, &id, &rights));
                }
            }
        }
        town.judges_rightly().await;
        // What is no event ends the stream, and everything is asked anew.
        for garbage in ["no event\n", "{\"Type\":3}\n", "[]\n", "\0\n", "{\n"] {
            town.until_fresh().await;
            town.feed.send(garbage);
            town.judges_rightly().await;
        }
        town.until_fresh().await;
        town.judges_rightly().await;
    });
}

/// A label may be megabytes long, and is part of every event of its container.
#[test]
fn a_death_is_heard_whatever_the_labels_are() {
    run(async {
        let town = Town::start(Limits::default()).await;
        let mut kept = town.client(LABELLED);
        kept.send(get("GET /info", &[])).await;
        assert_eq!(kept.answer().await.status, 200);
        let label = "\"Action\":\"connect\"".repeat(200_000);
        let attributes = json!({"x": label, "Action": "start", "ID": World::plain()});
        town.feed.send(event("container", "start", &World::plain(), &attributes));
        town.feed.send(event("container", "die", &World::labelled(), &attributes));
        kept.ends().await;
        // The same stream goes on.
        assert!(town.registry.is_fresh() && town.feed.followers() == 1);
        town.judges_rightly().await;
    });
}

#[test]
fn its_events_repeat() {
    run(async {
        let town = Town::start(Limits::default()).await;
        for action in ["start", "die", "create", "rename"] {
            for _ in 0..1000 {
                town.feed.send(container_event(action, &World::labelled()));
            }
            town.judges_rightly().await;
        }
        town.until_fresh().await;
        town.judges_rightly().await;
    });
}

/// A container dies and its address goes to another, and no event says so.
#[test]
fn its_events_skip() {
    run(async {
        let town = Town::start(Limits::default()).await;
        town.judges_rightly().await;
        town.world.lock().members = BTreeMap::from([(OURS, id("0")), (LABELLED, World::plain())]);
        let check = async |line: &str| {
            assert_eq!(town.ask(LABELLED, line).await.status, 403, "{line}");
            // Nobody has that address any more; on a busy machine the time is up before the last look is over.
            assert!(matches!(town.ask(PLAIN, line).await.status, 403 | 503), "{line}");
        };
        tokio::join!(check("GET /info"), check("GET /containers/json"));
    });
}

/// A hundred thousand events at once, several times; also those of which each asks for a look at a container.
#[test]
fn its_events_flood() {
    run(async {
        let (world, feed) = (World::new(), Feed::default());
        let told = feed.clone();
        // Counted here, because the proxy asks on connections that are older than what the engine has on record.
        let marks = Arc::new(AtomicUsize::new(0));
        let marked = Arc::clone(&marks);
        let trial = Plan::flags(&["-proxycontainername=0"])
            .start(move |request| {
                if request.head.contains(&id("c")) || request.path() == "/events" {
                    marked.fetch_add(1, Ordering::SeqCst);
                }
                match request.path() {
                    "/containers/json" if request.field("User-Agent").is_some() => {
                        docker_like(request)
                    }
                    _ => world.answer(request, &told),
                }
            })
            .await;
        trial.program.until_logged("per-container allowlists are in force").await;
        trial
            .suffers(async |trial| {
                for action in ["exec_create: sh", "start", "die", "rename"] {
                    // After the flood before, the proxy may be about to subscribe anew, and would miss this one.
                    eventually("one subscription", async || feed.followers() == 1).await;
                    trial.only_what_is_allowed_reached();
                    let before = marks.load(Ordering::SeqCst);
                    let events = container_event(action, &World::labelled()).repeat(1000);
                    for _ in 0..25 {
                        feed.send(&events);
                    }
                    feed.send(container_event("start", &id("c")));
                    trial.serves().await;
                    // The last one is worked through, or all of them are given up for a new list.
                    let worked_through = async {
                        while marks.load(Ordering::SeqCst) == before {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    };
                    let in_time = tokio::time::timeout(8 * PATIENCE, worked_through).await;
                    assert!(in_time.is_ok(), "the flood of `{action}` does not end");
                }
                eventually("one subscription", async || feed.followers() == 1).await;
            })
            .await;
        let most = trial.program.most_memory();
        assert!(most < 64 << 20, "it took {most} bytes");
    });
}

/// One client cannot take the others' turn.
#[test]
fn it_is_slow_to_say_who_asks() {
    run(async {
        let town = Town::start(Limits { waiting: 4, ..Limits::default() }).await;
        let gate = Gate::default();
        town.world.lock().held = Some(gate.clone());
        let mut waiting = town.client(LABELLED);
        waiting.send(get("GET /info", &[])).await;
        eventually("a request that waits", async || town.bounds.usage().waiting == 1).await;
        for _ in 0..20 {
            let mut late = town.client(LABELLED);
            late.send(get("GET /info", &[])).await;
            let answer = late.answer().await;
            assert_eq!(answer.status, 503);
            assert!(answer.message().contains("`-maxwaiting`"), "{}", answer.message());
            late.ends().await;
        }
        let mut other = town.client(PLAIN);
        other.send(get("GET /info", &[])).await;
        eventually("another that waits", async || town.bounds.usage().waiting == 2).await;
        town.world.lock().held = None;
        gate.open();
        assert_eq!(waiting.answer().await.status, 200);
        gate.open();
        assert_eq!(other.answer().await.status, 403);
        drop((waiting, other));
        eventually("rest", async || {
            let usage = town.bounds.usage();
            (usage.waiting, usage.connections, usage.clients) == (0, 0, 0)
        })
        .await;
        town.judges_rightly().await;
        let limit = town.bounds.usage().limits.into_iter().find(|it| it.option == "-maxwaiting");
        assert_eq!(limit.unwrap().reached, 20);
    });
}
