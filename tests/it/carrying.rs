//! Requests and answers on their way: what travels, what does not, and that nothing waits for what it does not need.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::fake_engine::{CHUNKED, Connection, Gate, Reply, Step};
use crate::support::{Answer, Setup, get, run, with_body};

/// The answer to `GET /info` when the engine answers with these bytes and closes.
fn answered(reply: impl AsRef<[u8]>) -> Answer {
    run(async {
        let reply = Reply::raw(reply).then(Step::Close);
        let stage = Setup::allowing(&["GET .*", "HEAD .*"]).reply(reply).start().await;
        stage.ask(get("GET /info", &[])).await
    })
}

#[test]
fn only_end_to_end_fields_reach_the_engine() {
    run(async {
        let stage = Setup::allowing_all().start().await;
        let fields = [
            "X-Registry-Auth: eyJhIjoiYiJ9",
            "X-Registry-Config: e30=",
            "Accept: */*",
            "Cookie: a=b",
            "Accept-Encoding: gzip",
            "X-Twice: 1",
            "X-Twice: 2",
            "Authorization: Basic YTpi",
            "Connection: X-Named, keep-alive, x-Other",
            "X-Named: 1",
            "X-Other: 1",
            "Keep-Alive: 5",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: x",
            "TE: trailers",
            "Trailer: X",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Host: x",
            "Forwarded: for=127.0.0.1",
            "HTTP2-Settings: AAMAAABk",
        ];
        assert_eq!(stage.ask(get("GET /info", &fields)).await.status, 200);
        let seen = stage.reached().await.remove(0).requests.remove(0);
        let mut lines: Vec<_> = seen.head.lines().collect();
        lines[1..].sort_unstable();
        let want = [
            "GET /info HTTP/1.1",
            "",
            "Accept-Encoding: gzip",
            "Accept: */*",
            "Authorization: Basic YTpi",
            "Cookie: a=b",
            "Host: docker",
            "User-Agent: test",
            "X-Registry-Auth: eyJhIjoiYiJ9",
            "X-Registry-Config: e30=",
            "X-Twice: 1",
            "X-Twice: 2",
        ];
        assert_eq!(lines, want);
    });
}

#[test]
fn only_end_to_end_fields_reach_the_client() {
    let answer = answered(
        "HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nOstype: linux\r\nX-Twice: 1\r\nX-Twice: 2\r\nConnection: X-Named, close\r\nX-Named: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\nTrailer: x\r\nUpgrade: h2c\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}",
    );
    let mut lines: Vec<_> = answer.head.lines().collect();
    lines[1..].sort_unstable();
    let want = [
        "HTTP/1.1 200 OK",
        "",
        "Api-Version: 1.51",
        "Content-Length: 2",
        "Date: Tue, 24 Nov 2026 00:00:00 GMT",
        "Ostype: linux",
        "X-Twice: 1",
        "X-Twice: 2",
    ];
    assert_eq!(lines, want);
    assert_eq!(answer.text(), "{}");
}

#[test]
fn answers_without_a_body_keep_their_fields() {
    run(async {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\nX-Docker-Container-Path-Stat: e30=\r\n\r\n";
        let stage = Setup::allowing(&["HEAD .*"]).reply(Reply::raw(head)).start().await;
        let mut client = stage.client().await;
        for _ in 0..2 {
            client.send(get("HEAD /containers/app/archive?path=%2F", &[])).await;
            let answer = client.answer_to("HEAD").await;
            assert_eq!(answer.field("Content-Length").as_deref(), Some("4096"));
            assert_eq!(answer.field("X-Docker-Container-Path-Stat").as_deref(), Some("e30="));
        }
        assert_eq!(stage.reached().await.len(), 1);
        for (status, fields) in
            [("204 No Content", "Api-Version: 1.51\r\n"), ("304 Not Modified", "Etag: \"x\"\r\n")]
        {
            let head = format!("HTTP/1.1 {status}\r\n{fields}\r\n");
            let stage = Setup::allowing(&["POST .*"]).reply(Reply::raw(&head)).start().await;
            let mut client = stage.client().await;
            for _ in 0..2 {
                client.send(get("POST /containers/app/start", &[])).await;
                let answer = client.answer().await;
                assert!(answer.head.starts_with(head.trim_end()), "{}", answer.head);
                assert_eq!(answer.field("Transfer-Encoding"), None);
            }
            assert_eq!(stage.reached().await.len(), 1);
        }
    });
}

