//! The tables of subcommands and exit codes, which the parser, `--help` and `docs/reference.md` read.

/// What the program can be told to do, by its first word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    /// The word.
    pub(super) name: &'static str,
    /// Its own flags; those of the first are the table of settings.
    pub(super) flags: &'static [Flag],
    /// The words that follow it, all of which it needs: what the help calls each, and what a message does.
    pub(super) words: &'static [(&'static str, &'static str)],
    /// What it does: a sentence without a full stop, in Markdown.
    pub(super) summary: &'static str,
}

/// A flag of a subcommand; it takes a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// The flag, without dashes.
    pub(super) name: &'static str,
    /// What the help calls its value.
    pub(super) placeholder: &'static str,
    /// What it does: a sentence without a full stop.
    pub(super) summary: &'static str,
}

/// Every subcommand; without one it is the first.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        flags: &[],
        words: &[("[FLAGS]", "flags")],
        summary: "Run the proxy; this is what happens without a subcommand",
    },
    Command {
        name: "request",
        flags: &[
            Flag { name: "host", placeholder: "HOST", summary: "tcp://host:port or unix:///path" },
            Flag { name: "data", placeholder: "JSON", summary: "A body, sent as application/json" },
        ],
        words: &[("METHOD", "a method"), ("PATH", "a path")],
        summary: "Send one request to a proxy or an engine and print the answer, to try an allowlist by hand; \
            `HOST` is `tcp://host:port` or `unix:///path`, by default `DOCKER_HOST`, else `tcp://127.0.0.1:2375`",
    },
    Command {
        name: "healthcheck",
        flags: &[PID],
        words: &[],
        summary: "Ask the proxy that runs in this container whether the engine answers; over a private socket, so no flag \
            is needed; for `HEALTHCHECK` in an image without a shell. `-pid` says which one where several run",
    },
    Command {
        name: "clients",
        flags: &[PID],
        words: &[],
        summary: "Show which containers the proxy that runs in this container knows as clients, and what each may do",
    },
];

const PID: Flag =
    Flag { name: "pid", placeholder: "PID", summary: "The process to ask, where several run" };

impl Command {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// What follows its name, as one writes it.
    pub(super) fn operands(&self) -> String {
        let flags = self.flags.iter().map(|flag| format!("[-{} {}]", flag.name, flag.placeholder));
        let words = self.words.iter().map(|(name, _)| (*name).to_owned());
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
