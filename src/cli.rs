//! The subcommands, a function each. Nothing here decides; `serve` is the one without a name.

mod check;
mod clients;
mod presets;
mod request;
mod signals;
mod terminal;
mod why;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::admin;
use crate::config::{self, Assumed, Config, Loaded};
use crate::log;
use crate::run;
use crate::run::Ended;
use crate::sandbox;
use crate::setting::SettingName;
use crate::startup;
use crate::workers::{self, Workers};
use terminal::{complain, exit, print_out, small_runtime};

/// More worker threads than this gain nothing in front of one engine.
const MOST_WORKERS: usize = 4;

/// Runs what the command line asks for.
///
/// Under the program name `healthcheck` it is that subcommand: Compose files made for socket-proxy have `test: ["CMD", "./healthcheck"]`.
pub fn main(
    program: &OsStr,
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if Path::new(program).file_name().is_some_and(|name| name == "healthcheck") {
        args.insert(0, "healthcheck".into());
    }
    let (first, rest) =
        args.split_first().map_or((None, [].as_slice()), |(first, rest)| (first.to_str(), rest));
    let code = match first {
        Some("request") => request::run(rest, env),
        Some("healthcheck") => healthcheck(rest),
        Some("clients") => clients::run(rest),
        Some("check") => check::run(rest, env),
        Some("presets") => presets::run(rest),
        Some("why") => why::run(rest),
        Some("serve") => serve(rest.to_vec(), env),
        Some("help") => print_out(&help(rest)),
        Some("version") if rest.is_empty() => print_out(VERSION),
        _ => serve(args, env),
    };
    ExitCode::from(code.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        exit::FAILED
    }))
}

const VERSION: &str = concat!("sockwarden ", env!("CARGO_PKG_VERSION"), "\n");

fn serve(
    args: Vec<OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<u8> {
    // Before the sandbox, which closes the files that tell.
    let place = startup::place(Path::new("/"));
    let mut config = match Config::load_at(args, env, place) {
        Ok(Loaded::Serve(config)) => *config,
        Ok(Loaded::Help) => return print_out(&config::help()),
        Ok(Loaded::Version) => {
            return print_out(VERSION);
        }
        Err(mistakes) => {
            complain(mistakes.to_string().trim_end());
            return Ok(exit::UNUSABLE);
        }
    };
    if config.assumed == Assumed::Sections {
        config.allow_from.extend(startup::attached_networks(Path::new("/")));
    }
    SettingName::call_by_variable(&config.by_variable);
    // It reads files to find out.
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    // Before the first thread: what is given up holds for this one and those it starts.
    let sandbox = config.sandbox.then(|| sandbox::enter(&config));
    let _logging = log::start(config.log).context("logging cannot be started")?;
    if let Some(entered) = sandbox {
        entered.report();
    } else {
        tracing::warn!(
            "the sandbox is off, as {} says; switch it on again when you know what was in its way",
            SettingName::NoSandbox
        );
    }
    let started = Workers::start(workers).and_then(|workers| Ok((workers, workers::runtime()?)));
    let (workers, runtime) =
        started.context("the threads that serve requests cannot be started")?;
    let result = runtime.block_on(async {
        let asked = signals::stop()?;
        let (ready, _) = oneshot::channel();
        Ok::<_, anyhow::Error>(run::serve(config, workers, asked, ready).await)
    })?;
    // A name look-up that hangs must not hold the exit.
    runtime.shutdown_background();
    Ok(match result {
        Ok(Ended::Asked) => exit::STOPPED,
        Ok(Ended::Watchdog) => exit::WATCHDOG,
        Ok(Ended::Failed) => exit::FAILED,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "sockwarden cannot start");
            exit::UNUSABLE
        }
    })
}

fn healthcheck(args: &[OsString]) -> anyhow::Result<u8> {
    let pid = match terminal::pid("healthcheck", args) {
        Ok(pid) => pid,
        Err(ended) => return ended,
    };
    let (status, body) = small_runtime()?.block_on(admin::ask(pid, "/health"))?;
    print_out(&String::from_utf8_lossy(&body))?;
    Ok(if status.is_success() { exit::STOPPED } else { exit::FAILED })
}

/// The help of a subcommand where one is named, else all of it.
fn help(words: &[OsString]) -> String {
    match words.first().and_then(|word| word.to_str()) {
        Some(name) if name != "serve" => config::help_of(name),
        _ => config::help(),
    }
}
