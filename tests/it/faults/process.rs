//! The process in trouble: its engine restarts, its descriptors run out, its disk is full, it is told to stop.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tokio::task::JoinSet;

use super::{Footprint, Plan, Program, Trial, free_address};
use crate::fake_engine::{CHUNKED, Connection, Reply, Request, Step, UPGRADED, docker_like};
use crate::support::{Client, eventually, get, run};

fn streaming(request: &Request) -> Reply {
    match request.path() {
        "/events" => Reply::steps([Step::send(CHUNKED), Step::chunk("{}"), Step::Silence]),
        "/containers/app/attach" => Reply::steps([Step::send(UPGRADED), Step::Silence]),
        "/info" => Reply::steps([Step::Silence]),
        _ => docker_like(request),
    }
}

/// Clients that ask and ask, what is allowed and what is not, until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    clients: JoinSet<()>,
}

impl Load {
    fn start(trial: &Trial) -> Self {
        let address = trial.program.address;
        let mut load =
            Self { stop: Arc::default(), served: Arc::default(), clients: JoinSet::new() };
        for number in 0..8 {
            let (stop, served) = (Arc::clone(&load.stop), Arc::clone(&load.served));
            load.clients.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let Ok(stream) = tokio::net::TcpStream::connect(address).await else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    let mut client = Client::over(stream);
                    let (line, fine) = if number % 2 == 0 {
                        ("GET /containers/json", [200, 502])
                    } else {
                        ("DELETE /containers/app", [405, 405])
                    };
                    let request = get(line, &[]);
                    if client.try_send(&request).await.is_err() {
                        continue;
                    }
                    if let Some(answer) = client.answer_if_any(&request).await {
                        assert!(fine.contains(&answer.status), "{answer:?} to {line}");
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        load
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    async fn stop(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
    }
}

async fn streams(trial: &Trial, many: usize) -> Vec<Client> {
    let mut streams = Vec::new();
    for _ in 0..many {
        let mut client = trial.client().await;
        client.send(get("GET /events", &[])).await;
        client.head().await;
        assert_eq!(client.chunk().await.unwrap(), b"{}");
        streams.push(client);
    }
    streams
}

#[test]
fn its_engine_restarts_under_load_with_two_hundred_streams() {
    run(async {
        let mut trial = Plan::default().start(streaming).await;
        trial.goes_on().await;
        let before = trial.program.rest(None).await;
        let load = Load::start(&trial);
        let mut memory = 0;
        for _ in 0..3 {
            let mut open = streams(&trial, 200).await;
            trial.engine.stop().await;
            for stream in &mut open {
                assert!(stream.chunk().await.is_none(), "a stream must be cut, not ended");
            }
            let mut cut_off = trial.client().await;
            cut_off.send(get("GET /containers/json", &[])).await;
            assert_eq!(cut_off.answer().await.status, 502);
            trial.engine.listen().unwrap();
            let served = load.served();
            eventually("answers again", async || load.served() > served + 50).await;
            trial.serves().await;
            if memory == 0 {
                memory = trial.program.footprint().await.memory;
            }
        }
        assert_eq!(streams(&trial, 200).await.len(), 200);
        load.stop().await;
        trial.goes_on().await;
        trial.program.rest(Some(Footprint { memory, ..before })).await;
    });
}

/// The bound on connections leaves what everything else needs, so descriptors do not run out by themselves.
#[test]
fn a_low_limit_of_open_files_bounds_the_connections() {
    run(async {
        let plan = Plan { descriptors: Some(200), ..Plan::default() };
        let trial = plan.start(docker_like).await;
        trial.program.until_logged("allows fewer connections than").await;
        let most = trial.program.usage().await["most_connections"].as_u64().unwrap();
        assert_eq!(most, 36);
        trial
            .suffers(async |trial| {
                let mut seated = Vec::new();
                for _ in 0..most {
                    let mut client = trial.client().await;
                    client.send(get("GET /info", &[])).await;
                    assert_eq!(client.answer().await.status, 200);
                    seated.push(client);
                }
                let mut crowd = Vec::new();
                for _ in 0..100 {
                    crowd.push(trial.client().await);
                }
                assert_eq!(crowd[0].answer().await.status, 503);
                for client in &mut seated {
                    client.send(get("GET /info", &[])).await;
                    assert_eq!(client.answer().await.status, 200);
                }
                drop((seated, crowd));
                trial.program.rest(None).await;
            })
            .await;
        assert!(trial.program.reached("-maxconnections").await >= 200);
        assert!(!trial.program.log().iter().any(|line| line.contains("could not be accepted")));
    });
}

/// And where somebody else takes them away, requests wait or are answered in words, and everything goes on when they are back.
#[test]
fn its_descriptors_run_out() {
    run(async {
        let trial = Plan::default().start(docker_like).await;
        let pid = Pid::from_child(&trial.program.child);
        let limit = prlimit(
            Some(pid),
            Resource::Nofile,
            Rlimit { current: Some(1000), maximum: Some(1000) },
        )
        .unwrap();
        let cap = |most| {
            prlimit(
                Some(pid),
                Resource::Nofile,
                Rlimit { current: Some(most), maximum: Some(1000) },
            )
            .unwrap()
        };
        assert!(limit.maximum.is_none_or(|most| most >= 1000));
        trial
            .suffers(async |trial| {
                let mut idle = trial.client().await;
                idle.send(get("GET /containers/json", &[])).await;
                assert_eq!(idle.answer().await.status, 200);
                let mut fresh = trial.client().await;
                fresh.send(get("DELETE /containers/app", &[])).await;
                assert_eq!(fresh.answer().await.status, 405);
                // Not one more.
                cap(3);
                // One that has its engine connection goes on, one that has none is told why.
                idle.send(get("GET /containers/json", &[])).await;
                assert_eq!(idle.answer().await.status, 200);
                fresh.send(get("GET /containers/json", &[])).await;
                let answer = fresh.answer().await;
                assert_eq!(answer.status, 503);
                assert!(answer.message().contains("no file descriptor is left"), "{answer:?}");
                // Those that come now wait until there is room.
                let mut late = Vec::new();
                for _ in 0..20 {
                    let mut client = trial.client().await;
                    client.send(get("GET /containers/json", &[])).await;
                    late.push(client);
                }
                trial.program.until_logged("could not be accepted").await;
                cap(1000);
                for client in &mut late {
                    assert_eq!(client.answer().await.status, 200);
                }
            })
            .await;
        let told = trial.program.log();
        let told = told.iter().filter(|line| line.contains("could not be accepted")).count();
        assert!(told <= 2, "{told} lines");
    });
}

/// A file system without a free inode, where the kernel lets us have one of our own (`user_namespaces(7)`). Where it does not, what is said
/// of a full disk is still a test in src/listen.rs.
#[test]
fn its_disk_is_full() {
    const MOUNT: &str = "mount -t tmpfs -o nr_inodes=1 none \"$0\"";
    let on_a_full_disk = |dir: &Path, then: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-rm", "sh", "-c", &format!("{MOUNT} && {then}")]).arg(dir).output()
    };
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    if !on_a_full_disk(&disk, "true").is_ok_and(|output| output.status.success()) {
        return;
    }
    // All that is asked of an engine before the start is that somebody listens.
    let engine = dir.path().join("docker.sock");
    let _listening = std::os::unix::net::UnixListener::bind(&engine).unwrap();
    let program = format!(
        "exec {} -socketpath={} -proxysocketendpoint=\"$0/p.sock\" -allowGET=/info",
        env!("CARGO_BIN_EXE_sockwarden"),
        engine.display()
    );
    let output = on_a_full_disk(&disk, &program).unwrap();
    let log = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("/disk/p.sock`; make room on its disk"), "{log}");
}

/// Nothing is served, and the message says what to do.
#[test]
fn its_socket_cannot_be_made() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let engine =
            crate::fake_engine::FakeEngine::start(&dir.path().join("docker.sock"), docker_like)
                .unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        for socket in ["missing/p.sock", "file/p.sock"] {
            let socket = dir.path().join(socket);
            let flags = [
                format!("-socketpath={}", engine.path().display()),
                format!("-proxysocketendpoint={}", socket.display()),
                "-allowGET=/info".to_owned(),
            ];
            let mut program = Program::with_flags(free_address(), &flags, None);
            assert_eq!(program.ended().await.code(), Some(2));
            let line = program.until_logged("cannot create the socket").await;
            assert!(line.contains(&socket.display().to_string()), "{line}");
            assert!(line.contains("check that the directory exists"), "{line}");
        }
        assert_eq!(
            std::fs::metadata(dir.path().join("file")).unwrap().permissions().mode() & 0o111,
            0
        );
    });
}

