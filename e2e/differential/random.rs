//! Random numbers that can be had again from a seed.

/// A source of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    /// The numbers of one document of a run.
    pub(crate) fn of(seed: u64, document: u64) -> Self {
        let document = fastrand::Rng::with_seed(document).u64(..);
        Self(fastrand::Rng::with_seed(seed ^ document))
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    /// Whether it happens, in so many cases of a thousand.
    pub(crate) fn chance(&mut self, in_thousand: usize) -> bool {
        self.below(1000) < in_thousand
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Some of them, none twice.
    pub(crate) fn some<'a, T>(&mut self, from: &'a [T], most: usize) -> Vec<&'a T> {
        let mut all: Vec<&T> = from.iter().collect();
        let count = self.below(most.min(all.len()) + 1);
        (0..count).map(|_| all.swap_remove(self.below(all.len()))).collect()
    }
}
