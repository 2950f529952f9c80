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
use http::StatusCode;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admission::AdmissionList;
use crate::audit::{Audit, Decision, OpenRecord, Outcome, Record};
use crate::bounds::memory::{Purse, Taken};
use crate::bounds::{Bounds, Limit, OpenStream, Permit};
use crate::clauses::{Past, needs_past};
use crate::client::{Client, Identity, Peer};
use crate::engine::{Answer, AnswerBody, Engine, EngineEnd, Link};
use crate::identity::{Asker, Sources, Visitor};
use crate::in_force::{Current, InForce};
use crate::policy::{Allowed, DeclaredBody, Denied, Policy};
use crate::registry::Registry;
use crate::remembered::{Memory, Ticket};
use crate::request::{AnswerKind, Method};
use crate::socket::Socket;
use crate::wire::{ClientBody, Outgoing};
use crate::wording::{self, Setup};
use drain::Finite;
use gate::{Gate, Next, Refused, Request};
use inspection::Settled;
use rarely::Rarely;
use refusal::{Denial, Refusal};
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
    in_force: Arc<Current>,
    sources: Arc<Sources>,
    engine: Engine,
    /// Knows containers, where per-container allowlists are on.
    registry: Option<Arc<Registry>>,
    audit: Arc<Audit>,
    finite: Finite,
    /// What clients took down that may come back.
    remembered: Arc<Memory>,
}

impl Proxy {
    /// A proxy in front of one engine.
    pub fn new(
        policy: Policy,
        admissions: AdmissionList,
        engine: Engine,
        registry: Option<Arc<Registry>>,
        audit: Arc<Audit>,
    ) -> Self {
        let sources = Arc::new(Sources::new(registry.clone()));
        let in_force = Arc::new(Current::new(InForce { policy, admissions }));
        let (finite, remembered) = (Finite::default(), Arc::default());
        Self { in_force, sources, engine, registry, audit, finite, remembered }
    }

    /// Puts something else in force, for every request that begins from now on.
    pub fn put_in_force(&self, next: InForce) {
        self.in_force.replace(next);
    }