/// In the middle of everything: streams, tunnels, requests that hang, heads that are half sent, and a load that goes on.
#[test]
fn it_is_told_to_stop_in_the_middle() {
    run(async {
        let mut trial = Plan::flags(&["-shutdowngracetime=1"]).start(streaming).await;
        let load = Load::start(&trial);
        let mut open = streams(&trial, 100).await;
        for _ in 0..20 {
            let mut attached = trial.client().await;
            attached.send(get("POST /containers/app/attach", &["Upgrade: tcp"])).await;
            attached.head().await;
            let mut hanging = trial.client().await;
            hanging.send(get("GET /info", &[])).await;
            let mut half = trial.client().await;
            half.send("GET /inf").await;
            open.extend([attached, hanging, half]);
        }
        let hanging = |all: &[Connection]| {
            all.iter().flat_map(|it| &it.requests).filter(|it| it.path() == "/info").count() == 20
        };
        trial.engine.until("the requests that hang", hanging).await;
        let served = load.served();
        eventually("a load", async || load.served() > served + 50).await;
        let began = Instant::now();
        trial.program.signal(Signal::TERM);
        let status = trial.program.ended().await;
        assert_eq!(status.code(), Some(0), "{:#?}", trial.program.log());
        // The grace time, then one second to close.
        assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
        load.stop().await;
        for client in &mut open {
            client.rest().await;
        }
        trial.engine.until_all_closed().await;
        trial.only_what_is_allowed_reached();
        // Only counts of lines that were folded may follow.
        let log = trial.program.log();
        let last = log.iter().rfind(|line| !line.contains("blocked requests like this one"));
        assert!(last.unwrap().contains("stopped"));
    });
}

