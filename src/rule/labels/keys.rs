//! The table of label keys, and what a key that is not in it was probably meant to be.
//!
//! The reader, its messages and `docs/reference.md` use this one table.

use crate::request::Method;

/// One key, as it is written behind a prefix and a dot.
#[derive(Debug)]
pub struct KnownKey {
    /// The key; `METHOD` stands for a method in any case, `ANYTHING` for whatever tells two labels apart.
    pub name: &'static str,
    /// What its value is, in Markdown.
    pub value: &'static str,
    /// What it does: a sentence without a full stop, in Markdown.
    pub summary: &'static str,
    /// Whether it exists only under `sockwarden.` and under a prefix of `-dockerlabelprefix`, because socket-proxy does not have it.
    pub is_new: bool,
}

/// Every key there is.
pub const KEYS: &[KnownKey] = &[
    KnownKey {
        name: "allow",
        value: "words",
        summary: "Allow what these [words](words.md) say: operations, bundles such as `read`, programs such as `traefik`",
        is_new: true,
    },
    KnownKey {
        name: "images",
        value: "images, with commas between them",
        summary: "Let the client use these images only, for example `docker.io/library/*, ghcr.io/me/app`",
        is_new: true,
    },
    KnownKey {
        name: "allow.METHOD",
        value: "a pattern",
        summary: "Allow `METHOD` (`get`, `post` and so on, in any case) for the paths that match",
        is_new: false,
    },
    KnownKey {
        name: "allow.METHOD.ANYTHING",
        value: "a pattern",
        summary: "One more pattern for the same method; all of them count",
        is_new: false,
    },
    KnownKey {
        name: "allow.bindmountfrom",
        value: "directories, with commas between them",
        summary: "Let host mounts come from these directories and what is below them only",
        is_new: false,
    },
    KnownKey {
        name: "bindmountfrom",
        value: "directories, with commas between them",
        summary: "The same as `allow.bindmountfrom`; if both are there they must list the same directories",
        is_new: true,
    },
    KnownKey {
        name: "allow.labels",
        value: "`true` or `false`",
        summary: "Let the client hand out rights: set labels that carry rights on what it creates",
        is_new: false,
    },
    KnownKey {
        name: "hostaccess",
        value: "`deny`, `allow`, or exceptions with commas between them",
        summary: "Whether what the client creates may reach past its container. Exceptions (`cap:NET_ADMIN`, `device:/dev/net/tun`, `network-volumes`) deny all else. Without it words deny, and for patterns `-hostaccess` decides",
        is_new: false,
    },
    KnownKey {
        name: "creator",
        value: "a list of names",
        summary: "Who created the container through the proxy, set by sockwarden. Gives no rights; a container that has no other of these labels may do only what its creator may. Only `sockwarden.creator`, whatever the prefix",
        is_new: true,
    },
    KnownKey {
        name: "x-ANYTHING",
        value: "anything",
        summary: "Your own notes, which sockwarden does not read. Only under `sockwarden.`",
        is_new: true,
    },
];

/// The prefix that is ours alone: under it every key is in the table, or is a mistake.
pub(super) const OWN_PREFIX: &str = "sockwarden";
/// The label that says who created a container, whatever the prefix of the others.
pub const CREATOR_LABEL: &str = "sockwarden.creator";
/// The prefix that socket-proxy reads as well.
const PEER_PREFIX: &str = "socket-proxy";

/// Nobody mistypes a longer key than this, in bytes.
const LONGEST_KEY: usize = 200;

const ALLOW: &str = "allow";
const BIND_MOUNT_FROM: &str = "bindmountfrom";
const CREATOR: &str = "creator";
const HOST_ACCESS: &str = "hostaccess";
const IMAGES: &str = "images";
const LABELS: &str = "labels";
const NOTES: &str = "x-";

/// What a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// Words.
    Words,
    /// Images.
    Images,
    /// A pattern for this method.
    Allow(Method),
    /// Directories.
    BindMountFrom,
    /// Whether rights may be handed out.
    MayLabel,
    /// Whether the host may be reached.
    HostAccess,
    /// A key of a later version, which would be a limit, and what to do instead.
    NotYet(&'static str),
    /// Something that is no key and looks like one.
    Slip(Slip),
}

/// A key that is not in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slip {
    /// What stands behind `allow.`, and the nearest name there is.
    Name { given: String, nearest: Option<String> },
    /// The nearest key, or with a value the nearest label.
    Key { nearest: Option<String> },
    /// Our own key under the prefix of socket-proxy.
    NotThere { instead: String },
}