    /// What is in force, for others who have to know.
    pub fn in_force(&self) -> Arc<Current> {
        Arc::clone(&self.in_force)
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
        permit: Permit,
        mut stop: watch::Receiver<Stop>,
    ) {
        let socket = Arc::new(socket);
        let purse = permit.purse();
        if purse.is_crowded() {
            socket.shrink_buffers();
        }
        let mut gate =
            Gate::new(Arc::clone(&socket), permit.bounds().limits(), Some(purse.clone()));
        let connection = Connection {
            client_name: Arc::from(peer.to_string()),
            visitor: Visitor::new(Arc::clone(&self.sources), peer),
            proxy: self,
            permit,
            purse,
            writer: Writer::new(Arc::clone(&socket), stop.clone()),
        };
        let mut closing = false;
        let end = {
            let mut requests = pin!(connection.requests(&mut gate));
            loop {
                let may_stop = !closing;
                let mut rare = Rarely::new(async {
                    tokio::select! {
                        () = half_closed_and_idle(&socket, &connection.writer) => Rare::End(End::ClientGone),
                        reason = connection.visitor.must_end() => Rare::End(End::Cut(reason)),
                        stage = next_stage(&mut stop), if may_stop => Rare::Stage(stage),
                    }
                });
                let ended = poll_fn(|cx| match requests.as_mut().poll(cx) {
                    Poll::Pending if closing && !connection.writer.is_writing() => {
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
                Box::pin(tunnel(socket, early, hand_over, stop, &connection.visitor)).await;
            }
            End::Done => linger(&socket).await,
            End::Cut(reason) => {
                tracing::info!(client = %connection.visitor.peer(), reason, "a client's connection was closed");
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

/// How an allowed request went.
enum Carried {
    /// What the engine answered went to the client.
    Answered {
        /// Whether another request may follow.
        keeps: bool,
    },
    /// The connection leaves HTTP.
    Tunnel(Tunnel),
}

/// What is needed to go on outside HTTP.
#[derive(Debug)]
struct Tunnel {
    head: Bytes,
    engine: Box<EngineEnd>,
    _stream: Option<OpenStream>,
}

/// A tunnel and the record of the request that opened it.
#[derive(Debug)]
struct HandOver {
    tunnel: Tunnel,
    record: OpenRecord,
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
    visitor: &Visitor,
) {
    let HandOver { tunnel: Tunnel { head, engine, _stream }, mut record } = *hand_over;
    let closing = async move {
        while *stop.borrow_and_update() < Stop::Closing && stop.changed().await.is_ok() {}
    };
    let stopped = async {
        tokio::select! {
            () = closing => {}
            _ = visitor.must_end() => {}
        }
    };
    record.bytes_out = hijack::run(socket, early, head, *engine, stopped).await;
    record.outcome = Outcome::Hijacked;
}

/// Refuses a connection for which there is no room.
pub async fn turn_away(socket: Socket, limit: Limit, bounds: &Bounds) {
    let answer = Refusal::from(limit).whole_answer(bounds.limits());
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

/// One client connection: what its requests share.
#[derive(Debug)]
struct Connection {
    proxy: Arc<Proxy>,
    visitor: Visitor,
    permit: Permit,
    purse: Purse,
    client_name: Arc<str>,
    writer: Writer,
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

impl Connection {
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

    /// Judges one request and carries it, or refuses it. Says what follows.
    ///
    /// What waits is written out in here: each async function in between would hold what it is given twice, for every open stream.
    async fn answer(
        &self,
        request: Request,
        gate: &mut Gate,
        link: &mut Link,
        out: &mut Outgoing,
    ) -> After {
        let Request { head, is_old, keeps, wants_upgrade } = request;
        // Counts until the record is written and the answer is out.
        let mut running = None;
        let mut record = self.proxy.audit.open(Arc::clone(&self.client_name));
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
        let body = gate.body();
        // A body that nobody will read would have to be read before the next request.
        let may_follow_refusal = body.is_none() && !wants_upgrade;
        let carried = async {
            let (allowed, memory, ticket) = {
                let in_force = self.proxy.in_force.take();
                let Asker { client, protected } =
                    self.visitor.who(&self.permit, &in_force.admissions).await?;
                if let Identity::Containers(containers) = &client.identity {
                    record.client = Arc::from(client.to_string());
                    record.containers = Some(Arc::clone(containers));
                }
                let declared = DeclaredBody { body };
                let remembered = &self.proxy.remembered;
                let past = if remembered.is_used() && needs_past(head.operation) {
                    remembered.past(&client.while_it_runs(), Instant::now())
                } else {
                    Past::default()
                };
                let judgement =
                    in_force.policy.judge_after(&client, protected, past, head, declared);
                let (engine, limits) = (&self.proxy.engine, self.permit.bounds().limits());
                match inspection::settle(engine, limits, &self.purse, judgement).await? {
                    Settled::Allowed(allowed, memory) => {
                        // Before it is sent: what is gone cannot be looked at.
                        let note = |effect| {
                            remembered.note(&client.while_it_runs(), effect, Instant::now())
                        };
                        match allowed.effect().map(note).transpose() {
                            Ok(ticket) => (allowed, memory, ticket.flatten().map(Box::new)),
                            Err(why) => return Err(self.denied(&client, *allowed.refuse(why))),
                        }
                    }
                    Settled::Denied(denied) => return Err(self.denied(&client, *denied)),
                }
            };
            record.decision = Decision::Allowed(allowed.grant().clone());
            running = self.proxy.finite.enter(allowed.head().answer());
            self.carry(allowed, memory, ticket, link, &mut record, &mut reply).await
        }
        .await;
        let refusal = match carried {
            Ok(Carried::Answered { keeps: true }) => return After::Next,
            Ok(Carried::Answered { keeps: false }) => return After::Close,
            Ok(Carried::Tunnel(tunnel)) => {
                return After::HandOver(Box::new(HandOver { tunnel, record }));
            }
            Err(refusal) => refusal,
        };
        reply.keeps &= may_follow_refusal;
        let (status, body) = self.refuse(refusal, record, &mut reply);
        if reply.own(status, &body).await { After::Next } else { After::Close }
    }

    /// What the policy does not allow, in words.
    fn denied(&self, client: &Client, denied: Denied) -> Refusal {
        let registry = self.proxy.registry.as_ref();
        let setup = Setup {
            label_prefix: registry.map(|registry| registry.suggested_prefix()),
            is_gateway: registry.is_some_and(|registry| registry.is_gateway(&client.peer)),
        };
        let explanation = wording::explain(client, &denied, setup);
        Refusal::Denied(Box::new(Denial { reason: denied.reason, explanation }))
    }

    /// Sends a request to the engine and passes its answer on.
    ///
    /// # Errors
    /// When there is no room for its stream, or the engine failed before the client saw anything of an answer.
    async fn carry<'a>(
        &self,
        allowed: Allowed<ClientBody<'a>>,
        memory: Option<Taken>,
        mut ticket: Option<Box<Ticket>>,
        link: &'a mut Link,
        record: &mut Record,
        reply: &mut Reply<'_>,
    ) -> Result<Carried, Refusal> {
        // Bytes meant for a tunnel that was not opened must not be read as requests.
        reply.keeps &= allowed.head().upgrade.is_none();
        let stream = match allowed.head().answer() {
            AnswerKind::Plain => None,
            AnswerKind::Endless | AnswerKind::Upgrade(_) => Some(self.permit.open_stream()?),
        };
        let Answer { status, fields, is_dated, body } =
            link.send(allowed, memory).await.map_err(Refusal::Engine)?;
        record.status = Some(status);
        let made_nothing = status.is_client_error() || status.is_server_error();
        if let Some(ticket) = ticket.take_if(|_| made_nothing) {
            ticket.give_back();
        }
        match body {
            AnswerBody::Stream(body) => {
                let hears = |data: &[u8]| {
                    if let Some(ticket) = &mut ticket {
                        ticket.hear(data);
                    }
                };
                let keeps = reply.stream(record, status, &fields, is_dated, body, hears).await?;
                Ok(Carried::Answered { keeps })
            }
            AnswerBody::Hijacked(engine) => {
                let head = reply.hijack(status, &fields);
                Ok(Carried::Tunnel(Tunnel { head, engine, _stream: stream }))
            }
        }
    }

    /// Writes down why a request is refused, and says what it is answered in the engine's place. Nothing else refuses one.
    fn refuse(
        &self,
        refusal: Refusal,
        mut record: OpenRecord,
        reply: &mut Reply<'_>,
    ) -> (StatusCode, Vec<u8>) {
        let bounds = self.permit.bounds();
        if let Some(limit) = refusal.limit() {
            bounds.reached(limit, &record.client);
        }
        reply.keeps &= !refusal.ends_connection();
        let answer = (refusal.status(), refusal.body(record.id, bounds.limits()));
        // The log has it before the client does.
        refusal.note(&mut record, bounds.limits());
        answer
    }

    /// Answers a message that the gate stopped.
    async fn answer_refused(&self, refused: Refused, gate: &Gate, out: &mut Outgoing) {
        let Refused { refusal, method, raw_target } = refused;
        let mut record = self.proxy.audit.open(Arc::clone(&self.client_name));
        record.method = method;
        record.path = raw_target
            .map(|raw| raw.split('?').next().unwrap_or_default().to_owned())
            .unwrap_or_default();
        let mut reply = Reply {
            writer: &self.writer,
            out,
            interim: gate.interim(),
            is_to_head: method == Some(Method::Head),
            is_old: false,
            keeps: false,
        };
        let (status, body) = self.refuse(refusal, record, &mut reply);
        reply.own(status, &body).await;
    }
}
