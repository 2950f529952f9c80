//! One client connection, from accept to its last record: read, judge, carry, answer.

pub mod gate;
pub mod hijack;
mod inspection;
mod rarely;
pub mod refusal;

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::admission::AdmissionList;
use crate::audit::{Outcome, Record, Verdict};
use crate::bounds::{Bounds, Limit, OpenStream, Place};
use crate::client::{Admission, Client, Identity, Peer, WhyUnknown};
use crate::engine::{Answer, AnswerBody, Engine, EngineBody, EngineEnd, EngineError, Link};
use crate::policy::{Allowed, DeclaredBody, Policy};
use crate::registry::{Cut, Recognised, Registry};
use crate::request::{AnswerKind, Head, Method, Operation, write_field};
use crate::rule::body::Protected;
use crate::rule::labels::Rights;
use crate::socket::Socket;
use gate::{Gate, GateShared, Refused};
use inspection::{Inspector, Settled};
use rarely::Rarely;

/// How long a request goes on, with nothing written, for a client that has ended its direction: `printf … | nc -N` still gets its
/// answer, and a client that was killed frees the engine.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection that we end is read from, so that the client sees our answer before a reset.
const LINGER: Duration = Duration::from_secs(1);
/// The least that hyper may be told to buffer of one connection, in bytes.
const LEAST_HTTP_BUFFER_BYTES: usize = 8 * 1024;
/// What hyper's own limit on the fields of a head is where it is not told another; with it the fields need no allocation.
const HYPER_FIELDS: usize = 100;

/// What every connection shares.
#[derive(Debug)]
pub struct Proxy {
    policy: Policy,
    admissions: AdmissionList,
    engine: Engine,
    /// Knows containers, where per-container allowlists are on.
    registry: Option<Arc<Registry>>,
    inspector: Inspector,
    finite: Finite,
}

/// How far a stop has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nobody asked for one.
    Running,
    /// No new connections and requests; what runs may finish.
    Draining,
    /// Everything closes now.
    Closing,
}

impl Proxy {
    /// A proxy in front of one engine.
    pub fn new(
        policy: Policy,
        admissions: AdmissionList,
        engine: Engine,
        registry: Option<Arc<Registry>>,
    ) -> Self {
        let inspector = Inspector::default();
        Self { policy, admissions, engine, registry, inspector, finite: Finite::default() }
    }

    /// Waits until no request runs that ends by itself; streams do not count.
    pub async fn finite_requests_done(&self) {
        self.finite.none_left().await;
    }

    /// Serves one connection until it ends.
    pub async fn serve(
        self: Arc<Self>,
        socket: Socket,
        peer: Peer,
        place: Place,
        mut stop: watch::Receiver<Stop>,
    ) {
        let socket = Arc::new(socket);
        socket.tune();
        let limits = *place.bounds().limits();
        let (gate, shared) = Gate::new(Arc::clone(&socket), &limits);
        let seat = Arc::new(Seat {
            client_name: Arc::from(peer.to_string()),
            link: self.engine.link(),
            proxy: self,
            peer,
            place,
            gate: shared,
            hand_over: Mutex::new(None),
            recognised: tokio::sync::Mutex::new(None),
            cut: Arc::new(Cut::default()),
        });
        let service_seat = Arc::clone(&seat);
        let service = service_fn(move |request| {
            let seat = Arc::clone(&service_seat);
            async move { Ok::<_, Infallible>(seat.answer(request).await) }
        });
        let mut http = http1::Builder::new();
        // Above the gate's limits, so that the gate is the one that refuses.
        http.half_close(true)
            .title_case_headers(true)
            .max_buf_size((2 * limits.head_bytes).max(LEAST_HTTP_BUFFER_BYTES));
        if limits.head_fields > HYPER_FIELDS {
            http.max_headers(limits.head_fields);
        }
        let mut connection = http.serve_connection(TokioIo::new(gate), service);
        let mut closing = false;
        let end = loop {
            let may_stop = !closing;
            let mut rare = Rarely::new(async {
                tokio::select! {
                    () = half_closed_and_idle(&socket, &seat.gate) => Rare::End(End::ClientGone),
                    reason = seat.cut.wait() => Rare::End(End::Cut(reason)),
                    stage = next_stage(&mut stop), if may_stop => Rare::Stage(stage),
                }
            });
            let ended = poll_fn(|cx| poll_connection(&mut connection, &seat, closing, cx));
            let rare = tokio::select! {
                biased;
                end = ended => break end,
                rare = &mut rare => rare,
            };
            match rare {
                Rare::End(end) => break end,
                Rare::Stage(Stop::Running) => {}
                Rare::Stage(Stop::Draining) => Pin::new(&mut connection).graceful_shutdown(),
                Rare::Stage(Stop::Closing) => closing = true,
            }
        };
        match end {
            End::HandOver(hand_over) => {
                let parts = connection.into_parts();
                let mut early = BytesMut::from(&parts.read_buf[..]);
                early.extend_from_slice(&parts.io.into_inner().into_pending());
                Box::pin(tunnel(socket, early.freeze(), hand_over, stop, &seat.cut)).await;
            }
            End::Done => {
                drop(connection);
                seat.link.close();
                if let Some(refused) = seat.gate.take_refusal() {
                    seat.answer_refused(&socket, refused).await;
                }
                linger(&socket).await;
            }
            End::Cut(reason) => {
                tracing::info!(client = %seat.peer, reason, "a client's connection was closed");
            }
            End::ClientGone | End::Stopped => {}
        }
    }
}

