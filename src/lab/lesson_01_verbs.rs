//! Lesson 1: the verbs. One TCP connection, both of its ends in one thread, and every call that its life takes.
//!
//! ```text
//!   server   socket  bind  listen ········· accept   read   write ········ read = 0   close
//!                             ▲                ▲       ▲       │              ▲          │
//!   client          socket  connect ───────────┘     write   read   shutdown ─┘   read = 0   close
//! ```

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::time::Instant;

use longshore::sys::{self, Family, How, Kind, Mode, Probe, Silent};

use super::Lesson;
use super::frame::Frame;
use super::loopback;
use super::report::Table;

pub(super) const LESSON: Lesson = Lesson {
    number: 1,
    name: "verbs",
    about: "The verbs: create, bind, listen, accept, connect, read, write, shutdown, close",
    run,
};

/// What each side sends.
const QUESTION: &[u8] = b"ahoy, server";
const ANSWER: &[u8] = b"ahoy, client";

fn run(frame: &Frame) -> io::Result<()> {
    let (server_calls, client_calls) = (&mut frame.calls("server"), &mut frame.calls("client"));

    frame.say("The server makes a socket, takes an address (port 0: any free one), and listens.");
    let listener = sys::socket(server_calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    sys::bind(server_calls, listener.as_fd(), &loopback::anywhere())?;
    sys::listen(server_calls, listener.as_fd(), 16)?;
    let address = sys::getsockname(server_calls, listener.as_fd())?;

    frame.say("The client makes a socket and connects. The kernel shakes hands for the server, which is not looking.");
    let client = sys::socket(client_calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    sys::connect(client_calls, client.as_fd(), &address)?;

    frame.say(
        "Only now the server accepts. It gets a new descriptor; the listener stays as it was.",
    );
    let server = sys::accept4(server_calls, listener.as_fd(), Mode::Blocking)?;
    let new_descriptor = server.as_raw_fd() != listener.as_raw_fd();

    frame
        .say("Bytes in both directions: write gives them to the kernel, read takes what has come.");
    sys::write(client_calls, client.as_fd(), QUESTION)?;
    let asked = read_exactly(server_calls, &server, QUESTION.len())?;
    sys::write(server_calls, server.as_fd(), ANSWER)?;
    let answered = read_exactly(client_calls, &client, ANSWER.len())?;

    frame.say("The client has said everything: shutdown sends its FIN, and the server reads 0 bytes, the end.");
    sys::shutdown(client_calls, client.as_fd(), How::Write)?;
    let end_at_server = sys::read(server_calls, server.as_fd(), &mut [0; 64])?;
    frame.say("The server closes: its FIN is the end for the client, which closes too.");
    sys::close(server_calls, server)?;
    let end_at_client = sys::read(client_calls, client.as_fd(), &mut [0; 64])?;
    sys::close(client_calls, client)?;
    sys::close(server_calls, listener)?;

    frame.finding("bytes_to_server", asked.len());
    frame.finding("bytes_to_client", answered.len());
    frame.finding("read_after_fin_at_server", end_at_server);
    frame.finding("read_after_fin_at_client", end_at_client);
    frame.finding("accept_gave_a_new_descriptor", new_descriptor);
    frame.conclude(
        asked == QUESTION && answered == ANSWER && end_at_server + end_at_client == 0,
        "A connection is a descriptor at either end. Nine verbs were all that it took, and getsockname for the port that \
         the kernel chose. The end of the peer's bytes is no error but a read of 0.",
        "What was read is not what was written, or the end was not a read of 0.",
    );
    frame.conclude(
        new_descriptor,
        "accept4 answers with a new descriptor: a listener is for asking, a connection for talking.",
        "accept4 answered with the listener's own descriptor, which no kernel should do.",
    );
    price_list(frame)
}

/// A stream may bring its bytes in several pieces; lesson 4 is about that.
fn read_exactly(probe: &mut impl Probe, fd: &OwnedFd, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match sys::read(probe, fd.as_fd(), &mut bytes[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(bytes)
}

/// What each verb costs, as the middle one of many: the same life again, without anything printed.
fn price_list(frame: &Frame) -> io::Result<()> {
    let lives = frame.scale().pick(50, 500, 5_000);
    frame.say(format!(
        "The same life {lives} times, silently, with a clock around each verb."
    ));
    let mut prices: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for _ in 0..lives {
        for (verb, price) in one_life()?.into_iter().enumerate() {
            prices.entry(verb).or_default().push(price);
        }
    }
    let mut table = Table::new("The middle price of each verb", &["verb", "microseconds"]);
    let mut median = BTreeMap::new();
    for (verb, mut all) in prices {
        all.sort_by(f64::total_cmp);
        let middle = all[all.len() / 2];
        median.insert(VERBS[verb], middle);
        table.row([VERBS[verb].into(), middle.into()]);
    }
    frame.table(table);
    let (connect, bind) = (median["connect"], median["bind"]);
    frame.finding("connect_us", connect);
    frame.finding("bind_us", bind);
    frame.conclude(
        connect > bind,
        format!(
            "connect is dearer than bind ({connect:.1} µs beside {bind:.1} µs): bind only notes something, connect \
             exchanges three packets. Over a network it waits for a whole round trip."
        ),
        format!("Here connect ({connect:.1} µs) was not dearer than bind ({bind:.1} µs), although it sends packets."),
    );
    Ok(())
}

const VERBS: [&str; 9] = [
    "socket", "bind", "listen", "connect", "accept4", "write", "read", "shutdown", "close",
];

/// One connection's life: what each of [`VERBS`] took, in microseconds.
fn one_life() -> io::Result<[f64; 9]> {
    let probe = &mut Silent;
    let mut clock = Instant::now();
    let mut lap = || {
        let took = clock.elapsed().as_secs_f64() * 1e6;
        clock = Instant::now();
        took
    };
    let listener = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let socket = lap();
    sys::bind(probe, listener.as_fd(), &loopback::anywhere())?;
    let bind = lap();
    sys::listen(probe, listener.as_fd(), 16)?;
    let listen = lap();
    let address = sys::getsockname(probe, listener.as_fd())?;
    let client = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
    lap();
    sys::connect(probe, client.as_fd(), &address)?;
    let connect = lap();
    let server = sys::accept4(probe, listener.as_fd(), Mode::Blocking)?;
    let accept = lap();
    sys::write(probe, client.as_fd(), QUESTION)?;
    let write = lap();
    sys::read(probe, server.as_fd(), &mut [0; 64])?;
    let read = lap();
    sys::shutdown(probe, client.as_fd(), How::Write)?;
    let shutdown = lap();
    sys::close(probe, server)?;
    let close = lap();
    Ok([
        socket, bind, listen, connect, accept, write, read, shutdown, close,
    ])
}
