//! The judge, called and not connected to: what it says of every body, pattern and client, and the files that fuzzing has found.
#![cfg(test)]

mod clauses;
mod corpus;
mod creator;
mod go_regexp;
mod oracle;
mod recreate;
mod secrets;
mod words;
