//! Documents: what they say, and the many ways to write it.

use crate::random::Random;

/// What a document says.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it is to be written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    /// What the engine decodes into a struct: its keys may be written in any way that Go takes for the same.
    Fields(Vec<(String, Self)>),
    /// What it decodes into a map: its keys are what they are.
    Entries(Vec<(String, Self)>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    /// In odd ways that all mean the same.
    Plain,
    /// With errors and doubts here and there.
    Careless,
    /// Plainly at first, and then damaged.
    Broken,
}

/// Writes a document.
pub(crate) fn write(value: &Value, hand: Hand, random: &mut Random) -> Vec<u8> {
    let mut writer = Writer { careless: hand == Hand::Careless, random, bytes: Vec::new() };
    writer.space();
    writer.value(value);
    writer.space();
    let mut bytes = writer.bytes;
    if hand == Hand::Broken {
        damage(&mut bytes, random);
    }
    bytes
}

struct Writer<'a> {
    careless: bool,
    random: &'a mut Random,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) {
        if self.slips(8) {
            return self.something_else();
        }
        match value {
            Value::Null => self.put("null"),
            Value::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Value::Number(number) => {
                const ODD: &[&str] = &[
                    "1.0",
                    "1e3",
                    "1E400",
                    "1e-400",
                    "01",
                    "-01",
                    "+1",
                    "1.",
                    ".5",
                    "0x10",
                    "-",
                    "1e",
                    "NaN",
                    "9223372036854775808",
                    "-9223372036854775809",
                    "18446744073709551616",
                    "-0",
                    "0.0",
                    "\"5\"",
                    "00",
                    "1_000",
                    "6.7e7",
                    "0e0",
                    "-0.0",
                    "1e+1",
                    "65536",
                ];
                let number = if self.slips(80) { self.random.pick(ODD) } else { number.as_str() };
                self.put(number);
            }
            Value::Text(text) => self.string(text, false),
            Value::List(values) => {
                self.put("[");
                for (index, value) in values.iter().enumerate() {
                    self.separate(index);
                    self.value(value);
                }
                self.end("]", values.is_empty());
            }
            Value::Fields(members) | Value::Entries(members) => {
                self.put("{");
                let are_fields = matches!(value, Value::Fields(_));
                for (index, (key, value)) in members.iter().enumerate() {
                    self.separate(index);
                    self.member(key, value, are_fields);
                    while self.slips(15) {
                        self.put(",");
                        let again = self.random.pick(members).clone();
                        self.member(&again.0, &again.1, are_fields);
                    }
                }
                self.end("}", members.is_empty());
            }
        }
    }

    fn member(&mut self, key: &str, value: &Value, is_field: bool) {
        if is_field {
            let spelled = self.spelled(key);
            self.string(&spelled, true);
        } else {
            self.string(key, true);
        }
        self.space();
        let colon = if self.slips(2) { "=" } else { ":" };
        self.put(colon);
        self.space();
        self.value(value);
    }

    /// Another spelling of a field's name, mostly one that Go takes for the same.
    fn spelled(&mut self, name: &str) -> String {
        if self.slips(15) {
            // These look alike and are not.
            let (from, to) = *self.random.pick(&[
                ("i", "\u{131}"),
                ("I", "\u{130}"),
                ("s", "\u{df}"),
                ("B", "\u{ff22}"),
                ("e", "e\u{301}"),
                ("C", "C-"),
                ("M", "_M"),
                ("o", "\u{3bf}"),
                ("n", "n\0"),
                ("P", "P "),
            ]);
            return name.replacen(from, to, 1);
        }
        match self.random.below(10) {
            0..=3 => name.to_owned(),
            4 => name.to_ascii_lowercase(),
            5 => name.to_ascii_uppercase(),
            6 | 7 => name
                .chars()
                .map(|c| {
                    if self.random.chance(500) {
                        c.to_ascii_uppercase()
                    } else {
                        c.to_ascii_lowercase()
                    }
                })
                .collect(),
            _ => name
                .chars()
                .map(|c| match c {
                    's' | 'S' if self.random.chance(500) => '\u{17f}',
                    'k' | 'K' if self.random.chance(500) => '\u{212a}',
                    c if self.random.chance(200) => c.to_ascii_uppercase(),
                    c => c,
                })
                .collect(),
        }
    }

    fn string(&mut self, text: &str, is_key: bool) {
        if self.slips(if is_key { 1 } else { 4 }) {
            let wrong: &[&[u8]] = &[
                br#""\ud800""#,
                br#""\udc00\ud800""#,
                br#""\ud83dx""#,
                br#""\u12""#,
                br#""\x41""#,
                br#""\'""#,
                br"'a'",
                b"\"\xff\"",
                b"\"\xc0\xaf\"",
                b"\"\xed\xa0\x80\"",
                b"\"\xf4\x90\x80\x80\"",
                b"\"\n\"",
                b"\"\0\"",
                b"\"\t\"",
                b"\"",
                b"\"\\",
                b"a",
                br#""\ud83d\u0041""#,
                br#""\ud83d\ud83d""#,
                br#""\U0041""#,
            ];
            let wrong = self.random.pick(wrong);
            self.bytes.extend_from_slice(wrong);
            return;
        }
        let escapes = match self.random.below(8) {
            0 => 1000,
            1 | 2 => 150,
            _ => 0,
        };
        self.put("\"");
        for c in text.chars() {
            let short = match c {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '\u{8}' => Some("\\b"),
                '\u{c}' => Some("\\f"),
                '\n' => Some("\\n"),
                '\r' => Some("\\r"),
                '\t' => Some("\\t"),
                '/' if self.random.chance(50) => Some("\\/"),
                _ => None,
            };
            match short {
                Some(short) if !self.random.chance(escapes) => self.put(short),
                None if c >= ' ' && !self.random.chance(escapes) => {
                    self.put(c.encode_utf8(&mut [0; 4]))
                }
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let escape = if self.random.chance(500) {
                            format!("\\u{unit:04x}")
                        } else {
                            format!("\\u{unit:04X}")
                        };
                        self.put(&escape);
                    }
                }
            }
        }
        self.put("\"");
    }

    /// A value that does not belong there.
    fn something_else(&mut self) {
        const OTHERS: &[&str] = &[
            "null",
            "true",
            "0",
            "\"\"",
            "[]",
            "{}",
            "[null]",
            "{\"a\":{}}",
            "[[]]",
            "1.5",
            "\"true\"",
            "nul",
            "TRUE",
            "undefined",
            "[1,]",
            "{\"a\":1,}",
            "{,}",
            "[,1]",
            "{a:1}",
            "/**/1",
            "",
            "[1 2]",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "tru",
            "nullx",
        ];
        let other = self.random.pick(OTHERS);
        self.put(other);
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            let comma = if self.slips(2) { ",," } else { "," };
            self.put(comma);
        }
        self.space();
    }

    fn end(&mut self, bracket: &str, empty: bool) {
        self.space();
        if !empty && self.slips(3) {
            self.put(",");
        }
        self.put(bracket);
    }

    fn space(&mut self) {
        while self.random.chance(60) {
            let space = if self.slips(10) {
                *self.random.pick(&[
                    "\u{b}", "\u{c}", "\u{a0}", "\u{feff}", "\u{2028}", "\0", "//\n", "/**/",
                ])
            } else {
                *self.random.pick(&[" ", "\n", "\t", "\r", "  \r\n"])
            };
            self.put(space);
        }
    }

    /// Whether a careless hand errs here, in so many cases of a thousand.
    fn slips(&mut self, in_thousand: usize) -> bool {
        self.careless && self.random.chance(in_thousand)
    }

    fn put(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    match random.below(12) {
        0 => {
            let behind: &[&[u8]] = &[
                b"{}",
                b"}",
                b"]",
                b"\0",
                b"x",
                b"null",
                b" {\"Privileged\":true}",
                b"}{\"a\":1}",
                b"\xff",
                b",",
            ];
            bytes.extend_from_slice(behind[random.below(behind.len())]);
        }
        1 => drop(bytes.splice(..0, *b"\xef\xbb\xbf")),
        2 => bytes.truncate(random.below(bytes.len() + 1)),
        3 => {
            let text = String::from_utf8_lossy(bytes);
            *bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        4 => {
            // Nesting around our limit, and inside the document's own level.
            let levels = 124 + random.below(8);
            let (open, close) =
                *random.pick(&[("[", "]"), ("{\"a\":", "}"), ("[{\"HostConfig\":", "}]")]);
            let nested = format!("{{\"x\":{}0{},", open.repeat(levels), close.repeat(levels));
            if let Some(brace) = bytes.iter().position(|byte| *byte == b'{') {
                drop(bytes.splice(brace..=brace, nested.into_bytes()));
            }
        }
        _ => {
            for _ in 0..=random.below(4) {
                if bytes.is_empty() {
                    return;
                }
                let at = random.below(bytes.len());
                let with =
                    *random.pick(b"\"\\{}[]:,0-1eE.+ \0\n\x80\xc5\xbf\xe2\x84\xaaabskSKuU/'");
                match random.below(5) {
                    0 => bytes[at] = with,
                    1 => bytes.insert(at, with),
                    2 => drop(bytes.remove(at)),
                    3 => bytes[at] ^= 1 << random.below(8),
                    _ => {
                        let end = at + random.below((bytes.len() - at).min(40) + 1);
                        let piece = bytes[at..end].to_vec();
                        let to = random.below(bytes.len());
                        drop(bytes.splice(to..to, piece));
                    }
                }
            }
        }
    }
}
