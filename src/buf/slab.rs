//! A table that grows without moving what it holds.
//!
//! A `Vec` of a million connections would, at the moment it grows, copy all of them in one turn, and hold both copies
//! while it does. Segments of 1024 elements are added one at a time instead.

const SEGMENT_BITS: u32 = 10;
const SEGMENT: usize = 1 << SEGMENT_BITS;

/// Elements by index, in segments that never move.
#[derive(Debug)]
pub(crate) struct Slab<T> {
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
    /// Grows the table until it has an element at `index`.
    #[inline]
    pub(crate) fn reach(&mut self, index: u32) {
        while self.len() <= index as usize {
            self.segments
                .push((0..SEGMENT).map(|_| T::default()).collect());
        }
    }
}

impl<T> Slab<T> {
    /// How many elements there are, used or not.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.segments.len() << SEGMENT_BITS
    }

    /// The element at `index`, if the table reaches so far.
    #[inline]
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        let segment = self.segments.get((index >> SEGMENT_BITS) as usize)?;
        segment.get(index as usize & (SEGMENT - 1))
    }

    /// The element at `index`, if the table reaches so far.
    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        let segment = self.segments.get_mut((index >> SEGMENT_BITS) as usize)?;
        segment.get_mut(index as usize & (SEGMENT - 1))
    }

    /// Every element with its index.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.segments
            .iter_mut()
            .flatten()
            .enumerate()
            .map(|(index, element)| (index as u32, element))
    }
}
