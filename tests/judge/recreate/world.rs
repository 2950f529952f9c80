//! An engine in memory, behind the judge and what it remembers: containers are made of what passes, and shown as dockerd 20.10 shows them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sockwarden::clauses::{Defaults, Names, Past, Protected, Question, needs_past};
use sockwarden::client::{Admission, Client, Identity, Peer};
use sockwarden::policy::{Body, DeclaredBody, Judgement, Policy};
use sockwarden::remembered::{Memory, Ticket};
use sockwarden::request::json::Json;
use sockwarden::request::{Head, Method, RequestTarget};
use sockwarden::rule::words::{Exceptions, Words, images};
use sockwarden::rule::{Allowlist, AnchoredRegex, HostAccess, Origin, Rule, RuleSet};
use sockwarden::wording::{self, Setup};
use tokio::time::Instant;

/// What a container has of its image where nothing else is said.
pub(crate) const INHERITED: &[&str] =
    &["Cmd", "Entrypoint", "Healthcheck", "StopSignal", "User", "WorkingDir"];

pub(crate) struct World {
    pub(crate) containers: BTreeMap<String, Value>,
    pub(crate) images: BTreeMap<String, Value>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) now: Instant,
    pub(crate) words: String,
    pub(crate) listed_images: &'static str,
    pattern: Option<(Method, &'static str)>,
    pub(crate) defaults: Defaults,
    /// Who asks.
    pub(crate) address: Ipv4Addr,
    /// The options of every volume.
    pub(crate) volume_options: Value,
    /// What the engine answers to the next create, if not that it did it.
    pub(crate) fails: bool,
    /// The id of the next container, if it is not to be a number.
    pub(crate) next_id: Option<String>,
    made: u32,
}

impl World {
    /// An engine with one image, for a client with these words.
    pub(crate) fn new(words: &str) -> Self {
        let image = json!({
            "Id": "sha256:1", "RepoTags": ["shop/web:1"], "RepoDigests": [],
            "Config": {
                "Cmd": ["serve"], "Entrypoint": ["/init"], "Env": ["PATH=/bin", "LANG=C"], "User": "web",
                "WorkingDir": "/srv", "Labels": {"vendor": "shop"}, "ExposedPorts": {"80/tcp": {}},
                "Volumes": {"/data": {}}, "StopSignal": "SIGQUIT",
                "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5},
            },
        });
        Self {
            containers: BTreeMap::new(),
            images: [("shop/web:1".to_owned(), image)].into(),
            memory: Arc::default(),
            now: Instant::now(),
            words: words.to_owned(),
            listed_images: "",
            pattern: None,
            defaults: Defaults {
                bind_mount_from: None,
                deny_host_mounts: false,
                deny_network_volumes: false,
                host_access: HostAccess::Deny,
                exceptions: Exceptions::default(),
                admitted: Names::default(),
                engine_socket: String::new(),
            },
            address: Ipv4Addr::new(10, 0, 0, 2),
            volume_options: Value::Null,
            fails: false,
            next_id: None,
            made: 0,
        }
    }

    pub(crate) fn allow_pattern(&mut self, method: Method, pattern: &'static str) {
        self.pattern = Some((method, pattern));
    }

    fn list(&self) -> Allowlist {
        let origin = Origin::Label("sockwarden.allow".to_owned());
        let words = Words::read(&self.words, &origin).unwrap();
        let rule = self.pattern.map(|(method, pattern)| {
            let path = Arc::new(AnchoredRegex::new(pattern).unwrap());
            Rule { origin, method, path }
        });
        let images = (!self.listed_images.is_empty()).then(|| images(self.listed_images).unwrap());
        Allowlist {
            may_label: words.may_label(),
            words,
            images,
            rules: rule.into_iter().collect::<RuleSet>(),
            ..Allowlist::default()
        }
    }

    pub(crate) fn wait(&mut self, minutes: u64) {
        self.now += Duration::from_mins(minutes);
    }

    /// A container that somebody made without the proxy.
    pub(crate) fn run(&mut self, name: &str, body: &Value) -> String {
        self.made += 1;
        let number = 0x00c0_ffee_0000_u64 + u64::from(self.made);
        let id = self.next_id.take();
        let id = id.unwrap_or_else(|| format!("{number:012x}{}", "0".repeat(52)));
        let inspect = self.inspect(&id, name, body);
        self.containers.insert(id.clone(), inspect);
        id
    }

