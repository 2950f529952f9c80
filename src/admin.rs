//! Where sockwarden answers about itself: `http://127.0.0.1:55555/health` where it is switched on, and a private socket in Linux's abstract
//! namespace (unix(7)) for our own subcommands. The abstract socket needs no writable directory, so it works in an empty image with a
//! read-only root; it belongs to the network namespace, and answers only root and our own user.

mod why;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::audit::Audit;
use crate::bounds::Bounds;
use crate::engine::Engine;
use crate::in_force::Current;
use crate::registry::Registry;
use crate::setting::SettingName;
use crate::workers::Workers;

pub use why::{Asked, Told, Verdict};

/// The peer's address for health checks; users have it in their compose files.
pub const HEALTH_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 55555);
/// The start of our private socket's name; the process id and the pid namespace it is counted in follow, because in host networking
/// several containers, each with a process 1, share the names.
const PRIVATE_NAME: &str = "sockwarden-";
/// How many clients may ask at once; more wait.
const MAX_CLIENTS: usize = 16;
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long a question of `sockwarden why` may be.
const MAX_ASKED_BYTES: usize = 64 * 1024;

/// What the private socket and the health endpoint can tell.
#[derive(Debug)]
pub struct Admin {
    engine: Engine,
    registry: Option<Arc<Registry>>,
    bounds: Arc<Bounds>,
    workers: Arc<Workers>,
    audit: Arc<Audit>,
    in_force: Arc<Current>,
    clients: Semaphore,
}

impl Admin {
    /// Answers about this engine and, where per-container allowlists are on, about its containers.
    pub fn new(
        engine: Engine,
        registry: Option<Arc<Registry>>,
        bounds: Arc<Bounds>,
        workers: Arc<Workers>,
        audit: Arc<Audit>,
        in_force: Arc<Current>,
    ) -> Self {
        let clients = Semaphore::new(MAX_CLIENTS);
        Self { engine, registry, bounds, workers, audit, in_force, clients }
    }

    /// Binds the health endpoint.
    ///
    /// # Errors
    /// When something else has the port.
    pub async fn bind_health() -> io::Result<TcpListener> {
        TcpListener::bind(HEALTH_ADDRESS).await
    }

    /// Binds the private socket of this process.
    ///
    /// # Errors
    /// When the kernel has no such sockets.
    pub fn bind_private() -> io::Result<UnixListener> {
        let address = private_address(std::process::id())?;
        let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    }

