//! What a Compose project is for us: its services, with what concerns the engine's socket.

use super::interpolation::interpolated;
use super::yaml::{Node, Value};

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as it was named.
    pub(super) file: String,
    /// Its line, from 1; 0 if nobody knows.
    pub(super) line: u64,
}

/// Services, as several files together describe them.
#[derive(Debug, Default)]
pub(super) struct Project {
    pub(super) services: Vec<Service>,
}

/// One service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) container_name: Option<String>,
    pub(super) image: Option<String>,
    pub(super) labels: Vec<Pair>,
    /// Labels of the swarm's service, which its containers do not have.
    pub(super) deploy_labels: Vec<Pair>,
    pub(super) environment: Vec<Pair>,
    pub(super) command: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    /// The networks it is on; none named means Compose's own.
    pub(super) networks: Vec<String>,
    pub(super) aliases: Vec<String>,
    pub(super) network_mode: Option<String>,
    pub(super) ports: Vec<Port>,
    pub(super) cap_drop: Vec<String>,
    pub(super) cap_add: Vec<String>,
    pub(super) is_privileged: bool,
    pub(super) volumes: Vec<Volume>,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) place: Place,
    pub(super) key: String,
    pub(super) value: String,
}

/// A published port.
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) place: Place,
    /// As it was written, or the target.
    pub(super) text: String,
    /// The address of the host that it is bound to.
    pub(super) address: Option<String>,
}

/// A mount.
#[derive(Debug, Clone)]
pub(super) struct Volume {
    pub(super) place: Place,
    pub(super) source: String,
    pub(super) target: String,
}

impl Project {
    /// Adds what a file says; what an earlier one said of the same service stays where the later one says nothing.
    ///
    /// # Errors
    /// When it is no Compose file.
    pub(super) fn add(
        &mut self,
        file: &str,
        text: &str,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        let mut document = Node::read(text)?;
        document.change(&|text| interpolated(text, variable));
        let Some(services) = document.get("services") else {
            return Err("it has no `services`, so it is no Compose file".to_owned());
        };
        if !matches!(services.value, Value::Map(_)) {
            return Err("its `services` are not a mapping".to_owned());
        }
        for entry in services.entries() {
            let place = Place { file: file.to_owned(), line: entry.line };
            let service = Service::read(&entry.key, place, &entry.value);
            match self.services.iter_mut().find(|it| it.name == service.name) {
                Some(there) => there.merge(service),
                None => self.services.push(service),
            }
        }
        Ok(())
    }
}

impl Service {
    fn read(name: &str, place: Place, node: &Node) -> Self {
        let file = place.file.clone();
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let pairs = |node: Option<&Node>| {
            let pairs = node.map(Node::pairs).unwrap_or_default();
            let pair = |(line, key, value)| Pair { place: at(&file, line), key, value };
            pairs.into_iter().map(pair).collect::<Vec<_>>()
        };
        let names = |key: &str| node.get(key).map(Node::names).unwrap_or_default();
        let networks = node.get("networks");
        let aliases = networks.map(Node::entries).unwrap_or_default().iter();
        let aliases =
            aliases.filter_map(|entry| entry.value.get("aliases")).flat_map(Node::names).collect();
        Self {
            name: name.to_owned(),
            container_name: text("container_name"),
            image: text("image"),
            labels: pairs(node.get("labels")),
            deploy_labels: pairs(node.get("deploy").and_then(|deploy| deploy.get("labels"))),
            environment: pairs(node.get("environment")),
            command: words(node.get("command")),
            entrypoint: words(node.get("entrypoint")),
            networks: networks.map(Node::names).unwrap_or_default(),
            aliases,
            network_mode: text("network_mode"),
            ports: items(node, "ports").map(|item| port(&file, item)).collect(),
            cap_drop: names("cap_drop"),
            cap_add: names("cap_add"),
            is_privileged: text("privileged").is_some_and(|it| it == "true"),
            volumes: items(node, "volumes").filter_map(|item| volume(&file, item)).collect(),
            place,
        }
    }

    fn merge(&mut self, later: Self) {
        let pairs = |before: &mut Vec<Pair>, later: Vec<Pair>| {
            before.retain(|pair| later.iter().all(|it| it.key != pair.key));
            before.extend(later);
        };
        pairs(&mut self.labels, later.labels);
        pairs(&mut self.deploy_labels, later.deploy_labels);
        pairs(&mut self.environment, later.environment);
        self.container_name = later.container_name.or_else(|| self.container_name.take());
        self.image = later.image.or_else(|| self.image.take());
        self.network_mode = later.network_mode.or_else(|| self.network_mode.take());
        self.is_privileged |= later.is_privileged;
        if !later.command.is_empty() {
            self.command = later.command;
        }
        if !later.entrypoint.is_empty() {
            self.entrypoint = later.entrypoint;
        }
        self.networks.extend(later.networks);
        self.aliases.extend(later.aliases);
        self.ports.extend(later.ports);
        self.cap_drop.extend(later.cap_drop);
        self.cap_add.extend(later.cap_add);
        self.volumes.extend(later.volumes);
    }

