//! sockwarden: a default-deny filtering proxy for the Docker socket.
pub mod config;
pub mod request;
pub mod rule;
