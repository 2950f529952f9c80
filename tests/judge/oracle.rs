//! The judge against an oracle: random policies, clients and requests, judged by the program and by fifty lines that share nothing with
//! it. Patterns are made from a small grammar, which prints them for the program and matches them for the oracle.
//!
//! Every run tries some thousand pairs. `ORACLE_PAIRS=1000000 cargo test --test judge oracle::` tries a million, and `ORACLE_SEED=2` others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sockwarden::clauses::Defaults;
use sockwarden::client::{
    Admission, Client, Container, ContainerId, Identity, Lineage, Peer, WhyUnknown,
};
use sockwarden::policy::{DeclaredBody, DenyReason, Judgement, Policy};
use sockwarden::request::{Head, Method, RequestTarget};
use sockwarden::rule::labels::{LabelReader, Rights};
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule};

// --- the oracle -------------------------------------------------------------------------------------------

/// A list of rules as it was meant.
type Rules = Vec<(Method, Pattern)>;

/// Who asks, as it was meant.
#[derive(Debug)]
enum Asker {
    /// Nobody in particular: an address, or a user of a Unix socket.
    Plain,
    Unknown,
    /// Containers that share an address: each with its own list, without one (`None`), or with labels that are wrong.
    Containers(Vec<Result<Option<Rules>, ()>>),
}

/// Whether the request may be made at all, whatever its body says.
fn allows(
    default: &Rules,
    listed: bool,
    asker: &Asker,
    method: Method,
    path: &str,
    body: bool,
) -> bool {
    // What is odd behind a `v` and a digit was refused before.
    let mut segments: Vec<&str> = path.split('/').skip(1).collect();
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    if segments[0].starts_with('v') && segments[0].as_bytes().get(1).is_some_and(is_digit) {
        segments.remove(0);
    }
    let ping = segments == ["_ping"] && matches!(method, Method::Get | Method::Head) && !body;
    let in_list = |list: &Rules| {
        ping || list.iter().any(|(of, pattern)| *of == method && pattern.is_all_of(path))
    };
    match asker {
        Asker::Unknown => false,
        Asker::Plain => listed && in_list(default),
        Asker::Containers(all) => {
            !all.is_empty()
                && all.iter().all(|rights| match rights {
                    Ok(Some(own)) => in_list(own),
                    Ok(None) => listed && in_list(default),
                    Err(()) => false,
                })
        }
    }
}

impl Pattern {
    fn is_all_of(&self, text: &str) -> bool {
        self.ends(text.as_bytes(), 0).contains(&text.len())
    }

    /// Every place where a match that begins at `from` can end.
    fn ends(&self, text: &[u8], from: usize) -> BTreeSet<usize> {
        let all = |starts: BTreeSet<usize>, pattern: &Self| -> BTreeSet<usize> {
            starts.into_iter().flat_map(|start| pattern.ends(text, start)).collect()
        };
        match self {
            Self::Text(wanted) => {
                let here = text[from..].starts_with(wanted.as_bytes());
                here.then_some(from + wanted.len()).into_iter().collect()
            }
            Self::OneOf(class) => text
                .get(from)
                .filter(|byte| class.has(**byte))
                .map(|_| from + 1)
                .into_iter()
                .collect(),
            Self::Row(parts) => parts.iter().fold([from].into(), all),
            Self::Either(parts) => parts.iter().flat_map(|part| part.ends(text, from)).collect(),
            Self::Times(part, least, most) => {
                let (mut reached, mut ends) = (BTreeSet::from([from]), BTreeSet::new());
                for times in 0..=most.unwrap_or(text.len() + least) {
                    if times >= *least {
                        ends.extend(&reached);
                    }
                    reached = all(reached, part);
                }
                ends
            }
        }
    }
}

// --- what is random ---------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
enum Pattern {
    Text(String),
    OneOf(Class),
    Row(Vec<Self>),
    Either(Vec<Self>),
    Times(Box<Self>, usize, Option<usize>),
}

#[derive(Debug, Clone, Copy)]
enum Class {
    Any,
    NoSlash,
    Digit,
    Hex,
    Word,
    NoDigit,
}

impl Class {
    const ALL: [Self; 6] =
        [Self::Any, Self::NoSlash, Self::Digit, Self::Hex, Self::Word, Self::NoDigit];

