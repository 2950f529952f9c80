//! `sockwarden why`: what is remembered of refusals, and what would become of a request that nobody sent.

use std::sync::Arc;

use serde_json::{Value, json};
use sockwarden::admin::Admin;
use sockwarden::workers::Workers;
use tokio::net::{UnixListener, UnixStream};

use super::engine::World;
use super::{OURS, Town, world};
use crate::support::{Client, get, run, with_body};

/// The usual neighbours, and one with words.
fn with_words() -> World {
    let world = world("net");
    let labels = json!({
        "sockwarden.allow": "read, logs(name=b), exec(name=b, cmd=ls *), ContainerCreate(name=job-*)",
        "sockwarden.allow.get.old": "/v1[.]99/containers/.*",
    });
    world.container("f", "net", labels, &[("net", "10.9.0.9")]);
    world
}

/// A town whose private socket can be asked.
struct Office {
    town: Town,
    path: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Office {
    async fn open() -> Self {
        let town = Town::start(with_words()).await;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("private");
        let admin = Admin::new(
            town.door.clone(),
            Some(Arc::clone(&town.registry)),
            Arc::clone(&town.bounds),
            Arc::new(Workers::start(1).unwrap()),
            Arc::clone(&town.audit),
            town.proxy.in_force(),
        );
        let listener = UnixListener::bind(&path).unwrap();
        town.tasks.borrow_mut().spawn(Arc::new(admin).serve_private(listener));
        Self { town, path, _dir: dir }
    }

    async fn ask(&self, request: String) -> (u16, Value) {
        let mut client = Client::over(UnixStream::connect(&self.path).await.unwrap());
        client.send(request).await;
        let answer = client.answer().await;
        (answer.status, serde_json::from_str(&answer.text()).unwrap())
    }

    async fn refusals(&self) -> Vec<Value> {
        let (status, answer) = self.ask(get("GET /refusals", &[])).await;
        assert_eq!(status, 200);
        answer["refusals"].as_array().unwrap().clone()
    }

    async fn why(&self, client: &str, line: &str) -> (u16, Value) {
        let (method, target) = line.split_once(' ').unwrap();
        let asked = json!({"client": client, "method": method, "target": target}).to_string();
        self.ask(with_body("POST /why", "application/json", &asked)).await
    }

    /// This client is told this, and a step or what stays open says so.
    async fn check(&self, client: &str, line: &str, verdict: &str, says: &str) {
        let (status, told) = self.why(client, line).await;
        assert_eq!((status, &told["verdict"]), (200, &json!(verdict)), "{client} {line}: {told:#}");
        assert!(told.to_string().contains(says), "{client} {line}: {told:#}");
    }
}

#[test]
fn refusals_are_remembered_with_what_would_allow_them() {
    run(async {
        let office = Office::open().await;
        assert!(office.refusals().await.is_empty());
        let mut client = office.town.client("10.9.0.9", OURS);
        let mut ids = Vec::new();
        for number in 0..20 {
            client.send(get(&format!("POST /v1.41/containers/x{number}/restart"), &[])).await;
            let message = client.answer().await.message();
            ids.push(message.rsplit_once("(id ").unwrap().1.trim_end_matches(')').to_owned());
        }
        let mut other = office.town.client("10.9.0.2", OURS);
        other.send(get("GET /version", &[])).await;
        assert_eq!(other.answer().await.status, 403);

        let refusals = office.refusals().await;
        assert_eq!(refusals.len(), 2, "{refusals:#?}");
        assert_eq!(refusals[0]["operation"], "SystemVersion");
        let repeated = &refusals[1];
        assert_eq!((&repeated["count"], &repeated["status"]), (&json!(20), &json!(403)));
        assert_eq!(repeated["fix"], "`ContainerRestart` in the label `sockwarden.allow` on f");
        assert_eq!(repeated["path"], "/v1.41/containers/x19/restart");
        let known: Vec<&str> =
            repeated["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        assert_eq!((known.first(), known.last()), (Some(&&*ids[0]), Some(&&*ids[19])));
    });
}

#[test]
fn a_request_that_nobody_sent_is_judged_as_if_somebody_had() {
    run(async {
        let office = Office::open().await;
        let none = office.town.engine.requests().len();
        office.check("f", "GET /containers/json", "allowed", "the word `read`").await;
        office.check("f", "GET /containers/b/logs", "allowed", "if this holds: name=b").await;
        office.check("f", "GET /containers/a/logs", "refused", "write another condition").await;
        office.check("f", "GET /containers/zz/logs", "refused", "does not know it").await;
        let restart = "`ContainerRestart` in the label `sockwarden.allow` on f";
        office.check("f", "POST /containers/b/restart", "refused", restart).await;
        // A body decides where it has something to say.
        office.check("f", "POST /containers/b/exec", "open", "when it comes").await;
        office.check("f", "POST /containers/create?name=job-1", "open", "when it comes").await;
        office.check("f", "POST /containers/create?name=web", "refused", "name").await;
        // By its id, by its address, by the default list, by nothing.
        office.check("ffffffffffff", "GET /containers/json", "allowed", "own labels").await;
        office.check("b", "GET /containers/json", "refused", "GET /containers/json").await;
        office.check("b", "GET /_ping", "allowed", "may ping").await;
        office.check("192.0.2.77", "GET /info", "refused", "default allowlist").await;
        office.check("e", "GET /info", "refused", "labels of e").await;
        office.check("f", "GET /x/y", "refused", "is no operation").await;
        let reached = office.town.engine.requests().split_off(none);
        let own = ["/version", "/containers/", "/networks", "/images/", "/info"];
        for request in reached {
            let is_own = own.iter().any(|path| request.path().starts_with(path));
            assert!(is_own && request.method() == "GET", "{}", request.line());
        }
    });
}

#[test]
fn who_or_what_nobody_knows_is_a_mistake() {
    run(async {
        let office = Office::open().await;
        for (client, line, says) in [
            ("zzz", "GET /info", "there are `a`, `b`"),
            ("0", "GET /info", "the proxy itself"),
            ("f", "GET /a/../b", "`..`"),
            ("f", "get /info", "is not a method"),
        ] {
            let (status, told) = office.why(client, line).await;
            assert_eq!(status, 404, "{client} {line}");
            assert!(told["message"].as_str().unwrap().contains(says), "{client} {line}: {told}");
        }
        let (status, _) = office.ask(with_body("POST /why", "application/json", "{}")).await;
        assert_eq!(status, 400);
    });
}
