//! Mixes everything that goes wrong around sockwarden for so many minutes, holds every answer against an expectation of its own, and prints
//! a table: `sockwarden-soak [-minutes N] [-seed N] [-binary PATH] [-trace FILE]`. It needs no network and no Docker. A part of a minute is
//! a number too. With `-trace` strace(1) writes into the file each system call of the program, which is much slower then.
//!
//! Now and then everybody pauses, and what the program holds then is compared with what it held the first time.

mod actors;
mod engine;
mod proxy;
mod random;
mod rules;
mod tally;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use actors::{Actor, Role};
use engine::FakeEngine;
use proxy::{Footprint, Proxy};
use random::Random;
use tally::{Tally, read};

/// How many connections one client may have; few, so that it is reached.
pub(crate) const CONNECTIONS_PER_CLIENT: usize = 150;
/// How many clients there are of each role.
const CLIENTS_PER_ROLE: u8 = 4;
/// How long everybody goes on between two pauses.
const STRETCH: Duration = Duration::from_secs(60);
/// How long it may take in a pause until everything has come back.
const RECOVERY: Duration = Duration::from_secs(15);

struct Options {
    minutes: f64,
    seed: u64,
    binary: PathBuf,
    trace: Option<PathBuf>,
}

const USAGE: &str = "usage: sockwarden-soak [-minutes N] [-seed N] [-binary PATH] [-trace FILE]";

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("soak: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let soaked = runtime.context("no runtime").and_then(|runtime| {
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            tokio::select! {
                soaked = run(&options) => soaked,
                // Dropping what runs takes the proxy along.
                _ = tokio::signal::ctrl_c() => bail!("interrupted"),
                _ = terminate.recv() => bail!("told to stop"),
            }
        })
    });
    match soaked {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options {
        minutes: 1.0,
        seed: std::process::id().into(),
        binary: "target/release/sockwarden".into(),
        trace: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("`{word}` needs a value"))?;
        match word.as_str() {
            "-minutes" => options.minutes = value.parse().context("-minutes is a number")?,
            "-seed" => options.seed = value.parse().context("-seed is a number")?,
            "-binary" => options.binary = value.into(),
            "-trace" => options.trace = Some(value.into()),
            _ => bail!("`{word}` is not known"),
        }
    }
    Ok(options)
}

async fn run(options: &Options) -> anyhow::Result<bool> {
    let dir = tempfile::tempdir()?;
    let socket = dir.path().join("docker.sock");
    let log = dir.path().join("log");
    let tally = Arc::new(Tally::default());
    let mut engine = FakeEngine::start(&socket, Arc::clone(&tally))?;
    let address =
        std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?;
    let mut proxy =
        Proxy::start(&options.binary, options.trace.as_deref(), &socket, address, &log)?;
    proxy.until_ready(address).await?;

    let (over, pause) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut actors = JoinSet::new();
    for (number, role) in (1_u8..).zip(Role::ALL) {
        for client in 1..=CLIENTS_PER_ROLE {
            let actor = Actor {
                proxy: address,
                address: Ipv4Addr::new(127, 7, number, client),
                random: Random::new(options.seed + u64::from(number) * 100 + u64::from(client)),
                tally: Arc::clone(&tally),
                pause: Arc::clone(&pause),
                role,
                turn: 0,
            };
            actors.spawn(actor.play(Arc::clone(&over)));
        }
    }

    let began = Instant::now();
    let end = began + Duration::try_from_secs_f64(options.minutes * 60.0)?;
    let mut pauses: Vec<(u64, Footprint)> = Vec::new();
    while Instant::now() < end {
        let stretch = Instant::now() + STRETCH.min(end - Instant::now());
        tokio::time::sleep_until((Instant::now() + STRETCH / 2).min(stretch).into()).await;
        engine.restart().await?;
        tokio::time::sleep_until(stretch.into()).await;
        pause.store(true, Ordering::SeqCst);
        let rest = until_at_rest(&mut proxy, pauses.first().map(|(_, rest)| rest)).await?;
        pauses.push((began.elapsed().as_secs(), rest));
        eprintln!(
            "soak: {} s, {} requests, {rest:?}",
            began.elapsed().as_secs(),
            read(&tally.requests)
        );
        pause.store(false, Ordering::SeqCst);
    }
    over.store(true, Ordering::SeqCst);
    while let Some(ended) = actors.join_next().await {
        ended.context("a client failed")?;
    }
    let ended = proxy.stop().await?;
    let log = std::fs::read_to_string(&log)?;
    let bugs = log.lines().filter(|line| line.contains("please report")).count();
    table(options, &tally, &pauses, &ended, bugs);
    let panics = pauses.last().map_or(0, |(_, rest)| rest.panics);
    Ok(tally.is_clean() && panics == 0 && bugs == 0 && ended == "exit status: 0")
}

/// Waits until nobody is connected and as little is held as the first time.
async fn until_at_rest(proxy: &mut Proxy, first: Option<&Footprint>) -> anyhow::Result<Footprint> {
    let deadline = Instant::now() + RECOVERY;
    loop {
        let now = proxy.footprint()?;
        let is_back = first
            .is_none_or(|first| now.descriptors <= first.descriptors && now.tasks <= first.tasks);
        // A first look without anything to compare with waits for the slowest: a connection whose client is gone lasts a second.
        if now.connections == 0
            && is_back
            && (first.is_some() || Instant::now() + RECOVERY / 2 > deadline)
        {
            return Ok(now);
        }
        if Instant::now() > deadline {
            if now.connections == 0 {
                return Ok(now);
            }
            bail!("{} connections are left of nobody", now.connections);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn table(options: &Options, tally: &Tally, pauses: &[(u64, Footprint)], ended: &str, bugs: usize) {
    let row = |name: &str, value: String| println!("| {name} | {value} |");
    let number = |name: &str, counter| row(name, read(counter).to_string());
    println!("| {} minutes, seed {} | |", options.minutes, options.seed);
    println!("|---|---|");
    number("Requests answered as expected", &tally.requests);
    number("of these rightly refused", &tally.refusals);
    number("Streams and tunnels", &tally.streams);
    number("Connections broken off by clients", &tally.aborts);
    number("Cuts and 502 because the engine failed", &tally.cuts);
    number("Turned away by a limit", &tally.limited);
    row("Bytes compared", format!("{:.1} GiB", read(&tally.bytes) as f64 / f64::from(1 << 30)));
    number("Restarts of the engine", &tally.restarts);
    number("Events", &tally.events);
    number("**False allows**", &tally.false_allows);
    number("**False refusals**", &tally.false_refusals);
    number("**Wrong answers**", &tally.wrong_answers);
    if let (Some((_, first)), Some((_, last))) = (pauses.first(), pauses.last()) {
        let most = pauses.iter().map(|(_, rest)| rest.resident_kib).max().unwrap_or(0);
        row("Panics", format!("{} counted, {bugs} logged", last.panics));
        row(
            "Descriptors at rest, first and last",
            format!("{}, {}", first.descriptors, last.descriptors),
        );
        row("Tasks at rest, first and last", format!("{}, {}", first.tasks, last.tasks));
        row(
            "Resident memory at rest: first, last, most",
            format!("{} KiB, {} KiB, {most} KiB", first.resident_kib, last.resident_kib),
        );
        let series: Vec<String> =
            pauses.iter().map(|(at, rest)| format!("{at}s {}", rest.resident_kib)).collect();
        eprintln!("soak: resident KiB at rest: {}", series.join(", "));
    }
    row("End after SIGTERM", ended.to_owned());
}
