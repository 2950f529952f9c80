//! The skimmer against a reader that holds the whole document.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Json;
use super::super::keep::{Keep, MOST_KEY_BYTES, MOST_LABEL_BYTES};
use super::*;

const ROOM: usize = 1 << 20;
static WHOLE: Keep = Keep::Whole;
const ANY: Keep = Keep::Fields(&[
    ("a", Keep::Whole),
    ("b", Keep::Text(3)),
    (
        "c",
        Keep::Fields(&[("a", Keep::Each(&Keep::Text(3))), ("b", Keep::Names), ("c", Keep::Whole)]),
    ),
    ("d", Keep::Each(&Keep::Fields(&[("a", Keep::Text(3)), ("d", Keep::Labels)]))),
]);

/// What is kept of a stream in pieces of this length, and whether it ends well.
fn skim(
    shape: Shape,
    keep: &'static Keep,
    text: &[u8],
    piece: usize,
) -> (Vec<(String, bool)>, bool) {
    let wanted = Wanted::new(|key| key.starts_with("ours"));
    let mut skimmer = Skimmer::new(shape, keep, wanted, ROOM);
    let mut records = Vec::new();
    let mut take = |record: Record<'_>| {
        records.push((String::from_utf8(record.text.to_vec()).unwrap(), record.is_cut));
    };
    let ended = text.chunks(piece).try_for_each(|piece| skimmer.push(piece, &mut take));
    let ended = ended.and_then(|()| skimmer.finish(&mut take));
    (records, ended.is_ok())
}

#[track_caller]
fn keeps(shape: Shape, keep: &'static Keep, text: &str, want: &[&str]) {
    for piece in 1..=text.len().min(300) {
        let (records, ends_well) = skim(shape, keep, text.as_bytes(), piece);
        let texts: Vec<_> = records.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!((texts.as_slice(), ends_well), (want, true), "{text} in pieces of {piece}");
    }
}

#[track_caller]
fn refuses(shape: Shape, text: &str) {
    for piece in 1..=text.len() {
        assert!(!skim(shape, &ANY, text.as_bytes(), piece).1, "{text} in pieces of {piece}");
    }
}

