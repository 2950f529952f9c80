//! The harness: a real Docker Engine, sockwarden in front of it as a process, and what watches both.
//!
//! `cargo test -p sockwarden-e2e` runs the suite. `SOCKWARDEN_UNDER_TEST` says what the clients talk to: `through` (the default) runs every
//! scenario straight on the engine and then through an allow-all sockwarden, and compares the two; `direct` runs the first half only, which
//! tells a broken suite from a broken proxy. Without an engine every test says so and passes; with `CI` set it fails.
//!
//! | variable | meaning |
//! |---|---|
//! | `SOCKWARDEN_BIN` | the binary under test; built with cargo when unset |
//! | `SOCKWARDEN_TEST_ENGINE` | the engine's socket; default `/var/run/docker.sock` |
//! | `SOCKWARDEN_TEST_BUSYBOX` | a static busybox for the test image; default the one in `PATH` |
//! | `DOCKER_PY` | a Python that has docker-py; those in `PATH` are tried as well |
//! | `DOCKER_CLI_28`, `DOCKER_CLI_20` | the docker CLIs; default whatever is found, sorted by its version |
//! | `DOCKER_CLI_PLUGINS` | a directory with the newer CLI's plugins, buildx and Compose 2; `e2e/engines clients` brings one |
//! | `DOCKER_COMPOSE_5` | the newest Compose, a program of its own |

pub mod cli;
pub mod engine;
pub mod http;
pub mod memory;
pub mod process;
pub mod proxy;
pub mod relay;
pub mod swarm;
pub mod tar;
pub mod transcript;
pub mod wait;

use std::io::Write;

/// What the clients talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The engine itself.
    Direct,
    /// An allow-all sockwarden in front of it.
    Through,
}

impl Target {
    /// The targets every scenario runs on, from `SOCKWARDEN_UNDER_TEST`.
    pub fn under_test() -> &'static [Self] {
        match std::env::var("SOCKWARDEN_UNDER_TEST").as_deref() {
            Ok("direct") => &[Self::Direct],
            Ok("through") | Err(_) => &[Self::Direct, Self::Through],
            Ok(other) => {
                panic!("SOCKWARDEN_UNDER_TEST is `{other}`; valid are `direct` and `through`")
            }
        }
    }
}

/// Says loudly that a test cannot run here; fails where nobody reads along.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "cannot run in CI: {why}");
    set_aside(why);
}

/// Says loudly that a test, or the rest of it, does not run on this engine. `e2e/matrix` counts the lines.
pub fn set_aside(why: &str) {
    let current = std::thread::current();
    let test = current.name().unwrap_or("a test");
    // Past the test harness's capture, which swallows what passing tests print.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {}", why.replace('\n', " "));
}

/// Runs a scenario on the engine itself. The scenarios say what Docker does; what another engine does otherwise without us is no matter of
/// ours, so a test that fails there is set aside.
pub fn directly<T>(engine: &engine::Engine, scenario: impl FnOnce() -> T) -> Option<T> {
    if !engine.is_podman() {
        return Some(scenario());
    }
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(scenario)).ok();
    if done.is_none() {
        set_aside("it fails on this engine directly");
    }
    done
}

/// The engine, or an early return from a test that cannot run without one.
#[macro_export]
macro_rules! engine_or_skip {
    () => {
        match $crate::engine::Engine::present() {
            Some(engine) => engine,
            None => return,
        }
    };
}
