//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    sockwarden::cli::main(std::env::args_os().skip(1), std::env::vars_os())
}
