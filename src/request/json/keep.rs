//! What of a long document is kept.
//!
//! The engine describes an object with everything there is to say of it, and a label alone may be megabytes. So the fields that we read
//! are listed, nothing else is kept, and what is not listed cannot be read: to ask a document for it is a bug, which tests find.

use super::Json;

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

impl Json {
    /// The document with nothing in it but what is kept of it. From then on, nothing else can be asked of it.
    #[must_use]
    pub fn kept(mut self, keep: &'static Keep) -> Self {
        self.keep(keep);
        self
    }

    fn keep(&mut self, keep: &'static Keep) {
        match (self, keep) {
            (this @ Self::Array(_), Keep::Fields(_) | Keep::Text(_))
            | (this @ Self::Object(_), Keep::Text(_)) => *this = Self::Bool(false),
            (Self::Array(values), Keep::Each(inner)) => {
                for value in values {
                    value.keep(inner);
                }
            }
            (Self::Object(object), Keep::Fields(fields)) => {
                let mut members = std::mem::take(&mut object.members).into_vec();
                members.retain_mut(|(name, value)| {
                    let listed = fields.iter().find(|(listed, _)| listed == name);
                    if let Some((_, keep)) = listed {
                        value.keep(keep);
                    }
                    listed.is_some()
                });
                object.kept = Some(keep);
                object.members = members.into();
            }
            (Self::Object(object), Keep::Each(inner)) => {
                for (_, value) in &mut object.members {
                    value.keep(inner);
                }
            }
            (Self::Object(object), Keep::Names) => {
                for (_, value) in &mut object.members {
                    *value = Self::Bool(true);
                }
            }
            (Self::String(text), Keep::Text(most)) if text.len() > *most => text.clear(),
            (Self::String(text), Keep::Fields(_) | Keep::Each(_) | Keep::Names) => text.clear(),
            _ => {}
        }
    }
}
