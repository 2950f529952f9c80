//! Numbers that a seed decides.

/// The generator `SplitMix64`.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // The seeds' own numbers are where the sequences begin: else each would be the one before, a step further.
        Self(Self(seed).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From nothing to `most`.
    pub(super) fn up_to(&mut self, most: u64) -> u64 {
        self.next() % (most + 1)
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.up_to(count - 1) == 0
    }

    /// One of these, if there is any.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let last = u64::try_from(of.len()).unwrap().checked_sub(1)?;
        of.get(usize::try_from(self.up_to(last)).unwrap()).copied()
    }
}
