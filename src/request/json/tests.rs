//! The reader against what it promises. What Go makes of the same documents is asked in `e2e/differential`.

use proptest::collection::vec;
use proptest::prelude::*;

use super::reader::{MAPS, Seen};
use super::*;

/// Reads a body and prints it, or says why not.
fn read(bytes: impl AsRef<[u8]>) -> Result<String, JsonError> {
    Json::parse(bytes.as_ref(), Keys::Fields).map(|document| document.to_text())
}

#[track_caller]
fn reads(sent: &str, printed: &str) {
    assert_eq!(read(sent).as_deref(), Ok(printed), "{sent}");
}

#[track_caller]
fn refuses(sent: impl AsRef<[u8]>, error: JsonError) {
    assert_eq!(read(&sent), Err(error), "{}", String::from_utf8_lossy(sent.as_ref()));
}

#[track_caller]
fn no_json(sent: &str, at: usize) {
    match read(sent) {
        Err(JsonError::Syntax { at: found, .. }) => assert_eq!(found, at, "{sent}"),
        other => panic!("{sent}: {other:?}"),
    }
}

#[track_caller]
fn twice(sent: &str, key: &str) {
    refuses(sent, JsonError::DuplicateKey { key: key.to_owned() });
}

#[test]
fn what_is_json_is_read_and_printed_plainly() {
    reads("null", "null");
    reads(" \t\r\n{ } \n", "{}");
    reads("[true,false,null]", "[true,false,null]");
    reads("{\"b\" : [ 1 , {\"a\":\"\"} ]\n,\"a\":0}", r#"{"b":[1,{"a":""}],"a":0}"#);
    reads(r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\udc33""#, "\"\\\"\\\\/\\b\\f\\n\\r\\tAé🐳\"");
    reads("\"\u{7f}\u{2028}\u{ffff}\u{fffd}</a>\"", "\"\u{7f}\u{2028}\u{ffff}\u{fffd}</a>\"");
    reads(r#""\u0000\ufeff""#, "\"\\u0000\u{feff}\"");
    reads(r#"{"\u0042inds":1}"#, r#"{"Binds":1}"#);
}

#[test]
fn numbers_stay_as_they_were_written() {
    for number in
        ["0", "-0", "10", "-1.5", "1e3", "1E+3", "0.1e-2", "18446744073709551616", "1e999"]
    {
        reads(number, number);
    }
    for (number, at) in
        [("-", 1), ("1.", 2), ("1e", 2), ("1e+", 3), ("-a", 1), (".5", 0), ("+1", 0)]
    {
        no_json(number, at);
    }
    for (number, at) in [("01", 1), ("-01", 2), ("1_0", 1), ("0x10", 1), ("1.5.1", 3)] {
        refuses(number, JsonError::TrailingData { at });
    }
    no_json("[01]", 2);
    no_json("[1.e3]", 3);
}

#[test]
fn what_is_not_json_is_refused() {
    for (sent, at) in [
        ("nul", 0),
        ("True", 0),
        ("NaN", 0),
        ("'a'", 0),
        ("[1,]", 3),
        ("[,1]", 1),
        ("[1 2]", 3),
        ("[1", 2),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{\"a\"=1}", 4),
        ("{a:1}", 1),
        ("{1:1}", 1),
        ("{\"a\":}", 5),
        ("{\"a\":1 \"b\":2}", 7),
        ("{", 1),
        ("\"a", 2),
        ("\"\t\"", 1),
        ("\"\0\"", 1),
        (r#""\x41""#, 1),
        (r#""\'""#, 1),
        (r#""\u12g4""#, 1),
        (r#""\u+123""#, 1),
        (r#""\u12""#, 1),
        ("\"\\", 1),
        ("\"\\é\"", 1),
        ("/**/1", 0),
        ("\u{a0}1", 0),
        ("\u{b}1", 0),
    ] {
        no_json(sent, at);
    }
}

#[test]
fn what_has_two_readings_is_refused() {
    refuses("", JsonError::Empty);
    refuses(" \n", JsonError::Empty);
    refuses("\u{feff}{}", JsonError::ByteOrderMark);
    refuses(b"{\"a\":\"\xff\"}", JsonError::NotUtf8 { at: 6 });
    refuses(b"\"\xed\xa0\x80\"", JsonError::NotUtf8 { at: 1 });
    refuses(b"\"\xc0\xaf\"", JsonError::NotUtf8 { at: 1 });
    for trailing in ["{}", "}", "]", "\0", "x", ",", "\u{feff}", "{\"Privileged\":true}"] {
        refuses(format!("{{}} {trailing}"), JsonError::TrailingData { at: 3 });
    }
}

/// As Go's `encoding/json` reads it; Python sends such halves where a text was no UTF-8.
#[test]
fn half_of_a_surrogate_pair_is_the_replacement_character() {
    for (half, want) in [
        (r"\ud800", "\u{fffd}"),
        (r"\udc00", "\u{fffd}"),
        (r"caf\udce9!", "caf\u{fffd}!"),
        (r"\ud800x", "\u{fffd}x"),
        (r"\ud800\u0041", "\u{fffd}A"),
        (r"\ud800\ud800", "\u{fffd}\u{fffd}"),
        (r"\udc00\ud800", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ud83d\udc33", "\u{fffd}\u{1f433}"),
        (r"\uD83D\\udc33", "\u{fffd}\\\\udc33"),
        (r"\uD83D\n", "\u{fffd}\\n"),
    ] {
        reads(&format!("\"{half}\""), &format!("\"{want}\""));
        reads(&format!("{{\"{half}\":1}}"), &format!("{{\"{want}\":1}}"));
    }
    for broken in [r#""\ud800\u""#, r#""\ud800\u12""#, r#""\ud800\udc0g""#, r#""\ud800\u+c00""#] {
        let want = "`\\u` and four hexadecimal digits";
        refuses(broken, JsonError::Syntax { at: 7, wanted: want });
    }
    // Two keys that the engine takes for one.
    twice(r#"{"\ud800":1,"\udc00":2}"#, "\u{fffd}");
    twice("{\"\\ud800\":1,\"\u{fffd}\":2}", "\u{fffd}");
}

#[test]
fn a_field_stands_there_once() {
    twice(r#"{"Binds":1,"Binds":1}"#, "Binds");
    twice(r#"{"Binds":1,"a":2,"bindS":1}"#, "bindS");
    twice("{\"Binds\":1,\"Bind\u{17f}\":1}", "Bind\u{17f}");
    twice("{\"NetworkMode\":1,\"Networ\u{212a}Mode\":1}", "Networ\u{212a}Mode");
    twice(r#"{"HostConfig":null,"Ho\u017ftConfig":{}}"#, "Ho\u{17f}tConfig");
    twice(r#"{"a":[{"b":{"c":1,"C":1}}]}"#, "C");
    twice(r#"{"":1,"":1}"#, "");
    // The engine folds no further than this.
    reads("{\"I\":1,\"\u{131}\":1,\"\u{130}\":1}", "{\"I\":1,\"\u{131}\":1,\"\u{130}\":1}");
    reads("{\"É\":1,\"é\":1,\"B\":1,\"\u{ff22}\":1}", "{\"É\":1,\"é\":1,\"B\":1,\"\u{ff22}\":1}");
}

#[test]
fn a_field_stands_there_once_among_many() {
    let field = |number: usize| format!("\"Field{number}\":0");
    for count in [Seen::FEW - 1, Seen::FEW, Seen::FEW + 1, 100] {
        let mut fields: Vec<String> = (0..count).map(field).collect();
        reads(&format!("{{{}}}", fields.join(",")), &format!("{{{}}}", fields.join(",")));
        for again in [0, count / 2, count - 1] {
            fields.push(format!("\"FIELD{again}\":0"));
            twice(&format!("{{{}}}", fields.join(",")), &format!("FIELD{again}"));
            fields.pop();
        }
    }
}

#[test]
fn keys_of_maps_are_what_they_are() {
    for map in MAPS {
        let upper = map.to_ascii_uppercase();
        reads(
            &format!(r#"{{"{upper}":{{"a":1,"A":2}}}}"#),
            &format!(r#"{{"{upper}":{{"a":1,"A":2}}}}"#),
        );
        twice(&format!(r#"{{"{map}":{{"a":1,"a":2}}}}"#), "a");
    }
    let document = Json::parse(
        "{\"Label\u{17f}\":{\"k\":\"1\",\"\u{212a}\":\"2\",\"K\":\"3\"}}".as_bytes(),
        Keys::Fields,
    )
    .unwrap();
    let labels = document.field("Labels").unwrap();
    assert_eq!(labels.field("k").and_then(Json::as_str), Some("1"));
    assert_eq!(labels.field("K").and_then(Json::as_str), Some("3"));
    assert_eq!(labels.field("\u{212a}").and_then(Json::as_str), Some("2"));
    // What stands in a map is a struct, and a map again only under a field of that name.
    twice(r#"{"EndpointsConfig":{"labels":{"Aliases":1,"aliases":1}}}"#, "aliases");
    reads(
        r#"{"EndpointsConfig":{"labels":{"DriverOpts":{"a":1,"A":1}}}}"#,
        r#"{"EndpointsConfig":{"labels":{"DriverOpts":{"a":1,"A":1}}}}"#,
    );
    twice(r#"{"PortBindings":{"80/tcp":[{"HostIp":1,"hostip":1}]}}"#, "hostip");
    assert!(Json::parse(br#"{"a":1,"A":2}"#, Keys::Entries).is_ok());
    assert!(Json::parse(br#"{"a":1,"\u0061":2}"#, Keys::Entries).is_err());
}

#[test]
fn answers_of_the_engine_hold_maps_anywhere() {
    let answer = br#"{"Config":{"Labels":{"version":"1","Version":"2"}},"NetworkSettings":{"Networks":{"web":{},"Web":{"labels":{}}}}}"#;
    let answer = Json::parse_answer(answer).unwrap();
    let labels = answer.field("Config").and_then(|config| config.field("Labels")).unwrap();
    assert_eq!(labels.field("Version").and_then(Json::as_str), Some("2"));
    assert_eq!(answer.field("config"), None);
    assert!(Json::parse_answer(br#"{"Id":"a","Id":"b"}"#).is_err());
    let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
    assert!(Json::parse_answer(many.as_bytes()).is_ok());
}

#[test]
fn fields_are_found_as_go_finds_them() {
    #[track_caller]
    fn check(key: &str, name: &str, found: bool) {
        let text = format!("{{\"{key}\":1}}");
        let document = Json::parse(text.as_bytes(), Keys::Fields).unwrap();
        assert_eq!(document.field(name).is_some(), found, "{key} for {name}");
        assert_eq!(fold(key) == fold(name), found, "{key} for {name}");
    }
    for key in [
        "HostConfig",
        "hostconfig",
        "HOSTCONFIG",
        "hOsTcOnFiG",
        "Ho\u{17f}tConfig",
        "ho\u{17f}tconfig",
    ] {
        check(key, "HostConfig", true);
    }
    check("Networ\u{212a}Mode", "NetworkMode", true);
    check("Ma\u{17f}\u{212a}edPath\u{17f}", "MaskedPaths", true);
    check("IPAMCONFIG", "IPAMConfig", true);
    check("ipv4addre\u{17f}\u{17f}", "IPv4Address", true);
    for key in [
        "HostConfig ",
        " HostConfig",
        "HostConfi",
        "Host_Config",
        "Host-Config",
        "HostConfigs",
        "Ho\u{df}tConfig",
        "H\u{3bf}stConfig",
    ] {
        check(key, "HostConfig", false);
    }
    check("P\u{131}dMode", "PidMode", false);
    check("P\u{130}dMode", "PidMode", false);
    check("\u{ff22}inds", "Binds", false);
}

#[test]
fn null_is_no_value() {
    let document = Json::parse(br#"{"HostConfig":null,"Binds":[]}"#, Keys::Fields).unwrap();
    assert_eq!(document.field("HostConfig"), None);
    assert_eq!(document.as_object().unwrap().member("hostconfig"), Some(&Json::Null));
    assert!(document.field("Binds").is_some_and(Json::is_zero));
    for zero in ["null", "false", "0", "-0", "0.0", "\"\"", "[]", "{}"] {
        assert!(Json::parse(zero.as_bytes(), Keys::Fields).unwrap().is_zero(), "{zero}");
    }
    for other in ["true", "1", "-1", "0.1", "\" \"", "[null]", "[0]", "{\"a\":null}"] {
        assert!(!Json::parse(other.as_bytes(), Keys::Fields).unwrap().is_zero(), "{other}");
    }
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    reads(&nested(MAX_DEPTH), &nested(MAX_DEPTH));
    refuses(nested(MAX_DEPTH + 1), JsonError::TooDeep);
    refuses("[".repeat(1 << 20), JsonError::TooDeep);
    refuses("{\"a\":".repeat(1 << 18), JsonError::TooDeep);
    // Levels that were closed do not count.
    reads(
        &format!("[{0},{0}]", nested(MAX_DEPTH - 1)),
        &format!("[{0},{0}]", nested(MAX_DEPTH - 1)),
    );
    let zeros = |count: usize| format!("[{}]", ["0"].repeat(count).join(","));
    reads(&zeros(MAX_VALUES - 1), &zeros(MAX_VALUES - 1));
    refuses(zeros(MAX_VALUES), JsonError::TooManyValues);
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?"
            .prop_map(|text| Json::Number(Number::new(&text))),
        any::<String>().prop_map(Json::String),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop_oneof![any::<String>(), "[a-dA-Dſ]{1,2}", "(Labels|options|BINDS|Type)"];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Json::Array),
            vec((key, inner), 0..20).prop_map(|members| Json::Object(Object {
                keys: Keys::Entries,
                kept: None,
                members: members.into()
            })),
        ]
    })
}

proptest! {
    /// What is printed of a document reads as the same document, and prints the same.
    #[test]
    fn what_is_sent_is_what_was_read(value in any_json()) {
        for keys in [Keys::Fields, Keys::Entries] {
            if let Ok(document) = Json::parse(value.to_text().as_bytes(), keys) {
                let text = document.to_text();
                prop_assert_eq!(&text, &value.to_text());
                prop_assert_eq!(Json::parse(text.as_bytes(), keys), Ok(document));
            }
        }
    }

    /// An independent reader of JSON finds no fewer errors in what we accept, and the same in what we print.
    #[test]
    fn what_is_accepted_is_json(text in "[\\[\\]{}\",:0-9eE.+tfn\\\\u \u{17f}aA-]{0,24}") {
        if let Ok(document) = Json::parse(text.as_bytes(), Keys::Fields) {
            let read: Result<serde_json::Value, _> = serde_json::from_str(&text);
            // It reads numbers as such, and refuses those it cannot hold.
            if let Ok(read) = read {
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&document.to_text()).ok(), Some(read));
            } else {
                prop_assert!(text.contains(['e', 'E']), "{}", text);
            }
        }
    }

    /// Nothing makes it panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        let _ = Json::parse(&bytes, Keys::Fields);
    }
}
