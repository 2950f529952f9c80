//! What each client was refused last, for `sockwarden clients`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::Record;
use crate::client::ContainerId;

/// How much is remembered of all clients, in bytes; then those whose last refusal is the oldest are forgotten.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// What a client takes beside the text, in bytes, give or take some.
const CLIENT_BYTES: usize = 192;
/// How much of a refusal is remembered, in characters.
const LONGEST_REFUSAL: usize = 1024;

/// The last refusal of each client, the newest ones.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    refusals: HashMap<ContainerId, Refused>,
    /// Whose refusals they are, the oldest first.
    order: BTreeMap<u64, ContainerId>,
    /// How many there have been.
    count: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Refused {
    /// How many there had been before.
    number: u64,
    what: Box<str>,
}

impl Refused {
    fn bytes(&self) -> usize {
        CLIENT_BYTES + self.what.len()
    }
}

impl Recent {
    /// Remembers what the containers behind a record were refused, if they were.
    pub(super) fn take(&self, record: &Record) {
        let (Some(containers), Some(told)) = (&record.containers, &record.told) else { return };
        // A client may ask for something very long.
        let what = match told.char_indices().nth(LONGEST_REFUSAL) {
            Some((end, _)) => told.get(..end).unwrap_or_default(),
            None => told,
        };
        let mut ring = self.lock();
        for container in containers.iter() {
            ring.put(container.id, what);
        }
    }

    /// What a container was refused last, as far as it is remembered.
    pub(super) fn of(&self, id: ContainerId) -> Option<String> {
        self.lock().refusals.get(&id).map(|refused| refused.what.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A panic inside leaves at worst a count that is a little wrong.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn put(&mut self, id: ContainerId, what: &str) {
        let refused = Refused { number: self.count, what: what.into() };
        self.count += 1;
        self.bytes += refused.bytes();
        self.order.insert(refused.number, id);
        if let Some(before) = self.refusals.insert(id, refused) {
            self.bytes -= before.bytes();
            self.order.remove(&before.number);
        }
        while self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            if let Some(refused) = self.refusals.remove(&oldest) {
                self.bytes -= refused.bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::client::Container;
    use crate::rule::labels::Rights;

    fn id(number: usize) -> ContainerId {
        ContainerId::parse(&format!("{number:064x}")).unwrap()
    }

    fn record(numbers: &[usize], told: Option<&str>) -> Record {
        let container = |number: &usize| {
            let (id, name) = (id(*number), number.to_string());
            let lineage = crate::client::Lineage::default();
            Arc::new(Container { id, name, rights: Rights::Unlabelled, lineage })
        };
        let mut record = Record::new("a".into());
        record.containers = Some(numbers.iter().map(container).collect());
        record.told = told.map(str::to_owned);
        record
    }

    #[test]
    fn the_last_refusal_of_each_container_is_remembered() {
        let recent = Recent::default();
        recent.take(&record(&[1, 2], Some("first")));
        recent.take(&record(&[2], Some("second")));
        recent.take(&record(&[2], None));
        let of = |number| recent.of(id(number));
        assert_eq!(of(1).as_deref(), Some("first"));
        assert_eq!(of(2).as_deref(), Some("second"));
        assert_eq!(of(3), None);
    }

    #[test]
    fn what_is_remembered_is_limited_and_the_oldest_goes_first() {
        let recent = Recent::default();
        let long = "é".repeat(3 * LONGEST_REFUSAL);
        recent.take(&record(&[0], Some(&long)));
        assert_eq!(recent.of(id(0)).unwrap(), "é".repeat(LONGEST_REFUSAL));
        for number in 1..5000 {
            recent.take(&record(&[number], Some(&long)));
            // This one is refused again and again.
            recent.take(&record(&[0], Some("no")));
        }
        let ring = recent.lock();
        assert!(ring.bytes <= MOST_BYTES && ring.bytes > MOST_BYTES / 2, "{}", ring.bytes);
        assert_eq!(ring.bytes, ring.refusals.values().map(Refused::bytes).sum::<usize>());
        assert_eq!(ring.refusals.len(), ring.order.len());
        let is_kept = |number| ring.refusals.contains_key(&id(number));
        assert!(is_kept(0) && is_kept(4999) && !is_kept(1));
    }
}
