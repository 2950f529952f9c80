//! The memory that clients' requests may take: one budget for all, with a share for each client address.
//!
//! It is counted before it is taken. What does not fit waits for its turn, first come first served, and holds nothing meanwhile. So nobody
//! can wait for somebody who waits: the budget has parts, a request takes of them in their order, and whoever has memory of the last one
//! needs no more to come to its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Limit;
use super::address::Address;

/// What memory is taken for, in the order in which one request takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Heads, and the beginnings of bodies of unknown length.
    Head,
    /// Bodies that are read to be judged, until they were sent on.
    Body,
    /// What is made of a body while it is judged, and what the engine answers about it.
    Judgement,
    /// Room beyond the usual for what only passes through. A client that gets none is slower.
    Room,
}

/// How much of the budget each part has, in sixths.
const SIXTHS: [usize; 4] = [1, 2, 2, 1];
/// One client gets the `SHARE`th of a part.
const SHARE: usize = 2;
/// How many connections have the usual room each; where there are more, each has less.
const ROOMY_CONNECTIONS: usize = 256;

/// The budget.
#[derive(Debug)]
pub struct Budget {
    parts: [Part; 4],
    /// How many connections there are.
    connections: AtomicUsize,
}

#[derive(Debug)]
struct Part {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// Whoever has nothing is not in here.
    clients: HashMap<Address, usize>,
    /// Who waits, in the order they came.
    queue: Vec<Waiting>,
    tickets: u64,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    address: Address,
    bytes: usize,
    granted: oneshot::Sender<()>,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    /// This client has its share.
    Share,
    /// All together have everything.
    All,
}

impl Full {
    const fn limit(self) -> Limit {
        match self {
            Self::Share => Limit::MemoryPerClient,
            Self::All => Limit::Memory,
        }
    }
}

impl State {
    fn room(&self, most: usize, address: Address, bytes: usize) -> Result<(), Full> {
        let has = self.clients.get(&address).copied().unwrap_or_default();
        // Whoever has nothing may have one large thing.
        if has > 0 && has + bytes > most / SHARE {
            return Err(Full::Share);
        }
        if self.taken + bytes > most { Err(Full::All) } else { Ok(()) }
    }

    fn take(&mut self, address: Address, bytes: usize) {
        self.taken += bytes;
        *self.clients.entry(address).or_default() += bytes;
    }

    fn give_back(&mut self, address: Address, bytes: usize) {
        self.taken = self.taken.saturating_sub(bytes);
        if let Some(has) = self.clients.get_mut(&address) {
            *has = has.saturating_sub(bytes);
            if *has == 0 {
                self.clients.remove(&address);
                if self.clients.capacity() > 4 * self.clients.len() + 64 {
                    self.clients.shrink_to_fit();
                }
            }
        }
    }

    /// Gives what is free to those who wait. One that waits for its own client's memory holds up nobody else; one that waits for
    /// everybody's comes before those behind it.
    fn serve(&mut self, most: usize) {
        let mut place = 0;
        while let Some(first) = self.queue.get(place) {
            let (address, bytes) = (first.address, first.bytes);
            match self.room(most, address, bytes) {
                Ok(()) => {
                    let waiting = self.queue.remove(place);
                    // Whoever has gone takes nothing.
                    if waiting.granted.send(()).is_ok() {
                        self.take(address, bytes);
                    }
                }
                Err(Full::Share) => place += 1,
                Err(Full::All) => return,
            }
        }
    }
}

impl Part {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain numbers, right after every statement, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    /// A budget of so many bytes, of which nothing is taken; more where `body` bytes could not be read and judged with that.
    pub fn new(bytes: usize, body: usize, judgement: usize) -> Arc<Self> {
        let least = [0, body, judgement, 0];
        let mut parts = SIXTHS.into_iter().zip(least).map(|(sixths, least)| Part {
            most: (bytes / 6 * sixths).max(least),
            state: Mutex::default(),
        });
        let mut next = || parts.next().unwrap_or(Part { most: 0, state: Mutex::default() });
        let parts = [next(), next(), next(), next()];
        Arc::new(Self { parts, connections: AtomicUsize::new(0) })
    }

    /// There is a connection more.
    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// There is a connection less.
    pub(super) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// The most that can be taken of it.
    pub fn most(&self) -> usize {
        self.parts.iter().map(|part| part.most).sum()
    }

    /// How much is taken of it.
    pub fn taken(&self) -> usize {
        self.parts.iter().map(|part| part.lock().taken).sum()
    }