#[test]
fn answers_arrive_whole_however_they_are_framed() {
    for (head, body, want) in [
        ("Content-Length: 5\r\n", "hello", "hello"),
        ("Content-Length: 0\r\n", "", ""),
        ("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", ""),
        (
            "Transfer-Encoding: chunked\r\nTrailer: X\r\n",
            "5\r\nhello\r\n0\r\nX: y\r\n\r\n",
            "hello",
        ),
        ("Connection: close\r\n", "hello", "hello"),
        ("", "hello", "hello"),
    ] {
        let answer = answered(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"));
        assert_eq!(
            (answer.status, answer.text().as_str(), answer.whole),
            (200, want, true),
            "{head}"
        );
    }
    // Interim answers are the engine's business with us.
    let answer = answered(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
}

/// Never a clean end for what is not whole.
#[test]
fn a_cut_answer_is_a_failure_for_the_client_too() {
    for (head, body) in [
        ("Content-Length: 50\r\n", "half"),
        ("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n5\r\nl"),
        ("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n0\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\nx\r\n"),
    ] {
        let answer = answered(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"));
        assert!(answer.status == 200 && !answer.whole, "{body:?} {answer:?}");
    }
}

#[test]
fn an_answer_that_is_none_is_an_engine_failure() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 999999 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/2.0 200 OK\r\n\r\n",
        "\0\0\x12\x04\0\0\0\0\0",
    ] {
        let answer = answered(bytes);
        assert_eq!((answer.status, answer.closes()), (502, true), "{bytes:?}");
        assert!(answer.message().contains("engine"), "{}", answer.message());
    }
}

/// Bytes that the engine sends unasked belong to no request, least of all to the next one.
#[test]
fn an_answer_never_reaches_another_request() {
    run(async {
        let stage = Setup::allowing(&["GET .*"])
            .script(|request| match request.path() {
                "/info" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
                _ => Reply::json("200 OK", "second"),
            })
            .start()
            .await;
        let mut client = stage.client().await;
        client.send(get("GET /info", &[]) + &get("GET /events", &[])).await;
        assert_eq!(client.answer().await.text(), "first");
        assert_eq!(client.answer().await.text(), "second");
        assert_eq!(stage.reached().await.len(), 2);
    });
}

#[test]
fn a_body_streams_before_it_is_complete() {
    run(async {
        for chunked in [false, true] {
            let stage = Setup::allowing(&["POST /images/load"]).start().await;
            let mut client = stage.client().await;
            let framing = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 10" };
            client.send(get("POST /images/load", &[framing])).await;
            client.send(if chunked { "5\r\nfirst\r\n" } else { "first" }).await;
            let half = |all: &[Connection]| {
                all.iter().flat_map(|it| &it.requests).any(|it| it.body == b"first")
            };
            let seen = stage.engine.until("the first half", half).await;
            assert!(!seen[0].requests[0].complete);
            client.send(if chunked { "5\r\nother\r\n0\r\n\r\n" } else { "other" }).await;
            assert_eq!(client.answer().await.status, 404);
            let seen = stage.reached().await.remove(0).requests.remove(0);
            assert_eq!((seen.complete, seen.body.as_slice()), (true, &b"firstother"[..]));
        }
    });
}

#[test]
fn an_answer_streams_before_it_is_complete() {
    run(async {
        let gate = Gate::default();
        let reply = Reply::steps([
            Step::send(CHUNKED),
            Step::Wait(gate.clone()),
            Step::chunk("{}\n"),
            Step::Wait(gate.clone()),
            Step::chunk("[]\n"),
            Step::chunk(""),
        ]);
        let stage = Setup::allowing(&["GET .*"]).reply(reply).start().await;
        let mut client = stage.client().await;
        client.send(get("GET /events", &[])).await;
        assert!(client.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
        for want in ["{}\n", "[]\n"] {
            gate.open();
            assert_eq!(client.chunk().await.unwrap(), want.as_bytes());
        }
        assert_eq!(client.chunk().await.unwrap(), b"");
    });
}

#[test]
fn a_late_answer_is_waited_for() {
    run(async {
        let gate = Gate::default();
        let late = Reply::steps([
            Step::Wait(gate.clone()),
            Step::send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ]);
        let stage = Setup::allowing(&["POST .*"]).reply(late).start().await;
        let mut client = stage.client().await;
        client.send(get("POST /containers/app/wait", &[])).await;
        stage.engine.until("the request", |all| all.iter().any(|it| !it.requests.is_empty())).await;
        gate.open();
        assert_eq!(client.answer().await.text(), "ok");
    });
}

/// An engine that has heard enough answers before the body is over, and may close then.
#[test]
fn an_early_answer_does_not_wait_for_the_body() {
    run(async {
        for closes in [false, true] {
            let full = "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nfull";
            let behind = if closes { Step::Close } else { Step::Silence };
            let reply = Reply::raw(full).early().then(behind);
            let stage = Setup::allowing_all().reply(reply).start().await;
            let mut client = stage.client().await;
            client.send(get("POST /images/load", &["Content-Length: 1000000"]) + "first").await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.text().as_str()), (413, "full"));
            // Whatever comes is the rest of the body, and nobody's request.
            let _ = client.try_send(get("GET /info", &[])).await;
            if closes {
                client.ends().await;
            }
            drop(client);
            assert_eq!(stage.engine.until_all_closed().await[0].requests.len(), 1);
        }
    });
}

