//! JSON read as the daemon reads it, or refused.
//!
//! The daemon decodes with Go's `encoding/json`, which forgives much: keys in any case, two of the same key (merged), text behind the
//! document, broken Unicode. A reader that forgives other things sees another document. This one accepts only documents that have a
//! single reading, finds keys as Go finds them, and prints what it understood, so the client's own bytes are never sent.

pub mod keep;
mod reader;
pub mod skim;
#[cfg(test)]
mod tests;
mod value;

pub use value::{Json, JsonError, Keys, MAX_DEPTH, MAX_VALUES, Number, Object, fold, folds_alike};

use reader::Author;

impl Json {
    /// Reads a document. `keys` says what its outermost object is to the daemon: a struct for a request body, a map for a parameter such
    /// as the `labels` of a build.
    ///
    /// # Errors
    /// When it is not JSON, or when two readers could understand it differently.
    pub fn parse(bytes: &[u8], keys: Keys) -> Result<Self, JsonError> {
        reader::read(bytes, Author::Client(keys), MAX_VALUES)
    }

    /// Reads what the engine describes an object with. It writes its fields in one spelling, and beside them maps that no request has, so
    /// every key is what it is: a container may be labelled `version` and `Version`. A network may have thousands of containers.
    ///
    /// # Errors
    /// As for [`Json::parse`].
    pub fn parse_answer(bytes: &[u8]) -> Result<Self, JsonError> {
        reader::read(bytes, Author::Engine, bytes.len())
    }
}
