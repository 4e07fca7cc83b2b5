//! The first model: one thread, which serves a connection to its end before it accepts the next.
//!
//! ```text
//!   accept4 ─▶ recv ─▶ send ─▶ recv … 0 ─▶ shutdown ─▶ close ─▶ accept4 ─▶ …
//! ```
//!
//! Who connects meanwhile is in the listener's backlog: its handshake is done, by the kernel, and its bytes wait in a
//! receive buffer. Nobody answers them.

use longshore::sys::{self, How, Kind, Mode, Probe};

use super::listen::Place;
use super::live::{Live, Seat};
use super::tally::Tally;
use super::{Terms, datagrams, stream};

pub(super) fn run<P: Probe>(
    probes: &impl Fn() -> P,
    terms: &Terms,
    place: Place,
    live: &Live,
    tally: &Tally,
) -> Result<(), String> {
    let probe = &mut probes();
    let _path = place.path;
    let listener = live.enter(place.fd, How::Both);
    let result = match terms.transport.kind() {
        Kind::Datagram => datagrams::echo(probe, listener.fd(), &place.address, live, tally),
        Kind::Stream => accept(probe, terms, &listener, live, tally),
    };
    live.leave(listener, probe);
    result
}

fn accept(
    probe: &mut impl Probe,
    terms: &Terms,
    listener: &Seat,
    live: &Live,
    tally: &Tally,
) -> Result<(), String> {
    while !live.is_stopping() {
        match sys::accept4_from(probe, listener.fd(), Mode::Blocking) {
            Ok((fd, theirs)) => {
                let seat = live.enter(fd, How::Read);
                stream::serve(probe, seat, theirs, terms, live, tally);
            }
            Err(error) => live.not_accepted(&error)?,
        }
    }
    Ok(())
}
