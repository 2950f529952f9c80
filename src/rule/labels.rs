//! What a container's labels say: its own allowlist, nothing, or a mistake that costs it its rights.

pub mod creator;
pub mod image;
pub mod keys;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use super::HostAccess;
use super::words::{self, Exceptions, ImagePattern, WordMistake, Words};
use super::{Allowlist, AnchoredRegex, Origin, PatternError, Rule, truth};
use crate::setting::SettingName;
use crate::text::shortened;
use keys::{Key, Slip};

/// What the labels of a container give it.
#[derive(Debug, Clone)]
pub enum Rights {
    /// It has no label of ours: the default allowlist is for it if it is admitted.
    Unlabelled,
    /// Its own allowlist, and nothing else.
    Own(Arc<Allowlist>),
    /// A label is wrong, so it has no rights at all until somebody fixes it.
    Broken(Arc<[LabelError]>),
}

/// What is wrong with a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum LabelError {
    #[error("label `{key}`: {error}")]
    Pattern { key: String, error: PatternError },
    #[error("label `{key}`: {}", unknown_name(given, nearest.as_deref()))]
    UnknownName { key: String, given: String, nearest: Option<String> },
    #[error("label `{key}`: sockwarden has no such key; {}", unknown_key(nearest.as_deref()))]
    UnknownKey { key: String, nearest: Option<String> },
    #[error("label `{key}`: this key is not read here; use `{instead}`")]
    NotThere { key: String, instead: String },
    #[error("label `{key}`: `{value}` is neither `deny` nor `allow`; give one of them")]
    HostAccess { key: String, value: String },
    #[error("label `{key}`: {mistake}")]
    Words { key: String, mistake: WordMistake },
    #[error("label `{key}`: this key is not in this version; {instead}")]
    NotYet { key: String, instead: &'static str },
    #[error("label `{key}`: `{value}` is not a truth value; give `true` or `false`")]
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
        "label `{key}`: its image has the same label, so nobody can say whether it was meant to limit this container; write its value in another way (`/srv/` for `/srv`), or use {}",
        SettingName::TrustImageLabels
    )]
    InImage { key: String },
    #[error("and {count} labels more")]
    More { count: usize },
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

/// How many wrong labels of a container are told, and how much of a key or a value: they go into every refusal, and labels may be megabytes.
const MOST_ERRORS: usize = 8;
const MOST_CHARS: usize = 200;

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
        let mut list = Draft::default();
        let mut errors = Vec::new();
        for (key, value) in &ours {
            if let Err(wrong) = self.read(key, value, prefixes, &mut list) {
                errors.extend(wrong);
            }
        }
        if !errors.is_empty() {
            let more = errors.len().saturating_sub(MOST_ERRORS);
            errors.truncate(MOST_ERRORS);
            errors.extend((more > 0).then_some(LabelError::More { count: more }));
            return Rights::Broken(errors.into());
        }
        let rules = Arc::new(Allowlist::from(list));
        self.forget_unused();
        self.known.insert(ours, Arc::downgrade(&rules));
        Rights::Own(rules)
    }

    fn read(
        &mut self,
        key: &str,
        value: &str,
        prefixes: &[String],
        list: &mut Draft,
    ) -> Result<(), Vec<LabelError>> {
        let in_words = |mistakes: Vec<WordMistake>| {
            let error = |mistake| LabelError::Words { key: short(key), mistake };
            mistakes.into_iter().map(error).collect::<Vec<_>>()
        };
        match keys::read(key, prefixes) {
            None => {}
            Some(Key::Words) => {
                let words = Words::read(value, &Origin::Label(key.to_owned())).map_err(in_words)?;
                if words.may_label() {
                    set_once(&mut list.may_label, true, key)?;
                }
                list.words.extend(words);
            }
            Some(Key::Images) => {
                let images = words::images(value).map_err(in_words)?;
                set_once(&mut list.images, images, key)?;
            }
            Some(Key::HostAccess) => {
                let access = words::host_access(value).map_err(|mistakes| {
                    if value.contains([':', ',']) {
                        return in_words(mistakes);
                    }
                    vec![LabelError::HostAccess { key: short(key), value: short(value) }]
                })?;
                set_once(&mut list.host_access, access, key)?;
            }
            Some(Key::MayLabel) => {
                let may = truth(value.trim())
                    .ok_or_else(|| LabelError::Switch { key: short(key), value: short(value) })?;
                set_once(&mut list.may_label, may, key)?;
            }
            Some(Key::BindMountFrom) => {
                let directories = value.split(',').map(|entry| parse_directory(key, entry.trim()));
                let directories = directories.collect::<Result<_, _>>()?;
                set_once(&mut list.bind_mount_from, directories, key)?;
            }
            Some(Key::Allow(method)) => {
                let path = self
                    .pattern(value)
                    .map_err(|error| LabelError::Pattern { key: short(key), error })?;
                list.rules.add(Rule { origin: Origin::Label(key.to_owned()), method, path });
            }
            Some(Key::NotYet(instead)) => {
                return Err(LabelError::NotYet { key: short(key), instead }.into());
            }
            Some(Key::Slip(slip)) => {
                let key = short(key);
                return Err(match slip {
                    Slip::Name { given, nearest } => {
                        LabelError::UnknownName { key, given: short(&given), nearest }
                    }
                    Slip::Key { nearest } => LabelError::UnknownKey { key, nearest },
                    Slip::NotThere { instead } => LabelError::NotThere { key, instead },
                }
                .into());
            }
        }
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
    keys::read(key, prefixes).is_some()
}

