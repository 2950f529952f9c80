//! The pages of words and presets, printed from their tables.

use std::fmt::Write as _;

use crate::request::Operation;
use crate::risks::risk_of_word;
use crate::rule::words::{Bundle, Evidence, Key, PRESETS, Switch, VERBS, homes_of, keys};

/// The text of `docs/words.md`.
pub fn words_page() -> String {
    let mut page = String::from(WORDS);
    page.push_str("\n## Bundles\n\n| Word | What it gives | Operations |\n|---|---|---|\n");
    for bundle in Bundle::ALL {
        let members: Vec<String> = bundle
            .members()
            .map(|(operation, part)| format!("`{operation}`{}", part.suffix()))
            .collect();
        let _ = writeln!(
            page,
            "| `{}` | {}. | {} |",
            bundle.name(),
            bundle.summary(),
            members.join(", ")
        );
    }
    page.push_str(OPERATIONS);
    let alone = Operation::all().filter(|operation| {
        !operation.is_ping() && homes_of(*operation).all(|(_, bundle)| bundle.is_none())
    });
    let alone: Vec<String> = alone.map(|operation| format!("`{operation}`")).collect();
    let _ = writeln!(
        page,
        "These are in no bundle and are given by their own names only: {}.",
        alone.join(", ")
    );
    page.push_str("\nThese verbs of the docker CLI are other names for an operation: ");
    let verbs: Vec<String> =
        VERBS.iter().map(|(verb, operation)| format!("`{verb}` (`{operation}`)")).collect();
    let _ = writeln!(page, "{}.", verbs.join(", "));
    page.push_str("\n## Switches\n\nThey give no operation by themselves.\n\n| Word | What it does |\n|---|---|\n");
    for switch in Switch::ALL {
        let _ = writeln!(page, "| `{}` | {}. |", switch.name(), switch.summary());
    }
    page.push_str(CONDITIONS);
    page.push_str("| Operation | Conditions |\n|---|---|\n");
    for operation in Operation::all().filter(|operation| !keys(*operation).is_empty()) {
        let keys: Vec<String> = keys(operation).iter().map(|key| shown(*key)).collect();
        let _ = writeln!(page, "| `{operation}` | {} |", keys.join(", "));
    }
    page
}

fn shown(key: Key) -> String {
    match key {
        Key::Labels => "`label:`, `project:`, `service:`".to_owned(),
        key => format!("`{}`", key.name()),
    }
}

/// The text of `docs/presets.md`.
pub fn presets_page() -> String {
    let mut page = String::from(PRESET_INTRODUCTION);
    page.push_str(
        "| Word | Program | What it is allowed | Risk | Evidence |\n|---|---|---|---|---|\n",
    );
    for preset in PRESETS.iter() {
        let evidence = match preset.evidence {
            Evidence::Recorded => "recorded",
            Evidence::Read => "read from its source",
        };
        let _ = writeln!(
            page,
            "| [`{}`](#{}) | [{}]({}) {} | {} | {:?} | {evidence} |",
            preset.name,
            preset.name,
            preset.title,
            preset.homepage,
            preset.versions,
            preset.summary,
            risk_of_word(&preset.name).level,
        );
    }
    for preset in PRESETS.iter() {
        let _ = writeln!(page, "\n## {}\n", preset.name);
        let words: Vec<String> = preset.allow.iter().map(|word| format!("`{word}`")).collect();
        let _ = writeln!(page, "Revision {}: {}.", preset.revision, words.join(", "));
        if !preset.notes.is_empty() {
            page.push('\n');
        }
        for note in &preset.notes {
            let _ = writeln!(page, "- {note}");
        }
    }
    page
}

const WORDS: &str = r"<!-- Printed from the tables in src/rule/words. To change it change them, then run `UPDATE_EXPECT=1 cargo test`. -->

# Words

Words say what a client may do. A labelled container has them in its label `sockwarden.allow`:

```yaml
    labels:
      sockwarden.allow: read, logs, ContainerRestart(label:autoheal=true)
```

