//! A body that is accepted has one reading: another reader finds the same document in it and in what is printed of it, no key stands in
//! an object twice for a reader that folds case as Go does, and each field is found by every spelling of its name. A document that the
//! other reader takes is accepted too, unless it has two readings or is too large.
//!
//! The first byte of the input says whether the outermost object is a struct to the daemon.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sockwarden::request::json::{Json, JsonError, Keys, MAX_DEPTH, Object, fold};

pub(crate) fn check(input: &[u8]) {
    let Some((&kind, text)) = input.split_first() else { return };
    let keys = if kind % 2 == 0 { Keys::Fields } else { Keys::Entries };
    let other = serde_json::from_slice::<Other>(text);
    match (Json::parse(text, keys), other) {
        (Ok(json), other) => {
            match other {
                Ok(other) => same(&json, &other),
                // Numbers beyond what it can hold, one level less than we take, and halves of surrogate pairs, which Go reads.
                Err(error) => {
                    let error = error.to_string();
                    let known =
                        ["out of range", "recursion limit", "surrogate", "end of hex escape"];
                    assert!(known.iter().any(|it| error.contains(it)), "{error}");
                }
            }
            let printed = json.to_text();
            assert_eq!(Json::parse(printed.as_bytes(), keys).as_ref(), Ok(&json), "{printed}");
            assert!(!printed.contains(|c: char| c < ' '), "{printed:?}");
            assert!(depth(&json) <= MAX_DEPTH);
            fields(&json);
            if keys == Keys::Fields {
                for (key, value) in json.as_object().into_iter().flat_map(Object::iter) {
                    for spelling in [go_fold(key), key.to_ascii_uppercase()] {
                        let found = json.as_object().and_then(|object| object.member(&spelling));
                        assert!(std::ptr::eq(found.unwrap(), value), "{spelling:?} in {json}");
                    }
                }
            }
        }
        (Err(error), Ok(other)) => match error {
            JsonError::DuplicateKey { .. } => assert!(other.repeats(), "{error}"),
            JsonError::TooDeep | JsonError::TooManyValues => {}
            _ => panic!("{error}, and yet it is read as {other:?}"),
        },
        (Err(error), Err(_)) => {
            let error = error.to_string();
            assert!(error.len() <= 200 + text.len(), "{error}");
        }
    }
}

fn depth(json: &Json) -> usize {
    match json {
        Json::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Json::Object(object) => {
            1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or_default()
        }
        _ => 0,
    }
}

/// Every member is found by its own name. In a struct that is the first one that folds alike, so there is no second.
fn fields(json: &Json) {
    match json {
        Json::Array(values) => values.iter().for_each(fields),
        Json::Object(object) => {
            for (key, value) in object.iter() {
                assert!(std::ptr::eq(object.member(key).unwrap(), value), "{key:?} in {json}");
                assert_eq!(fold(key), go_fold(key), "{key:?}");
                fields(value);
            }
        }
        _ => {}
    }
}

/// What Go's simple folding makes of a key where it can meet one of ASCII letters.
fn go_fold(key: &str) -> String {
    key.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase()
}

fn same(json: &Json, other: &Other) {
    match (json, other) {
        (Json::Null, Other::Null) => {}
        (Json::Bool(one), Other::Bool(other)) => assert_eq!(one, other),
        (Json::String(one), Other::Text(other)) => assert_eq!(one, other),
        (Json::Number(one), Other::Whole(other)) => assert_eq!(one.parse(), Ok(*other)),
        (Json::Number(one), Other::Float(other)) => {
            let one: f64 = one.parse().unwrap();
            assert!((one - other).abs() <= one.abs() * 1e-12, "{one} and {other}");
        }
        (Json::Array(ones), Other::List(others)) => {
            assert_eq!(ones.len(), others.len());
            ones.iter().zip(others).for_each(|(one, other)| same(one, other));
        }
        (Json::Object(ones), Other::Object(others)) => {
            assert_eq!(ones.iter().count(), others.len());
            for ((name, one), (key, other)) in ones.iter().zip(others) {
                assert_eq!(name, key);
                same(one, other);
            }
        }
        _ => panic!("{json} is read as {other:?}"),
    }
}

/// A document as serde reads it, with every member of every object.
#[derive(Debug)]
enum Other {
    Null,
    Bool(bool),
    Whole(i128),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Other {
    /// Whether there is an object with two keys that may be one to somebody.
    fn repeats(&self) -> bool {
        match self {
            Self::List(values) => values.iter().any(Self::repeats),
            Self::Object(members) => {
                let mut keys: Vec<_> = members.iter().map(|(key, _)| go_fold(key)).collect();
                keys.sort_unstable();
                keys.dedup();
                keys.len() < members.len() || members.iter().any(|(_, value)| value.repeats())
            }
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Other {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Other;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Other, E> {
                Ok(Other::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Other, E> {
                Ok(Other::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Other, E> {
                Ok(Other::Whole(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Other, E> {
                Ok(Other::Whole(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Other, E> {
                Ok(Other::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Other, E> {
                Ok(Other::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Other, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Other::List(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Other, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Other::Object(members))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
