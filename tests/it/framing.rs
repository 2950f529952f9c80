//! Where a message begins and ends: what two readers could cut differently is refused, and the connection with it.

use sockwarden::bounds::Limits;

use crate::fake_engine::{Connection, Reply, Request};
use crate::support::{Answer, Setup, Stage, get, run, with_body};

const SMUGGLED: &str = "GET /info HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends these bytes with everything allowed; gives out every answer up to the end of the connection, and what the engine saw.
fn outcome(bytes: impl AsRef<[u8]>) -> (Vec<Answer>, Vec<Connection>) {
    run(async {
        let stage = Setup::allowing_all().start().await;
        let answers = answers(&stage, bytes.as_ref()).await;
        (answers, stage.reached().await)
    })
}

async fn answers(stage: &Stage, bytes: &[u8]) -> Vec<Answer> {
    let mut client = stage.client().await;
    client.send(bytes).await;
    let mut answers = vec![client.answer().await];
    while answers.last().is_some_and(|answer| !answer.closes()) {
        answers.push(client.answer().await);
    }
    client.ends().await;
    answers
}

/// One refusal, the end of the connection, and no word to the engine.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, status: u16) {
    let shown = String::from_utf8_lossy(bytes.as_ref()).chars().take(300).collect::<String>();
    let (answers, reached) = outcome(bytes);
    assert_eq!(answers.iter().map(|it| it.status).collect::<Vec<_>>(), [status], "{shown:?}");
    assert!(reached.is_empty(), "{shown:?} reached the engine: {reached:?}");
    assert!(answers[0].message().contains("(id "), "{:?}", answers[0].message());
}

/// A POST that everybody would allow, with these fields and this behind its head.
fn kill(fields: &str, behind: &str) -> String {
    format!(
        "POST /containers/app/kill HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{fields}\r\n{behind}"
    )
}

/// A11 and A12.
#[test]
fn lengths_that_two_readers_take_differently_are_refused() {
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: 2\r\nContent-Length: 5\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2, 2\r\n",
        "Content-Length: 2,5\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: 2 2\r\n",
        "Content-Length: \r\n",
        "Content-Length: 2.0\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 18446744073709551618\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
    ] {
        refused(kill(fields, &format!("0\r\n\r\n{SMUGGLED}")), 400);
    }
    // Any case and white space around it are the same to everybody.
    for field in ["transfer-encoding:CHUNKED", "Transfer-Encoding: \t chunked \t"] {
        let close = "Connection: close\r\n";
        let (answers, reached) =
            outcome(kill(&format!("{field}\r\n{close}"), "2\r\n{}\r\n0\r\n\r\n"));
        assert_eq!((answers[0].status, reached.len()), (204, 1), "{field}");
    }
}