/// D12.
#[test]
fn two_clients_never_share_an_engine_connection() {
    run(async {
        let stage = Setup::allowing(&["GET .*", "POST .*"]).start().await;
        let mut first = stage.client().await;
        for _ in 0..3 {
            first.send(get("GET /info", &["X-Client: first"])).await;
            assert_eq!(first.answer().await.status, 200);
        }
        let mut second = stage.client().await;
        second.send(get("GET /info", &["X-Client: second"])).await;
        assert_eq!(second.answer().await.status, 200);
        // One of them goes away in the middle of a body; the other does not notice.
        first
            .send(get("POST /images/load", &["Content-Length: 10", "X-Client: first"]) + "x")
            .await;
        stage.engine.until("the third", |all| all[0].requests.len() == 4).await;
        drop(first);
        stage.engine.until("the end of the first", |all| all[0].closed).await;
        second.send(get("GET /info", &["X-Client: second"])).await;
        assert_eq!(second.answer().await.status, 200);
        drop(second);
        let seen = stage.engine.until_all_closed().await;
        assert_eq!(seen.len(), 2);
        for (connection, name) in seen.iter().zip(["first", "second"]) {
            assert!(connection.requests.iter().all(|it| it.field("X-Client") == Some(name)));
        }
        assert!(!seen[0].requests[3].complete);
    });
}

#[test]
fn an_idle_connection_that_the_engine_closed_is_replaced() {
    run(async {
        let ok = Reply::json("200 OK", "{}").then(Step::Close);
        let stage = Setup::allowing(&["GET .*", "POST .*"]).reply(ok).start().await;
        let mut client = stage.client().await;
        for closed in 1..=3 {
            client.send(with_body("POST /containers/create", "application/json", "{}")).await;
            assert_eq!(client.answer().await.status, 200);
            let all_closed =
                |all: &[Connection]| all.iter().filter(|it| it.closed).count() == closed;
            stage.engine.until("the end of the idle connection", all_closed).await;
        }
        assert!(stage.engine.requests().iter().all(|it| it.complete && it.body == b"{}"));
    });
}

/// The engine answers the first request on its first connection, and does this with every other one.
fn after_the_first(behind: Reply) -> Setup {
    let first = AtomicBool::new(true);
    Setup::allowing_all().script(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            Reply::json("200 OK", "first")
        } else {
            behind.clone()
        }
    })
}

