//! Clients that go away: the engine's connection ends with theirs, which is how the daemon learns to cancel.

use crate::fake_engine::{CHUNKED, Connection, Gate, Reply, Step};
use crate::support::{Client, Setup, Stage, get, run};

/// Starts a request that the engine has seen, on TCP or on a Unix socket.
async fn asked(reply: Reply, request: &str, unix: bool) -> (Stage, Client) {
    let setup = Setup::allowing(&["GET .*", "POST .*"]).reply(reply);
    let setup = if unix { setup.on_unix_socket(0o600) } else { setup };
    let stage = setup.start().await;
    let mut client = stage.client().await;
    client.send(request).await;
    let seen = |all: &[Connection]| all.iter().any(|it| !it.requests.is_empty());
    stage.engine.until("the request", seen).await;
    (stage, client)
}

#[test]
fn a_client_that_goes_away_while_it_waits_cancels_its_request() {
    run(async {
        let check = async |unix| {
            let (stage, client) =
                asked(Reply::steps([Step::Silence]), &get("GET /info", &[]), unix).await;
            drop(client);
            stage.engine.until_all_closed().await;
        };
        tokio::join!(check(false), check(true));
    });
}

#[test]
fn a_client_that_goes_away_inside_a_stream_cancels_it() {
    run(async {
        let check = async |unix| {
            let reply = Reply::steps([Step::send(CHUNKED), Step::chunk("{}"), Step::Silence]);
            let (stage, mut client) = asked(reply, &get("GET /events", &[]), unix).await;
            client.head().await;
            client.chunk().await.unwrap();
            drop(client);
            stage.engine.until_all_closed().await;
        };
        tokio::join!(check(false), check(true));
    });
}

/// A client that does not even read what is on its way.
#[test]
fn a_client_that_goes_away_with_bytes_unread_cancels_its_stream() {
    run(async {
        let many = vec![b'x'; 1 << 20];
        let reply = Reply::steps([
            Step::send(CHUNKED),
            Step::chunk(&many),
            Step::chunk(&many),
            Step::Silence,
        ]);
        let (stage, mut client) = asked(reply, &get("GET /events", &[]), false).await;
        client.head().await;
        drop(client);
        stage.engine.until_all_closed().await;
    });
}

#[test]
fn a_client_that_goes_away_inside_its_body_cancels_its_request() {
    run(async {
        for unix in [false, true] {
            for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
                let request = get("POST /images/load", &[framing]) + "5\r\nfirst\r\n";
                let (stage, client) = asked(Reply::steps([]), &request, unix).await;
                drop(client);
                let seen = stage.engine.until_all_closed().await;
                assert!(seen.iter().flat_map(|it| &it.requests).all(|it| !it.complete), "{seen:?}");
            }
        }
    });
}

/// The request behind the one that is being carried dies with it.
#[test]
fn a_pipelined_request_dies_with_its_client() {
    run(async {
        let two = get("GET /info", &[]) + &get("POST /containers/app/kill", &[]);
        let (stage, client) = asked(Reply::steps([Step::Silence]), &two, false).await;
        drop(client);
        let seen = stage.engine.until_all_closed().await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].requests.len(), 1);
    });
}

/// `printf … | nc -N`.
#[test]
fn a_client_that_only_ended_its_direction_gets_its_answers() {
    run(async {
        for unix in [false, true] {
            let setup = Setup::allowing(&["GET .*", "POST .*"]);
            let setup = if unix { setup.on_unix_socket(0o600) } else { setup };
            let stage = setup.start().await;
            let mut client = stage.client().await;
            let body = get("POST /containers/create", &["Content-Length: 2"]) + "{}";
            client.send(get("GET /info", &[]) + &body).await;
            client.end_writing().await;
            assert_eq!(client.answer().await.status, 200);
            assert_eq!(client.answer().await.status, 201);
            client.ends().await;
            stage.engine.until_all_closed().await;
        }
    });
}

/// It goes on for as long as something comes.
#[test]
fn a_client_that_only_ended_its_direction_may_follow_a_stream() {
    run(async {
        let gate = Gate::default();
        let reply = Reply::steps([
            Step::Wait(gate.clone()),
            Step::send(CHUNKED),
            Step::Wait(gate.clone()),
            Step::chunk("{}"),
            Step::Silence,
        ]);
        let (stage, mut client) = asked(reply, &get("GET /events", &[]), false).await;
        client.end_writing().await;
        gate.open();
        client.head().await;
        gate.open();
        assert_eq!(client.chunk().await.unwrap(), b"{}");
        // Nothing more comes, so it is taken for a client that was killed.
        assert!(client.chunk().await.is_none());
        stage.engine.until_all_closed().await;
    });
}

/// What the client has not taken is not read from the engine either.
#[test]
fn a_slow_reader_holds_the_engine_back() {
    run(async {
        const BLOCK: usize = 1 << 20;
        let blocks = std::iter::repeat_n(Step::chunk(vec![b'x'; BLOCK]), 64);
        let export = Reply::steps([Step::send(CHUNKED)].into_iter().chain(blocks));
        let stage = Setup::allowing(&["GET .*"])
            .script(move |request| match request.path() {
                "/containers/app/export" => export.clone(),
                _ => Reply::json("200 OK", "{}"),
            })
            .start()
            .await;
        let mut slow = stage.client().await;
        slow.send(get("GET /containers/app/export", &[])).await;
        slow.head().await;
        // Meanwhile everything else goes on, and the engine has all the time to send more.
        let mut other = stage.client().await;
        for _ in 0..200 {
            other.send(get("GET /info", &[])).await;
            assert_eq!(other.answer().await.status, 200);
        }
        let sent = stage.engine.connections()[0].sent;
        assert!((BLOCK..32 * BLOCK).contains(&sent), "the engine got rid of {sent} bytes");
        for _ in 0..64 {
            assert_eq!(slow.chunk().await.map(|it| it.is_empty()), Some(false));
        }
    });
}
