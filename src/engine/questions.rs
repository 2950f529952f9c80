//! Our own questions to the engine: a closed, read-only set, asked under an API version both sides know.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::door::{Engine, OwnConnection};
use super::error::EngineError;
use super::events::EventReader;
use crate::clauses::Question;
use crate::client::ContainerId;
use crate::request::ApiVersion;
use crate::request::json::Json;
use crate::request::json::keep::Keep;
use crate::request::json::skim::{NotJson, Record, Shape, Skimmer};
use crate::request::target::encoded;
use crate::socket::SharedSocket;

use super::told::CONTAINER_ROW;
pub use super::told::{
    Actor, Attributes, ContainerInspect, ContainerRow, ContainerState, Endpoint, EngineVersion,
    Event, HostConfig, ImageConfig, ImageInspect, Ipam, IpamPool, Made, Member, Mount,
    NetworkInspect, NetworkSettings, Told, is_named_by_build,
};

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
/// How much is kept at most of an answer that a judgement needs, in bytes.
const MOST_ANSWER_BYTES: usize = 512 * 1024;
/// How much is kept at most of another answer, in bytes: a network of ten thousand containers is some two million.
const MOST_OBJECT_BYTES: usize = 4 * 1024 * 1024;
/// How much is kept at most of one container in a list, in bytes.
const MOST_ROW_BYTES: usize = 256 * 1024;
/// The longest answer to a ping, in bytes.
const MOST_PING_BYTES: usize = 64 * 1024;
/// How much of an answer is read at once, in bytes; its head must fit too.
const READ_BYTES: usize = 32 * 1024;
const NO_JSON: &str = "its answer is not the JSON it should be";
const TOO_LONG: &str = "it has more to say of an object than is read";
/// How long the engine may take over one, and be silent over a long one.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a list of all containers may take.
const LIST_DEADLINE: Duration = Duration::from_mins(1);
/// How many idle connections of ours are kept.
const MOST_IDLE: usize = 4;

impl Engine {
    /// Asks one of our own questions, and keeps of the answer what is listed: nothing else of it is ever held.
    ///
    /// # Errors
    /// When the engine cannot be reached, takes longer than five seconds, does not answer 200, or has more to say than may be kept. A list of
    /// all containers may go on for longer, as long as it goes on: their labels may be hundreds of megabytes.
    async fn skim(
        &self,
        call: OwnCall<'_>,
        shape: Shape,
        keep: &'static Keep,
        most: usize,
        mut take: impl FnMut(Record<'_>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let asked = self.skim_once(&call, shape, keep, most, &mut take).await;
        match asked {
            // Podman 4.3 fails at times over an image that is being made or removed beside it, and answers well a moment later.
            Err(EngineError::Refused(status))
                if status.is_server_error() && matches!(call, OwnCall::Image(_)) =>
            {
                self.skim_once(&call, shape, keep, most, &mut take).await
            }
            asked => asked,
        }
    }

    async fn skim_once(
        &self,
        call: &OwnCall<'_>,
        shape: Shape,
        keep: &'static Keep,
        most: usize,
        mut take: impl FnMut(Record<'_>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let wrong = |NotJson| EngineError::Unexpected(NO_JSON);
        let slow = |_| EngineError::Slow(ANSWER_DEADLINE);
        let whole = if *call == OwnCall::Containers { LIST_DEADLINE } else { ANSWER_DEADLINE };
        let end = Instant::now() + whole;
        let opened = timeout(ANSWER_DEADLINE, self.open_answer(call)).await;
        let (response, connection) = opened.map_err(slow)??;
        let mut body = response.into_body();
        let mut skimmer = Skimmer::new(shape, keep, self.labels.clone(), most);
        let mut taken = Ok(());
        let mut take = |record: Record<'_>| {
            if taken.is_ok() {
                taken = take(record);
            }
        };
        loop {
            let until = end.min(Instant::now() + ANSWER_DEADLINE);
            let frame = timeout_at(until, body.frame()).await.map_err(slow)?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| EngineError::Unexpected("its answer is cut short"))?;
            if let Ok(data) = frame.into_data() {
                skimmer.push(&data, &mut take).map_err(wrong)?;
                // A long answer holds up nobody else.
                tokio::task::yield_now().await;
            }
        }
        skimmer.finish(&mut take).map_err(wrong)?;
        taken?;
        self.put_back(connection);
        Ok(())
    }

