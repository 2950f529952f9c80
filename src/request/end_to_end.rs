//! The fields that travel from the client to the engine.

use super::fields::{self, Fields};

/// The client's fields without those that belong to its own connection (RFC 9110 section 7.6.1), and without those that
/// would let it speak past the judge.
#[derive(Debug, Clone, Default)]
pub struct EndToEndFields(Fields);

impl EndToEndFields {
    pub(super) fn from_client<'a>(
        fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    ) -> Self {
        let options = fields.clone().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
        let named: Vec<&[u8]> =
            options.flat_map(|(_, value)| fields::connection_options(value)).collect();
        let is_named = |name: &str| named.iter().any(|it| it.eq_ignore_ascii_case(name.as_bytes()));
        let mut kept = Fields::with_capacity(USUAL_BYTES);
        for (name, value) in fields {
            if !fields::is_hop_by_hop(name) && !is_ours_to_set(name) && !is_named(name) {
                let _ = kept.push(name, value);
            }
        }
        Self(kept)
    }

    /// The fields as they are sent.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Every value of a field, whatever the case of its name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.all(name)
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(|it| it.eq_ignore_ascii_case(name));
    }

    /// Sets a field that sockwarden decides about, such as the content type of a body it knows.
    pub fn set(&mut self, name: &'static str, value: &'static str) {
        self.remove(name);
        let _ = self.0.push(name, value.as_bytes());
    }
}

/// What the fields of most requests need, in bytes.
const USUAL_BYTES: usize = 192;

/// `Host` is ours because the authority never decides anything; the length is written from the body there is; `Expect` is
/// answered by us; the rest would carry a claim about who asks.
fn is_ours_to_set(name: &str) -> bool {
    const OURS: [&str; 5] = ["host", "content-length", "expect", "http2-settings", "forwarded"];
    const CLAIMS: &str = "x-forwarded-";
    OURS.iter().any(|it| it.eq_ignore_ascii_case(name))
        || name.get(..CLAIMS.len()).is_some_and(|start| start.eq_ignore_ascii_case(CLAIMS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[(&str, &str)], kept: &[&str]) {
        let sent = sent.iter().map(|(name, value)| (*name, value.as_bytes()));
        let fields = EndToEndFields::from_client(sent);
        assert_eq!(fields.0.iter().map(|(name, _)| name).collect::<Vec<_>>(), kept);
    }

    #[test]
    fn only_end_to_end_fields_travel() {
        check(
            &[("user-agent", "Docker-Client"), ("x-registry-auth", "e30=")],
            &["user-agent", "x-registry-auth"],
        );
        check(&[("connection", "x-a, X-B"), ("x-a", "1"), ("x-b", "2"), ("x-c", "3")], &["x-c"]);
        check(
            &[
                ("te", "trailers"),
                ("trailer", "x"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABk"),
            ],
            &[],
        );
        check(
            &[
                ("expect", "100-continue"),
                ("host", "a"),
                ("content-length", "3"),
                ("x-forwarded-for", "1.2.3.4"),
            ],
            &[],
        );
    }
}