/// What is kept, of a document that is there as a whole.
fn kept(value: &Value, keep: &Keep) -> Value {
    match (value, keep) {
        (value, Keep::Whole) => value.clone(),
        (Value::Object(_), Keep::Text(_))
        | (Value::Array(_), Keep::Text(_) | Keep::Fields(_) | Keep::Names | Keep::Labels) => {
            json!(false)
        }
        (Value::Array(values), Keep::Each(inner)) => {
            values.iter().map(|value| kept(value, inner)).collect()
        }
        (Value::Object(members), keep) => {
            let members = members.iter().filter_map(|(key, value)| {
                let value = match keep {
                    Keep::Fields(fields) => {
                        kept(value, &fields.iter().find(|(name, _)| name == key)?.1)
                    }
                    Keep::Each(inner) => kept(value, inner),
                    Keep::Names => json!(true),
                    Keep::Labels if !key.starts_with("ours") => return None,
                    Keep::Labels if value.is_array() || value.is_object() => {
                        kept(value, &Keep::Text(0))
                    }
                    Keep::Labels => value.clone(),
                    Keep::Whole | Keep::Text(_) => return None,
                };
                Some((key.clone(), value))
            });
            Value::Object(members.collect())
        }
        // Longer ones are none of this test.
        (Value::String(_), Keep::Fields(_) | Keep::Each(_) | Keep::Names) => json!(""),
        (value, _) => value.clone(),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| Value::from(number)),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop_oneof![
            3 => "[a-d]",
            1 => any::<String>(),
            1 => "ours[a-b\\\\\"\u{e9}\u{1f433}]{0,3}"
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    // Each is tried at every place.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However it is cut and spaced, what is kept is what somebody keeps who holds the whole document; and [`Json::kept`] keeps the same.
    #[test]
    fn the_same_is_kept_as_of_a_whole_document(
        value in any_value(),
        pretty in any::<bool>(),
        whole in any::<bool>(),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        // As it is read: not every number survives that to the last digit.
        let value: Value = serde_json::from_str(&text).unwrap();
        let keep: &'static Keep = if whole { &WHOLE } else { &ANY };
        let want = kept(&value, keep);
        for piece in [1, 2, 3, 7, 64, text.len()] {
            let (records, ends_well) = skim(Shape::One, keep, text.as_bytes(), piece);
            prop_assert!(ends_well && records.len() == 1 && !records[0].1);
            prop_assert_eq!(&serde_json::from_str::<Value>(&records[0].0).unwrap(), &want);
        }
        for cut in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let mut skimmer = Skimmer::new(Shape::One, keep, Wanted::new(|key| key.starts_with("ours")), ROOM);
            let mut got = Vec::new();
            let mut take = |record: Record<'_>| got.extend_from_slice(record.text);
            prop_assert_eq!(skimmer.push(first, &mut take).and_then(|()| skimmer.push(second, &mut take)).and_then(|()| skimmer.finish(&mut take)), Ok(()));
            prop_assert_eq!(&serde_json::from_slice::<Value>(&got).unwrap(), &want);
        }
        // Of labels only the skimmer knows which are wanted.
        if whole {
            let document = Json::parse_answer(text.as_bytes());
            prop_assert_eq!(document.map(|it| it.kept(keep).to_text()), Ok(Json::parse_answer(text.as_bytes()).unwrap().to_text()));
        }
    }

    /// What serde takes for no JSON is none, as far as the structure goes; nothing panics.
    #[test]
    fn what_is_broken_is_found(value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        let (records, ends_well) = {
            let mut skimmer = Skimmer::new(Shape::One, &WHOLE, Wanted::default(), ROOM);
            let mut got = Vec::new();
            let ended = skimmer.push(&text, |record| got.push(record.text.to_vec())).and_then(|()| skimmer.finish(|record| got.push(record.text.to_vec())));
            (got, ended.is_ok())
        };
        let strict = serde_json::from_slice::<Value>(&text);
        // Texts that are kept go to a strict reader next.
        let kept = records.first().and_then(|text| serde_json::from_slice::<Value>(text).ok());
        if let Ok(strict) = strict {
            prop_assert_eq!((ends_well, kept), (true, Some(strict)));
        } else {
            prop_assert!(!ends_well || kept.is_none());
        }
    }
}

