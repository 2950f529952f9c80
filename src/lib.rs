//! sockwarden: a default-deny filtering proxy for the Docker socket.
pub mod admin;
pub mod admission;
pub mod audit;
pub mod cli;
pub mod client;
pub mod config;
pub mod engine;
pub mod listen;
pub mod log;
pub mod policy;
pub mod proxy;
pub mod registry;
pub mod request;
pub mod rule;
pub mod run;
pub mod socket;
pub mod startup;
