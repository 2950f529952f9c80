//! Rights in words: operations, bundles of them, presets for programs, and conditions that narrow each.
//!
//! A word gives what it says and nothing else. What it gives is judged by safe terms (`clauses::ListLimits`), whatever patterns stand beside
//! it.

mod bundles;
mod conditions;
mod exceptions;
mod glob;
mod grammar;
mod images;
mod libpod;
mod mistake;
mod operations;
mod presets;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::request::{Head, Operation};

use super::origin::Origin;

pub use bundles::{Bundle, Part};
pub use conditions::{Command, Conditions, Item, signal};
pub use exceptions::{Exceptions, host_access};
pub use glob::Glob;
pub use images::{ImageName, ImagePattern, images, may_be_id};
pub use mistake::WordMistake;
pub use operations::{Asks, Home, Key, Uses, asks, keys, uses};
pub use presets::{Evidence, PRESETS, Preset};
pub use table::{Step, Switch, VERBS};

use grammar::{Argument, Written};
use table::Word;

/// How deep presets may name presets.
const DEEPEST: usize = 4;

/// What words give one client, or everyone else. Empty, they give nothing.
#[derive(Debug, Clone, Default)]
pub struct Words {
    rules: Vec<Arc<WordRule>>,
    /// Indexed by `Operation as usize`; empty where there are no words.
    by_operation: Box<[Vec<Granted>]>,
    /// The variables whose values are shown.
    env: Vec<Glob>,
    may_label: bool,
    /// The word that lets containers be replaced by equal ones.
    recreate: Option<Arc<WordRule>>,
}

/// One word, as somebody wrote it.
#[derive(Debug)]
pub struct WordRule {
    /// Where it was written.
    pub origin: Origin,
    /// As it was written, for example `lifecycle(label:autoheal=true)`.
    pub text: String,
}

/// That a word gives an operation.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The word.
    pub rule: Arc<WordRule>,
    /// Which part of the operation it gives.
    pub part: Part,
    /// What must hold.
    pub conditions: Arc<Conditions>,
}

