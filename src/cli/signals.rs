//! Signals: which end the process in order, and which do not end it.
//!
//! What a signal does by default is to end the process on the spot, and its socket file stays behind. So each signal that can be caught and
//! would end us is caught, those too that nobody should send.

use std::future::poll_fn;
use std::task::Poll;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Finish and end.
    Stop,
    /// This text for the log, and nothing else.
    GoOn(&'static str),
}

/// Signals with a meaning of their own, by their numbers in signal(7).
const KNOWN: &[(&str, i32, Meaning)] = &[
    ("SIGTERM", libc::SIGTERM, Meaning::Stop),
    ("SIGINT", libc::SIGINT, Meaning::Stop),
    ("SIGQUIT", libc::SIGQUIT, Meaning::Stop),
    (
        "SIGHUP",
        libc::SIGHUP,
        Meaning::GoOn("nothing to reload yet: restart sockwarden to change its flags"),
    ),
    ("SIGUSR1", libc::SIGUSR1, Meaning::GoOn("it means nothing to sockwarden")),
    ("SIGUSR2", libc::SIGUSR2, Meaning::GoOn("it means nothing to sockwarden")),
    ("SIGALRM", libc::SIGALRM, Meaning::Stop),
    ("SIGVTALRM", libc::SIGVTALRM, Meaning::Stop),
    ("SIGPROF", libc::SIGPROF, Meaning::Stop),
    ("SIGXCPU", libc::SIGXCPU, Meaning::Stop),
    ("SIGXFSZ", libc::SIGXFSZ, Meaning::Stop),
    ("SIGIO", libc::SIGIO, Meaning::Stop),
    ("SIGPWR", libc::SIGPWR, Meaning::Stop),
    ("SIGSTKFLT", libc::SIGSTKFLT, Meaning::Stop),
];

/// Real-time signals end a process as well; systemd and some images stop theirs with `SIGRTMIN+3`.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// Done at the first signal that asks for a stop; the others are logged.
pub(super) fn stop() -> anyhow::Result<impl Future<Output = ()>> {
    let real_time = REAL_TIME.map(|number| ("a real-time signal", number, Meaning::Stop));
    let mut caught = Vec::new();
    for (name, number, meaning) in KNOWN.iter().copied().chain(real_time) {
        let caught_signal = signal(SignalKind::from_raw(number));
        // Who runs us may keep one for himself: valgrind does so with the last.
        if number == *REAL_TIME.end() && caught_signal.is_err() {
            continue;
        }
        let signal = caught_signal.with_context(|| format!("{name} cannot be caught"))?;
        caught.push((name, meaning, signal));
    }
    Ok(async move {
        loop {
            let (name, meaning) = next(&mut caught).await;
            match meaning {
                Meaning::Stop => {
                    tracing::info!(signal = name, "asked to stop");
                    return;
                }
                Meaning::GoOn(why) => tracing::warn!(signal = name, "{name}: {why}; going on"),
            }
        }
    })
}

async fn next(caught: &mut [(&'static str, Meaning, Signal)]) -> (&'static str, Meaning) {
    poll_fn(|cx| {
        for (name, meaning, signal) in caught.iter_mut() {
            if signal.poll_recv(cx).is_ready() {
                return Poll::Ready((*name, *meaning));
            }
        }
        Poll::Pending
    })
    .await
}
