//! A stage for a test: a fake engine, the proxy in front of it, and clients that write exact bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sockwarden::admission::AllowFrom;
use sockwarden::bounds::Limits;
use sockwarden::config::Config;
use sockwarden::listen::ListenerAddress;
use sockwarden::log::LogSettings;
use sockwarden::request::Method;
use sockwarden::rule::{AnchoredRegex, Origin, Rule, RuleSet};
use sockwarden::run::{Ended, StartError, serve};
use sockwarden::workers::Workers;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fake_engine::{Connection, FakeEngine, PATIENCE, Reply, Request, Step, docker_like};

/// What a stage is set up with.
pub(crate) struct Setup {
    dir: TempDir,
    pub(crate) config: Config,
    script: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
}

/// Everything a test plays with. The proxy and the engine end with it.
pub(crate) struct Stage {
    pub(crate) engine: FakeEngine,
    address: Address,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinSet<Result<Ended, StartError>>,
    /// Removed last.
    pub(crate) dir: TempDir,
}

#[derive(Clone)]
enum Address {
    Tcp(String),
    Unix(PathBuf),
}

impl Setup {
    /// A proxy on a free TCP port that allows these lines, each a method and a pattern.
    pub(crate) fn allowing(lines: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rule = |line: &&str| {
            let (method, pattern) = line.split_once(' ').unwrap();
            Rule {
                origin: Origin::Flag(format!("-allow{method}")),
                method: Method::parse(method).unwrap(),
                path: Arc::new(AnchoredRegex::new(pattern).unwrap()),
            }
        };
        let config = Config {
            listener: ListenerAddress::Tcp("127.0.0.1:0".parse().unwrap()),
            allow_from: vec![AllowFrom::Net("127.0.0.1/32".parse().unwrap())],
            engine_socket: dir.path().join("engine.sock"),
            rules: lines.iter().map(rule).collect::<RuleSet>(),
            words: sockwarden::rule::words::Words::default(),
            images: None,
            own_host_access: None,
            assumed: sockwarden::config::Assumed::Nothing,
            bodies: sockwarden::clauses::Defaults {
                bind_mount_from: None,
                deny_host_mounts: false,
                deny_network_volumes: false,
                host_access: sockwarden::rule::HostAccess::Allow,
                admitted: sockwarden::clauses::Names::default(),
                engine_socket: String::new(),
                exceptions: sockwarden::rule::words::Exceptions::default(),
            },
            health_endpoint: false,
            watchdog: None,
            shutdown_grace: PATIENCE,
            limits: Limits::default(),
            sandbox: false,
            log: LogSettings { level: tracing::Level::ERROR, json: false },
            own_container: None,
            label_prefixes: Vec::new(),
            trust_image_labels: false,
            by_variable: Vec::new(),
            warnings: Vec::new(),
        };
        Self { dir, config, script: Box::new(docker_like) }
    }

