//! What of a long document is kept.
//!
//! The engine describes an object with everything there is to say of it, and a label alone may be megabytes. So the fields that we read
//! are listed, nothing else is kept, and what is not listed cannot be read: to ask a document for it is a bug, which tests find.

/// What is kept of a value.
#[derive(Debug, PartialEq, Eq)]
pub enum Keep {
    /// All of it.
    Whole,
    /// A text that is not longer than so many bytes; a longer one is empty.
    Text(usize),
    /// Of an object, these fields. A list in its place is `false`.
    Fields(&'static [(&'static str, Self)]),
    /// Of each value in a list, or in an object that is a map.
    Each(&'static Self),
    /// Of a map, its keys, each with `true`.
    Names,
    /// Of a map of labels, those that whoever reads it wants. One whose value is longer than [`MOST_LABEL_BYTES`] is `null`.
    Labels,
}

/// The longest label that is kept, in bytes, as JSON has it.
pub const MOST_LABEL_BYTES: usize = 32 * 1024;

/// The longest key that is looked at, in bytes; of a longer one this is the beginning that is looked at.
pub const MOST_KEY_BYTES: usize = 1024;

/// For names, ids and whatever else somebody chose a word for.
pub const WORD: Keep = Keep::Text(1024);

impl Keep {
    /// Whether this field of an object may be asked for.
    pub(super) fn lists(&self, name: &str) -> bool {
        match self {
            Self::Fields(fields) => fields.iter().any(|(listed, _)| *listed == name),
            _ => true,
        }
    }
}
