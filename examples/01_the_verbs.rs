//! # 01: the verbs alone
//!
//! A socket is not a protocol. It is where a program meets TCP: a descriptor, like that of a file, and a dozen calls. Here
//! they are, once each, in the order of a connection's life. One thread plays both sides; every call blocks until it can
//! be answered, and none of them ever has to wait.
//!
//! ```text
//!        server                        on the wire                       client
//!   socket, bind, listen                                                 socket
//!                                 ◄──────── SYN ──────────
//!   (the kernel alone)            ──────── SYN+ACK ──────►               connect
//!                                 ◄──────── ACK ──────────
//!   accept4
//!                                 ◄──── "ahoy, server" ───               write
//!   read
//!   write                         ──── "ahoy, client" ───►               read
//!                                 ◄──────── FIN ──────────               shutdown(SHUT_WR)
//!   read = 0
//!   close                         ──────── FIN ──────────►
//!                                                                        read = 0, close
//! ```
//!
//! **Run it**: each line of the output that looks like a call is one, with what the kernel answered.
//!
//! ```text
//! cargo run --example 01_the_verbs
//! ```
//!
//! **See the packets**, if you may (a second terminal, before you run it):
//!
//! ```text
//! tcpdump -i lo -n 'tcp and net 127.0.0.0/8'
//! ```
//!
//! **See the calls from outside**: the same ones, with those of the Rust runtime around them.
//!
//! ```text
//! strace -yy -e trace=%network,read,write,close target/debug/examples/01_the_verbs
//! ```
//!
//! **Look at**: the connection stands before accept4(2) is called; accept4 gives a *new* descriptor, and the listener's
//! stays; the client never bound an address, so the kernel chose one; a FIN closes one direction only; the end of the
//! peer's bytes is a read(2) of 0 and no error.
//!
//! **What it leaves out**: everything that makes a server (more than one client, 02; waiting for many at once, 03 and
//! 04), short reads and writes, and errors other than giving up.

use std::io::{self, Stdout};
use std::os::fd::{AsFd, BorrowedFd};

use longshore::sys::{self, Address, Family, How, Kind, Mode, SocketOption, Strace};

type Trace = Strace<Stdout>;

fn main() -> io::Result<()> {
    // Told of every call: it prints the call, its arguments and the kernel's answer.
    let trace = &mut Strace::new(io::stdout());

    say("The server makes a socket. So far it is a descriptor that belongs to nothing.");
    let listener = sys::socket(trace, Family::Inet, Kind::Stream, Mode::Blocking)?;
    // Without this, a server that is started again within a minute finds its port busy: connections that it closed are
    // in TIME_WAIT (tcp(7)).
    sys::setsockopt(trace, listener.as_fd(), &SocketOption::ReuseAddress(true))?;

    say("It takes an address. Port 0 asks the kernel for any free one; getsockname says which.");
    let anywhere = "127.0.0.1:0".parse().map_err(io::Error::other)?;
    sys::bind(trace, listener.as_fd(), &anywhere)?;
    let address = sys::getsockname(trace, listener.as_fd())?;

    say(
        "From here on the kernel answers SYNs, and keeps up to 16 finished connections for accept4.",
    );
    sys::listen(trace, listener.as_fd(), 16)?;

    say("The client makes a socket too, and connects: SYN, SYN+ACK, ACK, the three-way handshake.");
    say("The kernel answers for the server, which is not even looking.");
    let client = sys::socket(trace, Family::Inet, Kind::Stream, Mode::Blocking)?;
    sys::connect(trace, client.as_fd(), &address)?;

    say("The server takes the connection from the queue: a new descriptor, beside the listener's.");
    let server = sys::accept4(trace, listener.as_fd(), Mode::Blocking)?;
    five_facts(trace, "the client", client.as_fd())?;
    five_facts(trace, "the server", server.as_fd())?;

    converse(trace, client.as_fd(), server.as_fd())?;
    part(trace, client.as_fd(), server.as_fd())?;

    say("The server closes: its FIN leaves. Now both directions have ended.");
    sys::close(trace, server)?;
    say(
        "The client reads to the end and closes. It said FIN first, so its side stays in TIME_WAIT for a minute.",
    );
    sys::read(trace, client.as_fd(), &mut [0; 64])?;
    sys::close(trace, client)?;
    say("The listener closes. Clients that still waited in its queue would be reset.");
    sys::close(trace, listener)
}

/// Bytes in both directions. write(2) answers how many bytes the kernel *took*: they may still be on their way.
fn converse(trace: &mut Trace, client: BorrowedFd<'_>, server: BorrowedFd<'_>) -> io::Result<()> {
    let mut bytes = [0; 64];
    say("Bytes. write copies them to the kernel, which sends them; read copies out what has come.");
    sys::write(trace, client, b"ahoy, ")?;
    sys::write(trace, client, b"server")?;
    say(
        "Two writes, and one read may bring both: TCP carries bytes, not messages. So read until all are here.",
    );
    let mut count = 0;
    while count < "ahoy, server".len() {
        count += sys::read(trace, server, &mut bytes[count..])?;
    }
    say("The other direction is independent of the first.");
    sys::write(trace, server, b"ahoy, client")?;
    sys::read(trace, client, &mut bytes)?;
    Ok(())
}

/// The client says that it has nothing more to say. It can still listen: the connection is half-closed.
fn part(trace: &mut Trace, client: BorrowedFd<'_>, server: BorrowedFd<'_>) -> io::Result<()> {
    say("The client has said everything: shutdown sends its FIN. It can still read.");
    sys::shutdown(trace, client, How::Write)?;
    say("The server learns it by reading 0 bytes, behind everything that was sent.");
    sys::read(trace, server, &mut [0; 64])?;
    say("It may still answer, and the client still reads.");
    sys::write(trace, server, b"farewell")?;
    sys::read(trace, client, &mut [0; 64])?;
    Ok(())
}

/// What tells this connection from every other in the world: the protocol, and an address and a port on either side.
fn five_facts(trace: &mut Trace, whose: &str, socket: BorrowedFd<'_>) -> io::Result<()> {
    let local = sys::getsockname(trace, socket)?;
    let remote = sys::getpeername(trace, socket)?;
    let (Address::Inet(local), Address::Inet(remote)) = (local, remote) else {
        return Err(io::Error::other("a TCP socket has IP addresses"));
    };
    println!("  as {whose} sees it:");
    println!("    protocol        TCP");
    println!("    local address   {}", local.ip());
    println!("    local port      {}", local.port());
    println!("    remote address  {}", remote.ip());
    println!("    remote port     {}", remote.port());
    Ok(())
}

fn say(sentence: &str) {
    println!("# {sentence}");
}
