//! Random documents from the tables of fields.

use crate::document::{Hand, Value, write};
use crate::fields::{BODIES, Body, Kind, Members};
use crate::random::Random;

/// One document of a run, and what it is the body of.
pub(crate) fn document(random: &mut Random) -> (&'static Body, Vec<u8>) {
    // Half are creates, which say most.
    let body = if random.chance(500) { &BODIES[0] } else { random.pick(&BODIES) };
    let hand = match random.below(100) {
        0..=54 => Hand::Plain,
        55..=84 => Hand::Careless,
        _ => Hand::Broken,
    };
    if random.chance(1) && random.chance(100) {
        // Around the most values that we read.
        let values = vec![Value::Number("0".to_owned()); 65_530 + random.below(12)];
        return (
            body,
            write(&Value::Fields(vec![("x".to_owned(), Value::List(values))]), hand, random),
        );
    }
    let value = if random.chance(5) {
        (*random.pick(&[Value::Null, Value::Bool(true), Value::List(Vec::new()), Value::text("")]))
            .clone()
    } else {
        fields(body.members, 3, random)
    };
    (body, write(&value, hand, random))
}

fn fields(members: &'static Members, levels: usize, random: &mut Random) -> Value {
    let all: Vec<&(&str, Kind)> = members.iter().copied().flatten().collect();
    let mut found: Vec<(String, Value)> = random
        .some(&all, 10)
        .into_iter()
        .map(|(name, kind)| ((*name).to_owned(), value(kind, levels, random)))
        .collect();
    if random.chance(150) {
        found.push(unknown(&all, levels, random));
    }
    Value::Fields(found)
}

/// A member that the struct has no field for: Go passes over it, whatever it holds.
fn unknown(known: &[&(&str, Kind)], levels: usize, random: &mut Random) -> (String, Value) {
    const NAMES: &[&str] = &[
        "x",
        "config",
        "Options",
        "labels",
        "HostConfig",
        "Privileged",
        "Binds",
        "Mounts",
        "ſ",
        "é",
        "",
        "spec",
        "DriverOpts",
    ];
    let mut name = (*random.pick(NAMES)).to_owned();
    if known.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
        name.insert(0, 'x');
    }
    let value = match random.below(4) {
        0 => Value::List(vec![entries(&Kind::Text, levels, random)]),
        1 => Value::text("unknown"),
        2 => Value::Entries(vec![(
            "Labels".to_owned(),
            Value::Fields(vec![("a".to_owned(), Value::Null), ("A".to_owned(), Value::Bool(true))]),
        )]),
        _ => Value::Number("1.5e300".to_owned()),
    };
    (name, value)
}

fn value(kind: &'static Kind, levels: usize, random: &mut Random) -> Value {
    if random.chance(60) {
        return Value::Null;
    }
    match kind {
        Kind::Bool => Value::Bool(random.chance(600)),
        Kind::Int => {
            let numbers =
                &["0", "-1", "1", "-0", "67108864", "9223372036854775807", "-9223372036854775808"];
            Value::Number((*random.pick(numbers)).to_owned())
        }
        Kind::Unsigned(bits) => {
            let most = (u64::MAX >> (64 - bits)).to_string();
            Value::Number((*random.pick(&["0", "1", "443", &most])).to_owned())
        }
        Kind::Text => text(random),
        Kind::Words if random.chance(300) => text(random),
        Kind::Words => list(&Kind::Text, levels, random),
        Kind::Pair => {
            let numbers = (0..random.below(4)).map(|index| Value::Number(index.to_string()));
            Value::List(numbers.collect())
        }
        Kind::Empty => Value::Fields(Vec::new()),
        Kind::List(kind) => list(kind, levels, random),
        Kind::Entries(kind) => entries(kind, levels, random),
        Kind::Pointer(kind) => value(kind, levels, random),
        Kind::Fields(_) if levels == 0 => Value::Fields(Vec::new()),
        Kind::Fields(members) => fields(members, levels - 1, random),
    }
}

fn list(kind: &'static Kind, levels: usize, random: &mut Random) -> Value {
    Value::List((0..random.below(4)).map(|_| value(kind, levels, random)).collect())
}

/// Keys that would be one to a reader that folds them, and that are called like fields.
fn entries(kind: &'static Kind, levels: usize, random: &mut Random) -> Value {
    const KEYS: &[&str] = &[
        "a",
        "A",
        "s",
        "S",
        "\u{17f}",
        "k",
        "K",
        "\u{212a}",
        "labels",
        "Labels",
        "LABELS",
        "options",
        "driveropts",
        "config",
        "Binds",
        "binds",
        "type",
        "TYPE",
        "Type",
        "o",
        "device",
        "Device",
        "host",
        "none",
        "80/tcp",
        "80",
        "sockwarden.allow.get",
        "",
        "é",
        "e\u{301}",
        "a\0",
        "\"",
        "\\",
        "Privileged",
        "IPAMConfig",
        "ipamconfig",
        "net.ipv4.ip_forward",
    ];
    let keys = random.some(KEYS, 5);
    Value::Entries(
        keys.into_iter().map(|key| ((*key).to_owned(), value(kind, levels, random))).collect(),
    )
}

fn text(random: &mut Random) -> Value {
    const TEXTS: &[&str] = &[
        "",
        "a",
        "host",
        "container:0f1e2d3c4b5a",
        "/",
        "/tmp:/x:ro",
        "/home/../etc:/x",
        "bind",
        "Bind",
        "volume",
        "local",
        "unless-stopped",
        "ALL",
        "CAP_SYS_ADMIN",
        "seccomp=unconfined",
        "\u{17f}",
        "\u{212a}",
        "日本",
        "\0",
        "a\"b",
        "\\",
        "\u{7f}",
        "\u{2028}",
        "\u{1f433}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{feff}",
        "a\tb\r\n",
        "\u{8}\u{c}\u{1f}",
        "</script>&",
        "null",
        "true",
        "e\u{301}",
        "  ",
    ];
    Value::text(TEXTS[random.below(TEXTS.len())])
}
