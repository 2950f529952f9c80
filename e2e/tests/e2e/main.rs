//! The client suite. See the crate's documentation for how it is run.

mod docker_cli;
mod killed_clients;
mod recreate;
mod wire;