    fn has(self, byte: u8) -> bool {
        match self {
            Self::Any => byte != b'\n',
            Self::NoSlash => byte != b'/',
            Self::Digit => byte.is_ascii_digit(),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Word => byte == b'_' || byte.is_ascii_alphanumeric(),
            Self::NoDigit => !byte.is_ascii_digit(),
        }
    }

    fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Any => &["."],
            Self::NoSlash => &["[^/]", r"[^\/]"],
            Self::Digit => &[r"\d", "[0-9]", "[[:digit:]]"],
            Self::Hex => &["[0-9a-f]", r"[a-f\d]"],
            Self::Word => &[r"\w", "[_[:alnum:]]", "[0-9A-Za-z_]"],
            Self::NoDigit => &[r"\D", r"[^\d]", "[^0-9]"],
        }
    }
}

const WORDS: &[&str] = &[
    "containers",
    "json",
    "create",
    "_ping",
    "info",
    "v1.41",
    "v1.4",
    "exec",
    "a",
    "b.c",
    "x+y",
    "app-1",
    "0",
    "7f3a",
    "events",
    "images",
];
const PATHS: &[&str] = &[
    "/_ping",
    "/v1.41/_ping",
    "/v1.24/_ping",
    "/_ping/x",
    "/x/_ping",
    "/info",
    "/v1.41/info",
    "/containers/json",
    "/v1.41/containers/create",
    "/v1.41/containers/json",
    "/containers/a/exec",
    "/",
    "/V1.41/_ping",
    "/_Ping",
];

impl Pattern {
    /// A pattern for a path: segments, some of them more than a word.
    fn random(random: &mut Random) -> Self {
        let mut parts = Vec::new();
        if random.once_in(3) {
            let version = Self::Row(vec![
                Self::Text("/v1.".to_owned()),
                Self::Times(Box::new(Self::OneOf(Class::Digit)), 1, Some(2)),
            ]);
            parts.push(Self::Times(Box::new(version), random.below(2), Some(1)));
        }
        for _ in 0..=random.below(3) {
            parts.push(Self::Text("/".to_owned()));
            parts.push(Self::segment(random, 2));
        }
        let row = Self::Row(parts);
        if random.once_in(8) { Self::Either(vec![row, Self::random(random)]) } else { row }
    }

    fn segment(random: &mut Random, depth: usize) -> Self {
        let inner = |random: &mut Random| Self::segment(random, depth - 1);
        match random.below(if depth == 0 { 4 } else { 9 }) {
            0..=2 => Self::Text((*random.one(WORDS)).to_owned()),
            3 => Self::OneOf(*random.one(&Class::ALL)),
            4 | 5 => {
                let least = random.below(3);
                let most = (!random.once_in(2)).then(|| least + random.below(3));
                Self::Times(Box::new(inner(random)), least, most)
            }
            6 => Self::Row(vec![inner(random), inner(random)]),
            _ => Self::Either((0..2 + random.below(2)).map(|_| inner(random)).collect()),
        }
    }

    /// The pattern as somebody might write it.
    fn print(&self, random: &mut Random) -> String {
        let group = |part: &Self, random: &mut Random| {
            let open = if random.once_in(2) { "(" } else { "(?:" };
            format!("{open}{})", part.print(random))
        };
        match self {
            Self::Text(text) if random.once_in(8) => format!(r"\Q{text}\E"),
            Self::Text(text) => {
                let escape = |c: char| match c {
                    '.' | '+' if random.once_in(4) => format!("[{c}]"),
                    '.' | '+' | '-' => format!("\\{c}"),
                    other => other.to_string(),
                };
                text.chars().map(escape).collect()
            }
            Self::OneOf(class) => (*random.one(class.spellings())).to_owned(),
            Self::Row(parts) => parts
                .iter()
                .map(|part| match part {
                    Self::Either(_) => group(part, random),
                    _ => part.print(random),
                })
                .collect(),
            Self::Either(parts) => {
                parts.iter().map(|part| part.print(random)).collect::<Vec<_>>().join("|")
            }
            Self::Times(part, least, most) => {
                let times = match (least, most) {
                    (0, None) => "*".to_owned(),
                    (1, None) => "+".to_owned(),
                    (0, Some(1)) => "?".to_owned(),
                    (least, None) => format!("{{{least},}}"),
                    (least, Some(most)) if least == most => format!("{{{least}}}"),
                    (least, Some(most)) => format!("{{{least},{most}}}"),
                };
                let lazy = if random.once_in(6) { "?" } else { "" };
                group(part, random) + &times + lazy
            }
        }
    }

