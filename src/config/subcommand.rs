//! The command line of a subcommand, cut into flags and words by its row of the table.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::commands::Command;
use super::mistake::printable;

/// What somebody wrote behind the name of a subcommand.
#[derive(Debug, PartialEq, Eq)]
pub enum Arguments {
    /// To print [`help_of`](super::help_of) it and leave with success, wherever that stands.
    Help,
    /// To do it.
    Parsed(Parsed),
}

/// The flags and the words of a subcommand; as many words as it takes. A flag without a value has an empty one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    flags: BTreeMap<&'static str, String>,
    /// The words, in order.
    pub words: Vec<String>,
}

impl Parsed {
    /// Whether a flag without a value was given.
    pub fn has(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    /// The value of a flag, if it was given; of a flag that was given twice the last one.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str)
    }
}

/// Reads what stands behind the name of a subcommand: flags in Go's style, with one dash or two, and words in between.
///
/// # Errors
/// What is wrong: a flag that it does not have, one without a value, or other words than it takes.
pub fn arguments_of(command: &str, args: &[OsString]) -> Result<Arguments, String> {
    let Some(command) = Command::named(command) else { return Ok(Arguments::Help) };
    let mut parsed = Parsed::default();
    let mut wrong = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match read(command, arg, &mut args) {
            Ok(Part::Help) => return Ok(Arguments::Help),
            Ok(Part::Word(word)) => parsed.words.push(word),
            Ok(Part::Flag(name, value)) => {
                parsed.flags.insert(name, value);
            }
            // Help may still be asked for behind it.
            Err(what) => wrong = wrong.or(Some(what)),
        }
    }
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let (words, count) = (command.words, parsed.words.len());
    if (words.least..=words.most).contains(&count) {
        return Ok(Arguments::Parsed(parsed));
    }
    let name = command.name;
    Err(if words.most == 0 {
        format!("`{name}` takes no words, such as `{}`", parsed.words.join(" "))
    } else {
        format!("`{name}` takes {}, not {count} words", words.told)
    })
}

enum Part {
    Help,
    Word(String),
    Flag(&'static str, String),
}

fn read<'a>(
    command: &'static Command,
    arg: &OsString,
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Result<Part, String> {
    let text = |arg: &OsString| {
        arg.to_str().map(str::to_owned).ok_or_else(|| format!("`{}` is not UTF-8", printable(arg)))
    };
    let arg = text(arg)?;
    let Some(flag) = arg.strip_prefix('-').map(|flag| flag.strip_prefix('-').unwrap_or(flag))
    else {
        return Ok(Part::Word(arg));
    };
    if matches!(flag, "h" | "help") {
        return Ok(Part::Help);
    }
    let (name, value) =
        flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
    let known = command.flags.iter().find(|it| it.name == name);
    let known = known.ok_or_else(|| {
        format!("`{}` is no option of `{}`", printable(arg.as_ref()), command.name)
    })?;
    let value = match (value, rest) {
        (Some(_), _) if known.is_switch() => return Err(format!("`-{name}` takes no value")),
        (None, _) if known.is_switch() => String::new(),
        (Some(value), _) => value.to_owned(),
        (None, rest) => text(rest.next().ok_or_else(|| format!("`-{name}` needs a value"))?)?,
    };
    Ok(Part::Flag(known.name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &str, args: &[&str]) -> Result<Arguments, String> {
        arguments_of(command, &args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(command: &str, args: &[&str], flags: &[(&'static str, &str)], words: &[&str]) {
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let words = words.iter().map(ToString::to_string).collect();
        assert_eq!(
            arguments(command, args),
            Ok(Arguments::Parsed(Parsed { flags, words })),
            "{args:?}"
        );
    }

    #[test]
    fn flags_are_written_as_those_of_serve() {
        for args in [["-pid", "7"].as_slice(), &["--pid", "7"], &["-pid=7"], &["--pid=7"]] {
            check("clients", args, &[("pid", "7")], &[]);
            check("healthcheck", args, &[("pid", "7")], &[]);
        }
        check("clients", &[], &[], &[]);
        check("presets", &["-json", "dozzle"], &[("json", "")], &["dozzle"]);
        check("presets", &["dozzle", "--json"], &[("json", "")], &["dozzle"]);
        check("clients", &["-pid=1", "-pid=2"], &[("pid", "2")], &[]);
        check("request", &["GET", "-data=a=b", "/x"], &[("data", "a=b")], &["GET", "/x"]);
        check("request", &["-data", "-h", "GET", "/x"], &[("data", "-h")], &["GET", "/x"]);
    }

    #[test]
    fn help_is_told_from_a_value() {
        for args in
            [["-h"].as_slice(), &["--help"], &["x", "-help"], &["-no", "--h"], &["-pid", "1", "-h"]]
        {
            assert_eq!(arguments("clients", args), Ok(Arguments::Help), "{args:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let wrong = |command: &str, args: &[&str], want: &str| {
            assert_eq!(arguments(command, args), Err(want.to_owned()), "{args:?}");
        };
        wrong("request", &["GET"], "`request` takes a method and a path, not 1 words");
        wrong("request", &["-hots=x", "GET", "/"], "`-hots=x` is no option of `request`");
        wrong("request", &["GET", "/", "-data"], "`-data` needs a value");
        wrong("clients", &["a", "b"], "`clients` takes no words, such as `a b`");
        wrong("presets", &["-json=x"], "`-json` takes no value");
        wrong("presets", &["a", "b"], "`presets` takes one name or none, not 2 words");
        wrong("healthcheck", &["-url", "x"], "`-url` is no option of `healthcheck`");
    }
}
