//! What our reader finds in a document, written as `oracle.go` writes what Go finds: through [`Json::field`] and [`fold`], as the clauses of
//! `clauses` do.

use sockwarden::request::json::{Json, Object, fold};

use crate::fields::{Kind, Members};

/// The dump of a whole document.
pub(crate) fn dump(document: &Json, members: &'static Members) -> String {
    let mut text = String::new();
    struct_(document, members, &mut text);
    text
}

fn struct_(value: &Json, members: &'static Members, text: &mut String) {
    text.push('{');
    if let Some(object) = value.as_object() {
        found_both_ways(object, members, text);
    }
    let mut fields: Vec<&(&str, Kind)> = members.iter().copied().flatten().collect();
    fields.sort_by_key(|(name, _)| *name);
    for (name, kind) in fields {
        let found = found(value, name, kind);
        if !found.is_empty() {
            *text += &format!("{name}={found};");
        }
    }
    text.push('}');
}

/// The dump of one field; empty where it holds nothing.
pub(crate) fn found(document: &Json, name: &str, kind: &'static Kind) -> String {
    let mut text = String::new();
    if let Some(value) = document.field(name) {
        write(value, kind, &mut text);
        if is_nothing(&text, kind) {
            text.clear();
        }
    }
    text
}

/// Some clauses ask for a field, others look through all of them; both must see the same.
fn found_both_ways(object: &Object, members: &'static Members, text: &mut String) {
    for (key, value) in object.iter() {
        let folded = fold(key);
        let field =
            members.iter().copied().flatten().find(|(name, _)| folded == name.to_ascii_lowercase());
        if let Some((name, _)) = field
            && !object.member(name).is_some_and(|found| std::ptr::eq(found, value))
        {
            *text += &format!("(`{key}` is not found as {name})");
        }
    }
}

/// Whether Go's `IsZero` says so of what was written.
fn is_nothing(written: &str, kind: &Kind) -> bool {
    match kind {
        Kind::Bool => written == "false",
        Kind::Int | Kind::Unsigned(_) => written == "0",
        Kind::Text => written == "\"\"",
        Kind::Pair => written == "[0,0,]",
        Kind::Empty | Kind::Fields(_) => written == "{}",
        Kind::Words | Kind::List(_) | Kind::Entries(_) | Kind::Pointer(_) => false,
    }
}

fn write(value: &Json, kind: &'static Kind, text: &mut String) {
    match (kind, value) {
        (Kind::Bool, Json::Null) => *text += "false",
        (Kind::Bool, Json::Bool(value)) => *text += if *value { "true" } else { "false" },
        (Kind::Int | Kind::Unsigned(_), Json::Null) => *text += "0",
        (Kind::Int | Kind::Unsigned(_), Json::Number(number)) => {
            // Without a sign on a zero.
            *text += &number.parse::<i128>().map_or_else(|_| "?".to_owned(), |it| it.to_string());
        }
        (Kind::Text, Json::Null) => *text += "\"\"",
        (Kind::Text, Json::String(string)) => quote(string, text),
        (Kind::Words, Json::String(string)) => {
            text.push('[');
            quote(string, text);
            *text += ",]";
        }
        (Kind::Words, Json::Array(values)) => list(values, &Kind::Text, text),
        (Kind::Pair, Json::Array(values)) => {
            let both = [0, 1].map(|index| values.get(index).cloned().unwrap_or(Json::Null));
            list(&both, &Kind::Unsigned(64), text);
        }
        (Kind::Pair, Json::Null) => *text += "[0,0,]",
        (Kind::Empty, Json::Null | Json::Object(_)) => *text += "{}",
        (Kind::List(kind), Json::Array(values)) => list(values, kind, text),
        (Kind::Entries(kind), Json::Object(object)) => entries(object, kind, text),
        (Kind::Words | Kind::List(_) | Kind::Entries(_) | Kind::Pointer(_), Json::Null) => {
            *text += "null";
        }
        (Kind::Pointer(kind), value) => write(value, kind, text),
        (Kind::Fields(members), Json::Null | Json::Object(_)) => struct_(value, members, text),
        (kind, value) => *text += &format!("({value} is no {kind:?})"),
    }
}

fn list(values: &[Json], kind: &'static Kind, text: &mut String) {
    text.push('[');
    for value in values {
        write(value, kind, text);
        text.push(',');
    }
    text.push(']');
}

fn entries(object: &Object, kind: &'static Kind, text: &mut String) {
    let mut entries: Vec<(&str, &Json)> = object.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    text.push('<');
    for (key, value) in entries {
        quote(key, text);
        text.push(':');
        write(value, kind, text);
        text.push(';');
    }
    text.push('>');
}

fn quote(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}
