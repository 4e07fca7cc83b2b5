//! Which calls a send with a file makes, and how many in a turn.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::{Config, Driver, Event, FileSlice, Poller, Readiness, SendBuf, Submit, Token};
use crate::buf::Part;
use crate::sys::{Call, Probe, Verdict};

/// Notes the calls that move bytes out.
#[derive(Default)]
struct Calls(Vec<String>);

impl Probe for Calls {
    const ACTIVE: bool = true;

    fn before(&mut self, _call: &Call<'_>) -> Verdict {
        Verdict::Go
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
            _ => return,
        };
        self.0.push(line);
    }
}

fn open<L: Poller>() -> (Readiness<L, Calls>, Token, TcpStream) {
    let mut driver = Readiness::open(&Config::default(), Calls::default()).expect("opens");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
    let (ours, _) = listener.accept().expect("accept");
    let token = driver.adopt(ours.into()).expect("adopt");
    (driver, token, peer)
}

fn with_file(head: Part, len: u64) -> SendBuf {
    let path = std::env::current_exe().expect("this program is a file, and a large one");
    let file = Arc::new(std::fs::File::open(path).expect("opens"));
    let mut buf = SendBuf::new(head);
    buf.push_file(FileSlice {
        file,
        range: 0..len,
    });
    buf
}

fn calls<L: Poller>(driver: &mut Readiness<L, Calls>) -> Vec<String> {
    std::mem::take(&mut driver.probe().0)
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
    assert_eq!(calls(&mut driver), ["send more = 4", "sendfile 0 262144"]);
    let mut sent = false;
    while !sent {
        driver.wait(Some(Duration::from_secs(5))).expect("wait");
        while let Some(event) = driver.next_event() {
            sent |= matches!(event, Event::Sent { result: Ok(()), .. });
        }
        let calls = calls(&mut driver);
        assert!(calls.len() <= 1, "in one turn: {calls:?}");
    }
    driver.close(token);
    assert_eq!(reader.join().expect("it read"), 4 + len);
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
