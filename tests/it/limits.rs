//! Limits: whoever reaches one is told its option, is closed cleanly, and hurts nobody else.

use std::time::Duration;

use sockwarden::bounds::Limits;
use tokio::time::timeout;

use crate::fake_engine::{CHUNKED, PATIENCE, Reply, Step, UPGRADED, docker_like};
use crate::support::{Answer, Client, Setup, Stage, eventually, get, run, with_body};

/// The time that a head or a body has in here, and a longer one.
const TIME: Duration = Duration::from_millis(400);
const LONGER: Duration = Duration::from_millis(500);

/// A proxy for every loopback address that allows everything, with these limits.
async fn limited(change: impl FnOnce(&mut Limits)) -> Stage {
    let setup = Setup::allowing_all()
        .with(|config| {
            config.allow_from =
                vec![sockwarden::admission::AllowFrom::Net("127.0.0.0/8".parse().unwrap())];
            change(&mut config.limits);
        })
        .script(|request| match request.path() {
            "/events" => Reply::steps([Step::send(CHUNKED), Step::chunk("{}"), Step::Silence]),
            "/containers/app/attach" => {
                Reply::steps([Step::send(UPGRADED), Step::ReadToEnd, Step::Close])
            }
            _ => docker_like(request),
        });
    setup.start().await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, option: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.message().contains(&format!("`{option}`")), "{}", answer.message());
    assert!(answer.closes());
}

/// Asks on this connection until the answer is an ordinary one: what was taken is given back a moment later.
async fn served(stage: &Stage, line: &str) -> Client {
    let mut found = None;
    eventually("an ordinary answer", async || {
        let mut client = stage.client().await;
        // A connection that is refused may be closed before it took anything.
        let _ = client.try_send(get(line, &[])).await;
        let head = client.head().await;
        let served = head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 101");
        found = served.then_some(client);
        served
    })
    .await;
    found.unwrap()
}

#[test]
fn heads_that_are_too_long_are_refused_with_the_option_that_allows_them() {
    run(async {
        let stage = limited(|limits| {
            limits.head_bytes = 1024;
            limits.head_fields = 16;
        })
        .await;
        let long = "y".repeat(1024);
        refused(&stage.ask(get("GET /info", &[&format!("X: {long}")])).await, 431, "-maxheadbytes");
        refused(&stage.ask(get(&format!("GET /{long}"), &[])).await, 431, "-maxheadbytes");
        refused(&stage.ask(get("GET /info", &["X: y"; 15])).await, 431, "-maxheaders");
        assert_eq!(stage.ask(get("GET /info", &["X: y"; 14])).await.status, 200);
        assert_eq!(stage.reached().await.len(), 1);
    });
}

/// A byte now and then does not help.
#[test]
fn a_head_has_its_time_and_no_more() {
    run(async {
        let stage = limited(|limits| limits.head_timeout = TIME).await;
        let mut slow = stage.client().await;
        let trickle = async {
            loop {
                slow.send("G").await;
                if let Ok(answer) = timeout(Duration::from_millis(20), slow.answer()).await {
                    return answer;
                }
            }
        };
        let answer = timeout(PATIENCE, trickle).await.expect("a refusal");
        refused(&answer, 408, "-headtimeout");
        slow.ends().await;
        // The time between two requests is not limited by it, nor is what others do.
        let mut quick = stage.client().await;
        for _ in 0..2 {
            quick.send(get("GET /info", &[])).await;
            assert_eq!(quick.answer().await.status, 200);
            assert!(timeout(LONGER, quick.head()).await.is_err());
        }
        assert!(stage.reached().await.iter().flat_map(|it| &it.requests).all(|it| it.complete));
    });
}

#[test]
fn connections_in_all_have_a_limit() {
    run(async {
        let stage = limited(|limits| limits.connections = 3).await;
        let mut seated = Vec::new();
        for _ in 0..3 {
            let mut client = stage.client().await;
            client.send(get("GET /info", &[])).await;
            assert_eq!(client.answer().await.status, 200);
            seated.push(client);
        }
        for _ in 0..5 {
            let mut late = stage.client().await;
            refused(&late.answer().await, 503, "-maxconnections");
            late.ends().await;
        }
        for client in &mut seated {
            client.send(get("GET /info", &[])).await;
            assert_eq!(client.answer().await.status, 200);
        }
        seated.pop();
        served(&stage, "GET /info").await;
    });
}

