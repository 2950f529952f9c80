//! Memory that clients take, and that the engine's objects would: how much, for how long, and who waits for it.

use std::time::Duration;

use sockwarden::clauses::Question;
use sockwarden::engine::Engine;
use sockwarden::engine::questions::ContainerInspect;
use sockwarden::engine::{EngineError, OwnCall};
use sockwarden::request::json::skim::Wanted;
use tokio::task::JoinSet;

use crate::fake_engine::{FakeEngine, Reply, docker_like};
use crate::support::{Setup, Stage, get, run, with_body};

const FAT_BYTES: usize = 4 << 20;

/// An engine that answers everything but `/version` with this.
fn asked(body: &str) -> (Engine, FakeEngine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let reply = Reply::json("200 OK", body);
    let fake = FakeEngine::start(&path, move |request| match request.path() {
        "/version" => docker_like(request),
        _ => reply.clone(),
    });
    let labels = Wanted::new(|key| key.starts_with("sockwarden."));
    (Engine::new(&path).reading_labels(labels), fake.unwrap(), dir)
}

/// 66 labels of 4 MiB are 264 MiB, more than was once read of a list.
#[test]
fn a_list_may_be_as_long_as_labels_make_it() {
    run(async {
        let fat = "x".repeat(FAT_BYTES);
        let row = |number: usize| {
            format!(
                r#"{{"Id":"{number:064x}","Names":["/c{number}"],"Labels":{{"fat":"{fat}","sockwarden.allow.get":"/{number}"}},"HostConfig":{{"NetworkMode":"container:{number}"}}}}"#
            )
        };
        let rows: Vec<String> = (0..66).map(row).collect();
        let (engine, _fake, _dir) = asked(&format!("[{}]", rows.join(",")));
        drop(rows);
        let read = engine.containers(|row| {
            Some((row.name().to_owned(), row.labels, row.host_config, row.is_cut))
        });
        let read = read.await.unwrap();
        assert_eq!(read.len(), 66);
        for (number, (name, labels, host, is_cut)) in read.into_iter().enumerate() {
            let labels: Vec<_> = labels.unwrap().into_iter().collect();
            assert_eq!((name, is_cut), (format!("c{number}"), false));
            assert_eq!(labels, [("sockwarden.allow.get".to_owned(), Some(format!("/{number}")))]);
            assert_eq!(host.network_mode, format!("container:{number}"));
        }
    });
}

/// What nobody reads is not held, and what is read has a limit: beyond it there is no answer at all.
#[test]
fn an_answer_holds_what_is_read_of_it() {
    run(async {
        let id = "ab".repeat(32);
        let fat = "x".repeat(FAT_BYTES);
        let (engine, _fake, _dir) = asked(&format!(
            r#"{{"Config":{{"Labels":{{"fat":"{fat}"}}}},"Id":"{id}","Mounts":[],"State":{{"Running":true}}}}"#
        ));
        let (json, bytes) =
            engine.answer(&Question::Container("x".to_owned())).await.unwrap().unwrap();
        assert_eq!(
            json.to_text(),
            format!(r#"{{"Config":{{"Labels":{{}}}},"Id":"{id}","Mounts":[]}}"#)
        );
        assert!(bytes < 4096, "{bytes}");
        let told: ContainerInspect =
            engine.ask_for(OwnCall::Container("x")).await.unwrap().unwrap();
        assert_eq!((told.id, told.state.running), (id, true));

        let mount = r#"{"Type":"volume","Name":"x"}"#;
        let mounts = vec![mount; FAT_BYTES / mount.len()].join(",");
        let (engine, _fake, _dir) = asked(&format!(r#"{{"Id":"x","Mounts":[{mounts}]}}"#));
        let answer = engine.answer(&Question::Container("x".to_owned())).await;
        assert!(matches!(answer, Err(EngineError::Unexpected(why)) if why.contains("more to say")));
        for broken in ["{\"Id\":\"x\"", "{\"Id\":\"x\"}}", "[{\"Id\":\"x\"}]x", ""] {
            let (engine, _fake, _dir) = asked(broken);
            assert!(engine.answer(&Question::Container("x".to_owned())).await.is_err(), "{broken}");
        }
    });
}

async fn stage(patience: Duration) -> Stage {
    let setup = Setup::allowing_all().with(|config| {
        config.allow_from =
            vec![sockwarden::admission::AllowFrom::Net("127.0.0.0/8".parse().unwrap())];
        config.limits.inspected_body_timeout = patience;
    });
    setup.start().await
}

/// More than there is memory for: each waits for its turn and holds nothing, so all come to an end, also chunked ones.
#[test]
fn large_bodies_come_through_one_after_the_other() {
    run(async {
        let stage = stage(Duration::from_mins(1)).await;
        let body = format!("{{\"Image\":\"{}\"}}", "x".repeat(4_000_000));
        let plain = with_body("POST /containers/create", "application/json", &body);
        let head = get(
            "POST /containers/create",
            &["Content-Type: application/json", "Transfer-Encoding: chunked"],
        );
        let chunked = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let mut clients = JoinSet::new();
        for number in 0..12 {
            // The last one waits for all others.
            let mut client = stage.client().await.waiting(Duration::from_mins(1));
            let request = if number % 3 == 0 { chunked.clone() } else { plain.clone() };
            clients.spawn(async move {
                client.send(&request).await;
                client.answer().await.status
            });
        }
        while let Some(status) = clients.join_next().await {
            assert_eq!(status.unwrap(), 201);
        }
    });
}

/// Whoever sends half and waits holds what was announced: at most the client's share, and not for long.
#[test]
fn a_client_that_takes_its_share_is_told_so() {
    run(async {
        let stage = stage(Duration::from_secs(1)).await;
        let head = get(
            "POST /containers/create",
            &["Content-Type: application/json", "Content-Length: 4000000"],
        );
        let mut half = Vec::new();
        for _ in 0..2 {
            let mut client = stage.client().await;
            client.send(format!("{head}{{")).await;
            half.push(client);
        }
        let mut late = stage.client().await;
        late.send(format!("{head}{{")).await;
        // A short one finds no place either; somebody else's does.
        let mut other = stage.client_from("127.0.0.2").await;
        let short = with_body("POST /containers/create", "application/json", "{\"Image\":\"x\"}");
        other.send(&short).await;
        assert_eq!(other.answer().await.status, 201);
        // Which of them came first is the machine's business.
        half.push(late);
        let mut slow = 0;
        for mut client in half {
            let answer = client.answer().await;
            assert!(matches!(answer.status, 408 | 429), "{answer:?}");
            slow += usize::from(answer.status == 408);
        }
        assert!(slow >= 2, "{slow}");
        // Everything was given back.
        assert_eq!(stage.ask(&short).await.status, 201);
    });
}
