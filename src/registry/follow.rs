//! The one task that keeps what is known fresh: it listens to events, ends what they end, and lists everything again whenever an event
//! may have been missed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::directory::Directory;
use super::epoch::{Epoch, Stretch};
use super::network::Holder;
use super::networks::Networks;
use super::ourselves::Ourselves;
use super::report::Reporter;
use super::sessions::Sessions;
use super::shared::{Shared, inspect};
use crate::client::ContainerId;
use crate::engine::questions::{Event, EventStream};
use crate::engine::{Engine, EngineError};

/// Events that wait to be worked through. The daemon drops events for a reader that is slower than 1,024 of them, without a word; this
/// reader only puts them here, and starts over when even this is full.
const QUEUED_EVENTS: usize = 16 * 1024;
/// A stream that says nothing for so long is opened anew.
const SILENCE: Duration = Duration::from_secs(90);
/// Everything is listed again this often, in case an event was lost all the same.
const RELIST: Duration = Duration::from_mins(2);
/// The pauses between two tries to subscribe grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// What may be left to do of earlier events before more are taken from the queue; a storm then fills the queue and ends in one new list.
const MOST_BACKGROUND: usize = 4096;
/// Questions about single containers that are under way at once.
const MOST_QUESTIONS: usize = 16;
/// Looks at neighbours that are under way at once; each waits until its container has started.
const MOST_LOOKS: usize = 4;

/// Why a stretch of events ended.
enum Broken {
    /// Nothing came for a while; what is known is as good as before.
    Silent,
    /// Events may have been lost.
    Lost(Shared),
}

impl From<Shared> for Broken {
    fn from(error: Shared) -> Self {
        Self::Lost(error)
    }
}

/// Follows the engine's events.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) engine: Engine,
    pub(super) ourselves: Arc<Ourselves>,
    pub(super) networks: Arc<Networks>,
    pub(super) directory: Arc<Directory>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) epoch: Arc<Epoch>,
    pub(super) reporter: Arc<Reporter>,
}

impl Follower {
    /// Follows the engine's events for ever.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let mut stretch = Stretch::NONE;
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            let began = Instant::now();
            match self.follow(&mut stretch).await {
                Broken::Silent => {}
                Broken::Lost(error) => {
                    if self.epoch.end() || !told {
                        told = true;
                        tracing::warn!(
                            error = &*error as &dyn std::error::Error,
                            "the engine's events are lost; until they are back, the engine is asked about every request"
                        );
                    }
                    // A stream that held for a while is tried again at once.
                    pause = if began.elapsed() > LONGEST_PAUSE {
                        FIRST_PAUSE
                    } else {
                        (pause * 2).min(LONGEST_PAUSE)
                    };
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Subscribes, lists, then follows one stream of events to its end.
    async fn follow(self: &Arc<Self>, stretch: &mut Stretch) -> Broken {
        match self.follow_or_fail(stretch).await {
            Ok(broken) | Err(broken) => broken,
        }
    }

    async fn follow_or_fail(self: &Arc<Self>, stretch: &mut Stretch) -> Result<Broken, Broken> {
        // The engine may have been replaced by another version.
        self.engine.negotiate().await.map_err(Arc::new)?;
        let events = self.engine.events().await.map_err(Arc::new)?;
        // Nobody heard of those who departed before this moment. Connections that are open by now are looked at below; one that is opened
        // later, with an answer from before, would be looked at by nobody.
        self.sessions.assume_departures();
        let (queue, mut queued) = mpsc::channel(QUEUED_EVENTS);
        // Both end with this stretch.
        let mut reading = JoinSet::new();
        reading.spawn(Arc::clone(self).read(events, queue));
        let mut background = JoinSet::new();
        // Once the reader has ended, events are missed: nothing that takes its time may go on as if they were not.
        tokio::select! {
            biased;
            ended = reading.join_next() => return Ok(reader_ended(ended)),
            begun = self.begin(stretch) => begun?,
        }
        let seats = Seats {
            questions: Arc::new(Semaphore::new(MOST_QUESTIONS)),
            looks: Arc::new(Semaphore::new(MOST_LOOKS)),
        };
        let mut relist = tokio::time::interval_at(Instant::now() + RELIST, RELIST);
        relist.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let end = self.directory.known().next_end();
            tokio::select! {
                event = queued.recv(), if background.len() < MOST_BACKGROUND => match event {
                    Some(event) => self.work_through(&event, &seats, &mut background),
                    None => return Ok(reader_ended(reading.join_next().await)),
                },
                // At once, whatever is still queued: from here on events are missed.
                ended = reading.join_next() => return Ok(reader_ended(ended)),
                Some(_) = background.join_next(), if !background.is_empty() => {}
                () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                    self.directory.known().forget_departed();
                    self.verify_creators();
                }
                _ = relist.tick() => tokio::select! {
                    biased;
                    ended = reading.join_next() => return Ok(reader_ended(ended)),
                    done = self.resync() => done?,
                },
            }
        }
    }

