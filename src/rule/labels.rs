//! What a container's labels say: its own allowlist, nothing, or a mistake that costs it its rights.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::body::HostAccess;
use super::{Allowlist, AnchoredRegex, Origin, PatternError, Rule};
use crate::request::Method;

/// What the labels of a container give it.
#[derive(Debug, Clone)]
pub enum Rights {
    /// It has no label of ours: the default allowlist is for it if it is admitted.
    Unlabelled,
    /// Its own allowlist, and nothing else.
    Own(Arc<Allowlist>),
    /// A label is wrong, so it has no rights at all until somebody mends it.
    Broken(Arc<[LabelError]>),
}

/// What is wrong with a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum LabelError {
    #[error("label `{key}`: {error}")]
    Pattern { key: String, error: PatternError },
    #[error(
        "label `{key}`: `{given}` is neither a method nor `bindmountfrom` or `labels`; did you mean `{nearest}`?"
    )]
    UnknownName { key: String, given: String, nearest: &'static str },
    #[error("label `{key}` is none of ours; did you mean `{nearest}`?")]
    NearMiss { key: String, nearest: String },
    #[error("label `{key}`: `{value}` is neither `deny` nor `allow`; give one of them")]
    HostAccess { key: String, value: String },
    #[error("label `{key}`: `{value}` is neither `true` nor `false`; give one of them")]
    Switch { key: String, value: String },
    #[error(
        "label `{key}` says something else than another label of the same meaning; keep one of them"
    )]
    Contradiction { key: String },
    #[error(
        "label `{key}`: `{value}` is not an absolute directory without `.` and `..`; give one such as `/srv/data`, or several with commas between them"
    )]
    Directory { key: String, value: String },
    #[error(
        "its image cannot be inspected, so nobody can say whether its labels are its own; create it again from an image the engine has"
    )]
    NoImage,
    #[error("label `{key}` is longer than can be read; make it shorter")]
    TooLong { key: String },
    #[error(
        "its labels that speak of rights, or its names and networks, are more than can be read; use fewer"
    )]
    TooMuch,
    #[error(
        "the labels of all containers that speak of rights are more than can be read; use fewer or shorter ones"
    )]
    TooManyInAll,
}

/// Compiles labels, the same ones only once however many containers carry them.
#[derive(Debug, Default)]
pub struct LabelReader {
    known: HashMap<BTreeMap<String, String>, Weak<Allowlist>>,
    patterns: HashMap<String, Weak<AnchoredRegex>>,
}

impl LabelReader {
    /// What these labels give; keys that are none of ours are passed over.
    pub fn rights(&mut self, labels: &BTreeMap<String, String>, prefixes: &[String]) -> Rights {
        let ours: BTreeMap<String, String> = labels
            .iter()
            .filter(|(key, _)| is_policy(key, prefixes))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if ours.is_empty() {
            return Rights::Unlabelled;
        }
        if let Some(rules) = self.known.get(&ours).and_then(Weak::upgrade) {
            return Rights::Own(rules);
        }
        let mut rules = Allowlist::default();
        let mut errors = Vec::new();
        for (key, value) in &ours {
            if let Err(error) = self.read(key, value, prefixes, &mut rules) {
                errors.push(error);
            }
        }
        if !errors.is_empty() {
            return Rights::Broken(errors.into());
        }
        let rules = Arc::new(rules);
        self.forget_unused();
        self.known.insert(ours, Arc::downgrade(&rules));
        Rights::Own(rules)
    }

    fn read(
        &mut self,
        key: &str,
        value: &str,
        prefixes: &[String],
        rules: &mut Allowlist,
    ) -> Result<(), LabelError> {
        let Some((prefix, name)) = split_key(key, prefixes) else { return Ok(()) };
        let name = match name {
            Key::Allow(name) => name,
            Key::HostAccess => return read_host_access(key, value, rules),
            Key::NearMiss(word) => {
                let nearest = format!("{prefix}.{word}");
                return Err(LabelError::NearMiss { key: key.to_owned(), nearest });
            }
        };
        if name.eq_ignore_ascii_case(LABELS) {
            return read_labels(key, value, rules);
        }
        if name.eq_ignore_ascii_case(BIND_MOUNT_FROM) {
            let directories = rules.bind_mount_from.get_or_insert_default();
            for directory in value.split(',').map(str::trim) {
                directories.push(parse_directory(key, directory)?);
            }
            return Ok(());
        }
        let first = name.split('.').next().unwrap_or_default();
        let method = Method::parse(&first.to_ascii_uppercase());
        let method = method.ok_or_else(|| LabelError::UnknownName {
            key: key.to_owned(),
            given: first.to_owned(),
            nearest: nearest_name(first),
        })?;
        let path = self
            .pattern(value)
            .map_err(|error| LabelError::Pattern { key: key.to_owned(), error })?;
        rules.rules.add(Rule { origin: Origin::Label(key.to_owned()), method, path });
        Ok(())
    }