/// Without the program's help a signal ends it on the spot, and its socket file stays behind.
#[test]
fn signals_end_it_in_order_or_not_at_all() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let engine =
            crate::fake_engine::FakeEngine::start(&dir.path().join("docker.sock"), docker_like)
                .unwrap();
        let socket = dir.path().join("p.sock");
        let flags = [
            format!("-socketpath={}", engine.path().display()),
            format!("-proxysocketendpoint={}", socket.display()),
            "-allowGET=/info".to_owned(),
        ];
        let start = || Program::with_flags(free_address(), &flags, None);
        for stop in [
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGALRM,
            libc::SIGVTALRM,
            libc::SIGPROF,
            libc::SIGXCPU,
            libc::SIGXFSZ,
            libc::SIGIO,
            libc::SIGPWR,
            libc::SIGSTKFLT,
            libc::SIGRTMIN() + 3,
            libc::SIGRTMAX(),
        ] {
            let mut program = start();
            program.until_logged("engine answers").await;
            for (harmless, name) in
                [(libc::SIGHUP, "SIGHUP"), (libc::SIGUSR1, "SIGUSR1"), (libc::SIGUSR2, "SIGUSR2")]
            {
                program.kill(harmless);
                let line = program.until_logged(name).await;
                assert!(line.contains("level=WARN") && line.contains("going on"), "{line}");
            }
            program.kill(libc::SIGPIPE);
            let mut client = Client::over(tokio::net::UnixStream::connect(&socket).await.unwrap());
            client.send(get("GET /info", &[])).await;
            assert_eq!(client.answer().await.status, 200);
            drop(client);
            assert!(program.log().iter().any(|line| line.contains("nothing to reload yet")));
            program.kill(stop);
            assert_eq!(program.ended().await.code(), Some(0), "signal {stop}: {:?}", program.log());
            assert!(!socket.exists(), "signal {stop} leaves the socket file behind");
        }
    });
}

