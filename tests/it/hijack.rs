//! Connections that leave HTTP: only where the list allows it, only when the engine says so, and then byte for byte.

use crate::fake_engine::{Connection, Gate, RAW_STREAM, Reply, Step, UPGRADED};
use crate::support::{Client, Setup, Stage, get, run, with_body};

const ATTACH: &str = "POST /v1.41/containers/app/attach?stream=1&stdin=1&stdout=1";
const EXEC: &str = "POST /v1.41/exec/e1/start";
const CREATE: &str = "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n{\"HostConfig\":{\"Privileged\":true}}";
const H2_PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The fields of the docker CLI.
const UPGRADE: &[&str] = &["Connection: Upgrade", "Upgrade: tcp"];

fn exec(body: &str, fields: &[&str]) -> String {
    let length = format!("Content-Length: {}", body.len());
    let mut all = vec!["Content-Type: application/json", &length];
    all.extend(fields);
    get(EXEC, &all) + body
}

fn then_echo(head: &str) -> Reply {
    Reply::steps([Step::send(head), Step::Echo, Step::Close])
}

/// Opens a tunnel, sends through it both ways, ends it from the client's side, and gives out what the engine saw.
async fn round_trip(stage: &Stage, request: &str, want_head: &str) -> Connection {
    let mut client = stage.client().await;
    client.send(request).await;
    let head = client.head().await;
    assert_eq!(head, want_head, "{request}");
    client.send("in").await;
    assert_eq!(client.up_to(2).await, b"in", "{request}");
    client.send("GET /info HTTP/1.1\r\n\r\n").await;
    client.end_writing().await;
    assert_eq!(client.rest().await, b"GET /info HTTP/1.1\r\n\r\n", "{request}");
    let mut seen = stage.engine.until_all_closed().await;
    let seen = seen.pop().unwrap();
    assert_eq!(seen.requests.len(), 1, "{request}");
    assert_eq!(seen.tunnel, b"inGET /info HTTP/1.1\r\n\r\n", "{request}");
    seen
}

/// D01 and facts 4.1: with and without `Upgrade`, with and without a body.
#[test]
fn attach_and_exec_carry_bytes_both_ways() {
    let upgraded = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    let of_cli = ["Content-Type: text/plain", "Connection: Upgrade", "Upgrade: tcp"];
    for (request, head) in [
        (get(ATTACH, UPGRADE), upgraded),
        (get(ATTACH, &of_cli), upgraded),
        (get(ATTACH, &["Upgrade: anything"]), upgraded),
        (get(ATTACH, &["connection: keep-alive, upgrade", "UPGRADE: TCP"]), upgraded),
        (get(ATTACH, &["Connection: Upgrade", "Upgrade: tcp", "Content-Length: 0"]), upgraded),
        (exec("{\"Detach\":false,\"Tty\":true}", UPGRADE), upgraded),
        (exec("{}", &["Upgrade: tcp"]), upgraded),
        (get(EXEC, UPGRADE), upgraded),
        (get(ATTACH, &[]), RAW_STREAM),
        (get(ATTACH, &["Content-Type: text/plain"]), RAW_STREAM),
        (get(ATTACH, &["Connection: Upgrade"]), RAW_STREAM),
        (with_body(ATTACH, "application/json", "{}"), RAW_STREAM),
        (exec("{\"Detach\":false}", &[]), RAW_STREAM),
        (get(EXEC, &[]), RAW_STREAM),
    ] {
        run(async {
            let stage = Setup::allowing(&["POST /v1.41/(containers|exec)/.*"]).start().await;
            let seen = round_trip(&stage, &request, head).await;
            let wanted = (head == upgraded).then_some("tcp");
            assert_eq!(seen.requests[0].field("Upgrade"), wanted, "{request}");
            assert_eq!(
                seen.requests[0].field("Connection"),
                wanted.map(|_| "Upgrade"),
                "{request}"
            );
        });
    }
    // The chunked form of old clients.
    run(async {
        let stage = Setup::allowing(&["POST .*"]).start().await;
        let fields =
            ["Content-Type: application/json", "Transfer-Encoding: chunked", "Upgrade: tcp"];
        let request = get(EXEC, &fields) + "2\r\n{}\r\n0\r\n\r\n";
        let seen = round_trip(&stage, &request, upgraded).await;
        assert_eq!(seen.requests[0].body, b"{}");
    });
}

