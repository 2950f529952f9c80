//! The containers that clients with `recreate` took down, for as long as they may come back: so many, so large, for so long, and each for one
//! container of one client. Nothing of it outlives the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clauses::{
    Effect, Made, Past, Remembered, TakenDown, Violation, memory_is_full, replaced_already,
};
use crate::request::json::Json;

/// How many containers are remembered of one client.
const MOST_OF_CLIENT: usize = 256;
/// How many are remembered in all.
const MOST: usize = 1024;
/// How much of memory one may take, and all of them, in bytes.
const MOST_BYTES_OF_ONE: usize = 1024 * 1024;
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// For how long: a program may stop a hundred containers, with some seconds for each, before it creates the first of them again.
const LIFETIME: Duration = Duration::from_hours(1);
/// How much of an answer to a create is looked at, in bytes.
const MOST_ANSWER_BYTES: usize = 64 * 1024;

/// What is remembered of all clients.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
    /// Whether anything was ever remembered, for those who need no more than that.
    is_used: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    taken_down: Vec<Entry>,
    made: Vec<(Arc<str>, Made, Instant)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    client: Arc<str>,
    what: TakenDown,
    bytes: usize,
    until: Instant,
}

/// That a create was let through. What was replaced serves no other, unless the engine says that nothing was made.
#[derive(Debug)]
pub struct Ticket {
    memory: Arc<Memory>,
    client: Arc<str>,
    old: Arc<Remembered>,
    names: Arc<[String]>,
    answer: Vec<u8>,
    is_over: bool,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is whole before the next.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything was remembered of anybody since the start. Nothing is locked for it.
    pub fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Acquire)
    }

    /// What is remembered of this client.
    pub fn past(&self, client: &str, now: Instant) -> Past {
        let mut state = self.lock();
        state.forget(now);
        let own = state.taken_down.iter().filter(|entry| *entry.client == *client);
        Past {
            taken_down: own.map(|entry| entry.what.clone()).collect(),
            made: state
                .made
                .iter()
                .filter(|(owner, ..)| **owner == *client)
                .map(|(_, made, _)| made.clone())
                .collect(),
        }
    }

    /// Remembers what a request is about to do; gives a ticket for a create.
    ///
    /// # Errors
    /// When there is no room, or another request of the client was faster.
    pub fn note(
        self: &Arc<Self>,
        client: &Arc<str>,
        effect: &Effect,
        now: Instant,
    ) -> Result<Option<Ticket>, Violation> {
        self.is_used.store(true, Ordering::Release);
        let mut state = self.lock();
        state.forget(now);
        match effect {
            Effect::TakesDown { old, must } => match state.remember(client, old, *must, now) {
                Err(Full) if *must => Err(memory_is_full()),
                Ok(()) | Err(Full) => Ok(None),
            },
            Effect::Replaces { old, names } => {
                // One that is replaced before it is taken down was not remembered yet.
                if state.find(client, &old.id).is_none() {
                    state.remember(client, old, true, now).map_err(|Full| memory_is_full())?;
                }
                let Some(entry) = state.find(client, &old.id).filter(|it| !it.what.is_replaced)
                else {
                    return Err(replaced_already());
                };
                entry.what.is_replaced = true;
                Ok(Some(Ticket {
                    memory: Arc::clone(self),
                    client: Arc::clone(client),
                    old: Arc::clone(old),
                    names: Arc::clone(names),
                    answer: Vec::new(),
                    is_over: false,
                }))
            }
        }
    }
}

struct Full;

impl State {
    fn forget(&mut self, now: Instant) {
        self.taken_down.retain(|entry| entry.until > now);
        self.made.retain(|(.., until)| *until > now);
        self.bytes = self.taken_down.iter().map(|entry| entry.bytes).sum();
    }

    fn find(&mut self, client: &str, id: &str) -> Option<&mut Entry> {
        self.taken_down.iter_mut().find(|it| *it.client == *client && it.what.old.id == id)
    }

    fn remember(
        &mut self,
        client: &Arc<str>,
        old: &Arc<Remembered>,
        must: bool,
        now: Instant,
    ) -> Result<(), Full> {
        let until = now + LIFETIME;
        if let Some(entry) = self.find(client, &old.id) {
            entry.until = until;
            if entry.what.old.is_set_up_like(old) {
                // Of what this client renamed or disconnected, name and networks are those that it had at first.
                if !entry.what.must {
                    let name = old.name.clone();
                    entry.what.old = Arc::new(Remembered { name, ..(*entry.what.old).clone() });
                }
                entry.what.must |= must;
                return Ok(());
            }
        }
        let bytes = Json::memory(old.inspect.to_text().as_bytes())
            + old.image.as_ref().map_or(0, |it| Json::memory(it.to_text().as_bytes()));
        if bytes > MOST_BYTES_OF_ONE {
            return Err(Full);
        }
        let before = self
            .taken_down
            .iter()
            .position(|it| *it.client == **client && it.what.old.id == old.id);
        let before = before.map(|at| self.taken_down.remove(at));
        self.bytes -= before.as_ref().map_or(0, |it| it.bytes);
        while !self.has_room(client, bytes) {
            // What was only stopped is there, and can be looked at again.
            let idle = self.taken_down.iter().position(|it| must && !it.what.must);
            let Some(idle) = idle else {
                self.bytes += before.as_ref().map_or(0, |it| it.bytes);
                self.taken_down.extend(before);
                return Err(Full);
            };
            self.bytes -= self.taken_down.remove(idle).bytes;
        }
        let renamed = before.as_ref().filter(|it| it.what.must);
        let name = renamed.map_or(&old.name, |it| &it.what.old.name).clone();
        let old = Arc::new(Remembered { name, ..Remembered::clone(old) });
        let must = must || before.as_ref().is_some_and(|it| it.what.must);
        let is_replaced = before.as_ref().is_some_and(|it| it.what.is_replaced);
        let what = TakenDown { old, must, is_replaced };
        self.bytes += bytes;
        self.taken_down.push(Entry { client: Arc::clone(client), what, bytes, until });
        Ok(())
    }

    fn has_room(&self, client: &str, bytes: usize) -> bool {
        let own = self.taken_down.iter().filter(|it| *it.client == *client).count();
        own < MOST_OF_CLIENT && self.taken_down.len() < MOST && self.bytes + bytes <= MOST_BYTES
    }
}

impl Ticket {
    /// Takes in what the engine answered, before the client does.
    pub fn hear(&mut self, answer: &[u8]) {
        if self.is_over || self.answer.len() + answer.len() > MOST_ANSWER_BYTES {
            return;
        }
        self.answer.extend_from_slice(answer);
        let Ok(told) = Json::parse_answer(&self.answer) else { return };
        let Some(id) = told.field("Id").and_then(Json::as_str) else { return };
        self.is_over = true;
        let made =
            Made { id: id.to_owned(), names: Arc::clone(&self.names), of: Arc::clone(&self.old) };
        let mut state = self.memory.lock();
        if state.made.len() >= 2 * MOST {
            state.made.remove(0);
        }
        state.made.push((Arc::clone(&self.client), made, Instant::now() + LIFETIME));
    }

    /// The engine said that it made nothing, so another create may try.
    pub fn give_back(self) {
        let mut state = self.memory.lock();
        if let Some(entry) = state.find(&self.client, &self.old.id) {
            entry.what.is_replaced = false;
        }
    }
}
