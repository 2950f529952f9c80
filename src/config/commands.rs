//! The tables of subcommands and exit codes, which the parser, `--help` and `docs/reference.md` read.

/// What the program can be told to do, by its first word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    /// The word.
    pub(super) name: &'static str,
    /// The words that follow it.
    pub(super) operands: &'static str,
    /// What it does: a sentence without a full stop, in Markdown.
    pub(super) summary: &'static str,
    /// Its options, one a line, for its own help; may be empty.
    pub(super) options: &'static [(&'static str, &'static str)],
}

/// Every subcommand; without one it is the first.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        operands: "[FLAGS]",
        summary: "Run the proxy; this is what happens without a subcommand",
        options: &[],
    },
    Command {
        name: "request",
        operands: "[-host HOST] [-data JSON] METHOD PATH",
        summary: "Send one request to a proxy or an engine and print the answer, to try an allowlist by hand; \
            `HOST` is `tcp://host:port` or `unix:///path`, by default `DOCKER_HOST`, else `tcp://127.0.0.1:2375`",
        options: &[
            ("-host=HOST", "tcp://host:port or unix:///path"),
            ("-data=JSON", "A body, sent as application/json"),
        ],
    },
    Command {
        name: "healthcheck",
        operands: "[-pid PID]",
        summary: "Ask the proxy that runs in this container whether the engine answers; over a private socket, so no flag \
            is needed; for `HEALTHCHECK` in an image without a shell. `-pid` says which one where several run",
        options: &[PID],
    },
    Command {
        name: "clients",
        operands: "[-pid PID]",
        summary: "Show which containers the proxy that runs in this container knows as clients, and what each may do",
        options: &[PID],
    },
];

const PID: (&str, &str) = ("-pid=PID", "The process to ask, where several run");

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
