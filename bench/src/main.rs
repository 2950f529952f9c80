//! Measures sockwarden beside other proxies. Every program runs its contenders in turns in one run, because two runs on one machine
//! are two machines, and prints ratios: the median of the pairs, and the smallest and largest pair behind it.
//!
//! `cargo run --release -p sockwarden-bench -- NAME`, where NAME is one of the programs below or `all`; `--quick` for seconds instead of
//! minutes. docs/performance.md says what came out.

mod contender;
mod engine;
mod load;
mod namespace;
mod programs;
mod table;

use std::process::ExitCode;

use anyhow::{Context, bail};

use contender::Builds;
use programs::{PROGRAMS, Program};

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Seconds instead of minutes.
    pub(crate) quick: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sockwarden-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let mut quick = false;
    let mut names = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => quick = true,
            "-h" | "--help" | "help" => {
                usage();
                return Ok(ExitCode::SUCCESS);
            }
            name => names.push(name.to_owned()),
        }
    }
    let chosen: Vec<&Program> = match names.as_slice() {
        [] => {
            usage();
            return Ok(ExitCode::from(2));
        }
        [all] if all == "all" => PROGRAMS.iter().collect(),
        names => names.iter().map(|name| find(name)).collect::<anyhow::Result<_>>()?,
    };
    let builds = Builds::find()?;
    if let Some(code) = namespace::enter()? {
        return Ok(code);
    }
    let effort = Effort { quick };
    for program in chosen {
        println!("\n== {}: {}\n", program.name, program.about);
        (program.run)(&builds, effort).with_context(|| format!("in `{}`", program.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> anyhow::Result<&'static Program> {
    match PROGRAMS.iter().find(|program| program.name == name) {
        Some(program) => Ok(program),
        None => bail!("there is no program `{name}`; try `--help`"),
    }
}

fn usage() {
    println!(
        "usage: cargo run --release -p sockwarden-bench -- [--quick] NAME...\n\nprograms, or `all`:"
    );
    for program in PROGRAMS {
        println!("  {:<10} {}", program.name, program.about);
    }
    println!(
        "\nvariables:\n  SOCKWARDEN_BIN   the sockwarden to measure; built from this workspace without it\n  SOCKWARDEN_BASE  another build of sockwarden, to compare with\n  PEER_BIN         a proxy with the flags of wollomatic/socket-proxy, to compare with\n\nHAProxy is compared with where it is installed (Debian: `apt-get install haproxy`)."
    );
}