#[test]
fn the_fields_of_the_engine_travel_with_its_101() {
    run(async {
        let head = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: 1.51\r\nServer: Docker/28\r\nKeep-Alive: x\r\n\r\nfirst";
        let stage =
            Setup::allowing(&["POST .*"]).reply(Reply::raw(head).then(Step::Close)).start().await;
        let mut client = stage.client().await;
        client.send(exec("{}", UPGRADE)).await;
        let head = client.head().await;
        let mut lines: Vec<_> = head.lines().collect();
        lines[1..].sort_unstable();
        let want = [
            "HTTP/1.1 101 UPGRADED",
            "",
            "Api-Version: 1.51",
            "Connection: Upgrade",
            "Content-Type: application/vnd.docker.multiplexed-stream",
            "Server: Docker/28",
            "Upgrade: tcp",
        ];
        assert_eq!(lines, want);
        assert_eq!(client.rest().await, b"first");
    });
}

/// D02: nothing leaves HTTP, so nothing behind the request is tunnelled, nor read as what it is not.
#[test]
fn a_detached_exec_opens_no_tunnel() {
    run(async {
        let stage = Setup::allowing(&["POST /exec/.*"]).start().await;
        let mut client = stage.client().await;
        let length = "Content-Length: 15";
        let start =
            get("POST /exec/detached/start", &["Upgrade: tcp", "Connection: Upgrade", length]);
        client.send(format!("{start}{{\"Detach\":true}}{CREATE}")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (200, true));
        client.ends().await;
        let reached = stage.reached().await;
        assert_eq!(reached.len(), 1);
        assert_eq!(reached[0].requests.len(), 1, "{reached:#?}");
        assert!(!String::from_utf8_lossy(&reached[0].raw).contains("Privileged"));
    });
}

/// D03.
#[test]
fn an_attach_that_the_engine_refuses_opens_no_tunnel() {
    run(async {
        for fields in [UPGRADE, &[]] {
            let stage = Setup::allowing(&["POST /containers/.*/attach"]).start().await;
            let mut client = stage.client().await;
            client.send(get("POST /containers/other/attach", fields) + CREATE).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.text()), (404, "No such container\r\n".to_owned()));
            if answer.closes() {
                client.ends().await;
            } else {
                // Without `Upgrade` nothing was meant for a tunnel: the next request is one, and judged.
                assert_eq!(client.answer().await.status, 403);
            }
            let lines = stage.engine.lines();
            assert_eq!(lines, ["POST /containers/other/attach"]);
        }
    });
}

/// D04: bytes that come along with the request are stdin, if the engine says so, and never a request.
#[test]
fn early_bytes_are_delivered_and_never_parsed() {
    run(async {
        for fields in [UPGRADE, &[]] {
            let stage = Setup::allowing(&["POST .*/attach.*", "GET .*"]).start().await;
            let mut client = stage.client().await;
            let early = "GET /info HTTP/1.1\r\nHost: x\r\n\r\n";
            client.send(get(ATTACH, fields) + early).await;
            client.head().await;
            client.send("late").await;
            client.end_writing().await;
            assert_eq!(client.rest().await, format!("{early}late").as_bytes());
            let seen = stage.engine.until_all_closed().await;
            assert_eq!(seen.len(), 1);
            assert_eq!((seen[0].requests.len(), seen[0].tunnel.len()), (1, early.len() + 4));
        }
    });
}

