//! Many workers, tables of their own, busy polling, and the ledger that tells of them.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use longshore::sys::Address;
use longshore::{Backend, Handler, Ledger, Replied, Reply, Request, Server, Workers};

struct Hello;

impl Handler for Hello {
    type Connection = ();
    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text("Hello, World!")
    }
}

/// A worker's own table begins as a copy of the process's: it would keep another test's listener open.
static ALONE: Mutex<()> = Mutex::new(());

/// Serves with `server` on every backend while `test` runs; afterwards nobody listens.
fn on_every_backend(server: &Server, test: impl Fn(SocketAddr, &Ledger)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for backend in [Backend::Epoll, Backend::IoUring, Backend::Mio] {
        if backend.choose().is_err() {
            continue;
        }
        let server = server.clone().backend(backend).workers(Workers::Count(5));
        let any = "127.0.0.1:0".parse().expect("an address");
        let bound = server.listen(any).bind().expect("a free port");
        let Some(Address::Inet(address)) = bound.addresses().next().cloned() else {
            panic!("an internet address")
        };
        let (stopper, ledger) = (bound.stopper(), bound.ledger());
        let server = thread::spawn(move || bound.run(|_worker| Hello));
        test(address, &ledger);
        stopper.stop();
        let report = server.join().expect("no panic").expect("it ran");
        let figures = ledger.figures();
        assert_eq!((figures.accepted, figures.requests), (40, 40), "{backend}");
        assert_eq!((report.connections, figures.connections), (40, 0));
        assert!(figures.turns > 0 && figures.longest_turn > Duration::ZERO);
        assert!(
            TcpStream::connect(address).is_err(),
            "{backend}: a copy of a listener was left open"
        );
    }
}

/// As many connections as reach every worker, nearly surely.
fn forty_answers(address: SocketAddr) {
    let mut streams: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(address).expect("it listens"))
        .collect();
    for stream in &mut streams {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("it reads");
    }
    for mut stream in streams {
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a whole reply");
        assert!(reply.ends_with("Hello, World!"), "{reply}");
    }
}

#[test]
fn workers_with_tables_of_their_own_serve_and_leave_no_listener_behind() {
    on_every_backend(&Server::new().own_tables(true), |address, _| {
        forty_answers(address);
    });
}

#[test]
fn busy_polling_serves_as_sleeping_does() {
    let server = Server::new().busy_poll(Duration::from_millis(2));
    on_every_backend(&server, |address, ledger| {
        forty_answers(address);
        assert!(ledger.workers().count() == 5);
    });
}
