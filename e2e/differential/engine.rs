//! A sample of documents goes to the engine itself: what it says it made of them must be what our reader found in them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value as Literal;
use sockwarden::request::json::{Json, Keys, Object};
use sockwarden_e2e::engine::{Engine, Names};
use sockwarden_e2e::engine_or_skip;
use sockwarden_e2e::http::{self, Answer};

use crate::document::{Hand, Value, write};
use crate::dump::found;
use crate::fields::{CREATE, Kind, Members, kind_of};
use crate::random::Random;
use crate::{SEED, number, say};

/// Enough for every choice below to be made several times.
const CONTAINERS: u64 = 300;
const AT_ONCE: usize = 4;

/// Fields of `HostConfig` and what may stand in them: harmless, as nothing is started, and recognised again. `VOLUME` and `IMAGE` stand for
/// names.
const HOST: &[(&str, &[&str])] = &[
    ("Privileged", &["true", "true", "false"]),
    ("Binds", &[r#"["/tmp:/a"]"#, r#"["/tmp/../etc:/a:ro","VOLUME:/b"]"#, r#"["/:/host"]"#, "[]"]),
    (
        "Mounts",
        &[
            r#"[{"Type":"bind","Source":"/tmp","Target":"/c","ReadOnly":true}]"#,
            r#"[{"Type":"volume","Source":"VOLUME","Target":"/d"},{"Type":"tmpfs","Target":"/t"}]"#,
            r#"[{"Type":"bind","Source":"/etc","Target":"/e","BindOptions":{"Propagation":"rslave"}}]"#,
            r#"[{"Type":"volume","Target":"/v","VolumeOptions":{"Labels":{"a":"1","A":"2"},"DriverConfig":{"Name":"local","Options":{"type":"none","o":"bind","device":"/tmp"}}}}]"#,
        ],
    ),
    ("CapAdd", &[r#"["SYS_ADMIN"]"#, r#"["cap_net_admin","ALL"]"#, r#""SYS_PTRACE""#, "[]"]),
    ("CapDrop", &[r#"["ALL"]"#, r#""NET_RAW""#]),
    ("PidMode", &[r#""host""#, r#""""#]),
    ("IpcMode", &[r#""host""#, r#""shareable""#, r#""none""#, r#""""#]),
    ("UTSMode", &[r#""host""#, r#""""#]),
    ("UsernsMode", &[r#""host""#, r#""""#]),
    ("CgroupnsMode", &[r#""host""#, r#""private""#]),
    (
        "NetworkMode",
        &[
            r#""host""#,
            r#""none""#,
            r#""bridge""#,
            r#""default""#,
            r#""container:sockwarden-test-none""#,
            r#""labels""#,
        ],
    ),
    (
        "Devices",
        &[
            r#"[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"rwm"}]"#,
            "[]",
        ],
    ),
    ("DeviceCgroupRules", &[r#"["c 1:3 mr"]"#, r#"["a *:* rwm"]"#]),
    (
        "SecurityOpt",
        &[
            r#"["seccomp=unconfined"]"#,
            r#"["seccomp:unconfined","label=disable"]"#,
            r#"["no-new-privileges"]"#,
        ],
    ),
    ("MaskedPaths", &["[]", r#"["/proc/kcore"]"#]),
    ("ReadonlyPaths", &["[]", r#"["/proc/sys"]"#]),
    (
        "Sysctls",
        &[
            r#"{"net.ipv4.ip_forward":"1"}"#,
            r#"{"net.core.somaxconn":"1024","NET.core.somaxconn":"1"}"#,
        ],
    ),
    ("CgroupParent", &[r#""/sockwarden-test""#]),
    ("GroupAdd", &[r#"["0","docker"]"#]),
    ("ExtraHosts", &[r#"["a:10.0.0.1"]"#]),
    ("Dns", &[r#"["10.0.0.1"]"#]),
    (
        "LogConfig",
        &[r#"{"Type":"json-file","Config":{"max-size":"1m"}}"#, r#"{"Type":"none","Config":{}}"#],
    ),
    (
        "RestartPolicy",
        &[
            r#"{"Name":"always","MaximumRetryCount":0}"#,
            r#"{"Name":"on-failure","MaximumRetryCount":3}"#,
        ],
    ),
    ("Tmpfs", &[r#"{"/run":"size=1m","/RUN":""}"#]),
    ("ReadonlyRootfs", &["true", "false"]),
    ("AutoRemove", &["false"]),
    ("OomScoreAdj", &["-500", "0", "500"]),
    ("Memory", &["67108864", "0"]),
    ("CpuShares", &["512"]),
    ("VolumeDriver", &[r#""local""#, r#""""#]),
    ("Runtime", &[r#""runc""#, r#""""#]),
    ("PortBindings", &[r#"{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"0"}]}"#]),
    ("Ulimits", &[r#"[{"Name":"nofile","Hard":1024,"Soft":512}]"#]),
];

/// The same for the fields beside it.
const CONFIG: &[(&str, &[&str])] = &[
    ("Env", &[r#"["A=1","a=2"]"#, r#"["PATH=/sbin","ſ=K"]"#, "[]"]),
    ("User", &[r#""0""#, r#""nobody""#]),
    ("WorkingDir", &[r#""/proc/self/fd""#, r#""/tmp""#]),
    ("Hostname", &[r#""other""#]),
    ("Entrypoint", &[r#"["sh","-c"]"#, r#""sh""#]),
    ("Volumes", &[r#"{"/x":{},"/X":{}}"#]),
    (
        "NetworkingConfig",
        &[
            r#"{"EndpointsConfig":{"bridge":{}}}"#,
            r#"{"EndpointsConfig":{"labels":{"Aliases":["web"]}}}"#,
            r#"{"EndpointsConfig":{"Labels":{"IPAMConfig":{"IPv4Address":"10.9.8.7"},"MacAddress":"02:42:0a:09:08:07"}}}"#,
        ],
    ),
    ("OpenStdin", &["true"]),
    ("Tty", &["true"]),
    ("StopSignal", &[r#""SIGKILL""#]),
];

/// Fields of the top level that engines up to 26 copy into a `HostConfig` that leaves them at zero.
const COPIED: &[&str] = &["Memory", "MemorySwap", "CpuShares", "CpusetCpus", "VolumeDriver"];

#[test]
fn the_engine_applies_what_we_find() {
    let engine = engine_or_skip!();
    let (image, names) = (engine.image(), Names::new(engine));
    let place = Place::prepare(engine, &names, image.name());
    let (seed, documents) =
        (number("SOCKWARDEN_TEST_SEED", SEED), number("SOCKWARDEN_TEST_CONTAINERS", CONTAINERS));
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= documents {
                        return;
                    }
                    let outcome = place.try_one(&mut Random::of(seed, number), number);
                    tally.lock().unwrap_or_else(PoisonError::into_inner).add(outcome, number);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&format!("seed {seed}, engine with API {}: {tally}", place.version));
    assert!(tally.differences.is_empty(), "differences:\n{}", tally.differences.join("\n"));
    assert!(tally.both * 4 >= documents, "fewer than a quarter were created");
}

/// Where the containers are created.
struct Place<'a> {
    engine: &'static Engine,
    names: &'a Names,
    image: &'a str,
    volume: String,
    version: String,
    /// Whether the engine reads the fields of `HostConfig` at the top level too: up to 26, whose API is 1.45.
    reads_top_level: bool,
    /// The `HostConfig` of a container that asks for nothing.
    defaults: Json,
}

enum Outcome {
    /// The engine took what we accept: so many fields had something in them, and this is where we differ.
    Both(u64, Vec<String>),
    OnlyWe,
    /// We refuse it, and it was not sent.
    Refused,
    /// We refuse it, and this is whether the engine takes it.
    RefusedAndSent(bool),
}

impl<'a> Place<'a> {
    fn prepare(engine: &'static Engine, names: &'a Names, image: &'a str) -> Self {
        let version = engine.call("GET", "/version", b"").json()["ApiVersion"].clone();
        let version = version.as_str().expect("the engine has a version").to_owned();
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
        let reads_top_level = minor.is_some_and(|minor| minor <= 45);
        let volume = names.name("volume");
        let labels: Literal = names.labels().into_iter().collect();
        let mut place =
            Self { engine, names, image, volume, version, reads_top_level, defaults: Json::Null };
        let body = serde_json::json!({ "Name": place.volume, "Labels": labels });
        let answer = place.post("/volumes/create", body.to_string().as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.message());
        let mut bare = place.needed(Vec::new());
        bare.push(("HostConfig".to_owned(), Value::Fields(Vec::new())));
        let bare = write(&Value::Fields(bare), Hand::Plain, &mut Random::of(SEED, 0));
        let (created, inspect) = place.create("bare", &bare);
        assert!(created, "the engine creates nothing");
        place.defaults = inspect.field("HostConfig").expect("it has one").clone();
        place
    }

    fn try_one(&self, random: &mut Random, number: u64) -> Outcome {
        let hand = if random.chance(750) { Hand::Plain } else { Hand::Careless };
        let document = write(&self.document(random), hand, random);
        let ours = Json::parse(&document, Keys::Fields);
        if ours.is_err() && !random.chance(500) {
            return Outcome::Refused;
        }
        let (created, applied) = self.create(&format!("differential-{number}"), &document);
        match ours {
            Err(_) => Outcome::RefusedAndSent(created),
            Ok(_) if !created => Outcome::OnlyWe,
            Ok(ours) => {
                let sent = String::from_utf8_lossy(&document);
                let (fields, differences) = self.differences(&ours, &applied);
                let told = differences.into_iter().map(|what| format!("{what}\n  sent: {sent}"));
                Outcome::Both(fields, told.collect())
            }
        }
    }

    /// Creates a container and removes it: whether that could be done, and what it was.
    fn create(&self, word: &str, document: &[u8]) -> (bool, Json) {
        let name = self.names.name(word);
        let answer = self.post(&format!("/containers/create?name={name}"), document);
        let inspect = self.engine.call("GET", &format!("/containers/{name}/json"), b"");
        self.engine.call("DELETE", &format!("/containers/{name}?force=1&v=1"), b"");
        let inspect = Json::parse_answer(&inspect.body).expect("the engine writes JSON");
        (answer.status == 201, inspect)
    }

    fn post(&self, target: &str, body: &[u8]) -> Answer {
        let fields = [("Content-Type", "application/json")];
        http::over_unix(self.engine.socket(), "POST", target, &fields, body)
            .unwrap_or_else(|error| panic!("POST {target}: {error}"))
    }

    fn document(&self, random: &mut Random) -> Value {
        let more = [("a", "1"), ("A", "2"), ("ſ", "3"), ("sockwarden.allow.get", "/version")];
        let more = random.some(&more, 3).into_iter();
        let more = more.map(|(key, value)| ((*key).to_owned(), Value::text(value)));
        let mut top = self.needed(more.collect());
        top.extend(self.some(CONFIG, 3, random));
        let host = self.some(HOST, 6, random);
        match random.below(10) {
            0 => top.extend(host),
            1 | 2 => {
                top.extend(host);
                top.push(("HostConfig".to_owned(), Value::Null));
            }
            3 => {
                top.push(("HostConfig".to_owned(), Value::Fields(host)));
                top.extend(self.some(HOST, 2, random));
            }
            _ => top.push(("HostConfig".to_owned(), Value::Fields(host))),
        }
        Value::Fields(top)
    }

    /// What every container of ours has.
    fn needed(&self, mut labels: Vec<(String, Value)>) -> Vec<(String, Value)> {
        labels.extend(self.names.labels().map(|(key, value)| (key, Value::Text(value))));
        vec![
            ("Image".to_owned(), Value::text(self.image)),
            ("Labels".to_owned(), Value::Entries(labels)),
            ("Cmd".to_owned(), Value::List(vec![Value::text("true")])),
        ]
    }

    fn some(
        &self,
        from: &[(&str, &[&str])],
        most: usize,
        random: &mut Random,
    ) -> Vec<(String, Value)> {
        let some = random.some(from, most);
        let mut members: Vec<_> =
            some.iter().map(|(name, choices)| self.member(name, choices, random)).collect();
        // Twice the same field, perhaps with something else in it.
        if random.chance(40)
            && let Some((name, choices)) = some.first()
        {
            members.push(self.member(name, choices, random));
        }
        members
    }

    fn member(&self, name: &str, choices: &[&str], random: &mut Random) -> (String, Value) {
        let choice = choices[random.below(choices.len())].replace("VOLUME", &self.volume);
        let literal = serde_json::from_str(&choice).expect("the tables hold JSON");
        let kind = kind_of(CREATE.members, name).expect("the tables hold fields");
        (name.to_owned(), value(literal, kind))
    }

    fn differences(&self, ours: &Json, applied: &Json) -> (u64, Vec<String>) {
        let empty = Json::Null;
        let (config, host) = (
            applied.field("Config").unwrap_or(&empty),
            applied.field("HostConfig").unwrap_or(&empty),
        );
        let (mut fields, mut differences) = (0, Vec::new());
        let mut compare = |name: &str, ours: String, applied: String, agree: bool| {
            fields += u64::from(!ours.is_empty());
            if !agree {
                differences.push(format!("{name}: ours {ours}, the engine's {applied}"));
            }
        };
        let inner = ours.field("HostConfig");
        let effective = match inner {
            Some(inner) => inner,
            None if self.reads_top_level => ours,
            None => &empty,
        };
        for (name, _) in HOST {
            let kind = kind_of(CREATE.members, name).expect("the tables hold fields");
            let mut mine = found(effective, name, kind);
            if mine.is_empty() && self.reads_top_level && COPIED.contains(name) {
                mine = found(ours, name, kind);
            }
            let theirs = found(host, name, kind);
            let agree = host_agrees(name, &mine, &theirs, &found(&self.defaults, name, kind));
            compare(name, mine, theirs, agree);
        }
        for name in [
            "Image",
            "Env",
            "User",
            "WorkingDir",
            "Hostname",
            "Entrypoint",
            "Volumes",
            "OpenStdin",
            "Tty",
            "Cmd",
        ] {
            let kind = kind_of(CREATE.members, name).expect("the tables hold fields");
            let (mine, theirs) = (found(ours, name, kind), found(config, name, kind));
            let agree = same(&mine, &theirs)
                || match name {
                    // The engine adds the image's, and names the host by the id.
                    "Env" if !mine.contains("\"PATH=") => {
                        theirs
                            == format!("{}\"PATH=/bin\",]", mine.strip_suffix(']').unwrap_or("["))
                    }
                    "Hostname" | "Cmd" => mine.is_empty(),
                    _ => false,
                };
            compare(name, mine, theirs, agree);
        }
        self.compare_labels(ours, config, &mut compare);
        compare_networks(ours, applied, &mut compare);
        (fields, differences)
    }

    /// The engine adds those of the image, which are the two that everything of ours carries.
    fn compare_labels(
        &self,
        ours: &Json,
        config: &Json,
        compare: &mut impl FnMut(&str, String, String, bool),
    ) {
        let labels = |of: &Json| -> Vec<(String, String)> {
            let object = of.field("Labels").and_then(Json::as_object);
            let labels = object.into_iter().flat_map(|object| object.iter());
            labels
                .map(|(key, value)| (key.to_owned(), value.as_str().unwrap_or_default().to_owned()))
                .collect()
        };
        let (mine, theirs) = (labels(ours), labels(config));
        let image = self.names.labels().map(|(key, _)| key);
        let agree = mine.iter().all(|label| theirs.contains(label))
            && theirs.iter().all(|label| mine.contains(label) || image.contains(&label.0));
        compare("Labels", format!("{mine:?}"), format!("{theirs:?}"), agree);
    }
}

/// Every network that the engine has noted is one that we found, and holds what we found.
fn compare_networks(
    ours: &Json,
    applied: &Json,
    compare: &mut impl FnMut(&str, String, String, bool),
) {
    let mine = ours.field("NetworkingConfig").and_then(|it| it.field("EndpointsConfig"));
    let theirs = applied.field("NetworkSettings").and_then(|it| it.field("Networks"));
    let mode = applied.field("HostConfig").and_then(|it| it.field("NetworkMode"));
    let mode = mode.and_then(Json::as_str).unwrap_or_default();
    for (network, endpoint) in theirs.and_then(Json::as_object).into_iter().flat_map(Object::iter) {
        let found_by_us = mine.and_then(|mine| mine.field(network));
        let by_mode = network == mode || (network == "bridge" && mode == "default");
        let is_known =
            mine.and_then(Json::as_object).is_some_and(|it| it.member(network).is_some());
        compare("NetworkingConfig", format!("{mine:?}"), network.to_owned(), is_known || by_mode);
        let address = |endpoint: Option<&Json>| {
            let config = endpoint.and_then(|it| it.field("IPAMConfig"));
            let address = config.and_then(|it| it.field("IPv4Address")).and_then(Json::as_str);
            address.unwrap_or_default().to_owned()
        };
        let (mine, theirs) = (address(found_by_us), address(Some(endpoint)));
        compare("IPv4Address", mine.clone(), theirs.clone(), mine == theirs);
        let aliases = |endpoint: &Json| found(endpoint, "Aliases", &Kind::List(&Kind::Text));
        let (mine, theirs) = (found_by_us.map(aliases).unwrap_or_default(), aliases(endpoint));
        compare("Aliases", mine.clone(), theirs.clone(), same(&mine, &theirs));
    }
}

/// Whether the engine applied what we found, or its default where that is nothing.
fn host_agrees(name: &str, mine: &str, theirs: &str, default: &str) -> bool {
    match name {
        // An empty list is not the default here, and `Privileged` takes the default away.
        "MaskedPaths" | "ReadonlyPaths" if mine.is_empty() => {
            theirs.is_empty() || theirs == default
        }
        "MaskedPaths" | "ReadonlyPaths" => mine == theirs,
        // What a host namespace and `Privileged` bring with them.
        "SecurityOpt" => {
            let list = mine.strip_suffix(']').unwrap_or("[");
            same(mine, theirs) || theirs == format!("{list}\"label=disable\",]")
        }
        // The engine adds options of its own configuration.
        "LogConfig" if !mine.is_empty() => {
            let asked = mine.trim_start_matches("{Config=<").replace(">;", "");
            asked.trim_end_matches('}').split(';').all(|part| theirs.contains(part))
        }
        _ => same(mine, theirs) || (mine.is_empty() && theirs == default),
    }
}

/// Whether two dumps mean the same where nothing and an empty list are one.
fn same(one: &str, other: &str) -> bool {
    let is_empty = |dump: &str| matches!(dump, "" | "[]" | "<>" | "null");
    one == other || (is_empty(one) && is_empty(other))
}

/// A literal as a value of this kind, which says what of it are fields.
fn value(literal: Literal, kind: &Kind) -> Value {
    match (literal, kind) {
        (literal, Kind::Pointer(kind)) => value(literal, kind),
        (Literal::Null, _) => Value::Null,
        (Literal::Bool(it), _) => Value::Bool(it),
        (Literal::Number(it), _) => Value::Number(it.to_string()),
        (Literal::String(it), _) => Value::Text(it),
        (Literal::Array(values), Kind::List(kind)) => {
            Value::List(values.into_iter().map(|it| value(it, kind)).collect())
        }
        (Literal::Array(values), _) => {
            Value::List(values.into_iter().map(|it| value(it, &Kind::Text)).collect())
        }
        (Literal::Object(members), Kind::Entries(kind)) => {
            Value::Entries(members.into_iter().map(|(key, it)| (key, value(it, kind))).collect())
        }
        (Literal::Object(members), kind) => {
            let known: &Members = if let Kind::Fields(known) = kind { known } else { &[] };
            let of = |name: &str| kind_of(known, name).unwrap_or(&Kind::Empty);
            let members = members.into_iter();
            Value::Fields(members.map(|(key, it)| (key.clone(), value(it, of(&key)))).collect())
        }
    }
}

/// What became of the documents.
#[derive(Debug, Default)]
struct Tally {
    documents: u64,
    both: u64,
    fields: u64,
    only_we: u64,
    refused: u64,
    refused_and_sent: u64,
    refused_and_created: u64,
    differences: Vec<String>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome, number: u64) {
        self.documents += 1;
        match outcome {
            Outcome::Both(fields, differences) => {
                self.both += 1;
                self.fields += fields;
                let told = differences.into_iter().map(|what| format!("document {number}: {what}"));
                self.differences.extend(told);
            }
            Outcome::OnlyWe => self.only_we += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::RefusedAndSent(created) => {
                self.refused += 1;
                self.refused_and_sent += 1;
                self.refused_and_created += u64::from(created);
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} documents: created and compared {} in {} fields, refused by the engine alone {}, refused by us {} (of {} sent all the same the engine took {}), differences {}",
            self.documents,
            self.both,
            self.fields,
            self.only_we,
            self.refused,
            self.refused_and_sent,
            self.refused_and_created,
            self.differences.len(),
        )
    }
}
