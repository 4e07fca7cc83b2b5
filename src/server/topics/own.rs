//! The topics that one connection subscribes to, in eight bytes.
//!
//! ```text
//!   One   topic 7, place 1203        the usual case: nothing beside it
//!   List  of the worker's lists      from the second topic on: eight bytes each, and the list
//!   List  none                       most connections
//! ```
//!
//! A million subscribers are a million of these: a name for each, or a box, would cost more than the connection. So topics
//! are numbers here, and only [`Locals`](super::Locals) knows their names. This does not know what becomes of a message.

use std::num::NonZeroU32;

use crate::buf::Places;

/// A topic's number on one worker, as long as somebody there subscribes to it. Counted from one, so that
/// [`Subscriptions`] has a value to spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct TopicNumber(NonZeroU32);

impl TopicNumber {
    /// The number of the topic at `place`.
    pub(super) fn of(place: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(place))
    }

    /// Where the topic is kept.
    pub(super) fn place(self) -> u32 {
        self.0.get() - 1
    }
}

/// Whether a subscription was welcomed, and where its cursor is; or which one it is that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Standing(u32);

/// Says that a subscription waits for its welcome.
const AWAITED: u32 = 1 << 31;

impl Standing {
    /// Waits for its welcome. `ask` tells it from another one of the same connection to the same topic; 31 bits of it
    /// count, and far fewer can wait.
    pub(in crate::server) fn awaited(ask: u32) -> Self {
        Self(ask | AWAITED)
    }

    /// Was welcomed; its cursor is at `place`.
    pub(super) fn welcomed(place: u32) -> Self {
        debug_assert!(place < AWAITED, "a worker has fewer connections");
        Self(place)
    }

    /// Whether it was welcomed.
    pub(in crate::server) fn is_welcomed(self) -> bool {
        self.place().is_some()
    }

    /// Where its cursor is; `None` before the welcome.
    pub(super) fn place(self) -> Option<u32> {
        (self.0 < AWAITED).then_some(self.0)
    }
}

/// One topic that a connection subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Subscription {
    pub(in crate::server) topic: TopicNumber,
    pub(in crate::server) standing: Standing,
}

/// Where a list is, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct ListNumber(NonZeroU32);

impl ListNumber {
    fn of(place: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(place))
    }

    fn place(self) -> u32 {
        self.0.get() - 1
    }
}

/// The topics that a connection subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Subscriptions {
    One(Subscription),
    /// Two or more; none without a list.
    List(Option<ListNumber>),
}

const _: () = assert!(size_of::<Subscriptions>() == 8, "every connection has one");

impl Default for Subscriptions {
    fn default() -> Self {
        Self::List(None)
    }
}

/// The lists of those connections that subscribe to several topics.
#[derive(Debug, Default)]
pub(in crate::server) struct Lists {
    lists: Places<Vec<Subscription>>,
}

impl Lists {
    fn at(&self, number: ListNumber) -> &[Subscription] {
        let list = self.lists.at(number.place());
        list.expect("a list is there as long as its connection's number of it")
    }

    fn at_mut(&mut self, number: ListNumber) -> &mut Vec<Subscription> {
        let list = self.lists.at_mut(number.place());
        list.expect("a list is there as long as its connection's number of it")
    }

    /// What `own` stands for.
    pub(in crate::server) fn of<'l>(&'l self, own: &'l Subscriptions) -> &'l [Subscription] {
        match own {
            Subscriptions::One(one) => std::slice::from_ref(one),
            Subscriptions::List(Some(number)) => self.at(*number),
            Subscriptions::List(None) => &[],
        }
    }

    /// The subscription to `topic`.
    pub(in crate::server) fn find_mut<'l>(
        &'l mut self,
        own: &'l mut Subscriptions,
        topic: TopicNumber,
    ) -> Option<&'l mut Subscription> {
        let list = match own {
            Subscriptions::One(one) => std::slice::from_mut(one),
            Subscriptions::List(Some(number)) => self.at_mut(*number),
            Subscriptions::List(None) => &mut [],
        };
        list.iter_mut()
            .find(|subscription| subscription.topic == topic)
    }

    /// Adds a subscription to a topic that is not there yet.
    pub(in crate::server) fn add(&mut self, own: &mut Subscriptions, added: Subscription) {
        match own {
            Subscriptions::List(None) => *own = Subscriptions::One(added),
            Subscriptions::List(Some(number)) => self.at_mut(*number).push(added),
            Subscriptions::One(one) => {
                let place = self.lists.put(vec![*one, added]);
                *own = Subscriptions::List(Some(ListNumber::of(place)));
            }
        }
    }

    /// Removes a subscription, as long as there is one.
    pub(in crate::server) fn pop(&mut self, own: &mut Subscriptions) -> Option<Subscription> {
        let last = self.of(own).last()?.topic;
        self.remove(own, last)
    }

    /// Removes the subscription to `topic`, if it is there.
    pub(in crate::server) fn remove(
        &mut self,
        own: &mut Subscriptions,
        topic: TopicNumber,
    ) -> Option<Subscription> {
        let at = self
            .of(own)
            .iter()
            .position(|subscription| subscription.topic == topic)?;
        match *own {
            Subscriptions::One(one) => {
                *own = Subscriptions::default();
                Some(one)
            }
            Subscriptions::List(number) => {
                let number = number?;
                let list = self.at_mut(number);
                let removed = list.swap_remove(at);
                if let [last] = list[..] {
                    self.lists.take(number.place());
                    *own = Subscriptions::One(last);
                }
                Some(removed)
            }
        }
    }

    /// How many lists there are.
    #[cfg(test)]
    pub(in crate::server) fn len(&self) -> usize {
        self.lists.len()
    }
}

#[cfg(test)]
mod tests;
