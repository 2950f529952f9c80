//! Rows about the log: nobody fills a disk with it, and nothing is lost.

use rustix::process::Signal;
use tokio::net::TcpSocket;

use super::{Plan, Program, Trial};
use crate::fake_engine::docker_like;
use crate::support::{Client, get, run};

/// The JSON lines of the log that have this at their beginning.
fn lines(program: &Program, message: &str) -> Vec<serde_json::Value> {
    let lines = program.log().into_iter();
    let lines = lines.map(|line| serde_json::from_str(&line).unwrap());
    lines.filter(|line: &serde_json::Value| line["msg"] == message).collect()
}

async fn stranger(trial: &Trial) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    Client::over(socket.connect(trial.program.address).await.unwrap())
}

/// The first of many refusals has its line, and the others have a number, also those of the last seconds before a stop.
#[test]
fn somebody_is_refused_the_same_again_and_again() {
    const TIMES: u64 = 200;
    run(async {
        let mut trial = Plan::flags(&["-allowfrom=127.0.0.1"]).start(docker_like).await;
        for number in 0..TIMES {
            // A stranger that comes anew and asks for something else each time.
            let mut client = stranger(&trial).await;
            client.send(get(&format!("GET /containers/{number}/json"), &[])).await;
            assert_eq!(client.answer().await.status, 403);
            client.ends().await;
            // Somebody who begins with TLS.
            let mut client = trial.client().await;
            client.send("\x16").await;
            assert_eq!(client.answer().await.status, 400);
        }
        let mut admitted = trial.client().await;
        for number in 0..TIMES {
            admitted.send(get(&format!("GET /containers/{number}/top"), &[])).await;
            assert_eq!(admitted.answer().await.status, 403);
            admitted.send(get("DELETE /containers/app", &[])).await;
            assert_eq!(admitted.answer().await.status, 405);
        }
        // What differs each time is told apart up to a limit.
        for number in 0..TIMES {
            admitted.send(get(&format!("GET /a{number}/b"), &[])).await;
            assert_eq!(admitted.answer().await.status, 403);
        }
        drop(admitted);
        trial.program.until_logged("blocked requests like this one").await;
        trial.program.signal(Signal::TERM);
        trial.program.ended().await;

        let (first, repeats) = (
            lines(&trial.program, "blocked request"),
            lines(&trial.program, "blocked requests like this one"),
        );
        // Four kinds and what is told apart, and some of it once more where the test took long.
        assert!(first.len() <= 60 && repeats.len() <= 30, "{:#?}", trial.program.log());
        let sum: u64 = repeats.iter().map(|line| line["count"].as_u64().unwrap()).sum();
        assert_eq!(first.len() as u64 + sum, 5 * TIMES, "{:#?}", trial.program.log());
        for line in &repeats {
            assert!(line["seconds"].as_u64().unwrap() >= 1, "{line}");
            assert_eq!((&line["level"], &line["verdict"]), (&"WARN".into(), &"refused".into()));
        }
        let of = |client: &str, reason: &str| {
            let told = [&first[..], &repeats].concat();
            let told: Vec<_> = told
                .into_iter()
                .filter(|it| {
                    it["client"] == client && it["reason"].as_str().unwrap().contains(reason)
                })
                .collect();
            let count = told.iter().map(|it| it["count"].as_u64().unwrap_or(1)).sum::<u64>();
            assert!(told.iter().any(|it| it["count"].is_u64()), "{told:#?}");
            // The count has the id of a line that is there.
            assert!(told.iter().all(|it| first.iter().any(|line| line["id"] == it["id"])));
            count
        };
        assert_eq!(of("127.0.0.9", "client not in allowfrom"), TIMES);
        assert_eq!(of("127.0.0.1", "began with TLS"), TIMES);
        assert_eq!(of("127.0.0.1", "method not allowed"), TIMES);
    });
}