    /// The container of this name, id or part of an id.
    pub(crate) fn find(&self, name: &str) -> Option<&Value> {
        let by_name = |it: &&Value| it["Name"] == format!("/{name}");
        self.containers
            .get(name)
            .or_else(|| self.containers.values().find(by_name))
            .or_else(|| self.containers.iter().find(|(id, _)| id.starts_with(name)).map(|it| it.1))
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.containers.values().map(|it| it["Name"].as_str().unwrap()).collect()
    }

    fn inspect(&self, id: &str, name: &str, body: &Value) -> Value {
        let image_name = body["Image"].as_str().unwrap();
        let image = self.images.get(image_name).cloned().unwrap_or_default();
        let mut config = body.as_object().unwrap().clone();
        let host = config.remove("HostConfig").unwrap_or_default();
        let networking = config.remove("NetworkingConfig").unwrap_or_default();
        let inherited = &image["Config"];
        let has_entry_point = config.get("Entrypoint").is_some_and(|it| !it.is_null());
        for field in INHERITED {
            let is_set = config.get(*field).is_some_and(|it| !it.is_null() && *it != "");
            let is_kept_out = *field == "Cmd" && has_entry_point;
            if !(is_set || is_kept_out) {
                config.insert((*field).to_owned(), inherited[*field].clone());
            }
        }
        if let Some(health) = inherited["Healthcheck"].as_object() {
            for (field, value) in health {
                let own = &mut config["Healthcheck"][field];
                if own.is_null() || *own == 0 {
                    *own = value.clone();
                }
            }
        }
        let mut labels = inherited["Labels"].as_object().cloned().unwrap_or_default();
        labels.extend(config.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default());
        config.insert("Labels".to_owned(), Value::Object(labels));
        let env = config.get("Env").and_then(Value::as_array).cloned().unwrap_or_default();
        let of = |it: &Value| it.as_str().unwrap().split('=').next().unwrap().to_owned();
        let own: Vec<_> = env.iter().map(of).collect();
        let image_env = inherited["Env"].as_array().cloned().unwrap_or_default();
        let rest = image_env.into_iter().filter(|it| !own.contains(&of(it)));
        let env: Vec<_> = env.iter().cloned().chain(rest).collect();
        config.insert("Env".to_owned(), Value::Array(env));
        for field in ["ExposedPorts", "Volumes"] {
            let mut all = inherited[field].as_object().cloned().unwrap_or_default();
            all.extend(config.get(field).and_then(Value::as_object).cloned().unwrap_or_default());
            config.insert(field.to_owned(), Value::Object(all));
        }
        config.entry("Hostname").or_insert_with(|| json!(short(id)));
        let host = shown(&host);
        let mode = host["NetworkMode"].as_str().unwrap().replace("default", "bridge");
        let mut networks = Map::new();
        for (network, place) in networking["EndpointsConfig"].as_object().into_iter().flatten() {
            networks.insert(network.clone(), place.clone());
        }
        networks.entry(mode).or_insert_with(|| json!({}));
        for (index, (network, place)) in networks.iter_mut().enumerate() {
            let mut told = json!({
                "Aliases": null, "IPAMConfig": null, "Links": null, "DriverOpts": null,
                "NetworkID": format!("{network}-id"), "EndpointID": format!("e-{id}"),
                "Gateway": "10.1.0.1", "IPAddress": format!("10.1.{index}.9"), "IPPrefixLen": 16,
                "MacAddress": format!("02:42:00:00:00:{index:02}"), "GwPriority": 0, "DNSNames": [name, short(id)],
            });
            for (field, value) in place.as_object().into_iter().flatten() {
                if matches!(
                    &**field,
                    "Aliases" | "IPAMConfig" | "Links" | "DriverOpts" | "GwPriority"
                ) {
                    told[field] = value.clone();
                }
            }
            *place = told;
        }
        json!({
            "Id": id, "Name": format!("/{name}"), "Image": image.get("Id").cloned().unwrap_or_else(|| json!("sha256:9")), "Config": config,
            "HostConfig": host, "NetworkSettings": {"Networks": networks}, "State": {"Running": true},
            "Mounts": [{"Type": "volume", "Name": "anonymous", "Destination": "/data", "RW": true, "Source": "/var/lib/x"}],
        })
    }