/// How serving a connection over HTTP ends.
enum End {
    /// In order, or because one side failed.
    Done,
    /// The connection leaves HTTP.
    HandOver(Box<HandOver>),
    /// The client ended its direction and waits for nothing that comes.
    ClientGone,
    /// Whoever was recognised at its other end is no longer there.
    Cut(&'static str),
    /// We are closing.
    Stopped,
}

/// What happens beside the requests.
enum Rare {
    End(End),
    /// A stop has got so far.
    Stage(Stop),
}

/// What is needed to go on outside HTTP.
#[derive(Debug)]
struct HandOver {
    head: Bytes,
    engine: EngineEnd,
    record: Record,
    _stream: Option<OpenStream>,
}

fn poll_connection<S>(
    connection: &mut http1::Connection<TokioIo<Gate>, S>,
    seat: &Seat,
    closing: bool,
    cx: &mut Context<'_>,
) -> Poll<End>
where
    S: hyper::service::HttpService<Incoming, ResBody = AnswerStream>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if Pin::new(&mut *connection).poll(cx).is_ready() {
        return Poll::Ready(End::Done);
    }
    if closing && seat.gate.is_flushed() {
        return Poll::Ready(End::Stopped);
    }
    let mut slot = seat.hand_over.lock().unwrap_or_else(PoisonError::into_inner);
    // Answers to earlier, pipelined requests may still sit in hyper's buffer; it is polled again until they are out.
    if slot.is_some() && seat.gate.is_flushed() {
        slot.take().map_or(Poll::Pending, |it| Poll::Ready(End::HandOver(it)))
    } else {
        Poll::Pending
    }
}

/// Done when the client has ended its direction and nothing was written to it for a while.
async fn half_closed_and_idle(socket: &Socket, gate: &GateShared) {
    socket.peer_ended().await;
    loop {
        let before = gate.bytes_written();
        tokio::time::sleep(HALF_CLOSED_PATIENCE).await;
        if gate.bytes_written() == before {
            return;
        }
    }
}

async fn next_stage(stop: &mut watch::Receiver<Stop>) -> Stop {
    // Whoever dropped the sender is gone, and so are we.
    if stop.changed().await.is_err() { Stop::Closing } else { *stop.borrow_and_update() }
}

async fn tunnel(
    socket: Arc<Socket>,
    early: Bytes,
    hand_over: Box<HandOver>,
    mut stop: watch::Receiver<Stop>,
    cut: &Cut,
) {
    let HandOver { head, engine, mut record, _stream } = *hand_over;
    let closing = async move {
        while *stop.borrow_and_update() < Stop::Closing && stop.changed().await.is_ok() {}
    };
    let stopped = async {
        tokio::select! {
            () = closing => {}
            _ = cut.wait() => {}
        }
    };
    record.bytes_out = hijack::run(socket, early, head, engine, stopped).await;
    record.outcome = Outcome::Hijacked;
}