/// As scripts made for socket-proxy expect it: what cannot be used ends the start with code 2.
#[test]
fn a_start_that_fails_ends_with_code_two() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let engine =
            crate::fake_engine::FakeEngine::start(&dir.path().join("docker.sock"), docker_like)
                .unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(dir.path().join("file"), "precious").unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap();
        let on_taken = format!("-proxyport={}", taken.port());
        let (file, long) = (path("file"), path(&"x".repeat(120)));
        let endpoint = |path: &str| format!("-proxysocketendpoint={path}");
        for (flags, want) in [
            (vec![on_taken], "something else listens there"),
            (vec!["-listenip=192.0.2.1".to_owned()], "the address is not this machine's"),
            (vec![endpoint(&file)], "is not a socket"),
            (vec![endpoint(&long)], "at most 107 bytes"),
            (vec![endpoint(&path("missing/p.sock"))], "check that the directory exists"),
            (vec![format!("-socketpath={}", path("none.sock"))], "does not exist"),
            (vec![format!("-socketpath={file}")], "is not a socket"),
            (vec!["-proxyport=0".to_owned()], "is not a port"),
        ] {
            let mut all = vec![format!("-socketpath={}", engine.path().display())];
            all.push("-allowGET=/info".to_owned());
            all.extend(flags.iter().cloned());
            let output = Command::new(env!("CARGO_BIN_EXE_sockwarden")).args(&all).output();
            let output = output.unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert_eq!(output.status.code(), Some(2), "{flags:?}: {text}");
            assert!(text.contains(want), "{flags:?}: {text}");
        }
        assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), b"precious");
    });
}

#[test]
fn an_empty_allowlist_is_said_once() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let engine =
            crate::fake_engine::FakeEngine::start(&dir.path().join("docker.sock"), docker_like)
                .unwrap();
        // In a container labels would be read, with nothing given.
        let from = "-allowfrom=127.0.0.1".to_owned();
        let flags = [format!("-socketpath={}", engine.path().display()), from];
        let mut program = Program::with_flags(free_address(), &flags, None);
        program.until_logged("engine answers").await;
        let log = program.log();
        let of_that = |line: &&String| line.contains("allowlist is") || line.contains("nothing is");
        let lines: Vec<_> = log.iter().filter(of_that).collect();
        assert!(
            matches!(lines.as_slice(), [line] if line.contains("level=WARN") && line.contains("nothing is allowed but `/_ping`")),
            "{log:?}"
        );
        program.kill(libc::SIGTERM);
        assert_eq!(program.ended().await.code(), Some(0));
    });
}