    /// Everything the Engine API has, and more.
    pub(crate) fn allowing_all() -> Self {
        let lines: Vec<String> = Method::ALL.iter().map(|method| format!("{method} .*")).collect();
        Self::allowing(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Answers as the script says; what the proxy asks on its own is answered all the same.
    pub(crate) fn script(
        mut self,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Answers every request alike.
    pub(crate) fn reply(self, reply: Reply) -> Self {
        self.script(move |_| reply.clone())
    }

    /// Changes the configuration.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Listens on a Unix socket in the stage's directory.
    pub(crate) fn on_unix_socket(self, mode: u32) -> Self {
        let path = self.path("proxy.sock");
        self.with(|config| config.listener = ListenerAddress::Unix { path, mode })
    }

    /// A path in the stage's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts engine and proxy.
    pub(crate) async fn start(self) -> Stage {
        self.try_start().await.unwrap()
    }

    /// Starts engine and proxy, or says why the proxy does not.
    pub(crate) async fn try_start(self) -> Result<Stage, StartError> {
        let Self { dir, config, script } = self;
        let engine = FakeEngine::start(&config.engine_socket, move |request| {
            if is_own_question(request) {
                // Else the proxy would keep the connection for its next question.
                docker_like(request).then(Step::Close)
            } else {
                script(request)
            }
        })
        .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = oneshot::channel();
        let mut serving = JoinSet::new();
        let asked = async {
            let _ = stopped.await;
        };
        serving.spawn(serve(config, Workers::start(2).unwrap(), asked, ready));
        let Ok(address) = timeout(PATIENCE, is_ready).await.unwrap() else {
            let ended = serving.join_next().await.unwrap().unwrap();
            return Err(ended.expect_err("it ended before it was ready"));
        };
        // The proxy tries the socket and asks for the version; that is not what tests are about.
        engine
            .until("the proxy's own question", |all| {
                all.iter().flat_map(|it| &it.requests).any(|it| it.line() == "GET /version")
                    && all.iter().all(|it| it.closed)
            })
            .await;
        engine.forget();
        let address = match address.split_once("://").unwrap() {
            ("tcp", address) => Address::Tcp(address.to_owned()),
            (_, path) => Address::Unix(path.into()),
        };
        Ok(Stage { engine, address, stop: Some(stop), serving, dir })
    }
}

pub(crate) fn is_own_question(request: &Request) -> bool {
    matches!(request.line().as_str(), "GET /version" | "GET /_ping")
        && request.field("User-Agent").is_none()
        && request.field("Accept") == Some("application/json")
}

impl Stage {
    /// A new connection to the proxy.
    pub(crate) async fn client(&self) -> Client {
        self.try_client().await.unwrap()
    }

    /// A new connection, if the proxy still listens.
    pub(crate) async fn try_client(&self) -> std::io::Result<Client> {
        let stream: Box<dyn Stream> = match &self.address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        Ok(Client { stream, unread: Vec::new(), patience: PATIENCE })
    }

    /// A new connection to the proxy from this address of the machine's own.
    pub(crate) async fn client_from(&self, address: &str) -> Client {
        let Address::Tcp(proxy) = &self.address else { panic!("the proxy listens on no address") };
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let stream = socket.connect(proxy.parse().unwrap()).await.unwrap();
        Client::over(stream)
    }

    /// One request on a connection of its own, and its answer.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.client().await;
        client.send(&request).await;
        client.answer_to(request).await
    }

    /// Asks the proxy to stop, as a signal would.
    pub(crate) fn ask_to_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until the proxy has stopped.
    pub(crate) async fn ended(&mut self) -> Ended {
        let ended = timeout(2 * PATIENCE, self.serving.join_next()).await;
        ended.expect("the proxy goes on").unwrap().unwrap().unwrap()
    }

    /// Gives the engine the chance to see everything that is on its way, then says what reached it.
    pub(crate) async fn reached(&self) -> Vec<Connection> {
        // Connections are accepted in order, so whatever was connected before this one is recorded when it is answered.
        let mut stream = UnixStream::connect(self.engine.path()).await.unwrap();
        let question = b"GET /version HTTP/1.1\r\nHost: test\r\n\r\n";
        stream.write_all(question).await.unwrap();
        timeout(PATIENCE, stream.read(&mut [0; 1024])).await.unwrap().unwrap();
        let mut all = self.engine.connections();
        all.retain(|connection| connection.raw != question);
        let broken: Vec<_> =
            all.iter().filter_map(|connection| connection.broken.as_ref()).collect();
        assert!(broken.is_empty(), "the engine could not read {broken:?}");
        all
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to the proxy.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    patience: Duration,
}

/// One answer as the client sees it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the framing says that nothing is missing.
    pub(crate) whole: bool,
}

impl Client {
    /// Over a connection that is there.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: Box::new(stream), unread: Vec::new(), patience: PATIENCE }
    }

    /// The same client, which waits so long for the proxy.
    pub(crate) fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Writes exactly these bytes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    /// Writes these bytes, if the proxy still takes them.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        timeout(self.patience, self.stream.write_all(bytes.as_ref()))
            .await
            .expect("the proxy reads on")
    }

