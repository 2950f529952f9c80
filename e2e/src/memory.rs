//! How much memory a process has resident, from proc(5).

use std::fs;

/// Resident memory of a process, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Resident {
    /// Now, `VmRSS`.
    pub now: u64,
    /// The most since it started or since [`forget_peak`], `VmHWM`.
    pub peak: u64,
}

/// What a process has resident.
///
/// # Panics
/// When there is no such process.
pub fn resident(process: u32) -> Resident {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process lives");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("proc(5) has it");
        line.split_whitespace().next().and_then(|it| it.parse().ok()).expect("a number of kB")
    };
    Resident { now: field("VmRSS:"), peak: field("VmHWM:") }
}

/// Starts [`Resident::peak`] anew.
///
/// # Panics
/// When the kernel does not let us.
pub fn forget_peak(process: u32) {
    fs::write(format!("/proc/{process}/clear_refs"), "5").expect("the process is ours");
}