/// The same behind a body, and while the engine thinks.
#[test]
fn early_bytes_wait_for_the_answer() {
    run(async {
        let gate = Gate::default();
        let reply =
            Reply::steps([Step::Wait(gate.clone()), Step::send(UPGRADED), Step::Echo, Step::Close]);
        let stage = Setup::allowing(&["POST .*"]).reply(reply).start().await;
        let mut client = stage.client().await;
        client.send(exec("{}", UPGRADE) + "early\n" + CREATE).await;
        let sent =
            |all: &[Connection]| all.iter().any(|it| it.requests.iter().any(|it| it.complete));
        let seen = stage.engine.until("the request", sent).await;
        assert!(seen[0].raw.ends_with(b"{}"), "{seen:?}");
        gate.open();
        client.head().await;
        assert_eq!(client.up_to(6 + CREATE.len()).await, format!("early\n{CREATE}").as_bytes());
        client.end_writing().await;
        client.ends().await;
        assert_eq!(stage.engine.until_all_closed().await[0].requests.len(), 1);
    });
}

/// Facts 4.2 and 4.3.
#[test]
fn websockets_and_h2c_are_carried_where_they_are_allowed() {
    let ws = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
    let ws_out = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let h2c = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let handshake: &[&str] = &[
        "Connection: Upgrade",
        "Upgrade: WebSocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==",
        "Sec-WebSocket-Version: 13",
    ];
    let session: &[&str] = &[
        "Connection: Upgrade",
        "Upgrade: h2c",
        "X-Docker-Expose-Session-Uuid: u",
        "X-Docker-Expose-Session-Grpc-Method: /a/b",
        "X-Docker-Expose-Session-Grpc-Method: /c/d",
    ];
    run(async {
        for (line, fields, head, out) in [
            ("GET /containers/app/attach/ws?stream=1", handshake, ws, ws_out),
            ("GET /v1.51/containers/app/attach/ws", handshake, ws, ws_out),
            ("POST /session", session, h2c, h2c),
            ("POST /v1.51/session", session, h2c, h2c),
            ("POST /grpc", &session[..2], h2c, h2c),
            ("POST /v1.41/grpc", &session[..2], h2c, h2c),
        ] {
            let rules =
                [r"GET (/v[\d.]+)?/containers/app/attach/ws", r"POST (/v[\d.]+)?/(session|grpc)"];
            let stage = Setup::allowing(&rules).reply(then_echo(head)).start().await;
            let seen = round_trip(&stage, &get(line, fields), out).await.requests.remove(0);
            assert_eq!(seen.line(), line);
            for field in &fields[2..] {
                let (name, value) = field.split_once(": ").unwrap();
                assert!(seen.all(name).contains(&value), "{field} in {seen:?}");
            }
            let token = if fields == handshake { "websocket" } else { "h2c" };
            assert_eq!(seen.all("Upgrade"), [token]);
        }
    });
}

/// On `/session` the daemon speaks first, along with its 101.
#[test]
fn the_first_bytes_of_the_engine_are_not_lost() {
    run(async {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n{H2_PREFACE}"
        );
        let stage = Setup::allowing(&["POST /session"]).reply(then_echo(&head)).start().await;
        let mut client = stage.client().await;
        client.send(get("POST /session", &["Connection: Upgrade", "Upgrade: h2c"])).await;
        client.head().await;
        assert_eq!(client.up_to(H2_PREFACE.len()).await, H2_PREFACE.as_bytes());
        client.send("settings").await;
        assert_eq!(client.up_to(8).await, b"settings");
    });
}

/// D06, and the rest of what could open a tunnel.
#[test]
fn nothing_is_tunnelled_that_the_list_does_not_allow() {
    run(async {
        let stage = Setup::allowing(&["GET /containers/[^/]+/json", "POST /build"]).start().await;
        let h2c =
            &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"];
        for (line, fields) in [
            ("POST /session", &h2c[..]),
            ("POST /v1.51/session", h2c),
            ("POST /grpc", h2c),
            (ATTACH, UPGRADE),
            (EXEC, UPGRADE),
            ("GET /containers/app/attach/ws", UPGRADE),
            ("POST /anything", &["Content-Type: application/grpc"]),
        ] {
            let mut client = stage.client().await;
            client.send(get(line, fields) + H2_PREFACE).await;
            let answer = client.answer().await;
            assert_eq!(answer.status, 403, "{line}");
            if !answer.closes() {
                // No tunnel was meant, so what follows is read as a request, which it is not.
                assert_eq!(client.answer().await.status, 400, "{line}");
            }
            client.ends().await;
        }
        assert!(stage.reached().await.is_empty());
    });
}

