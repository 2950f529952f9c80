//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    sockwarden::cli::main(&program, args, std::env::vars_os())
}

/// It gives back what a burst took: the C library keeps a heap for each thread, whose memory only its top can leave.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
