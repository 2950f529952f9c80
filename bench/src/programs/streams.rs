//! Streams that are silent most of the time, and then all speak at once.

use std::time::{Duration, Instant};

use crate::Effort;
use crate::contender::{Builds, Kind, Rules, Running};
use crate::engine::{FakeEngine, Population};
use crate::load::Listeners;
use crate::table::{Better, Figure, Table, usual_pairs};

const QUIET: &[Figure] = &[
    Figure { name: "KiB/stream", better: Better::Less, digits: 1 },
    Figure { name: "open us/stream", better: Better::Less, digits: 0 },
];
const BUSY: &[Figure] = &[
    Figure { name: "events/s", better: Better::More, digits: 0 },
    Figure { name: "CPU us/event", better: Better::Less, digits: 2 },
    Figure { name: "CPU us/s/stream", better: Better::Less, digits: 0 },
    Figure { name: "KiB/stream", better: Better::Less, digits: 1 },
];
/// How many events a second each stream is to get: what everybody carries, and what nobody does.
const EVENTS_PER_SECOND: [u64; 2] = [100, 1000];

#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(super) fn run(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    let streams = if effort.quick { 500 } else { 2000 };
    let window = if effort.quick { Duration::from_secs(1) } else { Duration::from_secs(5) };
    let rounds = if effort.quick { 2 } else { 3 };
    let mut quiet = Table::new(format!("{streams} quiet streams"), QUIET);
    let mut busy = EVENTS_PER_SECOND
        .map(|each| Table::new(format!("{streams} streams, {each} events a second to each"), BUSY));
    for _ in 0..rounds {
        for kind in [Kind::Sockwarden, Kind::Base, Kind::Haproxy, Kind::Peer] {
            // What a process has freed stays with it, so each round has a process and an engine of its own.
            let engine = FakeEngine::start(&Population::default())?;
            for running in Running::start_all(&[kind], builds, &engine, &Rules::default())? {
                let before = running.memory();
                let began = Instant::now();
                let listeners = Listeners::open(running.address, streams)?;
                let opened = began.elapsed().as_secs_f64() * 1e6 / streams as f64;
                let per_stream =
                    |bytes: u64| bytes.saturating_sub(before) as f64 / 1024.0 / streams as f64;
                quiet.add(kind.name(), &[per_stream(running.memory()), opened]);
                for (each, busy) in EVENTS_PER_SECOND.into_iter().zip(&mut busy) {
                    engine.send_events(each);
                    std::thread::sleep(window / 5);
                    let (cpu, events, began) = (running.cpu(), listeners.events(), Instant::now());
                    std::thread::sleep(window);
                    let cpu = (running.cpu() - cpu).as_secs_f64() * 1e6;
                    let events = (listeners.events() - events) as f64;
                    let took = began.elapsed().as_secs_f64();
                    let memory = per_stream(running.memory());
                    busy.add(
                        kind.name(),
                        &[events / took, cpu / events, cpu / took / streams as f64, memory],
                    );
                }
            }
        }
    }
    quiet.print(&usual_pairs());
    println!("An event for which a stream has no room is not sent to it.\n");
    for table in &busy {
        table.print(&usual_pairs());
    }
    Ok(())
}
