//! The other side of a simulation: whoever the driver talks to.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use super::link::{Link, Shared};
use crate::driver::Listener;
use crate::sys::{Address, Family, UnixName};

/// Datagrams on their way, and who sent them.
type Mail = VecDeque<(Address, Vec<u8>)>;

/// Who listens at an address.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) waiting: VecDeque<Shared>,
    /// Listened at by the driver, or by a [`SimHost`].
    of_driver: bool,
}

/// What a descriptor stands for that was handed out.
#[derive(Debug)]
pub(super) enum Known {
    Stream(Shared),
    Datagram(Address),
}

/// Addresses and who is there. Nothing ever walks through these maps, so their order does not matter.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) ports: HashMap<Address, Port>,
    pub(super) known: HashMap<RawFd, Known>,
    pub(super) mail: HashMap<Address, Mail>,
    /// How many addresses were made up.
    made_up: u16,
}

impl World {
    /// An address that nobody has: 127.0.0.1:10001 and on.
    pub(super) fn unused(&mut self, family: Family) -> Address {
        self.made_up = self.made_up.wrapping_add(1);
        let port = 10_000_u16.wrapping_add(self.made_up);
        match family {
            Family::Inet => Address::Inet(([127, 0, 0, 1], port).into()),
            Family::Inet6 => Address::Inet(([0, 0, 0, 0, 0, 0, 0, 1], port).into()),
            Family::Unix => Address::Unix(UnixName::Abstract(format!("sim-{port}").into_bytes())),
        }
    }

    /// Where a client comes from that did not choose: a Unix client has no name.
    pub(super) fn source(&mut self, to: &Address) -> Address {
        match to.family() {
            Family::Unix => Address::Unix(UnixName::Unnamed),
            family => self.unused(family),
        }
    }

    /// A SYN: a connection waits where somebody of the other side listens.
    pub(super) fn knock(&mut self, to: &Address, link: Shared, at_driver: bool) -> io::Result<()> {
        match self.ports.get_mut(to) {
            Some(port) if port.of_driver == at_driver => {
                port.waiting.push_back(link);
                Ok(())
            }
            _ => Err(io::Error::from_raw_os_error(libc::ECONNREFUSED)),
        }
    }

    /// listen(2).
    pub(super) fn open_port(&mut self, at: Address, of_driver: bool) -> io::Result<()> {
        if self.ports.contains_key(&at) {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        let waiting = VecDeque::new();
        self.ports.insert(at, Port { waiting, of_driver });
        Ok(())
    }
}

/// A descriptor that stands for something in the simulation.
fn stand_in() -> OwnedFd {
    File::open("/dev/null").expect("every system has it").into()
}

/// The network around a [`Sim`](super::Sim).
#[derive(Clone, Debug)]
pub(crate) struct SimNet {
    pub(super) world: Rc<RefCell<World>>,
}

impl SimNet {
    /// A listener for `Driver::listen`, at an address that nobody has.
    pub(crate) fn listener(&self, family: Family, backlog: u32) -> Listener {
        let address = self.world.borrow_mut().unused(family);
        let fd = stand_in();
        Listener {
            fd: fd.into(),
            address,
            backlog,
        }
    }

    /// A client that connects to where the driver listens, and waits to be accepted. Any number may wait.
    ///
    /// # Errors
    /// ECONNREFUSED: the driver does not listen there.
    pub(crate) fn connect(&self, to: &Address) -> io::Result<SimPeer> {
        let from = self.world.borrow_mut().source(to);
        self.connect_from(&from, to)
    }

    /// As [`connect`](Self::connect), from an address.
    pub(crate) fn connect_from(&self, from: &Address, to: &Address) -> io::Result<SimPeer> {
        let link = Link::new(from.clone(), to.clone());
        self.world.borrow_mut().knock(to, link.clone(), true)?;
        Ok(SimPeer { link })
    }

    /// A server for the driver to connect to, at an address that nobody has.
    pub(crate) fn host(&self, family: Family) -> SimHost {
        let world = self.world.clone();
        let address = world.borrow_mut().unused(family);
        let opened = world.borrow_mut().open_port(address.clone(), false);
        opened.expect("nobody has the address");
        SimHost { world, address }
    }

    /// A connection that stands already: one end for `Driver::adopt`, and the other.
    pub(crate) fn pair(&self) -> (OwnedFd, SimPeer) {
        let unnamed = Address::Unix(UnixName::Unnamed);
        let link = Link::new(unnamed.clone(), unnamed);
        let fd = stand_in();
        let known = Known::Stream(link.clone());
        self.world.borrow_mut().known.insert(fd.as_raw_fd(), known);
        (fd, SimPeer { link })
    }

    /// A datagram socket for `Driver::bind_datagram`, and its address.
    pub(crate) fn datagram(&self, family: Family) -> (OwnedFd, Address) {
        let mut world = self.world.borrow_mut();
        let address = world.unused(family);
        let fd = stand_in();
        let known = Known::Datagram(address.clone());
        world.known.insert(fd.as_raw_fd(), known);
        world.mail.insert(address.clone(), Mail::new());
        (fd, address)
    }

