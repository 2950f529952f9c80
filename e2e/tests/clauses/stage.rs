//! What the cases are about, on a real engine: containers, volumes and networks, and a sockwarden for each set of limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sockwarden_e2e::engine::{Engine, Image, Names, percent_encode};
use sockwarden_e2e::http::Answer;
use sockwarden_e2e::proxy::Sockwarden;
use sockwarden_e2e::relay::Relay;
use sockwarden_e2e::swarm::Swarm;
use tempfile::TempDir;

use crate::body_cases::{CASES, Case, Engine as Expected, Limits, NO_BUILDS, Want};

/// Everything the cases need; removed when dropped.
pub(crate) struct Stage {
    pub(crate) fronts: Vec<Front>,
    pub(crate) swarm: Swarm,
    pub(crate) engine: &'static Engine,
    /// Its API version, 1.n.
    pub(crate) api: u32,
    /// Of what Docker makes of the cases, Podman does another part, which nobody has written down: it is not asked.
    pub(crate) podman: bool,
    pub(crate) objects: Objects,
    names: Names,
    _image: Arc<Image>,
    _inside: TempDir,
}

/// A sockwarden with one set of limits, and between it and the engine a relay that writes down what reaches the engine.
pub(crate) struct Front {
    pub(crate) limits: Limits,
    pub(crate) kind: Kind,
    pub(crate) proxy: Sockwarden,
    /// Behind the proxy, so dropped after it.
    pub(crate) relay: Relay,
}

/// What a front is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Cases that must be refused.
    Refusing,
    /// Those whose danger is not tried: if the proxy let one through, the machine would be changed.
    Guarding,
    /// Cases that must pass.
    Allowing,
    /// Cases for which the engine must be in a swarm.
    Swarm,
}

impl Kind {
    pub(crate) fn of(case: &Case) -> Self {
        match case.want {
            Want::Allowed if case.line.contains("/services/") => Self::Swarm,
            Want::Refused(..) if case.line.contains("rollback=") => Self::Swarm,
            Want::Allowed => Self::Allowing,
            Want::Refused(..) if case.engine == Expected::NotTried => Self::Guarding,
            Want::Refused(..) => Self::Refusing,
        }
    }
}

