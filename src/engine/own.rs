//! Our own questions to the engine: a closed, read-only set, asked under an API version both sides know.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use tokio::task::JoinSet;

use super::events::EventReader;
use super::{Engine, EngineError};
use crate::client::ContainerId;
use crate::request::ApiVersion;
use crate::request::json::Json;
use crate::request::target::encoded;
use crate::rule::body::Question;
use crate::socket::SharedSocket;

/// A question of ours. There is no variant that changes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnCall<'a> {
    /// `GET /_ping`.
    Ping,
    /// `GET /version`.
    Version,
    /// `GET /containers/json`: all containers there are, running or not.
    Containers,
    /// `GET /containers/json` for one id; does not wait for a container that is just starting, as inspecting it would.
    ContainerRow(ContainerId),
    /// `GET /containers/{id}/json` by a name or id, in Docker's own characters.
    Container(&'a str),
    /// `GET /networks/{id}`.
    Network(&'a str),
    /// `GET /networks`: all networks there are.
    Networks,
    /// `GET /images/{name}/json`, by a reference or id.
    Image(&'a str),
    /// `GET /exec/{id}/json`.
    Exec(&'a str),
    /// `GET /volumes/{name}`.
    Volume(&'a str),
    /// `GET /services/{id}`.
    Service(&'a str),
    /// `GET /nodes/{id}`.
    Node(&'a str),
    /// `GET /info`.
    Info,
    /// `GET /events` about containers and networks.
    Events,
}

impl OwnCall<'_> {
    /// The path, without a version prefix; `None` for a name that could be mistaken for something else.
    fn path(&self) -> Option<String> {
        Some(match self {
            Self::Ping => "/_ping".to_owned(),
            Self::Version => "/version".to_owned(),
            Self::Containers => "/containers/json?all=1".to_owned(),
            Self::ContainerRow(id) => {
                format!("/containers/json?all=1&filters=%7B%22id%22%3A%5B%22{id}%22%5D%7D")
            }
            Self::Container(name) => format!("/containers/{}/json", plain(name)?),
            Self::Network(id) => format!("/networks/{}", segment(id)?),
            Self::Networks => "/networks".to_owned(),
            Self::Image(name) => format!("/images/{}/json", reference(name)?),
            Self::Exec(id) => format!("/exec/{}/json", plain(id)?),
            Self::Volume(name) => format!("/volumes/{}", segment(name)?),
            Self::Service(id) => format!("/services/{}", plain(id)?),
            Self::Node(id) => format!("/nodes/{}", plain(id)?),
            Self::Info => "/info".to_owned(),
            Self::Events => {
                "/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"
                    .to_owned()
            }
        })
    }

    const fn is_versioned(&self) -> bool {
        !matches!(self, Self::Ping | Self::Version)
    }
}

/// A name or id that is one path segment as it stands.
fn plain(name: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':');
    (!name.is_empty() && !matches!(name, "." | "..") && name.bytes().all(fits)).then_some(name)
}

/// A name of nearly any characters, as those of networks and volumes are, encoded as one path segment.
fn segment(name: &str) -> Option<String> {
    let is_odd = |c: char| matches!(c, '/' | '\\') || c.is_control();
    (!matches!(name, "" | "." | "..") && !name.contains(is_odd)).then(|| encoded(name))
}

/// A name with its registry and digest: segments that are none of their own.
fn reference(name: &str) -> Option<&str> {
    let fits = |segment: &str| segment.split('@').all(|part| plain(part).is_some());
    name.split('/').all(fits).then_some(name)
}

/// The newest API version whose answers we know how to read.
const NEWEST: ApiVersion = ApiVersion::new(1, 55);
/// The longest answer to one of our own questions, in bytes: a list of ten thousand containers is some fifteen million.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// How long the engine may take over one.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How many idle connections of ours are kept.
const MOST_IDLE: usize = 4;

/// A connection for our own questions.
#[derive(Debug)]
pub(super) struct OwnConnection {
    sender: SendRequest<Empty<Bytes>>,
    _driver: JoinSet<()>,
}

impl Engine {
    /// Asks one of our own questions.
    ///
    /// # Errors
    /// When the engine cannot be reached, takes longer than five seconds, or does not answer 200.
    pub async fn ask(&self, call: OwnCall<'_>) -> Result<Bytes, EngineError> {
        tokio::time::timeout(ANSWER_DEADLINE, async {
            let (response, connection) = self.open_answer(&call).await?;
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body
                .map_err(|_| EngineError::Unexpected("its answer is cut short or too long"))?
                .to_bytes();
            self.put_back(connection);
            Ok(body)
        })
        .await
        .map_err(|_| EngineError::Slow(ANSWER_DEADLINE))?
    }

    /// Asks one of our own questions and reads the answer's JSON; `None` where the engine says there is no such object.
    ///
    /// # Errors
    /// As for [`Engine::ask`], and when the answer is not the JSON it should be.
    pub async fn ask_for<T: DeserializeOwned>(
        &self,
        call: OwnCall<'_>,
    ) -> Result<Option<T>, EngineError> {
        match self.ask(call).await {
            Ok(answer) => serde_json::from_slice(&answer)
                .map(Some)
                .map_err(|_| EngineError::Unexpected("its answer is not the JSON it should be")),
            Err(EngineError::Refused(StatusCode::NOT_FOUND)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks what a judgement needs to know: the object as the engine describes it, or `None` where it has none.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    pub async fn answer(&self, question: &Question) -> Result<Option<Json>, EngineError> {
        let call = match question {
            Question::Container(name) => OwnCall::Container(name),
            Question::Exec(id) => OwnCall::Exec(id),
            Question::Image(name) => OwnCall::Image(name),
            Question::Info => OwnCall::Info,
            Question::Network(name) => OwnCall::Network(name),
            Question::Node(name) => OwnCall::Node(name),
            Question::Service(id) => OwnCall::Service(id),
            Question::Version => OwnCall::Version,
            Question::Volume(name) => OwnCall::Volume(name),
        };
        match self.ask(call).await {
            Ok(answer) => Json::parse_answer(&answer)
                .map(Some)
                .map_err(|_| EngineError::Unexpected("its answer is not the JSON it should be")),
            Err(EngineError::Refused(StatusCode::NOT_FOUND)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for all containers and keeps of each row what `keep` makes of it; the rows themselves are never held together, because
    /// ten thousand of them are large.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    pub async fn containers<T: Send + 'static>(
        &self,
        keep: impl FnMut(ContainerRow) -> Option<T> + Send + 'static,
    ) -> Result<Vec<T>, EngineError> {
        let answer = self.ask(OwnCall::Containers).await?;
        // Reading them takes a while; the threads that serve requests have better things to do.
        let read = tokio::task::spawn_blocking(move || {
            let mut json = serde_json::Deserializer::from_slice(&answer);
            let kept = serde::Deserializer::deserialize_seq(&mut json, Rows(keep))?;
            json.end().map(|()| kept)
        });
        let kept = read.await.ok().and_then(Result::ok);
        kept.ok_or(EngineError::Unexpected("its list is not the JSON it should be"))
    }

    /// Whether the engine answers a ping.
    ///
    /// # Errors
    /// As for [`Engine::ask`].
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.ask(OwnCall::Ping).await.map(|_| ())
    }

    /// Which engine it is.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    pub async fn version(&self) -> Result<EngineVersion, EngineError> {
        self.ask_for(OwnCall::Version).await?.ok_or(EngineError::Refused(StatusCode::NOT_FOUND))
    }

    /// Agrees on an API version with the engine as it is now: its newest, but none newer than ours. To be asked again when the engine may
    /// have been replaced.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`], and when no version fits.
    pub async fn negotiate(&self) -> Result<ApiVersion, EngineError> {
        let version = self.version().await?;
        let newest = ApiVersion::parse(&version.api_version)
            .ok_or(EngineError::Unexpected("it names no API version"))?;
        let agreed = newest.min(NEWEST);
        let oldest = ApiVersion::parse(&version.min_api_version).unwrap_or(ApiVersion::OLDEST);
        if agreed < oldest || agreed < ApiVersion::OLDEST {
            return Err(EngineError::Unexpected(
                "there is no API version that it and we both speak",
            ));
        }
        self.is_docker.store(version.is_docker(), Ordering::SeqCst);
        *self.api.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(agreed);
        Ok(agreed)
    }

    /// Whether the engine tells of a container's creation before the container can speak, as Docker's does. Podman reads its events back
    /// from a file or the journal, and a container may be running by then.
    pub fn tells_in_time(&self) -> bool {
        self.is_docker.load(Ordering::SeqCst)
    }

    /// Subscribes to events; they come from the moment this returns.
    ///
    /// # Errors
    /// When the engine cannot be reached or does not answer 200 in time.
    pub async fn events(&self) -> Result<EventStream, EngineError> {
        let opened =
            tokio::time::timeout(ANSWER_DEADLINE, self.open_answer(&OwnCall::Events)).await;
        let (response, connection) = opened.map_err(|_| EngineError::Slow(ANSWER_DEADLINE))??;
        Ok(EventStream {
            body: response.into_body(),
            reader: EventReader::default(),
            _connection: connection,
        })
    }

    async fn open_answer(
        &self,
        call: &OwnCall<'_>,
    ) -> Result<(http::Response<Incoming>, OwnConnection), EngineError> {
        let mut path =
            call.path().ok_or(EngineError::Unexpected("we would ask for an odd name"))?;
        if call.is_versioned() {
            let known = *self.api.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let version = match known {
                Some(version) => version,
                None => Box::pin(self.negotiate()).await?,
            };
            path = format!("/v{version}{path}");
        }
        let uri: http::Uri =
            path.parse().map_err(|_| EngineError::Unexpected("we would ask for an odd path"))?;
        loop {
            let mut request = http::Request::new(Empty::<Bytes>::new());
            *request.uri_mut() = uri.clone();
            request.headers_mut().insert(header::HOST, HeaderValue::from_static("docker"));
            request
                .headers_mut()
                .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
            let idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
            let reused = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => self.own_connection().await?,
            };
            match connection.sender.send_request(request).await {
                Ok(response) if response.status() == StatusCode::OK => {
                    return Ok((response, connection));
                }
                Ok(response) => return Err(EngineError::Refused(response.status())),
                // Our questions change nothing, so asking again on a fresh connection is always right.
                Err(_) if reused => {}
                Err(error) => return Err(EngineError::Broken(error.into())),
            }
        }
    }

    async fn own_connection(&self) -> Result<OwnConnection, EngineError> {
        let socket = self.connect().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(SharedSocket(socket)))
            .await
            .map_err(|error| EngineError::Broken(error.into()))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Its failure reaches whoever waits for the answer.
            let _ = connection.await;
        });
        Ok(OwnConnection { sender, _driver: driver })
    }

    fn put_back(&self, connection: OwnConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if idle.len() < MOST_IDLE && !connection.sender.is_closed() {
            idle.push(connection);
        }
    }
}

/// Reads the rows of a list one by one.
struct Rows<F>(F);

impl<'de, T, F: FnMut(ContainerRow) -> Option<T>> Visitor<'de> for Rows<F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of containers")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<Vec<T>, A::Error> {
        let mut kept = Vec::new();
        while let Some(row) = rows.next_element()? {
            kept.extend((self.0)(row));
        }
        Ok(kept)
    }
}

/// What happens at the engine, as it happens.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    reader: EventReader,
    _connection: OwnConnection,
}

