//! The configuration: only values that can be used as they are.
//!
//! Flags and variables are those of wollomatic/socket-proxy 1.13, defined once in [`options::SETTINGS`]. This room reads words and
//! variables and nothing else: no file, no socket, no name is looked up, so whether the engine is there is somebody else's question.

mod arguments;
mod commands;
mod draft;
mod mistake;
pub mod options;
mod reference;
mod services;
mod values;
mod warnings;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::clauses::Defaults;
use crate::rule::RuleSet;

use self::arguments::{CommandLine, Given};
use self::draft::Draft;

pub use self::mistake::{Mistake, Mistakes};
pub use self::reference::{help, help_of, reference};

/// Everything a user can set for `serve`, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients connect.
    pub listener: ListenerAddress,
    /// Who may use the default allowlist over TCP.
    pub allow_from: Vec<AllowFrom>,
    /// The engine's Unix socket.
    pub engine_socket: PathBuf,
    /// The default allowlist.
    pub rules: RuleSet,
    /// What holds for the bodies of all clients' requests.
    pub bodies: Defaults,
    /// Whether `http://127.0.0.1:55555/health` is served.
    pub health_endpoint: bool,
    /// How often the engine is asked whether it answers; `None` never.
    pub watchdog: Option<Watchdog>,
    /// How long running requests may take to finish after a stop signal.
    pub shutdown_grace: Duration,
    /// What one client, and all of them together, may take.
    pub limits: Limits,
    /// Whether the process gives up what it does not need.
    pub sandbox: bool,
    /// What is logged, and how.
    pub log: LogSettings,
    /// The proxy's own container, which switches per-container allowlists on; `None` leaves them off.
    pub own_container: Option<OwnContainer>,
    /// The label prefixes that carry allowlists.
    pub label_prefixes: Vec<String>,
    /// Whether labels that come from an image count as the container's own.
    pub trust_image_labels: bool,
    /// What is valid and still surprising, a sentence each, to be said once at the start.
    pub warnings: Vec<String>,
}

/// What a command line without a subcommand asks for.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// To run the proxy like this.
    Serve(Box<Config>),
    /// To print [`help`] and leave with success.
    Help,
    /// To print the version and leave with success.
    Version,
}

impl Config {
    /// Reads the command line (without the program's name and without a subcommand) and the environment.
    ///
    /// A flag beats its variable, the flags of one method replace all variables of that method, and an empty variable counts as
    /// unset. Variables that do not begin with `SP_` are not ours and are passed over.
    ///
    /// # Errors
    /// When anything is unknown or invalid, in a flag or in a variable, also in a variable that a flag overrides: then all of it.
    pub fn load<A, E>(args: A, env: E) -> Result<Loaded, Mistakes>
    where
        A: IntoIterator<Item = OsString>,
        E: IntoIterator<Item = (OsString, OsString)>,
    {
        Self::load_at(args, env, Place::Elsewhere)
    }

    /// The same for a process that runs in this place, where other things are surprising.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_at<A, E>(args: A, env: E, place: Place) -> Result<Loaded, Mistakes>
    where
        A: IntoIterator<Item = OsString>,
        E: IntoIterator<Item = (OsString, OsString)>,
    {
        let flags = match arguments::flags(args) {
            CommandLine::Help => return Ok(Loaded::Help),
            CommandLine::Version => return Ok(Loaded::Version),
            CommandLine::Flags(flags) => flags,
        };
        let mut draft = Draft::default();
        draft.place = place;
        let variables = arguments::variables(env);
        draft.service_variables = variables.of_services;
        // Variables first, so that a flag wins by being read later; reported the other way round, nearest to the user first.
        let in_variables = apply(&mut draft, variables.given);
        let mut mistakes = apply(&mut draft, flags);
        mistakes.extend(in_variables);
        mistakes.extend(draft.contradiction());
        if mistakes.is_empty() {
            Ok(Loaded::Serve(Box::new(draft.into_config())))
        } else {
            Err(Mistakes::new(mistakes))
        }
    }
}

/// Where the process runs, as far as a configuration can be surprising there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a container, where its own address is what others reach.
    Container,
    /// On the host, or nobody knows.
    Elsewhere,
}

fn apply(draft: &mut Draft, given: Vec<Result<Given, Mistake>>) -> Vec<Mistake> {
    given.into_iter().filter_map(|given| given.and_then(|given| draft.apply(given)).err()).collect()
}

/// Where the proxy listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket, created with this file mode.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for ListenerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix { path, .. } => write!(f, "unix://{}", path.display()),
        }
    }
}

/// One entry of `allowfrom`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowFrom {
    /// An address or a network; IPv4-mapped IPv6 is written as IPv4.
    Net(IpNet),
    /// A host name, resolved when somebody connects.
    Host(String),
}

impl AllowFrom {
    /// The host name, of an entry that is one.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Net(_) => None,
            Self::Host(name) => Some(name.clone()),
        }
    }
}

impl fmt::Display for AllowFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Host(name) => name.fmt(f),
        }
    }
}

/// How the engine is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watchdog {
    /// The time between two checks.
    pub interval: Duration,
    /// Whether the proxy ends when a check fails.
    pub stop: bool,
}

/// What one client, and all of them together, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest request head, in bytes: request line and fields together.
    pub head_bytes: usize,
    /// The most fields of a request head.
    pub head_fields: usize,
    /// How long a head may take from its first byte to its last.
    pub head_timeout: Duration,
    /// The longest body that is read to be judged, in bytes. Bodies that are only passed on have no limit.
    pub inspected_body_limit: usize,
    /// How long a body that is read to be judged may take to arrive.
    pub inspected_body_timeout: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once of one client address.
    pub connections_per_client: usize,
    /// Streams at once of one client address: answers that go on for as long as somebody listens, and what leaves HTTP.
    pub streams_per_client: usize,
    /// Requests at once that wait until it is known which container asks. One client address gets a quarter of them.
    pub waiting: usize,
    /// How much the process may grow by, whatever clients do, in bytes.
    pub memory: usize,
}

impl Default for Limits {
    /// A test holds these against the defaults in the table.
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_fields: 100,
            head_timeout: Duration::from_secs(10),
            inspected_body_limit: 4 * 1024 * 1024,
            inspected_body_timeout: Duration::from_secs(30),
            connections: 10_000,
            connections_per_client: 1000,
            streams_per_client: 900,
            waiting: 4000,
            memory: 96 * 1024 * 1024,
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The least level that is written.
    pub level: tracing::Level,
    /// JSON lines instead of text.
    pub json: bool,
}

/// How the proxy's own container is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnContainer {
    /// By looking at our own cgroup, mounts and host name.
    Auto,
    /// By this exact name or id.
    Named(String),
}