    /// A text that it matches.
    fn sample(&self, random: &mut Random) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::OneOf(class) => loop {
                let byte = *random.one(b"0123456789abcdefgxyzXYZ_-./ ~");
                if class.has(byte) {
                    break char::from(byte).to_string();
                }
            },
            Self::Row(parts) => parts.iter().map(|part| part.sample(random)).collect(),
            Self::Either(parts) => random.one(parts).sample(random),
            Self::Times(part, least, most) => {
                let times = least + random.below(most.map_or(3, |most| most + 1 - least));
                (0..times).map(|_| part.sample(random)).collect()
            }
        }
    }
}

/// What comes again with the same seed.
struct Random(fastrand::Rng);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn rules(&mut self) -> Rules {
        let methods = [Method::Get, Method::Get, Method::Head, Method::Post, Method::Delete];
        (0..self.below(5)).map(|_| (*self.one(&methods), Pattern::random(self))).collect()
    }

    fn asker(&mut self) -> Asker {
        match self.below(8) {
            0 | 1 => Asker::Plain,
            2 if self.once_in(2) => Asker::Unknown,
            3 | 4 => {
                let first = self.rights();
                let others = self.below(3);
                let other = |random: &mut Self| match random.below(3) {
                    0 => random.rights(),
                    1 => Ok(None),
                    _ => first.clone(),
                };
                let mut all: Vec<_> = (0..others).map(|_| other(self)).collect();
                // Nobody at all is possible as well.
                if !self.once_in(8) {
                    all.push(first);
                }
                Asker::Containers(all)
            }
            _ => Asker::Containers(vec![self.rights()]),
        }
    }

    fn rights(&mut self) -> Result<Option<Rules>, ()> {
        match self.below(6) {
            0 => Err(()),
            1 | 2 => Ok(None),
            _ => Ok(Some(self.rules())),
        }
    }

    /// A request that one of the rules may allow, and may just not.
    fn request(&mut self, rules: &[&(Method, Pattern)]) -> (Method, String) {
        let (mut method, mut path) = match (self.below(5), rules) {
            (0, _) | (_, []) => (Method::Get, (*self.one(PATHS)).to_owned()),
            (_, rules) => {
                let (method, pattern) = self.one(rules);
                (*method, pattern.sample(self))
            }
        };
        if self.once_in(4) {
            method = *self.one(&Method::ALL);
        }
        if self.once_in(4) {
            let at = self.below(path.len());
            let byte = char::from(*self.one(b"0ax/._-"));
            match self.below(3) {
                0 => path.insert(at, byte),
                1 => path.replace_range(at..=at, &byte.to_string()),
                _ => drop(path.remove(at)),
            }
        }
        (method, path)
    }

    /// The path as a client may send it.
    fn encode(&mut self, path: &str) -> String {
        let plain = |byte: u8| byte == b'/' || byte.is_ascii_graphic();
        let mut sent: String = path
            .bytes()
            .map(|byte| {
                if byte == b'/' || (plain(byte) && !self.once_in(12)) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02x}")
                }
            })
            .collect();
        if self.once_in(4) {
            sent += "?all=1&x=/info";
        }
        sent
    }
}

// --- the program ------------------------------------------------------------------------------------------

fn allowlist(rules: &Rules, random: &mut Random) -> Allowlist {
    let rule = |(method, pattern): &(Method, Pattern)| {
        let path = Arc::new(AnchoredRegex::new(&written(pattern, random)).unwrap());
        Rule { origin: Origin::Flag("-allow".to_owned()), method: *method, path }
    };
    Allowlist { rules: rules.iter().map(rule).collect(), ..Allowlist::default() }
}

fn written(pattern: &Pattern, random: &mut Random) -> String {
    let text = pattern.print(random);
    match (pattern, random.below(4)) {
        (Pattern::Either(_), 0) => format!("^({text})$"),
        (_, 0) => format!("^{text}$"),
        _ => text,
    }
}

