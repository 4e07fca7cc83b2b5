//! Names for sockets that cannot be mistaken for their successors.
#![forbid(unsafe_code)]

use std::fmt;

/// How many bits of a generation are kept. 16 million reuses of one slot pass before a stale name could match again.
const GENERATION_BITS: u32 = 24;

/// A socket's name: the index of its slot, and how often that slot was used before.
///
/// A driver that is asked about a token whose generation has passed ignores the request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    /// Index of the slot.
    pub(crate) index: u32,
    /// 24 bits, wrapping.
    pub(crate) generation: u32,
}

impl Token {
    /// Packs `kind:8 | generation:24 | index:32` into the value that epoll and io_uring hand back.
    /// Never a pointer: a stale completion then names an old generation instead of freed memory.
    #[inline]
    pub(crate) fn pack(self, kind: u8) -> u64 {
        u64::from(kind) << 56 | u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The inverse of [`pack`](Self::pack).
    #[inline]
    pub(crate) fn unpack(packed: u64) -> (u8, Token) {
        let generation = (packed >> 32) as u32 & ((1 << GENERATION_BITS) - 1);
        (
            (packed >> 56) as u8,
            Token {
                index: packed as u32,
                generation,
            },
        )
    }

    /// The name of the slot's next user.
    #[inline]
    pub(crate) fn next_generation(generation: u32) -> u32 {
        (generation + 1) & ((1 << GENERATION_BITS) - 1)
    }

    /// Whether slots of which none had a newer generation may be forgotten, if those that come in their place begin with
    /// it. Far from the end of the numbers none of their stale names matches before 8 million reuses; close to it, the
    /// first names that come behind the end might be those of a slot that was used seldom.
    pub(crate) fn may_forget(generation: u32) -> bool {
        generation < 1 << (GENERATION_BITS - 1)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}