/// A13: what cannot leave HTTP does not, whatever the client asks for, and the next request is judged.
#[test]
fn upgrades_of_ordinary_operations_are_ignored() {
    run(async {
        for fields in [
            UPGRADE,
            &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
        ] {
            let stage = Setup::allowing(&["GET /_ping", "POST /containers/app/.*"]).start().await;
            let mut client = stage.client().await;
            let kill = get("POST /containers/app/kill", fields);
            client.send(get("GET /_ping", fields) + &kill + CREATE).await;
            assert_eq!(client.answer().await.status, 200);
            assert_eq!(client.answer().await.status, 204);
            assert_eq!(client.answer().await.status, 403);
            client.ends().await;
            let seen = stage.reached().await.remove(0).requests;
            assert_eq!(seen.len(), 2, "{seen:?}");
            for name in ["Upgrade", "Connection", "HTTP2-Settings"] {
                assert!(seen.iter().all(|it| it.field(name).is_none()), "{seen:?}");
            }
        }
    });
}

/// An engine, or something in its place, that changes protocols by itself.
#[test]
fn a_101_that_nobody_asked_for_is_an_engine_failure() {
    run(async {
        for request in
            [get("GET /info", &[]), get("GET /info", UPGRADE), get(ATTACH, &[]), exec("{}", &[])]
        {
            let stage = Setup::allowing_all().reply(then_echo(UPGRADED)).start().await;
            let mut client = stage.client().await;
            client.send(request.clone() + CREATE).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.closes()), (502, true), "{request}");
            client.ends().await;
            let seen = stage.engine.until_all_closed().await;
            assert_eq!((seen.len(), seen[0].tunnel.len()), (1, 0), "{request}");
        }
    });
}

/// `logs` uses the same content types with a length or chunks, and other operations never leave HTTP.
#[test]
fn a_raw_stream_with_a_length_is_an_answer() {
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let length = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nContent-Length: 2\r\n\r\nhi";
    let until_close = format!("{RAW_STREAM}hi");
    run(async {
        for (line, head) in [
            ("GET /containers/app/logs", chunked),
            ("GET /containers/app/logs", length),
            (ATTACH, chunked),
            (ATTACH, length),
            ("GET /containers/app/logs", &until_close),
        ] {
            let reply = Reply::raw(head);
            let reply = if head == until_close { reply.then(Step::Close) } else { reply };
            let stage = Setup::allowing(&["GET .*", "POST .*/attach"]).reply(reply).start().await;
            let mut client = stage.client().await;
            client.send(get(line, &[]) + CREATE).await;
            let answer = client.answer().await;
            assert_eq!((answer.text().as_str(), answer.whole), ("hi", true), "{line} {head}");
            assert_eq!(client.answer().await.status, 403, "{line} {head}");
            assert_eq!(stage.reached().await[0].requests.len(), 1);
        }
    });
}

/// `echo hi | docker run -i`: the end of stdin travels, and output goes on behind it.
#[test]
fn each_direction_ends_on_its_own() {
    run(async {
        for head in [UPGRADED, RAW_STREAM] {
            let gate = Gate::default();
            let reply = Reply::steps([
                Step::send(head),
                Step::ReadToEnd,
                Step::send("out"),
                Step::Wait(gate.clone()),
                Step::send("put"),
                Step::EndWriting,
                Step::Close,
            ]);
            let stage = Setup::allowing(&["POST .*"]).reply(reply).start().await;
            let mut client = stage.client().await;
            client.send(get(ATTACH, if head == UPGRADED { UPGRADE } else { &[] })).await;
            client.head().await;
            client.send("hi").await;
            client.end_writing().await;
            assert_eq!(client.up_to(3).await, b"out");
            let seen = stage.engine.until("the end of stdin", |all| all[0].ended).await;
            assert_eq!(seen[0].tunnel, b"hi");
            assert!(!seen[0].closed);
            gate.open();
            assert_eq!(client.rest().await, b"put");
            stage.engine.until_all_closed().await;
        }
    });
}

