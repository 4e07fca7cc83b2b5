//! Keys and masks from the operating system.
//!
//! A mask must be unforeseeable, or a page could make its browser write bytes of the page's choice past the proxies on the
//! way (RFC 6455 §5.3, §10.3). One call brings 64 masks: getrandom(2) fills up to 256 bytes whole, without a seam.

use std::io;

use crate::sys::{self, Silent};

const POOL_BYTES: usize = 256;

/// New masks, never the same bytes twice.
pub(super) struct Masks {
    pool: [u8; POOL_BYTES],
    used: usize,
}

impl Masks {
    pub(super) const fn new() -> Self {
        Self {
            pool: [0; POOL_BYTES],
            used: POOL_BYTES,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<[u8; 4]> {
        if self.used == POOL_BYTES {
            fill(&mut self.pool)?;
            self.used = 0;
        }
        let mask = self.pool[self.used..][..4].try_into();
        self.used += 4;
        Ok(mask.expect("the pool is a multiple of four bytes"))
    }
}

/// Fills `bytes` with what nobody can foresee.
pub(super) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled += sys::getrandom(&mut Silent, &mut bytes[filled..])?;
    }
    Ok(())
}
