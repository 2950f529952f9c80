//! An engine that fails: each row says what it does, what the client gets, and what is left of it.

use tokio::net::UnixListener;

use super::{Plan, Trial};
use crate::fake_engine::{CHUNKED, Connection, RAW_STREAM, Reply, Step, UPGRADED, docker_like};
use crate::support::{Answer, Client, get, run, with_body};

/// What the client gets.
#[derive(Clone, Copy)]
enum Gets {
    /// An answer of ours with this status, whose message holds this.
    Ours(u16, &'static str),
    /// The engine's answer, whole.
    Whole(u16),
    /// The engine's answer, visibly cut, if need be before its first byte.
    Cut(u16),
}

/// Asks `request`, to which the engine answers with `steps`, and looks at what comes; three times and more.
#[track_caller]
fn check(request: &str, steps: impl IntoIterator<Item = Step>, gets: Gets) {
    let steps: Vec<_> = steps.into_iter().collect();
    run(async {
        let path = request.split([' ', '?']).nth(1).unwrap().to_owned();
        let trial = Plan::default()
            .start(move |request| {
                if request.path() == path {
                    Reply::steps(steps.clone())
                } else {
                    docker_like(request)
                }
            })
            .await;
        trial
            .suffers(async |trial| {
                for _ in 0..20 {
                    let mut client = trial.client().await;
                    client.send(request).await;
                    let Some(answer) = client.answer_if_any(request).await else {
                        assert!(matches!(gets, Gets::Cut(_)), "there is no answer");
                        continue;
                    };
                    holds(&answer, gets);
                    if answer.closes() || !answer.whole {
                        client.ends().await;
                    }
                }
            })
            .await;
    });
}

#[track_caller]
fn holds(answer: &Answer, gets: Gets) {
    match gets {
        Gets::Ours(status, part) => {
            assert_eq!((answer.status, answer.whole), (status, true), "{answer:?}");
            let message = answer.message();
            assert!(message.starts_with("sockwarden: ") && message.contains(part), "{message}");
        }
        Gets::Whole(status) => {
            assert_eq!((answer.status, answer.whole), (status, true), "{answer:?}");
        }
        Gets::Cut(status) => {
            assert_eq!((answer.status, answer.whole), (status, false), "{answer:?}");
        }
    }
}

fn info() -> String {
    get("GET /info", &[])
}

fn send(bytes: impl AsRef<[u8]>) -> [Step; 2] {
    [Step::send(bytes), Step::Close]
}

#[test]
fn it_refuses_connections() {
    run(async {
        let mut trial = Plan::default().start(docker_like).await;
        trial.goes_on().await;
        let before = trial.program.rest(None).await;
        let path = trial.engine.path().to_path_buf();
        for listens in [false, true] {
            trial.engine.stop().await;
            if listens {
                // The file of a socket on which nobody listens any more.
                drop(UnixListener::bind(&path).unwrap());
            }
            for _ in 0..50 {
                let answer = trial.ask(info()).await;
                holds(&answer, Gets::Ours(502, "the engine does not answer on"));
                // What is not allowed is refused all the same.
                assert_eq!(trial.ask(get("DELETE /containers/app", &[])).await.status, 405);
            }
            let _ = std::fs::remove_file(&path);
            trial.engine.listen().unwrap();
            trial.goes_on().await;
        }
        trial.program.rest(Some(before)).await;
    });
}

/// Stopping a container or pulling an image may take minutes before the head comes, so no deadline ends the wait; the client does.
#[test]
fn it_hangs_before_the_head() {
    run(async {
        let trial = Plan::default()
            .start(|request| match request.path() {
                "/info" => Reply::steps([Step::Silence]),
                _ => docker_like(request),
            })
            .await;
        trial
            .suffers(async |trial| {
                let waiting = asked(trial, 20, &info()).await;
                trial.serves().await;
                drop(waiting);
                trial.engine.until_all_closed().await;
            })
            .await;
    });
}

#[test]
fn it_hangs_inside_the_body() {
    run(async {
        let trial = Plan::default()
            .start(|request| match request.path() {
                "/containers/app/export" => Reply::steps([
                    Step::send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"),
                    Step::Silence,
                ]),
                _ => docker_like(request),
            })
            .await;
        trial
            .suffers(async |trial| {
                let mut waiting = asked(trial, 20, &get("GET /containers/app/export", &[])).await;
                for client in &mut waiting {
                    client.head().await;
                    assert_eq!(client.up_to(5).await, b"first");
                }
                trial.serves().await;
                drop(waiting);
                trial.engine.until_all_closed().await;
            })
            .await;
    });
}

/// So many clients that have each asked something which the engine has seen.
async fn asked(trial: &Trial, many: usize, request: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..many {
        let mut client = trial.client().await;
        client.send(request).await;
        clients.push(client);
    }
    let line = request.split(" HTTP").next().unwrap();
    let seen = |all: &[Connection]| {
        all.iter().flat_map(|it| &it.requests).filter(|it| it.line() == line).count() == many
    };
    trial.engine.until("every request", seen).await;
    clients
}

#[test]
fn it_dies_before_the_head() {
    check(&info(), [Step::Close], Gets::Ours(502, "ended the connection before it answered"));
    check(
        &info(),
        send("HTTP/1.1 200 OK\r\nContent-"),
        Gets::Ours(502, "look at the engine's log"),
    );
}

#[test]
fn it_dies_inside_the_body() {
    check(&info(), send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"), Gets::Cut(200));
    check(&info(), send(format!("{CHUNKED}5\r\nfirst\r\n")), Gets::Cut(200));
    check(&info(), send(format!("{CHUNKED}5\r\nfi")), Gets::Cut(200));
}

#[test]
fn it_sends_garbage() {
    const NO_HTTP: Gets = Gets::Ours(502, "not HTTP/1.1");
    check(&info(), send("\0\x01\x02garbage\r\n\r\n"), NO_HTTP);
    check(&info(), send("SSH-2.0-OpenSSH_9.6\r\n"), NO_HTTP);
    check(&info(), send("HTTP/2.0 200 OK\r\n\r\n"), NO_HTTP);
    check(&info(), send("HTTP/1.1 999999 OK\r\n\r\n"), NO_HTTP);
    check(&info(), send("HTTP/1.1 200 OK\r\nno field\r\n\r\n"), NO_HTTP);
    check(&info(), send(vec![0; 100_000]), NO_HTTP);
    check(&info(), send(format!("{CHUNKED}xyz\r\nfirst\r\n0\r\n\r\n")), NO_HTTP);
    check(&info(), send(format!("{CHUNKED}5\r\nfirstXX0\r\n\r\n")), Gets::Cut(200));
}

#[test]
fn its_head_is_too_large() {
    const TOO_LARGE: Gets = Gets::Ours(502, "too large");
    let field = format!("X: {}\r\n", "y".repeat(1000));
    let head = |many| format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n", field.repeat(many));
    check(&info(), send(head(90)), Gets::Whole(200));
    check(&info(), send(head(101)), TOO_LARGE);
    check(&info(), send(format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(1 << 20))), TOO_LARGE);
}

#[test]
fn it_sends_interim_answers() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    for interim in ["100 Continue", "102 Processing", "103 Early Hints\r\nLink: </x>"] {
        let interim = format!("HTTP/1.1 {interim}\r\n\r\n");
        check(&info(), send(interim.clone() + answer), Gets::Whole(200));
        check(&info(), send(interim.repeat(50) + answer), Gets::Whole(200));
        check(&info(), send(interim), Gets::Ours(502, "look at the engine's log"));
    }
}