/// The engine ends first: the client reads what is left and sees the end, and then ends its own direction.
#[test]
fn an_end_of_the_engine_reaches_the_client() {
    run(async {
        for head in [UPGRADED, RAW_STREAM] {
            let reply = Reply::steps([
                Step::send(head),
                Step::send("bye"),
                Step::EndWriting,
                Step::Silence,
            ]);
            let stage = Setup::allowing(&["POST .*"]).reply(reply).start().await;
            let mut client = stage.client().await;
            client.send(get(ATTACH, if head == UPGRADED { UPGRADE } else { &[] })).await;
            client.head().await;
            assert_eq!(client.rest().await, b"bye");
            drop(client);
            stage.engine.until_all_closed().await;
        }
    });
}

/// The daemon ends its direction and may still listen: what the client sends then arrives, and so does its end.
#[test]
fn bytes_arrive_after_the_engine_ended_its_direction() {
    run(async {
        for head in [UPGRADED, RAW_STREAM] {
            let reply = Reply::steps([
                Step::send(head),
                Step::send("bye"),
                Step::EndWriting,
                Step::ReadToEnd,
                Step::Close,
            ]);
            let stage = Setup::allowing(&["POST .*"]).reply(reply).start().await;
            let mut client = stage.client().await;
            client.send(get(ATTACH, if head == UPGRADED { UPGRADE } else { &[] })).await;
            client.head().await;
            assert_eq!(client.rest().await, b"bye");
            for (sent, seen) in [("late", "late"), (" and later", "late and later")] {
                client.send(sent).await;
                let arrived = |all: &[Connection]| all[0].tunnel == seen.as_bytes();
                let seen = stage.engine.until("the late bytes", arrived).await;
                assert!(!seen[0].ended && !seen[0].closed);
            }
            client.end_writing().await;
            let seen = stage.engine.until_all_closed().await;
            assert_eq!((seen[0].tunnel.as_slice(), seen[0].ended), (&b"late and later"[..], true));
        }
    });
}

