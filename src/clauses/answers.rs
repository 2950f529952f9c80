//! What the engine answered, as far as the clauses read it.
//!
//! Nothing else of an answer is kept: a container may have labels of megabytes, and a request may name it in many ways. So a clause can read
//! what is listed here and nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::request::json::Json;
use crate::request::json::keep::{Keep, WORD};
use crate::rule::labels::creator::CREATOR_LABEL;

use super::question::Question;

/// For paths, and for what a driver makes of a text.
const TEXT: Keep = Keep::Text(16 * 1024);

const CONTAINER: Keep = Keep::Fields(&[
    ("Id", WORD),
    ("Name", WORD),
    ("Config", Keep::Fields(&[("Labels", Keep::Fields(&[(CREATOR_LABEL, Keep::Text(4096))]))])),
    (
        "HostConfig",
        Keep::Fields(&[
            ("AutoRemove", Keep::Whole),
            ("CapAdd", Keep::Each(&WORD)),
            ("DeviceCgroupRules", Keep::Each(&WORD)),
            ("DeviceRequests", Keep::Each(&Keep::Fields(&[]))),
            ("Devices", Keep::Each(&Keep::Fields(&[]))),
            ("IpcMode", WORD),
            ("MaskedPaths", Keep::Each(&WORD)),
            ("NetworkMode", WORD),
            ("PidMode", WORD),
            ("Privileged", Keep::Whole),
            ("ReadonlyPaths", Keep::Each(&WORD)),
            ("UTSMode", WORD),
            ("UsernsMode", WORD),
        ]),
    ),
    ("NetworkSettings", Keep::Fields(&[("Networks", Keep::Names)])),
    (
        "Mounts",
        Keep::Each(&Keep::Fields(&[
            ("Type", WORD),
            ("Name", WORD),
            ("Source", TEXT),
            ("Destination", TEXT),
            ("RW", Keep::Whole),
        ])),
    ),
]);
/// A longer variable is more than the kernel takes (execve(2)).
const VARIABLE: Keep = Keep::Text(132 * 1024);
const SETTINGS: Keep = Keep::Fields(&[
    ("Id", WORD),
    ("Name", WORD),
    ("Config", Keep::Fields(&[("WorkingDir", TEXT), ("Env", Keep::Each(&VARIABLE))])),
]);
const EXEC: Keep = Keep::Fields(&[
    ("ContainerID", WORD),
    (
        "ProcessConfig",
        Keep::Fields(&[
            ("privileged", Keep::Whole),
            ("entrypoint", TEXT),
            ("arguments", Keep::Each(&TEXT)),
            ("user", WORD),
        ]),
    ),
]);
/// A list of rows.
const CONTAINERS: Keep = Keep::Each(&Keep::Fields(&[
    ("Id", WORD),
    ("Image", WORD),
    ("Labels", Keep::Fields(&[(CREATOR_LABEL, WORD)])),
]));
/// All that a create says of a container counts when it is made again.
const REPLACED: Keep = Keep::Fields(&[
    ("Id", WORD),
    ("Name", WORD),
    ("Image", WORD),
    ("Config", Keep::Whole),
    ("HostConfig", Keep::Whole),
    (
        "Mounts",
        Keep::Each(&Keep::Fields(&[
            ("Type", WORD),
            ("Name", WORD),
            ("Destination", TEXT),
            ("RW", Keep::Whole),
        ])),
    ),
    ("NetworkSettings", Keep::Fields(&[("Networks", Keep::Whole)])),
]);
const REPLACED_IMAGE: Keep = Keep::Fields(&[
    ("Config", Keep::Whole),
    ("RepoTags", Keep::Each(&WORD)),
    ("RepoDigests", Keep::Each(&WORD)),
]);
/// Conditions may speak of any label. A value that is too long to be kept is one that nobody can judge.
const LABELS: Keep = Keep::Fields(&[
    ("Id", WORD),
    ("Name", WORD),
    ("Config", Keep::Fields(&[("Labels", Keep::Each(&Keep::Text(4096)))])),
]);
const IMAGE: Keep = Keep::Fields(&[
    (
        "Config",
        Keep::Fields(&[("Labels", Keep::Names), ("WorkingDir", TEXT), ("Env", Keep::Each(&TEXT))]),
    ),
    ("RepoTags", Keep::Each(&WORD)),
    ("RepoDigests", Keep::Each(&WORD)),
]);
const NETWORK: Keep = Keep::Fields(&[("Id", WORD), ("Driver", WORD)]);
/// A specification is judged as one that a client sends: every field of it counts.
const SERVICE: Keep = Keep::Fields(&[("PreviousSpec", Keep::Whole)]);
const INFO: Keep = Keep::Fields(&[("CgroupVersion", WORD), ("SecurityOptions", Keep::Each(&WORD))]);
const NODE: Keep = Keep::Fields(&[("ID", WORD)]);
const VERSION: Keep = Keep::Fields(&[
    ("Version", WORD),
    ("Components", Keep::Each(&Keep::Fields(&[("Name", WORD)]))),
]);
const VOLUME: Keep = Keep::Fields(&[("Driver", WORD), ("Options", Keep::Each(&TEXT))]);