impl Words {
    /// Reads words.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(text: &str, origin: &Origin) -> Result<Self, Vec<WordMistake>> {
        let mut words = Self::default();
        let mut mistakes = Vec::new();
        for written in grammar::grants(text) {
            let added = written.and_then(|written| {
                let rule =
                    Arc::new(WordRule { origin: origin.clone(), text: written.text.clone() });
                words.rules.push(Arc::clone(&rule));
                words.add(written, &rule)
            });
            mistakes.extend(added.err());
        }
        if mistakes.is_empty() { Ok(words) } else { Err(mistakes) }
    }

    /// Adds what others give.
    pub fn extend(&mut self, others: Self) {
        self.rules.extend(others.rules);
        for (operation, granted) in Operation::all().zip(others.by_operation) {
            for granted in granted {
                self.push(operation, granted);
            }
        }
        self.env.extend(others.env);
        self.may_label |= others.may_label;
        self.recreate = self.recreate.take().or(others.recreate);
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Every word, as it was written.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<WordRule>> {
        self.rules.iter()
    }

    /// The words that give an operation.
    pub fn of(&self, operation: Operation) -> &[Granted] {
        self.by_operation.get(operation as usize).map_or(&[], Vec::as_slice)
    }

    /// The first word that gives what a request asks for, conditions left out.
    pub fn find(&self, head: &Head) -> Option<&Granted> {
        if self.is_empty() {
            return None;
        }
        if head.operation.template().is_some() {
            return self.of(head.operation).iter().find(|granted| granted.part.holds(head));
        }
        // Conditions are about what Docker's path names.
        let same = libpod::same_read(head.method, head.target.path())?;
        self.of(same).iter().find(|granted| granted.conditions.are_none())
    }

    /// Whether a word gives an operation without conditions.
    pub fn gives_freely(&self, operation: Operation) -> bool {
        self.of(operation)
            .iter()
            .any(|granted| granted.part == Part::Whole && granted.conditions.are_none())
    }

    /// Whether a word gives an operation, or a part of it.
    pub fn gives(&self, operation: Operation) -> bool {
        !self.of(operation).is_empty()
    }

    /// The variables whose values are shown.
    pub fn env(&self) -> &[Glob] {
        &self.env
    }

    /// Whether labels that carry rights may be set.
    pub fn may_label(&self) -> bool {
        self.may_label
    }

    /// Whether containers may be replaced by equal ones.
    pub fn may_recreate(&self) -> bool {
        self.recreate.is_some()
    }

    /// What an operation is to a client that may replace containers, and the word that lets it.
    pub fn step(&self, operation: Operation) -> Option<(Step, &Arc<WordRule>)> {
        let rule = self.recreate.as_ref()?;
        Step::of(operation).map(|step| (step, rule))
    }

    /// The word that gives this operation for replacing containers only.
    pub fn replaces(&self, operation: Operation) -> Option<&Arc<WordRule>> {
        self.step(operation).filter(|(step, _)| *step != Step::Prune).map(|(_, rule)| rule)
    }

    /// The names that conditions speak of.
    pub fn object_names(&self) -> impl Iterator<Item = &Glob> {
        let granted = self.by_operation.iter().flatten();
        granted.flat_map(|granted| granted.conditions.object_names())
    }

    /// The names that conditions exclude.
    pub fn excluded_names(&self) -> impl Iterator<Item = &Glob> {
        let granted = self.by_operation.iter().flatten();
        granted.flat_map(|granted| granted.conditions.excluded_names())
    }

    fn push(&mut self, operation: Operation, granted: Granted) {
        if self.by_operation.is_empty() {
            self.by_operation = vec![Vec::new(); Operation::all().count()].into();
        }
        if let Some(all) = self.by_operation.get_mut(operation as usize) {
            all.push(granted);
        }
    }

    fn add(&mut self, written: Written, rule: &Arc<WordRule>) -> Result<(), WordMistake> {
        self.add_word(written, rule, 0)
    }

    fn add_word(
        &mut self,
        written: Written,
        rule: &Arc<WordRule>,
        depth: usize,
    ) -> Result<(), WordMistake> {
        let Written { name, revision, arguments, text: _ } = written;
        let word = table::find(&name)?;
        if let Some(given) = revision {
            match word {
                Word::Preset(preset) if given == preset.revision.to_string() => {}
                Word::Preset(preset) => {
                    let given = mistake::short(&given);
                    return Err(WordMistake::Revision {
                        word: name,
                        given,
                        there: preset.revision,
                    });
                }
                Word::Operation(_) | Word::Bundle(_) | Word::Switch(_) => {
                    return Err(WordMistake::NoRevision { word: name });
                }
            }
        }
        let parts: Vec<(Operation, Part)> = match word {
            Word::Operation(operation) => vec![(operation, Part::Whole)],
            Word::Bundle(bundle) => bundle.members().collect(),
            Word::Preset(_) if arguments.is_some() => {
                return Err(WordMistake::NoArguments { word: name });
            }
            Word::Preset(preset) => {
                for written in preset.allow.iter().flat_map(|text| grammar::grants(text)) {
                    // Tests read every preset.
                    if depth < DEEPEST {
                        self.add_word(written?, rule, depth + 1)?;
                    }
                }
                return Ok(());
            }
            Word::Switch(switch) => return self.switch(switch, name, arguments, rule),
        };
        let operations: Vec<_> = parts.iter().map(|(operation, _)| *operation).collect();
        let conditions = Conditions::read(&name, arguments.unwrap_or_default(), &operations)?;
        let conditions = Arc::new(conditions);
        for (operation, part) in parts {
            let conditions = Arc::clone(&conditions);
            self.push(operation, Granted { rule: Arc::clone(rule), part, conditions });
        }
        Ok(())
    }

    fn switch(
        &mut self,
        switch: Switch,
        name: String,
        arguments: Option<Vec<Argument>>,
        rule: &Arc<WordRule>,
    ) -> Result<(), WordMistake> {
        match (switch, arguments) {
            (Switch::Env, None) => self.env.push(Glob::anything()),
            (Switch::Env, Some(arguments)) => {
                for argument in arguments {
                    match argument {
                        Argument::Key { key, value } if key.eq_ignore_ascii_case("name") => {
                            self.env.push(conditions::one(&name, "name", value)?);
                        }
                        Argument::Key { key: given, .. }
                        | Argument::Item { kind: given, .. }
                        | Argument::Flag(given) => {
                            let there = vec!["name"];
                            let given = mistake::short(&given);
                            return Err(WordMistake::UnknownKey { word: name, given, there });
                        }
                    }
                }
            }
            (Switch::GrantRights, None) => self.may_label = true,
            (Switch::Recreate, None) => self.recreate = Some(Arc::clone(rule)),
            (Switch::GrantRights | Switch::Recreate, Some(_)) => {
                return Err(WordMistake::NoArguments { word: name });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { ", " }, rule.text)?;
        }
        Ok(())
    }
}

/// Every operation with the words that give it: its bundle by part, or none if its own name alone does.
pub fn homes_of(operation: Operation) -> impl Iterator<Item = (Part, Option<Bundle>)> {
    operations::homes(operation).iter().map(|(part, home)| match home {
        Home::Bundle(bundle) => (*part, Some(*bundle)),
        Home::OwnName | Home::Open | Home::None => (*part, None),
    })
}
