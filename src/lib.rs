//! sockwarden: a default-deny filtering proxy for the Docker socket.
//!
//! The rooms stand bottom-up: a room may use those above it in this file, and none below it. `tests/house/tidy.rs` reads the order from
//! here, and holds the table in `ARCHITECTURE.md` against it.

// Text that others wrote, made fit to be read.
pub mod text;

// Method, target, operation, fields: what is asked. Text in, values or a reason out.
pub mod request;

// What a setting is called in messages: by its flag, or by its variable if the user gave that.
pub mod setting;

// What one flag, variable or label allows: patterns for whole paths, and words with their conditions and presets.
pub mod rule;

// What bodies, parameters and names may ask for.
pub mod clauses;

// What a list gives away beyond what its operations are called.
pub mod risks;

// Who asks.
pub mod client;

// `Allowed` or `Denied`.
pub mod policy;

// Why a request was refused and what would allow it, in the user's words: flag, variable or label.
pub mod wording;

// One record per request, and the sinks that take it.
pub mod audit;

// What clients may take of us, how much is taken, and which limits were reached.
pub mod bounds;

// Log lines, text or JSON, through a bounded queue.
pub mod log;

// A connected socket that two parties hold.
pub mod socket;

// The threads that serve connections.
pub mod workers;

// HTTP/1.1 on a socket, as both sides need it: where a body ends, reading, writing.
pub mod wire;

// The engine's socket and its two doors: `Link::send` for clients, `Engine::ask_for` for our own reading.
pub mod engine;

// Which container is asking, and which connections must end because it is gone.
pub mod registry;

// Who is in `allowfrom` right now.
pub mod admission;

// Who asks on a connection, and by what terms: the one door to `registry` and `admission`.
pub mod identity;

// What clients with `recreate` took down, for as long as it may come back.
pub mod remembered;

// What holds now: what is allowed and who is admitted, replaced as a whole.
pub mod in_force;

// Health, the clients and what they were refused, on a private socket for our own subcommands; health on TCP too where it is switched on.
pub mod admin;

// One client connection, from accept to its last record.
pub mod proxy;

// The listening socket and the connections that come in.
pub mod listen;

// Every room's settings: flags and variables, from one table, to values that can be used as they are. Reads words, opens nothing.
pub mod config;

// What is checked and said before the first client comes.
pub mod startup;

// What the process gives up before it serves anybody.
pub mod sandbox;

// `serve`, from a configuration to the way it ended.
pub mod run;

// Subcommands and exit codes.
pub mod cli;
