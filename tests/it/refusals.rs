//! What a client is told when it is refused: enough to change the configuration, and an id to find it in the log.

use sockwarden::admission::AllowFrom;

use crate::support::{Answer, Setup, get, run, with_body};

fn net(text: &str) -> AllowFrom {
    AllowFrom::Net(text.parse().unwrap())
}

fn host(name: &str) -> AllowFrom {
    AllowFrom::Host(name.to_owned())
}

/// The answer of a proxy that admits `from` and allows `allow`; the engine hears nothing of what is refused.
fn asked(from: &[AllowFrom], allow: &[&str], request: &str) -> Answer {
    run(async {
        let setup = Setup::allowing(allow).with(|config| config.allow_from = from.to_vec());
        let stage = setup.start().await;
        let answer = stage.ask(request).await;
        let ours = answer.status != 404 && answer.status >= 400;
        assert_eq!(stage.reached().await.is_empty(), ours, "{answer:?}");
        answer
    })
}

/// The refusal has this status, and its message holds all of these.
#[track_caller]
fn check(allow: &[&str], request: &str, status: u16, holds: &[&str]) {
    let answer = asked(&[net("127.0.0.1/32")], allow, request);
    assert_eq!(answer.status, status, "{request}");
    assert_eq!(answer.field("Content-Type").as_deref(), Some("application/json"));
    let message = answer.message();
    for part in holds {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
    let id = message.rsplit_once("(id ").and_then(|(_, id)| id.strip_suffix(')'));
    assert!(id.is_some_and(|id| id.len() == 8), "{message}");
}

#[test]
fn a_refusal_says_what_was_asked_and_what_would_allow_it() {
    let containers = ["GET /containers/json"];
    check(
        &containers,
        &get("GET /v1.41/containers/app/logs?follow=1", &[]),
        403,
        &[
            "GET /v1.41/containers/app/logs ",
            "127.0.0.1",
            r"-allowGET='(/v1[.][0-9]+)?/containers/[^/]+/logs'",
            "SP_ALLOW_GET",
        ],
    );
    check(
        &containers,
        &with_body("POST /containers/create?name=x", "application/json", "{}"),
        405,
        &[
            "POST /containers/create ",
            "may not use POST at all",
            r"-allowPOST='(/v1[.][0-9]+)?/containers/create'",
            "SP_ALLOW_POST",
        ],
    );
    check(&containers, &get("DELETE /images/a/b:c", &[]), 405, &["/images/.+", "-allowDELETE"]);
    check(&[], &get("GET /info", &[]), 405, &["GET /info", "-allowGET"]);
    check(&["POST .*"], &with_body("POST /auth", "text/form", "a=b"), 400, &["POST /auth", "form"]);
    check(
        &["POST .*"],
        &with_body("POST /containers/x/kill", "text/plain", "a"),
        400,
        &["POST /containers/x/kill", "body"],
    );
    check(&["GET .*"], &get("GET /v1.41./info", &[]), 400, &["v1.41."]);
    check(&["POST .*"], &get("POST /v1.12/auth", &[]), 400, &["1.12", "1.24", "/images/load"]);
    check(&["GET .*"], &get("GET http://x/info", &[]), 400, &["path"]);
}

/// Who is not admitted gets an answer, and does not stay.
#[test]
fn a_stranger_is_told_and_sent_away() {
    run(async {
        let setup = Setup::allowing_all();
        let stage =
            setup.with(|config| config.allow_from = vec![net("127.0.0.9/32")]).start().await;
        let mut client = stage.client().await;
        client.send(get("GET /info", &[]) + &get("GET /info", &[])).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (403, true));
        client.ends().await;
        assert!(stage.reached().await.is_empty());
        // An admitted client may try again.
        let mut client = stage.client_from("127.0.0.9").await;
        for _ in 0..2 {
            client.send(get("GET /info", &[])).await;
            assert_eq!(client.answer().await.status, 200);
        }
    });
}

/// What was asked for is quoted, and quoted it can do no harm.
#[test]
fn a_refusal_is_json_whatever_was_asked() {
    check(&["POST .*"], &get("GET /\"}{\"message\":\"x", &[]), 405, &["GET /\"}{\"message\":\"x"]);
    let long = format!("GET /{}", "x".repeat(60_000));
    let answer = asked(&[net("127.0.0.1/32")], &[], &get(&long, &[]));
    assert!(answer.body.len() < 200_000 && answer.message().contains('…'));
}