    /// Serves the health endpoint for ever.
    pub async fn serve_health(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections
                        .spawn(Arc::clone(&self).serve_one(TokioIo::new(stream), Scope::Health));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
            while connections.try_join_next().is_some() {}
        }
    }

    /// Serves the private socket for ever.
    pub async fn serve_private(self: Arc<Self>, listener: UnixListener) {
        let us = rustix::process::geteuid().as_raw();
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, _))
                    if stream.peer_cred().is_ok_and(|peer| is_answered(peer.uid(), us)) =>
                {
                    connections
                        .spawn(Arc::clone(&self).serve_one(TokioIo::new(stream), Scope::Private));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
            while connections.try_join_next().is_some() {}
        }
    }

    async fn serve_one<I>(self: Arc<Self>, io: I, scope: Scope)
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin,
    {
        let Ok(_permit) = self.clients.acquire().await else { return };
        let service = service_fn(|request| {
            let admin = &self;
            async move { Ok::<_, Infallible>(admin.answer(request, scope).await) }
        });
        // Whoever asks gets one answer; a failure is theirs.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .keep_alive(false)
            .serve_connection(io, service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>, scope: Scope) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path(), scope) {
            (&Method::GET | &Method::HEAD, "/health", _) => {
                // Before our own question, so that it does not count.
                let mut usage = self.bounds.usage();
                usage.tasks += self.workers.tasks();
                let (status, mut body) = match self.engine.ping().await {
                    Ok(()) => (StatusCode::OK, serde_json::json!({ "status": "healthy" })),
                    Err(error) => (
                        StatusCode::SERVICE_UNAVAILABLE,
                        serde_json::json!({ "status": "unhealthy", "message": error.to_string() }),
                    ),
                };
                // How busy we are is nobody's business who can only reach the port.
                if let (Scope::Private, Some(fields)) = (scope, body.as_object_mut()) {
                    fields.insert("usage".to_owned(), serde_json::json!(usage));
                }
                json(status, &body)
            }
            (_, "/health", _) => json(
                StatusCode::METHOD_NOT_ALLOWED,
                &serde_json::json!({ "message": "ask with GET or HEAD" }),
            ),
            (&Method::GET, "/clients", Scope::Private) => self.clients().await,
            (&Method::GET, "/refusals", Scope::Private) => {
                json(StatusCode::OK, &serde_json::json!({ "refusals": self.audit.refusals() }))
            }
            (&Method::POST, "/why", Scope::Private) => self.why(request).await,
            (_, _, Scope::Health | Scope::Private) => json(
                StatusCode::NOT_FOUND,
                &serde_json::json!({ "message": "there is only /health here" }),
            ),
        }
    }

    /// Whether a client could ask for something.
    async fn why(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = Limited::new(request.into_body(), MAX_ASKED_BYTES).collect().await;
        let asked = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
        let Some(asked) = asked else {
            let message = "ask with a client, a method and a target";
            return json(StatusCode::BAD_REQUEST, &serde_json::json!({ "message": message }));
        };
        let sources = why::Sources {
            engine: &self.engine,
            registry: self.registry.as_deref(),
            in_force: &self.in_force.take(),
        };
        match why::tell(&sources, &asked).await {
            Ok(told) => json(StatusCode::OK, &serde_json::json!(told)),
            Err(why::Failure::Mistake(message)) => {
                json(StatusCode::NOT_FOUND, &serde_json::json!({ "message": message }))
            }
            Err(why::Failure::Engine(message)) => {
                json(StatusCode::BAD_GATEWAY, &serde_json::json!({ "message": message }))
            }
        }
    }

    async fn clients(&self) -> Response<Full<Bytes>> {
        let Some(registry) = &self.registry else {
            let setting = SettingName::ProxyContainerName;
            let message =
                format!("per-container allowlists are off; switch them on with {setting}");
            return json(StatusCode::NOT_FOUND, &serde_json::json!({ "message": message }));
        };
        match registry.clients(|id| self.audit.last_refusal(id)).await {
            Ok(clients) => json(
                StatusCode::OK,
                &serde_json::json!({ "fresh": registry.is_fresh(), "clients": clients }),
            ),
            Err(error) => {
                json(StatusCode::BAD_GATEWAY, &serde_json::json!({ "message": error.to_string() }))
            }
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy)]
enum Scope {
    Health,
    Private,
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Why a running sockwarden could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is none.
    #[error(
        "no running sockwarden was found in this container (network namespace); start one, or run this inside its container"
    )]
    NoneRuns,
    /// The one that was asked for is none.
    #[error(
        "process {0} is no sockwarden that runs in this container (network namespace); leave out `-pid` to find the one that does"
    )]
    NotThatOne(u32),
    /// There are several.
    #[error("several sockwardens run here (processes {0}); say which one with `-pid`")]
    SeveralRun(String),
    /// It answers others.
    #[error(
        "only root and the user that the running sockwarden runs as (uid {theirs}) may ask it; this is uid {ours}; ask as that user, for example with `docker exec -u {theirs}`"
    )]
    NotForUs {
        /// The user of the running sockwarden.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// It does not answer.
    #[error("the running sockwarden does not answer; look at its log")]
    Silent(#[source] io::Error),
}

/// Asks a running sockwarden over its private socket: the one with this process id, or the only one there is.
///
/// # Errors
/// When there is none, when there are several to choose from, or when it does not answer.
pub async fn ask(pid: Option<u32>, path: &'static str) -> Result<(StatusCode, Bytes), AskError> {
    send(pid, Method::GET, path, Bytes::new()).await
}

/// Asks a running sockwarden whether a client could ask for something; the answer is a [`Told`] or has a `message`.
///
/// # Errors
/// As [`ask`].
pub async fn ask_why(pid: Option<u32>, asked: &Asked) -> Result<(StatusCode, Bytes), AskError> {
    let body = serde_json::to_vec(asked).unwrap_or_default();
    send(pid, Method::POST, "/why", body.into()).await
}

async fn send(
    pid: Option<u32>,
    method: Method,
    path: &'static str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), AskError> {
    let (pid, nobody) = match pid {
        Some(pid) => (pid, AskError::NotThatOne(pid)),
        None => (only_one(&running().map_err(AskError::Silent)?)?, AskError::NoneRuns),
    };
    let silent = |error: hyper::Error| AskError::Silent(io::Error::other(error));
    let stream = connect(pid).map_err(|error| {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            nobody
        } else {
            AskError::Silent(error)
        }
    })?;
    // unix(7): the credentials of the one who listens. It would close the connection without a word.
    let theirs = stream.peer_cred().map_err(AskError::Silent)?.uid();
    may_ask(theirs, rustix::process::geteuid().as_raw())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(silent)?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        let _ = connection.await;
    });
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(path);
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("sockwarden"));
    let response = sender.send_request(request).await.map_err(silent)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| AskError::Silent(io::Error::other(error)))?;
    Ok((status, body.to_bytes()))
}