/// The placeholders of the cases and what stands for them.
#[derive(Clone, Default)]
pub(crate) struct Objects(BTreeMap<&'static str, String>);

impl Objects {
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    pub(crate) fn put(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.insert(name, value.into());
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl Stage {
    pub(crate) fn set(engine: &'static Engine) -> Self {
        let (names, image) = (Names::new(engine), engine.image());
        let inside = tempfile::Builder::new().prefix("sockwarden-test-").tempdir();
        let inside = inside.expect("a temporary directory that may be mounted");
        let path = inside.path().display().to_string();
        let mut stage = Self {
            fronts: Vec::new(),
            swarm: Swarm::start(),
            engine,
            api: engine.api(),
            podman: engine.is_podman(),
            objects: Objects::default(),
            names,
            _image: Arc::clone(&image),
            _inside: inside,
        };
        stage.objects.put("{srv}", path);
        stage.objects.put("{bridge}", format!("swt{}", std::process::id()));
        stage.objects.put("{image}", image.name());
        stage.objects.put("{service}", "service");
        stage.networks();
        stage.volumes();
        for kind in ["proxy", "victim", "root", "watcher", "mounter", "sharer", "other-container"] {
            let mut objects = stage.objects.clone();
            stage.container(&mut objects, kind, kind);
            stage.objects = objects;
        }
        let victim = stage.objects.text("/containers/{victim}/json");
        let victim = stage.done("GET", &victim, &Value::Null);
        let networks = &victim["NetworkSettings"]["Networks"];
        let address = networks[stage.objects.get("{net}")]["IPAddress"].as_str();
        stage.objects.put("{victimaddress}", address.expect("a running container has an address"));
        stage.execs();
        stage.fronts = stage.start_fronts();
        stage
    }

    /// What the engine makes of a case.
    pub(crate) fn told(&self, case: &Case) -> Expected {
        if self.podman { Expected::NotTried } else { case.engine.of(self.api) }
    }

    pub(crate) fn name(&self, word: &str) -> String {
        self.names.name(word)
    }

    /// Calls the engine itself.
    pub(crate) fn call(&self, method: &str, target: &str, body: &Value) -> Answer {
        let json = [("Content-Type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let sent = sockwarden_e2e::http::over_unix(
            self.engine.socket(),
            method,
            target,
            &json,
            body.as_bytes(),
        );
        sent.unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    /// Calls the engine itself, which must do it.
    pub(crate) fn done(&self, method: &str, target: &str, body: &Value) -> Value {
        let answer = self.call(method, target, body);
        let said = String::from_utf8_lossy(&answer.body);
        assert!((200..300).contains(&answer.status), "{method} {target} {body}: {said}");
        answer.json()
    }

    fn labels(&self) -> Value {
        Value::Object(
            self.names.labels().into_iter().map(|(key, value)| (key, value.into())).collect(),
        )
    }

    fn networks(&mut self) {
        let (name, other) = (self.name("net"), self.name("other"));
        let (id, address) = self.network(&name);
        let (_, other_address) = self.network(&other);
        let ids = self.ids_of_networks();
        self.objects.put("{net4}", shortest(&ids, &id, 4));
        // Podman has no network of the host.
        if !self.podman {
            let host = self.done("GET", "/networks/host", &Value::Null);
            let host = host["Id"].as_str().expect("the engine has a network of the host");
            self.objects.put("{hostnet3}", shortest(&ids, host, 3));
            self.objects.put("{hostnet}", host);
        }
        self.objects.put("{netid}", id);
        self.objects.put("{net}", name);
        self.objects.put("{other}", other);
        self.objects.put("{netaddresses}", address.trim_end_matches("77"));
        self.objects.put("{address}", address);
        self.objects.put("{otheraddress}", other_address);
    }

    /// A network with a subnet that nobody else has; its id, and an address in it that is free.
    fn network(&self, name: &str) -> (String, String) {
        let mut said = String::new();
        for number in 0..=255 {
            let subnet = format!("10.214.{number}.0/24");
            let body = json!({"Name": name, "Labels": self.labels(), "IPAM": {"Config": [{"Subnet": subnet}]}});
            let answer = self.call("POST", "/networks/create", &body);
            if answer.status == 201 {
                let id = answer.json()["Id"].as_str().unwrap_or_default().to_owned();
                return (id, format!("10.214.{number}.77"));
            }
            said = answer.message();
        }
        panic!("no subnet is free: {said}");
    }

    /// Execs that somebody else has made, to be started.
    fn execs(&mut self) {
        for (placeholder, container, privileged) in [
            ("{victim-exec}", "{victim}", false),
            ("{privileged-exec}", "{victim}", true),
            ("{watcher-exec}", "{watcher}", false),
            ("{proxy-exec}", "{proxy}", false),
        ] {
            let target = self.objects.text(&format!("/containers/{container}/exec"));
            let body = json!({"Cmd": ["true"], "Privileged": privileged});
            let made = self.done("POST", &target, &body);
            self.objects.put(placeholder, made["Id"].as_str().expect("an exec has an id"));
        }
    }

    fn ids_of_networks(&self) -> Vec<String> {
        let networks = self.done("GET", "/networks", &Value::Null);
        let ids = networks.as_array().into_iter().flatten();
        ids.filter_map(|network| network["Id"].as_str().map(str::to_owned)).collect()
    }

    fn volumes(&mut self) {
        let options = json!({"type": "none", "o": "bind", "device": "/"});
        for (placeholder, word, options) in
            [("{volume}", "volume", json!({})), ("{badvolume}", "badvolume", options)]
        {
            let name = self.name(word);
            let body = json!({"Name": name, "Labels": self.labels(), "DriverOpts": options});
            self.done("POST", "/volumes/create", &body);
            self.objects.put(placeholder, name);
        }
    }

    /// Makes a container of a kind, under a name of its own, and puts it in the place of the one that the cases know.
    pub(crate) fn container(&self, objects: &mut Objects, kind: &str, word: &str) -> String {
        let name = self.name(word);
        let socket = format!("{}:/var/run/docker.sock", self.engine.socket().display());
        let (net, other) = (objects.get("{net}"), objects.get("{other}"));
        let host = match kind {
            "proxy" => json!({"NetworkMode": net, "Binds": [socket]}),
            "victim" => json!({"NetworkMode": net}),
            "other-container" => json!({"NetworkMode": other}),
            "root" => json!({"Privileged": true, "NetworkMode": "none"}),
            "watcher" => json!({"PidMode": "host", "NetworkMode": "none"}),
            "mounter" => json!({"Binds": ["/etc:/h"], "NetworkMode": "none"}),
            "sharer" => json!({"IpcMode": "shareable", "NetworkMode": "none"}),
            other => panic!("there is no container `{other}`"),
        };
        let body = json!({"Image": objects.get("{image}"), "Cmd": ["sleep", "900"], "Labels": self.labels(), "HostConfig": host});
        let made = self.done("POST", &format!("/containers/create?name={name}"), &body);
        let id = made["Id"].as_str().expect("a container has an id").to_owned();
        // Not every machine lets a privileged container start.
        if !matches!(kind, "mounter" | "root") {
            self.done("POST", &format!("/containers/{id}/start"), &Value::Null);
        }
        match kind {
            "proxy" => {
                objects.put("{proxyid5}", &id[..5]);
                objects.put("{proxyid12}", &id[..12]);
                objects.put("{proxyid}", &id);
                objects.put("{proxy}", name);
            }
            "victim" => {
                objects.put("{victim-id}", &id);
                objects.put("{victim}", name);
            }
            "root" => objects.put("{root}", name),
            "watcher" => objects.put("{watcher}", name),
            "mounter" => objects.put("{mounter}", name),
            "sharer" => objects.put("{sharer}", name),
            _ => objects.put("{other-container}", name),
        }
        id
    }

    fn start_fronts(&self) -> Vec<Front> {
        let mut fronts: Vec<Front> = Vec::new();
        for case in CASES {
            let (limits, kind) = (case.limits, Kind::of(case));
            if fronts.iter().any(|front| front.limits == limits && front.kind == kind) {
                continue;
            }
            let relay = match kind {
                Kind::Swarm => Relay::start(self.swarm.socket()),
                Kind::Guarding => Relay::only_reads(self.engine.socket()),
                Kind::Refusing | Kind::Allowing => Relay::start(self.engine.socket()),
            };
            let paths = |method: &str| match (limits, method) {
                (Limits::Own, "POST") => Some(NO_BUILDS),
                (Limits::Blind, "GET") => None,
                _ => Some(".*"),
            };
            let proxy = Sockwarden::allow(relay.socket(), paths, &self.flags(limits));
            if matches!(limits, Limits::Own | Limits::Builder) {
                proxy.expect_log("per-container allowlists are in force");
            }
            fronts.push(Front { limits, kind, proxy, relay });
        }
        fronts
    }

    fn flags(&self, limits: Limits) -> Vec<String> {
        let deny = "-hostaccess=deny";
        let srv = self.objects.text("-allowbindmountfrom=/srv,{srv}");
        match limits {
            Limits::None => Vec::new(),
            Limits::Host => vec![deny.to_owned()],
            Limits::Blind | Limits::Srv => vec![srv],
            Limits::HostSrv => vec![deny.to_owned(), srv],
            Limits::NoMounts => vec!["-denyhostmounts".to_owned()],
            Limits::NoNetwork => vec!["-denynetworkvolumes".to_owned()],
            Limits::Builder | Limits::Own => {
                vec![format!("-proxycontainername={}", self.objects.get("{proxy}"))]
            }
        }
    }

    pub(crate) fn front(&self, case: &Case) -> &Front {
        let kind = Kind::of(case);
        let fits = |front: &&Front| front.limits == case.limits && front.kind == kind;
        self.fronts.iter().find(fits).expect("every case has a front")
    }
}

impl Drop for Stage {
    /// What a case has made and not removed has our name and not our label.
    fn drop(&mut self) {
        let filters = percent_encode(&json!({"name": [self.names.prefix()]}).to_string());
        let list = |target: &str| {
            self.engine.call("GET", &format!("{target}filters={filters}"), b"").json()
        };
        let remove = |objects: &Value, key: &str, path: &str| {
            for object in objects.as_array().into_iter().flatten() {
                if let Some(id) = object[key].as_str() {
                    self.engine.call("DELETE", &format!("{path}/{id}?force=1&v=1&timeout=0"), b"");
                }
            }
        };
        remove(&list("/containers/json?all=1&"), "Id", "/containers");
        remove(&list("/networks?"), "Id", "/networks");
        remove(&list("/volumes?")["Volumes"], "Name", "/volumes");
    }
}

/// The shortest start of an id, from this length on, that no other id has.
fn shortest(ids: &[String], id: &str, least: usize) -> String {
    let fits = |length: &usize| ids.iter().filter(|it| it.starts_with(&id[..*length])).count() < 2;
    let length = (least..id.len()).find(fits).unwrap_or(id.len());
    id[..length].to_owned()
}
