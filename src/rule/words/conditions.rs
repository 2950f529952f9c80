//! Conditions: what narrows a grant to some objects, or to some of what may be asked of them.
//!
//! A closed table says which operation has which. All operations of a word must have a condition's key, or the condition would narrow less
//! than it says.

use std::fmt;

use crate::request::Operation;

use super::glob::Glob;
use super::grammar::{Argument, Value};
use super::images::ImagePattern;
use super::mistake::WordMistake;
use super::operations::{Key, keys};

/// What must hold of a request for a grant to allow it. Of the values of one key one must fit; all keys must have one that does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Names of the object.
    pub names: Vec<Glob>,
    /// New names.
    pub to: Vec<Glob>,
    /// Images.
    pub images: Vec<ImagePattern>,
    /// Commands.
    pub commands: Vec<Command>,
    /// Users of an exec.
    pub users: Vec<Glob>,
    /// Signals, by number.
    pub signals: Vec<u8>,
    /// Of these one of each kind must be true of the object.
    pub either: Vec<Item>,
    /// None of these may be.
    pub neither: Vec<Item>,
}

/// Something that is true of a container or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// It belongs to this Compose project.
    Project(Glob),
    /// It is of this service of a Compose project.
    Service {
        /// The project.
        project: Glob,
        /// The service in it.
        name: Glob,
    },
    /// It has this label, with a value like this.
    Label {
        /// The label's key.
        key: String,
        /// What its value is like; `None` for any.
        value: Option<Glob>,
    },
    /// It has a name like this.
    Name(Glob),
}

impl Item {
    /// Whether both are written with one key, so that one of them is enough.
    pub fn is_of_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn as_name(&self) -> Option<&Glob> {
        match self {
            Self::Name(name) => Some(name),
            Self::Project(_) | Self::Service { .. } | Self::Label { .. } => None,
        }
    }
}

/// A command, one pattern for each argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(pub Vec<Glob>);

impl Command {
    /// Whether these arguments fit; a last `*` takes all that is left.
    pub fn fits(&self, arguments: &[&str]) -> bool {
        let (globs, takes_rest) = match self.0.split_last() {
            Some((last, before)) if last.is_anything() => (before, true),
            _ => (&*self.0, false),
        };
        let count_fits = if takes_rest {
            arguments.len() >= globs.len()
        } else {
            arguments.len() == globs.len()
        };
        count_fits && globs.iter().zip(arguments).all(|(glob, it)| glob.is_match(it))
    }
}

impl Conditions {
    /// Whether nothing has to hold.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something has to hold of an object's labels.
    pub fn need_labels(&self) -> bool {
        self.either.iter().chain(&self.neither).any(|item| !matches!(item, Item::Name(_)))
    }

    /// Whether something has to hold of an object's name or labels.
    pub fn need_object(&self) -> bool {
        !(self.names.is_empty() && self.either.is_empty() && self.neither.is_empty())
    }

    /// Whether something has to hold of what a body says.
    pub fn need_body(&self) -> bool {
        !(self.images.is_empty() && self.commands.is_empty() && self.users.is_empty())
    }

    /// The names of objects that it is about, so that nobody takes one of them.
    pub fn object_names(&self) -> impl Iterator<Item = &Glob> {
        self.names.iter().chain(self.either.iter().chain(&self.neither).filter_map(Item::as_name))
    }

    /// The names that an object must not have.
    pub fn excluded_names(&self) -> impl Iterator<Item = &Glob> {
        self.neither.iter().filter_map(Item::as_name)
    }

    /// Which conditions of `keys` are set.
    fn set(&self) -> impl Iterator<Item = Key> {
        let items = || self.either.iter().chain(&self.neither);
        [
            (Key::Name, !self.names.is_empty() || items().any(|it| matches!(it, Item::Name(_)))),
            (Key::Labels, self.need_labels()),
            (Key::To, !self.to.is_empty()),
            (Key::Image, !self.images.is_empty()),
            (Key::Cmd, !self.commands.is_empty()),
            (Key::User, !self.users.is_empty()),
            (Key::Signal, !self.signals.is_empty()),
        ]
        .into_iter()
        .filter_map(|(key, is_set)| is_set.then_some(key))
    }