    /// A datagram socket of the other side.
    pub(crate) fn outside(&self, family: Family) -> SimDatagram {
        let world = self.world.clone();
        let address = world.borrow_mut().unused(family);
        world.borrow_mut().mail.insert(address.clone(), Mail::new());
        SimDatagram { world, address }
    }
}

/// What a peer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SimRead {
    /// Some of what the driver sent.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The driver's FIN.
    End,
    /// The driver's RST.
    Reset,
}

/// The other end of a connection. Dropping it closes it: FIN, or RST if something was not read.
#[derive(Debug)]
pub(crate) struct SimPeer {
    link: Shared,
}

impl SimPeer {
    /// Writes `bytes`, which will be one lend, unless the plan cuts it or it is longer than `receive_bytes`. There is
    /// always room.
    pub(crate) fn write(&self, bytes: &[u8]) {
        let mut link = self.link.borrow_mut();
        debug_assert!(!link.peer_ended, "nothing is written after FIN");
        if !link.driver_reset && !bytes.is_empty() {
            link.to_driver.push_back(bytes.to_vec());
        }
    }

    /// Sends FIN; reading goes on.
    pub(crate) fn end(&self) {
        self.link.borrow_mut().peer_ended = true;
    }

    /// Closes with RST: what was not read by either side is lost.
    pub(crate) fn reset(self) {
        let mut link = self.link.borrow_mut();
        link.peer_reset = true;
        link.to_driver.clear();
        link.to_peer.clear();
    }

    /// Reads at most `limit` bytes.
    pub(crate) fn read(&self, limit: usize) -> SimRead {
        let mut link = self.link.borrow_mut();
        if !link.to_peer.is_empty() {
            let count = limit.min(link.to_peer.len());
            return SimRead::Bytes(link.to_peer.drain(..count).collect());
        }
        match (link.driver_reset, link.driver_ended) {
            (true, _) => SimRead::Reset,
            (false, true) => SimRead::End,
            (false, false) => SimRead::Nothing,
        }
    }

    /// Reads everything that is there.
    pub(crate) fn read_all(&self) -> Vec<u8> {
        self.link.borrow_mut().to_peer.drain(..).collect()
    }

    /// Lets one send take at most `bytes`, so that sends are short. At first there is no limit.
    pub(crate) fn takes(&self, bytes: usize) {
        self.link.borrow_mut().per_send = bytes;
    }

    /// Lets at most `bytes` wait to be read, as a receive window would. At first 256 KiB.
    pub(crate) fn window(&self, bytes: usize) {
        self.link.borrow_mut().window = bytes;
    }

    /// Lets nothing be taken until [`release`](Self::release): sends stay in flight.
    pub(crate) fn hold(&self) {
        self.link.borrow_mut().held = true;
    }

    /// Lets sends go on.
    pub(crate) fn release(&self) {
        self.link.borrow_mut().held = false;
    }

    /// This end's address.
    pub(crate) fn address(&self) -> Address {
        self.link.borrow().peer_address.clone()
    }
}

impl Drop for SimPeer {
    fn drop(&mut self) {
        let mut link = self.link.borrow_mut();
        link.peer_gone = true;
        link.peer_ended = true;
        if !link.to_peer.is_empty() {
            link.peer_reset = true;
            link.to_driver.clear();
        }
    }
}

/// A server outside the driver. Dropping it refuses whoever comes.
#[derive(Debug)]
pub(crate) struct SimHost {
    world: Rc<RefCell<World>>,
    address: Address,
}

impl SimHost {
    /// Where it listens.
    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }

    /// Takes a connection of the driver's, and the address that it comes from.
    pub(crate) fn accept(&self) -> Option<(SimPeer, Address)> {
        let mut world = self.world.borrow_mut();
        let link = world.ports.get_mut(&self.address)?.waiting.pop_front()?;
        let from = link.borrow().driver_address.clone();
        Some((SimPeer { link }, from))
    }
}

impl Drop for SimHost {
    fn drop(&mut self) {
        self.world.borrow_mut().ports.remove(&self.address);
    }
}

/// A datagram socket outside the driver.
#[derive(Debug)]
pub(crate) struct SimDatagram {
    world: Rc<RefCell<World>>,
    address: Address,
}

impl SimDatagram {
    /// Where it is bound.
    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }

    /// Sends one datagram. It is lost if nobody is there.
    pub(crate) fn send(&self, to: &Address, bytes: &[u8]) {
        if let Some(mail) = self.world.borrow_mut().mail.get_mut(to) {
            mail.push_back((self.address.clone(), bytes.to_vec()));
        }
    }

    /// Takes one datagram, and its sender's address.
    pub(crate) fn receive(&self) -> Option<(Address, Vec<u8>)> {
        let mut world = self.world.borrow_mut();
        world.mail.get_mut(&self.address)?.pop_front()
    }
}
