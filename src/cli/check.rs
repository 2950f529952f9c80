//! `sockwarden check`: what is wrong or weak, before it runs.

mod advice;
mod examine;
mod finding;
mod interpolation;
mod project;
mod report;
mod yaml;

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::Path;

use super::terminal::{complain, exit, misused, print_out};
use crate::config::{self, Config, Loaded, Mixed};
use crate::startup;
use examine::{of_config, of_project};
use finding::{Findings, Rule};
use project::Project;

/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

pub(super) fn run(
    args: &[OsString],
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<u8> {
    let env: Vec<(OsString, OsString)> = env.into_iter().collect();
    let Mixed { flags, switches, words } =
        config::mixed(args.iter().cloned(), &["json", "sarif", "h", "help"]);
    if switches.iter().any(|switch| matches!(&**switch, "h" | "help")) {
        return print_out(&config::help_of("check"));
    }
    let has = |name: &str| switches.iter().any(|switch| switch == name);
    if has("json") && has("sarif") {
        return Ok(misused("there is one output, `-json` or `-sarif`", "check"));
    }
    let mut findings = Findings::default();
    // Beside files the variables of this process are not those of a proxy.
    if !flags.is_empty() || words.is_empty() {
        of_process(&mut findings, flags, env.clone());
    }
    if !words.is_empty() {
        match read(&words, &env) {
            Ok(project) => of_project(&mut findings, &project),
            Err(wrong) => {
                complain(&wrong.join("\n"));
                return Ok(exit::UNUSABLE);
            }
        }
    }
    print_out(&if has("sarif") {
        report::sarif(&findings)
    } else if has("json") {
        report::in_json(&findings)
    } else {
        report::text(&findings)
    })?;
    Ok(if findings.found.is_empty() { exit::STOPPED } else { exit::FAILED })
}

/// Checks the flags that `serve` would be given, and the variables.
fn of_process(findings: &mut Findings, flags: Vec<OsString>, env: Vec<(OsString, OsString)>) {
    const SUBJECT: &str = "the proxy";
    match Config::load_at(flags, env, startup::place(Path::new("/"))) {
        Ok(Loaded::Serve(config)) => of_config(findings, &config, None, SUBJECT),
        Ok(Loaded::Help | Loaded::Version) => {}
        Err(mistakes) => {
            for mistake in mistakes.iter() {
                findings.add(Rule::Configuration, None, SUBJECT, mistake.to_string());
            }
        }
    }
}

/// Reads the files as one project.
fn read(files: &[OsString], env: &[(OsString, OsString)]) -> Result<Project, Vec<String>> {
    let variable = |name: &str| {
        let (_, value) = env.iter().find(|(known, _)| known == name)?;
        Some(value.to_string_lossy().into_owned())
    };
    let (mut project, mut wrong) = (Project::default(), Vec::new());
    for file in files {
        let shown = if file == "-" { "standard input".into() } else { file.to_string_lossy() };
        let added = text_of(file).and_then(|text| project.add(&shown, &text, &variable));
        if let Err(error) = added {
            wrong.push(format!("`{shown}` cannot be read: {error}"));
        }
    }
    if wrong.is_empty() { Ok(project) } else { Err(wrong) }
}

fn text_of(file: &OsStr) -> Result<String, String> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().take(MOST_BYTES + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(MOST_BYTES + 1).read_to_string(&mut text))
    };
    match read {
        Ok(bytes) if bytes as u64 > MOST_BYTES => Err("it is longer than 4 MiB".to_owned()),
        Ok(_) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