    fn pattern(&mut self, pattern: &str) -> Result<Arc<AnchoredRegex>, PatternError> {
        if let Some(known) = self.patterns.get(pattern).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let compiled = Arc::new(AnchoredRegex::new(pattern)?);
        self.patterns.insert(pattern.to_owned(), Arc::downgrade(&compiled));
        Ok(compiled)
    }

    /// Containers come and go; what only the gone ones had is dropped once it is as much as what is left.
    fn forget_unused(&mut self) {
        if self.known.len() == self.known.capacity() {
            self.known.retain(|_, rules| rules.strong_count() > 0);
        }
        if self.patterns.len() == self.patterns.capacity() {
            self.patterns.retain(|_, pattern| pattern.strong_count() > 0);
        }
    }
}

/// Whether a label's key speaks of rights, rightly or with a slip.
pub fn is_policy(key: &str, prefixes: &[String]) -> bool {
    split_key(key, prefixes).is_some()
}

const BIND_MOUNT_FROM: &str = "bindmountfrom";
const LABELS: &str = "labels";
const ALLOW: &str = "allow";
const HOST_ACCESS: &str = "hostaccess";

/// What stands behind a prefix.
#[derive(Debug, Clone, Copy)]
enum Key<'a> {
    /// `allow`, and what stands behind that.
    Allow(&'a str),
    /// `hostaccess`.
    HostAccess,
    /// A slip away from this word.
    NearMiss(&'static str),
}

/// The prefix of a key, and what it says.
fn split_key<'a>(key: &'a str, prefixes: &'a [String]) -> Option<(&'a str, Key<'a>)> {
    prefixes.iter().find_map(|prefix| {
        let rest = key.strip_prefix(prefix.as_str())?.strip_prefix('.')?;
        let (word, name) = rest.split_once('.').unwrap_or((rest, ""));
        let near = |known: &str| strsim::osa_distance(&word.to_ascii_lowercase(), known) <= 2;
        let key = match word {
            ALLOW => Key::Allow(name),
            HOST_ACCESS if rest == HOST_ACCESS => Key::HostAccess,
            // Under a prefix that is shared with others, most words are none of our business.
            _ if near(ALLOW) => Key::NearMiss(ALLOW),
            _ if near(HOST_ACCESS) => Key::NearMiss(HOST_ACCESS),
            _ => return None,
        };
        Some((prefix.as_str(), key))
    })
}

fn read_host_access(key: &str, value: &str, rules: &mut Allowlist) -> Result<(), LabelError> {
    let access = HostAccess::parse(value.trim())
        .ok_or_else(|| LabelError::HostAccess { key: key.to_owned(), value: value.to_owned() })?;
    match rules.host_access.replace(access) {
        Some(before) if before != access => Err(LabelError::Contradiction { key: key.to_owned() }),
        _ => Ok(()),
    }
}

fn read_labels(key: &str, value: &str, rules: &mut Allowlist) -> Result<(), LabelError> {
    match value.trim() {
        "true" => rules.may_label = true,
        "false" => {}
        _ => return Err(LabelError::Switch { key: key.to_owned(), value: value.to_owned() }),
    }
    Ok(())
}

fn nearest_name(given: &str) -> &'static str {
    let given = given.to_ascii_lowercase();
    let lower = |name: &str| name.to_ascii_lowercase();
    let names = Method::ALL.into_iter().map(Method::as_str).chain([BIND_MOUNT_FROM, LABELS]);
    names.min_by_key(|name| strsim::osa_distance(&given, &lower(name))).unwrap_or("GET")
}

