//! Starting and stopping: sockets, and what is waited for at the end.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::time::{Duration, Instant};

use sockwarden::engine::Watchdog;
use sockwarden::listen::ListenerAddress;
use sockwarden::run::{Ended, StartError, serve};
use sockwarden::workers::Workers;
use tokio::sync::oneshot;

use crate::fake_engine::{CHUNKED, Connection, Gate, Reply, Step, UPGRADED, docker_like};
use crate::support::{Setup, Stage, eventually, get, run};

/// Less than any grace time in these tests.
const SOON: Duration = Duration::from_secs(2);

/// Everything has ended in time, the engine's connections included.
async fn ends_soon(stage: &mut Stage) {
    let began = Instant::now();
    assert_eq!(stage.ended().await, Ended::Asked);
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
    stage.engine.until_all_closed().await;
    assert!(stage.try_client().await.is_err(), "somebody still listens");
}

#[test]
fn a_unix_listener_has_the_mode_it_was_given() {
    run(async {
        for mode in [0o600, 0o660, 0o666, 0o606] {
            let mut stage = Setup::allowing(&["GET /info"]).on_unix_socket(mode).start().await;
            let path = stage.dir.path().join("proxy.sock");
            let metadata = std::fs::metadata(&path).unwrap();
            assert!(metadata.file_type().is_socket());
            assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{mode:o}");
            // Who could open it is listed.
            assert_eq!(stage.ask(get("GET /info", &[])).await.status, 200);
            assert_eq!(stage.ask(get("GET /version", &[])).await.status, 403);
            stage.ask_to_stop();
            assert_eq!(stage.ended().await, Ended::Asked);
            assert!(!path.exists(), "the socket was left behind");
        }
    });
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else_is() {
    run(async {
        let setup = Setup::allowing(&["GET /info"]).on_unix_socket(0o600);
        drop(std::os::unix::net::UnixListener::bind(setup.path("proxy.sock")).unwrap());
        assert!(setup.path("proxy.sock").exists());
        let stage = setup.start().await;
        assert_eq!(stage.ask(get("GET /info", &[])).await.status, 200);

        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link, &dir.path().to_path_buf()] {
            let listener = ListenerAddress::Unix { path: path.clone(), mode: 0o600 };
            let setup = Setup::allowing(&[]).with(|config| config.listener = listener);
            let error = setup.try_start().await.err().unwrap();
            assert!(matches!(error, StartError::Listen(_)), "{error}");
            assert!(error.to_string().contains(&format!("`{}`", path.display())), "{error}");
            assert!(error.to_string().contains("is not a socket"), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "precious");
    });
}

#[test]
fn what_is_in_the_way_is_said_before_anything_is_served() {
    run(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let setup =
            Setup::allowing(&[]).with(|config| config.listener = ListenerAddress::Tcp(address));
        let error = setup.try_start().await.err().unwrap();
        assert!(error.to_string().contains(&address.to_string()), "{error}");

        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "").unwrap();
        drop(std::os::unix::net::UnixListener::bind(path("stale")).unwrap());
        for (name, why) in [
            ("missing", "does not exist"),
            ("file", "is not a socket"),
            ("stale", "nobody listens"),
        ] {
            let mut config = Setup::allowing(&[]).config;
            config.engine_socket = path(name);
            let error = serve(
                config,
                Workers::start(1).unwrap(),
                std::future::pending(),
                oneshot::channel().0,
            )
            .await
            .unwrap_err();
            assert!(matches!(error, StartError::Engine(_)), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(why) && text.contains(&format!("`{}`", path(name).display())),
                "{text}"
            );
        }
    });
}

#[test]
fn an_idle_proxy_stops_at_once() {
    run(async {
        let mut stage = Setup::allowing(&["GET .*"]).start().await;
        // A connection kept alive, and one that never said anything.
        let mut kept = stage.client().await;
        kept.send(get("GET /info", &[])).await;
        assert_eq!(kept.answer().await.status, 200);
        let mut silent = stage.client().await;
        stage.ask_to_stop();
        kept.ends().await;
        silent.ends().await;
        ends_soon(&mut stage).await;
    });
}

#[test]
fn what_ends_by_itself_may_finish() {
    run(async {
        let gate = Gate::default();
        let reply = Reply::steps([
            Step::send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst"),
            Step::Wait(gate.clone()),
            Step::send("other"),
        ]);
        let mut stage = Setup::allowing(&["GET .*"]).reply(reply).start().await;
        let mut client = stage.client().await;
        client.send(get("GET /containers/app/export", &[])).await;
        client.head().await;
        assert_eq!(client.up_to(5).await, b"first");
        stage.ask_to_stop();
        // Nobody is let in any more.
        let stage_ref = &stage;
        eventually("the end of listening", async || stage_ref.try_client().await.is_err()).await;
        gate.open();
        assert_eq!(client.up_to(5).await, b"other");
        client.ends().await;
        ends_soon(&mut stage).await;
    });
}

