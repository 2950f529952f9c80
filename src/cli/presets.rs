//! `sockwarden presets`: the programs that there is a word for, and what each word gives.

use std::ffi::OsString;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::terminal::{arguments, complain, exit, print_out, table};
use crate::config;
use crate::risks::{Risk, risk_of_word};
use crate::rule::Origin;
use crate::rule::words::{Evidence, PRESETS, Preset, Words};

pub(super) fn run(args: &[OsString]) -> anyhow::Result<u8> {
    let parsed = match arguments("presets", args) {
        Ok(parsed) => parsed,
        Err(ended) => return ended,
    };
    let in_json = parsed.has("json");
    let Some(name) = parsed.words.first() else {
        return print_out(&if in_json {
            lines_of(&Value::Array(PRESETS.iter().map(row).collect()))
        } else {
            list()
        });
    };
    match preset(name) {
        Ok(preset) if in_json => print_out(&lines_of(&whole(preset))),
        Ok(preset) => print_out(&page(preset)),
        Err(what) => {
            complain(&what);
            Ok(exit::FAILED)
        }
    }
}

fn lines_of(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The preset of this name, in any case and with a revision or without.
fn preset(name: &str) -> Result<&'static Preset, String> {
    let bare = name.split('@').next().unwrap_or_default();
    if let Some(preset) = PRESETS.iter().find(|preset| preset.name.eq_ignore_ascii_case(bare)) {
        // Another revision than ours is said to be one.
        return match Words::read(name, &Origin::Flag("-allow".to_owned())) {
            Ok(_) => Ok(preset),
            Err(mistakes) => Err(mistakes.first().map(ToString::to_string).unwrap_or_default()),
        };
    }
    if Words::read(name, &Origin::Flag("-allow".to_owned())).is_ok() {
        return Err(format!(
            "`{name}` is a word, but not one for a program; `sockwarden presets` lists those"
        ));
    }
    let nearest = of_image(name).map(|preset| &*preset.name);
    let nearest =
        nearest.or_else(|| config::nearest(bare, PRESETS.iter().map(|preset| &*preset.name)));
    Err(match nearest {
        Some(nearest) => format!("there is no preset `{name}`; did you mean `{nearest}`?"),
        None => format!("there is no preset `{name}`; `sockwarden presets` lists those there are"),
    })
}

/// The preset for the program in an image, such as `ghcr.io/amir20/dozzle:v8`.
pub(super) fn of_image(image: &str) -> Option<&'static Preset> {
    let name = image.split('@').next()?.rsplit('/').next()?.split(':').next()?;
    let known = |name: &str| PRESETS.iter().find(|preset| preset.name == name);
    known(name).or_else(|| known(name.strip_suffix("-ce").unwrap_or(name)))
}

fn list() -> String {
    let heads = ["WORD", "PROGRAM", "VERSIONS", "RISK", "EVIDENCE"].map(str::to_owned).to_vec();
    let rows = PRESETS.iter().map(|preset| {
        let risk = risk_of_word(&preset.name);
        vec![
            preset.name.clone(),
            preset.title.clone(),
            preset.versions.clone(),
            format!("{:?}", risk.level),
            preset.evidence.name().to_owned(),
        ]
    });
    let mut text = table(std::iter::once(heads).chain(rows));
    text.push_str(
        "\n`sockwarden presets WORD` shows what one of them gives. `recorded`: the program's own calls were recorded and are\n\
         replayed by the tests. `read`: the calls were read from its source, so a feature may have been overlooked.\n",
    );
    text
}

fn row(preset: &Preset) -> Value {
    let Risk { level, operation } = risk_of_word(&preset.name);
    json!({
        "word": preset.name,
        "program": preset.title,
        "homepage": preset.homepage,
        "versions": preset.versions,
        "revision": preset.revision,
        "summary": preset.summary,
        "risk": format!("{level:?}"),
        "risk_sentence": level.sentence(),
        "risk_operation": operation.map(crate::request::Operation::id),
        "evidence": preset.evidence.name(),
    })
}

fn whole(preset: &Preset) -> Value {
    let mut whole = row(preset);
    if let Some(fields) = whole.as_object_mut() {
        fields.insert("allow".to_owned(), json!(preset.allow));
        fields.insert("sources".to_owned(), json!(preset.sources));
        fields.insert("notes".to_owned(), json!(preset.notes));
        fields.insert("label".to_owned(), json!(label(preset)));
    }
    whole
}

fn label(preset: &Preset) -> String {
    format!("sockwarden.allow: {}", preset.name)
}

fn page(preset: &Preset) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} {}  {}", preset.title, preset.versions, preset.homepage);
    let _ = writeln!(text, "{}\n", preset.summary);
    let _ = writeln!(text, "risk      {}", risk_of_word(&preset.name));
    let (how, sources) = match preset.evidence {
        Evidence::Recorded => ("recorded: its own calls, which the tests replay", "recordings"),
        Evidence::Read => (
            "read from its source: a feature that was overlooked is refused, and the refusal says which word adds it",
            "files",
        ),
    };
    let _ = writeln!(text, "evidence  {how}");
    let _ = writeln!(text, "{sources:10}{}", preset.sources.join(", "));
    let _ = writeln!(text, "revision  {}\n", preset.revision);
    text.push_str("it gives\n");
    for word in &preset.allow {
        let _ = writeln!(text, "  {word}");
    }
    if !preset.notes.is_empty() {
        text.push_str("\nnotes\n");
    }
    for note in &preset.notes {
        let _ = writeln!(text, "  - {note}");
    }
    let _ = write!(text, "\nthe label to copy\n    labels:\n      {}\n", label(preset));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_listed_and_shown() {
        let list = list();
        for preset in PRESETS.iter() {
            assert!(list.lines().any(|line| line.starts_with(&*preset.name)), "{}", preset.name);
            let page = page(preset);
            let parts = preset.allow.iter().chain(&preset.sources).chain(&preset.notes);
            for part in parts.chain([&preset.summary, &preset.versions, &label(preset)]) {
                assert!(page.contains(part), "{part} is not in {page}");
            }
            let whole = whole(preset);
            assert_eq!(whole["allow"].as_array().unwrap().len(), preset.allow.len());
            assert_eq!(whole["evidence"], preset.evidence.name());
        }
        let dozzle = list.lines().find(|line| line.starts_with("dozzle ")).unwrap();
        let columns: Vec<_> = dozzle.split("  ").filter(|column| !column.is_empty()).collect();
        assert_eq!(columns.len(), 5, "{dozzle}");
        assert!(dozzle.contains("  B     read"), "{dozzle}");
    }

    #[track_caller]
    fn check(name: &str, want: Result<&str, &str>) {
        let found = preset(name).map(|preset| &*preset.name);
        match (found, want) {
            (Err(message), Err(part)) => assert!(message.contains(part), "{name}: {message}"),
            (found, want) => assert_eq!(found, want.map_err(str::to_owned), "{name}"),
        }
    }

    #[test]
    fn a_preset_is_found_by_its_name_and_others_are_told_apart() {
        check("dozzle", Ok("dozzle"));
        check("Dozzle@1", Ok("dozzle"));
        check("dozzle@9", Err("this version has revision 1; write `dozzle@1`"));
        check("dozle", Err("did you mean `dozzle`?"));
        check("docker.io/amir20/dozzle:v8", Err("did you mean `dozzle`?"));
        check("portainer/portainer-ce", Err("did you mean `portainer`?"));
        check("read", Err("not one for a program"));
        check("xyzzy", Err("`sockwarden presets` lists"));
    }
}
