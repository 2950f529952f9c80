//! The system calls that the process keeps; the kernel answers `ENOSYS` to all others, as if it had never had them.
//!
//! So a C library that tries a newer call takes the older one, as on an older kernel, and an intruder finds no call but these.
//! `.ci/system_calls` traces the release build through everything it does. It fails if a call was refused that the program makes, or if one
//! of [`MADE`] was not made, and so has no place here.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Takes away every other call, for this thread and those that it starts.
pub(super) fn close() -> Result<(), seccompiler::Error> {
    let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    // A filter of a few dozen comparisons, of which a call costs none: the kernel works out once which numbers always pass.
    let filter = SeccompFilter::new(kept()?, refuse, SeccompAction::Allow, arch)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)
}

/// Each call with the conditions under which it passes; none means always.
fn kept() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::Error> {
    let rare = RARE.iter().flat_map(|(_, calls)| *calls);
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> =
        MADE.iter().chain(rare).map(|call| (*call, Vec::new())).collect();
    let condition = |argument, how, value: i32| {
        let value = u64::from(value.cast_unsigned());
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)
    };
    // A new thread, but no new process. glibc tries clone3(2) first, whose flags a filter cannot see.
    let thread = SeccompCmpOp::MaskedEq(u64::from(libc::CLONE_THREAD.cast_unsigned()));
    let thread = SeccompRule::new(vec![condition(0, thread, libc::CLONE_THREAD)?])?;
    calls.insert(libc::SYS_clone, vec![thread]);
    // Netlink tells name look-ups which addresses this machine has.
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let family = |family| SeccompRule::new(vec![condition(0, SeccompCmpOp::Eq, family)?]);
    let families = families.into_iter().map(family).collect::<Result<_, _>>()?;
    calls.insert(libc::SYS_socket, families);
    Ok(calls)
}

/// What serving makes. `.ci/system_calls` saw each of them.
const MADE: &[i64] = &[
    // Connections
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_sendmmsg,
    libc::SYS_ioctl,
    // Descriptors
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_lseek,
    libc::SYS_prlimit64,
    // Waiting
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(not(target_arch = "x86_64"))]
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(not(target_arch = "x86_64"))]
    libc::SYS_ppoll,
    libc::SYS_clock_nanosleep,
    libc::SYS_futex,
    // Files, as far as Landlock leaves them
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(not(target_arch = "x86_64"))]
    libc::SYS_readlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(not(target_arch = "x86_64"))]
    libc::SYS_fchmodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(not(target_arch = "x86_64"))]
    libc::SYS_unlinkat,
    // Memory
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // Threads and signals
    libc::SYS_clone,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_prctl,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_geteuid,
    libc::SYS_getrandom,
    libc::SYS_uname,
];

/// What is made so rarely that no exercise sees it each time, and by whom.
const RARE: &[(&str, &[i64])] = &[
    ("the allocator, if two threads want one lock", &[libc::SYS_sched_yield]),
    ("the allocator and the C library, for a heap that grows", &[libc::SYS_brk, libc::SYS_mremap]),
    ("the kernel itself, after the process was stopped and goes on", &[libc::SYS_restart_syscall]),
    ("the clock, if the kernel cannot tell the time without a call", &[libc::SYS_clock_gettime]),
    ("an end by abort(3)", &[libc::SYS_tgkill]),
    ("the trace of a panic, if RUST_BACKTRACE asks for one", &[libc::SYS_getcwd]),
    (
        "whatever message comes in another number of pieces",
        &[libc::SYS_readv, libc::SYS_sendmsg, libc::SYS_recvmmsg],
    ),
    (
        "other C libraries, for what this one does by another call",
        &[
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_stat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_lstat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_readlinkat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_fchmodat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_unlinkat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_epoll_pwait,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_ppoll,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_arch_prctl,
            libc::SYS_fstat,
            libc::SYS_fchmod,
            libc::SYS_nanosleep,
            libc::SYS_pread64,
            libc::SYS_getuid,
            libc::SYS_getgid,
            libc::SYS_getegid,
            libc::SYS_set_tid_address,
        ],
    ),
    (
        "name look-ups: of several addresses at once, or by libraries that nsswitch.conf(5) names",
        &[
            libc::SYS_recvmsg,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_access,
            libc::SYS_faccessat,
            libc::SYS_getdents64,
            libc::SYS_getpeername,
            libc::SYS_gettimeofday,
            libc::SYS_sysinfo,
            libc::SYS_statfs,
            libc::SYS_fstatfs,
            libc::SYS_dup,
            libc::SYS_dup3,
            libc::SYS_pipe2,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_stands_once_and_a_rare_one_has_its_reason() {
        let mut seen = std::collections::BTreeSet::new();
        let rare = RARE.iter().flat_map(|(_, calls)| *calls);
        for call in MADE.iter().chain(rare) {
            assert!(seen.insert(call), "{call} stands twice");
        }
        assert!(RARE.iter().all(|(reason, calls)| !reason.is_empty() && !calls.is_empty()));
    }
}