fn rights(meant: &Result<Option<Rules>, ()>, random: &mut Random) -> Rights {
    let mut labels = BTreeMap::from([("com.example.note".to_owned(), "/info".to_owned())]);
    match meant {
        Ok(None) => {}
        Ok(Some(rules)) => {
            for (index, (method, pattern)) in rules.iter().enumerate() {
                let prefix = *random.one(&["socket-proxy", "sockwarden"]);
                let method = method.to_string().to_lowercase();
                let key = format!("{prefix}.allow.{method}.{index}");
                labels.insert(key, written(pattern, random));
            }
            // Own rights that are none.
            if rules.is_empty() {
                labels.insert("sockwarden.allow.connect".to_owned(), "never".to_owned());
            }
        }
        Err(()) => {
            labels.insert("sockwarden.allow.get".to_owned(), ".*".to_owned());
            let wrong = *random.one(&[
                "sockwarden.allow.gte",
                "sockwarden.alow.get",
                "sockwarden.allow.get.x",
            ]);
            labels.insert(wrong.to_owned(), "(".to_owned());
        }
    }
    let prefixes = ["socket-proxy".to_owned(), "sockwarden".to_owned()];
    LabelReader::default().rights(&labels, &prefixes)
}

fn identity(asker: &Asker, random: &mut Random) -> Identity {
    match asker {
        Asker::Plain => Identity::Plain,
        Asker::Unknown => Identity::Unknown(WhyUnknown::NotFound),
        Asker::Containers(all) => {
            let containers = all.iter().map(|meant| {
                let id = ContainerId::parse(&"7".repeat(64)).unwrap();
                Arc::new(Container {
                    id,
                    name: "app".to_owned(),
                    rights: rights(meant, random),
                    lineage: Lineage::default(),
                })
            });
            Identity::Containers(containers.collect())
        }
    }
}

/// Whether the judge would let the request through as far as its head goes.
fn passes(judgement: &Judgement<()>) -> bool {
    match judgement {
        Judgement::Allowed(_) | Judgement::Pending(_) => true,
        Judgement::Denied(denied) => !matches!(
            denied.reason,
            DenyReason::NotAdmitted
                | DenyReason::UnknownClient(_)
                | DenyReason::BrokenLabels(_)
                | DenyReason::Creator(_)
                | DenyReason::NoMethod
                | DenyReason::NoPath
                | DenyReason::Step(_)
        ),
    }
}

#[test]
fn the_judge_and_the_oracle_agree() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let pairs = number("ORACLE_PAIRS").unwrap_or(50_000);
    let mut random = Random(fastrand::Rng::with_seed(number("ORACLE_SEED").unwrap_or(1)));
    let mut judged = 0;
    // By kind of client: how many were refused, and allowed.
    let mut verdicts = BTreeMap::<&str, [u64; 2]>::new();
    while judged < pairs {
        let seed = random.0.get_seed();
        let default = random.rules();
        let policy = Policy::new(allowlist(&default, &mut random), Defaults::default());
        let asker = random.asker();
        let identity = identity(&asker, &mut random);
        let mut rules: Vec<_> = default.iter().collect();
        if let Asker::Containers(all) = &asker {
            rules.extend(all.iter().flatten().flatten().flatten());
        }
        for _ in 0..40 {
            let listed = !random.once_in(3);
            let (method, path) = random.request(&rules);
            let body = random.once_in(3);
            // What has two readings never comes to the judge.
            let Ok(target) = RequestTarget::parse(&random.encode(&path)) else { continue };
            let head = Head::new(method, target, [("Content-Type", &b"application/json"[..])]);
            let client = Client {
                peer: Peer::tcp("172.18.0.2:5".parse().unwrap(), "172.18.0.3".parse().unwrap()),
                admission: if listed { Admission::Listed } else { Admission::Unlisted },
                identity: identity.clone(),
            };
            let judgement =
                policy.judge(&client, None, head, DeclaredBody { body: body.then_some(()) });
            let want = allows(&default, listed, &asker, method, &path, body);
            assert_eq!(
                passes(&judgement),
                want,
                "ORACLE_SEED={seed}: {method} {path} with{} body, listed {listed}, by {asker:?}\ndefault {default:?}\njudged {judgement:?}",
                if body { "" } else { "out" }
            );
            let kind = match &asker {
                Asker::Plain => "plain",
                Asker::Unknown => "unknown",
                Asker::Containers(all) if all.len() > 1 => "several",
                Asker::Containers(_) => "container",
            };
            verdicts.entry(kind).or_default()[usize::from(want)] += 1;
            judged += 1;
        }
    }
    // A comparison in which everything is refused would prove nothing.
    for kind in ["plain", "several", "container"] {
        let [refused, allowed] = verdicts[kind];
        assert!(refused > pairs / 200 && allowed > pairs / 200, "{verdicts:?}");
    }
    assert!(verdicts["unknown"][0] > 0 && verdicts["unknown"][1] == 0, "{verdicts:?}");
}