    /// Lists everything, and from then on what events say is all that is missing.
    async fn begin(&self, stretch: &mut Stretch) -> Result<(), Shared> {
        self.resync().await?;
        if !self.epoch.is_fresh() {
            *stretch = stretch.next();
            self.epoch.begin(*stretch);
            self.reporter.report_clients().await;
        }
        Ok(())
    }

    /// Reads events as fast as they come. What must end at once ends here; the rest is queued.
    async fn read(self: Arc<Self>, mut events: EventStream, queue: mpsc::Sender<Event>) -> Broken {
        loop {
            let event = match tokio::time::timeout(SILENCE, events.next()).await {
                Err(_) => return Broken::Silent,
                Ok(Ok(Some(event))) => event,
                Ok(Ok(None)) => return lost("it ended the stream of events"),
                Ok(Err(error)) => return Broken::Lost(Arc::new(error)),
            };
            self.end_what_ended(&event);
            if queue.try_send(event).is_err() {
                return lost("its events come faster than they can be worked through");
            }
        }
    }

    fn end_what_ended(&self, event: &Event) {
        match (event.kind.as_str(), event.docker_action()) {
            // It may be known only after it speaks, if the engine is slow, or fails.
            ("container", "create") => {
                self.epoch.count_anew();
                if let Some(id) = ContainerId::parse(&event.actor.id) {
                    self.directory.known().expect(id);
                }
            }
            ("container", action @ ("die" | "destroy")) => {
                if let Some(id) = ContainerId::parse(&event.actor.id) {
                    self.sessions.depart(id, None, "its container has stopped");
                    if action == "destroy" {
                        self.epoch.count_anew();
                        self.sessions.bury(id);
                    }
                }
                self.networks.departed();
            }
            ("network", "disconnect") => {
                if let Some((id, network)) = event.member() {
                    self.sessions.depart(id, network, "its container has left the network");
                }
                self.networks.departed();
            }
            ("network", "destroy") => {
                self.sessions.verify(&event.actor.id, |_| None);
                self.networks.departed();
            }
            // Its name leads to it no longer.
            ("container", "rename") => {
                if let Some(id) = ContainerId::parse(&event.actor.id) {
                    self.directory.known().forget_name(id);
                    self.epoch.count_anew();
                    self.sessions.rename(id);
                }
                self.networks.departed();
            }
            _ => {}
        }
        self.epoch.tell();
    }

    fn work_through(self: &Arc<Self>, event: &Event, seats: &Seats, background: &mut JoinSet<()>) {
        let follower = Arc::clone(self);
        let container = ContainerId::parse(&event.actor.id);
        let member = event.member();
        let mut ask = |work: Work| {
            let follower = Arc::clone(&follower);
            let seats = Arc::clone(if matches!(work, Work::LookAt(..)) {
                &seats.looks
            } else {
                &seats.questions
            });
            background.spawn(async move {
                let Ok(_seat) = seats.acquire().await else { return };
                // What fails here is asked again when somebody needs it.
                let _ = follower.work(work).await;
                follower.epoch.tell();
            });
        };
        match (event.kind.as_str(), event.docker_action(), container, member) {
            ("container", "create", Some(id), _) => ask(Work::Learn(id)),
            ("container", "start", Some(id), _) => ask(Work::Started(id)),
            ("container", "rename", Some(id), _) => ask(Work::Renamed(id)),
            ("container", "die", Some(id), _) => self.reporter.report_stopped(id),
            ("container", "destroy", Some(id), _) => self.forget(id),
            ("network", "connect" | "disconnect", _, Some((id, _))) if self.ourselves.is_us(id) => {
                ask(Work::OwnNetworks);
            }
            ("network", "destroy", ..) => ask(Work::OwnNetworks),
            ("network", "connect", _, Some((id, network))) => {
                let Some(network) = network else { return ask(Work::Connected(id, None)) };
                if self.concerns(network) {
                    ask(Work::Connected(id, Some(network.to_owned())));
                    ask(Work::LookAt(id, network.to_owned()));
                }
            }
            ("network", "disconnect", _, Some((id, network)))
                if network.is_none_or(|network| self.concerns(network)) =>
            {
                ask(Work::Disconnected(id));
            }
            _ => {}
        }
    }

