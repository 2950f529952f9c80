//! Requests on connections that stay.

use crate::Effort;
use crate::contender::{Builds, Kind, Rules, Running};
use crate::engine::{FakeEngine, Population};
use crate::load::Load;
use crate::programs::{in_turns, named};
use crate::table::usual_pairs;

const CONNECTIONS: [usize; 3] = [1, 16, 64];

/// Allowed requests.
pub(super) fn allowed(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    let kinds = [Kind::Direct, Kind::Sockwarden, Kind::Base, Kind::Haproxy, Kind::Peer];
    measure(
        builds,
        effort,
        &kinds,
        &[("ping", "GET /_ping"), ("list, 2 KiB", "GET /v1.41/containers/json")],
        200,
    )
}

/// Refused ones. HAProxy is there twice, because sockwarden writes a line to the log for each and a plain HAProxy does not.
pub(super) fn denied(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    let kinds = [Kind::Sockwarden, Kind::Base, Kind::Haproxy, Kind::HaproxyLog, Kind::Peer];
    measure(builds, effort, &kinds, &[("denied", "GET /v1.41/secrets")], 403)
}

fn measure(
    builds: &Builds,
    effort: Effort,
    kinds: &[Kind],
    cases: &[(&str, &'static str)],
    status: u16,
) -> anyhow::Result<()> {
    let engine = FakeEngine::start(&Population::default())?;
    let running = Running::start_all(kinds, builds, &engine, &Rules::default())?;
    for (name, asks) in cases {
        for connections in CONNECTIONS {
            let load = Load { asks, status, connections, fresh: false, window: effort.window() };
            let title = format!("{name}, {connections} connection(s)");
            in_turns(title, &load, effort.rounds(), &named(&running))?.print(&usual_pairs());
        }
    }
    Ok(())
}
