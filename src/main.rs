//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    sockwarden::cli::main(&program, args, std::env::vars_os())
}
