//! An engine that says what is true in its [`World`], late or not at all, and publishes events as Docker's and Podman's do.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::dice::Dice;
use super::world::{Event, World};
use crate::client::ContainerId;
use crate::engine::Engine;

/// How late an event may be.
const LATEST: u64 = 60;
/// How long what was lost without a trace may stay unnoticed: everything is listed again every two minutes.
const UNNOTICED: Duration = Duration::from_secs(150);
/// How long what was lost between two subscriptions may: the second one is followed by a list.
const BETWEEN: Duration = Duration::from_secs(30);
const PIPE_BYTES: usize = 64 * 1024;

/// How the engine answers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Within milliseconds.
    Well,
    /// Within tenths of a second.
    Slow,
    /// Within seconds, and some answers too late.
    Stuck,
    /// With errors, or not at all.
    Refusing,
}

/// The engine as everybody sees it.
#[derive(Clone)]
pub(super) struct City(Arc<Mutex<State>>, Arc<Notify>);

pub(super) struct State {
    pub(super) world: World,
    pub(super) is_docker: bool,
    pub(super) mood: Mood,
    /// How many of the next events are lost without a trace.
    pub(super) to_lose: usize,
    /// What tells of a departure is not sent, as if nobody listened to it.
    pub(super) hides_departures: bool,
    dice: Dice,
    /// The subscription there is.
    stream: Option<u64>,
    streams: u64,
    pending: Vec<Pending>,
    broke_at: Option<Instant>,
    /// The registry has left the stream and may think that nothing is missed until it is back.
    is_between: bool,
    delivered: Vec<(Instant, Event)>,
    lost: Vec<(Instant, Event)>,
}

/// An event on its way.
struct Pending {
    due: Instant,
    event: Event,
}

impl City {
    pub(super) fn new(is_docker: bool, dice: Dice) -> Self {
        let state = State {
            world: World::new(),
            is_docker,
            mood: Mood::Well,
            to_lose: 0,
            hides_departures: false,
            dice,
            stream: None,
            streams: 0,
            pending: Vec::new(),
            broke_at: None,
            is_between: false,
            delivered: Vec::new(),
            lost: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)), Arc::new(Notify::new()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our door to it, and what serves it.
    pub(super) fn open(&self, tasks: &mut JoinSet<()>) -> Engine {
        let (sender, mut arriving) = mpsc::unbounded_channel();
        let city = self.clone();
        let dial = move || {
            let refuses = {
                let mut state = city.lock();
                state.mood == Mood::Refusing && state.dice.one_in(3)
            };
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            (!refuses && sender.send(theirs).is_ok()).then_some(ours)
        };
        let city = self.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Some(stream) = arriving.recv().await {
                connections.spawn(city.clone().serve(stream));
                while connections.try_join_next().is_some() {}
            }
        });
        Engine::scripted(dial)
    }

    /// Changes what is true, and publishes what the change brought.
    pub(super) fn publish(&self, events: Vec<Event>) {
        let mut state = self.lock();
        for event in events {
            state.publish(event);
        }
        drop(state);
        self.1.notify_waiters();
    }

    /// Ends the stream of events, and with it all events that are on their way.
    pub(super) fn break_stream(&self) {
        let mut state = self.lock();
        state.stream = None;
        state.is_between = false;
        state.pending.clear();
        state.broke_at = Some(Instant::now());
        drop(state);
        self.1.notify_waiters();
    }

    async fn serve(self, mut stream: DuplexStream) {
        let mut head = Vec::new();
        loop {
            head.clear();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_buf(&mut head).await {
                    Ok(1..) => {}
                    _ => return,
                }
            }
            let head = String::from_utf8_lossy(&head);
            let target = head.split(' ').nth(1).unwrap_or_default();
            let path = target.strip_prefix("/v1.51").unwrap_or(target).to_owned();
            let (before, after, status) = self.lock().temper();
            sleep(before).await;
            if path.starts_with("/events") && status == 200 {
                return self.follow(stream).await;
            }
            let (status, body) = {
                let state = self.lock();
                match state.world.answer(&path, state.is_docker) {
                    _ if status != 200 => (status, String::from("{}")),
                    Some(body) => (200, body.to_string()),
                    None => (404, String::from("{}")),
                }
            };
            sleep(after).await;
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// Tells of events until the stream breaks or nobody listens.
    async fn follow(self, mut stream: DuplexStream) {
        let number = {
            let mut state = self.lock();
            state.streams += 1;
            state.stream = Some(state.streams);
            state.pending.clear();
            state.streams
        };
        let mut text = String::from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        loop {
            if !text.is_empty() && stream.write_all(text.as_bytes()).await.is_err() {
                break;
            }
            let changed = self.1.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let next = {
                let mut state = self.lock();
                if state.stream != Some(number) {
                    return;
                }
                text = state.take_due();
                state.pending.iter().map(|it| it.due).min()
            };
            if !text.is_empty() {
                continue;
            }
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
            let mut byte = [0];
            tokio::select! {
                () = changed => {}
                () = sleep_until(next) => {}
                _ = stream.read(&mut byte) => break,
            }
        }
        let mut state = self.lock();
        if state.stream == Some(number) {
            state.stream = None;
            state.is_between = true;
            for it in std::mem::take(&mut state.pending) {
                state.lost.push((Instant::now() + BETWEEN, it.event));
            }
        }
    }
}

