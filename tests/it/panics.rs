//! A bug of ours costs one connection. The bug here is a log that panics at the sight of one path.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use sockwarden::admission::AdmissionList;
use sockwarden::bounds::Bounds;
use sockwarden::bounds::Limits;
use sockwarden::clauses::Defaults;
use sockwarden::engine::Engine;
use sockwarden::listen::Listener;
use sockwarden::listen::ListenerAddress;
use sockwarden::policy::Policy;
use sockwarden::proxy::{Proxy, Stop};
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule, RuleSet};
use sockwarden::workers::Workers;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::fake_engine::{CHUNKED, FakeEngine, Gate, Reply, Step, docker_like};
use crate::support::{Client, eventually, get, run};

const FATAL: &str = "/for/the/test";
const MEANT: &str = "for the test";

struct Fragile;

struct FatalPath(bool);

impl Visit for FatalPath {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 |= field.name() == "path" && value == FATAL;
    }
}

impl Subscriber for Fragile {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut path = FatalPath(false);
        event.record(&mut path);
        if path.0 {
            std::panic::panic_any(MEANT);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Nobody needs a backtrace of what was meant; on a busy machine it takes seconds.
fn quieten() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&MEANT) {
            tell(panic);
        }
    }));
}

async fn client(path: &Path) -> Client {
    Client::over(UnixStream::connect(path).await.unwrap())
}

#[test]
fn a_panic_ends_its_own_connection_and_is_counted() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (engine_path, path) = (dir.path().join("engine.sock"), dir.path().join("proxy.sock"));
        let gate = Gate::default();
        let late = gate.clone();
        let engine = FakeEngine::start(&engine_path, move |request| match request.path() {
            "/events" => Reply::steps([
                Step::send(CHUNKED),
                Step::Wait(late.clone()),
                Step::chunk("late"),
                Step::Silence,
            ]),
            _ => docker_like(request),
        })
        .unwrap();
        let rule = Rule {
            origin: Origin::Flag("-allowGET".to_owned()),
            method: sockwarden::request::Method::Get,
            path: Arc::new(AnchoredRegex::new("/info|/events").unwrap()),
        };
        let rules = RuleSet::from_iter([rule]);
        let policy = Policy::new(Allowlist { rules, ..Allowlist::default() }, Defaults::default());
        let bounds = Bounds::new(Limits::default(), 100);
        let admitted = AdmissionList::new(&[]);
        let proxy =
            Arc::new(Proxy::new(policy, admitted, Engine::new(&engine_path), None, Arc::default()));
        let address = ListenerAddress::Unix { path: path.clone(), mode: 0o600 };
        let listener = Listener::bind(&address).unwrap();
        let (stop, stopped) = watch::channel(Stop::Running);
        let mut serving = JoinSet::new();
        let workers = Arc::new(Workers::start(1).unwrap());
        serving.spawn(listener.serve(proxy, Arc::clone(&bounds), workers, stopped));
        let _log = tracing::subscriber::set_default(Fragile);
        quieten();

        let mut stream = client(&path).await;
        stream.send(get("GET /events", &[])).await;
        stream.head().await;
        let mut idle = client(&path).await;
        idle.send(get("GET /info", &[])).await;
        assert_eq!(idle.answer().await.status, 200);
        for count in 1..=3 {
            let mut unlucky = client(&path).await;
            unlucky.send(get("GET /info", &[])).await;
            assert_eq!(unlucky.answer().await.status, 200);
            // Another test's thread, which has no subscriber, may have been the first to meet the line just when ours was set.
            tracing::callsite::rebuild_interest_cache();
            unlucky.send(get(&format!("GET {FATAL}"), &[])).await;
            unlucky.ends().await;
            eventually("the count of a panic", async || bounds.usage().panics == count).await;
        }
        // Everybody else goes on, and nothing of the three is left.
        idle.send(get("GET /info", &[])).await;
        assert_eq!(idle.answer().await.status, 200);
        gate.open();
        assert_eq!(stream.chunk().await.as_deref(), Some(&b"late"[..]));
        eventually("two connections", async || bounds.usage().connections == 2).await;
        let open = engine.until("the end of theirs", |all| {
            all.iter().filter(|connection| !connection.closed).count() == 2
        });
        open.await;
        stop.send_replace(Stop::Closing);
        serving.join_next().await.unwrap().unwrap();
    });
}
