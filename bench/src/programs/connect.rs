//! A new connection for each request, as from a script that runs curl.

use crate::Effort;
use crate::contender::{Builds, Identity, Kind, Rules, Running};
use crate::engine::{FakeEngine, Population};
use crate::load::Load;
use crate::programs::{in_turns, named};
use crate::table::usual_pairs;

pub(super) fn run(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    let engine = FakeEngine::start(&Population::default())?;
    let kinds = [Kind::Direct, Kind::Sockwarden, Kind::Base, Kind::Haproxy, Kind::Peer];
    let running = Running::start_all(&kinds, builds, &engine, &Rules::default())?;
    let no_rules = Rules(Vec::new());
    let start = |kind| Running::start(kind, builds, &engine, &no_rules, Identity::On);
    let by_container = start(Kind::Sockwarden)?;
    let base = if running.iter().any(|running| running.kind == Kind::Base) {
        Some(start(Kind::Base)?)
    } else {
        None
    };
    let mut contenders = named(&running);
    contenders.push(("sockwarden, by container", &by_container));
    if let Some(base) = &base {
        contenders.push(("base, by container", base));
    }
    let mut pairs = usual_pairs();
    pairs.push(("sockwarden, by container", "sockwarden"));
    pairs.push(("sockwarden, by container", "haproxy"));
    pairs.push(("sockwarden, by container", "base, by container"));
    for connections in [1, 16] {
        let asks = "GET /v1.41/containers/json";
        let load = Load { asks, status: 200, connections, fresh: true, window: effort.window() };
        let title = format!("new connections, {connections} at once");
        in_turns(title, &load, effort.rounds(), &contenders)?.print(&pairs);
    }
    Ok(())
}