/// An engine that is gone altogether listens to nobody, so a client that stays is let go.
#[test]
fn a_silent_client_does_not_outlive_the_engine() {
    run(async {
        for unix in [false, true] {
            let (stage, mut client) =
                attached(UPGRADE, unix, &[Step::send("bye"), Step::Close]).await;
            assert_eq!(client.rest().await, b"bye");
            // Until it is let go, what it sends is taken.
            let gone = async {
                while client.try_send("x").await.is_ok() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(crate::fake_engine::PATIENCE, gone).await.unwrap();
            drop(stage);
        }
    });
}

/// Podman's own attach and exec leave HTTP as Docker's do, and nothing else of its own does.
#[test]
fn podmans_own_attach_and_exec_are_tunnelled() {
    run(async {
        for (line, body) in [
            ("POST /v4.3.1/libpod/containers/app/attach?stdin=true", ""),
            ("POST /libpod/containers/app/attach", ""),
            ("POST /v5.0.0/libpod/exec/e1/start", r#"{"Detach":false}"#),
        ] {
            let length = format!("Content-Length: {}", body.len());
            for (fields, head) in [(UPGRADE, UPGRADED), (&[], RAW_STREAM)] {
                let fields = [fields, &[length.as_str()]].concat();
                let stage = Setup::allowing(&["POST .*"]).reply(then_echo(head)).start().await;
                let seen = round_trip(&stage, &(get(line, &fields) + body), head).await;
                let wanted = (head == UPGRADED).then_some("tcp");
                assert_eq!(seen.requests[0].field("Upgrade"), wanted, "{line}");
                assert_eq!(seen.requests[0].body, body.as_bytes(), "{line}");
            }
        }
        for line in [
            "POST /libpod/containers/app/start",
            "POST /libpod/containers/a/b/attach",
            "GET /libpod/containers/app/attach",
            "POST /libpod/exec/e1/resize",
            "POST /libpod/containers/attach",
            "POST /x/libpod/containers/app/attach",
            "POST /libpod/pods/app/attach",
            "POST /Libpod/containers/app/attach",
        ] {
            let stage = Setup::allowing_all().reply(then_echo(UPGRADED)).start().await;
            let mut client = stage.client().await;
            client.send(get(line, UPGRADE) + CREATE).await;
            assert_eq!(client.answer().await.status, 502, "{line}");
            client.ends().await;
            let seen = stage.engine.until_all_closed().await;
            assert_eq!((seen.len(), seen[0].tunnel.len()), (1, 0), "{line}");
            assert_eq!(seen[0].requests[0].field("Upgrade"), None, "{line}");
        }
        // The list decides, as everywhere, and what did not become a tunnel is no request.
        let stage = Setup::allowing(&["POST /libpod/exec/.*"]).start().await;
        let mut client = stage.client().await;
        client.send(get("POST /libpod/containers/app/attach", UPGRADE) + CREATE).await;
        assert_eq!(client.answer().await.status, 403);
        client.ends().await;
        let mut client = stage.client().await;
        client.send(get("POST /libpod/exec/none/start", UPGRADE) + CREATE).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (404, true));
        client.ends().await;
        assert_eq!(stage.engine.lines(), ["POST /libpod/exec/none/start"]);
    });
}

#[test]
fn a_mebibyte_passes_unchanged_both_ways() {
    let number = |n: u32| n.wrapping_mul(2_654_435_761).to_be_bytes();
    let bytes: Vec<u8> = (0..262_144).flat_map(number).collect();
    run(async {
        for fields in [UPGRADE, &[]] {
            let stage = Setup::allowing(&["POST .*"]).start().await;
            let mut client = stage.client().await;
            client.send(get(ATTACH, fields)).await;
            client.head().await;
            assert!(client.exchange(&bytes, bytes.len()).await == bytes);
            client.end_writing().await;
            client.ends().await;
            assert!(stage.engine.until_all_closed().await[0].tunnel == bytes);
        }
    });
}

async fn attached(fields: &[&str], unix: bool, behind: &[Step]) -> (Stage, Client) {
    let head = if fields.is_empty() { RAW_STREAM } else { UPGRADED };
    let reply = behind.iter().cloned().fold(Reply::raw(head), Reply::then);
    let setup = Setup::allowing(&["POST .*"]).reply(reply);
    let setup = if unix { setup.on_unix_socket(0o600) } else { setup };
    let stage = setup.start().await;
    let mut client = stage.client().await;
    client.send(get(ATTACH, fields)).await;
    client.head().await;
    (stage, client)
}

/// A killed client is the end of stdin first: over TCP nobody can tell it from `echo hi |`. The first byte that finds nobody there does.
#[test]
fn a_client_that_was_killed_frees_the_engine() {
    run(async {
        for fields in [UPGRADE, &[]] {
            let steps = [Step::ReadToEnd, Step::send("out"), Step::Silence];
            let (stage, client) = attached(fields, false, &steps).await;
            drop(client);
            stage.engine.until_all_closed().await;
            // The kernel tells more about a Unix socket.
            let (stage, client) = attached(fields, true, &[Step::Silence]).await;
            drop(client);
            stage.engine.until_all_closed().await;
        }
    });
}

#[test]
fn an_engine_that_dies_ends_the_stream() {
    run(async {
        for (fields, unix) in [(UPGRADE, false), (&[], false), (UPGRADE, true), (&[], true)] {
            let (mut stage, mut client) = attached(fields, unix, &[Step::Silence]).await;
            stage.engine.stop().await;
            client.ends().await;
        }
    });
}
