//! From the start of the process to its first answer, and what it holds before the first client.

use crate::Effort;
use crate::contender::{Builds, Kind, Rules, Running};
use crate::engine::{FakeEngine, Population};
use crate::table::{Better, Figure, Table, usual_pairs};

const FIGURES: &[Figure] = &[
    Figure { name: "first answer ms", better: Better::Less, digits: 1 },
    Figure { name: "memory MiB", better: Better::Less, digits: 1 },
];

pub(super) fn run(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    let engine = FakeEngine::start(&Population::default())?;
    let mut table = Table::new("start", FIGURES);
    for _ in 0..3 * effort.rounds() {
        for kind in [Kind::Sockwarden, Kind::Base, Kind::Haproxy, Kind::Peer] {
            for running in Running::start_all(&[kind], builds, &engine, &Rules::default())? {
                #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
                let memory = running.memory() as f64 / 1048576.0;
                table.add(kind.name(), &[running.started_in.as_secs_f64() * 1e3, memory]);
            }
        }
    }
    table.print(&usual_pairs());
    Ok(())
}