/// A connection that dies at the moment it is used: what may be asked twice is asked once more, and nothing else is (RFC 9110 section
/// 9.2.2).
#[test]
fn a_read_is_asked_again_where_the_engine_went_away_before_its_answer() {
    let close = || Reply::steps([Step::Close]);
    let json = ["Content-Type: application/json", "Content-Length: 2"];
    for (request, sent) in [
        (get("GET /info", &[]), 2),
        (get("GET /containers/json?all=1", &["X-Field: kept"]), 2),
        (get("HEAD /containers/app/archive", &[]), 2),
        (get("GET /events", &[]), 2),
        // A body that nobody gets.
        (get("GET /info", &json) + "{}", 2),
        (get("GET /containers/app/attach/ws", &[]), 1),
        (get("GET /containers/app/attach/ws", &["Upgrade: websocket"]), 1),
        (get("POST /containers/app/stop", &[]), 1),
        (get("POST /containers/app/attach", &["Upgrade: tcp"]), 1),
        (get("POST /containers/create", &json) + "{}", 1),
        (get("DELETE /containers/app", &[]), 1),
        (get("PUT /x", &[]), 1),
        (get("OPTIONS /x", &[]), 1),
    ] {
        run(async {
            let stage = after_the_first(close()).start().await;
            let mut client = stage.client().await;
            client.send(get("GET /info", &[])).await;
            assert_eq!(client.answer().await.text(), "first");
            client.send(&request).await;
            let answer = client.answer_to(&request).await;
            // The fresh one dies too, and that is that.
            assert_eq!((answer.status, answer.closes()), (502, true), "{request}");
            let seen: Vec<_> =
                stage.reached().await.iter().flat_map(|it| it.requests.clone()).collect();
            assert_eq!(seen.len(), 1 + sent, "{request}");
            assert!(seen[1..].iter().all(|it| it.head == seen[1].head), "{seen:?}");
        });
    }
}

#[test]
fn a_read_that_is_asked_again_is_answered() {
    run(async {
        let asked = AtomicUsize::new(0);
        let stage = Setup::allowing_all()
            .script(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
                // A stream of its own, whose connection dies with the second request.
                1 | 4 => Reply::steps([Step::Close]),
                number => Reply::json("200 OK", &number.to_string()),
            })
            .start()
            .await;
        let mut client = stage.client().await;
        for want in ["0", "2", "3", "5"] {
            client.send(get("GET /info", &[])).await;
            assert_eq!(client.answer().await.text(), want);
        }
    });
}

#[test]
fn nothing_is_asked_again_once_an_answer_began_or_on_a_fresh_connection() {
    for begun in [
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    ] {
        run(async {
            let stage = after_the_first(Reply::raw(begun).then(Step::Close)).start().await;
            let mut client = stage.client().await;
            client.send(get("GET /info", &[])).await;
            assert_eq!(client.answer().await.text(), "first");
            client.send(get("GET /info", &[])).await;
            let answer = client.answer().await;
            assert!(answer.status == 502 || !answer.whole, "{begun:?}: {answer:?}");
            let reached = stage.reached().await;
            assert_eq!(
                reached.iter().map(|it| it.requests.len()).collect::<Vec<_>>(),
                [2],
                "{begun:?}"
            );
        });
    }
    run(async {
        let stage = Setup::allowing_all().reply(Reply::steps([Step::Close])).start().await;
        assert_eq!(stage.ask(get("GET /info", &[])).await.status, 502);
        assert_eq!(stage.reached().await.len(), 1);
    });
}

#[test]
fn an_engine_restart_is_survived() {
    run(async {
        let mut stage = Setup::allowing(&["GET .*"]).start().await;
        let mut client = stage.client().await;
        client.send(get("GET /info", &[])).await;
        assert_eq!(client.answer().await.status, 200);
        let mut stream = stage.client().await;
        stream.send(get("GET /events", &[])).await;
        stream.head().await;

        stage.engine.stop().await;
        assert!(stream.chunk().await.is_none(), "the stream must be cut, not ended");
        let socket = stage.engine.path().display().to_string();
        client.send(get("GET /info", &[])).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 502);
        assert!(answer.message().contains(&socket), "{}", answer.message());
        assert!(answer.closes());
        client.ends().await;

        stage.engine.listen().unwrap();
        assert_eq!(stage.ask(get("GET /info", &[])).await.status, 200);
    });
}

#[test]
fn many_quiet_streams_hold() {
    run(async {
        let gate = Gate::default();
        let reply = Reply::steps([
            Step::send(CHUNKED),
            Step::Wait(gate.clone()),
            Step::chunk("late"),
            Step::chunk(""),
        ]);
        let stage = Setup::allowing(&["GET /events"]).reply(reply).start().await;
        let mut clients = Vec::new();
        for _ in 0..100 {
            let mut client = stage.client().await;
            client.send(get("GET /events", &[])).await;
            client.head().await;
            clients.push(client);
        }
        assert_eq!(stage.engine.connections().len(), 100);
        for client in &mut clients {
            gate.open();
            assert_eq!(client.chunk().await.as_deref(), Some(&b"late"[..]));
        }
    });
}
