//! Clients that fail, or mean to: each row says what they do. What they leave behind is nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Plan, Trial};
use crate::fake_engine::{CHUNKED, Connection, PATIENCE, Reply, Step, docker_like};
use crate::support::{Client, get, run, with_body};

/// Requests of every kind, with their bodies, as they are sent.
fn requests() -> [String; 5] {
    let chunked = "Transfer-Encoding: chunked";
    [
        get("GET /v1.41/containers/json?all=1", &[]),
        with_body("POST /containers/app/kill", "application/json", "{}"),
        get("POST /images/load", &[chunked, "Content-Type: application/x-tar"])
            + "5\r\nfirst\r\n5\r\nother\r\n0\r\n\r\n",
        get("POST /containers/app/attach", &["Connection: Upgrade", "Upgrade: tcp"]) + "typed",
        get("DELETE /containers/app", &[]),
    ]
}

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Closing,
    Resetting,
}

/// A client that sends every beginning of every request and leaves then.
async fn leave_at_every_byte(trial: &Trial, leaves: Leaves) {
    for request in requests() {
        for end in 0..=request.len() {
            let mut stream = trial.program.connect().await;
            if let Leaves::Resetting = leaves {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            // It may have been refused already.
            let _ = stream.write_all(&request.as_bytes()[..end]).await;
        }
    }
}

#[test]
fn they_disconnect_at_every_byte_of_a_request() {
    run(async {
        let trial = Plan::default().start(docker_like).await;
        trial.suffers(async |trial| leave_at_every_byte(trial, Leaves::Closing).await).await;
    });
}

#[test]
fn they_reset_the_connection_at_every_byte_of_a_request() {
    run(async {
        let trial = Plan::default().start(docker_like).await;
        trial.suffers(async |trial| leave_at_every_byte(trial, Leaves::Resetting).await).await;
    });
}

/// A request that is cut off is refused, in words; a whole one is answered.
#[test]
fn they_end_their_direction_at_every_byte_of_a_request() {
    run(async {
        let trial = Plan::default().start(docker_like).await;
        trial
            .suffers(async |trial| {
                for request in requests() {
                    let head = request.find("\r\n\r\n").unwrap() + 4;
                    for end in 0..=request.len() {
                        let begun = request.get(..end).unwrap();
                        let mut client = trial.client().await;
                        let _ = client.try_send(begun).await;
                        client.end_writing().await;
                        match client.answer_if_any(&request).await {
                            None => assert_eq!(end, 0, "no word to {begun:?}"),
                            Some(answer) if end < head => {
                                assert_eq!(answer.status, 400, "{begun:?}");
                            }
                            Some(answer) => {
                                let fine =
                                    matches!(answer.status, 101 | 200 | 204 | 400 | 404 | 405);
                                assert!(fine, "{answer:?} to {begun:?}");
                            }
                        }
                    }
                }
            })
            .await;
    });
}

#[test]
fn they_send_slowly() {
    run(async {
        let trial = Plan::flags(&["-headtimeout=1"]).start(docker_like).await;
        // Slow and in time is as good as fast.
        let request = get("GET /info", &[]);
        let mut client = trial.client().await;
        for byte in request.as_bytes() {
            client.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.answer().await.status, 200);
        drop(client);
        trial
            .suffers(async |trial| {
                let mut crowd = Vec::new();
                for _ in 0..50 {
                    let mut client = trial.client().await;
                    client.send(request.get(..20).unwrap()).await;
                    crowd.push(client);
                }
                trial.serves().await;
                for client in &mut crowd {
                    let answer = client.answer().await;
                    assert_eq!(answer.status, 408);
                    assert!(answer.message().contains("`-headtimeout`"), "{}", answer.message());
                }
            })
            .await;
        assert_eq!(trial.program.reached("-headtimeout").await, 100);
        trial.program.until_logged("a limit was reached").await;
    });
}

/// Each is judged by itself, and the answers come in order.
#[test]
fn they_pipeline() {
    run(async {
        let trial = Plan::default().start(docker_like).await;
        let lines = [
            ("GET /info", 200),
            ("DELETE /containers/app", 405),
            ("GET /containers/app/top", 403),
            ("POST /containers/app/kill", 204),
            ("GET /containers/nothing/json", 403),
        ];
        trial
            .suffers(async |trial| {
                let mut client = trial.client().await;
                let all: String = lines.iter().map(|(line, _)| get(line, &[])).collect();
                client.send(all.repeat(100)).await;
                for _ in 0..100 {
                    for (line, status) in lines {
                        assert_eq!(client.answer_to(line).await.status, status, "{line}");
                    }
                }
                drop(client);
                // And one that does not wait for its answers.
                trial.client().await.send(all.repeat(100)).await;
            })
            .await;
    });
}

#[test]
fn they_abort_five_hundred_streams() {
    run(async {
        let trial = Plan::default()
            .start(|request| match request.path() {
                "/events" => Reply::steps([Step::send(CHUNKED), Step::chunk("{}"), Step::Silence]),
                _ => docker_like(request),
            })
            .await;
        trial
            .suffers(async |trial| {
                let mut streams = open_streams(trial, 500).await;
                // Half of them without having read what came.
                for client in streams.iter_mut().step_by(2) {
                    client.head().await;
                }
                assert_eq!(trial.program.usage().await["streams"], 500);
                trial.serves().await;
                drop(streams);
                trial.engine.until_all_closed().await;
            })
            .await;
    });
}

async fn open_streams(trial: &Trial, many: usize) -> Vec<Client> {
    let mut streams = Vec::new();
    for _ in 0..many {
        let mut client = trial.client().await;
        client.send(get("GET /events", &[])).await;
        streams.push(client);
    }
    let seen = |all: &[Connection]| {
        all.iter().flat_map(|it| &it.requests).filter(|it| it.path() == "/events").count() == many
    };
    trial.engine.until("every stream", seen).await;
    streams
}

/// A thousand connections that never say a word, and those beyond the limit.
#[test]
fn they_connect_and_say_nothing() {
    run(async {
        let trial = Plan::flags(&["-maxconnectionsperclient=100"]).start(docker_like).await;
        let crowded = async |trial: &Trial| {
            let mut crowd = Vec::new();
            for _ in 0..300 {
                crowd.push(trial.program.connect().await);
            }
            let usage = trial.program.usage().await;
            assert!(usage["connections"].as_u64().unwrap() <= 100, "{usage}");
            // Those that were turned away are closed, whether or not they were told why.
            let mut turned_away = 0;
            for stream in &mut crowd {
                let mut rest = Vec::new();
                let ended = timeout(Duration::from_millis(1), stream.read_to_end(&mut rest)).await;
                turned_away += usize::from(ended.is_ok());
            }
            assert!(turned_away >= 150, "only {turned_away} were turned away");
        };
        let waits = async |trial: &Trial| {
            crowded(trial).await;
            let closing = async { trial.program.rest(None).await };
            timeout(PATIENCE, closing).await.expect("permits are given back");
        };
        trial.suffers(waits).await;
        assert!(trial.program.reached("-maxconnectionsperclient").await >= 300);
    });
}
