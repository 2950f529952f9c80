//! The programs.

mod bulk;
mod connect;
mod growth;
mod keepalive;
mod memory;
mod startup;
mod streams;

use std::time::Duration;

use crate::Effort;
use crate::contender::{Builds, Running};
use crate::load::{Load, Outcome};
use crate::table::{Better, Figure, Table};

/// One thing to measure.
pub(crate) struct Program {
    /// How it is called.
    pub(crate) name: &'static str,
    /// What it measures.
    pub(crate) about: &'static str,
    /// Does it.
    pub(crate) run: fn(&Builds, Effort) -> anyhow::Result<()>,
}

/// All there are.
pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "keepalive",
        about: "requests on connections that stay: a ping and a list of 2 KiB, on 1, 16 and 64 connections",
        run: keepalive::allowed,
    },
    Program {
        name: "denied",
        about: "refused requests on connections that stay, on 1, 16 and 64 connections",
        run: keepalive::denied,
    },
    Program {
        name: "connect",
        about: "a new connection for each request, with clients told apart by address and by container",
        run: connect::run,
    },
    Program { name: "bulk", about: "a body of 1 GiB, down and up", run: bulk::run },
    Program {
        name: "streams",
        about: "2,000 event streams: memory while they are quiet, CPU while events come",
        run: streams::run,
    },
    Program {
        name: "growth",
        about: "20 or 10,000 known containers, 1 or 200 patterns",
        run: growth::run,
    },
    Program {
        name: "memory",
        about: "attacks on memory, each alone: fails where the process grows by more than 96 MiB or keeps more than 32",
        run: memory::run,
    },
    Program {
        name: "startup",
        about: "time to the first answer, and memory before the first client",
        run: startup::run,
    },
];

/// The figures of a load.
const LOAD: &[Figure] = &[
    Figure { name: "requests/s", better: Better::More, digits: 0 },
    Figure { name: "p50 ms", better: Better::Less, digits: 3 },
    Figure { name: "p99 ms", better: Better::Less, digits: 3 },
    Figure { name: "CPU us/request", better: Better::Less, digits: 2 },
];

impl Outcome {
    fn values(&self) -> [f64; 4] {
        [self.rate, self.p50, self.p99, self.cpu]
    }
}

/// Puts a load on each in turns, as often as there are rounds.
fn in_turns(
    title: String,
    load: &Load,
    rounds: usize,
    contenders: &[(&str, &Running)],
) -> anyhow::Result<Table> {
    let mut table = Table::new(title, LOAD);
    for round in 0..rounds {
        for index in 0..contenders.len() {
            // Nobody is always first.
            let (name, running) = contenders[(index + round) % contenders.len()];
            table.add(name, &load.run(running)?.values());
        }
    }
    Ok(table)
}

fn named(running: &[Running]) -> Vec<(&'static str, &Running)> {
    running.iter().map(|running| (running.kind.name(), running)).collect()
}

impl Effort {
    fn rounds(self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    fn window(self) -> Duration {
        if self.quick { Duration::from_millis(250) } else { Duration::from_millis(800) }
    }
}
