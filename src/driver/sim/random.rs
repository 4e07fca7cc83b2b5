//! Where a simulation's chance comes from: a seed, and nothing else.

/// `SplitMix64`: every seed is good, and every state follows.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `limit - 1`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        debug_assert!(limit > 0, "there is nothing below 0");
        (self.next() % limit as u64) as usize
    }

    /// From 1 to `len`, small sizes as often as large ones: the cuts that hurt are at the first bytes.
    pub(super) fn size(&mut self, len: usize) -> usize {
        debug_assert!(len > 0, "a cut leaves something on both sides");
        let bits = self.below(len.ilog2() as usize + 2);
        (1 + self.below(1 << bits)).min(len)
    }

    /// Changes the order of `items`, every order being as likely as another.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
