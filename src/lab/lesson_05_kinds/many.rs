//! One to many: the same news by a send to each, and by one send to a multicast group (`ip(7)`).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use longshore::sys::{self, Address, Family, Kind, Mode, POLLIN, Silent, SocketOption};
use socket2::SockRef;

use crate::lab::frame::Frame;
use crate::lab::loopback::{self, PATIENCE, anywhere, v4};
use crate::lab::report::Table;

/// A group of the range for use within one site (RFC 2365 §6.2).
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 192, 77, 5);
const RECEIVERS: usize = 8;

pub(super) fn run(frame: &Frame) -> io::Result<()> {
    frame.say(format!(
        "One to many: {RECEIVERS} receivers, told the same news one by one."
    ));
    let sender = sys::socket(
        &mut frame.calls("sender"),
        Family::Inet,
        Kind::Datagram,
        Mode::Blocking,
    )?;
    let receivers: Vec<OwnedFd> = (0..RECEIVERS)
        .map(|_| {
            let probe = &mut frame.calls("receiver");
            let receiver = sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?;
            sys::bind(probe, receiver.as_fd(), &anywhere())?;
            Ok(receiver)
        })
        .collect::<io::Result<_>>()?;
    let mut sends = 0;
    for receiver in &receivers {
        let to = sys::getsockname(&mut Silent, receiver.as_fd())?;
        sys::sendto(&mut frame.calls("sender"), sender.as_fd(), b"news", &to)?;
        sends += 1;
    }
    let reached = heard(frame, &receivers)?;
    let mut table = Table::new(
        "The same news to many",
        &["way", "receivers", "sends", "reached"],
    );
    table.row([
        "one by one".into(),
        RECEIVERS.into(),
        sends.into(),
        reached.into(),
    ]);
    frame.finding("unicast_sends", sends);
    frame.finding("unicast_reached", reached);

    frame.say(format!(
        "Now they join the group {GROUP} on loopback, and the sender sends once."
    ));
    match multicast(frame, sender.as_fd()) {
        Ok(reached) => {
            table.row([
                "to a group".into(),
                RECEIVERS.into(),
                1.into(),
                reached.into(),
            ]);
            frame.finding("multicast_sends", 1);
            frame.finding("multicast_reached", reached);
            frame.table(table);
            frame.conclude(
                reached == RECEIVERS,
                format!("One send reached all {reached}: the kernel, or the network, made the copies. TCP has no such thing."),
                format!("One send reached {reached} of {RECEIVERS}."),
            );
        }
        Err(error) => {
            frame.table(table);
            frame.refused("multicast on loopback", error);
        }
    }
    Ok(())
}

/// One send to the group; how many of its members it reached.
fn multicast(frame: &Frame, sender: BorrowedFd<'_>) -> io::Result<usize> {
    let loopback = Ipv4Addr::LOCALHOST;
    let mut port = 0;
    let mut members = Vec::new();
    for _ in 0..RECEIVERS {
        let probe = &mut frame.calls("receiver");
        let member = sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?;
        // All bind the group's address and one port, which the first gets from the kernel.
        sys::setsockopt(probe, member.as_fd(), &SocketOption::ReuseAddress(true))?;
        let group = Address::Inet(SocketAddr::V4(SocketAddrV4::new(GROUP, port)));
        sys::bind(probe, member.as_fd(), &group)?;
        port = v4(&sys::getsockname(&mut Silent, member.as_fd())?)?.port();
        let joined = SockRef::from(&member).join_multicast_v4(&GROUP, &loopback);
        let text = format!(
            "setsockopt({}, SOL_IP, IP_ADD_MEMBERSHIP, {{{GROUP}, {loopback}}}, 8)",
            member.as_raw_fd()
        );
        frame.made("receiver", &text, joined.as_ref().map(|()| 0));
        joined?;
        members.push(member);
    }
    SockRef::from(&sender).set_multicast_if_v4(&loopback)?;
    let group = Address::Inet(SocketAddr::V4(SocketAddrV4::new(GROUP, port)));
    sys::sendto(&mut frame.calls("sender"), sender, b"news", &group)?;
    heard(frame, &members)
}

/// How many of these have received something.
fn heard(frame: &Frame, receivers: &[OwnedFd]) -> io::Result<usize> {
    let mut reached = 0;
    for receiver in receivers {
        if loopback::ready(&mut Silent, receiver.as_fd(), POLLIN, PATIENCE / 10)? {
            sys::recvfrom(&mut frame.calls("receiver"), receiver.as_fd(), &mut [0; 16])?;
            reached += 1;
        }
    }
    Ok(reached)
}