#[test]
fn broken_heads_are_refused() {
    let ping = |fields: &str| format!("GET /_ping HTTP/1.1\r\n{fields}\r\n");
    for fields in [
        "",
        "Host: a\r\nHost: b\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\n : b\r\n",
        "Host: a\r\n: b\r\n",
        "Host : a\r\n",
        "Host: a\r\nX : b\r\n",
        "Host: a\r\nX\r\n",
        "Host: a\r\nX: b\r\n folded\r\n",
        "Host: a\r\n\tX: folded\r\n",
        " Host: a\r\n",
        "Host: a\r\nX: \0\r\n",
        "Host: a\r\nX\0: b\r\n",
        "Host: a\r\nX: b\nY: c\r\n",
        "Host: a\r\nX: b\rY: c\r\n",
        "Host: a\n",
        "Host: a\r\nX(: b\r\n",
        "Host: a\r\nX: \u{7f}\r\n",
    ] {
        refused(ping(fields), 400);
    }
    refused(ping(&format!("Host: a\r\nConnection: {}\r\n", "a, ".repeat(65))), 400);
    refused(ping(&format!("Host: a\r\n{}", "Connection: a\r\n".repeat(65))), 400);
    let (answers, _) =
        outcome(ping(&format!("Host: a\r\nConnection: {}close\r\n", ", ".repeat(9000))));
    assert_eq!(answers[0].status, 200);
    for head in [
        "GET /_ping HTTP/1.1\nHost: a\n\n",
        "GET /_ping HTTP/1.1\r\nHost: a\r\n\n",
        "GET /_ping HTTP/1.1\r\nHost: a\n\r\n",
        "\nGET /_ping HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\r\nGET /_ping HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  /_ping HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /_ping  HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/_ping\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /_ping x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /_ping\r\nHost: a\r\n\r\n",
        "GET /_ping HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET /_ping HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /_ping HTTP/0.9\r\nHost: a\r\n\r\n",
        "GET /_ping http/1.1\r\nHost: a\r\n\r\n",
        "GET /_ping HTTP/1.1 \r\nHost: a\r\n\r\n",
        "G\0T /_ping HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /_p\0ng HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        refused(format!("{head}{SMUGGLED}"), 400);
    }
    refused(b"GET /_ping HTTP/1.1\r\nHost: a\r\nX: \xff\x01\r\n\r\n", 400);
    refused(b"GET /_ping\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

/// Somebody who speaks another protocol waits for an answer, and gets one long before a head would have to be complete.
#[test]
fn other_protocols_are_answered_at_their_first_bytes() {
    run(async {
        let stage = Setup::allowing_all().start().await;
        for (first, says) in [
            (&b"\x16"[..], "DOCKER_TLS_VERIFY"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "began with TLS"),
            (b"PRI * HTTP/2.0\r\n", "HTTP/2"),
            (b"PRI *", "HTTP/2"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
            (b"SSH-", "`ssh://`"),
            (b"\x80\x2e\x01", "something else"),
            (b"\0", "something else"),
            (b"\xff", "something else"),
            (b" GET", "something else"),
            (b"\n", "something else"),
            (b"\rG", "something else"),
            (b"{\"a\":1}", "something else"),
            (b"\r\n\x16", "began with TLS"),
            (b"EHLO x\r\n", "request line"),
            (b"GET /_ping\r\n", "request line"),
            (b"GET /_ping HTTP/1.1 x\r\n", "request line"),
            (b"GET /_ping http/1.1\n", "request line"),
        ] {
            let shown = String::from_utf8_lossy(first);
            for behind_another in [false, true] {
                let mut client = stage.client().await;
                if behind_another {
                    client.send(get("GET /info", &[])).await;
                    assert_eq!(client.answer().await.status, 200);
                }
                // Less than the ten seconds that a head has.
                client.send(first).await;
                let answer = client.answer().await;
                assert_eq!((answer.status, answer.closes()), (400, true), "{shown:?}");
                assert!(answer.message().contains(says), "{shown:?}: {}", answer.message());
                client.ends().await;
            }
        }
        // What may still become a request is waited for.
        for pieces in [&["\r", "\nGE", "T /info HTT", "P/1.1\r", "\nHost: x\r\n\r\n"][..]] {
            let mut client = stage.client().await;
            for piece in pieces {
                client.send(piece).await;
            }
            assert_eq!(client.answer().await.status, 200);
        }
    });
}

/// A10.
#[test]
fn odd_methods_end_the_connection() {
    refused(format!("get /_ping HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"), 405);
    refused(format!("CONNECT x:80 HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"), 400);
    refused(format!("TRACE * HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"), 400);
    run(async {
        let stage = Setup::allowing(&["GET .*"]).start().await;
        for method in ["TRACE", "CONNECT"] {
            assert_eq!(stage.ask(get(&format!("{method} /_ping"), &[])).await.status, 405);
        }
        assert!(stage.reached().await.is_empty());
    });
}

/// Where the list allows one it is carried like any request, and nothing behind it is tunnelled, whatever the engine says.
#[test]
fn an_allowed_connect_opens_no_tunnel() {
    run(async {
        for status in ["404 Not Found", "200 OK"] {
            let reply = Reply::json(status, "{}");
            let stage = Setup::allowing(&["CONNECT /x"]).reply(reply).start().await;
            let mut client = stage.client().await;
            client.send(get("CONNECT /x", &["Connection: close"]) + SMUGGLED).await;
            let rest = String::from_utf8(client.rest().await).unwrap();
            assert!(rest.matches("HTTP/1.1").count() < 2, "{rest}");
            assert!(status != "404 Not Found" || rest.starts_with("HTTP/1.1 404"), "{rest}");
            let reached = stage.reached().await;
            assert_eq!(reached.len(), 1);
            assert_eq!(reached[0].raw, reached[0].requests[0].head.as_bytes());
        }
    });
}

#[test]
fn heads_have_limits() {
    let fields = |many: usize| format!("X-Field: {}\r\n", "y".repeat(50)).repeat(many);
    let head = |fields: &str| {
        format!("GET /_ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n")
    };
    let (answers, _) = outcome(head(&fields(98)));
    assert_eq!(answers[0].status, 200);
    refused(head(&fields(99)), 431);
    refused(head(&fields(900)), 431);
    let padded = |length: usize| {
        let bare = head("X: \r\n").len();
        head(&format!("X: {}\r\n", "y".repeat(length - bare)))
    };
    let (answers, _) = outcome(padded(64 * 1024));
    assert_eq!(answers[0].status, 200);
    refused(padded(64 * 1024 + 1), 431);
    refused(format!("GET /{} HTTP/1.1\r\n", "y".repeat(300 * 1024)), 431);
}

/// What counts is the length of what would be sent on.
#[test]
fn targets_have_a_limit_of_their_own() {
    let raised = |limits: &mut Limits| limits.head_bytes = 256 * 1024;
    let target = |byte: &str, many: usize| {
        format!("GET /{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", byte.repeat(many))
    };
    for (byte, many) in [("y", 65_533), ("\"", 21_844)] {
        for (many, status, reaches) in [(many, 404, 1), (many + 1, 414, 0)] {
            run(async {
                let setup = Setup::allowing_all().with(|config| raised(&mut config.limits));
                let stage = setup.start().await;
                let answers = answers(&stage, target(byte, many).as_bytes()).await;
                assert_eq!(answers[0].status, status, "{many} times {byte}");
                assert_eq!(stage.reached().await.len(), reaches, "{many} times {byte}");
            });
        }
    }
}

#[test]
fn broken_chunks_never_complete_a_body() {
    for body in [
        "2\n{}\n0\n\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}\r\n0\n\n",
        "2\r\n{}\r\n0\r\n\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n",
        "2\r\n{}x\r\n0\r\n\r\n",
        "2;\n\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff2\r\n{}\r\n0\r\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "g\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: \n\r\n\r\n",
    ] {
        // Nobody reads this one but us.
        refused(kill("Transfer-Encoding: chunked\r\n", &format!("{body}{SMUGGLED}")), 400);
        // This one may be on its way before it breaks; the engine must see it break as well.
        let create = get("POST /containers/create", &["Transfer-Encoding: chunked"]);
        run(async {
            let stage = Setup::allowing_all().start().await;
            let answers = answers(&stage, format!("{create}{body}{SMUGGLED}").as_bytes()).await;
            let statuses: Vec<_> = answers.iter().map(|it| it.status).collect();
            assert_eq!(statuses, [400], "{body:?} {}", answers[0].text());
            for connection in stage.engine.until_all_closed().await {
                assert!(connection.requests.len() < 2, "{body:?} {connection:?}");
                assert!(
                    connection.requests.iter().all(|it| !it.complete),
                    "{body:?} {connection:?}"
                );
            }
        });
    }
    let long = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(2000));
    refused(kill("Transfer-Encoding: chunked\r\n", &long), 400);
    let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(2000));
    refused(kill("Transfer-Encoding: chunked\r\n", &trailers), 400);
}

#[test]
fn expectations_are_met_or_refused() {
    let expect = |value: &str| {
        let fields = format!("Expect: {value}\r\nContent-Length: 2\r\nConnection: close\r\n");
        format!("POST /containers/create HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
    };
    refused(expect("200-ok"), 417);
    refused(expect("100-continue, x"), 417);
    run(async {
        // D11: the body is asked for once it is allowed, and never when it is not.
        let stage = Setup::allowing(&["POST /containers/create"]).start().await;
        let mut client = stage.client().await;
        client.send(expect("100-Continue")).await;
        assert_eq!(client.answer().await.status, 100);
        client.send("{}").await;
        assert_eq!(client.answer().await.status, 201);
        client.ends().await;
        let seen = stage.reached().await.remove(0).requests.remove(0);
        assert_eq!((seen.field("Expect"), seen.body.as_slice()), (None, &b"{}"[..]));

        let stage = Setup::allowing(&["POST /info"]).start().await;
        let mut client = stage.client().await;
        client.send(expect("100-continue")).await;
        assert_eq!(client.answer().await.status, 403);
        client.ends().await;
        assert!(stage.reached().await.is_empty());
    });
}

#[test]
fn pipelined_requests_are_judged_one_by_one() {
    run(async {
        let stage = Setup::allowing(&["GET /(info|version)"]).start().await;
        let mut client = stage.client().await;
        let requests = ["GET /info", "POST /containers/create", "GET /info?x=2", "GET /events"];
        client.send(requests.map(|line| get(line, &[])).concat()).await;
        for want in [200, 405, 200, 403] {
            assert_eq!(client.answer().await.status, want);
        }
        let lines = stage.engine.lines();
        assert_eq!(lines, ["GET /info", "GET /info?x=2"]);
        assert_eq!(stage.reached().await.len(), 1);
    });
    // A refused request whose body nobody reads ends the connection instead.
    let create = with_body("POST /containers/create", "application/json", "{}");
    run(async {
        let stage = Setup::allowing(&["GET /info"]).start().await;
        let all = answers(&stage, (get("GET /info", &[]) + &create + SMUGGLED).as_bytes()).await;
        assert_eq!(all.iter().map(|it| it.status).collect::<Vec<_>>(), [200, 405]);
        assert_eq!(stage.reached().await[0].requests.len(), 1);
    });
}

#[test]
fn bytes_may_come_one_by_one() {
    let create =
        "POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = format!(
        "\r\n{create}2;a=\"b\"\r\n{{}}\r\n00A\r\n          \r\n0\r\nX-Trailer: y\r\n\r\n{SMUGGLED}"
    );
    run(async {
        let stage = Setup::allowing_all().start().await;
        let mut client = stage.client().await;
        for byte in bytes.bytes() {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.answer().await.status, 201);
        assert_eq!(client.answer().await.status, 200);
        let seen = stage.reached().await.remove(0).requests;
        assert_eq!(
            seen.iter().map(Request::line).collect::<Vec<_>>(),
            ["POST /containers/create", "GET /info"]
        );
        assert_eq!(String::from_utf8_lossy(&seen[0].body), "{}");
    });
}

/// RFC 9112 section 2.2.
#[test]
fn an_empty_line_in_front_of_a_request_is_ignored() {
    let (answers, reached) =
        outcome("\r\n\r\nGET /info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!((answers[0].status, reached.len()), (200, 1));
    let two = format!("{}\r\n{}", get("GET /info", &[]), get("GET /info", &["Connection: close"]));
    let (answers, reached) = outcome(two);
    assert_eq!((answers.len(), reached[0].requests.len()), (2, 2));
}

#[test]
fn http_1_0_is_answered_and_closed() {
    run(async {
        for fields in ["", "Connection: close\r\n", "Host: a\r\n", "TE: trailers\r\n"] {
            let stage = Setup::allowing_all().start().await;
            let mut client = stage.client().await;
            client.send(format!("GET /info HTTP/1.0\r\n{fields}\r\n{SMUGGLED}")).await;
            let answer = client.answer().await;
            assert!(answer.head.starts_with("HTTP/1.0 200 OK\r\n"), "{}", answer.head);
            client.ends().await;
            assert_eq!(stage.reached().await[0].requests.len(), 1);
        }
    });
    refused(
        "POST /containers/app/kill HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    );
}

#[test]
fn a_head_or_a_body_that_ends_early_is_no_request() {
    run(async {
        let stage = Setup::allowing_all().start().await;
        let mut client = stage.client().await;
        client.send("GET /info HTTP/1.1\r\nHost: a\r\n").await;
        client.end_writing().await;
        assert_eq!(client.answer().await.status, 400);
        client.ends().await;
        assert!(stage.reached().await.is_empty());

        let mut client = stage.client().await;
        client.send(kill("Content-Length: 10\r\n", "{}")).await;
        client.end_writing().await;
        assert_eq!(client.answer().await.status, 400);
        client.ends().await;
        assert!(stage.reached().await.is_empty());

        let mut client = stage.client().await;
        client
            .send("POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{}")
            .await;
        client.end_writing().await;
        assert_eq!(client.answer().await.status, 400);
        client.ends().await;
        let reached = stage.engine.until_all_closed().await;
        let mut requests = reached.iter().flat_map(|it| &it.requests);
        assert!(requests.all(|it| it.method() == "GET" || !it.complete), "{reached:?}");
    });
}
