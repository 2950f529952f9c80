//! Fields as they stand on the wire (RFC 9112 section 5), with nothing between them that is none.

use std::fmt;

/// The fields of a message: `name: value` and a line end, one behind the other.
///
// INVARIANT: the text is made of whole lines that `push` has checked, so it can neither end a head nor begin another field.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    text: Vec<u8>,
}

impl fmt::Debug for Fields {
    /// The names alone: credentials travel in values (`X-Registry-Auth`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl Fields {
    /// No fields, and room for so many bytes of them.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes) }
    }

    /// Adds a field behind the others; says no to what is none (RFC 9110 section 5.1 and 5.5).
    #[must_use]
    pub fn push(&mut self, name: &str, value: &[u8]) -> bool {
        // Every byte is looked at, which takes less time than to stop at the first wrong one.
        let is_token = name.bytes().fold(!name.is_empty(), |all, byte| all & is_token_byte(byte));
        let is_text = value.iter().fold(true, |all, byte| all & is_text(*byte));
        let is_field = is_token && is_text;
        if is_field {
            self.text.reserve(name.len() + value.len() + 4);
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                self.text.extend_from_slice(part);
            }
        }
        is_field
    }

    /// Name and value of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = self.text.as_slice();
        std::iter::from_fn(move || {
            let colon = memchr::memchr(b':', rest)?;
            let (name, behind) = rest.split_at_checked(colon)?;
            let end = memchr::memchr(b'\r', behind)?;
            let (value, behind) = behind.split_at_checked(end)?;
            rest = behind.get(2..)?;
            Some((std::str::from_utf8(name).ok()?, value.get(2..)?))
        })
    }

    /// Every value of a field, whatever the case of its name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Takes out the fields whose names are chosen.
    pub fn remove(&mut self, chosen: impl Fn(&str) -> bool) {
        if self.iter().any(|(name, _)| chosen(name)) {
            let mut kept = Self::with_capacity(self.text.len());
            // What stood in one is a field.
            let _ = self
                .iter()
                .filter(|(name, _)| !chosen(name))
                .all(|(name, value)| kept.push(name, value));
            *self = kept;
        }
    }

    /// The fields as they are sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

/// Whether a byte may stand in the name of a field or a method, RFC 9110 section 5.6.2.
pub fn is_token_byte(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or_default()
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        let is_mark = matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        #[expect(clippy::indexing_slicing, reason = "evaluated when we are built")]
        {
            table[byte as usize] = is_mark || byte.is_ascii_alphanumeric();
        }
        byte += 1;
    }
    table
};

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field belongs to one connection only, RFC 9110 section 7.6.1.
pub fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// The most options of a connection that a message may name, because each is compared with each of its fields.
pub const MAX_CONNECTION_OPTIONS: usize = 64;

/// The options of a `Connection` field: `close`, or names of fields that belong to the connection.
pub fn connection_options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_pushed_is_found(
            fields in prop::collection::vec(("[!-~]{0,5}", prop::collection::vec(any::<u8>(), 0..6)), 0..6),
        ) {
            let mut got = Fields::default();
            let kept: Vec<_> = fields
                .iter()
                .filter(|(name, value)| got.push(name, value))
                .map(|(name, value)| (name.as_str(), value.as_slice()))
                .collect();
            prop_assert_eq!(got.iter().collect::<Vec<_>>(), kept.clone());
            // As another reader reads it.
            let text = [got.as_bytes(), b"\r\n"].concat();
            let mut room = [httparse::EMPTY_HEADER; 6];
            let (length, parsed) = httparse::parse_headers(&text, &mut room).unwrap().unwrap();
            prop_assert_eq!(length, text.len());
            let trimmed = |value: &[u8]| value.trim_ascii().to_vec();
            prop_assert_eq!(
                parsed.iter().map(|it| (it.name, trimmed(it.value))).collect::<Vec<_>>(),
                kept.iter().map(|(name, value)| (*name, trimmed(value))).collect::<Vec<_>>()
            );
            if let Some((first, _)) = kept.first() {
                got.remove(|name| name == *first);
                let left: Vec<_> = kept.iter().copied().filter(|(name, _)| name != first).collect();
                prop_assert_eq!(got.iter().collect::<Vec<_>>(), left);
            }
        }
    }

    #[test]
    fn what_is_no_field_is_not_taken() {
        let mut fields = Fields::default();
        for (name, value) in [("", "a"), ("a b", ""), ("a:", ""), ("a", "b\r\nc: d"), ("a", "\0")] {
            assert!(!fields.push(name, value.as_bytes()), "{name:?}: {value:?}");
        }
        assert_eq!(fields, Fields::default());
    }
}
