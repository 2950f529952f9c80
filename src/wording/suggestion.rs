//! The pattern or the label that would allow what was asked, ready to be copied.

use std::fmt::Write as _;

use crate::request::{ApiVersion, Head, Operation};
use crate::rule::words::{Part, homes_of};
use crate::rule::{Allowlist, Origin};

/// The word that gives what was asked, and as little else as can be; `None` for what no word gives.
pub(super) fn suggested_word(head: &Head) -> Option<&'static str> {
    let operation = head.operation;
    operation.template()?;
    // Of an operation that does two things, the word for the one.
    let part = homes_of(operation).find(|(part, _)| *part != Part::Whole && part.holds(head));
    Some(match part {
        Some((_, Some(bundle))) => bundle.name(),
        _ => Operation::id(operation),
    })
}

/// The narrowest pattern that makes sense for what was asked: its operation on any object, under any API version.
pub(super) fn suggested_pattern(head: &Head) -> String {
    let path = match head.operation.template() {
        Some(template) => fill(template),
        None => escape(head.target.path()),
    };
    let libpod = head.target.version().filter(|version| version.patch.is_some());
    let prefix = match libpod {
        Some(version) => format!("/v{}", escape(&version.to_string())),
        None => VERSION_PATTERN.to_owned(),
    };
    format!("{prefix}{path}")
}

/// Any version prefix, or none.
const VERSION_PATTERN: &str = "(/v1[.][0-9]+)?";
const _: () =
    assert!(ApiVersion::OLDEST.major == 1, "the suggested version prefix names major version 1");

/// How long the last part of a suggested label's key may be.
const LONGEST_NAME: usize = 60;

/// The label that would allow what was asked. Its key is named after the operation, so that two suggestions do not replace each other, and
/// is not one that the container has.
pub(super) fn suggested_label(head: &Head, prefix: &str, list: Option<&Allowlist>) -> String {
    // Words are not read under the prefix that is shared with socket-proxy.
    if let Some(word) = suggested_word(head).filter(|_| !is_shared(prefix)) {
        return format!("{prefix}.allow={word}");
    }
    let method = head.method.as_str().to_ascii_lowercase();
    let stem = format!("{prefix}.allow.{method}.{}", label_name(head));
    let is_taken = |key: &str| {
        let mut rules = list.iter().flat_map(|list| list.rules.of(head.method));
        rules.any(|rule| rule.origin == Origin::Label(key.to_owned()))
    };
    let key = if is_taken(&stem) {
        (2..100).map(|number| format!("{stem}.{number}")).find(|key| !is_taken(key))
    } else {
        None
    };
    format!("{}={}", key.unwrap_or(stem), suggested_pattern(head))
}

/// Whether only the keys that socket-proxy has are read under this prefix.
fn is_shared(prefix: &str) -> bool {
    prefix == "socket-proxy"
}

/// A name for what was asked: the operation's, or the words of its path.
fn label_name(head: &Head) -> String {
    if head.operation.template().is_some() {
        return head.operation.to_string().to_ascii_lowercase();
    }
    let path = head.target.path();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    // What was left out must not make two paths one name.
    if name.len() > LONGEST_NAME
        || !path.bytes().all(|byte| byte == b'/' || byte.is_ascii_alphanumeric())
    {
        name.truncate(LONGEST_NAME);
        let _ = write!(name, "-{:08x}", checksum(path));
    }
    if name.is_empty() { "root".to_owned() } else { name }
}