/// Refuses a connection for which there is no place.
pub async fn turn_away(socket: Socket, limit: Limit, bounds: &Bounds) {
    let answer = refusal::turned_away(limit, bounds.limits());
    let _ = tokio::time::timeout(LINGER, socket.write_all(answer.as_bytes())).await;
    linger(&socket).await;
}

/// Ends our direction and reads what the client still sends: closing with unread bytes would reset the connection, and the client
/// would never see the answer that told it to stop.
async fn linger(socket: &Socket) {
    socket.end_writing();
    let mut buffer = BytesMut::with_capacity(4096);
    let deadline = Instant::now() + LINGER;
    while let Ok(Ok(1..)) = tokio::time::timeout_at(deadline, socket.read_into(&mut buffer)).await {
        buffer.clear();
    }
}

/// One client's seat: what its requests share.
#[derive(Debug)]
struct Seat {
    proxy: Arc<Proxy>,
    peer: Peer,
    place: Place,
    client_name: Arc<str>,
    gate: Arc<GateShared>,
    link: Link,
    hand_over: Mutex<Option<Box<HandOver>>>,
    /// Who was recognised, so that a connection pays for it once.
    recognised: tokio::sync::Mutex<Option<Recognised>>,
    cut: Arc<Cut>,
}

impl Seat {
    async fn answer(&self, request: Request<Incoming>) -> Response<AnswerStream> {
        let mut record = Record::open(Arc::clone(&self.client_name));
        let (parts, body) = request.into_parts();
        // The gate checked both before hyper saw the head; without them there is nothing to judge.
        let (Some(method), Some(target)) =
            (Method::parse(parts.method.as_str()), self.gate.take_target())
        else {
            let refused = "the request head was not understood; send it as RFC 9112 says";
            return respond(
                record,
                StatusCode::BAD_REQUEST,
                refused,
                Outcome::Refused,
                Connection::Close,
            );
        };
        let head = Head::new(method, target, &parts.headers);
        record.method = Some(method);
        head.target.versioned_path().clone_into(&mut record.path);
        record.operation = head.operation;
        let (client, protected) = match self.client().await {
            Ok(client) => client,
            Err(limit) => return self.limited(record, limit),
        };
        if let Identity::Containers(_) = &client.identity {
            record.client = Arc::from(client.to_string());
        }
        let body = (!body.is_end_stream()).then_some(body);
        let has_body = body.is_some();
        let wants_upgrade = parts.headers.contains_key(header::UPGRADE);
        let declared = DeclaredBody { body };
        let judgement = self.proxy.policy.judge(&client, protected, head, declared);
        let limits = self.place.bounds().limits();
        match self.proxy.inspector.settle(&self.proxy.engine, limits, judgement).await {
            Settled::Limited(limit) => self.limited(record, limit),
            Settled::Failed { status, message, outcome } => {
                record.failure = Some(message.clone());
                respond(record, status, &message, outcome, Connection::Close)
            }
            Settled::Denied(denied) => {
                record.verdict = Verdict::Refused(refusal::reason(&denied.reason));
                let prefix =
                    self.proxy.registry.as_ref().map(|registry| registry.suggested_prefix());
                let message = refusal::message(&client, &denied, prefix);
                if let Some(registry) = &self.proxy.registry {
                    registry.refused(&client.identity, &message);
                }
                let is_unknown = matches!(client.identity, Identity::Unknown(_));
                // The body that nobody will read would have to be read before the next request.
                let connection = if has_body || wants_upgrade || is_unknown {
                    Connection::Close
                } else {
                    Connection::KeepAlive
                };
                respond(
                    record,
                    refusal::status(&denied.reason),
                    &message,
                    Outcome::Refused,
                    connection,
                )
            }
            Settled::Allowed(allowed) => {
                record.verdict = Verdict::Allowed(allowed.grant().clone());
                // Else the HTTP library would keep room for this as long as the connection lives.
                Box::pin(self.carry(allowed, record)).await
            }
        }
    }