#[test]
fn rows_and_lines_come_one_by_one() {
    let rows = r#" [ {"a":1,"x":[{"a":2}]} , {"b":"ab"},{"d":[{"d":{"ours":"1","x":"2"},"x":1}]}, [ {"a":1} ], 7 ] "#;
    keeps(
        Shape::Rows,
        &ANY,
        rows,
        &[r#"{"a":1}"#, r#"{"b":"ab"}"#, r#"{"d":[{"d":{"ours":"1"}}]}"#, "false", "7"],
    );
    keeps(Shape::Rows, &ANY, "[]", &[]);
    keeps(Shape::Rows, &ANY, " null ", &[]);
    keeps(Shape::Lines, &ANY, "{\"a\":1}\r\n\n [1]\n7\n", &[r#"{"a":1}"#, "false", "7"]);
    for wrong in ["{}", "[{}", "[{},]", "[{}}", "1", "\"x\"", "true", "[] []", "[1 2]"] {
        refuses(Shape::Rows, wrong);
    }
    for wrong in
        ["{} {}\n", "{}{}\n", "{\n}\n", "{\"x\"\n:1}\n", "{\"x\":\"\n\"}\n", "\u{feff}{}\n", "{}"]
    {
        refuses(Shape::Lines, wrong);
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for wrong in [
        "",
        "{",
        "}",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "[1,]",
        "01",
        "1.",
        "-",
        "1e",
        "+1",
        ".5",
        "tru",
        "nul",
        "True",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"a\tb\"",
        "\"open",
        "1 1",
        "{\"x\":\"\\u\"}",
        "[1",
        "{}]",
    ] {
        refuses(Shape::One, wrong);
    }
    let deep = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    assert!(skim(Shape::One, &ANY, deep.as_bytes(), 9).1);
    assert!(!skim(Shape::One, &ANY, format!("[{deep}]").as_bytes(), 9).1);
    assert!(!skim(Shape::One, &ANY, "1".repeat(4096).as_bytes(), 9).1);
}

/// However long it is, what is not wanted takes no memory, and what is wanted has a limit.
#[test]
fn nothing_long_is_held() {
    static KEEP: Keep = Keep::Fields(&[
        ("Labels", Keep::Labels),
        ("Id", Keep::Text(64)),
        ("Names", Keep::Each(&Keep::Text(64))),
    ]);
    let long = "\\u003c".repeat(1 << 18);
    let limit = "v".repeat(MOST_LABEL_BYTES);
    let name = "n".repeat(MOST_KEY_BYTES);
    let text = format!(
        r#"{{"Names":["{long}","a"],"{long}":1,"{name}{long}":2,"Labels":{{"x":"{long}","ours.{long}":"1","ours.{name}{name}":"2","ours.a":"{long}","ours.b":"{limit}","ours.c":"{limit}v"}},"Id":"7","Name":"{long}"}}"#
    );
    let mut skimmer =
        Skimmer::new(Shape::One, &KEEP, Wanted::new(|key| key.starts_with("ours")), ROOM);
    let mut got = None;
    for piece in text.as_bytes().chunks(4099) {
        skimmer.push(piece, |record| got = Some((record.text.to_vec(), record.is_cut))).unwrap();
        assert!(skimmer.out.capacity() < 256 * 1024 && skimmer.word.capacity() < 8 * 1024);
    }
    let (text, is_cut) = got.unwrap();
    let value: Value = serde_json::from_slice(&text).unwrap();
    assert!(!is_cut);
    assert_eq!((&value["Names"], &value["Id"]), (&json!(["", "a"]), &json!("7")));
    let labels = value["Labels"].as_object().unwrap();
    assert_eq!(
        (&labels["ours.a"], &labels["ours.b"], &labels["ours.c"]),
        (&Value::Null, &json!(limit), &Value::Null)
    );
    // Of a key that is too long the beginning is there, so that nobody hides a label in its length.
    let cut: Vec<_> = labels.iter().filter(|(key, _)| key.len() > 6 || *key == "ours.").collect();
    assert_eq!(cut.len(), 2);
    assert!(cut.iter().all(|(key, value)| key.starts_with("ours.") && value.is_null()), "{cut:?}");
}

/// What there may be many of leaves room for the fields behind it.
#[test]
fn many_are_cut_and_single_fields_are_kept() {
    static KEEP: Keep = Keep::Fields(&[
        ("Labels", Keep::Labels),
        ("Names", Keep::Each(&Keep::Text(64))),
        ("Mode", Keep::Text(64)),
    ]);
    let many = |separator: &str, one: &dyn Fn(usize) -> String| {
        (0..100_000).map(one).collect::<Vec<_>>().join(separator)
    };
    let names = many(",", &|n| format!("\"name{n}\""));
    let labels = many(",", &|n| format!("\"ours.{n}\":\"{n}\""));
    let rows =
        format!(r#"[{{"Names":[{names}],"Labels":{{{labels}}},"Mode":"host"}},{{"Mode":"none"}}]"#);
    let mut skimmer = Skimmer::new(Shape::Rows, &KEEP, Wanted::new(|_| true), 64 * 1024);
    let mut got = Vec::new();
    skimmer
        .push(rows.as_bytes(), |record| {
            got.push((
                serde_json::from_slice::<Value>(record.text).unwrap(),
                record.text.len(),
                record.is_cut,
            ));
        })
        .unwrap();
    let [(first, length, true), (second, _, false)] = got.as_slice() else {
        panic!("{}", got.len())
    };
    assert!(*length <= 64 * 1024 && first["Names"].as_array().unwrap().len() > 1000);
    assert_eq!(
        (&first["Mode"], &first["Labels"], &second["Mode"]),
        (&json!("host"), &json!({}), &json!("none"))
    );
}
