//! The engine's socket, with two doors: [`Link::send`] for what clients were allowed, and [`Engine::ask_for`] for our own reading.

mod door;
mod error;
pub mod events;
pub mod head;
mod link;
pub mod questions;
#[cfg(test)]
pub(crate) mod scripted;
pub mod told;
mod transfer;
mod watchdog;

pub use door::Engine;
pub use error::EngineError;
pub use link::{Answer, AnswerBody, EngineEnd, Link};
pub use questions::{EngineVersion, OwnCall};
pub use transfer::EngineBody;
pub use watchdog::Watchdog;
