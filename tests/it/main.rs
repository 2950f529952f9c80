//! Black-box tests of the protocol: real sockets, exact bytes, and an engine that records what reached it. No Docker, no root.
//!
//! Every case looks at both sides: at what the client was told, and at what the engine saw.
#![cfg(test)]

#[path = "../support/fake_engine.rs"]
mod fake_engine;
#[path = "../support/relay.rs"]
mod relay;
mod support;

mod bodies;
mod carrying;
mod faults;
mod framing;
mod going_away;
mod hijack;
mod in_force;
mod limits;
mod memory;
mod neighbours;
mod panics;
mod program;
mod refusals;
mod routing;
mod running;
mod sandbox;
mod settings;