    /// Asks one of our own questions and reads the answer's JSON; `None` where the engine says there is no such object.
    ///
    /// # Errors
    /// When the engine cannot be reached, takes longer than five seconds, does not answer 200, or the answer is not the JSON it should be.
    pub async fn ask_for<T: Told>(&self, call: OwnCall<'_>) -> Result<Option<T>, EngineError> {
        let mut told = None;
        let asked = self.skim(call, Shape::One, T::KEPT, MOST_OBJECT_BYTES, |record| {
            told = Some(read(record)?);
            Ok(())
        });
        match asked.await {
            Ok(()) => Ok(told),
            Err(EngineError::Refused(StatusCode::NOT_FOUND)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks what a judgement needs to know: the object as the engine describes it, as far as a clause reads it, and what it takes of memory; or
    /// `None` where it has none.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    pub async fn answer(&self, question: &Question) -> Result<Option<(Json, usize)>, EngineError> {
        let call = match question {
            Question::Container(name) | Question::Labels(name) | Question::Settings(name) => {
                OwnCall::Container(name)
            }
            Question::Exec(id) => OwnCall::Exec(id),
            Question::Image(name) => OwnCall::Image(name),
            Question::Info => OwnCall::Info,
            Question::Network(name) => OwnCall::Network(name),
            Question::Node(name) => OwnCall::Node(name),
            Question::Service(id) => OwnCall::Service(id),
            Question::Version => OwnCall::Version,
            Question::Volume(name) => OwnCall::Volume(name),
        };
        // Many at once would hold many answers at once.
        let seat = timeout(ANSWER_DEADLINE, self.seats.acquire()).await;
        let _seat = seat.map_err(|_| EngineError::Slow(ANSWER_DEADLINE))?;
        let mut told = None;
        let asked = self.skim(call, Shape::One, question.kept(), MOST_ANSWER_BYTES, |record| {
            if record.is_cut {
                return Err(EngineError::Unexpected(TOO_LONG));
            }
            let answer = Json::parse_answer(record.text);
            let answer = answer.map_err(|_| EngineError::Unexpected(NO_JSON))?;
            told = Some((answer, Json::memory(record.text)));
            Ok(())
        });
        match asked.await {
            Ok(()) => Ok(told),
            Err(EngineError::Refused(StatusCode::NOT_FOUND)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for a list of containers and keeps of each row what `keep` makes of it; the rows themselves are never held together, because
    /// ten thousand of them are large. A row that has more to say than may be kept of it comes with what is missing
    /// ([`ContainerRow::is_cut`]).
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    async fn rows(
        &self,
        call: OwnCall<'_>,
        mut keep: impl FnMut(ContainerRow),
    ) -> Result<(), EngineError> {
        let take = |record: Record<'_>| {
            let row = serde_json::from_slice(record.text);
            let row: ContainerRow = row.map_err(|_| EngineError::Unexpected(NO_JSON))?;
            keep(ContainerRow { is_cut: record.is_cut, ..row });
            Ok(())
        };
        self.skim(call, Shape::Rows, &CONTAINER_ROW, MOST_ROW_BYTES, take).await
    }

    /// Asks for all containers and keeps of each row what `keep` makes of it.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    pub async fn containers<T>(
        &self,
        mut keep: impl FnMut(ContainerRow) -> Option<T>,
    ) -> Result<Vec<T>, EngineError> {
        let mut kept = Vec::new();
        self.rows(OwnCall::Containers, |row| kept.extend(keep(row))).await?;
        Ok(kept)
    }

    /// Asks for the row of one container; does not wait for one that is just starting, as inspecting it would.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    pub async fn container_row(
        &self,
        id: ContainerId,
    ) -> Result<Option<ContainerRow>, EngineError> {
        let name = id.to_string();
        let mut found = None;
        let take = |row: ContainerRow| {
            if row.id == name {
                found = Some(row);
            }
        };
        self.rows(OwnCall::ContainerRow(id), take).await?;
        Ok(found)
    }

    /// Whether the engine answers a ping.
    ///
    /// # Errors
    /// As for [`Engine::ask_for`].
    pub async fn ping(&self) -> Result<(), EngineError> {
        timeout(ANSWER_DEADLINE, async {
            let (response, connection) = self.open_answer(&OwnCall::Ping).await?;
            let body = Limited::new(response.into_body(), MOST_PING_BYTES).collect().await;
            body.map_err(|_| EngineError::Unexpected("its answer is cut short or too long"))?;
            self.put_back(connection);
            Ok(())
        })
        .await
        .map_err(|_| EngineError::Slow(ANSWER_DEADLINE))?
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

    /// The version that was agreed last; the oldest if none was.
    pub fn agreed(&self) -> ApiVersion {
        let known = *self.api.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.unwrap_or(ApiVersion::OLDEST)
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
        let opened = timeout(ANSWER_DEADLINE, self.open_answer(&OwnCall::Events)).await;
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
        #[cfg(test)]
        if let Some(scripted) = &self.scripted {
            return handshake(scripted.dial()?).await;
        }
        handshake(SharedSocket(self.connect().await?)).await
    }

    fn put_back(&self, connection: OwnConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if idle.len() < MOST_IDLE && !connection.sender.is_closed() {
            idle.push(connection);
        }
    }
}

/// Begins to speak HTTP.
async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<OwnConnection, EngineError> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(READ_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| EngineError::Broken(error.into()))?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // Its failure reaches whoever waits for the answer.
        let _ = connection.await;
    });
    Ok(OwnConnection { sender, _driver: driver })
}

/// Reads what was kept of an answer.
fn read<T: DeserializeOwned>(record: Record<'_>) -> Result<T, EngineError> {
    if record.is_cut {
        return Err(EngineError::Unexpected(TOO_LONG));
    }
    serde_json::from_slice(record.text).map_err(|_| EngineError::Unexpected(NO_JSON))
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
                        // A long event holds up nobody else.
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }
}
