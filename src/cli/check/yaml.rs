//! YAML as a tree of texts that knows its lines.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

/// How many values a document may have, with what its aliases repeat.
const MOST_NODES: usize = 100_000;

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
    /// Reads a document, the first that there is.
    ///
    /// # Errors
    /// What is wrong with it, on one line, with the place.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut tree = Tree::default();
        for next in Parser::new_from_str(text) {
            let (event, span) = next.map_err(|error| {
                let text = error.to_string();
                text.lines().next().unwrap_or("it is not YAML").to_owned()
            })?;
            let line = u64::try_from(span.start.line()).unwrap_or_default();
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let is_reset = tag.is_some_and(|tag| tag.suffix() == "reset");
                    let is_plain = style == ScalarStyle::Plain;
                    let value = if is_reset { Value::Null } else { scalar(&text, is_plain) };
                    tree.put(Self { line, value }, anchor, is_plain)?;
                }
                Event::SequenceStart(_, anchor, _) => {
                    tree.open.push(Open::list(line, anchor, tree.nodes));
                }
                Event::MappingStart(_, anchor, _) => {
                    tree.open.push(Open::map(line, anchor, tree.nodes));
                }
                Event::SequenceEnd | Event::MappingEnd => tree.close()?,
                Event::Alias(anchor) => tree.repeat(anchor, line)?,
                Event::DocumentEnd => break,
                _ => {}
            }
        }
        tree.root.ok_or_else(|| "it is empty".to_owned())
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

/// What a scalar says: Compose's reader knows null and truth values, and numbers are texts to us.
fn scalar(text: &str, is_plain: bool) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" if is_plain => Value::Null,
        "True" | "TRUE" if is_plain => Value::Text("true".to_owned()),
        "False" | "FALSE" if is_plain => Value::Text("false".to_owned()),
        text => Value::Text(text.to_owned()),
    }
}

/// A tree while it grows.
#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    /// What aliases may repeat, by the number of its anchor, with how many nodes it has.
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    nodes: usize,
}

/// A list or a mapping that has not ended.
struct Open {
    line: u64,
    anchor: usize,
    /// How many nodes there were before it.
    nodes: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// What stands behind `<<`.
        merged: Vec<Node>,
        /// The key whose value comes next, and whether it is `<<`.
        key: Option<(u64, String, bool)>,
    },
}

impl Open {
    fn list(line: u64, anchor: usize, nodes: usize) -> Self {
        Self { line, anchor, nodes, content: Content::List(Vec::new()) }
    }

    fn map(line: u64, anchor: usize, nodes: usize) -> Self {
        let content = Content::Map { entries: Vec::new(), merged: Vec::new(), key: None };
        Self { line, anchor, nodes, content }
    }
}

impl Tree {
    /// Puts a scalar where it belongs.
    fn put(&mut self, node: Node, anchor: usize, is_plain: bool) -> Result<(), String> {
        self.nodes += 1;
        self.add(node, anchor, 1, is_plain)
    }

    /// Puts a node where it belongs: into what is open, as a key or as a value.
    fn add(
        &mut self,
        node: Node,
        anchor: usize,
        count: usize,
        is_plain: bool,
    ) -> Result<(), String> {
        if self.nodes > MOST_NODES {
            return Err(format!("line {}: it has more than {MOST_NODES} values", node.line));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), count));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => {
                self.root.get_or_insert(node);
            }
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, merged, key }) => match key.take() {
                None => {
                    let line = node.line;
                    let text = match node.value {
                        Value::Text(text) => text,
                        Value::Null => String::new(),
                        Value::List(_) | Value::Map(_) => {
                            return Err(format!("line {line}: a key is not a text"));
                        }
                    };
                    if entries.iter().any(|entry| entry.key == text) {
                        return Err(format!("line {line}: the key `{text}` is there twice"));
                    }
                    let is_merge = is_plain && text == "<<";
                    *key = Some((line, text, is_merge));
                }
                Some((_, _, true)) => match node.value {
                    Value::List(items) => merged.extend(items),
                    Value::Map(_) => merged.push(node),
                    Value::Null | Value::Text(_) => {
                        return Err(format!("line {}: `<<` takes a mapping", node.line));
                    }
                },
                Some((line, key, false)) => entries.push(Entry { line, key, value: node }),
            },
        }
        Ok(())
    }

    /// Ends what was opened last.
    fn close(&mut self) -> Result<(), String> {
        let Some(Open { line, anchor, nodes, content }) = self.open.pop() else { return Ok(()) };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { mut entries, merged, .. } => {
                for entry in merged.iter().flat_map(Node::entries) {
                    if entries.iter().all(|own| own.key != entry.key) {
                        entries.push(entry.clone());
                    }
                }
                Value::Map(entries)
            }
        };
        self.nodes += 1;
        let count = self.nodes.saturating_sub(nodes);
        self.add(Node { line, value }, anchor, count, false)
    }

    /// Puts what an anchor stands for once more.
    fn repeat(&mut self, anchor: usize, line: u64) -> Result<(), String> {
        let Some((node, count)) = self.anchors.get(&anchor) else {
            return Err(format!("line {line}: an alias stands inside of what it repeats"));
        };
        self.nodes += count;
        if self.nodes > MOST_NODES {
            return Err(format!("line {line}: it has more than {MOST_NODES} values"));
        }
        let (node, count) = (node.clone(), *count);
        self.add(node, 0, count, false)
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
        let wide = "x, ".repeat(50);
        let mut bomb = format!("a0: &a0 [{wide}]\n");
        for level in 1..20 {
            let before = format!("*a{}, ", level - 1).repeat(50);
            bomb = format!("{bomb}a{level}: &a{level} [{before}]\n");
        }
        let deep = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
        let wrong =
            ["a: [", "a: 1\na: 2\n", "a: *b\n", "- x: y: z\n", "a: &a [*a]\n", "", "<<: 1\n"];
        for text in wrong.into_iter().chain([&*bomb, &*deep]) {
            let error = Node::read(text).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
        }
    }
}
