//! The one table of settings. The parser, `--help` and `docs/reference.md` read it and know no setting of their own.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::request::Method;
use crate::setting::SettingName;

use super::draft::Draft;
use super::given::Given;
use super::mistake::{Mistake, Problem, printable};
use super::values;

/// One thing a user can set: a flag and a variable.
pub struct Setting {
    /// The flag, without dashes.
    pub name: &'static str,
    /// The variable; of a repeatable setting every variable that goes on with `_` is one too.
    pub variable: &'static str,
    /// Which question it answers.
    pub group: Group,
    /// What follows the flag.
    pub takes: Takes,
    /// The value when nothing is given, as one would write it; `None` for nothing.
    pub default: Option<&'static str>,
    /// The unit of a number.
    pub unit: Option<&'static str>,
    /// Whether several may be given, all of which then count; of any other setting the last one does.
    pub repeatable: bool,
    /// What it does: a sentence without a full stop, in Markdown.
    pub summary: &'static str,
    /// More sentences, for the reference page only; may be empty.
    pub details: &'static str,
    /// Checks a value and puts it where it belongs.
    pub(super) read: fn(&mut Draft, &Given) -> Result<(), Problem>,
}

impl Setting {
    /// The flag as one writes it.
    pub fn flag(&self) -> String {
        format!("-{}", self.name)
    }

    /// Whether the flag stands alone and never takes the next word.
    pub fn is_switch(&self) -> bool {
        matches!(self.takes, Takes::Nothing)
    }

    /// Takes a value over into the draft; it replaces what was read for this setting before.
    pub(super) fn apply(&self, draft: &mut Draft, given: Given) -> Result<(), Mistake> {
        match (self.read)(draft, &given) {
            Ok(()) => {
                draft.note(self.name, given);
                Ok(())
            }
            Err(Problem { part, text }) => {
                let value = part.map_or(given.value, OsString::from);
                let value = printable(&value);
                Err(Mistake::Value { origin: given.origin, value, problem: text })
            }
        }
    }

    pub(super) fn by_flag(name: &OsStr) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    pub(super) fn by_variable(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| match name.strip_prefix(setting.variable) {
            Some("") => true,
            Some(suffix) => setting.repeatable && suffix.starts_with('_'),
            None => false,
        })
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Setting").field(&self.name).finish()
    }
}

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or `=` and a truth value: a switch.
    Nothing,
    /// A value, which the help calls by this name.
    Value(&'static str),
}

/// The questions that settings answer, in the order help and reference ask them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Who is let in.
    Clients,
    /// What they may ask.
    Requests,
    /// The sockets on both sides.
    Sockets,
    /// Health, watchdog, shutdown.
    Running,
    /// What clients may take of us.
    Limits,
    /// The log.
    Logging,
    /// Allowlists in container labels.
    Containers,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 7] = [
        Self::Clients,
        Self::Requests,
        Self::Sockets,
        Self::Running,
        Self::Limits,
        Self::Logging,
        Self::Containers,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Clients => "Who may connect",
            Self::Requests => "What is allowed",
            Self::Sockets => "Where",
            Self::Running => "Running",
            Self::Limits => "Limits",
            Self::Logging => "Logging",
            Self::Containers => "Per-container allowlists",
        }
    }

    /// Its settings.
    pub fn settings(self) -> impl Iterator<Item = &'static Setting> {
        SETTINGS.iter().filter(move |setting| setting.group == self)
    }
}

/// A setting with everything but its name left out; entries of the table override what they have.
const fn setting(
    name: SettingName,
    read: fn(&mut Draft, &Given) -> Result<(), Problem>,
) -> Setting {
    Setting {
        name: name.name(),
        variable: name.variable(),
        group: Group::Clients,
        takes: Takes::Nothing,
        default: None,
        unit: None,
        repeatable: name.is_repeatable(),
        summary: "",
        details: "",
        read,
    }
}

/// The reader that puts what a parser returns into a field.
macro_rules! into {
    ($($field:ident).+, $parser:path $(, $range:expr)?) => {
        |draft, given| {
            draft.$($field).+ = $parser(given $(, $range)?)?;
            Ok(())
        }
    };
}