    /// Ends our direction.
    pub(crate) async fn end_writing(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads more; false at the end of the stream.
    async fn fill(&mut self) -> bool {
        let read = timeout(self.patience, self.stream.read_buf(&mut self.unread)).await;
        matches!(read.expect("something comes from the proxy"), Ok(1..))
    }

    /// The next answer, interim ones included.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The answer to this request: one to HEAD has no body, whatever its length says.
    pub(crate) async fn answer_to(&mut self, request: impl AsRef<[u8]>) -> Answer {
        let head = self.head().await;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
        let mut answer = Answer { status, head, body: Vec::new(), whole: true };
        if request.as_ref().starts_with(b"HEAD") || matches!(status, 100..200 | 204 | 304) {
            return answer;
        }
        if answer.field("Transfer-Encoding").as_deref() == Some("chunked") {
            answer.whole = self.chunks(&mut answer.body).await;
        } else if let Some(length) = answer.field("Content-Length") {
            answer.body = self.up_to(length.parse().unwrap()).await;
            answer.whole = answer.body.len().to_string() == length;
        } else {
            while self.fill().await {}
            answer.body = std::mem::take(&mut self.unread);
        }
        answer
    }

    /// The answer to this request, or nothing where the connection ends before it.
    pub(crate) async fn answer_if_any(&mut self, request: impl AsRef<[u8]>) -> Option<Answer> {
        while self.unread.len() < 4 {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.answer_to(request).await)
    }

    /// The next head alone.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.unread.windows(4).position(|it| it == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..at + 4).collect();
                return String::from_utf8_lossy(&head).into_owned();
            }
            let more = self.fill().await;
            assert!(more, "no answer, only {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// Reads until the end of a chunked body; false when it was cut.
    async fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            match self.chunk().await {
                Some(chunk) if chunk.is_empty() => return true,
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return false,
            }
        }
    }

    /// The next chunk, empty for the last one; `None` when it was cut.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let at = loop {
            match self.unread.windows(2).position(|it| it == b"\r\n") {
                Some(at) => break at,
                None if self.fill().await => {}
                None => return None,
            }
        };
        let line: Vec<u8> = self.unread.drain(..at + 2).take(at).collect();
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap(), 16).unwrap();
        let mut chunk = self.up_to(size + 2).await;
        let whole = chunk.len() == size + 2;
        chunk.truncate(size);
        whole.then_some(chunk)
    }

    /// So many bytes, or fewer where the stream ends.
    pub(crate) async fn up_to(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length && self.fill().await {}
        self.unread.drain(..length.min(self.unread.len())).collect()
    }

    /// Everything up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.unread)
    }

    /// Fails unless the proxy ends the connection without another byte.
    pub(crate) async fn ends(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "before the end came {:?}", String::from_utf8_lossy(&rest));
    }

    /// Reading and writing at the same time.
    pub(crate) async fn exchange(&mut self, up: &[u8], down: usize) -> Vec<u8> {
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let mut received = std::mem::take(&mut self.unread);
        let reading = async {
            while received.len() < down && reader.read_buf(&mut received).await.unwrap() > 0 {}
        };
        let both = async { tokio::join!(reading, writer.write_all(up)).1.unwrap() };
        timeout(4 * PATIENCE, both).await.unwrap();
        received
    }
}

impl Answer {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the proxy said that it closes the connection.
    pub(crate) fn closes(&self) -> bool {
        self.field("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The `message` of a JSON body.
    pub(crate) fn message(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = body.get("message").and_then(serde_json::Value::as_str);
        message
            .unwrap_or_else(|| panic!("no message in {:?} {}", self.head, self.text()))
            .to_owned()
    }
}

/// Runs a case on a runtime of its own, so that a failing check points at its line.
pub(crate) fn run<T>(case: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(case)
}

/// A request without a body; `GET /path` and fields, if any.
pub(crate) fn get(line: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().flat_map(|field| [field, "\r\n"]).collect();
    format!("{line} HTTP/1.1\r\nHost: sockwarden:2375\r\nUser-Agent: test\r\n{fields}\r\n")
}

/// A request with a body of a known length.
pub(crate) fn with_body(line: &str, content_type: &str, body: &str) -> String {
    let content_type = format!("Content-Type: {content_type}");
    let length = format!("Content-Length: {}", body.len());
    get(line, &[&content_type, &length]) + body
}

/// Waits until a condition holds that nobody announces.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, polling).await.is_ok(), "{what} did not happen");
}