/// What a key says, if it speaks of rights; `None` for other people's keys, for notes and for `sockwarden.creator`.
pub(super) fn read(key: &str, prefixes: &[String]) -> Option<Key> {
    let exactly = prefixes.iter().find_map(|prefix| {
        let rest = key.strip_prefix(prefix.as_str())?.strip_prefix('.')?;
        Some(exact(prefix, rest))
    });
    match exactly {
        Some(Exact::Known(key)) => return Some(key),
        Some(Exact::Inert) => return None,
        Some(Exact::Unknown) | None => {}
    }
    prefixes.iter().find_map(|prefix| slip(prefix, under(key, prefix)?).map(Key::Slip))
}

/// Whether a key lies under one of the prefixes, in any case, or is `sockwarden.creator`: what no client may set.
pub(super) fn is_reserved(key: &str, prefixes: &[String]) -> bool {
    let creator = || under(key, OWN_PREFIX).is_some_and(|rest| rest.eq_ignore_ascii_case(CREATOR));
    prefixes.iter().any(|prefix| under(key, prefix).is_some()) || creator()
}

/// What stands behind a prefix, read as kindly as a person would: in any case, with blanks, quotes or what nobody sees in front.
fn under<'k>(key: &'k str, prefix: &str) -> Option<&'k str> {
    let is_unseen =
        |c: char| c.is_whitespace() || c.is_control() || !(c.is_ascii() || c.is_alphanumeric());
    let key = key.trim_start_matches(|c: char| is_unseen(c) || matches!(c, '"' | '\''));
    let (start, rest) = key.split_at_checked(prefix.len())?;
    rest.strip_prefix('.').filter(|_| start.eq_ignore_ascii_case(prefix))
}

enum Exact {
    Known(Key),
    /// It says nothing about rights.
    Inert,
    Unknown,
}

/// A key that is written as the table has it.
fn exact(prefix: &str, rest: &str) -> Exact {
    match rest {
        ALLOW if prefix != PEER_PREFIX => return Exact::Known(Key::Words),
        IMAGES if prefix != PEER_PREFIX => return Exact::Known(Key::Images),
        "scope" if prefix != PEER_PREFIX => {
            return Exact::Known(Key::NotYet(
                "write `label:`, `name:` or `project:` in the parentheses of a word",
            ));
        }
        "hide" if prefix != PEER_PREFIX => {
            return Exact::Known(Key::NotYet(
                "give no `read` to a client that must not see what it shows",
            ));
        }
        HOST_ACCESS => return Exact::Known(Key::HostAccess),
        BIND_MOUNT_FROM if prefix != PEER_PREFIX => return Exact::Known(Key::BindMountFrom),
        CREATOR if prefix == OWN_PREFIX => return Exact::Inert,
        _ if is_ours(prefix) && rest.starts_with(NOTES) => return Exact::Inert,
        _ => {}
    }
    let Some((ALLOW, name)) = rest.split_once('.') else { return Exact::Unknown };
    let method = name.split('.').next().and_then(method);
    match name {
        _ if name.eq_ignore_ascii_case(BIND_MOUNT_FROM) => Exact::Known(Key::BindMountFrom),
        _ if name.eq_ignore_ascii_case(LABELS) => Exact::Known(Key::MayLabel),
        _ => method.map_or(Exact::Unknown, |method| Exact::Known(Key::Allow(method))),
    }
}

/// Whether the name space is ours alone.
fn is_ours(prefix: &str) -> bool {
    prefix.eq_ignore_ascii_case(OWN_PREFIX) || under(prefix, OWN_PREFIX).is_some()
}

fn method(name: &str) -> Option<Method> {
    Method::parse(&name.to_ascii_uppercase())
}

/// What is wrong with a key that is not in the table; `None` where it is somebody else's.
fn slip(prefix: &str, rest: &str) -> Option<Slip> {
    let lower = rest.trim().to_ascii_lowercase();
    let (word, name) = lower.split_once('.').unwrap_or((&lower, ""));
    let near = |known: &str| strsim::osa_distance(word, known) <= 2;
    if prefix.eq_ignore_ascii_case(PEER_PREFIX) {
        match &*lower {
            BIND_MOUNT_FROM => {
                let instead = format!("{prefix}.{ALLOW}.{BIND_MOUNT_FROM}");
                return Some(Slip::NotThere { instead });
            }
            ALLOW | IMAGES | "scope" | "hide" => {
                return Some(Slip::NotThere { instead: format!("{OWN_PREFIX}.{lower}") });
            }
            _ => {}
        }
    }
    // Under a prefix that is shared with others most words are not ours to judge.
    let is_images = word.len() <= LONGEST_KEY && strsim::osa_distance(word, IMAGES) <= 1;
    let shared = is_images
        || matches!(&*lower, "scope" | "hide")
        || (word.len() <= LONGEST_KEY
            && [ALLOW, HOST_ACCESS, BIND_MOUNT_FROM].into_iter().any(near));
    if !is_ours(prefix) && !shared {
        return None;
    }
    if lower.len() > LONGEST_KEY {
        return Some(Slip::Key { nearest: None });
    }
    let is_known = match exact(prefix, &lower) {
        Exact::Known(_) => true,
        Exact::Inert => is_ours(prefix),
        Exact::Unknown => false,
    };
    if is_known {
        return Some(Slip::Key { nearest: Some(format!("{prefix}.{lower}")) });
    }
    if word == ALLOW && rest.starts_with(ALLOW) {
        let given = name.split('.').next().unwrap_or_default().to_owned();
        let nearest = behind_allow(name);
        return Some(match nearest {
            Some(method) if !method.contains('.') && self::method(&method).is_some() => {
                Slip::Name { given, nearest: Some(method.to_ascii_uppercase()) }
            }
            Some(other) => Slip::Key { nearest: Some(format!("{prefix}.{other}")) },
            None => Slip::Name { given, nearest: None },
        });
    }
    if is_images && prefix.eq_ignore_ascii_case(PEER_PREFIX) {
        return Some(Slip::NotThere { instead: format!("{OWN_PREFIX}.{IMAGES}") });
    }
    if is_images {
        return Some(Slip::Key { nearest: Some(format!("{prefix}.{IMAGES}")) });
    }
    let nearest = nearest(word, name, near).map(|nearest| {
        let nearest = if prefix.eq_ignore_ascii_case(PEER_PREFIX) && nearest == BIND_MOUNT_FROM {
            format!("{ALLOW}.{BIND_MOUNT_FROM}")
        } else {
            nearest
        };
        format!("{prefix}.{nearest}")
    });
    Some(Slip::Key { nearest })
}

