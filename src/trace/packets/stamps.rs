//! Waits until the kernel dates packets when they pass.
//!
//! The first socket that asks for times (SO_TIMESTAMPNS) makes the kernel patch its own code, and that is done a moment
//! later by a worker of its own (`net_enable_timestamp`). A packet that passed before is dated when it is read: it would
//! stand behind the calls that it caused. So a datagram is sent to oneself until one is dated earlier than it is read.
//!
//! It does not know what is captured.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::sys::{self, Silent, SocketOption};

/// Between passing and being read: far more than a system call takes.
const APART: Duration = Duration::from_micros(200);
/// Without an answer the first packets may be late, and that is all.
const PATIENCE: Duration = Duration::from_millis(100);

/// Returns when packets are dated as they pass, or after 100 ms.
pub(super) fn await_dates() {
    // A machine without 127.0.0.1 captures nothing that is this fast.
    let _ = ask();
}

fn ask() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(socket.local_addr()?)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let now = SocketOption::ReceiveTime(true);
    sys::setsockopt(&mut Silent, socket.as_fd(), &now)?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        socket.send(b"?")?;
        thread::sleep(APART);
        let before = SystemTime::now();
        let received = sys::recv_packet(&mut Silent, socket.as_fd(), &mut [0; 8])?;
        if received.at.is_some_and(|at| at < before) {
            break;
        }
    }
    Ok(())
}