#[test]
fn a_process_that_is_no_sockwarden_is_named() {
    let own = std::process::id().to_string();
    for words in [["clients", "-pid", &own], ["healthcheck", "-pid", &own]] {
        let output = Command::new(env!("CARGO_BIN_EXE_sockwarden")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        let want = format!("process {own} is no sockwarden");
        assert!(text.contains(&want) && text.contains("leave out `-pid`"), "{words:?}: {text}");
    }
}

#[test]
fn the_version_is_printed_however_it_is_asked_for() {
    for words in [&["version"][..], &["-version"], &["--version"], &["serve", "-version"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_sockwarden")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, concat!("sockwarden ", env!("CARGO_PKG_VERSION"), "\n"), "{words:?}");
    }
    // A flag behind it does not count as one that was read.
    let output = Command::new(env!("CARGO_BIN_EXE_sockwarden")).args(["version", "-x"]).output();
    assert_eq!(output.unwrap().status.code(), Some(2));
}

#[test]
fn every_subcommand_prints_its_help() {
    for words in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["serve", "--help"],
        &["request", "--help"],
        &["request", "-h"],
        &["help", "request"],
        &["healthcheck", "-help"],
        &["clients", "--help"],
        &["clients", "-pid", "1", "-h"],
        &["presets", "-help"],
        &["why", "a", "-help"],
        &["check", "x.yaml", "-h"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sockwarden")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.stderr.is_empty() && text.contains("sockwarden"), "{words:?}: {text}");
        let name = words.iter().find(|word| {
            matches!(**word, "request" | "healthcheck" | "clients" | "presets" | "why" | "check")
        });
        let want = name.map_or_else(
            || "-allowGET=PATTERN".to_owned(),
            |it| format!("usage: sockwarden {it} "),
        );
        assert!(text.contains(&want), "{words:?}: {text}");
    }
    // A mistake prints the same on standard error, with another code.
    let output = Command::new(env!("CARGO_BIN_EXE_sockwarden")).args(["clients", "x"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: sockwarden clients"));
}

#[test]
fn a_check_ends_with_what_it_found() {
    let check = |args: &[&str], file: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("compose.yaml");
        std::fs::write(&path, file).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockwarden"));
        command.arg("check").args(args).env_clear().env("RIGHT", "read");
        if !file.is_empty() {
            command.arg(&path);
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let labels = |word: &str| {
        format!("services:\n  web:\n    image: x\n    labels: {{ sockwarden.allow: '{word}' }}\n")
    };
    let (code, out, _) = check(&[], &labels("${RIGHT}"));
    assert!(code == Some(0) && out.contains("web: risk B"), "{out}");
    let (code, out, _) = check(&["-sarif"], &labels("raed"));
    let sarif: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &sarif["runs"][0]["results"][0]["ruleId"]), (Some(1), &"label".into()));
    let (code, _, err) = check(&["-json"], "a: [");
    assert!(code == Some(2) && err.contains("compose.yaml` cannot be read"), "{err}");
    let (code, _, err) = check(&["-json", "-sarif"], &labels("read"));
    assert!(code == Some(2) && err.contains("one output"), "{err}");
    let (code, out, _) = check(&["-listenip", "0.0.0.0", "-allowfrm=x"], "");
    assert!(code == Some(1) && out.contains("did you mean `-allowfrom`?"), "{out}");
    // Flags and files at once.
    let (code, out, _) = check(&["-proxyport=http"], &labels("raed"));
    assert!(code == Some(1) && out.contains("2 findings"), "{out}");
}

#[test]
fn the_log_of_a_refusal_says_what_would_allow_it() {
    run(async {
        let trial = Plan::default().start(docker_like).await;
        let answer = trial.ask(get("DELETE /v1.41/volumes/data", &[])).await;
        let line = trial.program.until_logged("blocked request").await;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let fix = "`-allowDELETE='(/v1[.][0-9]+)?/volumes/[^/]+'` (SP_ALLOW_DELETE)";
        assert_eq!(line["fix"], fix);
        assert!(answer.message().contains(fix), "{}", answer.message());
        assert!(line["duration_ms"].is_f64() && line["status"] == 405, "{line}");
        assert!(line["id"].is_string(), "{line}");
        // Nothing is to be fixed where the request itself is wrong.
        trial.ask(get("GET //info", &[])).await;
        let line = trial.program.until_logged("empty segment").await;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(line.get("fix").is_none(), "{line}");
    });
}