    fn part(&self, what: Use) -> &Part {
        let [head, body, judgement, room] = &self.parts;
        match what {
            Use::Head => head,
            Use::Body => body,
            Use::Judgement => judgement,
            Use::Room => room,
        }
    }
}

/// One client's access to the budget.
#[derive(Debug, Clone)]
pub struct Purse {
    budget: Arc<Budget>,
    address: Address,
}

impl Purse {
    pub(super) fn new(budget: Arc<Budget>, address: Address) -> Self {
        Self { budget, address }
    }

    /// Whether there are so many connections that each has to do with less room than usual.
    pub fn is_crowded(&self) -> bool {
        self.budget.connections.load(Ordering::Relaxed) > ROOMY_CONNECTIONS
    }

    /// Takes memory if there is some right now.
    ///
    /// # Errors
    /// Whose memory is taken.
    pub fn try_take(&self, what: Use, bytes: usize) -> Result<Taken, Limit> {
        let part = self.budget.part(what);
        let mut state = part.lock();
        state.room(part.most, self.address, bytes).map_err(Full::limit)?;
        state.take(self.address, bytes);
        Ok(Taken { purse: self.clone(), what, bytes })
    }

    /// Takes memory; waits for it as long as the caller does. What can never be had is not waited for.
    ///
    /// # Errors
    /// When it is more than there is.
    pub async fn take(&self, what: Use, bytes: usize) -> Result<Taken, Limit> {
        let part = self.budget.part(what);
        if bytes > part.most {
            return Err(Limit::Memory);
        }
        let (ticket, granted) = {
            let mut state = part.lock();
            if state.queue.is_empty() && state.room(part.most, self.address, bytes).is_ok() {
                state.take(self.address, bytes);
                return Ok(Taken { purse: self.clone(), what, bytes });
            }
            state.tickets += 1;
            let ticket = state.tickets;
            let (sender, granted) = oneshot::channel();
            state.queue.push(Waiting { ticket, address: self.address, bytes, granted: sender });
            // It may be the only one in the queue whose turn it can be.
            state.serve(part.most);
            (ticket, granted)
        };
        let mut turn = Turn { purse: self, what, bytes, ticket, granted };
        // The sender lives in the queue as long as we do.
        let _ = (&mut turn.granted).await;
        Ok(turn.claim())
    }

    /// Whose memory is taken, where a wait for it was given up.
    pub fn why_not(&self, what: Use, bytes: usize) -> Limit {
        let part = self.budget.part(what);
        match part.lock().room(part.most, self.address, bytes) {
            Err(Full::Share) => Limit::MemoryPerClient,
            Ok(()) | Err(Full::All) => Limit::Memory,
        }
    }
}

/// A place in the queue; whoever leaves early gives back what was granted meanwhile.
struct Turn<'a> {
    purse: &'a Purse,
    what: Use,
    bytes: usize,
    ticket: u64,
    granted: oneshot::Receiver<()>,
}

impl Turn<'_> {
    fn claim(mut self) -> Taken {
        let taken = Taken { purse: self.purse.clone(), what: self.what, bytes: self.bytes };
        // Nothing is left to give back.
        self.bytes = 0;
        taken
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let part = self.purse.budget.part(self.what);
        let mut state = part.lock();
        let before = state.queue.len();
        state.queue.retain(|waiting| waiting.ticket != self.ticket);
        if state.queue.len() == before {
            state.give_back(self.purse.address, self.bytes);
        }
        state.serve(part.most);
    }
}

/// Memory that was taken; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Taken {
    purse: Purse,
    what: Use,
    bytes: usize,
}

impl Taken {
    /// Gives back all but so much.
    pub fn shrink(&mut self, bytes: usize) {
        if bytes < self.bytes {
            let part = self.purse.budget.part(self.what);
            let mut state = part.lock();
            state.give_back(self.purse.address, self.bytes - bytes);
            self.bytes = bytes;
            state.serve(part.most);
        }
    }