impl Question {
    /// What is read of the answer.
    pub const fn kept(&self) -> &'static Keep {
        match self {
            Self::Container(_) => &CONTAINER,
            Self::Containers => &CONTAINERS,
            Self::Replaced(_) => &REPLACED,
            Self::ReplacedImage(_) => &REPLACED_IMAGE,
            Self::Exec(_) => &EXEC,
            Self::Labels(_) => &LABELS,
            Self::Image(_) => &IMAGE,
            Self::Info => &INFO,
            Self::Network(_) => &NETWORK,
            Self::Node(_) => &NODE,
            Self::Service(_) => &SERVICE,
            Self::Settings(_) => &SETTINGS,
            Self::Version => &VERSION,
            Self::Volume(_) => &VOLUME,
        }
    }
}

/// What the engine answered so far, by what it was asked: the object as far as it is read, or `None` where it has none.
#[derive(Debug, Default)]
pub struct Answers(BTreeMap<Question, Option<Arc<Json>>>);

impl Answers {
    /// No answer yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many questions were answered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes an answer. What several names of one object lead to is kept once; says whether this one is new.
    pub fn insert(&mut self, question: Question, answer: Option<Json>) -> bool {
        let answer = answer.map(|answer| answer.kept(question.kept()));
        let known = answer.as_ref().and_then(|answer| {
            let same_kind = |other: &Question| {
                std::mem::discriminant(other) == std::mem::discriminant(&question)
            };
            let others = self.0.iter().filter(|(other, _)| same_kind(other));
            others.filter_map(|(_, known)| known.as_ref()).find(|known| ***known == *answer)
        });
        let (answer, is_new) = match known {
            Some(known) => (Some(Arc::clone(known)), false),
            None => (answer.map(Arc::new), true),
        };
        self.0.insert(question, answer);
        is_new
    }

    /// The object that was answered to this, for those who keep it.
    pub fn shared(&self, question: &Question) -> Option<Arc<Json>> {
        self.0.get(question).cloned().flatten()
    }

    /// What was answered to this; `None` where it was not asked yet.
    pub fn get(&self, question: &Question) -> Option<Option<&Json>> {
        self.0.get(question).map(|answer| answer.as_deref())
    }
}

impl Extend<(Question, Option<Json>)> for Answers {
    fn extend<T: IntoIterator<Item = (Question, Option<Json>)>>(&mut self, answers: T) {
        for (question, answer) in answers {
            self.insert(question, answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(text: &str) -> Json {
        Json::parse_answer(text.as_bytes()).unwrap()
    }

    #[test]
    fn of_an_answer_nothing_is_kept_but_what_is_listed() {
        let mut answers = Answers::new();
        let question = Question::Container("web".to_owned());
        let text = r#"{"Id":"1","Config":{"Env":["a=b"],"Labels":{"a":"b","sockwarden.creator":"name:x"}},"HostConfig":{"Privileged":true,"Memory":7,"Devices":[{"PathOnHost":"/dev/x"}]},"Mounts":[{"Type":"bind","Source":"/etc","Mode":"z"}]}"#;
        answers.insert(question.clone(), Some(inspect(text)));
        let kept = answers.get(&question).unwrap().unwrap().to_text();
        assert_eq!(
            kept,
            r#"{"Id":"1","Config":{"Labels":{"sockwarden.creator":"name:x"}},"HostConfig":{"Privileged":true,"Devices":[{}]},"Mounts":[{"Type":"bind","Source":"/etc"}]}"#
        );
    }

    #[test]
    #[should_panic(expected = "`State` is read of an answer and was not kept of it")]
    fn a_clause_cannot_read_what_is_not_listed() {
        let mut answers = Answers::new();
        let question = Question::Container("web".to_owned());
        answers.insert(question.clone(), Some(inspect(r#"{"Id":"1","State":{}}"#)));
        answers.get(&question).unwrap().unwrap().field("State");
    }

    #[test]
    fn one_object_is_kept_once_however_many_names_it_has() {
        let mut answers = Answers::new();
        let id = "ab".repeat(32);
        let text = format!(r#"{{"Id":"{id}","Name":"/web"}}"#);
        let names = (1..=51).map(|length| id.get(..length).unwrap().to_owned());
        for (place, name) in names.enumerate() {
            let is_new = answers.insert(Question::Container(name), Some(inspect(&text)));
            assert_eq!(is_new, place == 0);
        }
        // Another kind of object, and another object, are others.
        let network = inspect(&format!(r#"{{"Id":"{id}"}}"#));
        assert!(answers.insert(Question::Network(id), Some(network)));
        let other = inspect(r#"{"Id":"2"}"#);
        assert!(answers.insert(Question::Container("b".to_owned()), Some(other)));
        let alive: Vec<_> = answers.0.values().flatten().collect();
        assert_eq!(alive.len(), 53);
        assert_eq!(Arc::strong_count(alive.first().unwrap()), 51);
    }
}