fn parse_directory(key: &str, value: &str) -> Result<PathBuf, LabelError> {
    let clean = value.trim_end_matches('/');
    let absolute = value.starts_with('/')
        && clean.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    if !absolute || value.contains('\0') {
        return Err(LabelError::Directory { key: key.to_owned(), value: value.to_owned() });
    }
    Ok(PathBuf::from(if clean.is_empty() { "/" } else { clean }))
}

impl fmt::Display for Rights {
    /// The rights in plain words, for reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlabelled => {
                f.write_str("no label of its own: the default allowlist, if it is in allowfrom")
            }
            Self::Own(own) => own.fmt(f),
            Self::Broken(errors) => {
                f.write_str("nothing, because ")?;
                for (index, error) in errors.iter().enumerate() {
                    write!(f, "{}{error}", if index == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(labels: &[(&str, &str)], prefixes: &[&str]) -> Rights {
        let labels =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let prefixes: Vec<String> = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        LabelReader::default().rights(&labels, &prefixes)
    }

    const BOTH: &[&str] = &["socket-proxy", "sockwarden"];

    #[track_caller]
    fn check(labels: &[(&str, &str)], want: &str) {
        assert_eq!(rights(labels, BOTH).to_string(), want);
    }

    #[test]
    fn labels_are_a_union_of_patterns() {
        let none = "no label of its own: the default allowlist, if it is in allowfrom";
        check(&[], none);
        check(
            &[("com.example", "x"), ("socket-proxyx.allow.get", "/a"), ("sockwarden.note", "x")],
            none,
        );
        check(&[("socket-proxy.allow.get", "/a")], "GET /a");
        check(
            &[
                ("socket-proxy.allow.GET", "/a"),
                ("socket-proxy.allow.get.2", "/b"),
                ("sockwarden.allow.Get.x.y", "/c"),
            ],
            "GET /a or /b or /c",
        );
        check(
            &[("sockwarden.allow.post", "/a"), ("socket-proxy.allow.head", "/b")],
            "HEAD /b, POST /a",
        );
        check(
            &[("sockwarden.allow.bindmountfrom", "/srv, /data/x/")],
            "nothing but a ping, bind mounts from /srv /data/x",
        );
    }

    #[test]
    fn one_bad_label_costs_all_rights_and_says_why() {
        check(
            &[("socket-proxy.allow.gte", "/a"), ("socket-proxy.allow.post", "/b")],
            "nothing, because label `socket-proxy.allow.gte`: `gte` is neither a method nor `bindmountfrom` or `labels`; did you mean `GET`?",
        );
        check(
            &[("sockwarden.alow.get", "/a")],
            "nothing, because label `sockwarden.alow.get` is none of ours; did you mean `sockwarden.allow`?",
        );
        check(
            &[("sockwarden.allow.bindmountfrom", "srv")],
            "nothing, because label `sockwarden.allow.bindmountfrom`: `srv` is not an absolute directory without `.` and `..`; give one such as `/srv/data`, or several with commas between them",
        );
        for bad in [
            "sockwarden.allow",
            "sockwarden.allow.",
            "sockwarden.allow.get.",
            "sockwarden.allow.bindmountfrom.x",
        ] {
            let broken = matches!(rights(&[(bad, "(")], BOTH), Rights::Broken(_));
            assert!(broken, "{bad}");
        }
        assert!(matches!(
            rights(&[("sockwarden.allow.bindmountfrom", "/a/../b")], BOTH),
            Rights::Broken(_)
        ));
    }

    #[test]
    fn another_prefix_replaces_both() {
        assert!(matches!(
            rights(&[("socket-proxy.allow.get", "/a")], &["com.example"]),
            Rights::Unlabelled
        ));
        assert!(matches!(
            rights(
                &[("com.example.allow.get", "/a"), ("com.example.other", "x")],
                &["com.example"]
            ),
            Rights::Own(_)
        ));
    }

    #[test]
    fn the_same_labels_are_compiled_once() {
        let mut reader = LabelReader::default();
        let labels =
            |value: &str| BTreeMap::from([("sockwarden.allow.get".to_owned(), value.to_owned())]);
        let prefixes = ["sockwarden".to_owned()];
        let (Rights::Own(first), Rights::Own(second)) =
            (reader.rights(&labels("/a"), &prefixes), reader.rights(&labels("/a"), &prefixes))
        else {
            panic!("labels were not read");
        };
        assert!(Arc::ptr_eq(&first, &second));
    }
}