For clients without labels the option `-allow` or the variable `SP_ALLOW` takes the same words. [Which rights does my program
need](which-rights.md) shows how to find them.

- A word is an **operation** of the Engine API (`ContainerRestart`, in any case), a **bundle** of them (`read`), a [**program**](presets.md)
  (`traefik`), or a **switch** (`env`). Several stand with commas or line breaks between them. All of them count.
- A word gives what it says and nothing else. What is created under words reaches nothing of the host: no host directories, devices,
  privileges, namespaces. `sockwarden.bindmountfrom` lists host directories that may be mounted, `sockwarden.hostaccess` lists exceptions
  (`cap:NET_ADMIN`, `device:/dev/net/tun`, `network-volumes`), or says `allow`, with which the client owns the host.
- Words and [patterns](reference.md#patterns) add up. A request that a word allows is judged on the terms of words. If it fails them and a
  pattern matches as well, the pattern's terms decide. So a pattern never widens a word, and a word takes no pattern away.
- `sockwarden.images` limits the images that the client may use, whatever else allows them.
- Everything unknown, an empty value, an open parenthesis is a mistake, and then the client has no rights until you fix it. The log and
  `sockwarden clients` say what is wrong.
- The keys `scope` and `hide` are not in this version. A label with one of them is a mistake, so that no limit is lost in silence.
";

const OPERATIONS: &str = r"
A bundle gives a part of `ImageCreate` where one is named; the operation's own name gives all of it.

## Operations

Every operation of the Engine API is a word, by the `operationId` that Docker's documentation gives it. `GET` and `HEAD /_ping` are open to every
client that is admitted. Of Podman's own API (`/libpod`) the paths that read the same have the same words; all else there needs patterns.

";

const CONDITIONS: &str = r#"
## Conditions

Conditions stand in parentheses and narrow a word: `exec(name=db, cmd=pg_dump *)`. All operations of the word must have the condition, or it is a
mistake. Different conditions must all hold. Of several with one key one must hold, also of several labels.

| Condition | Holds |
|---|---|
| `name=GLOB` | of containers, and of volumes, with this name. A client that asks by an id is asked for the name behind it |
| `label:KEY`, `label:KEY=GLOB` | of containers with this label |
| `project:NAME`, `service:PROJECT/NAME` | of containers of this Compose project or service |
| `not label:KEY`, `not project:NAME`, … | of containers of which that is not true |
| `to=GLOB` | of a new name like this |
| `image=IMAGE` | of this image, for example `docker.io/library/*` or `traefik:v3`. Without a tag any tag is meant |
| `cmd=GLOB GLOB …` | of an exec with these arguments; a last `*` takes all that are left. The exec may set no environment, working directory or privileges, and no user without the condition `user` |
| `user=GLOB` | of an exec as this user |
| `signal=SIGNAL` | of this signal, by name or number |

In a `GLOB` `*` stands for any text and `?` for one character; both match `/` and `:` too. Double quotes protect `,`, `)`, `=` and blanks. `\*`, `\?`,
`\"` and `\\` stand for the characters themselves. In YAML, put a value with parentheses in single quotes.

"#;

const PRESET_INTRODUCTION: &str = r"<!-- Printed from the files in presets/. To change it change them, then run `UPDATE_EXPECT=1 cargo test`. -->

# Presets

A preset is a [word](words.md) for a program: what its features need, and no more. The bare name is always the least; a longer name adds.

- **recorded**: the calls of the program itself were recorded, and the tests replay them. Without any one of its grants something recorded would be refused.
- **read**: the calls were read from the program's source. A feature that was overlooked is refused, and the refusal says which word adds it.
- `portainer@1` pins a revision. Within a revision only reads are added.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_the_tables() {
        for (file, page) in [("words", words_page()), ("presets", presets_page())] {
            let path = format!("{}/docs/{file}.md", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                std::fs::write(&path, &page).unwrap();
            }
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                there == page,
                "docs/{file}.md is not what the tables say; run `UPDATE_EXPECT=1 cargo test`"
            );
        }
    }
}
