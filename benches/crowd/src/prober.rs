//! One who was there before all others, and wants to be served while they come: how long an echo takes, from the
//! beginning to the end.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::client::Shared;
use crate::frames::{self, Said};

/// Several, because each is served by one worker.
const CONNECTIONS: usize = 8;

/// Echoes until the crowd goes; prints how long they took.
pub(crate) fn probe(shared: &Shared) {
    match echoes(shared) {
        Ok(mut times) if !times.is_empty() => {
            times.sort_unstable();
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
            println!(
                "{} echoes meanwhile: median {:.2?}, 99 % {:.2?}, 99.9 % {:.2?}, longest {:.2?}",
                times.len(),
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0)
            );
        }
        Ok(_) => println!("no echo meanwhile"),
        Err(error) => println!("the prober was not served: {error}"),
    }
}

fn echoes(shared: &Shared) -> io::Result<Vec<Duration>> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(shared.to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(&frames::handshake("/ws"))?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        streams.push((stream, Vec::new()));
    }
    let mut times = Vec::new();
    let question = frames::masked(2, b"echo");
    for turn in (0..CONNECTIONS).cycle() {
        if shared.closing.load(Ordering::Relaxed) {
            break;
        }
        let (stream, unread) = &mut streams[turn];
        let began = Instant::now();
        stream.write_all(&question)?;
        await_echo(stream, unread)?;
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(times)
}

/// Reads up to the echo; answers pings and skips broadcasts before it.
fn await_echo(stream: &mut TcpStream, unread: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        while let Some((said, end)) = frames::first(unread) {
            let echo = unread[..end].ends_with(b"echo");
            if let Said::Ping(payload) = said {
                stream.write_all(&frames::masked(10, payload))?;
            }
            unread.drain(..end);
            if echo {
                return Ok(());
            }
        }
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => unread.extend_from_slice(&bytes[..count]),
        }
    }
}