    fn answer(&self, question: &Question) -> Option<Value> {
        let name = question.name();
        match question {
            Question::Container(_) | Question::Replaced(_) | Question::Labels(_) | Question::Settings(_) => self.find(name).cloned(),
            Question::Image(_) | Question::ReplacedImage(_) => {
                let by_id = self.images.values().find(|it| it["Id"] == name);
                self.images.get(name).or(by_id).cloned()
            }
            Question::Containers => Some(
                self.containers
                    .values()
                    .map(|it| json!({"Id": it["Id"], "Image": it["Config"]["Image"], "Labels": it["Config"]["Labels"]}))
                    .collect(),
            ),
            Question::Info => Some(json!({"CgroupVersion": "2", "SecurityOptions": ["name=cgroupns"]})),
            Question::Network(_) => Some(json!({"Id": format!("{name}-id"), "Driver": "bridge"})),
            Question::Version => Some(json!({"Version": "28.5.2", "Components": [{"Name": "Engine"}]})),
            Question::Volume(_) => Some(json!({"Driver": "local", "Options": self.volume_options})),
            Question::Exec(_) | Question::Node(_) | Question::Service(_) => None,
        }
    }

    pub(crate) fn client(&self) -> Client {
        let peer = Peer::tcp((self.address, 4711).into(), Ipv4Addr::LOCALHOST.into());
        Client { peer, admission: Admission::Listed, identity: Identity::Plain }
    }

    /// Judges a request, and does what it asks if that is allowed: the id of what was made, or why it is refused.
    pub(crate) fn ask(&mut self, line: &str, body: &Value) -> Result<String, String> {
        let (head, text, ticket) = self.judged(line, body)?;
        Ok(self.done(&head, &text, ticket))
    }

    /// Judges a request and remembers what it needs, without doing it.
    pub(crate) fn judged(
        &self,
        line: &str,
        body: &Value,
    ) -> Result<(Head, String, Option<Ticket>), String> {
        let (method, target) = line.split_once(' ').unwrap();
        let method = Method::parse(method).unwrap();
        let target = RequestTarget::parse_for(method, target).map_err(|it| it.to_string())?;
        let head = Head::new(method, target, [("Content-Type", b"application/json".as_slice())]);
        let client = self.client();
        let past = if needs_past(head.operation) {
            self.memory.past(&client.while_it_runs(), self.now)
        } else {
            Past::default()
        };
        let declared = DeclaredBody { body: (!body.is_null()).then(|| body.to_string()) };
        let prefixes = vec!["sockwarden".to_owned()];
        let protected = Protected { prefixes, ..Protected::default() };
        let policy = Policy::new(self.list(), self.defaults.clone());
        let mut judgement =
            policy.judge_after(&client, Some(protected.into()), past, head, declared);
        for _ in 0..12 {
            let mut pending = match judgement {
                Judgement::Denied(denied) => {
                    return Err(wording::explain(&client, &denied, Setup::default()).message);
                }
                Judgement::Allowed(allowed) => {
                    let note = |effect| self.memory.note(&client.while_it_runs(), effect, self.now);
                    let ticket = match allowed.effect().map(note).transpose() {
                        Ok(ticket) => ticket.flatten(),
                        Err(why) => {
                            let denied = allowed.refuse(why);
                            return Err(
                                wording::explain(&client, &denied, Setup::default()).message
                            );
                        }
                    };
                    let text = match allowed.body() {
                        Body::Judged(text) => text.clone(),
                        _ => String::new(),
                    };
                    return Ok((allowed.head().clone(), text, ticket));
                }
                Judgement::Pending(pending) => pending,
            };
            judgement = if let Some(body) = pending.take_body() {
                pending.read(body.as_bytes())
            } else if let Some(body) = pending.take_empty_body() {
                pending.emptied(body.is_empty())
            } else {
                for question in pending.questions() {
                    let answer = self.answer(&question).map(|it| it.to_string());
                    let answer = answer.map(|it| Json::parse_answer(it.as_bytes()).unwrap());
                    pending.answer(question, answer);
                }
                pending.judge()
            };
        }
        panic!("{line} asks and asks")
    }

