//! The kernel's objects by kind: `/proc/slabinfo` (slabinfo(5)), which only root may read.
//!
//! ```text
//!   # name   <active_objs> <num_objs> <objsize> …
//!   TCP            30021      30100      2496 …
//! ```
//!
//! The figures are of the whole machine, and kernels give objects of one size one name if they may. It does not know what an
//! object is for.

use std::collections::BTreeMap;
use std::fs;

/// Bytes in use, by the objects' name.
pub(super) type Slabs = BTreeMap<String, u64>;

/// What the kernel has in use now; `None` where it does not say.
pub(super) fn slabs() -> Option<Slabs> {
    let text = fs::read_to_string("/proc/slabinfo").ok()?;
    Some(text.lines().filter_map(kind).collect())
}

fn kind(line: &str) -> Option<(String, u64)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let mut numbers = words.map_while(|word| word.parse::<u64>().ok());
    let (active, _, size) = (numbers.next()?, numbers.next()?, numbers.next()?);
    Some((name.to_owned(), active * size))
}

/// What has grown most between two looks, the most first.
pub(super) fn growth(before: &Slabs, after: &Slabs, kinds: usize) -> Vec<(String, u64)> {
    let grown = |(name, bytes): (&String, &u64)| {
        let by = bytes.saturating_sub(before.get(name).copied().unwrap_or(0));
        (name.clone(), by)
    };
    let mut all: Vec<(String, u64)> = after.iter().map(grown).collect();
    all.sort_by_key(|(_, by)| std::cmp::Reverse(*by));
    all.truncate(kinds);
    all
}

#[cfg(test)]
mod tests;