impl EventStream {
    /// The next event; `None` at the end of the stream. Cancel-safe.
    ///
    /// # Errors
    /// When the stream breaks, or holds something that is no event.
    pub async fn next(&mut self) -> Result<Option<Event>, EngineError> {
        loop {
            if let Some(event) = self.reader.next_event()? {
                return Ok(Some(event));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(EngineError::Broken(error.into())),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.reader.push(&data);
                    }
                }
            }
        }
    }
}

/// One event. The engine copies a container's labels over the attributes of its events, so of those only the ones of networks are read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Event {
    /// `container` or `network`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What happened, for example `die`.
    pub action: String,
    /// What it happened to.
    pub actor: Actor,
}

/// What an event happened to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Actor {
    /// The full id of the container or network.
    #[serde(rename = "ID")]
    pub id: String,
    /// What else is told of it.
    #[serde(rename = "Attributes")]
    pub attributes: Attributes,
}

impl Event {
    /// What happened, in Docker's word where Podman has another.
    pub fn docker_action(&self) -> &str {
        match self.action.as_str() {
            "died" => "die",
            "remove" => "destroy",
            action => action,
        }
    }

    /// The container that came to a network or left it, and the network. Docker's events are about the network and name the container
    /// beside it; Podman's are about the container and do not say which network it was.
    pub fn member(&self) -> Option<(ContainerId, Option<&str>)> {
        let Actor { id, attributes } = &self.actor;
        if attributes.container.is_empty() {
            return Some((ContainerId::parse(id)?, None));
        }
        Some((ContainerId::parse(&attributes.container)?, Some(id)))
    }
}

