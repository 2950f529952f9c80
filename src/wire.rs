//! HTTP/1.1 messages as bytes on a socket: what the client's side and the engine's side have in common.

mod client_body;
pub mod framing;
mod incoming;
mod outgoing;
mod reading;

pub use client_body::{ClientBody, Interim};
pub use framing::Framing;
pub use incoming::Incoming;
pub use outgoing::Outgoing;
pub use reading::{Reading, Sender, Unclear};
