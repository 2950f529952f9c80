//! What subcommands have in common: exit codes, what they print, and how they ask a running sockwarden.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context as _;

use crate::config::{self, Arguments};
use crate::text::escaped;

/// The exit codes that users may rely on.
pub(super) mod exit {
    /// Stopped because somebody asked.
    pub(crate) const STOPPED: u8 = 0;
    /// Failed while running, or a request that was answered with an error.
    pub(crate) const FAILED: u8 = 1;
    /// A configuration, an engine socket, a port or a directory that cannot be used: serving did not begin.
    pub(crate) const UNUSABLE: u8 = 2;
    /// The watchdog found the engine silent; the peer's number.
    pub(crate) const WATCHDOG: u8 = 10;
}

/// Which running sockwarden to ask, by the one flag of the subcommands that ask one; else the subcommand has ended, with help or a complaint.
pub(super) fn pid(command: &str, args: &[OsString]) -> Result<Option<u32>, anyhow::Result<u8>> {
    pid_in(command, &arguments(command, args)?)
}

/// The same for a subcommand that has more to say.
pub(super) fn pid_in(
    command: &str,
    parsed: &config::Parsed,
) -> Result<Option<u32>, anyhow::Result<u8>> {
    let Some(pid) = parsed.flag("pid") else { return Ok(None) };
    let number = pid.parse().ok();
    number.map(Some).ok_or_else(|| Ok(misused(&format!("`{pid}` is not a process id"), command)))
}

/// What somebody wrote behind a subcommand; else it has ended, with help or a complaint.
pub(super) fn arguments(
    command: &str,
    args: &[OsString],
) -> Result<config::Parsed, anyhow::Result<u8>> {
    match config::arguments_of(command, args) {
        Ok(Arguments::Parsed(parsed)) => Ok(parsed),
        Ok(Arguments::Help) => Err(print_out(&config::help_of(command))),
        Err(what) => Err(Ok(misused(&what, command))),
    }
}

pub(super) fn small_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")
}

pub(super) fn print_out(text: &str) -> anyhow::Result<u8> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output cannot be written")?;
    Ok(exit::STOPPED)
}

pub(super) fn complain(text: &str) {
    let mut lines = String::new();
    for line in text.lines() {
        let _ = writeln!(lines, "sockwarden: {}", escaped(line));
    }
    // Nobody is left to tell when standard error is gone.
    let _ = std::io::stderr().write_all(lines.as_bytes());
}

pub(super) fn misused(what: &str, command: &str) -> u8 {
    complain(&format!("{what}\n{}", config::help_of(command)));
    exit::UNUSABLE
}

/// Rows in columns, each as wide as it has to be; the last is not filled up.
pub(super) fn table(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        let line: String = cells.collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
