//! Whether it costs more where there is more: containers that are known, patterns in a list.

use crate::Effort;
use crate::contender::{Builds, Identity, Kind, Rules, Running};
use crate::engine::{FakeEngine, Population};
use crate::load::Load;
use crate::programs::in_turns;
use crate::table::{Better, Figure, Table};

const MEMORY: &[Figure] = &[Figure { name: "memory MiB", better: Better::Less, digits: 1 }];

pub(super) fn run(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    containers(builds, effort)?;
    patterns(builds, effort)
}

fn containers(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    const NAMES: [&str; 2] = ["20 containers", "10,000 containers"];
    let engines = [20, 10_000]
        .map(|containers| FakeEngine::start(&Population { containers, ..Population::default() }));
    let [few, many] = engines;
    let (few, many) = (few?, many?);
    let no_rules = Rules(Vec::new());
    let start = |engine| Running::start(Kind::Sockwarden, builds, engine, &no_rules, Identity::On);
    let running = [start(&few)?, start(&many)?];
    let contenders: Vec<_> = NAMES.into_iter().zip(&running).collect();
    let pair = [(NAMES[1], NAMES[0])];
    for (fresh, connections, what) in
        [(false, 16, "kept connections"), (true, 1, "new connections")]
    {
        let asks = "GET /v1.41/containers/json";
        let load = Load { asks, status: 200, connections, fresh, window: effort.window() };
        in_turns(what.to_owned(), &load, effort.rounds(), &contenders)?.print(&pair);
    }
    let mut table = Table::new("memory after that", MEMORY);
    for (name, running) in contenders {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        table.add(name, &[running.memory() as f64 / 1048576.0]);
    }
    table.print(&pair);
    Ok(())
}

fn patterns(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    const NAMES: [&str; 2] = ["1 pattern", "200 patterns"];
    let engine = FakeEngine::start(&Population::default())?;
    let wanted = ("GET", "(/v1[.][0-9]+)?/(_ping|containers/json)".to_owned());
    let one = Rules(vec![wanted.clone()]);
    // The one that matches comes last.
    let many = (0..199)
        .map(|number| ("GET", format!("/v1[.][0-9]+/containers/app-{number}/(json|logs|stats)")));
    let many = Rules(many.chain([wanted]).collect());
    let kinds = [
        (Kind::Sockwarden, &one, NAMES[0]),
        (Kind::Sockwarden, &many, NAMES[1]),
        (Kind::Haproxy, &one, "haproxy, 1 pattern"),
        (Kind::Haproxy, &many, "haproxy, 200 patterns"),
    ];
    let mut running = Vec::new();
    for (kind, rules, name) in kinds {
        if kind == Kind::Sockwarden || builds.has_haproxy() {
            running.push((name, Running::start(kind, builds, &engine, rules, Identity::Off)?));
        }
    }
    let contenders: Vec<_> = running.iter().map(|(name, running)| (*name, running)).collect();
    let pairs = [(NAMES[1], NAMES[0]), (NAMES[1], "haproxy, 200 patterns")];
    for (what, asks, status) in [
        ("the last pattern allows", "GET /v1.41/containers/json", 200),
        ("no pattern allows", "GET /v1.41/containers/app-x/json", 403),
    ] {
        let load = Load { asks, status, connections: 16, fresh: false, window: effort.window() };
        in_turns(what.to_owned(), &load, effort.rounds(), &contenders)?.print(&pairs);
    }
    Ok(())
}