    /// Whether clients come from this network.
    fn concerns(&self, network: &str) -> bool {
        let look = self.ourselves.look();
        look.on_host || look.networks.has(network) || self.sessions.has(network)
    }

    fn forget(&self, id: ContainerId) {
        self.directory.known().forget(id);
        self.reporter.forget(id);
    }

    async fn work(&self, work: Work) -> Result<(), Shared> {
        match work {
            Work::Learn(id) => {
                self.directory.container(id).await?;
                self.give_way();
            }
            Work::Started(id) => self.reporter.tell(id, "client started").await?,
            Work::Renamed(id) => {
                self.directory.learn(id).await?;
                self.give_way();
                self.reporter.tell(id, "client renamed").await?;
            }
            Work::Connected(id, network) => {
                match network {
                    Some(network) => self.verify(&network).await?,
                    None => self.verify_all().await?,
                }
                self.reporter.tell(id, "client joined a network").await?;
            }
            Work::Disconnected(id) => {
                // One that stops leaves its networks too, and the list still calls it running then.
                let inspect = inspect(&self.engine, id).await?;
                if inspect.is_some_and(|inspect| inspect.state.running) {
                    self.reporter.tell(id, "client left a network").await?;
                }
            }
            Work::LookAt(id, network) => self.reporter.warn_of_neighbour(id, &network).await?,
            Work::OwnNetworks => {
                self.ourselves.refresh().await?;
                self.verify_all().await?;
                self.reporter.warn_of_neighbours().await?;
            }
        }
        Ok(())
    }

    /// Lists everything and ends the connections that are no longer what they were.
    async fn resync(&self) -> Result<(), Shared> {
        self.ourselves.refresh().await?;
        self.directory.list().await?;
        self.verify_creators();
        self.verify_all().await?;
        self.epoch.tell();
        Ok(())
    }

    /// A container that is known now may have taken the place of a creator that was removed.
    fn give_way(&self) {
        if self.directory.known().has_given_way() {
            self.verify_creators();
        }
    }

    /// Ends the connections of containers whose creator no longer stands for them.
    fn verify_creators(&self) {
        self.sessions.verify_creators(|creator| self.directory.known().still_stands(creator));
    }

    async fn verify_all(&self) -> Result<(), Shared> {
        for network in self.sessions.networks() {
            self.verify(&network).await?;
        }
        Ok(())
    }

    /// Ends the connections over a network whose address somebody else has now, or nobody, and those that came over one that we left.
    async fn verify(&self, network: &str) -> Result<(), Shared> {
        if !self.ourselves.look().networks.has(network) {
            self.sessions.leave(network);
        }
        let view = self.networks.look(network).await?;
        self.sessions.verify(network, |address| match view.holder(address) {
            Holder::Container(id) => Some(id),
            Holder::Gateway | Holder::Several | Holder::Nobody | Holder::Elsewhere => None,
        });
        Ok(())
    }
}

/// How much is done at once.
struct Seats {
    questions: Arc<Semaphore>,
    looks: Arc<Semaphore>,
}

/// What an event asks to be done at leisure.
enum Work {
    Learn(ContainerId),
    Started(ContainerId),
    Renamed(ContainerId),
    /// Joined this network; `None` where the engine does not say which.
    Connected(ContainerId, Option<String>),
    Disconnected(ContainerId),
    LookAt(ContainerId, String),
    OwnNetworks,
}

fn reader_ended(ended: Option<Result<Broken, tokio::task::JoinError>>) -> Broken {
    ended.and_then(Result::ok).unwrap_or_else(|| lost("its events could not be read"))
}

fn lost(why: &'static str) -> Broken {
    Broken::Lost(Arc::new(EngineError::Unexpected(why)))
}
