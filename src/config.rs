//! The configuration: only values that can be used as they are.
//!
//! Flags and variables are those of wollomatic/socket-proxy 1.13, defined once in [`options::SETTINGS`]. This room reads words and
//! variables and nothing else: no file, no socket, no name is looked up, so whether the engine is there is somebody else's question.

mod arguments;
mod commands;
mod draft;
mod given;
mod mistake;
pub mod options;
mod pages;
mod reference;
mod sections;
mod services;
mod subcommand;
mod values;
mod warnings;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::admission::AllowFrom;
use crate::bounds::Limits;
use crate::clauses::Defaults;
use crate::engine::Watchdog;
use crate::listen::ListenerAddress;
use crate::log::LogSettings;
use crate::registry::OwnContainer;
use crate::rule::words::{ImagePattern, Words};
use crate::rule::{Allowlist, HostAccess, RuleSet};
use crate::setting::SettingName;

use self::arguments::{CommandLine, Written};
use self::draft::Draft;

pub use self::arguments::{Mixed, mixed};
pub use self::draft::{Assumed, Place};
pub use self::mistake::{Mistake, Mistakes, nearest};
pub use self::pages::{presets_page, words_page};
pub use self::reference::{help, help_of, reference};
pub use self::subcommand::{Arguments, Parsed, arguments_of};

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
    /// What it allows in words.
    pub words: Words,
    /// The images that its clients may use; `None` for all.
    pub images: Option<Vec<ImagePattern>>,
    /// Whether its clients may reach the host, if somebody said so.
    pub own_host_access: Option<HostAccess>,
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
    /// What of it nobody said, in a container.
    pub assumed: Assumed,
    /// The label prefixes that carry allowlists.
    pub label_prefixes: Vec<String>,
    /// Whether labels that come from an image count as the container's own.
    pub trust_image_labels: bool,
    /// The settings that were given by their variables, and that messages call by them.
    pub by_variable: Vec<SettingName>,
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
        let (wants_no_labels, foreign) = (variables.wants_no_labels, variables.foreign);
        // Variables first, so that a flag wins by being read later; reported the other way round, nearest to the user first.
        let in_variables = apply(&mut draft, variables.given);
        let mut mistakes = apply(&mut draft, flags);
        mistakes.extend(in_variables);
        mistakes.extend(draft.contradictions());
        let is_open = draft.is_open() && !wants_no_labels;
        mistakes.extend(sections::read(&mut draft, &foreign, is_open));
        if is_open && draft.assumed == Assumed::Nothing {
            draft.assume(Assumed::Labels);
        }
        if mistakes.is_empty() {
            Ok(Loaded::Serve(Box::new(draft.into())))
        } else {
            Err(Mistakes::new(mistakes))
        }
    }
}

impl Config {
    /// The default allowlist, with what flags and variables say of it. They speak for this list alone, so words in it may use the directories
    /// of `-allowbindmountfrom`.
    pub fn default_list(&self) -> Allowlist {
        Allowlist {
            rules: self.rules.clone(),
            may_label: self.words.may_label(),
            words: self.words.clone(),
            images: self.images.clone(),
            host_access: self.own_host_access,
            exceptions: self.bodies.exceptions.clone(),
            bind_mount_from: self.bodies.bind_mount_from.clone(),
            ..Allowlist::default()
        }
    }
}

impl From<Draft> for Config {
    fn from(draft: Draft) -> Self {
        let warnings = warnings::of(&draft);
        let by_variable = draft.given_by_variable();
        let rules = draft.effective_rules().cloned().collect::<RuleSet>();
        let words = draft.effective_words();
        let own_host_access = draft
            .written(SettingName::HostAccess)
            .map(|_| draft.host_access)
            .or(draft.own_host_access);
        let listener = match draft.endpoint {
            Some(path) => ListenerAddress::Unix { path, mode: draft.endpoint_mode },
            None => ListenerAddress::Tcp(SocketAddr::new(draft.listen_ip, draft.port)),
        };
        let interval = Some(draft.watchdog_interval).filter(|interval| !interval.is_zero());
        let engine_socket = draft.engine_socket.to_string_lossy().into_owned();
        let admitted = draft.allow_from.iter().filter_map(AllowFrom::host).collect();
        Self {
            listener,
            allow_from: draft.allow_from,
            engine_socket: draft.engine_socket,
            rules,
            words,
            images: draft.images,
            own_host_access,
            bodies: Defaults {
                bind_mount_from: draft.bind_mount_from,
                deny_host_mounts: draft.deny_host_mounts,
                deny_network_volumes: draft.deny_network_volumes,
                host_access: draft.host_access,
                exceptions: draft.exceptions,
                admitted,
                engine_socket,
            },
            health_endpoint: draft.health_endpoint,
            watchdog: interval.map(|interval| Watchdog { interval, stop: draft.stop_on_watchdog }),
            shutdown_grace: draft.shutdown_grace,
            limits: draft.limits,
            sandbox: !draft.no_sandbox,
            log: LogSettings { level: draft.log_level, json: draft.log_json },
            own_container: draft.own_container,
            assumed: draft.assumed,
            label_prefixes: draft.label_prefixes,
            trust_image_labels: draft.trust_image_labels,
            by_variable,
            warnings,
        }
    }
}

/// Puts what was written into the draft, in order; what is wrong with it comes back.
fn apply(draft: &mut Draft, written: Vec<Result<Written, Mistake>>) -> Vec<Mistake> {
    let mut mistake = |written: Result<Written, Mistake>| {
        written.and_then(|it| it.setting.apply(draft, it.given)).err()
    };
    written.into_iter().filter_map(&mut mistake).collect()
}
