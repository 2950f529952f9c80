//! YAML as a tree of texts that knows its lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value, and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) value: Value,
}

/// What a value is. Compose makes texts of truth values and numbers wherever we look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: u64,
    pub(super) key: String,
    pub(super) value: Node,
}

impl Node {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it, on one line, with the place.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        // As Compose's reader: what is not `true` or `false` is a text.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let text = error.to_string();
            text.lines().next().unwrap_or("it is not YAML").to_owned()
        })
    }

    /// The entries of a mapping; of a list of `KEY=VALUE` those, as Compose reads it.
    pub(super) fn pairs(&self) -> Vec<(u64, String, String)> {
        let pair = |line: u64, text: &str| match text.split_once('=') {
            Some((key, value)) => (line, key.to_owned(), value.to_owned()),
            None => (line, text.to_owned(), String::new()),
        };
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .map(|entry| {
                    (
                        entry.line,
                        entry.key.clone(),
                        entry.value.text().unwrap_or_default().to_owned(),
                    )
                })
                .collect(),
            Value::List(items) => {
                items.iter().filter_map(|item| Some(pair(item.line, item.text()?))).collect()
            }
            Value::Null | Value::Text(_) => Vec::new(),
        }
    }

    /// The texts of a list, or the keys of a mapping, or the one text there is.
    pub(super) fn names(&self) -> Vec<String> {
        match &self.value {
            Value::Null => Vec::new(),
            Value::Text(text) => vec![text.clone()],
            Value::List(items) => items.iter().filter_map(Self::text).map(str::to_owned).collect(),
            Value::Map(entries) => entries.iter().map(|entry| entry.key.clone()).collect(),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Changes every text that is a value.
    pub(super) fn change(&mut self, change: &impl Fn(&str) -> String) {
        match &mut self.value {
            Value::Null => {}
            Value::Text(text) => *text = change(text),
            Value::List(items) => {
                for item in items {
                    item.change(change);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    entry.value.change(change);
                }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of YAML")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let value = access.next_value()?;
            entries.push(Entry { line: key.referenced.line(), key: key.value, value });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_with_its_lines() {
        let text = "x-all: &all\n  labels:\n    a: b\nservices:\n  web:\n    <<: *all\n    list: [x=1, y]\n    \
                    on: yes\n    n: 8080\n    mode: 0660\n    reset: !reset null\n    over: !override [a]\n    none:\n";
        let node = Node::read(text).unwrap();
        let web = node.get("services").unwrap().get("web").unwrap();
        assert_eq!(node.get("services").unwrap().entries()[0].line, 5);
        assert_eq!(web.get("labels").unwrap().pairs()[0].1, "a", "{web:?}");
        let list = web.get("list").unwrap();
        assert_eq!(
            list.pairs(),
            [(7, "x".to_owned(), "1".to_owned()), (7, "y".to_owned(), String::new())]
        );
        for (key, want) in [("n", "8080"), ("on", "yes"), ("mode", "0660")] {
            assert_eq!(web.get(key).unwrap().text(), Some(want), "{key}");
        }
        // Tags of Compose.
        assert_eq!(web.get("reset").unwrap().names(), Vec::<String>::new());
        assert_eq!(web.get("over").unwrap().names(), ["a"]);
        assert_eq!(web.get("none").unwrap().value, Value::Null);
    }

    #[test]
    fn what_is_wrong_is_one_line_with_its_place() {
        for text in ["a: [", "a: 1\na: 2\n", "a: *b\n", "\t- x: y: z\n"] {
            let error = Node::read(text).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
        }
    }
}
