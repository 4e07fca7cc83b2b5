//! Messages: whole ones as they lie in the lend, others put together first.

use super::member::Member;
use super::{Web, guarded};
use crate::buf::Input;
use crate::conn::Io;
use crate::server::{Handler, Message, Socket};
use crate::ws::{CloseCode, Piece};

/// What a peer is told at the memory ceiling.
const FULL: &str = "the server's memory limit is reached";

impl<H: Handler> Web<H> {
    /// The handshake is answered.
    pub(super) fn open(
        &mut self,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        let index = io.token.index;
        let mut socket = Socket::new(member, &mut self.topics, io);
        if guarded(index, "opened", || {
            self.handler.opened(&mut socket, application);
        })
        .is_none()
        {
            member
                .websocket
                .abandon(CloseCode::INTERNAL_ERROR, "the handler failed", io);
        }
    }

    /// Delivers every complete message in `input`.
    #[inline]
    pub(super) fn read_messages(
        &mut self,
        member: &mut Member,
        application: &mut H::Connection,
        input: &mut Input<'_>,
        io: &mut Io<'_>,
    ) {
        while !io.wants_no_input()
            && let Some(piece) = member.websocket.next(input, io)
        {
            if piece.compressed {
                self.inflate(&piece, member, application, io);
            } else if piece.first && piece.last {
                let message = Message {
                    kind: piece.kind,
                    bytes: piece.bytes,
                };
                self.deliver(message, member, application, io);
            } else {
                self.assemble(piece, member, application, io);
            }
        }
        if member.websocket.take_pong() {
            guarded(io.token.index, "pong", || self.handler.pong(application));
        }
        member.websocket.set_deadline(io);
    }

    /// There is room for more: sends what waited, and tells the handler if it wanted to know.
    pub(super) fn room(
        &mut self,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        if !member.websocket.writable(io) {
            return;
        }
        let index = io.token.index;
        let mut socket = Socket::new(member, &mut self.topics, io);
        if guarded(index, "drained", || {
            self.handler.drained(&mut socket, application);
        })
        .is_none()
        {
            let websocket = &mut member.websocket;
            websocket.abandon(CloseCode::INTERNAL_ERROR, "the handler failed", io);
        }
    }

    /// Inflates a piece of the message in hand, and delivers it with the last one.
    fn inflate(
        &mut self,
        piece: &Piece<'_>,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        if !member.websocket.inflate(piece, io) {
            return;
        }
        if !io.has_room(piece.bytes.len()) {
            member.websocket.abandon(CloseCode::TRY_LATER, FULL, io);
            return;
        }
        if piece.last {
            let mut bytes = io.take_message();
            let message = Message {
                kind: piece.kind,
                bytes: &mut bytes,
            };
            self.deliver(message, member, application, io);
            io.recycle_message(bytes);
        }
    }

    /// Adds a piece to the message in hand, and delivers it with the last one.
    fn assemble(
        &mut self,
        piece: Piece<'_>,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        let Piece {
            kind, last, bytes, ..
        } = piece;
        if !io.has_room(bytes.len()) {
            member.websocket.abandon(CloseCode::TRY_LATER, FULL, io);
            return;
        }
        io.message().extend_from_slice(bytes);
        if last {
            let mut bytes = io.take_message();
            self.deliver(
                Message {
                    kind,
                    bytes: &mut bytes,
                },
                member,
                application,
                io,
            );
            io.recycle_message(bytes);
        }
    }

    #[inline]
    fn deliver(
        &mut self,
        message: Message<'_>,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        self.messages += 1;
        let (index, before) = (io.token.index, io.out().len());
        let mut socket = Socket::new(member, &mut self.topics, io);
        if guarded(index, "message", || {
            self.handler.message(message, &mut socket, application);
        })
        .is_none()
        {
            member
                .websocket
                .abandon(CloseCode::INTERNAL_ERROR, "the handler failed", io);
        } else if !io.may_keep(before) {
            io.out().truncate(before);
            member.websocket.abandon(CloseCode::TRY_LATER, FULL, io);
        }
    }
}
