//! Which calls a send with a file makes, and a connection that comes and goes, and how many in a turn.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::{Config, Driver, Event, FileSlice, Poller, Readiness, SendBuf, Submit, Token};
use crate::buf::Part;
use crate::sys::{Call, Probe, Verdict};

/// Notes the calls that move bytes out, and what the poller is told of.
#[derive(Default)]
struct Calls {
    lines: Vec<String>,
    /// The poller has no room for another socket.
    full: bool,
}

impl Probe for Calls {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        match call {
            Call::EpollCtl { op, .. } if self.full && *op == libc::EPOLL_CTL_ADD => {
                Verdict::Refuse(libc::ENOSPC)
            }
            _ => Verdict::Go,
        }
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        let more = |flags| {
            if flags & libc::MSG_MORE == 0 {
                ""
            } else {
                " more"
            }
        };
        let sent = result.map_or(-1, usize::cast_signed);
        let line = match *call {
            Call::Send { flags, .. } => format!("send{} = {sent}", more(flags)),
            Call::Sendmsg { flags, .. } => format!("sendmsg{} = {sent}", more(flags)),
            Call::Sendfile { offset, count, .. } => format!("sendfile {offset} {count}"),
            Call::EpollCtl { op, events, .. } => format!("epoll_ctl {op} {events:#x}"),
            _ => return,
        };
        self.lines.push(line);
    }
}

fn open<L: Poller>() -> (Readiness<L, Calls>, Token, TcpStream) {
    let mut driver = Readiness::open(&Config::default(), Calls::default()).expect("opens");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
    let (ours, _) = listener.accept().expect("accept");
    let token = driver.adopt(ours.into()).expect("adopt");
    calls(&mut driver);
    (driver, token, peer)
}

fn with_file(head: Part, len: u64) -> SendBuf {
    let path = std::env::current_exe().expect("this program is a file, and a large one");
    let file = Arc::new(std::fs::File::open(path).expect("opens"));
    let mut buf = SendBuf::new(head);
    buf.push_file(FileSlice::new(file, 0..len));
    buf
}

/// The calls that move bytes out.
fn sends<L: Poller>(driver: &mut Readiness<L, Calls>) -> Vec<String> {
    let mut calls = calls(driver);
    calls.retain(|call| call.starts_with("send"));
    calls
}

fn calls<L: Poller>(driver: &mut Readiness<L, Calls>) -> Vec<String> {
    std::mem::take(&mut driver.probe().lines)
}

fn a_head_promises_its_file<L: Poller>() {
    let (mut driver, token, _peer) = open::<L>();
    let head = Part::Static(b"head");
    let submit = driver.send(token, with_file(head, 1000));
    assert!(matches!(submit, Submit::Done(_)), "{submit:?}");
    assert_eq!(calls(&mut driver), ["send more = 4", "sendfile 0 1000"]);
    let mut buf = SendBuf::new(Part::Static(b"head"));
    buf.push(Part::Static(b"er"));
    driver.send(token, buf);
    assert_eq!(calls(&mut driver), ["sendmsg = 6"], "nothing follows");
    let submit = driver.send(token, with_file(Part::Static(b""), 1000));
    assert!(matches!(submit, Submit::Done(_)), "{submit:?}");
    assert_eq!(
        calls(&mut driver),
        ["sendfile 0 1000"],
        "no call for nothing"
    );
}

fn a_turn_sends_one_piece<L: Poller>() {
    let (mut driver, token, peer) = open::<L>();
    let reader = std::thread::spawn(move || {
        let mut peer = peer;
        io::copy(&mut peer, &mut io::sink()).expect("until the end")
    });
    let len = 3 << 20;
    let submit = driver.send(token, with_file(Part::Static(b"head"), len));
    assert!(matches!(submit, Submit::InFlight), "{submit:?}");
    assert_eq!(sends(&mut driver), ["send more = 4", "sendfile 0 262144"]);
    let mut sent = false;
    while !sent {
        driver.wait(Some(Duration::from_secs(5))).expect("wait");
        while let Some(event) = driver.next_event() {
            sent |= matches!(event, Event::Sent { result: Ok(()), .. });
        }
        let sends = sends(&mut driver);
        assert!(sends.len() <= 1, "in one turn: {sends:?}");
    }
    driver.close(token);
    assert_eq!(reader.join().expect("it read"), 4 + len);
}