/// FNV-1a, which is the same in every process.
fn checksum(text: &str) -> u32 {
    text.bytes()
        .fold(0x811c_9dc5, |sum: u32, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A template as a pattern: an image's name may hold slashes, other names and ids do not.
fn fill(template: &str) -> String {
    let any = if template.starts_with("/images/")
        || template.starts_with("/plugins/")
        || template.starts_with("/distribution/")
    {
        ".+"
    } else {
        "[^/]+"
    };
    let mut pattern = String::with_capacity(template.len() + 8);
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        pattern.push_str(&escape(before));
        pattern.push_str(any);
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
    }
    pattern + &escape(rest)
}

/// Escapes what means something in a pattern, by a class: JSON, YAML and logs double a backslash, and the copy would match nothing. What a
/// shell, YAML or Compose would read in its own way is any character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\'' | '"' | '`' | '$' | '^' | '\\' => escaped.push('.'),
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | ' ' | '#' => {
                escaped.extend(['[', c, ']']);
            }
            // At the end of a line of YAML it makes a key of what stands before it.
            ':' if at + 1 == text.len() => escaped.push_str("[:]"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Method, RequestTarget};
    use crate::rule::AnchoredRegex;

    #[track_caller]
    fn check(method: Method, target: &str, want: &str) {
        let head = Head::new(method, RequestTarget::parse(target).unwrap(), []);
        let pattern = suggested_pattern(&head);
        assert_eq!(pattern, want);
        assert!(
            AnchoredRegex::new(&pattern).unwrap().is_match(head.target.versioned_path()),
            "{pattern} does not allow {target}"
        );
    }

    #[test]
    fn the_suggested_pattern_would_allow_what_was_refused() {
        let version = "(/v1[.][0-9]+)?";
        for (method, target, want) in [
            (Method::Get, "/v1.41/containers/json?all=1", "/containers/json"),
            (Method::Get, "/containers/abc/logs", "/containers/[^/]+/logs"),
            (Method::Delete, "/v1.51/containers/abc", "/containers/[^/]+"),
            (Method::Get, "/v1.41/images/docker.io/library/x:1/json", "/images/.+/json"),
            (Method::Get, "/it's(odd)", "/it.s[(]odd[)]"),
            (Method::Get, "/a.b+c*d[e]f{g}|h", "/a[.]b[+]c[*]d[[]e[]]f[{]g[}][|]h"),
            (Method::Get, "/a$b^c\"d`e", "/a.b.c.d.e"),
            (Method::Get, "/a%20b:c:", "/a[ ]b:c[:]"),
            (Method::Get, "/v1.41/services/abc", "/services/[^/]+"),
        ] {
            check(method, target, &format!("{version}{want}"));
        }
        check(Method::Get, "/v5.0.0/libpod/info", "/v5[.]0[.]0/libpod/info");
    }

    /// It is copied out of JSON or a log into YAML, a shell, or JSON again.
    #[track_caller]
    fn survives(text: &str) {
        assert!(!text.contains(['\\', '\'', '"', '$', '`', '\n', '\t']), "{text}");
        assert!(!text.contains(": ") && !text.contains(" #") && !text.ends_with(':'), "{text}");
        assert_eq!(text, text.trim());
        assert_eq!(serde_json::to_string(text).unwrap(), format!("\"{text}\""));
        // A plain scalar of YAML may not begin with these (YAML 1.2 section 7.3.3).
        assert!(!text.starts_with(|c| "-?:,[]{}#&*!|>'\"%@` ".contains(c)), "{text}");
    }

    #[test]
    fn a_suggestion_can_be_copied() {
        for method in [Method::Get, Method::Post] {
            let odd = (b'!'..=b'~').map(|byte| format!("/a%{byte:02X}"));
            let paths = ["/v1.41/containers/json", "/containers/x/logs", "/v5.0.0/libpod/a.b", "/"];
            let paths = paths.into_iter().map(str::to_owned).chain(odd);
            for target in paths.filter_map(|path| RequestTarget::parse(&path).ok()) {
                let head = Head::new(method, target, []);
                let pattern = suggested_pattern(&head);
                survives(&pattern);
                assert_eq!(AnchoredRegex::new(&pattern).unwrap().slip(), None, "{pattern}");
                let label = suggested_label(&head, "socket-proxy", None);
                let (key, value) = label.split_once('=').unwrap();
                assert_eq!(value, pattern);
                if let Some(word) = suggested_word(&head) {
                    let label = suggested_label(&head, "sockwarden", None);
                    assert_eq!(label, format!("sockwarden.allow={word}"));
                }
                let is_key =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
                assert!(key.chars().all(is_key) && key.len() < 100, "{key}");
            }
        }
    }

    #[test]
    fn every_suggestion_has_a_key_of_its_own() {
        let label = |method, target: &str, list: Option<&Allowlist>| {
            let head = Head::new(method, RequestTarget::parse(target).unwrap(), []);
            let label = suggested_label(&head, "socket-proxy", list);
            label.split_once('=').unwrap().0.to_owned()
        };
        let of = |target| label(Method::Get, target, None);
        assert_eq!(of("/v1.41/containers/json"), "socket-proxy.allow.get.containerlist");
        assert_eq!(of("/containers/json"), of("/v1.41/containers/json"));
        assert_eq!(of("/containers/x/json"), "socket-proxy.allow.get.containerinspect");
        assert_eq!(label(Method::Post, "/x/y", None), "socket-proxy.allow.post.x-y");
        assert_eq!(of("/"), "socket-proxy.allow.get.root");
        let long = "x".repeat(200);
        let others = ["/a/b", "/a-b", "/a.b", "/a_b", &format!("/{long}"), &format!("/{long}y")];
        let keys: std::collections::BTreeSet<String> = others.iter().map(|it| of(it)).collect();
        assert_eq!(keys.len(), others.len(), "{keys:?}");
        // A key that the container has would be replaced.
        let mut list = Allowlist::default();
        for key in
            ["socket-proxy.allow.get.containerlist", "socket-proxy.allow.get.containerlist.2"]
        {
            list.rules.add(crate::rule::Rule {
                origin: Origin::Label(key.to_owned()),
                method: Method::Get,
                path: std::sync::Arc::new(AnchoredRegex::new("/x").unwrap()),
            });
        }
        assert_eq!(
            label(Method::Get, "/containers/json", Some(&list)),
            "socket-proxy.allow.get.containerlist.3"
        );
        let keys: Vec<String> =
            Operation::all().map(|operation| operation.id().to_ascii_lowercase()).collect();
        assert!(keys.iter().all(|key| key.chars().all(|c| c.is_ascii_alphanumeric())));
    }
}