/// What a network event tells besides the network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// The full id of the container that was connected or disconnected.
    pub container: String,
}

/// What `GET /version` says of the engine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EngineVersion {
    /// The engine's version, for example `28.5.2`.
    pub version: String,
    /// Its newest API version, for example `1.51`.
    pub api_version: String,
    /// The oldest API version it accepts.
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
    /// The programs that it is made of.
    pub components: Option<Vec<Component>>,
}

impl EngineVersion {
    /// Whether it is Docker's engine, and not another that speaks its API.
    pub fn is_docker(&self) -> bool {
        self.components.iter().flatten().any(|component| component.name == "Engine")
    }
}

/// A program that an engine is made of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Component {
    /// `Engine` is Docker's, `Podman Engine` Podman's.
    pub name: String,
}

/// A row of `GET /containers/json`. `null` is what Go writes for an empty map.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerRow {
    /// The full id.
    pub id: String,
    /// Names with a leading slash; link aliases have two.
    pub names: Option<Vec<String>>,
    /// The full id of its image.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// Its labels, the image's merged in.
    pub labels: Option<BTreeMap<String, String>>,
    /// `running`, `exited` and so on.
    pub state: String,
    /// How it was created.
    pub host_config: HostConfig,
    /// Where it is attached.
    pub network_settings: NetworkSettings,
}