    /// The networks it is on, Compose's own if it names none.
    pub(super) fn on(&self) -> Vec<&str> {
        match (&self.network_mode, self.networks.as_slice()) {
            (Some(_), _) => Vec::new(),
            (None, []) => vec!["default"],
            (None, networks) => networks.iter().map(String::as_str).collect(),
        }
    }

    /// Whether others know it by this host name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name
            || self.container_name.as_deref() == Some(name)
            || self.aliases.iter().any(|alias| alias == name)
    }

    /// Whether it may send packets from another's address.
    pub(super) fn can_forge(&self) -> bool {
        let has = |list: &[String], wanted: &str| {
            list.iter().any(|it| {
                let upper = it.to_ascii_uppercase();
                upper.strip_prefix("CAP_").unwrap_or(&upper) == wanted
            })
        };
        let gets = |wanted| has(&self.cap_add, wanted);
        let dropped = has(&self.cap_drop, "ALL") || has(&self.cap_drop, "NET_RAW");
        self.is_privileged || gets("NET_RAW") || gets("ALL") || !dropped
    }
}

fn at(file: &str, line: u64) -> Place {
    Place { file: file.to_owned(), line }
}

fn items<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a Node> {
    node.get(key).map(Node::items).unwrap_or_default().iter()
}

fn port(file: &str, item: &Node) -> Port {
    let place = at(file, item.line);
    let text = |key: &str| item.get(key).and_then(Node::text).map(str::to_owned);
    match item.text() {
        Some(written) => {
            let address = written.rsplitn(3, ':').nth(2).map(str::to_owned);
            Port { place, text: written.to_owned(), address }
        }
        None => Port {
            place,
            text: text("published").or_else(|| text("target")).unwrap_or_default(),
            address: text("host_ip"),
        },
    }
}

fn volume(file: &str, item: &Node) -> Option<Volume> {
    let place = at(file, item.line);
    let text = |key: &str| item.get(key).and_then(Node::text).map(str::to_owned);
    let Some(written) = item.text() else {
        let target = text("target")?;
        return Some(Volume { place, source: text("source")?, target });
    };
    let mut parts = written.split(':');
    let (source, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    Some(Volume { place, source, target })
}

/// A command in either form.
fn words(node: Option<&Node>) -> Vec<String> {
    match node.map(|node| &node.value) {
        Some(Value::Text(line)) => split(line),
        Some(Value::List(_)) => node.map(Node::names).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// A command line as a shell cuts it into words, without anything else that a shell does.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_cut_as_a_shell_cuts_it() {
        let line = r#"-allowfrom=a  "-allowGET=/x y" '-allowGET=/\d' a\ b """#;
        assert_eq!(split(line), ["-allowfrom=a", "-allowGET=/x y", r"-allowGET=/\d", "a b", ""]);
    }

    #[test]
    fn both_forms_of_everything_are_read_and_files_add_up() {
        let mut project = Project::default();
        let none = |_: &str| None;
        let first = "services:\n  web:\n    image: x/dozzle:v8\n    labels:\n      - sockwarden.allow=read$$\n      - a=b\n    \
                     ports: ['127.0.0.1:80:80', '81:81']\n    volumes: ['/var/run/docker.sock:/s:ro']\n    networks: [one]\n";
        let second = "services:\n  web:\n    labels:\n      a: c\n    networks:\n      two: {aliases: [w]}\n    ports:\n      - {target: 9, host_ip: 127.0.0.1}\n    \
                      volumes:\n      - {type: bind, source: /run, target: /r}\n    command: a 'b c'\n    cap_drop: [CAP_NET_RAW]\n";
        project.add("a", first, &none).unwrap();
        project.add("b", second, &none).unwrap();
        let [web] = project.services.as_slice() else { panic!("{project:?}") };
        let labels: Vec<_> =
            web.labels.iter().map(|it| (&*it.key, &*it.value, &*it.place.file)).collect();
        assert_eq!(labels, [("sockwarden.allow", "read$", "a"), ("a", "c", "b")]);
        assert_eq!(web.labels[0].place.line, 5);
        let addresses: Vec<_> = web.ports.iter().map(|port| port.address.as_deref()).collect();
        assert_eq!(addresses, [Some("127.0.0.1"), None, Some("127.0.0.1")]);
        assert_eq!(web.on(), ["one", "two"]);
        assert!(web.is_called("w") && !web.can_forge() && web.command == ["a", "b c"]);
        let sources: Vec<_> = web.volumes.iter().map(|it| &*it.source).collect();
        assert_eq!(sources, ["/var/run/docker.sock", "/run"]);
        assert!(project.add("c", "a: b\n", &none).is_err());
        assert!(project.add("c", "services: [x]\n", &none).is_err());
    }
}