    /// Reads what stands in a word's parentheses. `operations` are those of the word.
    pub(super) fn read(
        word: &str,
        arguments: Vec<Argument>,
        operations: &[Operation],
    ) -> Result<Self, WordMistake> {
        let mut conditions = Self::default();
        for argument in arguments {
            conditions.add(word, argument, operations)?;
        }
        for key in conditions.set() {
            let lacks = |operation: &&Operation| !keys(**operation).contains(&key);
            if let Some(operation) = operations.iter().find(lacks) {
                return Err(WordMistake::KeyNotThere {
                    word: word.to_owned(),
                    operation: *operation,
                    key: key.name(),
                    there: common(operations),
                });
            }
        }
        Ok(conditions)
    }

    fn add(
        &mut self,
        word: &str,
        argument: Argument,
        operations: &[Operation],
    ) -> Result<(), WordMistake> {
        let unknown = |given: &str| WordMistake::UnknownKey {
            word: word.to_owned(),
            given: super::mistake::short(given),
            there: common(operations),
        };
        match argument {
            Argument::Key { key, value } => match &*key.to_ascii_lowercase() {
                "name" => self.names.push(one(word, "name", value)?),
                "to" => self.to.push(one(word, "to", value)?),
                "user" => self.users.push(one(word, "user", value)?),
                "image" => self.images.push(ImagePattern::of(&one(word, "image", value)?)?),
                "signal" => {
                    let text = one(word, "signal", value)?.text();
                    let number = text.as_deref().and_then(signal);
                    let given = super::mistake::short(text.as_deref().unwrap_or("*"));
                    let mistake = WordMistake::Signal { word: word.to_owned(), given };
                    self.signals.push(number.ok_or(mistake)?);
                }
                "cmd" if value.0.is_empty() => return Err(no_value(word, "cmd")),
                "cmd" => self.commands.push(Command(value.0)),
                "label" => {
                    return Err(WordMistake::NoValue {
                        word: word.to_owned(),
                        key,
                        advice: "labels are written `label:KEY=VALUE`",
                    });
                }
                _ => return Err(unknown(&key)),
            },
            Argument::Item { is_not, kind, name, value } => {
                let item = item(word, &kind, name, value)?.ok_or_else(|| unknown(&kind))?;
                if is_not { &mut self.neither } else { &mut self.either }.push(item);
            }
            Argument::Flag(flag) => return Err(unknown(&flag)),
        }
        Ok(())
    }
}

/// The conditions that all of these have, as one writes them.
fn common(operations: &[Operation]) -> Vec<&'static str> {
    let Some((first, rest)) = operations.split_first() else { return Vec::new() };
    let in_all = |key: &&Key| rest.iter().all(|operation| keys(*operation).contains(key));
    let names = |key: &Key| match key {
        Key::Labels => vec!["label:KEY=VALUE", "project:NAME", "service:PROJECT/NAME"],
        key => vec![key.name()],
    };
    keys(*first).iter().filter(in_all).flat_map(names).collect()
}

fn item(
    word: &str,
    kind: &str,
    name: Value,
    value: Option<Value>,
) -> Result<Option<Item>, WordMistake> {
    let kind = kind.to_ascii_lowercase();
    let not_yet = |instead| WordMistake::NotYet {
        given: super::mistake::short(&format!("{kind}:")),
        instead,
    };
    if kind != "label" && value.is_some() {
        return Ok(None);
    }
    Ok(Some(match &*kind {
        "name" => Item::Name(one(word, "name:", name)?),
        "project" => {
            let project = one(word, "project:", name)?;
            if project.text().as_deref() == Some("self") {
                return Err(not_yet("or name the project, for example `project:web`"));
            }
            Item::Project(project)
        }
        "service" => {
            let text = one(word, "service:", name)?;
            let (project, name) = text.cut_at('/').ok_or_else(|| WordMistake::NoValue {
                word: word.to_owned(),
                key: "service:".to_owned(),
                advice: "write it as `service:PROJECT/NAME`",
            })?;
            Item::Service { project, name }
        }
        "label" => {
            let key = one(word, "label:", name)?.text().ok_or_else(|| WordMistake::NoValue {
                word: word.to_owned(),
                key: "label:".to_owned(),
                advice: "a label's key has no `*` and no `?`",
            })?;
            let value = value.map(|value| one(word, "label:", value)).transpose()?;
            Item::Label { key, value }
        }
        "created" | "network" | "volume" => {
            return Err(not_yet("or use `name:`, `label:`, `project:` or `service:`"));
        }
        _ => return Ok(None),
    }))
}