impl State {
    /// How long the engine takes before it looks and after, and with what it answers.
    fn temper(&mut self) -> (Duration, Duration, u16) {
        let (before, after) = match self.mood {
            Mood::Well | Mood::Refusing => (4, 4),
            Mood::Slow => (50, 500),
            Mood::Stuck => (3500, 3500),
        };
        let before = Duration::from_millis(self.dice.up_to(before));
        let after = Duration::from_millis(self.dice.up_to(after));
        let fails = self.mood == Mood::Refusing && !self.dice.one_in(4);
        (before, after, if fails { 500 } else { 200 })
    }

    fn publish(&mut self, event: Event) {
        let now = Instant::now();
        if self.stream.is_none() {
            // Who does not listen hears nothing. The registry knows that since the stream broke; it may not where it left by itself.
            if self.is_between {
                self.lost.push((now + BETWEEN, event));
            }
            return;
        }
        if self.to_lose > 0 {
            self.to_lose -= 1;
            self.lost.push((now + UNNOTICED, event));
            return;
        }
        // What happens to one container is told in its order; what happens to several is told by as many threads.
        let before = self.pending.iter().filter(|it| it.event.container == event.container);
        let earliest = before.map(|it| it.due).max().unwrap_or(now).max(now);
        let due = earliest.max(now + Duration::from_millis(self.dice.up_to(LATEST)));
        if self.dice.one_in(10) {
            let again = due + Duration::from_millis(self.dice.up_to(LATEST));
            self.pending.push(Pending { due: again, event: event.clone() });
        }
        self.pending.push(Pending { due, event });
    }

    /// The events whose time has come, as the engine writes them.
    fn take_due(&mut self) -> String {
        let now = Instant::now();
        let (mut due, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|it| it.due <= now);
        self.pending = rest;
        due.sort_by_key(|it| it.due);
        let mut text = String::new();
        for Pending { event, .. } in due {
            if !(self.hides_departures && event.departs()) {
                let line = self.line(&event);
                let _ = write!(text, "{:x}\r\n{line}\r\n", line.len());
            }
            self.delivered.push((now, event));
        }
        text
    }

    fn line(&self, event: &Event) -> String {
        let container = event.container.map(|id| id.to_string()).unwrap_or_default();
        let action = match event.action {
            "die" if !self.is_docker => "died",
            "destroy" if !self.is_docker => "remove",
            action => action,
        };
        let line = match &event.network {
            Some(network) if self.is_docker || event.container.is_none() => {
                json!({"Type": event.kind, "Action": action, "Actor": {"ID": network, "Attributes": {"container": container}}})
            }
            _ => json!({"Type": event.kind, "Action": action, "Actor": {"ID": container}}),
        };
        line.to_string() + "\n"
    }

    /// Whether a container's creation was told, or lost.
    pub(super) fn creation_told(&self, id: ContainerId) -> bool {
        let is_it = |event: &Event| event.container == Some(id) && event.action == "create";
        !self.pending.iter().any(|it| is_it(&it.event))
    }

    /// Whether a creation was lost that nobody needs to have noticed yet.
    pub(super) fn creation_lost(&self, id: ContainerId) -> bool {
        self.is_lost(|event| event.container == Some(id) && event.action == "create")
    }

    fn is_lost(&self, is_it: impl Fn(&Event) -> bool) -> bool {
        let now = Instant::now();
        self.broke_at == Some(now) || self.lost.iter().any(|(until, it)| *until >= now && is_it(it))
    }

    /// Whether nobody can know yet that a container may have lost an address: the event is on its way, came this moment, or is lost.
    pub(super) fn departure_untold(&self, id: ContainerId) -> bool {
        let now = Instant::now();
        let is_it = |event: &Event| event.departs() && event.container == Some(id);
        self.pending.iter().any(|it| is_it(&it.event))
            || self.delivered.iter().any(|(at, event)| *at == now && is_it(event))
            || self.is_lost(is_it)
    }

    /// Whether nobody can know yet that this happened to a container.
    pub(super) fn is_untold(&self, id: ContainerId, actions: &[&str]) -> bool {
        let now = Instant::now();
        let is_it = |event: &Event| event.container == Some(id) && actions.contains(&event.action);
        self.pending.iter().any(|it| is_it(&it.event))
            || self.delivered.iter().any(|(at, event)| *at == now && is_it(event))
            || self.is_lost(is_it)
    }

    /// Forgets what no longer matters.
    pub(super) fn tidy(&mut self) {
        let now = Instant::now();
        self.delivered.retain(|(at, _)| *at == now);
        self.lost.retain(|(until, _)| *until >= now);
    }
}
