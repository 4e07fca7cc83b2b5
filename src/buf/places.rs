//! Elements that keep their places, in memory that is given back.
//!
//! ```text
//!   segment 0     ▓▓░▓▓▓▓▓…   1024 places; the first segment grows to that as a vector does
//!   segment 1     ▓▓▓▓▓▓▓▓…   later ones are made whole: nothing that is there moves
//!   segment 2                 nobody left: its memory is given back at once
//! ```
//!
//! Whoever comes gets a place in the first segment that has one: so segments at the end fall empty. What is here does not
//! know who asks: a place that was left is the next one's, so its owner has to forget it.

const SEGMENT_BITS: u32 = 10;
const SEGMENT: usize = 1 << SEGMENT_BITS;

/// The end of a segment's chain of free places.
const NONE: u32 = u32::MAX;

/// One place.
#[derive(Debug)]
enum Seat<T> {
    Taken(T),
    /// The next free place of the segment, or [`NONE`].
    Free(u32),
}

/// Up to 1024 places.
#[derive(Debug)]
struct Segment<T> {
    seats: Vec<Seat<T>>,
    taken: u32,
    /// The first free place in `seats`, or [`NONE`].
    free: u32,
}

impl<T> Default for Segment<T> {
    fn default() -> Self {
        Self {
            seats: Vec::new(),
            taken: 0,
            free: NONE,
        }
    }
}

impl<T> Segment<T> {
    fn is_full(&self) -> bool {
        self.taken as usize == SEGMENT
    }
}

/// Elements by place.
#[derive(Debug)]
pub(crate) struct Places<T> {
    segments: Vec<Segment<T>>,
    /// No segment before this one has a free place.
    roomy: usize,
    len: usize,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            roomy: 0,
            len: 0,
        }
    }
}

impl<T> Places<T> {
    /// Keeps an element, and says where.
    ///
    /// # Panics
    /// Beyond 2^32 elements.
    pub(crate) fn put(&mut self, element: T) -> u32 {
        while self.segments.get(self.roomy).is_some_and(Segment::is_full) {
            self.roomy += 1;
        }
        if self.roomy == self.segments.len() {
            if self.segments.is_empty() {
                // Most have one segment, and a vector would begin with room for four.
                self.segments.reserve_exact(1);
            }
            self.segments.push(Segment::default());
        }
        let segment = &mut self.segments[self.roomy];
        let mut within = segment.free;
        if let Some(seat) = segment.seats.get_mut(within as usize) {
            if let Seat::Free(next) = std::mem::replace(seat, Seat::Taken(element)) {
                segment.free = next;
            }
        } else {
            if self.roomy > 0 && segment.seats.capacity() == 0 {
                segment.seats.reserve_exact(SEGMENT);
            }
            within = segment.seats.len() as u32;
            segment.seats.push(Seat::Taken(element));
        }
        segment.taken += 1;
        self.len += 1;
        let first = u32::try_from(self.roomy << SEGMENT_BITS).expect("2^32 elements fill memory");
        first + within
    }

    /// Gives up a place. `None` if nobody has it.
    pub(crate) fn take(&mut self, place: u32) -> Option<T> {
        let (number, within) = split(place);
        let segment = self.segments.get_mut(number)?;
        let seat = segment.seats.get_mut(within)?;
        let element = match std::mem::replace(seat, Seat::Free(segment.free)) {
            Seat::Taken(element) => element,
            free @ Seat::Free(_) => {
                *seat = free;
                return None;
            }
        };
        segment.free = within as u32;
        segment.taken -= 1;
        self.len -= 1;
        self.roomy = self.roomy.min(number);
        if segment.taken == 0 {
            *segment = Segment::default();
            while self.segments.last().is_some_and(|last| last.taken == 0) {
                self.segments.pop();
            }
            if self.segments.is_empty() {
                self.segments = Vec::new();
            }
        }
        Some(element)
    }

    /// The element at `place`.
    #[inline]
    pub(crate) fn at(&self, place: u32) -> Option<&T> {
        let (number, within) = split(place);
        match self.segments.get(number)?.seats.get(within)? {
            Seat::Taken(element) => Some(element),
            Seat::Free(_) => None,
        }
    }

    /// The element at `place`.
    #[inline]
    pub(crate) fn at_mut(&mut self, place: u32) -> Option<&mut T> {
        let (number, within) = split(place);
        match self.segments.get_mut(number)?.seats.get_mut(within)? {
            Seat::Taken(element) => Some(element),
            Seat::Free(_) => None,
        }
    }

    /// The first place from `from` on that somebody has, and who. Looks at no more than 2048 places: the rest of this
    /// segment, and the first one behind it where somebody is. An empty segment between them has no places, and costs one
    /// look.
    #[inline]
    pub(crate) fn next_from(&self, from: u32) -> Option<(u32, &T)> {
        let (first, mut within) = split(from);
        for (number, segment) in self.segments.iter().enumerate().skip(first) {
            let rest = segment.seats.get(within..).unwrap_or_default();
            for (at, seat) in (within..).zip(rest) {
                if let Seat::Taken(element) = seat {
                    return Some(((number << SEGMENT_BITS | at) as u32, element));
                }
            }
            within = 0;
        }
        None
    }

    /// Everybody.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let seats = self.segments.iter().flat_map(|segment| &segment.seats);
        seats.filter_map(|seat| match seat {
            Seat::Taken(element) => Some(element),
            Seat::Free(_) => None,
        })
    }

    /// Everybody, with their places.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        let segments = self.segments.iter_mut().enumerate();
        segments.flat_map(|(number, segment)| {
            let first = (number << SEGMENT_BITS) as u32;
            (first..)
                .zip(&mut segment.seats)
                .filter_map(|(place, seat)| match seat {
                    Seat::Taken(element) => Some((place, element)),
                    Seat::Free(_) => None,
                })
        })
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A place's segment, and where in it.
#[inline]
fn split(place: u32) -> (usize, usize) {
    (
        (place >> SEGMENT_BITS) as usize,
        place as usize & (SEGMENT - 1),
    )
}

#[cfg(test)]
mod tests;
