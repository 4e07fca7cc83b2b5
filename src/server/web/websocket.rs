//! Messages: whole ones as they lie in the lend, others put together first, or shown in the pieces in which they come.

use super::member::Member;
use super::{Web, guarded};
use crate::buf::Input;
use crate::conn::Io;
use crate::conn::websocket::FULL;
use crate::server::{Handler, Message, MessagePiece, Socket};
use crate::ws::{CloseCode, Piece};

/// How much of a compressed message is shown at a time.
const INFLATED_PIECE_BYTES_MAX: usize = 16 * 1024;

impl<H: Handler> Web<H> {
    /// The handshake is answered.
    pub(super) fn open(
        &mut self,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        self.call_handler("opened", member, application, io, |handler, socket, own| {
            handler.opened(socket, own);
        });
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
            if member.websocket.shows_piece() {
                self.show(piece, member, application, io);
            } else if piece.compressed {
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
            let told = guarded(io.token.index, "pong", || self.handler.pong(application));
            if told.is_none() {
                fail(member, io);
            }
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
        self.call_handler(
            "drained",
            member,
            application,
            io,
            |handler, socket, own| {
                handler.drained(socket, own);
            },
        );
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
        self.call_handler(
            "message",
            member,
            application,
            io,
            |handler, socket, own| {
                handler.message(message, socket, own);
            },
        );
    }

    /// Shows a piece where it lies, or what it inflates to.
    fn show(
        &mut self,
        piece: Piece<'_>,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        if piece.compressed {
            self.show_inflated(&piece, member, application, io);
            return;
        }
        let Piece {
            kind, last, bytes, ..
        } = piece;
        let first = member.websocket.show_piece(last);
        let piece = MessagePiece {
            kind,
            first,
            last,
            bytes,
        };
        self.deliver_piece(piece, member, application, io);
    }

    /// Inflates a piece bit by bit, and shows each bit. Few bytes come at a time, so this ends soon.
    fn show_inflated(
        &mut self,
        piece: &Piece<'_>,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        let (kind, mut compressed) = (piece.kind, &*piece.bytes);
        let mut room = std::mem::take(&mut io.shared.scratch);
        room.resize(INFLATED_PIECE_BYTES_MAX, 0);
        while io.is_open()
            && let Some((count, all)) =
                member
                    .websocket
                    .inflate_some(kind, &mut compressed, piece.last, &mut room, io)
        {
            let last = piece.last && all;
            // Deflate may have read much and said nothing yet.
            if count > 0 || last {
                let piece = MessagePiece {
                    kind,
                    first: member.websocket.show_piece(last),
                    last,
                    bytes: &mut room[..count],
                };
                self.deliver_piece(piece, member, application, io);
            }
            if all {
                break;
            }
        }
        room.clear();
        io.shared.scratch = room;
    }

    fn deliver_piece(
        &mut self,
        piece: MessagePiece<'_>,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        self.messages += u64::from(piece.last);
        self.call_handler("piece", member, application, io, |handler, socket, own| {
            handler.piece(piece, socket, own);
        });
    }

    /// Calls the handler's function `name`. If it fails, or says more than the memory ceiling allows, the connection ends.
    #[inline]
    fn call_handler(
        &mut self,
        name: &'static str,
        member: &mut Member,
        application: &mut H::Connection,
        io: &mut Io<'_>,
        call: impl FnOnce(&mut H, &mut Socket<'_, '_>, &mut H::Connection),
    ) {
        let (index, before) = (io.token.index, io.said());
        let mut socket = Socket::new(member, &mut self.topics, io);
        let handler = &mut self.handler;
        let told = guarded(index, name, || call(handler, &mut socket, application));
        if told.is_none() {
            fail(member, io);
        } else if io.is_open() && !io.may_keep(before) {
            io.take_back(before);
            member.websocket.abandon(CloseCode::TRY_LATER, FULL, io);
        }
    }
}

/// The handler has panicked: that costs this connection.
#[cold]
fn fail(member: &mut Member, io: &mut Io<'_>) {
    let websocket = &mut member.websocket;
    websocket.abandon(CloseCode::INTERNAL_ERROR, "the handler failed", io);
}