/// The setting that allows paths for one method.
macro_rules! allow {
    ($name:literal, $method:expr, $details:literal) => {
        Setting {
            group: Group::Requests,
            takes: Takes::Value("PATTERN"),
            summary: concat!("Allow ", $name, " for the paths that match"),
            details: $details,
            ..setting(SettingName::allow($method), |draft, given| draft.allow($method, given))
        }
    };
}

/// Every setting, group by group.
pub const SETTINGS: &[Setting] = &[
    Setting {
        takes: Takes::Value("CLIENT,..."),
        default: Some("127.0.0.1/32"),
        summary: "Let these clients use the default allowlist: addresses, networks (CIDR) and host names, with commas between them",
        details: "`0.0.0.0` is one address; everybody is `0.0.0.0/0`. sockwarden looks host names up again and again, so one may be a Compose service that moves, \
and believes an address for at most 2 seconds after it was last in an answer; with per-container allowlists no longer than its container \
has it. A container that a name leads to is let in from all its addresses on the engine's networks. \
            Bits of a network beyond its length are ignored, and an IPv4-mapped IPv6 address is the IPv4 address. \
            Over a Unix socket it has no effect: everybody who may open the socket file is let in.",
        ..setting(SettingName::AllowFrom, into!(allow_from, values::clients))
    },
    Setting {
        group: Group::Requests,
        takes: Takes::Value("WORDS"),
        summary: "Allow what these words say, with commas between them: operations, bundles such as `read`, programs such as `traefik`",
        details: "See [Words](words.md). Given twice, all count; flags replace the variable. It needs `-allowfrom`, except on a loopback address or a Unix socket. \
            What words allow is judged on their own safe terms: no access to the host unless `-hostaccess` says otherwise.",
        ..setting(SettingName::Allow, Draft::allow_words)
    },
    Setting {
        group: Group::Requests,
        takes: Takes::Value("IMAGE,..."),
        summary: "Let clients of the default allowlist use these images only, with commas between them",
        details: "For example `docker.io/library/*, ghcr.io/me/app:1`. Without a tag any tag or digest is meant. The image counts that the engine \
            resolves; nothing else may get a name that is listed.",
        ..setting(SettingName::Images, Draft::images)
    },
    allow!(
        "GET",
        Method::Get,
        "May be given more than once, as a variable with any suffix: `SP_ALLOW_GET`, `SP_ALLOW_GET_2`, `SP_ALLOW_GET_logs`. \
         Flags for a method replace all variables for that method. See [Patterns](#patterns)."
    ),
    allow!("HEAD", Method::Head, ""),
    allow!("POST", Method::Post, ""),
    allow!("PUT", Method::Put, ""),
    allow!("PATCH", Method::Patch, ""),
    allow!("DELETE", Method::Delete, ""),
    allow!(
        "CONNECT",
        Method::Connect,
        "The engine has no such operation; taken so that an old command line still works."
    ),
    allow!(
        "TRACE",
        Method::Trace,
        "The engine has no such operation; taken so that an old command line still works."
    ),
    allow!("OPTIONS", Method::Options, ""),
    Setting {
        group: Group::Requests,
        takes: Takes::Value("DIRECTORY,..."),
        summary: "Let host mounts come from these directories and what is below them only, with commas between them",
        details: "Each is absolute and without `..`. It holds for whatever mounts a path of the host: bind mounts, volumes with device options, \
            mounts of other containers, services, checkpoints. Not set, host mounts are not limited unless `-hostaccess=deny` is. \
            A container with its own list and without a label `bindmountfrom` keeps this limit. A symbolic link below a listed directory leads \
            wherever it leads: list directories that no client can write to.",
        ..setting(SettingName::AllowBindMountFrom, into!(bind_mount_from, values::directories))
    },
    Setting {
        group: Group::Requests,
        summary: "Refuse every mount of a path of the host, for all clients, whatever their labels list",
        ..setting(SettingName::DenyHostMounts, into!(deny_host_mounts, values::switch))
    },
    Setting {
        group: Group::Requests,
        summary: "Refuse NFS and CIFS volumes, for all clients",
        details: "The host mounts them from the network. Without this they are allowed also where host mounts are limited.",
        ..setting(SettingName::DenyNetworkVolumes, into!(deny_network_volumes, values::switch))
    },
    Setting {
        group: Group::Requests,
        takes: Takes::Value("ACCESS"),
        default: Some("allow"),
        summary: "`deny` refuses what reaches past a container (privileges, devices, namespaces of the host, plugins and the like), `allow` does not",
        details: "Exceptions with commas between them (`cap:NET_ADMIN`, `device:/dev/net/tun`, `network-volumes`) deny all else. Words deny by themselves. `deny` also refuses host mounts, unless `-allowbindmountfrom` or a label lists where they may come from. \
            A container with its own list may say otherwise with the label `hostaccess`. \
            See [What a body may ask](how-requests-are-judged.md#what-a-body-may-ask).",
        ..setting(SettingName::HostAccess, |draft, given| {
            (draft.host_access, draft.exceptions) = values::host_access(given)?;
            Ok(())
        })
    },
    Setting {
        group: Group::Sockets,
        takes: Takes::Value("ADDRESS"),
        default: Some("127.0.0.1"),
        summary: "Listen on this IPv4 or IPv6 address",
        details: "In a container this is usually `0.0.0.0`: on the default address only the container itself can connect.",
        ..setting(SettingName::ListenIp, into!(listen_ip, values::address))
    },
    Setting {
        group: Group::Sockets,
        takes: Takes::Value("PORT"),
        default: Some("2375"),
        summary: "Listen on this TCP port",
        ..setting(SettingName::ProxyPort, into!(port, values::port))
    },
    Setting {
        group: Group::Sockets,
        takes: Takes::Value("PATH"),
        summary: "Listen on this Unix socket instead of a TCP port",
        details: "A socket that is already there is replaced; any other file is left alone and ends the start.",
        ..setting(SettingName::ProxySocketEndpoint, into!(endpoint, values::socket_path_or_none))
    },
    Setting {
        group: Group::Sockets,
        takes: Takes::Value("MODE"),
        default: Some("0600"),
        summary: "The permission bits of that Unix socket, in octal",
        details: "The variable is octal with or without a leading 0. The flag is a number as Go writes it, so octal needs its leading 0: \
            `0600`, `0o600` and `384` are the same, `600` is refused. In YAML put the variable's value in quotes (`\"0660\"`), or it arrives as \
            another number. The owner must be able to read and write, and nobody may do what the owner may not.",
        ..setting(SettingName::ProxySocketEndpointFileMode, into!(endpoint_mode, values::file_mode))
    },
    Setting {
        group: Group::Sockets,
        takes: Takes::Value("PATH"),
        default: Some("/var/run/docker.sock"),
        summary: "The engine's Unix socket",
        ..setting(SettingName::SocketPath, into!(engine_socket, values::socket_path))
    },
    Setting {
        group: Group::Running,
        summary: "Serve `http://127.0.0.1:55555/health` for health checks over HTTP",
        details: "It answers 200 when the engine answers a ping, else 503. `sockwarden healthcheck` works without it.",
        ..setting(SettingName::AllowHealthCheck, into!(health_endpoint, values::switch))
    },
    Setting {
        group: Group::Running,
        takes: Takes::Value("SECONDS"),
        default: Some("0"),
        unit: Some("seconds"),
        summary: "Ask the engine this often whether it still answers; 0 for never",
        details: "A failure is logged.",
        ..setting(SettingName::WatchdogInterval, into!(watchdog_interval, values::seconds))
    },
    Setting {
        group: Group::Running,
        summary: "Stop when the watchdog finds that the engine does not answer, with exit code 10",
        details: "Needs `-watchdoginterval`.",
        ..setting(SettingName::StopOnWatchdog, into!(stop_on_watchdog, values::switch))
    },
    Setting {
        group: Group::Running,
        takes: Takes::Value("SECONDS"),
        default: Some("10"),
        unit: Some("seconds"),
        summary: "How long running requests may take to finish after SIGTERM or SIGINT",
        ..setting(SettingName::ShutdownGraceTime, into!(shutdown_grace, values::seconds))
    },
    Setting {
        group: Group::Running,
        summary: "Keep what the process gives up at start otherwise: programs, files, ports and system calls that serving does not need",
        details: "For finding out whether the sandbox is in the way of something; \
            see [What the process gives up](threat-model.md#what-the-process-gives-up).",
        ..setting(SettingName::NoSandbox, into!(no_sandbox, values::switch))
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("BYTES"),
        default: Some("65536"),
        unit: Some("bytes"),
        summary: "Refuse a request whose request line and header fields are longer than this together",
        details: "Answered with 431. Build arguments travel in the request line and registry credentials in a field, so a large build may need more.",
        ..setting(
            SettingName::MaxHeadBytes,
            into!(limits.head_bytes, values::limit, 1024..=1024 * 1024),
        )
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("NUMBER"),
        default: Some("100"),
        summary: "Refuse a request with more header fields than this",
        details: "Answered with 431.",
        ..setting(SettingName::MaxHeaders, into!(limits.head_fields, values::limit, 16..=512))
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("SECONDS"),
        default: Some("10"),
        unit: Some("seconds"),
        summary: "Refuse a request whose head takes longer than this from its first byte to its last",
        details: "Answered with 408. The time between two requests on a connection does not count.",
        ..setting(SettingName::HeadTimeout, into!(limits.head_timeout, values::time_limit))
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("BYTES"),
        default: Some("4194304"),
        unit: Some("bytes"),
        summary: "Refuse a request body that is read to be judged and longer than this",
        details: "Answered with 413. A body that is only passed on, such as an image or a build context, has no limit.",
        ..setting(
            SettingName::MaxBodyBytes,
            into!(limits.inspected_body_limit, values::limit, 1024..=64 * 1024 * 1024),
        )
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("SECONDS"),
        default: Some("30"),
        unit: Some("seconds"),
        summary: "Refuse a request body that is read to be judged and takes longer than this to arrive",
        details: "Answered with 408. A body that is only passed on may take as long as it likes.",
        ..setting(
            SettingName::BodyTimeout,
            into!(limits.inspected_body_timeout, values::time_limit),
        )
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("NUMBER"),
        default: Some("10000"),
        summary: "Serve at most this many connections at once",
        details: "More are answered with 503 and closed. Each connection may need two file descriptors: if the limit of open files allows fewer, \
            so many are served, and the start says so.",
        ..setting(
            SettingName::MaxConnections,
            into!(limits.connections, values::limit, 1..=1_000_000),
        )
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("NUMBER"),
        default: Some("1000"),
        summary: "Serve at most this many connections of one client at once",
        details: "More are answered with 429 and closed before anything is read. A client here is an IPv4 address, an IPv6 network of 64 bits, because whoever \
            has one address of it usually has all, or on a Unix socket a user id. Clients that come through a published port may \
            share the address of a gateway, and then this limit.",
        ..setting(
            SettingName::MaxConnectionsPerClient,
            into!(limits.connections_per_client, values::limit, 1..=1_000_000),
        )
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("NUMBER"),
        default: Some("900"),
        summary: "Carry at most this many streams of one client at once: events, logs, stats, attach, exec and the like",
        details: "More are answered with 429. A client is the same as for `-maxconnectionsperclient`, and what is left below that one is kept for short requests.",
        ..setting(
            SettingName::MaxStreamsPerClient,
            into!(limits.streams_per_client, values::limit, 1..=1_000_000),
        )
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("NUMBER"),
        default: Some("4000"),
        summary: "Let at most this many requests wait until it is known which container asks",
        details: "More are answered with 503. One client gets at most a quarter of them. Matters only with per-container allowlists.",
        ..setting(SettingName::MaxWaiting, into!(limits.waiting, values::limit, 4..=1_000_000))
    },
    Setting {
        group: Group::Limits,
        takes: Takes::Value("BYTES"),
        default: Some("100663296"),
        unit: Some("bytes"),
        summary: "Grow by at most this much memory, whatever clients do",
        details: "Half of it is counted: long heads, bodies that are judged, what is made of them, and what the engine answers about them. One client gets \
            half of that. What does not fit waits as long as a body may take, and is answered with 503, or with 429 where this client has its \
            share. Other limits that are raised may need more: docs/reliability.md has the formula.",
        ..setting(
            SettingName::MaxMemory,
            into!(limits.memory, values::limit, 16 * 1024 * 1024..=1 << 40),
        )
    },
    Setting {
        group: Group::Logging,
        takes: Takes::Value("LEVEL"),
        default: Some("INFO"),
        summary: "Log this level and above: `DEBUG`, `INFO`, `WARN` or `ERROR`",
        details: "Upper or lower case. Refused requests are logged at `WARN`, allowed ones at `DEBUG`.",
        ..setting(SettingName::LogLevel, into!(log_level, values::level))
    },
    Setting {
        group: Group::Logging,
        summary: "Log JSON lines instead of text",
        ..setting(SettingName::LogJson, into!(log_json, values::switch))
    },
    Setting {
        group: Group::Containers,
        takes: Takes::Value("NAME"),
        summary: "The proxy's own container, by name, id or `auto`; switches allowlists in container labels on",
        details: "`auto` finds it by itself.",
        ..setting(SettingName::ProxyContainerName, into!(own_container, values::own_container))
    },
    Setting {
        group: Group::Containers,
        takes: Takes::Value("PREFIX"),
        summary: "Read labels `PREFIX.allow.get` and the like, instead of those that begin with `socket-proxy` or `sockwarden`",
        details: "Useful when several proxies share an engine. It should not begin with `sockwarden.`, because other sockwardens take unknown labels there for mistakes.",
        ..setting(SettingName::DockerLabelPrefix, into!(label_prefixes, values::label_prefixes))
    },
    Setting {
        group: Group::Containers,
        summary: "Let labels that come from an image count as the container's own",
        details: "Without it whoever builds an image cannot give rights to the containers made from it.",
        ..setting(SettingName::TrustImageLabels, into!(trust_image_labels, values::switch))
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::rule::Origin;

    use super::*;

    #[test]
    fn every_default_is_what_the_program_starts_from() {
        for setting in SETTINGS {
            let Some(default) = setting.default else { continue };
            for origin in [Origin::Flag(setting.flag()), Origin::Env(setting.variable.to_owned())] {
                let mut draft = Draft::default();
                (setting.read)(&mut draft, &Given { origin, value: default.into() }).unwrap();
                assert_eq!(
                    format!("{draft:?}"),
                    format!("{:?}", Draft::default()),
                    "{}",
                    setting.name
                );
            }
        }
    }

    #[test]
    fn names_are_unique_and_follow_one_rule() {
        let flags: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(flags.len(), SETTINGS.len());
        assert!(SettingName::ALL.iter().all(|setting| flags.contains(setting.name())));
        for setting in SETTINGS {
            let joined = if setting.repeatable { "allow" } else { "" };
            let rest = setting.name.strip_prefix(joined).unwrap();
            let want = if setting.repeatable {
                format!("SP_ALLOW_{rest}")
            } else {
                format!("SP_{}", rest.to_uppercase())
            };
            assert_eq!(setting.variable, want);
            assert!(
                !setting.summary.is_empty() && !setting.summary.ends_with('.'),
                "{}",
                setting.name
            );
            assert!(
                setting.details.is_empty() || setting.details.ends_with('.'),
                "{}",
                setting.name
            );
        }
    }

    #[test]
    fn every_method_can_be_allowed() {
        for method in Method::ALL {
            assert!(
                Setting::by_flag(OsStr::new(&format!("allow{method}")))
                    .is_some_and(|setting| setting.repeatable)
            );
        }
    }

    #[test]
    fn every_setting_is_in_a_group_that_is_printed() {
        let printed: usize = Group::ALL.iter().map(|group| group.settings().count()).sum();
        assert_eq!(printed, SETTINGS.len());
    }
}
