//! One connection, from accept4 to close: the system calls of an echo, one after the other.
//!
//! ```text
//!   recv ──▶ buffer ──▶ send … until all of it has left ──▶ recv ──▶ …      recv answers 0: the peer has ended its half
//! ```
//!
//! The buffer is all that is ever kept: while the peer does not take its bytes, send waits, and nothing is received, so
//! the peer's own send comes to wait too. TCP calls that flow control, and no line of this file is about it. It does not
//! know whether other connections wait meanwhile.

use std::io;
use std::os::fd::BorrowedFd;

use longshore::sys::{self, Address, How, Probe, SocketOption, StreamError, stream_error};

use super::Terms;
use super::live::{Live, Seat};
use super::tally::{Ended, FiveTuple, Tally};

/// Serves a connection to its end, and closes it.
pub(super) fn serve(
    probe: &mut impl Probe,
    seat: Seat,
    theirs: Address,
    terms: &Terms,
    live: &Live,
    tally: &Tally,
) {
    let tuple = five_tuple(probe, &seat, theirs, terms, tally);
    tally.opened();
    if let Some(tuple) = &tuple {
        Tally::came(seat.number, tuple);
    }
    let mut bytes = 0;
    let ended = match echo(probe, seat.fd(), terms, live, &mut bytes) {
        Ok(ended) => ended,
        // EAGAIN is the answer of a blocking call whose time has passed (socket(7), SO_RCVTIMEO).
        Err(error) if stream_error(&error) == StreamError::NotReady => Ended::Idle,
        Err(_) if live.is_stopping() => Ended::Stopped,
        Err(_) => Ended::Broken,
    };
    tally.closed(seat.number, tuple.as_ref(), bytes, ended);
    live.leave(seat, probe);
}

fn echo(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    terms: &Terms,
    live: &Live,
    echoed: &mut u64,
) -> io::Result<Ended> {
    sys::setsockopt(probe, fd, &SocketOption::ReceiveTimeout(terms.idle))?;
    sys::setsockopt(probe, fd, &SocketOption::SendTimeout(terms.idle))?;
    let mut buffer = vec![0; terms.buffer_bytes];
    loop {
        // A peer that never stops sending must not keep the program from stopping.
        if live.is_stopping() {
            sys::shutdown(probe, fd, How::Write)?;
            return Ok(Ended::Stopped);
        }
        let count = sys::recv(probe, fd, &mut buffer)?;
        if count == 0 {
            // The end may also be that of this program's own `shutdown`. Asked before the peer hears our end, upon which it
            // may stop the program.
            let is_ours = live.is_stopping();
            // Everything that came was sent before this: what is left to say is that nothing follows.
            sys::shutdown(probe, fd, How::Write)?;
            return Ok(if is_ours {
                Ended::Stopped
            } else {
                Ended::InOrder
            });
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let sent = sys::send(probe, fd, rest)?;
            *echoed += sent as u64;
            rest = &rest[sent..];
        }
    }
}

/// Asked for only if somebody looks: it costs a call. A listener on all interfaces learns from it which one was meant.
fn five_tuple(
    probe: &mut impl Probe,
    seat: &Seat,
    theirs: Address,
    terms: &Terms,
    tally: &Tally,
) -> Option<FiveTuple> {
    if !tally.is_verbose() {
        return None;
    }
    let ours = sys::getsockname(probe, seat.fd()).ok()?;
    Some(FiveTuple {
        transport: terms.transport,
        ours,
        theirs,
    })
}
