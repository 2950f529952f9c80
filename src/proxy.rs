//! One client connection, from accept to its last record: read, judge, carry, answer.

mod drain;
pub mod gate;
pub mod hijack;
mod inspection;
mod rarely;
pub mod refusal;
mod reply;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admission::AdmissionList;
use crate::audit::{Outcome, Record, Verdict};
use crate::bounds::memory::{Purse, Taken};
use crate::bounds::{Bounds, Limit, OpenStream, Place};
use crate::clauses::Protected;
use crate::client::{Admission, Client, Identity, Peer, WhyUnknown};
use crate::engine::{Answer, AnswerBody, Engine, EngineEnd, Link};
use crate::policy::{Allowed, DeclaredBody, DenyReason, Policy};
use crate::registry::{Cut, Recognised, Registry};
use crate::request::{AnswerKind, Method};
use crate::rule::labels::Rights;
use crate::socket::Socket;
use crate::wire::{ClientBody, Outgoing};
use drain::Finite;
use gate::{Gate, Next, Refused, Request};
use inspection::Settled;
use rarely::Rarely;
use refusal::Refusal;
use reply::{Reply, Writer};

pub use drain::Stop;

/// How long a request goes on, with nothing written, for a client that has ended its direction: `printf … | nc -N` still gets its
/// answer, and a client that was killed frees the engine.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection that we end is read from, so that the client sees our answer before a reset.
const LINGER: Duration = Duration::from_secs(1);

/// What every connection shares.
#[derive(Debug)]
pub struct Proxy {
    policy: Policy,
    admissions: AdmissionList,
    engine: Engine,
    /// Knows containers, where per-container allowlists are on.
    registry: Option<Arc<Registry>>,
    finite: Finite,
}

