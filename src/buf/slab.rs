//! A table that grows without moving what it holds, and gives back what nobody uses.
//!
//! ```text
//!   segment 0    ▓▓▓░▓░▓▓…   1024 elements that never move
//!   segment 1    (nothing)   never reached, or given back
//!   segment 2    ░▓░░░░░░…
//! ```
//!
//! A `Vec` of a million connections would, at the moment it grows, copy all of them in one turn, and hold both copies
//! while it does. Segments of 1024 elements are added one at a time instead, where an index needs one. It does not know
//! which elements are in use: who gives back says so.

const SEGMENT_BITS: u32 = 10;
const SEGMENT: usize = 1 << SEGMENT_BITS;

/// Elements by index, in segments that never move.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    /// A segment that is not there is empty.
    segments: Vec<Box<[T]>>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
        }
    }
}

impl<T: Default> Slab<T> {
    /// Sees to it that there is an element at `index`.
    #[inline]
    pub(crate) fn reach(&mut self, index: u32) {
        self.reach_with(index, T::default);
    }
}

impl<T> Slab<T> {
    /// As [`reach`](Self::reach); elements that were not there are what `make` makes.
    #[inline]
    pub(crate) fn reach_with(&mut self, index: u32, make: impl Fn() -> T) {
        let number = (index >> SEGMENT_BITS) as usize;
        if self
            .segments
            .get(number)
            .is_none_or(|segment| segment.is_empty())
        {
            self.add_segment(number, make);
        }
    }

    #[cold]
    fn add_segment(&mut self, number: usize, make: impl Fn() -> T) {
        if self.segments.len() <= number {
            self.segments.resize_with(number + 1, Box::default);
        }
        self.segments[number] = (0..SEGMENT).map(|_| make()).collect();
    }

    /// Gives back the segments of which `is_idle` says that nobody uses them. Their indices may be reached again. Looks at
    /// all of them, so it belongs in no turn that is in a hurry.
    pub(crate) fn give_back(&mut self, mut is_idle: impl FnMut(&[T]) -> bool) {
        for segment in &mut self.segments {
            if !segment.is_empty() && is_idle(segment) {
                *segment = Box::default();
            }
        }
        while self.segments.last().is_some_and(|last| last.is_empty()) {
            self.segments.pop();
        }
        self.segments.shrink_to_fit();
    }

    /// No element has this index or a higher one.
    #[cfg(any(feature = "epoll", feature = "mio", test))]
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.segments.len() << SEGMENT_BITS
    }

    /// The element at `index`, if there is one.
    #[inline]
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        let segment = self.segments.get((index >> SEGMENT_BITS) as usize)?;
        segment.get(index as usize & (SEGMENT - 1))
    }

    /// The element at `index`, if there is one.
    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        let segment = self.segments.get_mut((index >> SEGMENT_BITS) as usize)?;
        segment.get_mut(index as usize & (SEGMENT - 1))
    }

    /// The elements from `first` on, up to `count` of them, as far as they lie in one segment.
    #[inline]
    pub(crate) fn run_mut(&mut self, first: u32, count: usize) -> &mut [T] {
        let (number, within) = (first >> SEGMENT_BITS, first as usize & (SEGMENT - 1));
        let segment = self.segments.get_mut(number as usize);
        let behind = segment.and_then(|segment| segment.get_mut(within..));
        let behind = behind.unwrap_or_default();
        let count = count.min(behind.len());
        &mut behind[..count]
    }

    /// Every element with its index.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        (0..).zip(&mut self.segments).flat_map(|(number, segment)| {
            let first: u32 = number << SEGMENT_BITS;
            (first..).zip(segment)
        })
    }
}

#[cfg(test)]
mod tests;
