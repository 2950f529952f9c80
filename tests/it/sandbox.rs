//! The program as it is started, in its sandbox: every thread is in it, and serving works all the same.

use std::path::Path;

use tokio::net::{TcpStream, UnixStream};

use crate::program::{Program, status};
use crate::support::{get, run};

/// What holds for this process, and so for its children to begin with.
fn of_ours(name: &str) -> String {
    status(Path::new("/proc/self/status"), name).unwrap()
}

/// The program that allows `GET /info`, with these words more.
fn start(words: &[&str]) -> Program {
    Program::start(&[&["-allowGET=/info"], words].concat(), &[])
}

/// Its answer to `GET /info`, as soon as it listens.
async fn ask<S>(connect: impl AsyncFn() -> std::io::Result<S>) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    crate::program::ask(connect, &get("GET /info", &["Connection: close"])).await
}

#[test]
fn every_thread_is_in_the_sandbox_and_serving_works() {
    run(async {
        let program = start(&["-proxysocketendpoint=DIR/proxy.sock"]);
        let path = program.path("proxy.sock");
        let answer = ask(async || UnixStream::connect(&path).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let many = program.of_threads("Name").len();
        assert!(many > 2, "{many} threads");
        for (name, want) in [("NoNewPrivs", "1"), ("Seccomp", "2")] {
            let states = program.of_threads(name);
            assert!(states.len() > 2 && states.iter().all(|state| state == want), "{states:?}");
        }
        let filters: u32 = of_ours("Seccomp_filters").parse().unwrap();
        let with_ours = (filters + 1).to_string();
        let states = program.of_threads("Seccomp_filters");
        assert!(states.iter().all(|state| *state == with_ours), "{states:?}");
        // The socket is removed by a process that may remove nothing elsewhere.
        let (code, log) = program.stop().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(!path.exists(), "the socket was left behind");
        assert!(log.contains("msg=\"the sandbox is closed\" no_new_privs=on"), "{log}");
    });
}

#[test]
fn the_sandbox_can_be_switched_off() {
    run(async {
        let program = start(&["-proxysocketendpoint=DIR/proxy.sock", "-nosandbox"]);
        let path = program.path("proxy.sock");
        let answer = ask(async || UnixStream::connect(&path).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        for name in ["NoNewPrivs", "Seccomp", "Seccomp_filters"] {
            let states = program.of_threads(name);
            assert!(states.iter().all(|state| *state == of_ours(name)), "{name}: {states:?}");
        }
        let (code, log) = program.stop().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("level=WARN msg=\"the sandbox is off"), "{log}");
    });
}

/// Looking names up takes files, threads, netlink and perhaps a name server; all of that happens inside.
#[test]
fn names_are_looked_up_inside() {
    run(async {
        // An address that nobody else listens on, because this process's number is in it.
        let id = std::process::id();
        let address = format!("127.{}.{}.{}", 100 + id / 65536 % 100, id / 256 % 256, id % 256);
        let listen = format!("-listenip={address}");
        let program = start(&[&listen, "-proxyport=2375", "-allowfrom=localhost"]);
        let answer = ask(async || TcpStream::connect((address.as_str(), 2375)).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let (code, log) = program.stop().await;
        assert_eq!(code, Some(0), "{log}");

        let program = start(&[&listen, "-proxyport=2375", "-allowfrom=no-such.invalid"]);
        let answer = ask(async || TcpStream::connect((address.as_str(), 2375)).await).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        program.stop().await;
    });
}