/// A request that is still on its way to the engine as well.
#[test]
fn a_late_answer_is_waited_for_at_the_end() {
    run(async {
        let gate = Gate::default();
        let reply = Reply::steps([Step::Wait(gate.clone())])
            .then(Step::send("HTTP/1.1 204 No Content\r\n\r\n"));
        let mut stage = Setup::allowing(&["POST .*"]).reply(reply).start().await;
        let mut client = stage.client().await;
        client.send(get("POST /containers/app/stop", &[])).await;
        stage.engine.until("the request", |all| all.iter().any(|it| !it.requests.is_empty())).await;
        stage.ask_to_stop();
        let stage_ref = &stage;
        eventually("the end of listening", async || stage_ref.try_client().await.is_err()).await;
        gate.open();
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (204, true));
        client.ends().await;
        ends_soon(&mut stage).await;
    });
}

#[test]
fn streams_are_closed_without_waiting_for_them() {
    run(async {
        let mut stage = Setup::allowing_all()
            .script(|request| match request.path() {
                "/events" => Reply::steps([Step::send(CHUNKED), Step::chunk("{}"), Step::Silence]),
                "/containers/app/attach" => Reply::steps([Step::send(UPGRADED), Step::Silence]),
                "/containers/app/wait" => Reply::steps([Step::Silence]),
                _ => docker_like(request),
            })
            .start()
            .await;
        let mut events = stage.client().await;
        events.send(get("GET /events", &[])).await;
        events.head().await;
        assert_eq!(events.chunk().await.unwrap(), b"{}");
        let mut attached = stage.client().await;
        attached.send(get("POST /containers/app/attach", &["Upgrade: tcp"])).await;
        attached.head().await;
        let mut waiting = stage.client().await;
        waiting.send(get("POST /containers/app/wait", &[])).await;
        let three =
            |all: &[Connection]| all.iter().filter(|it| !it.requests.is_empty()).count() == 3;
        stage.engine.until("three requests", three).await;
        stage.ask_to_stop();
        assert!(events.chunk().await.is_none(), "the stream must be cut, not ended");
        attached.ends().await;
        waiting.ends().await;
        ends_soon(&mut stage).await;
    });
}

#[test]
fn the_grace_time_is_the_most_that_is_waited() {
    run(async {
        let silence = Reply::steps([Step::Silence]);
        let setup = Setup::allowing_all().reply(silence);
        let setup = setup.with(|config| config.shutdown_grace = Duration::from_millis(300));
        let mut stage = setup.start().await;
        let mut client = stage.client().await;
        client.send(get("GET /info", &[])).await;
        stage.engine.until("the request", |all| all.iter().any(|it| !it.requests.is_empty())).await;
        stage.ask_to_stop();
        client.ends().await;
        ends_soon(&mut stage).await;
    });
}

#[test]
fn a_watchdog_that_is_told_to_stops_the_proxy() {
    run(async {
        let watchdog = Watchdog { interval: Duration::from_millis(20), stop: true };
        let setup = Setup::allowing(&["GET .*"]).with(|config| config.watchdog = Some(watchdog));
        let mut stage = setup.start().await;
        let pinged = |all: &[Connection]| {
            all.iter().flat_map(|it| &it.requests).filter(|it| it.line() == "GET /_ping").count()
                > 2
        };
        stage.engine.until("a few pings", pinged).await;
        stage.engine.stop().await;
        assert_eq!(stage.ended().await, Ended::Watchdog);
    });
    // Without that it goes on, and notices when the engine is back.
    run(async {
        let watchdog = Watchdog { interval: Duration::from_millis(20), stop: false };
        let setup = Setup::allowing(&["GET .*"]).with(|config| config.watchdog = Some(watchdog));
        let mut stage = setup.start().await;
        stage.engine.stop().await;
        assert_eq!(stage.ask(get("GET /info", &[])).await.status, 502);
        stage.engine.listen().unwrap();
        stage.engine.forget();
        let pinged = |all: &[Connection]| {
            all.iter().flat_map(|it| &it.requests).any(|it| it.line() == "GET /_ping")
        };
        stage.engine.until("a ping", pinged).await;
        assert_eq!(stage.ask(get("GET /info", &[])).await.status, 200);
    });
}
