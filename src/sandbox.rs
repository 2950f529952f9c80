//! What the process gives up before it serves anybody: it can start no program, gain no privilege, open no file but the few it needs, and
//! make no system call that serving does not make.
//!
//! Whoever took the process over would still hold the engine's socket. But what came in by a bug in here would find no shell, no way to
//! load or trace anything, and no file to read or leave behind.
//!
//! The three parts are `no_new_privs` (prctl(2)), Landlock (landlock(7)) and seccomp (seccomp(2)). Each holds for the thread that asks for
//! it and for all that are started by it, so this is done while there is one. Where the kernel lacks a part the others still hold.

mod calls;

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::admission::AllowFrom;
use crate::config::Config;
use crate::listen::ListenerAddress;
use crate::registry::OwnContainer;

/// Gives everything up that serving by this configuration does not need, for this thread and those it starts from now on.
pub fn enter(config: &Config) -> Entered {
    let needs = Needs::of(config);
    let privileges = rustix::thread::set_no_new_privs(true);
    // A core dump would hold the credentials that pass through.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let no_core = setrlimit(Resource::Core, none);
    // Landlock before seccomp, which does not keep its calls.
    let files = close_files(&needs);
    let calls = calls::close();
    Entered { privileges: privileges.and(no_core), files, calls }
}

/// How much of it the kernel took on.
#[derive(Debug)]
#[must_use]
pub struct Entered {
    privileges: rustix::io::Result<()>,
    files: Result<RestrictionStatus, RulesetError>,
    calls: Result<(), seccompiler::Error>,
}

impl Entered {
    /// Says it, in one line.
    pub fn report(&self) {
        let landlock = match &self.files {
            Ok(status) => match status.ruleset {
                RulesetStatus::FullyEnforced => "on".to_owned(),
                RulesetStatus::PartiallyEnforced => "as far as this kernel has it".to_owned(),
                RulesetStatus::NotEnforced => "this kernel has none".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        let no_new_privs = state(&self.privileges);
        let seccomp = state(&self.calls);
        if self.privileges.is_ok() && self.files.is_ok() && self.calls.is_ok() {
            tracing::info!(no_new_privs, landlock, seccomp, "the sandbox is closed");
        } else {
            tracing::warn!(
                no_new_privs,
                landlock,
                seccomp,
                "the sandbox has a hole; requests are judged all the same"
            );
        }
    }
}

fn state(result: &Result<(), impl fmt::Display>) -> String {
    result.as_ref().map_or_else(ToString::to_string, |()| "on".to_owned())
}

/// What serving needs of files and ports.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    /// The directory in which a socket is made and removed.
    socket_directory: Option<PathBuf>,
    read: Vec<&'static Path>,
    /// TCP ports to listen on.
    ports: Vec<u16>,
    /// Whether names are looked up, which may take TCP to a name server.
    names: bool,
}

/// What getaddrinfo(3) reads: its settings, and for some of them libraries. Whole directories, because the files in them are replaced by new
/// ones while we run, and a rule holds for a file, not for its name.
const NAME_LOOKUP: &[&str] =
    &["/etc", "/run/systemd/resolve", "/lib", "/lib64", "/usr/lib", "/usr/lib64"];
/// Where our own container's id is found.
const OWN_CONTAINER: &[&str] = &["/proc"];
const DNS_PORT: u16 = 53;

impl Needs {
    fn of(config: &Config) -> Self {
        let mut needs = Self::default();
        match &config.listener {
            ListenerAddress::Tcp(address) => needs.ports.push(address.port()),
            ListenerAddress::Unix { path, .. } => {
                let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                needs.socket_directory =
                    Some(directory.unwrap_or_else(|| Path::new(".")).to_path_buf());
            }
        }
        if config.health_endpoint {
            needs.ports.push(crate::admin::HEALTH_ADDRESS.port());
        }
        if config.allow_from.iter().any(|entry| matches!(entry, AllowFrom::Host(_))) {
            needs.names = true;
            needs.read.extend(NAME_LOOKUP.iter().map(Path::new));
        }
        if config.own_container == Some(OwnContainer::Auto) {
            needs.read.extend(OWN_CONTAINER.iter().map(Path::new));
        }
        needs
    }
}

/// Connecting to the engine's socket needs nothing: of the rights asked for here none is about connecting to a path.
fn close_files(needs: &Needs) -> Result<RestrictionStatus, RulesetError> {
    // What a kernel does not know yet is left out.
    let files: BitFlags<AccessFs> = AccessFs::from_all(ABI::V5);
    let mut rules = Ruleset::default()
        .handle_access(files)?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(&needs.read, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(
            &needs.socket_directory,
            AccessFs::MakeSock | AccessFs::RemoveFile,
        ))?;
    for port in &needs.ports {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    if needs.names {
        rules = rules.add_rule(NetPort::new(DNS_PORT, AccessNet::ConnectTcp))?;
    }
    rules.restrict_self()
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};
    use std::net::{TcpListener, TcpStream, ToSocketAddrs};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;
    use crate::config::Loaded;

    fn config(words: &[&str]) -> Config {
        match Config::load(words.iter().map(Into::into), []) {
            Ok(Loaded::Serve(config)) => *config,
            other => panic!("{words:?} gives {other:?}"),
        }
    }

    /// Runs a check in a sandbox of its own: it holds for the thread, and the threads of other tests know nothing of it.
    fn inside<T: Send + 'static>(
        words: &[&str],
        check: impl FnOnce(Entered) -> T + Send + 'static,
    ) -> T {
        let config = config(words);
        std::thread::spawn(move || check(enter(&config))).join().unwrap()
    }