    /// Does what was allowed.
    fn done(&mut self, head: &Head, text: &str, ticket: Option<Ticket>) -> String {
        let path = head.target.path().to_owned();
        let name = head.target.query().first("name").unwrap_or_default();
        let name = name.trim_start_matches('/').to_owned();
        let parts: Vec<_> = path.split('/').skip(1).collect();
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        match (head.method, parts.as_slice()) {
            (Method::Post, ["containers", "create"]) if self.fails => {
                if let Some(ticket) = ticket {
                    ticket.give_back();
                }
                String::new()
            }
            (Method::Post, ["containers", "create"]) => {
                let name = if name.is_empty() { format!("random{}", self.made) } else { name };
                assert!(self.find(&name).is_none(), "{name} is there");
                let id = self.run(&name, &body);
                if let Some(mut ticket) = ticket {
                    // In pieces, as it may come.
                    let answer = json!({"Id": id, "Warnings": []}).to_string();
                    let (first, rest) = answer.as_bytes().split_at(20);
                    ticket.hear(first);
                    ticket.hear(rest);
                }
                id
            }
            (Method::Post, ["containers", of, "rename"]) => {
                self.containers.get_mut(*of).unwrap()["Name"] = json!(format!("/{name}"));
                String::new()
            }
            (Method::Delete, ["containers", of]) => {
                assert!(self.containers.remove(*of).is_some(), "{of} is not pinned");
                String::new()
            }
            (Method::Post, ["networks", network, "disconnect"]) => {
                let of = body["Container"].as_str().unwrap();
                let networks =
                    &mut self.containers.get_mut(of).unwrap()["NetworkSettings"]["Networks"];
                let network = network.trim_end_matches("-id").to_owned();
                networks.as_object_mut().unwrap().remove(&network);
                String::new()
            }
            _ => String::new(),
        }
    }
}

/// The beginning of an id that people are shown.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap()
}

/// What inspect shows of a `HostConfig`.
fn shown(given: &Value) -> Value {
    let mut all = json!({
        "Binds": null, "CapAdd": null, "CapDrop": null, "CgroupnsMode": "private", "ConsoleSize": [0, 0],
        "Devices": [], "Dns": [], "IpcMode": "private", "Isolation": "", "LogConfig": {"Type": "json-file", "Config": {}},
        "MaskedPaths": [
            "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
        ],
        "Memory": 0, "MemorySwap": 0, "MemorySwappiness": null, "NetworkMode": "default", "OomKillDisable": false,
        "PidsLimit": null, "PortBindings": {}, "Privileged": false,
        "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "Runtime": "runc", "ShmSize": 67_108_864, "AutoRemove": false,
    });
    for (field, value) in given.as_object().into_iter().flatten() {
        let is_said = !value.is_null() && *value != "" && *value != 0;
        if is_said {
            all[field] = value.clone();
        }
    }
    if all["Memory"].as_i64() > Some(0) && all["MemorySwap"] == 0 {
        all["MemorySwap"] = json!(all["Memory"].as_i64().unwrap() * 2);
    }
    if all["Privileged"] == true {
        all["MaskedPaths"] = Value::Null;
        all["ReadonlyPaths"] = Value::Null;
    }
    all
}

/// The create that docker-py scripts and Portainer make of what inspect shows.
pub(crate) fn as_shown(inspect: &Value) -> Value {
    let mut body = inspect["Config"].clone();
    body["HostConfig"] = inspect["HostConfig"].clone();
    body["NetworkingConfig"] = json!({"EndpointsConfig": inspect["NetworkSettings"]["Networks"]});
    body
}

/// The create that Watchtower makes of it: without what is the image's.
pub(crate) fn as_watchtower_does(inspect: &Value, image: &Value) -> Value {
    let mut body = as_shown(inspect);
    let of_image = &image["Config"];
    for field in ["WorkingDir", "User"] {
        if body[field] == of_image[field] {
            body[field] = json!("");
        }
    }
    if body["Entrypoint"] == of_image["Entrypoint"] {
        body["Entrypoint"] = Value::Null;
        if body["Cmd"] == of_image["Cmd"] {
            body["Cmd"] = Value::Null;
        }
    }
    for field in ["Test", "Retries", "Interval", "Timeout", "StartPeriod"] {
        if body["Healthcheck"].is_object()
            && body["Healthcheck"][field] == of_image["Healthcheck"][field]
        {
            let nothing = if field == "Test" { Value::Null } else { json!(0) };
            body["Healthcheck"][field] = nothing;
        }
    }
    let image_env = of_image["Env"].as_array().cloned().unwrap_or_default();
    body["Env"].as_array_mut().unwrap().retain(|it| !image_env.contains(it));
    for field in ["Labels", "Volumes", "ExposedPorts"] {
        let of_image = of_image[field].as_object().cloned().unwrap_or_default();
        if let Some(own) = body[field].as_object_mut() {
            own.retain(|key, value| of_image.get(key) != Some(value));
        }
    }
    for port in inspect["HostConfig"]["PortBindings"].as_object().into_iter().flatten() {
        body["ExposedPorts"][port.0] = json!({});
    }
    body
}
