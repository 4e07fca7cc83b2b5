//! `longshore connect` as a process of its own, against listeners of this test and against `longshore serve` and `echo`.
//!
//! ```text
//!   streams    tcp and unix: both ways at once, ends of either side     http       requests, replies, refusals
//!   datagrams  udp and unix-datagram                                    websocket  lines, frames, commands, ends
//!   shown      what a terminal is given, and what -v tells              mistakes   of the command line
//! ```
//!
//! A time appears only as a bound on waiting.
#![forbid(unsafe_code)]

mod datagrams;
mod http;
mod mistakes;
#[path = "../programs/mod.rs"]
mod programs;
mod shown;
mod streams;
mod websocket;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::thread::{self, JoinHandle};

use programs::{PATIENCE, run, text};

/// Listens on a free port, and runs `serve` with the first client. Gives the address.
fn once<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        serve(stream)
    });
    (address, server)
}

/// Listens on a free port; reads a request's head, says `reply`, and ends.
fn replies(reply: impl Into<Vec<u8>>) -> String {
    let reply = reply.into();
    let (address, _) = once(move |mut stream| {
        head_of(&mut stream);
        stream.write_all(&reply).expect("the client reads");
        // Until the client has gone, so that nothing is lost to a reset.
        stream.shutdown(std::net::Shutdown::Write).expect("open");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    address
}

/// Reads up to the empty line.
fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

/// Runs the program, which must end with code 0, and gives its standard output and error.
fn succeeds(arguments: &[&str], input: &[u8]) -> (Vec<u8>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = run(arguments, input);
    let said = text(&stderr).to_owned();
    assert_eq!(status.code(), Some(0), "{arguments:?}: {said}");
    (stdout, said)
}