    #[track_caller]
    fn refused<T>(result: io::Result<T>, what: &str) {
        match result {
            Ok(_) => panic!("{what} was possible"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}"),
        }
    }

    #[test]
    fn needs_are_no_more_than_the_configuration_has() {
        #[track_caller]
        fn check(words: &[&str], want: &Needs) {
            assert_eq!(Needs::of(&config(words)), *want, "{words:?}");
        }
        let tcp = || Needs { ports: vec![2375], ..Needs::default() };
        check(&[], &tcp());
        check(&["-proxyport=9"], &Needs { ports: vec![9], ..tcp() });
        check(&["-allowhealthcheck"], &Needs { ports: vec![2375, 55555], ..tcp() });
        check(&["-allowfrom=10.0.0.0/8"], &tcp());
        let names: Vec<_> = NAME_LOOKUP.iter().map(Path::new).collect();
        check(&["-allowfrom=traefik"], &Needs { names: true, read: names, ..tcp() });
        check(&["-proxycontainername=x"], &tcp());
        check(&["-proxycontainername=auto"], &Needs { read: vec![Path::new("/proc")], ..tcp() });
        for (path, directory) in [("/run/a/b.sock", "/run/a"), ("b.sock", "."), ("/b.sock", "/")] {
            let want = Needs { socket_directory: Some(directory.into()), ..Needs::default() };
            check(&["-proxysocketendpoint", path], &want);
        }
    }

    #[test]
    fn no_program_can_be_started() {
        inside(&[], |entered| {
            entered.calls.unwrap();
            let program = || Command::new("/proc/self/exe");
            // Landlock has another error for it.
            let unknown = Some(libc::ENOSYS);
            assert_eq!(program().arg("--list").spawn().unwrap_err().raw_os_error(), unknown);
            assert_eq!(program().exec().raw_os_error(), unknown);
            // Threads are no processes.
            assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
        });
    }

    #[test]
    fn other_calls_fail_and_the_rest_works() {
        inside(&[], |entered| {
            entered.calls.unwrap();
            assert!(rustix::thread::no_new_privs().unwrap());
            let unknown = rustix::io::Errno::NOSYS;
            let socket = |family, kind| {
                let socket = socket2::Socket::new(socket2::Domain::from(family), kind, None);
                socket.map(drop).map_err(|error| error.raw_os_error())
            };
            let refused = Err(Some(libc::ENOSYS));
            assert_eq!(socket(libc::AF_ALG, socket2::Type::SEQPACKET), refused);
            assert_eq!(socket(libc::AF_VSOCK, socket2::Type::STREAM), refused);
            for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK] {
                let result = socket(family, socket2::Type::DGRAM);
                assert_ne!(result, refused, "family {family}");
            }
            let us = rustix::process::getpid();
            let none = rustix::process::PidfdFlags::empty();
            assert_eq!(rustix::process::pidfd_open(us, none).unwrap_err(), unknown);
            assert_eq!(rustix::process::test_kill_process(us).unwrap_err(), unknown);
            assert_eq!(rustix::process::chroot("/").unwrap_err(), unknown);
            assert_eq!(rustix::process::getpriority_process(None).unwrap_err(), unknown);
            // Looked up by the C library, with netlink and all.
            assert!(("127.0.0.1", 0).to_socket_addrs().unwrap().next().is_some());
            let (one, _other) = UnixStream::pair().unwrap();
            one.set_nonblocking(true).unwrap();
        });
    }

    /// Needs Landlock, which not every kernel has; then there is nothing to check.
    #[test]
    fn files_and_ports_that_are_not_needed_are_out_of_reach() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "secret").unwrap();
        std::fs::create_dir(path("run")).unwrap();
        let engine = UnixListener::bind(path("engine.sock")).unwrap();
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        let elsewhere = elsewhere.local_addr().unwrap();
        let endpoint = path("run/proxy.sock");
        let word = format!("-proxysocketendpoint={}", endpoint.display());
        let (file, new, socket) = (path("file"), path("new"), path("engine.sock"));
        inside(&[&word], move |entered| {
            let status = entered.files.unwrap();
            if status.ruleset == RulesetStatus::NotEnforced {
                return;
            }
            refused(std::fs::read(&file), "reading a file");
            refused(std::fs::read_dir("/"), "listing a directory");
            refused(std::fs::write(&file, "x"), "writing a file");
            refused(std::fs::remove_file(&file), "removing a file");
            refused(std::fs::write(&new, "x"), "making a file");
            refused(UnixListener::bind(&new), "making a socket elsewhere");
            // What is needed: the engine's socket, and our own.
            UnixStream::connect(&socket).unwrap();
            drop(UnixListener::bind(&endpoint).unwrap());
            std::fs::remove_file(&endpoint).unwrap();
            if status.ruleset == RulesetStatus::FullyEnforced {
                refused(TcpListener::bind("127.0.0.1:0"), "listening on TCP");
                refused(TcpStream::connect(elsewhere), "connecting by TCP");
            }
        });
        drop(engine);
    }

    #[test]
    fn names_are_found_where_the_configuration_has_some() {
        inside(&["-allowfrom=localhost"], |_| {
            let found = ("localhost", 0).to_socket_addrs().unwrap();
            assert!(found.into_iter().all(|address| address.ip().is_loopback()));
        });
    }
}