/// A thousand that are turned away leave nothing behind, and the other address is served all the while.
#[test]
fn one_address_cannot_take_the_proxy_from_the_others() {
    run(async {
        let stage = limited(|limits| limits.connections_per_client = 2).await;
        let (one, _two) = (stage.client().await, stage.client().await);
        let mut other = stage.client_from("127.0.0.2").await;
        for _ in 0..200 {
            let mut crowd = Vec::new();
            for _ in 0..5 {
                crowd.push(stage.client().await);
            }
            other.send(get("GET /info", &[])).await;
            assert_eq!(other.answer().await.status, 200);
        }
        // In a crowd, not everybody is told why.
        eventually("an explanation", async || {
            let told = String::from_utf8(stage.client().await.rest().await).unwrap();
            told.starts_with("HTTP/1.1 429") && told.contains("`-maxconnectionsperclient`")
        })
        .await;
        drop(one);
        served(&stage, "GET /info").await;
    });
}

#[test]
fn streams_of_a_client_have_a_limit_that_leaves_room_for_short_requests() {
    run(async {
        let stage = limited(|limits| limits.streams_per_client = 2).await;
        let mut events = stage.client().await;
        events.send(get("GET /events", &[])).await;
        events.head().await;
        let mut attached = stage.client().await;
        attached.send(get("POST /containers/app/attach", &["Upgrade: tcp"])).await;
        assert!(attached.head().await.starts_with("HTTP/1.1 101"));
        for line in ["GET /events", "GET /containers/app/logs", "POST /containers/app/attach"] {
            let mut late = stage.client().await;
            late.send(get(line, &[])).await;
            refused(&late.answer().await, 429, "-maxstreamsperclient");
            late.ends().await;
        }
        assert_eq!(stage.ask(get("GET /info", &[])).await.status, 200);
        let mut other = stage.client_from("127.0.0.2").await;
        other.send(get("GET /events", &[])).await;
        assert!(other.head().await.starts_with("HTTP/1.1 200"));
        let before = stage.reached().await;
        let streams = before.iter().flat_map(|it| &it.requests).filter(|it| it.path() != "/info");
        assert_eq!(streams.count(), 3, "a refused stream reached the engine");
        // Room is given back by a stream that ends and by a tunnel that ends.
        drop(events);
        let again = served(&stage, "GET /events").await;
        drop(attached);
        served(&stage, "GET /events").await;
        drop(again);
    });
}

#[test]
fn a_limit_on_a_unix_socket_counts_by_user() {
    run(async {
        let setup = Setup::allowing(&["GET .*"]).on_unix_socket(0o600);
        let stage = setup.with(|config| config.limits.connections_per_client = 1).start().await;
        let first = stage.client().await;
        let mut second = stage.client().await;
        refused(&second.answer().await, 429, "-maxconnectionsperclient");
        drop(first);
        served(&stage, "GET /info").await;
    });
}

/// A body that is read to be judged has its length and its time; one that is only passed on has neither.
#[test]
fn bodies_that_are_judged_have_a_limit() {
    run(async {
        let stage = limited(|limits| {
            limits.inspected_body_limit = 1024;
            limits.inspected_body_timeout = TIME;
        })
        .await;
        let create = |length: usize| {
            let body = format!("{{\"Image\":\"{}\"}}", "x".repeat(length - 12));
            with_body("POST /containers/create", "application/json", &body)
        };
        refused(&stage.ask(create(1025)).await, 413, "-maxbodybytes");
        let chunked = get(
            "POST /containers/create",
            &["Content-Type: application/json", "Transfer-Encoding: chunked"],
        );
        let long = format!("{chunked}40a\r\n{{\"Image\":\"{}", "x".repeat(1024));
        refused(&stage.ask(long).await, 413, "-maxbodybytes");
        let mut slow = stage.client().await;
        slow.send(chunked + "2\r\n{ \r\n").await;
        refused(&slow.answer().await, 408, "-bodytimeout");
        assert!(stage.reached().await.iter().all(|it| it.requests.is_empty()));

        assert_eq!(stage.ask(create(1024)).await.status, 201);
        let mut upload = stage.client().await;
        let length = format!("Content-Length: {}", 1 << 20);
        let tar = "Content-Type: application/x-tar";
        upload.send(get("POST /images/load", &[tar, &length])).await;
        assert!(timeout(LONGER, upload.head()).await.is_err());
        upload.send(vec![b'x'; 1 << 20]).await;
        assert_eq!(upload.answer().await.status, 404);
    });
}
