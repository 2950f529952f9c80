//! A proxy in a container, and clients in others.

use std::process::Command;

use sockwarden_e2e::engine::{self, Engine, Names, percent_encode};
use sockwarden_e2e::process::{Output, Process};
use sockwarden_e2e::{skip, tar, wait};

/// One network, a proxy on it, and the image that everybody runs.
pub(crate) struct Stage {
    engine: &'static Engine,
    names: Names,
    image: String,
    /// The files of the image, as a tar archive.
    root: Vec<u8>,
}

impl Stage {
    /// A proxy with these flags besides the usual ones; `None`, said loudly, where it cannot be.
    pub(crate) fn start(engine: &'static Engine, flags: &[&str]) -> Option<Self> {
        let stage = Self::without_proxy(engine)?;
        stage.create_network(&stage.network(), &[]);
        stage.start_proxy(&["-proxycontainername=auto"], flags);
        stage.wait_for_log("per-container allowlists are in force");
        Some(stage)
    }

    /// Only the image and the names.
    pub(crate) fn without_proxy(engine: &'static Engine) -> Option<Self> {
        let Some(binary) = std::env::var_os("SOCKWARDEN_BIN") else {
            skip("SOCKWARDEN_BIN does not name a static binary to put into an image");
            return None;
        };
        let binary = std::fs::read(binary).expect("SOCKWARDEN_BIN is readable");
        let names = Names::new(engine);
        let image = names.image("client");
        let mut root = engine::busybox_root();
        root.truncate(root.len() - 1024);
        root.extend(tar::archive(&[("sockwarden", tar::Entry::File(0o755, &binary))]));
        let stage = Self { engine, names, image, root };
        stage.import(&stage.image, &[]);
        Some(stage)
    }

