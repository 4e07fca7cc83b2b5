//! The classic: a thread for each connection, which waits in recv(2). Nothing has less to do for one connection with one
//! request at a time: there is no other to ask about.

use std::io;
use std::os::fd::RawFd;

use crate::protocol::{Answer, Protocol, RECV_BYTES};
use crate::{http, sys};

/// A thread's stack: what it calls is shallow, and it has its buffers elsewhere.
const STACK_BYTES: usize = 64 * 1024;

pub(crate) fn serve(listener: RawFd, ws: bool) -> io::Result<()> {
    sys::make_blocking(listener)?;
    loop {
        let Some(socket) = sys::accept_blocking(listener)? else {
            continue;
        };
        std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || {
                // A connection's error is its end, and nobody else's.
                let _ = converse(socket, Protocol::new(ws));
                sys::close(socket);
            })?;
    }
}

fn converse(socket: RawFd, mut protocol: Protocol) -> io::Result<()> {
    let mut received = vec![0; RECV_BYTES];
    let mut out = Vec::with_capacity(2 * RECV_BYTES);
    let replies = http::replies_for(RECV_BYTES);
    loop {
        let Some(count) = sys::recv(socket, &mut received)? else {
            continue; // a signal
        };
        out.clear();
        let (mut bytes, closing) = match protocol.answer(&received[..count], &mut out) {
            _ if count == 0 => return Ok(()),
            Answer::Replies(count) => (&replies[..count], false),
            Answer::LastReply => (http::LAST_REPLY, true),
            Answer::Appended { closing } => (&out[..], closing),
            Answer::Over => return Ok(()),
        };
        while !bytes.is_empty() {
            bytes = &bytes[sys::send(socket, bytes)?.unwrap_or(0)..];
        }
        if closing {
            return Ok(());
        }
    }
}