/// Whether a running sockwarden of one user answers another; the same rule as where it accepts.
fn may_ask(theirs: u32, ours: u32) -> Result<(), AskError> {
    if is_answered(ours, theirs) { Ok(()) } else { Err(AskError::NotForUs { theirs, ours }) }
}

fn is_answered(asker: u32, us: u32) -> bool {
    asker == us || asker == 0
}

fn private_address(pid: u32) -> io::Result<std::os::unix::net::SocketAddr> {
    std::os::unix::net::SocketAddr::from_abstract_name(format!(
        "{PRIVATE_NAME}{pid}-{}",
        pid_namespace()?
    ))
}

/// Our pid namespace as proc(5) names it: the digits of `pid:[4026531836]`.
fn pid_namespace() -> io::Result<String> {
    let link = std::fs::read_link("/proc/self/ns/pid")?;
    Ok(link.to_string_lossy().chars().filter(char::is_ascii_digit).collect())
}

fn connect(pid: u32) -> io::Result<UnixStream> {
    let stream = std::os::unix::net::UnixStream::connect_addr(&private_address(pid)?)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

fn only_one(pids: &[u32]) -> Result<u32, AskError> {
    match pids {
        [] => Err(AskError::NoneRuns),
        [pid] => Ok(*pid),
        several => Err(AskError::SeveralRun(
            several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        )),
    }
}

/// The processes of our pid namespace whose private sockets are listed in this network namespace.
fn running() -> io::Result<Vec<u32>> {
    let namespace = pid_namespace()?;
    let mut pids: Vec<u32> = std::fs::read_to_string("/proc/net/unix")?
        .lines()
        .filter_map(|line| private_pid(line, &namespace))
        .collect();
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// The process that a line of `/proc/net/unix` (proc(5); `@` stands for the leading NUL) says has a private socket of ours.
fn private_pid(line: &str, namespace: &str) -> Option<u32> {
    let name = line.split_whitespace().last()?.strip_prefix('@')?.strip_prefix(PRIVATE_NAME)?;
    let (pid, counted_in) = name.split_once('-')?;
    if counted_in == namespace { pid.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::AdmissionList;
    use crate::bounds::Limits;
    use crate::in_force::InForce;
    use crate::policy::Policy;

    #[track_caller]
    fn check(name: &str, want: Option<u32>) {
        let line = format!("00000000fbba0920: 00000002 00000000 00010000 0001 01 41663 {name}");
        assert_eq!(private_pid(&line, "4026531836"), want, "{name}");
    }

    #[test]
    fn private_sockets_are_told_by_process_and_namespace() {
        check("@sockwarden-1-4026531836", Some(1));
        check("@sockwarden-1-4026532999", None);
        check("@sockwarden-1", None);
        check("@sockwarden-x-4026531836", None);
        check("/run/sockwarden-1-4026531836", None);
        check("", None);
    }

    #[test]
    fn only_root_and_the_proxy_s_own_user_may_ask() {
        assert!(
            may_ask(65534, 0).is_ok() && may_ask(65534, 65534).is_ok() && may_ask(0, 0).is_ok()
        );
        for (theirs, ours) in [(65534, 1000), (0, 1000), (0, 65534)] {
            let text = may_ask(theirs, ours).unwrap_err().to_string();
            for part in ["only root", &format!("uid {theirs}"), &format!("uid {ours}")] {
                assert!(text.contains(part), "{text}");
            }
        }
    }

    #[tokio::test]
    async fn a_running_process_is_found_and_answers() {
        let listener = Admin::bind_private().unwrap();
        let us = std::process::id();
        assert!(running().unwrap().contains(&us));
        let engine = Engine::new(std::path::Path::new("/nonexistent/engine.sock"));
        let mut serving = JoinSet::new();
        serving.spawn(
            Arc::new(Admin::new(
                engine,
                None,
                Bounds::new(Limits::default(), 1000),
                Arc::new(Workers::start(1).unwrap()),
                Arc::default(),
                Arc::new(Current::new(InForce {
                    policy: Policy::default(),
                    admissions: AdmissionList::new(&[]),
                })),
            ))
            .serve_private(listener),
        );
        let (status, body) = ask(Some(us), "/health").await.unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(
            body["message"].as_str().unwrap().starts_with("the engine does not answer"),
            "{body}"
        );
        assert_eq!(body["usage"]["most_connections"], 1000, "{body}");
    }
}
