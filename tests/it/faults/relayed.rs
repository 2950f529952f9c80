//! Bytes that are harmed on the way between the proxy and the engine, at every place. A client never takes a part for the whole, and the
//! harm stays with the connection it happened on.

use std::time::Duration;

use super::{Plan, Trial};
use crate::fake_engine::{CHUNKED, Reply, Request, Step, UPGRADED, docker_like};
use crate::relay::{Harm, Harms};
use crate::support::{Answer, get, run, with_body};

const TEXT: &str = r#"{"Id":"0123456789"}"#;

/// Answers with a length, in chunks, and outside HTTP.
fn script(request: &Request) -> Reply {
    match request.path() {
        "/info" | "/images/load" => Reply::json("200 OK", TEXT).then(Step::Close),
        "/containers/app/export" => Reply::steps([
            Step::send(CHUNKED),
            Step::chunk(TEXT.get(..9).unwrap()),
            Step::chunk(TEXT.get(9..).unwrap()),
            Step::chunk(""),
            Step::Close,
        ]),
        "/containers/app/attach" => {
            Reply::steps([Step::send(UPGRADED), Step::send(TEXT), Step::Close])
        }
        _ => docker_like(request),
    }
}

fn requests() -> [String; 3] {
    [
        get("GET /info", &[]),
        get("GET /containers/app/export", &[]),
        get("POST /containers/app/attach", &["Connection: Upgrade", "Upgrade: tcp"]),
    ]
}

/// The answer to a request whose engine connection is harmed, as far as it comes; `None` where not even a head does.
async fn harmed(trial: &Trial, harms: Harms, request: &str) -> Option<Answer> {
    let relay = trial.relay.as_ref().unwrap();
    relay.harm(harms);
    let mut client = trial.client().await;
    client.send(request).await;
    client.end_writing().await;
    let answer = client.answer_if_any(request).await;
    relay.harm(Harms::default());
    answer
}

/// More than the bytes of any of the answers.
const LONGEST: usize = 200;

/// Harms the answer at every byte and looks at what comes.
#[track_caller]
fn check_every_byte(harm: impl Fn(usize) -> Harm, holds: impl Fn(&Answer)) {
    run(async {
        let trial = Plan::relayed().start(script).await;
        trial
            .suffers(async |trial| {
                for request in requests() {
                    for at in 0..LONGEST {
                        let harms = Harms { down: harm(at), up: Harm::None };
                        if let Some(answer) = harmed(trial, harms, &request).await {
                            holds(&answer);
                        }
                        if at % 20 == 0 {
                            trial.serves().await;
                        }
                    }
                }
            })
            .await;
    });
}

/// Whole and right, visibly cut, or an answer of ours.
#[track_caller]
fn is_honest(answer: &Answer) {
    match answer.status {
        200 => assert!(!answer.whole || answer.text() == TEXT, "{answer:?}"),
        // Behind a 101 there is no length: what comes is what was sent before the end.
        101 => assert!(answer.body.is_empty()),
        502 => assert!(answer.message().starts_with("sockwarden: the engine"), "{answer:?}"),
        _ => panic!("{answer:?}"),
    }
}

#[test]
fn the_answer_is_cut_at_every_byte() {
    check_every_byte(Harm::Cut, is_honest);
}

#[test]
fn the_answer_ends_at_every_byte() {
    check_every_byte(Harm::Truncate, is_honest);
}

/// The engine is trusted with what it says, so a garbled answer may be passed on; it must stay one answer, to one client.
#[test]
fn the_answer_is_garbled_at_every_byte() {
    for mask in [0x01, 0x20, 0x80] {
        check_every_byte(|at| Harm::Garble(at, mask), |_| {});
    }
}

#[test]
fn the_answer_is_reordered_at_every_byte() {
    check_every_byte(|at| Harm::Swap(at, 7), |_| {});
}

#[test]
fn the_answer_is_delayed() {
    run(async {
        let trial = Plan::relayed().start(script).await;
        trial
            .suffers(async |trial| {
                for request in requests() {
                    let harms =
                        Harms { down: Harm::Delay(Duration::from_millis(50)), ..Harms::default() };
                    let answer = harmed(trial, harms, &request).await.unwrap();
                    is_honest(&answer);
                    assert!(answer.whole && answer.status < 300, "{answer:?}");
                }
            })
            .await;
    });
}

/// A request that does not arrive whole is none: the engine has not seen its end.
#[test]
fn the_request_is_cut_at_every_byte() {
    run(async {
        let trial = Plan::relayed().start(script).await;
        let request = with_body("POST /images/load", "application/x-tar", TEXT);
        trial
            .suffers(async |trial| {
                trial.engine.forget();
                let mut completed = 0;
                for at in 0..=LONGEST {
                    for up in [Harm::Cut(at), Harm::Truncate(at)] {
                        let answer = harmed(trial, Harms { up, down: Harm::None }, &request).await;
                        // The fake engine waits for the rest, and so does the client, who has said that nothing more comes.
                        let Some(answer) = answer else { continue };
                        assert!(matches!(answer.status, 200 | 502), "{answer:?}");
                        completed += usize::from(answer.status == 200);
                    }
                }
                // The fake engine reads strictly, so what was cut is on record as broken or incomplete.
                let seen = trial.engine.until_all_closed().await;
                let whole =
                    seen.iter().flat_map(|it| &it.requests).filter(|it| it.complete).count();
                assert!(completed > 0 && whole >= completed, "{completed} of {whole}");
                assert!(
                    seen.iter()
                        .flat_map(|it| &it.requests)
                        .filter(|it| it.complete)
                        .all(|it| it.body == TEXT.as_bytes())
                );
            })
            .await;
    });
}
