//! `sockwarden clients`: who the running proxy knows, and what each may do.

use std::ffi::OsString;
use std::fmt::Write as _;

use anyhow::Context as _;
use serde::Deserialize;

use super::{complain, exit, misused, parse_pid, print_out, small_runtime};
use crate::admin;
use crate::registry::ClientReport;

#[derive(Deserialize)]
struct Answer {
    fresh: bool,
    clients: Vec<ClientReport>,
}

pub(super) fn run(args: &[OsString]) -> anyhow::Result<u8> {
    let pid = match parse_pid(args) {
        Ok(pid) => pid,
        Err(what) => return Ok(misused(&what, "usage: sockwarden clients [-pid PID]")),
    };
    let (status, body) = small_runtime()?.block_on(admin::ask(pid, "/clients"))?;
    if !status.is_success() {
        let message: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        complain(
            message
                .get("message")
                .and_then(serde_json::Value::as_str)
                .unwrap_or("the running sockwarden gave no reason"),
        );
        return Ok(exit::FAILED);
    }
    let answer: Answer =
        serde_json::from_slice(&body).context("the running sockwarden is of another version")?;
    if !answer.fresh {
        complain(
            "the engine's events are lost right now; every request is judged by asking the engine",
        );
    }
    print_out(&table(&answer.clients))
}

fn table(clients: &[ClientReport]) -> String {
    if clients.is_empty() {
        return "no container has a label of ours or shares a network with the proxy\n".to_owned();
    }
    let mut text = String::new();
    for client in clients {
        let _ = writeln!(
            text,
            "{}  {}  {}  {} open connections",
            client.name, client.id, client.state, client.connections
        );
        for network in &client.networks {
            let note = if network.shared { "" } else { " (not shared with the proxy)" };
            let _ = writeln!(
                text,
                "    network  {}  {}{note}",
                network.network,
                network.addresses.join("  ")
            );
        }
        let _ = writeln!(text, "    may      {}", client.rights);
        for warning in &client.warnings {
            let _ = writeln!(text, "    warning  {warning}");
        }
        if let Some(refusal) = &client.last_refusal {
            let _ = writeln!(text, "    refused  {refusal}");
        }
    }
    text
}
