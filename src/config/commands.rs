//! The tables of subcommands and exit codes, which the parser, `--help` and `docs/reference.md` read.

/// What the program can be told to do, by its first word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    /// The word.
    pub(super) name: &'static str,
    /// Its own flags; those of the first are the table of settings.
    pub(super) flags: &'static [Flag],
    /// The words that follow it.
    pub(super) words: Words,
    /// What it does: a sentence without a full stop, in Markdown.
    pub(super) summary: &'static str,
}

/// The words that follow a subcommand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// How many it needs.
    pub(super) least: usize,
    /// How many it takes.
    pub(super) most: usize,
    /// What the help calls them.
    pub(super) shown: &'static str,
    /// What a message calls them.
    pub(super) told: &'static str,
}

impl Words {
    const NONE: Self = Self { least: 0, most: 0, shown: "", told: "no words" };
}

/// A flag of a subcommand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// The flag, without dashes.
    pub(super) name: &'static str,
    /// What the help calls its value; empty if it takes none.
    pub(super) placeholder: &'static str,
    /// What it does: a sentence without a full stop.
    pub(super) summary: &'static str,
}

impl Flag {
    /// Whether it takes no value.
    pub(super) const fn is_switch(&self) -> bool {
        self.placeholder.is_empty()
    }
}

/// Every subcommand; without one it is the first.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        flags: &[],
        words: Words { least: 0, most: usize::MAX, shown: "[FLAGS]", told: "flags" },
        summary: "Run the proxy; this is what happens without a subcommand",
    },
    Command {
        name: "request",
        flags: &[
            Flag { name: "host", placeholder: "HOST", summary: "tcp://host:port or unix:///path" },
            Flag { name: "data", placeholder: "JSON", summary: "A body, sent as application/json" },
        ],
        words: Words { least: 2, most: 2, shown: "METHOD PATH", told: "a method and a path" },
        summary: "Send one request to a proxy or an engine and print the answer, to try an allowlist by hand; \
            `HOST` is `tcp://host:port` or `unix:///path`, by default `DOCKER_HOST`, else `tcp://127.0.0.1:2375`",
    },
    Command {
        name: "healthcheck",
        flags: &[PID],
        words: Words::NONE,
        summary: "Ask the proxy that runs in this container whether the engine answers; over a private socket, so no flag \
            is needed; for `HEALTHCHECK` in an image without a shell. `-pid` says which one where several run",
    },
    Command {
        name: "clients",
        flags: &[PID],
        words: Words::NONE,
        summary: "Show which containers the proxy that runs in this container knows as clients, and what each may do",
    },
    Command {
        name: "presets",
        flags: &[JSON],
        words: Words { least: 0, most: 1, shown: "[NAME]", told: "one name or none" },
        summary: "List the programs that sockwarden has a word for, or show what one of those words gives, how that is known, and \
            the label to copy; no proxy has to run",
    },
    Command {
        name: "why",
        flags: &[JSON, PID],
        words: Words {
            least: 0,
            most: 3,
            shown: "[ID | CLIENT OPERATION [OBJECT]]",
            told: "nothing, the id of a refusal, or a client, an operation and its object",
        },
        summary: "Show the last refusals of the proxy that runs in this container, the newest first, each with what would allow it; with the id \
            from a log line or an answer, one of them; with a client and an operation (`why dozzle ContainerLogs web`), whether that \
            would pass, step by step. A method and a path work in place of the operation and its object",
    },
    Command {
        name: "check",
        flags: &[
            JSON,
            Flag {
                name: "sarif",
                placeholder: "",
                summary: "Print SARIF 2.1.0, for code hosts and editors",
            },
        ],
        words: Words {
            least: 0,
            most: usize::MAX,
            shown: "[FLAGS | FILE... | -]",
            told: "flags and files",
        },
        summary: "Find what is wrong or weak before it runs: in the flags of `serve` and the variables, or in Compose files (`-` for standard \
            input; several files add up as in Compose). Ends with 0 if there is nothing, 1 if something was found, and 2 if a file \
            cannot be read",
    },
];

const JSON: Flag = Flag { name: "json", placeholder: "", summary: "Print JSON, for programs" };

const PID: Flag =
    Flag { name: "pid", placeholder: "PID", summary: "The process to ask, where several run" };

impl Command {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// What follows its name, as one writes it.
    pub(super) fn operands(&self) -> String {
        let flags = self.flags.iter().map(|flag| {
            let usage = format!("-{} {}", flag.name, flag.placeholder);
            format!("[{}]", usage.trim_end())
        });
        let words = Some(self.words.shown.to_owned()).filter(|shown| !shown.is_empty());
        flags.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// How the proxy ends: the exit code, and when.
pub(super) const EXIT_CODES: &[(u8, &str)] = &[
    (0, "Stopped by a signal such as SIGTERM or SIGINT, or printed what was asked for"),
    (
        1,
        "Failed while running; of `request`: no answer, or a status of 400 or above; of `healthcheck`: proxy or engine does not answer",
    ),
    (
        2,
        "The command line or a variable is wrong, or the start failed: the engine's socket, the port, the address or the directory of a socket \
            cannot be used, or the proxy's own container was not found",
    ),
    (10, "The watchdog found that the engine does not answer, and `-stoponwatchdog` is set"),
];