/// A level-triggered driver, a client that it has accepted and three bytes of whom it has received, and its name.
#[cfg(feature = "epoll")]
fn accepted(
    full: bool,
) -> (
    Readiness<crate::driver::epoll::Epoll, Calls>,
    TcpStream,
    Token,
) {
    let mut driver = Readiness::open(&Config::default(), Calls::default()).expect("opens");
    let how = crate::driver::ListenOptions {
        backlog: 16,
        reuse_port: false,
        options: Vec::new(),
    };
    let any = "127.0.0.1:0".parse().expect("an address");
    let listener =
        crate::driver::Listener::open(&mut crate::sys::Silent, &any, &how).expect("a free port");
    let address = listener.address.inet().expect("an internet address");
    driver.listen(listener).expect("listens");
    calls(&mut driver);
    driver.probe().full = full;
    let mut peer = TcpStream::connect(address).expect("connect");
    peer.write_all(b"one").expect("written");
    let seen = turn(&mut driver);
    let [("accepted", token), ("received", _)] = seen[..] else {
        panic!("{seen:?}");
    };
    (driver, peer, token)
}

/// What comes in one turn, in words.
#[cfg(feature = "epoll")]
fn turn(driver: &mut Readiness<crate::driver::epoll::Epoll, Calls>) -> Vec<(&'static str, Token)> {
    driver.wait(Some(Duration::from_secs(5))).expect("wait");
    let mut seen = Vec::new();
    while let Some(event) = driver.next_event() {
        let nobody = Token {
            index: u32::MAX,
            generation: 0,
        };
        seen.push(match event {
            Event::Accepted { token, .. } => ("accepted", token),
            Event::Received { token, .. } => ("received", token),
            Event::Closed { token, .. } => ("closed", token),
            Event::Failed { token, .. } => ("failed", token),
            Event::AcceptFailed { .. } => ("accept failed", nobody),
            _ => ("something else", nobody),
        });
    }
    seen
}

#[cfg(feature = "epoll")]
#[test]
fn epoll_is_not_told_of_who_asks_one_thing_and_goes() {
    let (mut driver, _peer, token) = accepted(false);
    assert_eq!(driver.send_at_once(token, b"reply"), 5);
    driver.close(token);
    assert!(matches!(turn(&mut driver)[..], [("closed", _)]));
    assert_eq!(calls(&mut driver), ["send = 5"]);
}

#[cfg(feature = "epoll")]
#[test]
fn epoll_is_told_of_who_stays_as_it_is_then() {
    let (mut driver, mut peer, token) = accepted(false);
    driver.pause_recv(token);
    driver.wait(Some(Duration::ZERO)).expect("wait");
    assert_eq!(calls(&mut driver), ["epoll_ctl 1 0x0"], "once, and paused");
    driver.resume_recv(token);
    assert_eq!(calls(&mut driver), ["epoll_ctl 3 0x1"]);
    peer.write_all(b"two").expect("written");
    assert!(matches!(turn(&mut driver)[..], [("received", _)]));
}

#[cfg(feature = "epoll")]
#[test]
fn nobody_is_turned_away_because_epoll_has_no_room() {
    let (mut driver, mut peer, _) = accepted(true);
    assert!(matches!(turn(&mut driver)[..], [("accept failed", _)]));
    peer.write_all(b"two").expect("written");
    driver.probe().full = false;
    let seen = turn(&mut driver);
    assert!(matches!(seen[..], [("received", _)]), "{seen:?}");
}

macro_rules! on {
    ($name:ident, $poller:ty) => {
        mod $name {
            #[test]
            fn a_head_promises_its_file() {
                super::a_head_promises_its_file::<$poller>();
            }

            #[test]
            fn a_turn_sends_one_piece() {
                super::a_turn_sends_one_piece::<$poller>();
            }
        }
    };
}

#[cfg(feature = "epoll")]
on!(epoll, crate::driver::epoll::Epoll);
#[cfg(feature = "mio")]
on!(mio, crate::driver::mio::Mio);
