//! What is in force is replaced as a whole: a request that has begun goes on with what it began with, the next one has the new.

use std::path::Path;
use std::sync::Arc;

use sockwarden::admission::AdmissionList;
use sockwarden::bounds::{Bounds, Limits};
use sockwarden::clauses::Defaults;
use sockwarden::engine::Engine;
use sockwarden::in_force::InForce;
use sockwarden::listen::{Listener, ListenerAddress};
use sockwarden::policy::Policy;
use sockwarden::proxy::{Proxy, Stop};
use sockwarden::request::Method;
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule, RuleSet};
use sockwarden::workers::Workers;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::fake_engine::{FakeEngine, docker_like};
use crate::support::{Client, get, run};

fn allowing(paths: &[&str]) -> InForce {
    let rules: RuleSet = [Method::Get, Method::Post]
        .into_iter()
        .flat_map(|method| paths.iter().map(move |path| (method, *path)))
        .map(|(method, path)| Rule {
            origin: Origin::Flag("-allow".to_owned()),
            method,
            path: Arc::new(AnchoredRegex::new(path).unwrap()),
        })
        .collect();
    let list = Allowlist { rules, ..Allowlist::default() };
    // Bodies are read to be judged.
    let defaults = Defaults { deny_host_mounts: true, ..Defaults::default() };
    InForce { policy: Policy::new(list, defaults), admissions: AdmissionList::new(&[]) }
}

async fn client(path: &Path) -> Client {
    Client::over(UnixStream::connect(path).await.unwrap())
}

async fn ask(client: &mut Client, request: String) -> u16 {
    client.send(request).await;
    client.answer().await.status
}

#[test]
fn a_request_keeps_what_it_began_with() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (engine_path, path) = (dir.path().join("engine.sock"), dir.path().join("proxy.sock"));
        let _engine = FakeEngine::start(&engine_path, docker_like).unwrap();
        let InForce { policy, admissions } = allowing(&["/info", "/containers/create"]);
        let proxy = Arc::new(Proxy::new(
            policy,
            admissions,
            Engine::new(&engine_path),
            None,
            Arc::default(),
        ));
        let address = ListenerAddress::Unix { path: path.clone(), mode: 0o600 };
        let listener = Listener::bind(&address).unwrap();
        let (stop, stopped) = watch::channel(Stop::Running);
        let mut serving = JoinSet::new();
        let workers = Arc::new(Workers::start(1).unwrap());
        let bounds = Bounds::new(Limits::default(), 100);
        serving.spawn(listener.serve(Arc::clone(&proxy), bounds, workers, stopped));

        let mut kept = client(&path).await;
        assert_eq!(ask(&mut kept, get("GET /info", &[])).await, 200);
        assert_eq!(ask(&mut kept, get("GET /version", &[])).await, 403);
        // Its head is judged as soon as it is there; the interim answer says that its body is waited for.
        let mut begun = client(&path).await;
        let fields =
            ["Content-Type: application/json", "Content-Length: 2", "Expect: 100-continue"];
        begun.send(get("POST /containers/create", &fields)).await;
        assert_eq!(begun.answer().await.status, 100);

        proxy.put_in_force(allowing(&["/version"]));

        begun.send("{}").await;
        assert_eq!(begun.answer().await.status, 201, "it had begun");
        assert_eq!(ask(&mut kept, get("GET /info", &[])).await, 403);
        assert_eq!(ask(&mut kept, get("GET /version", &[])).await, 200);
        let again = get("POST /containers/create", &["Content-Length: 0"]);
        assert_eq!(ask(&mut begun, again).await, 403);

        stop.send_replace(Stop::Closing);
        serving.join_next().await.unwrap().unwrap();
    });
}