    fn import(&self, image: &str, changes: &[String]) {
        let path = ["ENV PATH=/bin".to_owned()];
        let labels = self.names.labels().map(|(key, value)| format!("LABEL {key}={value}"));
        let changes = labels
            .iter()
            .chain(&path)
            .chain(changes)
            .map(|change| format!("&changes={}", percent_encode(change)));
        // Podman 4 reads no `tag` beside the name.
        let target = format!(
            "/images/create?fromSrc=-&repo={}{}",
            percent_encode(image),
            changes.collect::<String>()
        );
        let answer = self.engine.call("POST", &target, &self.root);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// An image like the usual one, with a label of its own.
    pub(crate) fn labelled_image(&self, label: &str) -> String {
        let image = self.names.image("labelled");
        self.import(&image, &[format!("LABEL {label}")]);
        image
    }

    /// Builds this Dockerfile on the network, without the proxy, and keeps the steps; says what the engine says.
    pub(crate) fn build(&self, image: &str, file: &str) -> String {
        let context = tar::archive(&[("Dockerfile", tar::Entry::File(0o644, file.as_bytes()))]);
        let target = format!(
            "/build?rm=0&nocache=1&networkmode={}&t={}",
            percent_encode(&self.network()),
            percent_encode(image)
        );
        let answer = self.engine.call("POST", &target, &context);
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(said.contains("Successfully built"), "{said}");
        said
    }

    pub(crate) fn create_network(&self, name: &str, more: &[&str]) {
        let labels = self.names.labels().map(|(key, value)| format!("--label={key}={value}"));
        let words = ["network", "create"].into_iter().chain(labels.iter().map(String::as_str));
        let words: Vec<&str> = words.chain(more.iter().copied()).chain([name]).collect();
        self.docker_ok(&words);
    }

    pub(crate) fn start_proxy(&self, identity: &[&str], flags: &[&str]) {
        self.start_proxy_on(self.socket(), identity, flags);
    }

    /// Starts the proxy with another network mode than a network of its own.
    pub(crate) fn start_proxy_in(&self, mode: &str, identity: &[&str], flags: &[&str]) {
        self.start_proxy_as(self.socket(), mode, identity, flags);
    }

    /// Starts the proxy in front of another socket, whose directory it gets: the socket itself may be replaced.
    pub(crate) fn start_proxy_on(&self, socket: &str, identity: &[&str], flags: &[&str]) {
        self.start_proxy_as(socket, &self.network(), identity, flags);
    }

    /// Starts the proxy with these variables, and without any flag that says who may connect or what is allowed.
    pub(crate) fn start_proxy_with_variables(&self, variables: &[&str]) {
        let (directory, file) = self.socket().rsplit_once('/').expect("an absolute path");
        let mut words = self.run_words(&self.proxy(), &self.network());
        let (mount, socket) =
            (format!("{directory}:/engine"), format!("-socketpath=/engine/{file}"));
        for variable in variables {
            words.extend(["-e", variable].map(str::to_owned));
        }
        words.extend(["-d", "-v", &mount, &self.image, "/sockwarden", &socket].map(str::to_owned));
        self.docker_ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn start_proxy_as(&self, socket: &str, network: &str, identity: &[&str], flags: &[&str]) {
        let (directory, file) = socket.rsplit_once('/').expect("an absolute path");
        let proxy = self.proxy();
        let mut words = self.run_words(&proxy, network);
        let mount = format!("{directory}:/engine");
        let socket = format!("-socketpath=/engine/{file}");
        words.extend(["-d", "-v", &mount, &self.image].map(str::to_owned));
        words.extend(
            ["/sockwarden", &socket, "-listenip=0.0.0.0", "-loglevel=debug"].map(str::to_owned),
        );
        words.extend(identity.iter().chain(flags).map(|&flag| flag.to_owned()));
        self.docker_ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn socket(&self) -> &'static str {
        self.engine.socket().to_str().expect("a plain path")
    }

    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    /// The label by which what clients make is found and removed.
    pub(crate) fn run_label(&self) -> (String, String) {
        let [_, run] = self.names.labels();
        run
    }

    pub(crate) fn name(&self, word: &str) -> String {
        self.names.name(word)
    }

    pub(crate) fn network(&self) -> String {
        self.name("net")
    }

    pub(crate) fn proxy(&self) -> String {
        self.name("proxy")
    }

    fn run_words(&self, name: &str, network: &str) -> Vec<String> {
        let mut words: Vec<String> =
            ["run", "--name", name, "--network", network].map(str::to_owned).into();
        for (key, value) in self.names.labels() {
            words.extend(["-l".to_owned(), format!("{key}={value}")]);
        }
        words
    }

    /// Runs a client container that sends one request, with more words for `docker run`.
    pub(crate) fn ask(&self, word: &str, more: &[&str], request: &[&str]) -> Output {
        self.ask_as(word, more, &self.image, request)
    }

    pub(crate) fn ask_as(
        &self,
        word: &str,
        more: &[&str],
        image: &str,
        request: &[&str],
    ) -> Output {
        let mut words = if more.contains(&"--network") {
            let mut words = self.run_words(&self.name(word), "");
            words.drain(3..5);
            words
        } else {
            self.run_words(&self.name(word), &self.network())
        };
        words.push("--rm".to_owned());
        let host = format!("tcp://{}", self.proxy());
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.extend([image, "/sockwarden", "request", "-host", &host].map(str::to_owned));
        words.extend(request.iter().map(|&word| word.to_owned()));
        self.docker(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Sends one request from a container that runs, to this address of the proxy.
    pub(crate) fn ask_from(&self, word: &str, host: &str, request: &[&str]) -> Output {
        let name = self.name(word);
        let host = format!("tcp://{host}");
        let words = ["exec", &name, "/sockwarden", "request", "-host", &host];
        self.docker(&[&words[..], request].concat())
    }

    /// A container's address on a network.
    pub(crate) fn address(&self, container: &str, network: &str) -> String {
        let format = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
        self.docker_ok(&["inspect", "-f", &format, container]).trim().to_owned()
    }

    /// Starts a client container that goes on running this command.
    pub(crate) fn start_client(&self, word: &str, more: &[&str], command: &[&str]) {
        let mut words = self.run_words(&self.name(word), &self.network());
        words.push("-d".to_owned());
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.push(self.image.clone());
        words.extend(command.iter().map(|&word| word.to_owned()));
        self.docker_ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    pub(crate) fn docker(&self, words: &[&str]) -> Output {
        Process::run(self.docker_command(words))
    }

    /// buildx as a program of its own.
    pub(crate) fn buildx_command(&self) -> Command {
        let plugins = std::env::var_os("DOCKER_CLI_PLUGINS").expect("a directory of plugins");
        let mut command = Command::new(std::path::Path::new(&plugins).join("docker-buildx"));
        command.env("DOCKER_HOST", format!("unix://{}", self.socket()));
        command
    }

    pub(crate) fn docker_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", format!("unix://{}", self.socket())).args(words);
        command
    }

    #[track_caller]
    pub(crate) fn docker_ok(&self, words: &[&str]) -> String {
        let output = self.docker(words);
        assert_eq!(output.code, 0, "docker {words:?}: {}{}", output.text(), output.errors());
        output.text()
    }

    pub(crate) fn log(&self) -> String {
        self.docker(&["logs", &self.proxy()]).text()
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        wait::until(text, || self.log().contains(text).then_some(()));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nothing here may panic once more: the process would end, and leave what other tests made.
            let mut command = self.docker_command(&["logs", &self.proxy()]);
            let log = command.output().map(|it| [it.stdout, it.stderr].concat());
            let log = log.unwrap_or_else(|error| error.to_string().into_bytes());
            eprintln!("--- the proxy's log\n{}", String::from_utf8_lossy(&log));
        }
    }
}

/// Asserts that a request was answered with this status, and that what came holds these texts.
#[track_caller]
pub(crate) fn check(output: &Output, status: u16, texts: &[&str]) {
    let said = format!("{}{}", output.errors(), output.text());
    assert!(output.errors().contains(&format!("-> {status} ")), "not {status}: {said}");
    for text in texts {
        assert!(said.contains(text), "`{text}` is not in {said}");
    }
}