impl Proxy {
    /// A proxy in front of one engine.
    pub fn new(
        policy: Policy,
        admissions: AdmissionList,
        engine: Engine,
        registry: Option<Arc<Registry>>,
    ) -> Self {
        Self { policy, admissions, engine, registry, finite: Finite::default() }
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
        let purse = place.purse();
        if purse.is_crowded() {
            socket.shrink_buffers();
        }
        let mut gate = Gate::new(Arc::clone(&socket), place.bounds().limits(), Some(purse.clone()));
        let seat = Seat {
            client_name: Arc::from(peer.to_string()),
            proxy: self,
            peer,
            place,
            purse,
            writer: Writer::new(Arc::clone(&socket), stop.clone()),
            recognised: tokio::sync::Mutex::new(None),
            cut: Arc::new(Cut::default()),
        };
        let mut closing = false;
        let end = {
            let mut requests = pin!(seat.requests(&mut gate));
            loop {
                let may_stop = !closing;
                let mut rare = Rarely::new(async {
                    tokio::select! {
                        () = half_closed_and_idle(&socket, &seat.writer) => Rare::End(End::ClientGone),
                        reason = seat.cut.wait() => Rare::End(End::Cut(reason)),
                        stage = next_stage(&mut stop), if may_stop => Rare::Stage(stage),
                    }
                });
                let ended = poll_fn(|cx| match requests.as_mut().poll(cx) {
                    Poll::Pending if closing && !seat.writer.is_writing() => {
                        Poll::Ready(End::Stopped)
                    }
                    ended => ended,
                });
                let rare = tokio::select! {
                    biased;
                    end = ended => break end,
                    rare = &mut rare => rare,
                };
                match rare {
                    Rare::End(end) => break end,
                    // The requests, asked again, find out that they are draining.
                    Rare::Stage(stage) => closing = stage == Stop::Closing,
                }
            }
        };
        match end {
            End::HandOver(hand_over) => {
                let (early, _memory) = gate.into_rest();
                Box::pin(tunnel(socket, early, hand_over, stop, &seat.cut)).await;
            }
            End::Done => linger(&socket).await,
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

/// Done when the client has ended its direction and nothing was written to it for a while.
async fn half_closed_and_idle(socket: &Socket, writer: &Writer) {
    socket.peer_ended().await;
    loop {
        let before = writer.written();
        tokio::time::sleep(HALF_CLOSED_PATIENCE).await;
        if writer.written() == before {
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
    purse: Purse,
    client_name: Arc<str>,
    writer: Writer,
    /// Who was recognised, so that a connection pays for it once.
    recognised: tokio::sync::Mutex<Option<Recognised>>,
    cut: Arc<Cut>,
}

/// What follows an answer.
enum After {
    /// The next request.
    Next,
    /// The end of the connection.
    Close,
    /// Bytes outside HTTP.
    HandOver(Box<HandOver>),
}

impl Seat {
    /// Answers one request after the other, until the connection ends or leaves HTTP.
    async fn requests(&self, gate: &mut Gate) -> End {
        let mut link = self.proxy.engine.link(Some(self.purse.clone()));
        let mut out = Outgoing::default();
        loop {
            let next = poll_fn(|cx| {
                if gate.is_idle() && self.writer.is_draining() {
                    return Poll::Ready(Next::End);
                }
                let next = gate.poll_next(cx);
                if next.is_pending() {
                    // A silent connection holds no buffer.
                    out.release();
                }
                next
            });
            let request = match next.await {
                Next::Request(request) => request,
                Next::Refused(refused) => {
                    let telling = self.answer_refused(*refused, gate, &mut out);
                    let _ = tokio::time::timeout(LINGER, telling).await;
                    return End::Done;
                }
                Next::End => return End::Done,
            };
            match self.answer(request, gate, &mut link, &mut out).await {
                After::Next => {}
                After::Close => return End::Done,
                After::HandOver(hand_over) => return End::HandOver(hand_over),
            }
        }
    }

    async fn answer(
        &self,
        request: Request,
        gate: &mut Gate,
        link: &mut Link,
        out: &mut Outgoing,
    ) -> After {
        let Request { head, is_old, keeps, wants_upgrade } = request;
        let mut record = Record::open(Arc::clone(&self.client_name));
        record.method = Some(head.method);
        head.target.versioned_path().clone_into(&mut record.path);
        record.operation = head.operation;
        let mut reply = Reply {
            writer: &self.writer,
            out,
            interim: gate.interim(),
            is_to_head: head.method == Method::Head,
            is_old,
            keeps,
        };
        let (client, protected) = match self.client().await {
            Ok(client) => client,
            Err(limit) => return self.limited(record, limit, reply).await,
        };
        if let Identity::Containers(_) = &client.identity {
            record.client = Arc::from(client.to_string());
        }
        let body = gate.body();
        // A body that nobody will read would have to be read before the next request.
        let refusing_ends =
            body.is_some() || wants_upgrade || matches!(client.identity, Identity::Unknown(_));
        let declared = DeclaredBody { body };
        let judgement = self.proxy.policy.judge(&client, protected, head, declared);
        let limits = self.place.bounds().limits();
        match inspection::settle(&self.proxy.engine, limits, &self.purse, judgement).await {
            Settled::Limited(limit) => self.limited(record, limit, reply).await,
            Settled::Failed { status, message, outcome } => {
                record.failure = Some(message.clone());
                reply.keeps = false;
                reply.own(record, status, &message, outcome).await
            }
            Settled::Denied(denied) => {
                let is_stranger =
                    matches!(denied.reason, DenyReason::NotAdmitted | DenyReason::UnknownClient(_));
                record.is_stranger = is_stranger;
                record.verdict = Verdict::Refused(refusal::reason(&denied.reason));
                let registry = self.proxy.registry.as_ref();
                let setting = refusal::Setting {
                    label_prefix: registry.map(|registry| registry.suggested_prefix()),
                    is_gateway: registry.is_some_and(|registry| registry.is_gateway(&client.peer)),
                };
                let Refusal { message, fix } = refusal::explain(&client, &denied, setting);
                record.fix = Some(fix);
                if let Some(registry) = &self.proxy.registry {
                    registry.refused(&client.identity, &message);
                }
                // Nobody whom we do not serve may stay.
                reply.keeps &= !refusing_ends && !is_stranger;
                let status = refusal::status(&denied.reason);
                reply.own(record, status, &message, Outcome::Refused).await
            }
            Settled::Allowed(allowed, memory) => {
                record.verdict = Verdict::Allowed(allowed.grant().clone());
                self.carry(allowed, memory, record, link, reply).await
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

    async fn carry<'a>(
        &self,
        allowed: Allowed<ClientBody<'a>>,
        memory: Option<Taken>,
        mut record: Record,
        link: &'a mut Link,
        mut reply: Reply<'_>,
    ) -> After {
        // Bytes meant for a tunnel that was not opened must not be read as requests.
        reply.keeps &= allowed.head().upgrade.is_none();
        let answers = allowed.head().answer();
        let running = self.proxy.finite.enter(answers);
        let stream = match answers {
            AnswerKind::Plain => None,
            AnswerKind::Endless | AnswerKind::Upgrade(_) => match self.place.open_stream() {
                Ok(stream) => Some(stream),
                Err(limit) => return self.limited(record, limit, reply).await,
            },
        };
        let Answer { status, fields, is_dated, body } = match link.send(allowed, memory).await {
            Ok(answer) => answer,
            Err(error) => return reply.engine_failed(record, &error).await,
        };
        record.status = Some(status);
        match body {
            AnswerBody::Stream(body) => reply.stream(record, status, &fields, is_dated, body).await,
            AnswerBody::Hijacked(engine) => {
                drop(running);
                let head = reply.hijack(status, &fields);
                After::HandOver(Box::new(HandOver {
                    head,
                    engine: *engine,
                    record,
                    _stream: stream,
                }))
            }
        }
    }

    /// Refuses a request because of a limit.
    async fn limited(&self, mut record: Record, limit: Limit, mut reply: Reply<'_>) -> After {
        let bounds = self.place.bounds();
        bounds.reached(limit, &record.client);
        let message = limit.message(bounds.limits());
        record.verdict = Verdict::Refused(message.clone());
        reply.keeps = false;
        reply.own(record, limit.status(), &message, Outcome::Refused).await
    }

    /// Answers a message that the gate stopped.
    async fn answer_refused(&self, refused: Refused, gate: &Gate, out: &mut Outgoing) {
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
        let reply = Reply {
            writer: &self.writer,
            out,
            interim: gate.interim(),
            is_to_head: refused.method == Some(Method::Head),
            is_old: false,
            keeps: false,
        };
        reply.own(record, refused.status, &refused.message, Outcome::Refused).await;
    }
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
