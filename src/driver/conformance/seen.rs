//! Events that outlive their lend, and the ledger that checks every one of them against the contract.

use std::collections::HashMap;
use std::io;

use crate::buf::SendBuf;
use crate::driver::{Driver, Event, ListenerId, Op, Submit, Token};
use crate::sys::Address;

/// An event with its bytes copied out.
#[derive(Debug)]
pub(super) enum Seen {
    Accepted(Token, ListenerId),
    AcceptFailed(ListenerId, Option<i32>),
    Connected(Token),
    Peer(Token, Option<Address>),
    Received(Token, Vec<u8>),
    Datagram {
        socket: Token,
        from: Address,
        bytes: Vec<u8>,
        truncated: bool,
    },
    Ended(Token),
    Sent(Token, SendBuf, io::Result<()>),
    FileRead(Token, Vec<u8>, io::Result<()>),
    Failed(Token, Op, Option<i32>),
    Closed(Token, Option<SendBuf>),
    ListenerClosed(ListenerId),
    Woken,
}

impl Seen {
    pub(super) fn of(event: Event<'_>) -> Self {
        match event {
            Event::Accepted { token, listener } => Seen::Accepted(token, listener),
            Event::AcceptFailed { listener, error } => {
                Seen::AcceptFailed(listener, error.raw_os_error())
            }
            Event::Connected { token } => Seen::Connected(token),
            Event::Peer { token, address } => Seen::Peer(token, address),
            Event::Received { token, bytes } => Seen::Received(token, bytes.to_vec()),
            Event::Datagram {
                socket,
                from,
                bytes,
                truncated,
            } => Seen::Datagram {
                socket,
                from,
                bytes: bytes.to_vec(),
                truncated,
            },
            Event::Ended { token } => Seen::Ended(token),
            Event::Sent { token, buf, result } => Seen::Sent(token, buf, result),
            Event::FileRead { token, buf, result } => Seen::FileRead(token, buf, result),
            Event::Failed { token, op, error } => Seen::Failed(token, op, error.raw_os_error()),
            Event::Closed { token, unsent } => Seen::Closed(token, unsent),
            Event::ListenerClosed { listener } => Seen::ListenerClosed(listener),
            Event::Woken => Seen::Woken,
        }
    }

    /// The socket that it is about.
    pub(super) fn token(&self) -> Option<Token> {
        match *self {
            Seen::Accepted(token, _)
            | Seen::Connected(token)
            | Seen::Peer(token, _)
            | Seen::Received(token, _)
            | Seen::Datagram { socket: token, .. }
            | Seen::Ended(token)
            | Seen::Sent(token, ..)
            | Seen::FileRead(token, ..)
            | Seen::Failed(token, ..)
            | Seen::Closed(token, _) => Some(token),
            Seen::AcceptFailed(..) | Seen::ListenerClosed(_) | Seen::Woken => None,
        }
    }
}

/// What is known of one socket.
#[derive(Debug, Default)]
struct Account {
    generation: u32,
    closing: bool,
    ended: bool,
    in_flight: usize,
}

/// Checks what holds in every case: lines 1, 2, 4, 5 and 7 of the contract.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    accounts: HashMap<u32, Account>,
    /// The highest index that was ever used.
    pub(super) index_max: u32,
}

impl Ledger {
    /// A socket came into being.
    pub(super) fn opened(&mut self, token: Token) {
        let account = Account {
            generation: token.generation,
            ..Account::default()
        };
        let before = self.accounts.insert(token.index, account);
        assert!(
            before.is_none(),
            "{token:?} took the index of {before:?}, whose Closed was not taken"
        );
        self.index_max = self.index_max.max(token.index);
    }

    /// How many sockets there are, closing ones included.
    pub(super) fn live(&self) -> usize {
        self.accounts.len()
    }

    fn account(&mut self, token: Token) -> Option<&mut Account> {
        let account = self.accounts.get_mut(&token.index);
        account.filter(|account| account.generation == token.generation)
    }

    pub(super) fn note(&mut self, seen: &Seen) {
        if let Seen::Accepted(token, _) = seen {
            self.opened(*token);
            return;
        }
        let Some(token) = seen.token() else { return };
        let Some(account) = self.account(token) else {
            panic!("{seen:?} is about a socket that nobody has");
        };
        assert!(
            !account.closing || matches!(seen, Seen::Closed(..)),
            "{seen:?} after close()"
        );
        match seen {
            Seen::Received(_, bytes) => {
                assert!(!bytes.is_empty(), "an empty lend");
                assert!(!account.ended, "bytes behind the end: {seen:?}");
            }
            Seen::Ended(_) => {
                assert!(!account.ended, "the end was told twice");
                account.ended = true;
            }
            Seen::Sent(..) => {
                assert!(account.in_flight > 0, "{seen:?} without a send in flight");
                account.in_flight -= 1;
            }
            Seen::Closed(_, unsent) => {
                assert!(account.closing, "{seen:?} without close()");
                assert!(
                    unsent.is_none() || account.in_flight > 0,
                    "a buffer that nobody sent"
                );
                self.accounts.remove(&token.index);
            }
            _ => {}
        }
    }
}

/// A driver in the middle of a turn, and the ledger.
pub(super) struct Hands<'a, D> {
    pub(super) driver: &'a mut D,
    pub(super) ledger: &'a mut Ledger,
}

impl<D: Driver> Hands<'_, D> {
    pub(super) fn close(&mut self, token: Token) {
        self.driver.close(token);
        if let Some(account) = self.ledger.account(token) {
            account.closing = true;
        }
    }

    pub(super) fn reset(&mut self, token: Token) {
        self.driver.reset(token);
        if let Some(account) = self.ledger.account(token) {
            account.closing = true;
        }
    }

    pub(super) fn send(&mut self, token: Token, buf: SendBuf) -> Submit {
        let submit = self.driver.send(token, buf);
        self.submitted(token, submit)
    }

    pub(super) fn send_to(&mut self, socket: Token, to: &Address, buf: SendBuf) -> Submit {
        let submit = self.driver.send_to(socket, to, buf);
        self.submitted(socket, submit)
    }

    fn submitted(&mut self, token: Token, submit: Submit) -> Submit {
        if matches!(submit, Submit::InFlight) {
            let account = self.ledger.account(token);
            account.expect("only open sockets send").in_flight += 1;
        }
        submit
    }
}