#[test]
fn the_pattern_of_a_refusal_allows_what_was_refused() {
    for line in [
        "GET /v1.41/containers/json",
        "GET /info",
        "DELETE /v1.51/images/registry:5000/a/b:c",
        "GET /v1.24/containers/a.b-c_d/json",
        "GET /odd/(path)[x]{2}|$^*+?.",
        "POST /v1.41/networks/x/prune",
        "GET /v5.0.0/libpod/info",
        "GET /it's",
        "PUT /v1.41/containers/app/archive",
        "OPTIONS /x",
    ] {
        let request = get(line, &[]);
        let message = asked(&[net("127.0.0.1/32")], &[], &request).message();
        let behind = message.split_once("='").unwrap_or_else(|| panic!("{message}")).1;
        let pattern = behind.split_once('\'').unwrap().0;
        let method = line.split(' ').next().unwrap();
        let answer = asked(&[net("127.0.0.1/32")], &[&format!("{method} {pattern}")], &request);
        assert!(
            !matches!(answer.status, 400 | 403 | 405),
            "{pattern} does not allow {line}: {}",
            answer.text()
        );
    }
}

/// An answer to HEAD has no body, and the next one is not mistaken for it.
#[test]
fn a_refused_head_has_no_body() {
    run(async {
        let stage = Setup::allowing(&["GET /info"]).start().await;
        let mut client = stage.client().await;
        client.send(get("HEAD /info", &[]) + &get("GET /info", &[])).await;
        assert_eq!(client.answer_to("HEAD").await.status, 405);
        assert_eq!(client.answer().await.status, 200);
    });
}

#[test]
fn a_client_that_is_not_listed_may_not_even_ping() {
    for from in [
        vec![],
        vec![net("127.0.0.2/32")],
        vec![net("10.0.0.0/8"), net("::1/128")],
        vec![host("no-such-host.invalid")],
    ] {
        for line in ["GET /_ping", "GET /info", "POST /containers/create", "GET /not/allowed"] {
            let answer = asked(&from, &["GET /info", "GET /_ping"], &get(line, &[]));
            assert_eq!(answer.status, 403, "{line} from {from:?}");
            let message = answer.message();
            assert!(message.contains("127.0.0.1") && message.contains("-allowfrom"), "{message}");
        }
    }
}

#[test]
fn clients_are_listed_by_address_network_or_name() {
    for from in [net("127.0.0.1/32"), net("127.0.0.0/8"), net("0.0.0.0/0"), host("localhost")] {
        for line in ["GET /_ping", "HEAD /_ping", "GET /info"] {
            let answer = asked(&[net("10.0.0.0/8"), from.clone()], &["GET /info"], &get(line, &[]));
            assert_eq!(answer.status, 200, "{line} from {from}");
        }
        assert_eq!(asked(&[from], &["GET /info"], &get("GET /version", &[])).status, 403);
    }
}

/// Inside the limit everything else goes on; the clauses have tests of their own.
#[test]
fn a_limit_on_bind_mounts_refuses_what_lies_outside() {
    run(async {
        let setup = Setup::allowing_all()
            .with(|config| config.bodies.bind_mount_from = Some(vec!["/srv".into()]));
        let stage = setup.start().await;
        let binds = r#"{"HostConfig":{"Binds":["/srv-evil:/x"]}}"#;
        let options = r#"{"DriverOpts":{"type":"none","o":"bind","device":"/etc"}}"#;
        let task =
            r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/"}]}}}"#;
        for (path, body) in [
            ("/containers/create", binds),
            ("/v1.41/containers/create", r#"{"Binds":["/:/x"]}"#),
            ("/volumes/create", options),
            ("/services/create", task),
            ("/services/x/update", task),
            ("/containers/x/update", r#"{"Binds":["/:/x"]}"#),
            ("/libpod/containers/create", "{}"),
        ] {
            let request = with_body(&format!("POST {path}"), "application/json", body);
            let answer = stage.ask(&request).await;
            assert_eq!(answer.status, 403, "{path}");
            assert!(answer.message().contains("-allowbindmountfrom"), "{}", answer.message());
        }
        assert!(stage.reached().await.is_empty());
        let inside = with_body(
            "POST /containers/create",
            "application/json",
            r#"{"HostConfig":{"Binds":["/srv/data:/x:ro"]}}"#,
        );
        assert_eq!(stage.ask(&inside).await.status, 201);
        assert_eq!(stage.ask(get("POST /containers/app/start", &[])).await.status, 204);
        assert_eq!(stage.ask(get("GET /containers/json", &[])).await.status, 200);
    });
}
