//! The tables as prose: `--help` for a terminal, the reference page for a browser.

use std::fmt::Write as _;

use super::commands::{COMMANDS, Command, EXIT_CODES};
use super::options::{Group, Setting, Takes};
use crate::rule::labels::keys::KEYS;

/// The text of `--help`, at most 100 columns wide.
pub fn help() -> String {
    const WIDTH: usize = 100;
    const INDENT: usize = 36;
    let mut page = String::from("A default-deny filtering proxy for the Docker socket.\n\n");
    for (index, command) in COMMANDS.iter().enumerate() {
        let name = if index == 0 { "[serve]" } else { command.name };
        let usage = format!("  sockwarden {name} {}", command.operands());
        entry(&mut page, &usage, command.summary, INDENT, WIDTH);
    }
    page.push_str(CONVENTIONS);
    for group in Group::ALL {
        line(&mut page, &format!("\n{}:", group.title()));
        for setting in group.settings() {
            let more = if setting.repeatable { "..." } else { "" };
            let default =
                setting.default.map_or_else(String::new, |default| format!(", default {default}"));
            let text = format!("{} [{}{more}{default}]", setting.summary, setting.variable);
            entry(&mut page, &format!("  {}", usage(setting)), &text, INDENT, WIDTH);
        }
    }
    page.push('\n');
    entry(&mut page, "  -help, -h", "Print this", INDENT, WIDTH);
    entry(&mut page, "  -version", "Print the version", INDENT, WIDTH);
    page
}

/// The help of one subcommand.
pub fn help_of(name: &str) -> String {
    const WIDTH: usize = 100;
    const INDENT: usize = 20;
    let mut page = String::new();
    let Some(command) = Command::named(name) else { return help() };
    line(&mut page, &format!("usage: sockwarden {} {}", command.name, command.operands()));
    entry(&mut page, "", &format!("{}.", command.summary), 0, WIDTH);
    page.push('\n');
    for flag in command.flags {
        let value = if flag.is_switch() { "" } else { "=" };
        let usage = format!("  -{}{value}{}", flag.name, flag.placeholder);
        entry(&mut page, &usage, flag.summary, INDENT, WIDTH);
    }
    entry(&mut page, "  -help, -h", "Print this", INDENT, WIDTH);
    page
}

/// The text of `docs/reference.md`.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n## Options\n");
    for group in Group::ALL {
        line(&mut page, &format!("\n### {}\n", group.title()));
        page.push_str("| Flag | Variable | Default | Meaning |\n|---|---|---|---|\n");
        for setting in group.settings() {
            line(&mut page, &row(setting));
        }
    }
    page.push_str(PATTERNS);
    page.push_str(LABELS);
    for key in KEYS {
        let also =
            if key.is_new { String::new() } else { format!(", `socket-proxy.{}`", key.name) };
        line(
            &mut page,
            &format!("| `sockwarden.{}`{also} | {} | {}. |", key.name, key.value, key.summary),
        );
    }
    page.push_str("\n## Subcommands\n\n| Command | Meaning |\n|---|---|\n");
    for command in COMMANDS {
        let words = format!("sockwarden {} {}", command.name, command.operands());
        line(&mut page, &format!("| `{}` | {}. |", words.trim_end(), command.summary));
    }
    page.push_str("\n## Exit codes\n\n| Code | When |\n|---|---|\n");
    for (code, when) in EXIT_CODES {
        line(&mut page, &format!("| {code} | {when}. |"));
    }
    page
}

const CONVENTIONS: &str = r"
Flags are written -name=value or -name value, with one dash or two; a switch stands alone or takes
=true or =false. A flag beats the variable in brackets. A PATTERN is a regular expression in Go's
syntax for the whole path, such as /v1[.][0-9]+/version; several may be given for a method.
";

const INTRODUCTION: &str = "\
<!-- Printed from the tables in src/config/options.rs, src/config/commands.rs and src/rule/labels/keys.rs. To change it change them, then run `UPDATE_EXPECT=1 cargo test`. -->

# Reference

Flags and variables are those of wollomatic/socket-proxy 1.13, so a command line or a Compose file made for it works as it is;
`-trustimagelabels`, `-proxycontainername=auto` and the limits are new.

- A flag is written `-name=value` or `-name value`, with one dash or two. A switch stands alone or takes `=` and a truth value
  (`1 t T TRUE true True`, `0 f F FALSE false False`); it never takes the next word. `--` ends the flags.
  A word that is itself one of these flags is not taken for the value of the flag before it, as Go would.
- A flag beats its variable. Of a flag given twice the last one counts, except for patterns, which all count.
- A number in a flag is written as in Go: `0x1f`, `0o17`, `0b11`, and with a leading 0 it is octal. In a variable it is decimal.
- An empty variable counts as not set. An empty flag is a mistake, except for `-proxysocketendpoint=` and `-proxycontainername=`,
  which switch off what a variable set.
- `-help` and `-version` print that and nothing else.
- Anything unknown or invalid ends the start before a socket is opened, with every mistake on a line of its own. That holds for
  variables that begin with `SP_` and that nobody defined, for a wrong variable that a flag overrides, and for words that are no
  flags. Variables that Kubernetes or Docker sets for a service or a link called `sp` (`SP_PORT=tcp://…`) are passed over with a warning. socket-proxy is more lenient here. What is valid and still surprising is logged as a warning.
";

const PATTERNS: &str = r"
## Patterns

