//! The command line in Go's style and the environment, cut into settings and values. What a value means is not asked here.
//!
//! clap does not carry its weight here: it stops at the first mistake, reads `-allowGET=x` as a row of one-letter flags, and prints
//! `--name` in its help. A normaliser in front of it would know as much of the table as this file does.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt as _;

use crate::rule::Origin;
use crate::setting::SettingName;

use super::commands::COMMANDS;
use super::given::Given;
use super::mistake::{Mistake, nearest, printable};
use super::options::{SETTINGS, Setting, Takes};
use super::sections::Foreign;
use super::services;

/// A setting, and what somebody wrote for it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) setting: &'static Setting,
    pub(super) given: Given,
}

/// What the words of a command line amount to.
pub(super) enum CommandLine {
    Help,
    Version,
    /// In the order they were written.
    Flags(Vec<Result<Written, Mistake>>),
}

/// Cuts the words into flags and values as Go's package `flag` does: `-x` is `--x`, the value follows after `=` or as the next
/// word, a switch never takes the next word, `--` ends the flags.
///
/// Different from Go on purpose: what Go would leave unread without a word is a mistake, and a flag is never taken for the value of
/// the flag before it.
pub(super) fn flags(words: impl IntoIterator<Item = OsString>) -> CommandLine {
    let mut words = words.into_iter().peekable();
    let mut given = Vec::new();
    let mut last_switch = None;
    let mut first = true;
    while let Some(word) = words.next() {
        let switch_before = last_switch.take();
        let is_first = std::mem::take(&mut first);
        let (name, value) = match Word::parse(&word) {
            Word::End => {
                given.extend(words.map(|word| Err(unexpected(&word, false, None))));
                break;
            }
            Word::Plain => {
                given.push(Err(unexpected(&word, is_first, switch_before)));
                continue;
            }
            Word::Malformed => {
                given.push(Err(Mistake::Malformed { word: printable(&word) }));
                continue;
            }
            Word::Flag { name, value } => (name, value),
        };
        match name.to_str() {
            Some("h" | "help") => return CommandLine::Help,
            Some("version") => return CommandLine::Version,
            _ => {}
        }
        given.push(match Setting::by_flag(name) {
            Some(setting) => {
                last_switch = setting.is_switch().then_some(setting).filter(|_| value.is_none());
                value_of(setting, value, &mut words)
            }
            None => Err(unknown_flag(name)),
        });
    }
    CommandLine::Flags(given)
}

/// A command line of flags and words, taken apart.
#[derive(Debug, Default)]
pub struct Mixed {
    /// The flags of `serve`, each with its value.
    pub flags: Vec<OsString>,
    /// The names of the subcommand's own switches.
    pub switches: Vec<String>,
    /// The words that are no flags.
    pub words: Vec<OsString>,
}

/// Tells the flags of `serve` from a subcommand's own switches and from words such as files.
pub fn mixed(args: impl IntoIterator<Item = OsString>, switches: &[&str]) -> Mixed {
    let mut mixed = Mixed::default();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let takes_next = match Word::parse(&arg) {
            Word::End => {
                mixed.words.extend(args);
                break;
            }
            Word::Plain => {
                mixed.words.push(arg);
                continue;
            }
            Word::Malformed => false,
            Word::Flag { name, value } => {
                if let Some(switch) = name.to_str().filter(|name| switches.contains(name)) {
                    mixed.switches.push(switch.to_owned());
                    continue;
                }
                let setting = Setting::by_flag(name).filter(|_| value.is_none());
                setting.is_some_and(|setting| !setting.is_switch())
            }
        };
        mixed.flags.push(arg);
        mixed.flags.extend(args.next_if(|next| takes_next && !Word::parse(next).is_known_flag()));
    }
    mixed
}

/// The variables that are ours.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// Those that set something, and those that are mistakes, by name.
    pub(super) given: Vec<Result<Written, Mistake>>,
    /// Whether `SP_PROXYCONTAINERNAME` is there and empty: a user who writes that wants no labels to be read.
    pub(super) wants_no_labels: bool,
    /// Those of other proxies.
    pub(super) foreign: Foreign,
    /// The names of those that describe a Kubernetes service or a Docker link that happens to be called `sp`.
    pub(super) of_services: Vec<String>,
}

