//! A simulation of the registry: whatever happens at the engine, nobody has a right that the engine's present state does not give.
//!
//! The real registry and real visitors meet a scripted engine, under a clock that jumps from one moment to the next at which something is
//! due. A seed decides what happens: containers start, stop, are renamed, share a network and take over each other's addresses; we join and
//! leave networks; events come late, twice, in another order or not at all; the engine is slow or refuses. Each answer and, after every
//! step, each open connection is held against what is true at the engine.
//!
//! `cargo test` runs 256 seeds. `SOCKWARDEN_SEEDS=10000 cargo test --lib simulation` runs more of them, and `SOCKWARDEN_SEED=17` with the
//! same command runs one. A seed that fails prints itself and its steps.
//!
//! The simulation itself is tested too: old bugs are made again, and it must notice each.

mod connection;
mod dice;
mod engine;
mod grace;
mod simulation;
mod story;
mod world;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::registry::mistakes::{self, Mistake};
use simulation::Simulation;

const SEEDS: Range<u64> = 0..256;

/// Lives through one seed, on this thread alone; `engine_hides` its departures if it is to.
fn live(seed: u64, engine_hides: bool) -> Result<(), String> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
        let living = async { Simulation::new(seed, engine_hides).await.run().await };
        // The clock jumps, so what hangs is over at once.
        let lived = tokio::time::timeout(Duration::from_hours(2), living).await;
        let lived = lived.unwrap_or_else(|_| Err("it hangs".to_owned()));
        lived.map_err(|story| format!("SOCKWARDEN_SEED={seed}\n{story}"))
    })
}

/// What a seed that fails has to say, if one of these does; all processors look for it.
fn failure(seeds: Range<u64>, mistake: Option<Mistake>, engine_hides: bool) -> Option<String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let is_found = AtomicBool::new(false);
    let find = &|first: usize| {
        mistakes::make(mistake);
        let mine = seeds.clone().skip(first).step_by(threads);
        let mut mine = mine.take_while(|_| !is_found.load(Ordering::Relaxed));
        let story = mine.find_map(|seed| live(seed, engine_hides).err());
        is_found.fetch_or(story.is_some(), Ordering::Relaxed);
        story
    };
    thread::scope(|scope| {
        let finding: Vec<_> = (0..threads).map(|first| scope.spawn(move || find(first))).collect();
        let found: Vec<_> = finding.into_iter().map(|it| it.join().unwrap()).collect();
        found.into_iter().flatten().next()
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|it| it.parse().expect("a number"))
}

#[test]
fn the_simulation_finds_no_right_that_the_engine_does_not_give() {
    let seeds = match (number("SOCKWARDEN_SEED"), number("SOCKWARDEN_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => SEEDS,
    };
    if let Some(story) = failure(seeds, None, false) {
        panic!("{story}");
    }
}

#[test]
fn the_simulation_notices_an_address_that_is_reused_unseen() {
    assert!(failure(SEEDS, Some(Mistake::BelievesAcrossBreaks), false).is_some());
}

#[test]
fn the_simulation_notices_a_departure_that_is_missed_while_the_engine_is_asked() {
    assert!(failure(SEEDS, Some(Mistake::MissesDepartures), false).is_some());
}

#[test]
fn the_simulation_notices_a_connection_that_opens_with_an_old_answer() {
    assert!(failure(SEEDS, Some(Mistake::OpensWithOldAnswers), false).is_some());
}

#[test]
fn the_simulation_notices_a_sharer_that_nobody_asks_about() {
    assert!(failure(SEEDS, Some(Mistake::ForgetsSharers), false).is_some());
}

#[test]
fn the_simulation_notices_a_step_of_a_build_that_nobody_asks_about() {
    assert!(failure(SEEDS, Some(Mistake::TrustsSteps), false).is_some());
}

#[test]
fn the_simulation_notices_a_creator_that_is_never_gone() {
    assert!(failure(SEEDS, Some(Mistake::KeepsTheDeparted), false).is_some());
}

#[test]
fn the_simulation_notices_a_creator_that_gives_way_to_nobody() {
    assert!(failure(SEEDS, Some(Mistake::IgnoresSuccessors), false).is_some());
}

/// Here nothing in the program is wrong: it is as if it did not listen.
#[test]
fn the_simulation_notices_departures_that_are_not_listened_to() {
    assert!(failure(SEEDS, None, true).is_some());
}
