//! What was found, for people, as JSON, and as SARIF 2.1.0 (OASIS standard, sections 3.13, 3.19 and 3.27).

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::finding::{Client, Finding, Findings, Rule};
use super::project::Place;
use crate::text::escaped;

/// For people: a line for each finding, then who may do what.
pub(super) fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for Finding { rule, place, subject, message } in &findings.found {
        let level = rule.level();
        let (where_, subject) = (shown(place.as_ref()), escaped(subject));
        let _ = writeln!(text, "{where_}{subject}: {level}: {} [{}]", escaped(message), rule.id());
    }
    if !findings.clients.is_empty() && !text.is_empty() {
        text.push('\n');
    }
    for Client { place, subject, risk, .. } in &findings.clients {
        let _ =
            writeln!(text, "{}{}: risk {}", shown(place.as_ref()), escaped(subject), escaped(risk));
    }
    let _ = match findings.found.len() {
        0 => writeln!(text, "nothing found"),
        1 => writeln!(text, "1 finding"),
        many => writeln!(text, "{many} findings"),
    };
    text
}

fn shown(place: Option<&Place>) -> String {
    match place {
        None => String::new(),
        Some(Place { file, line: 0 }) => format!("{}: ", escaped(file)),
        Some(Place { file, line }) => format!("{}:{line}: ", escaped(file)),
    }
}

/// For programs.
pub(super) fn in_json(findings: &Findings) -> String {
    let found = findings.found.iter().map(|finding| {
        json!({
            "rule": finding.rule.id(),
            "level": finding.rule.level(),
            "file": finding.place.as_ref().map(|place| &place.file),
            "line": line(finding.place.as_ref()),
            "subject": finding.subject,
            "message": finding.message,
        })
    });
    let clients = findings.clients.iter().map(|client| {
        json!({
            "file": client.place.as_ref().map(|place| &place.file),
            "line": line(client.place.as_ref()),
            "subject": client.subject,
            "risk": client.letter,
            "risk_sentence": client.risk,
        })
    });
    let all = json!({
        "findings": found.collect::<Vec<_>>(),
        "clients": clients.collect::<Vec<_>>(),
    });
    format!("{all:#}\n")
}

fn line(place: Option<&Place>) -> Option<u64> {
    place.map(|place| place.line).filter(|line| *line > 0)
}

/// For code hosts and editors.
pub(super) fn sarif(findings: &Findings) -> String {
    let rules = Rule::ALL.map(|rule| {
        json!({
            "id": rule.id(),
            "shortDescription": { "text": format!("{}.", rule.summary()) },
            "defaultConfiguration": { "level": rule.level() },
        })
    });
    let index = |rule: Rule| Rule::ALL.iter().position(|it| *it == rule);
    let results = findings.found.iter().map(|finding| {
        json!({
            "ruleId": finding.rule.id(),
            "ruleIndex": index(finding.rule),
            "level": finding.rule.level(),
            "message": { "text": format!("{}: {}", finding.subject, finding.message) },
            "locations": [location(finding)],
        })
    });
    let all = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "sockwarden",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{all:#}\n")
}

fn location(finding: &Finding) -> Value {
    let logical = json!([{ "name": finding.subject }]);
    let Some(place) = &finding.place else { return json!({ "logicalLocations": logical }) };
    let artifact = json!({ "uri": uri(&place.file) });
    let physical = match line(Some(place)) {
        Some(line) => json!({ "artifactLocation": artifact, "region": { "startLine": line } }),
        None => json!({ "artifactLocation": artifact }),
    };
    json!({ "physicalLocation": physical, "logicalLocations": logical })
}

/// A path as a URI reference (RFC 3986 section 4.2).
fn uri(file: &str) -> String {
    let mut uri = String::with_capacity(file.len());
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