    /// Who asks, as of now, and what nobody may touch.
    ///
    /// # Errors
    /// When too many wait for that to be known.
    async fn client(&self) -> Result<(Client, Option<Arc<Protected>>), Limit> {
        let (identity, protected) = match &self.proxy.registry {
            None => (Identity::Plain, None),
            Some(registry) => {
                // Known at once as long as the engine's events are followed; else the engine is asked.
                let waiting = (!registry.is_fresh()).then(|| self.place.wait()).transpose()?;
                let protected = registry.protected().await;
                drop(waiting);
                match protected {
                    Ok(protected) => (self.recognise(registry).await?, Some(protected)),
                    Err(_) => (Identity::Unknown(WhyUnknown::Stale), None),
                }
            }
        };
        // Asking DNS is for those whom its answer is for.
        let by_default = match &identity {
            Identity::Plain => true,
            Identity::Containers(containers) => {
                containers.iter().any(|container| matches!(container.rights, Rights::Unlabelled))
            }
            Identity::Unknown(_) => false,
        };
        let admission = if by_default {
            self.proxy.admissions.admission(&self.peer).await
        } else {
            Admission::Unlisted
        };
        Ok((Client { peer: self.peer, admission, identity }, protected))
    }

    async fn recognise(&self, registry: &Registry) -> Result<Identity, Limit> {
        let mut slot = self.recognised.lock().await;
        if let Some(recognised) = slot.as_ref().filter(|recognised| registry.is_current(recognised))
        {
            return Ok(recognised.identity.clone());
        }
        let _waiting = self.place.wait()?;
        let recognised = registry.recognise(&self.peer, &self.cut).await;
        let before = slot.as_ref().map(|recognised| &recognised.identity);
        if let (Some(Identity::Containers(before)), Identity::Containers(now)) =
            (before, &recognised.identity)
            && before.first().map(|container| container.id)
                != now.first().map(|container| container.id)
        {
            // A connection does not change hands; its other end is gone and the address is somebody else's.
            self.cut.cut("its address belongs to another container now");
            return Ok(Identity::Unknown(WhyUnknown::Ambiguous));
        }
        let identity = recognised.identity.clone();
        *slot = Some(recognised);
        Ok(identity)
    }