/// The methods, those that give least first: of two that are equally near the first is suggested.
const METHODS: [Method; 9] = [
    Method::Head,
    Method::Get,
    Method::Options,
    Method::Trace,
    Method::Connect,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
];

/// What was meant by words behind `allow.`: a method, or a whole key. Whatever is unlike all of them gets no suggestion, lest it be a wider
/// right than was meant.
fn behind_allow(name: &str) -> Option<String> {
    let words = letters(name);
    let first = name.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty())?;
    let distance = |known: &str| strsim::osa_distance(first, &known.to_ascii_lowercase());
    let nearest = METHODS.into_iter().min_by_key(|method| distance(method.as_str()));
    let most_edits = if first.len() < 5 { 1 } else { 2 };
    if let Some(method) = nearest.filter(|method| distance(method.as_str()) <= most_edits) {
        return Some(method.as_str().to_ascii_lowercase());
    }
    if strsim::osa_distance(&words, LABELS) <= 1 || words.strip_prefix(LABELS).is_some() {
        return Some(format!("{ALLOW}.{LABELS}"));
    }
    limit(&words).map(|limit| match limit {
        BIND_MOUNT_FROM => format!("{ALLOW}.{BIND_MOUNT_FROM}"),
        other => other.to_owned(),
    })
}

/// The key that was meant by a first word and what stands behind it.
fn nearest(word: &str, name: &str, near: impl Fn(&str) -> bool) -> Option<String> {
    let whole = letters(&format!("{word}.{name}"));
    // `get`, `get.containers`, `allowget`, `allow-get`, `alow.get`.
    let behind = if near(ALLOW) {
        Some(name.to_owned())
    } else {
        word.strip_prefix(ALLOW).map(|joined| {
            joined.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
        })
    };
    if let Some(behind) = behind {
        let Some(meant) = behind_allow(&behind) else { return Some(format!("{ALLOW}.METHOD")) };
        return Some(if method(&meant).is_some() { format!("{ALLOW}.{meant}") } else { meant });
    }
    if let Some(method) = method(word) {
        return Some(format!("{ALLOW}.{}", method.as_str().to_ascii_lowercase()));
    }
    if near(HOST_ACCESS) && !is_refusal(&whole) {
        return Some(HOST_ACCESS.to_owned());
    }
    limit(&whole).map(str::to_owned)
}

/// The limit that somebody had in mind; a limit too many is seen at once, one too few is not.
fn limit(words: &str) -> Option<&'static str> {
    let has = |part: &str| words.contains(part);
    if is_refusal(words) && (has("host") || has("mount") || has("privileged")) {
        Some("hostaccess=deny")
    } else if has("bind") || has("mount") || strsim::osa_distance(words, BIND_MOUNT_FROM) <= 2 {
        Some(BIND_MOUNT_FROM)
    } else if has("hostacc") || has("access") || words.starts_with("deny") {
        Some("hostaccess=deny")
    } else {
        None
    }
}

fn is_refusal(words: &str) -> bool {
    ["deny", "forbid", "refuse", "block", "no"].iter().any(|no| words.starts_with(no))
}

/// The letters and digits alone: people mix up dots, dashes and underscores first.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// The keys in a row, for messages that know no nearest one.
pub(super) fn all() -> String {
    let names: Vec<String> = KEYS.iter().map(|key| format!("`{}`", key.name)).collect();
    names.join(", ")
}