impl ContainerRow {
    /// Its own name: the one that is not a link's alias.
    pub fn name(&self) -> &str {
        let names = self.names.as_deref().unwrap_or_default().iter();
        names
            .filter_map(|name| name.strip_prefix('/'))
            .find(|name| !name.contains('/'))
            .unwrap_or_default()
    }
}

/// `GET /containers/{id}/json`, as far as we read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerInspect {
    /// The full id.
    pub id: String,
    /// The name with a leading slash.
    pub name: String,
    /// Whether it runs.
    pub state: ContainerState,
    /// What it was created with.
    pub config: ContainerConfig,
    /// How it was created.
    pub host_config: HostConfig,
    /// Where it is attached.
    pub network_settings: NetworkSettings,
}

/// What a container was created with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// The labels that a swarm gives to its tasks; of others nothing is kept.
    pub labels: Option<SwarmLabels>,
}

/// The labels by which a container is known as the task of a swarm; empty where it is none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SwarmLabels {
    /// The id of its service.
    #[serde(rename = "com.docker.swarm.service.id")]
    pub service: String,
    /// The name of its service.
    #[serde(rename = "com.docker.swarm.service.name")]
    pub service_name: String,
    /// The id of its node.
    #[serde(rename = "com.docker.swarm.node.id")]
    pub node: String,
}

/// Whether a container runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerState {
    /// It has a process, paused or not.
    pub running: bool,
    /// It will have one again in a moment.
    pub restarting: bool,
}

/// How a container was created.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostConfig {
    /// A network, `host`, `none`, or `container:<full id>`.
    pub network_mode: String,
    /// Whether it has every capability.
    pub privileged: bool,
    /// Capabilities it has on top of the default ones.
    pub cap_add: Option<Vec<String>>,
    /// Capabilities it lacks.
    pub cap_drop: Option<Vec<String>>,
}

/// Where a container is attached.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkSettings {
    /// By network name, which need not be unique; the id is inside.
    pub networks: Option<BTreeMap<String, Endpoint>>,
}

/// A container's place on one network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Endpoint {
    /// The network's full id.
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    /// Its IPv4 address, or nothing.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// Its IPv6 address, or nothing.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// The IPv4 gateway, or nothing.
    pub gateway: String,
    /// The IPv6 gateway, or nothing.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// The names it answers to there besides its own.
    pub aliases: Option<Vec<String>>,
}

/// `GET /networks/{id}`, as far as we read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkInspect {
    /// The full id.
    pub id: String,
    /// The name.
    pub name: String,
    /// Its addresses.
    #[serde(rename = "IPAM")]
    pub ipam: Ipam,
    /// Who is attached, by full container id; endpoints without a container have keys that start with `ep-`.
    pub containers: Option<BTreeMap<String, Member>>,
}

/// A network's addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Ipam {
    /// One entry per address pool.
    pub config: Option<Vec<IpamPool>>,
}

/// One pool of a network's addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IpamPool {
    /// For example `172.18.0.0/16`.
    pub subnet: String,
    /// The bridge's own address, sometimes with a prefix length.
    pub gateway: String,
}

/// A container on a network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its IPv4 address with prefix length, or nothing.
    #[serde(rename = "IPv4Address")]
    pub ipv4_address: String,
    /// Its IPv6 address with prefix length, or nothing.
    #[serde(rename = "IPv6Address")]
    pub ipv6_address: String,
}

/// `GET /images/{id}/json`, as far as we read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageInspect {
    /// What containers get from it.
    pub config: Option<ImageConfig>,
}

/// What containers get from an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageConfig {
    /// Its labels.
    pub labels: Option<BTreeMap<String, String>>,
}