A pattern is a regular expression in [Go's syntax](https://pkg.go.dev/regexp/syntax). It must match the whole path, as if it were
written `^(?:pattern)$`; each side of a `|` outside parentheses is therefore a whole path, unlike in socket-proxy.

- It is matched against the decoded path, **with the version prefix** the client sent: `/v1[.][0-9]+/containers/json` for most clients,
  `(/v1[.][0-9]+)?/containers/json` for those that leave it out as well.
- Write `[.]` for a dot and `[0-9]` for a digit. `\.` and `\d` mean the same here, but JSON, YAML and logs double a backslash, and then the
  pattern matches nothing.
- The query is no part of it: `/v1[.][0-9]+/containers/json` also allows `?all=1`.
- `GET` and `HEAD` of `/_ping` are open to every client that is let in, because clients find out the API version with it.
- A method without a pattern is refused with 405, a path that no pattern matches with 403.
- A pattern that matches nothing, or not what it seems to, is logged as a warning: doubled backslashes, no `/` in front, a blank or a line break
  at the end, a query, a glob such as `/containers/*`, and so on.

```
-allowGET='/v1[.].{1,2}/(version|containers/.*|events.*)'
-allowGET='/v1[.][0-9]+/info' -allowHEAD='/_ping'
```
";

const LABELS: &str = r"
## Labels

With `-proxycontainername` these labels on a client's container are read; see
[Per-container allowlists](per-container-allowlists.md). A prefix of `-dockerlabelprefix` takes the place of both, and has every key but the last two.

- **Every other key under `sockwarden.`, in any case, is a mistake**, and a mistake costs the container all its rights until you fix it. The
  message names the nearest key.
- Under `socket-proxy.` and a prefix of your own, which others may use too, only what resembles `allow`, `hostaccess` or `bindmountfrom` is
  a mistake. `socket-proxy.bindmountfrom` is one: write `socket-proxy.allow.bindmountfrom`.
- An empty value is a mistake. A truth value is one of those that flags take.
- Two labels of one meaning, such as `sockwarden.hostaccess` and `socket-proxy.hostaccess`, must say the same. Patterns add up.

| Label | Value | Meaning |
|---|---|---|
";

/// The flag with what follows it.
fn usage(setting: &Setting) -> String {
    match setting.takes {
        Takes::Nothing => setting.flag(),
        Takes::Value(placeholder) => format!("{}={placeholder}", setting.flag()),
    }
}

fn row(setting: &Setting) -> String {
    let variable = if setting.repeatable {
        format!("`{0}`, `{0}_...`", setting.variable)
    } else {
        format!("`{}`", setting.variable)
    };
    let default = match (setting.default, setting.unit) {
        (Some(default), Some(unit)) => format!("`{default}` {unit}"),
        (Some(default), None) => format!("`{default}`"),
        (None, _) => String::from(if setting.is_switch() { "off" } else { "not set" }),
    };
    let details =
        if setting.details.is_empty() { String::new() } else { format!(" {}", setting.details) };
    format!("| `{}` | {variable} | {default} | {}.{details} |", usage(setting), setting.summary)
}

/// A term and what it means beside it, or below it where the term is too long.
fn entry(page: &mut String, term: &str, text: &str, indent: usize, width: usize) {
    let term = term.trim_end();
    let mut current = format!("{term:indent$}");
    if term.chars().count() >= indent {
        line(page, term);
        current = " ".repeat(indent);
    }
    let mut columns = indent;
    for word in text.split_whitespace() {
        let word_columns = word.chars().count();
        if columns > indent && columns + 1 + word_columns > width {
            line(page, &current);
            current = " ".repeat(indent);
            columns = indent;
        }
        if columns > indent {
            current.push(' ');
            columns += 1;
        }
        current.push_str(word);
        columns += word_columns;
    }
    line(page, &current);
}

fn line(page: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use super::super::options::SETTINGS;
    use super::*;

    #[test]
    fn the_reference_page_is_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
        if env::var_os("UPDATE_EXPECT").is_some_and(|update| update == "1") {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, reference()).unwrap();
        }
        let page = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            page == reference(),
            "docs/reference.md is not what the table says; run `UPDATE_EXPECT=1 cargo test`"
        );
    }

    #[test]
    fn help_has_every_setting_and_fits_a_terminal() {
        let help = help();
        for setting in SETTINGS {
            assert!(help.contains(&format!("  {}", usage(setting))), "{}", setting.name);
            assert!(help.contains(setting.variable), "{}", setting.variable);
        }
        for line in help.lines() {
            assert!(line.chars().count() <= 100 && line == line.trim_end(), "{line}");
        }
    }

    #[test]
    fn every_subcommand_has_help_of_its_own() {
        for command in COMMANDS.iter().skip(1) {
            let help = help_of(command.name);
            assert!(help.starts_with(&format!("usage: sockwarden {} ", command.name)), "{help}");
            assert!(!help.contains("\n\n\n"), "{help}");
            for flag in command.flags {
                let usage = format!("-{}={}", flag.name, flag.placeholder);
                assert!(help.contains(usage.trim_end_matches('=')), "{help}");
            }
            for line in help.lines() {
                assert!(line.chars().count() <= 100 && line == line.trim_end(), "{line}");
            }
        }
    }

    #[test]
    fn help_is_aligned() {
        let mut page = String::new();
        entry(&mut page, "  -a=B", "one two three four", 10, 20);
        entry(&mut page, "  -longer=WORD", "one", 10, 20);
        assert_eq!(
            page,
            "  -a=B    one two\n          three four\n  -longer=WORD\n          one\n"
        );
    }
}