    /// Takes more of the same if there is some right now.
    ///
    /// # Errors
    /// Whose memory is taken.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Limit> {
        let part = self.purse.budget.part(self.what);
        let mut state = part.lock();
        // Whoever has nothing else may have one large thing.
        let others = state.clients.get(&self.purse.address).is_some_and(|has| *has > self.bytes);
        let most = part.most;
        let fits = state.taken + bytes <= most
            && (!others || state.room(most, self.purse.address, bytes).is_ok());
        if !fits {
            return Err(if others { Limit::MemoryPerClient } else { Limit::Memory });
        }
        state.take(self.purse.address, bytes);
        self.bytes += bytes;
        Ok(())
    }

    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let part = self.purse.budget.part(self.what);
        let mut state = part.lock();
        state.give_back(self.purse.address, self.bytes);
        state.serve(part.most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const MOST: usize = 600;
    const SECOND: Duration = Duration::from_secs(1);

    fn purse(budget: &Arc<Budget>, user: u32) -> Purse {
        Purse::new(Arc::clone(budget), Address::User(user))
    }

    #[tokio::test]
    async fn one_client_has_its_share_and_all_have_everything() {
        let budget = Budget::new(MOST, 0, 0);
        assert_eq!(budget.most(), MOST);
        let one = purse(&budget, 1);
        let first = one.try_take(Use::Body, 60).unwrap();
        assert_eq!(one.try_take(Use::Body, 60).unwrap_err(), Limit::MemoryPerClient);
        let _more = one.try_take(Use::Body, 40).unwrap();
        let _second = purse(&budget, 2).try_take(Use::Body, 100).unwrap();
        assert_eq!(purse(&budget, 3).try_take(Use::Body, 1).unwrap_err(), Limit::Memory);
        // The parts are apart.
        let _judged = purse(&budget, 3).try_take(Use::Judgement, 150).unwrap();
        drop(first);
        let _third = purse(&budget, 3).try_take(Use::Body, 60).unwrap();
        assert_eq!(budget.taken(), 40 + 100 + 150 + 60);
        assert_eq!(purse(&budget, 4).take(Use::Body, 201).await.unwrap_err(), Limit::Memory);
    }

    #[tokio::test]
    async fn everything_is_given_back() {
        let budget = Budget::new(MOST, 0, 0);
        for user in 0..1000 {
            let mut taken = purse(&budget, user).try_take(Use::Head, 50).unwrap();
            taken.shrink(20);
            taken.grow(30).unwrap();
            taken.shrink(0);
        }
        assert_eq!(budget.taken(), 0);
        assert!(budget.parts.iter().all(|part| part.lock().clients.is_empty()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_in_turn_and_a_waiting_client_holds_up_no_other() {
        let budget = Budget::new(MOST, 0, 0);
        let (one, two, three) = (purse(&budget, 1), purse(&budget, 2), purse(&budget, 3));
        let mut held = vec![one.take(Use::Body, 100).await.unwrap()];
        // Its own share is what the first waits for; the second gets what it asks for.
        let mut waits = std::pin::pin!(one.take(Use::Body, 50));
        assert!(timeout(SECOND, &mut waits).await.is_err());
        assert_eq!(one.why_not(Use::Body, 50), Limit::MemoryPerClient);
        held.push(timeout(SECOND, two.take(Use::Body, 80)).await.unwrap().unwrap());
        // The third waits for everybody's, and whoever is behind it does not go before it.
        let mut large = std::pin::pin!(three.take(Use::Body, 100));
        assert!(timeout(SECOND, &mut large).await.is_err());
        assert_eq!(three.why_not(Use::Body, 100), Limit::Memory);
        let four = purse(&budget, 4);
        let mut small = std::pin::pin!(four.take(Use::Body, 20));
        assert!(timeout(SECOND, &mut small).await.is_err());
        drop(held.remove(0));
        let first = timeout(SECOND, waits).await.unwrap().unwrap();
        assert!(timeout(SECOND, &mut large).await.is_err());
        drop(held);
        let large = timeout(SECOND, large).await.unwrap().unwrap();
        let small = timeout(SECOND, small).await.unwrap().unwrap();
        assert_eq!(budget.taken(), 170);
        drop((first, large, small));
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_queue_takes_nothing() {
        let budget = Budget::new(MOST, 0, 0);
        let (one, two) = (purse(&budget, 1), purse(&budget, 2));
        let held = one.take(Use::Body, 200).await.unwrap();
        assert!(timeout(SECOND, two.take(Use::Body, 150)).await.is_err());
        // This one is granted and leaves before it looks.
        let mut waits = Box::pin(two.take(Use::Body, 150));
        assert!(timeout(SECOND, &mut waits).await.is_err());
        drop(held);
        assert_eq!(budget.taken(), 150);
        drop(waits);
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn many_large_bodies_come_through_one_after_the_other() {
        let budget = Budget::new(MOST, 0, 0);
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..40 {
            let purse = purse(&budget, number % 3);
            clients.spawn(async move {
                let body = purse.take(Use::Body, 90).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
                let judgement = purse.take(Use::Judgement, 190).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop((judgement, body));
            });
        }
        let all = async { while clients.join_next().await.is_some_and(|it| it.is_ok()) {} };
        timeout(Duration::from_secs(2), all).await.unwrap();
        assert_eq!(budget.taken(), 0);
    }
}