#[test]
fn its_lengths_are_wrong() {
    const NO_HTTP: Gets = Gets::Ours(502, "not HTTP/1.1");
    let with =
        |fields: &str, body: &str| send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}"));
    check(&info(), with("Content-Length: 3", "{}"), Gets::Cut(200));
    check(&info(), with("Content-Length: -1", "{}"), NO_HTTP);
    check(&info(), with("Content-Length: 2\r\nContent-Length: 3", "{}"), NO_HTTP);
    check(&info(), with("Content-Length: 99999999999999999999", "{}"), NO_HTTP);
    // Without the coding's name, which ends with the connection, its bytes would pass for what they encode.
    check(&info(), with("Transfer-Encoding: gzip", "{}"), NO_HTTP);
}

/// What comes behind an answer is never the answer to another request, of this client or of another.
#[test]
fn it_sends_more_than_it_said() {
    run(async {
        let more = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong";
        let trial = Plan::default()
            .start(move |request| match request.path() {
                "/info" => Reply::raw(more),
                _ => docker_like(request),
            })
            .await;
        trial
            .suffers(async |trial| {
                let mut client = trial.client().await;
                for _ in 0..20 {
                    client.send(info()).await;
                    let answer = client.answer().await;
                    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
                    client.send(get("GET /containers/json", &[])).await;
                    let answer = client.answer().await;
                    assert!(
                        answer.status == 502 || answer.text().contains("3f4e5d6c7b8a"),
                        "{answer:?}"
                    );
                    if answer.closes() {
                        client = trial.client().await;
                    }
                }
            })
            .await;
    });
}

#[test]
fn it_changes_protocols_though_nobody_asked() {
    let nobody = Gets::Ours(502, "changes protocols though nobody asked");
    check(&info(), [Step::send(UPGRADED), Step::Echo, Step::Close], nobody);
    // An operation that cannot leave HTTP cannot be asked to.
    let upgrade = get("GET /info", &["Connection: Upgrade", "Upgrade: tcp"]);
    check(&upgrade, [Step::send(UPGRADED), Step::Echo, Step::Close], nobody);
    let kill = with_body("POST /containers/app/kill", "application/json", "{}");
    check(&kill, [Step::send(UPGRADED), Step::Echo, Step::Close], nobody);
}

/// Bytes that were meant for a tunnel are never read as requests: the connection ends behind the answer.
#[test]
fn it_answers_an_upgrade_with_200() {
    let attach = get("POST /containers/app/attach", &["Connection: Upgrade", "Upgrade: tcp"])
        + &get("DELETE /containers/app", &[]);
    check(&attach, send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), Gets::Whole(200));
    check(&attach, send("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"), Gets::Whole(404));
    // The one 200 that does open a tunnel; what the client sent behind its request goes there.
    run(async {
        let trial = Plan::default().start(docker_like).await;
        trial
            .suffers(async |trial| {
                let mut client = trial.client().await;
                client.send(get("POST /containers/app/attach", &[])).await;
                assert_eq!(client.head().await, RAW_STREAM);
                client.send(get("DELETE /containers/app", &[])).await;
                client.end_writing().await;
                assert_eq!(client.rest().await, get("DELETE /containers/app", &[]).as_bytes());
            })
            .await;
    });
}
