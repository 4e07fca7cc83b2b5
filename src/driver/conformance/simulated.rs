//! The rig in a simulation.

use std::io;
use std::os::fd::OwnedFd;

use super::rig::{Heard, Host, Outside, Peer, Rig};
use crate::driver::sim::{Plan, Shape, Sim, SimDatagram, SimHost, SimNet, SimPeer, SimRead};
use crate::driver::{Config, Driver, Listener};
use crate::sys::{Address, Family, UnixName};

/// A simulated kernel with a plan: `SHAPE` 0 answers like a poller, 1 like a ring; without a `SEED` it is calm.
pub(super) struct Simulated<const SHAPE: u8, const SEED: u64> {
    driver: Sim,
    net: SimNet,
}

impl<const SHAPE: u8, const SEED: u64> Rig for Simulated<SHAPE, SEED> {
    type Driver = Sim;
    type Peer = SimPeer;
    type Host = SimHost;
    type Outside = SimDatagram;

    const SLEEPS: bool = false;
    const COUNTS_ACCEPTS: bool = true;
    const SHORTENS: bool = true;

    fn open(config: &Config) -> Self {
        let shape = match SHAPE {
            0 => Shape::Readiness,
            _ => Shape::Completion,
        };
        let plan = match SEED {
            0 => Plan::calm(shape),
            seed => Plan::seeded(seed, shape),
        };
        let driver = Sim::open(config, plan).expect("memory opens");
        let net = driver.net();
        Self { driver, net }
    }

    fn driver(&mut self) -> &mut Sim {
        &mut self.driver
    }

    fn listener(&mut self, family: Family, backlog: u32) -> Listener {
        self.net.listener(family, backlog)
    }

    fn connect(&mut self, to: &Address) -> io::Result<SimPeer> {
        self.net.connect(to)
    }

    fn connect_named(&mut self, to: &Address, length: usize) -> (SimPeer, Address) {
        let name = Address::Unix(UnixName::Abstract(vec![b'x'; length]));
        let peer = self.net.connect_from(&name, to).expect("connect");
        (peer, name)
    }

    fn host(&mut self, family: Family) -> SimHost {
        self.net.host(family)
    }

    fn pair(&mut self) -> (OwnedFd, SimPeer) {
        self.net.pair()
    }

    fn datagram(&mut self, family: Family) -> (OwnedFd, Address) {
        self.net.datagram(family)
    }

    fn outside(&mut self, family: Family) -> SimDatagram {
        self.net.outside(family)
    }
}

impl Peer for SimPeer {
    fn write(&mut self, bytes: &[u8]) -> usize {
        SimPeer::write(self, bytes);
        bytes.len()
    }

    fn read(&mut self, limit: usize) -> Heard {
        match SimPeer::read(self, limit) {
            SimRead::Bytes(bytes) => Heard::Bytes(bytes),
            SimRead::Nothing => Heard::Nothing,
            SimRead::End => Heard::End,
            SimRead::Reset => Heard::Reset,
        }
    }

    fn end(&mut self) {
        SimPeer::end(self);
    }

    fn reset(self) {
        SimPeer::reset(self);
    }

    fn address(&self) -> Address {
        SimPeer::address(self)
    }
}

impl Host for SimHost {
    type Peer = SimPeer;

    fn address(&self) -> Address {
        SimHost::address(self)
    }

    fn accept(&mut self) -> Option<(SimPeer, Address)> {
        SimHost::accept(self)
    }
}

impl Outside for SimDatagram {
    fn address(&self) -> Address {
        SimDatagram::address(self)
    }

    fn send(&mut self, to: &Address, bytes: &[u8]) {
        SimDatagram::send(self, to, bytes);
    }

    fn receive(&mut self) -> Option<(Address, Vec<u8>)> {
        SimDatagram::receive(self)
    }
}