/// The variables that are ours, by name; an empty one counts as unset. Of a name that occurs twice the first counts, as for getenv(3).
pub(super) fn variables(env: impl IntoIterator<Item = (OsString, OsString)>) -> Variables {
    let mut ours = BTreeMap::new();
    let mut foreign = Foreign::default();
    for (name, value) in env {
        foreign.note(&name, &value);
        if name.as_bytes().starts_with(b"SP_") {
            ours.entry(name).or_insert(value);
        }
    }
    let own = OsStr::new(SettingName::ProxyContainerName.variable());
    let wants_no_labels = ours.get(own).is_some_and(|value| value.is_empty());
    ours.retain(|_, value| !value.is_empty());
    let services = services::names(&ours);
    let mut variables = Variables { wants_no_labels, foreign, ..Variables::default() };
    for (name, value) in ours {
        let known = name.to_str().and_then(Setting::by_variable);
        let is_of_service = name.to_str().is_some_and(|name| services.contains(name));
        match known {
            // A repeatable variable takes any suffix, and so does a service's name.
            Some(setting) if !is_of_service || name == *setting.variable => {
                let origin = Origin::Env(printable(&name));
                variables.given.push(Ok(Written { setting, given: Given { origin, value } }));
            }
            _ if is_of_service => variables.of_services.push(printable(&name)),
            _ => variables.given.push(Err(unknown_variable(&name))),
        }
    }
    variables
}

enum Word<'a> {
    /// `--`
    End,
    /// No dash in front, or nothing but one.
    Plain,
    /// Dashes, and then no name.
    Malformed,
    Flag {
        name: &'a OsStr,
        value: Option<&'a OsStr>,
    },
}

impl<'a> Word<'a> {
    fn parse(word: &'a OsStr) -> Self {
        let rest = match word.as_bytes() {
            b"--" => return Self::End,
            b"-" => return Self::Plain,
            [b'-', b'-', rest @ ..] | [b'-', rest @ ..] => rest,
            _ => return Self::Plain,
        };
        let mut parts = rest.splitn(2, |byte| *byte == b'=');
        match parts.next() {
            None | Some([] | [b'-', ..]) => Self::Malformed,
            Some(name) => Self::Flag {
                name: OsStr::from_bytes(name),
                value: parts.next().map(OsStr::from_bytes),
            },
        }
    }

    fn is_known_flag(&self) -> bool {
        let Self::Flag { name, .. } = self else { return false };
        Setting::by_flag(name).is_some() || matches!(name.to_str(), Some("h" | "help" | "version"))
    }
}

fn value_of(
    setting: &'static Setting,
    value: Option<&OsStr>,
    words: &mut Peekable<impl Iterator<Item = OsString>>,
) -> Result<Written, Mistake> {
    let flag = setting.flag();
    let value = match (value, setting.takes) {
        (Some(value), _) => value.to_owned(),
        (None, Takes::Nothing) => "true".into(),
        (None, Takes::Value(placeholder)) => {
            let next = words.next_if(|word| !Word::parse(word).is_known_flag());
            next.ok_or_else(|| Mistake::NoValue {
                flag: flag.clone(),
                placeholder,
                next: words.peek().map(|word| printable(word)),
            })?
        }
    };
    let origin = Origin::Flag(flag);
    Ok(Written { setting, given: Given { origin, value } })
}

fn unexpected(word: &OsStr, first: bool, after: Option<&Setting>) -> Mistake {
    let command =
        || nearest(word.to_str()?, COMMANDS.iter().map(|command| command.name)).filter(|_| first);
    let advice = if let Some(switch) = after {
        format!("give a switch its value as `{}={}`", switch.flag(), printable(word))
    } else if let Some(command) = command() {
        format!("did you mean `{command}`?")
    } else {
        "everything is set by flags, written `-name=value`".to_owned()
    };
    Mistake::Word { word: printable(word), advice }
}

fn unknown_flag(name: &OsStr) -> Mistake {
    let nearest =
        name.to_str().and_then(|name| nearest(name, SETTINGS.iter().map(|setting| setting.name)));
    Mistake::UnknownFlag {
        flag: format!("-{}", printable(name)),
        nearest: nearest.map(|name| format!("-{name}")),
    }
}

/// The nearest variable; for `SP_ALLOW_GTE_2` that is `SP_ALLOW_GET_2`, though only `SP_ALLOW_GET` is in the table.
fn unknown_variable(name: &OsStr) -> Mistake {
    let names = SETTINGS.iter().map(|setting| setting.variable);
    let of_many =
        SETTINGS.iter().filter(|setting| setting.repeatable).map(|setting| setting.variable);
    let nearest = name.to_str().and_then(|name| {
        let numbered = name.rsplit_once('_').and_then(|(stem, suffix)| {
            nearest(stem, of_many)
                .map(|variable| format!("{variable}_{}", printable(suffix.as_ref())))
        });
        numbered.or_else(|| nearest(name, names).map(str::to_owned))
    });
    Mistake::UnknownVariable { variable: printable(name), nearest }
}