/// Whether a label may carry rights, or say who created a container: what no client may set on what it creates. It is more than
/// [`is_policy`], so that a key that is read one day cannot have been put there before.
pub fn is_reserved(key: &str, prefixes: &[String]) -> bool {
    keys::is_reserved(key, prefixes)
}

/// A list while its labels are read. What limits must be said in one way, however many labels say it.
#[derive(Debug, Default)]
struct Draft {
    rules: super::RuleSet,
    words: Words,
    images: Option<Vec<ImagePattern>>,
    bind_mount_from: Option<BTreeSet<PathBuf>>,
    host_access: Option<(HostAccess, Exceptions)>,
    may_label: Option<bool>,
}

impl From<LabelError> for Vec<LabelError> {
    fn from(error: LabelError) -> Self {
        vec![error]
    }
}

impl From<Draft> for Allowlist {
    fn from(draft: Draft) -> Self {
        let (host_access, exceptions) = draft.host_access.unzip();
        Self {
            rules: draft.rules,
            words: draft.words,
            images: draft.images,
            exceptions: exceptions.unwrap_or_default(),
            bind_mount_from: draft.bind_mount_from.map(|from| from.into_iter().collect()),
            host_access,
            may_label: draft.may_label.unwrap_or(false),
            remarks: OnceLock::new(),
        }
    }
}

fn short(text: &str) -> String {
    shortened(text, MOST_CHARS).into_owned()
}

fn set_once<T: PartialEq>(slot: &mut Option<T>, value: T, key: &str) -> Result<(), LabelError> {
    match slot {
        Some(before) if *before != value => Err(LabelError::Contradiction { key: short(key) }),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

fn unknown_name(given: &str, nearest: Option<&str>) -> String {
    let names = "`get` and the other methods, `bindmountfrom`, `labels`";
    match nearest {
        _ if given.is_empty() => format!("a name must follow `allow.`: {names}"),
        Some(nearest) => format!(
            "`{given}` is neither a method nor `bindmountfrom` or `labels`; did you mean `{nearest}`?"
        ),
        None => format!("`{given}` is not one of the names that may follow `allow.`: {names}"),
    }
}

fn unknown_key(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there are {}", keys::all()),
    }
}

fn parse_directory(key: &str, value: &str) -> Result<PathBuf, LabelError> {
    let clean = value.trim_end_matches('/');
    let absolute = value.starts_with('/')
        && clean.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    if !absolute || value.contains('\0') {
        return Err(LabelError::Directory { key: short(key), value: short(value) });
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
mod tests;