/// A value that is one pattern.
pub(super) fn one(word: &str, key: &str, value: Value) -> Result<Glob, WordMistake> {
    let mut globs = value.0.into_iter();
    match (globs.next(), globs.next()) {
        (Some(glob), None) if !glob.is_empty() => Ok(glob),
        (Some(_), Some(_)) => {
            Err(WordMistake::Blank { word: word.to_owned(), key: key.to_owned() })
        }
        _ => Err(no_value(word, key)),
    }
}

fn no_value(word: &str, key: &str) -> WordMistake {
    let advice = "give one, or leave the condition out";
    WordMistake::NoValue { word: word.to_owned(), key: key.to_owned(), advice }
}

/// The number of a signal, as the engine reads it (moby `signal.ParseSignal`): by number, or by name with `SIG` or without, in any case.
pub fn signal(text: &str) -> Option<u8> {
    const NAMES: &[(&str, u8)] = &[
        ("ABRT", 6),
        ("ALRM", 14),
        ("BUS", 7),
        ("CHLD", 17),
        ("CLD", 17),
        ("CONT", 18),
        ("FPE", 8),
        ("HUP", 1),
        ("ILL", 4),
        ("INT", 2),
        ("IO", 29),
        ("IOT", 6),
        ("KILL", 9),
        ("PIPE", 13),
        ("POLL", 29),
        ("PROF", 27),
        ("PWR", 30),
        ("QUIT", 3),
        ("SEGV", 11),
        ("STKFLT", 16),
        ("STOP", 19),
        ("SYS", 31),
        ("TERM", 15),
        ("TRAP", 5),
        ("TSTP", 20),
        ("TTIN", 21),
        ("TTOU", 22),
        ("URG", 23),
        ("USR1", 10),
        ("USR2", 12),
        ("VTALRM", 26),
        ("WINCH", 28),
        ("XCPU", 24),
        ("XFSZ", 25),
    ];
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|number| (1..=64).contains(number));
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

impl fmt::Display for Conditions {
    /// As one writes them in a word's parentheses, as far as possible.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let globs = |key: &'static str, globs: &[Glob]| {
            globs.iter().map(|glob| format!("{key}={glob}")).collect::<Vec<_>>()
        };
        let command = |command: &Command| {
            let arguments: Vec<_> = command.0.iter().map(ToString::to_string).collect();
            format!("cmd={}", arguments.join(" "))
        };
        let all = [
            globs("name", &self.names),
            globs("to", &self.to),
            self.images.iter().map(|image| format!("image={image}")).collect(),
            self.commands.iter().map(command).collect(),
            globs("user", &self.users),
            self.signals.iter().map(|signal| format!("signal={signal}")).collect(),
            self.either.iter().map(ToString::to_string).collect(),
            self.neither.iter().map(|item| format!("not {item}")).collect(),
        ];
        f.write_str(&all.concat().join(", "))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => write!(f, "project:{project}"),
            Self::Service { project, name } => write!(f, "service:{project}/{name}"),
            Self::Label { key, value: None } => write!(f, "label:{key}"),
            Self::Label { key, value: Some(value) } => write!(f, "label:{key}={value}"),
            Self::Name(name) => write!(f, "name:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_those_of_the_engine() {
        for (text, want) in [
            ("SIGHUP", Some(1)),
            ("hup", Some(1)),
            ("1", Some(1)),
            ("KILL", Some(9)),
            ("64", Some(64)),
            ("0", None),
            ("65", None),
            ("-1", None),
            ("SIGNOPE", None),
            ("", None),
        ] {
            assert_eq!(signal(text), want, "{text}");
        }
    }

    #[test]
    fn a_command_fits_argument_by_argument() {
        let command = |globs: &[&str]| {
            let glob = |text: &&str| {
                let mut glob = Glob::default();
                text.chars().for_each(|c| glob.push(c));
                glob
            };
            Command(globs.iter().map(glob).collect())
        };
        assert!(command(&["pg_dump", "*"]).fits(&["pg_dump", "-U", "x"]));
        assert!(command(&["pg_dump", "*"]).fits(&["pg_dump"]));
        assert!(!command(&["pg_dump"]).fits(&["pg_dump", "x"]));
        assert!(!command(&["pg_dump", "*"]).fits(&["sh", "pg_dump"]));
        assert!(!command(&["pg_dump *"]).fits(&["pg_dump", "x"]));
        assert!(command(&["a", "*b", "c"]).fits(&["a", "xb", "c"]));
        assert!(!command(&["a"]).fits(&[]));
    }
}
