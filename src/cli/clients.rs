//! `sockwarden clients`: who the running proxy knows, and what each may do.

use std::ffi::OsString;
use std::fmt::Write as _;

use anyhow::Context as _;
use serde::Deserialize;

use super::terminal::{self, complain, exit, print_out, small_runtime};
use crate::admin;
use crate::registry::ClientReport;
use crate::text::escaped;

#[derive(Deserialize)]
struct Answer {
    fresh: bool,
    clients: Vec<ClientReport>,
}

pub(super) fn run(args: &[OsString]) -> anyhow::Result<u8> {
    let pid = match terminal::pid("clients", args) {
        Ok(pid) => pid,
        Err(ended) => return ended,
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
        let name = escaped(&client.name);
        let (id, state) = (escaped(&client.id), escaped(&client.state));
        let _ = writeln!(text, "{name}  {id}  {state}  {} open connections", client.connections);
        for network in &client.networks {
            let note = if network.shared { "" } else { " (not shared with the proxy)" };
            let addresses = network.addresses.join("  ");
            let name = escaped(&network.network);
            let _ = writeln!(text, "    network  {name}  {}{note}", escaped(&addresses));
        }
        let _ = writeln!(text, "    may      {}", escaped(&client.rights));
        for warning in &client.warnings {
            let _ = writeln!(text, "    warning  {}", escaped(warning));
        }
        if let Some(refusal) = &client.last_refusal {
            let _ = writeln!(text, "    refused  {}", escaped(refusal));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::NetworkReport;
    use crate::text::is_printable;

    #[test]
    fn what_others_wrote_does_not_speak_to_the_terminal() {
        let evil = "a\u{1b}[2J\r\nb\u{9b}1m\u{202e}c\u{2066}".to_owned();
        let network =
            NetworkReport { network: evil.clone(), addresses: vec![evil.clone()], shared: true };
        let client = ClientReport {
            name: evil.clone(),
            id: evil.clone(),
            state: evil.clone(),
            networks: vec![network],
            rights: evil.clone(),
            broken: false,
            warnings: vec![evil.clone()],
            connections: 1,
            last_refusal: Some(evil),
        };
        let text = table(&[client]);
        assert_eq!(text.lines().count(), 5, "{text:?}");
        assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text:?}");
        assert!(text.contains(r"    may      a\u{1b}[2J\r\nb\u{9b}1m\u{202e}c\u{2066}"), "{text}");
    }
}