    async fn carry(
        &self,
        allowed: Allowed<Incoming>,
        mut record: Record,
    ) -> Response<AnswerStream> {
        let is_head = allowed.head().method == Method::Head;
        let wants_upgrade = allowed.head().upgrade.is_some();
        let running = self.proxy.finite.enter(record.operation);
        let stream = match record.operation.answer() {
            AnswerKind::Plain => None,
            AnswerKind::Endless | AnswerKind::Upgrade(_) => match self.place.open_stream() {
                Ok(stream) => Some(stream),
                Err(limit) => return self.limited(record, limit),
            },
        };
        let sent = self.link.send(allowed).await;
        let Answer { status, fields, body } = match sent {
            Ok(answer) => answer,
            Err(error) => {
                record.failure = Some(with_sources(&error));
                let (status, message) = refusal::engine_failure(&error);
                let outcome =
                    if status.is_client_error() { Outcome::Aborted } else { Outcome::EngineFailed };
                return respond(record, status, &message, outcome, Connection::Close);
            }
        };
        record.status = Some(status);
        match body {
            AnswerBody::Stream(body) => {
                let mut stream = AnswerStream::Engine(EngineAnswer {
                    body,
                    record,
                    _running: running,
                    _stream: stream,
                });
                if is_head || stream.is_end_stream() {
                    stream.finish();
                }
                let mut response = Response::new(stream);
                *response.status_mut() = status;
                *response.headers_mut() = fields;
                if wants_upgrade {
                    // Bytes meant for a tunnel that was not opened must not be read as requests.
                    response
                        .headers_mut()
                        .insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
            AnswerBody::Hijacked(engine) => {
                drop(running);
                let head = answer_head(status, &fields);
                let hand_over = HandOver { head, engine: *engine, record, _stream: stream };
                *self.hand_over.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Box::new(hand_over));
                // The connection's owner takes over from here and drops this future.
                pending().await
            }
        }
    }

    /// Refuses a request because of a limit.
    fn limited(&self, mut record: Record, limit: Limit) -> Response<AnswerStream> {
        let bounds = self.place.bounds();
        bounds.reached(limit, &record.client);
        let message = limit.message(bounds.limits());
        record.verdict = Verdict::Refused(message.clone());
        respond(record, limit.status(), &message, Outcome::Refused, Connection::Close)
    }

    /// Answers a message that the gate stopped.
    async fn answer_refused(&self, socket: &Socket, refused: Refused) {
        if let Some(limit) = refused.limit {
            self.place.bounds().reached(limit, &self.client_name);
        }
        let mut record = Record::open(Arc::clone(&self.client_name));
        record.method = refused.method;
        record.path = refused
            .raw_target
            .map(|raw| raw.split('?').next().unwrap_or_default().to_owned())
            .unwrap_or_default();
        record.verdict = Verdict::Refused(refused.message.clone());
        record.status = Some(refused.status);
        record.outcome = Outcome::Refused;
        let body = refusal::body(&refused.message, record.id);
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let mut answer = BytesMut::from(&answer_head(refused.status, &fields)[..]);
        answer.extend_from_slice(body.as_bytes());
        let _ = tokio::time::timeout(LINGER, socket.write_all(&answer)).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    KeepAlive,
    Close,
}

/// An error and what caused it, on one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// An answer of our own.
fn respond(
    mut record: Record,
    status: StatusCode,
    message: &str,
    outcome: Outcome,
    connection: Connection,
) -> Response<AnswerStream> {
    record.status = Some(status);
    record.outcome = outcome;
    if let Verdict::Unjudged = record.verdict {
        record.verdict = Verdict::Refused(message.to_owned());
    }
    let body = Bytes::from(refusal::body(message, record.id));
    let mut response = Response::new(AnswerStream::Own(Some(body)));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if connection == Connection::Close {
        fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A status line and fields as they go on the wire, with the reason phrase the Engine uses for a hijacked connection.
fn answer_head(status: StatusCode, fields: &HeaderMap) -> Bytes {
    let is_raw = fields.get(header::UPGRADE).is_some_and(|token| token == "tcp");
    let phrase = if is_raw { "UPGRADED" } else { status.canonical_reason().unwrap_or("Unknown") };
    let mut head = format!("HTTP/1.1 {} {phrase}\r\n", status.as_u16()).into_bytes();
    for (name, value) in fields {
        write_field(&mut head, name, value);
    }
    head.extend_from_slice(b"\r\n");
    Bytes::from(head)
}

/// The body of an answer: the engine's, as it comes, or our own.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
enum AnswerStream {
    Engine(EngineAnswer),
    Own(Option<Bytes>),
}

#[derive(Debug)]
struct EngineAnswer {
    body: EngineBody,
    record: Record,
    _running: Option<Running>,
    _stream: Option<OpenStream>,
}

impl AnswerStream {
    fn finish(&mut self) {
        if let Self::Engine(answer) = self {
            answer.record.outcome = Outcome::Answered;
        }
    }
}

impl Body for AnswerStream {
    type Data = Bytes;
    type Error = EngineError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EngineError>>> {
        match self.get_mut() {
            Self::Own(body) => Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Engine(answer) => {
                let frame = std::task::ready!(Pin::new(&mut answer.body).poll_frame(cx));
                match &frame {
                    Some(Ok(frame)) => {
                        answer.record.bytes_out +=
                            frame.data_ref().map_or(0, |data| data.len() as u64);
                    }
                    Some(Err(error)) => {
                        answer.record.outcome = match error {
                            EngineError::ClientBody => Outcome::Aborted,
                            _ => Outcome::EngineFailed,
                        };
                        answer.record.failure = Some(with_sources(error));
                    }
                    None => {}
                }
                if frame.is_none() || answer.body.is_end_stream() {
                    answer.record.outcome = Outcome::Answered;
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_none(),
            Self::Engine(answer) => answer.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Engine(answer) => answer.body.size_hint(),
        }
    }
}

/// Counts the requests that end by themselves: a stop waits for those.
#[derive(Debug, Default)]
struct Finite(Arc<FiniteState>);

#[derive(Debug, Default)]
struct FiniteState {
    running: AtomicUsize,
    left: Notify,
}

impl Finite {
    fn enter(&self, operation: Operation) -> Option<Running> {
        (operation.answer() == AnswerKind::Plain).then(|| {
            self.0.running.fetch_add(1, Ordering::SeqCst);
            Running(Arc::clone(&self.0))
        })
    }

    async fn none_left(&self) {
        loop {
            let left = self.0.left.notified();
            let mut left = pin!(left);
            left.as_mut().enable();
            if self.0.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }
}

#[derive(Debug)]
struct Running(Arc<FiniteState>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.left.notify_waiters();
        }
    }
}
