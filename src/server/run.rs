//! A server: addresses, a backend, one thread per worker.

use std::io;
use std::sync::Arc;
use std::thread;

use super::bind::{BoundAddress, ServerError};
use super::gate::{Arrival, Gate};
use super::ledger::{Ledger, LedgerFigures};
use super::tables::{DESCRIPTORS_RESERVED, Tables, connections_possible};
use super::topics::{Homes, Hub, Publisher};
use super::wake::Mail;
use super::watched::{Watched, Watcher};
use super::web::{Journal, Topics, Web};
use super::{AccessLog, Backend, Chosen, Handler, Report, Server, Stopper};
use crate::buf::{Budget, Ceiling};
use crate::driver::{self, Driver, Listener};
use crate::events;
use crate::limits::Limits;
use crate::reactor::{Letter, Post, Reactor};
use crate::sys::{self, Address, Silent, ThreadProbe};
#[cfg(feature = "trace")]
use crate::trace::Trace;

/// With more workers than this for each processor, they are there for their descriptor tables: few run at one time.
const WORKERS_PER_CPU_CROWDED: usize = 2;

/// How many times 2 KiB each ring has to receive into then: 128 KiB in place of 512, which 60 workers would pay 60 times.
const RING_BUFFERS_CROWDED: u16 = 64;

/// A server whose addresses are bound.
pub struct Bound {
    pub(super) server: Server,
    pub(super) chosen: Chosen,
    workers: usize,
    pub(super) addresses: Vec<BoundAddress>,
    pub(super) stopper: Stopper,
    pub(super) hub: Arc<Hub>,
    pub(super) ledger: Ledger,
    on_ready: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Bound {
    pub(super) fn new(
        server: Server,
        chosen: Chosen,
        workers: usize,
        addresses: Vec<BoundAddress>,
    ) -> Self {
        Self {
            server,
            chosen,
            workers,
            addresses,
            stopper: Stopper::default(),
            hub: Hub::new(workers),
            ledger: Ledger::new(workers),
            on_ready: None,
        }
    }

    /// The addresses, with the ports that the kernel chose.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter().map(|bound| &bound.address)
    }

    /// The backend, and why it is not the preferred one.
    pub fn backend(&self) -> &Chosen {
        &self.chosen
    }

    /// How many threads will serve.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Stops the server, from any thread, before or after it runs.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Publishes to topics, from any thread. Before the server runs it says so.
    pub fn publisher(&self) -> Publisher {
        Publisher {
            hub: self.hub.clone(),
        }
    }

    /// What the server does, while it runs and when it has ended, from any thread.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// Calls `call` once, on the thread that runs the server, when every worker has all that it needs and serves: the time
    /// to tell a supervisor. Clients can connect as soon as the server is bound; they wait in the backlog until then. Where
    /// a worker cannot be set up, it is not called, and [`run`](Self::run) gives the error. A second one takes the place of
    /// the first. `run` does not return while it blocks; if it panics, the server stops and the panic goes on.
    ///
    /// ```
    /// # use longshore::{Handler, Replied, Reply, Request, Server};
    /// # struct Hello;
    /// # impl Handler for Hello {
    /// #     type Connection = ();
    /// #     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied { reply.text("") }
    /// # }
    /// let bound = Server::new().listen("127.0.0.1:0".parse()?).bind()?;
    /// let stopper = bound.stopper();
    /// bound.on_ready(move || stopper.stop()).run(|_worker| Hello)?; // set up, and stopped again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_ready(mut self, call: impl FnOnce() + Send + Sync + 'static) -> Self {
        self.on_ready = Some(Box::new(call));
        self
    }

    /// Serves until it is stopped. `make_handler` is called once on each worker's thread, with its number.
    ///
    /// # Errors
    /// A worker could not be set up, or its driver failed. The others are stopped then.
    pub fn run<H: Handler>(
        self,
        make_handler: impl Fn(usize) -> H + Sync,
    ) -> Result<Report, ServerError> {
        let watched = self.server.is_watched();
        match self.chosen.backend {
            #[cfg(feature = "epoll")]
            Backend::Epoll if watched => self.run_on::<driver::Epoll<Watched>, H>(&make_handler),
            #[cfg(feature = "epoll")]
            Backend::Epoll => self.run_on::<driver::Epoll<Silent>, H>(&make_handler),
            #[cfg(feature = "mio")]
            Backend::Mio if watched => self.run_on::<driver::Mio<Watched>, H>(&make_handler),
            #[cfg(feature = "mio")]
            Backend::Mio => self.run_on::<driver::Mio<Silent>, H>(&make_handler),
            #[cfg(feature = "io-uring")]
            Backend::IoUring if watched => self.run_on::<driver::Uring<Watched>, H>(&make_handler),
            #[cfg(feature = "io-uring")]
            Backend::IoUring => self.run_on::<driver::Uring<Silent>, H>(&make_handler),
            _ => unreachable!("choose() gives only backends that are built in"),
        }
    }

    /// Runs every worker on a thread of its own. From here on the driver's type is known: no event is dispatched
    /// through a pointer.
    fn run_on<D: Driver, H: Handler>(
        mut self,
        make_handler: &(impl Fn(usize) -> H + Sync),
    ) -> Result<Report, ServerError>
    where
        D::Probe: Watcher,
    {
        for address in self.addresses() {
            events::listening(address);
        }
        #[cfg(feature = "trace")]
        if let (Some(log), Some(trace)) = (&self.server.access_log, &self.server.trace) {
            log.watch(trace);
        }
        let common = Common {
            backend: self.chosen.backend,
            config: self.driver_config(),
            limits: Arc::new(self.server.limits.clone()),
            ceiling: Ceiling::new(self.server.limits.memory_bytes_max),
            stopper: self.stopper.clone(),
            gate: Gate::new(self.workers),
            server: self.server.clone(),
            hub: self.hub.clone(),
            ledger: self.ledger.clone(),
            deflate: Ceiling::new(self.server.limits.deflate_memory_bytes_max),
        };
        let cpus = if self.server.pin {
            sys::allowed_cpus().map_err(ServerError::Worker)?
        } else {
            Vec::new()
        };
        let on_ready = self.on_ready.take();
        let listeners = self.listeners_by_worker();
        let tables = (self.server.own_tables).then(|| Tables::new(&listeners));
        let results: Vec<io::Result<Report>> = thread::scope(|scope| {
            let spawn = |(number, listeners): (usize, Vec<Listener>)| {
                let cpu = cpus.get(number % cpus.len().max(1)).copied();
                let common = &common;
                let seat = Seat { number, cpu };
                let way_in = WayIn {
                    arrival: common.gate.arrival(),
                    leaving: tables.as_ref().map(|tables| (tables, tables.arrival())),
                };
                let serve = move || {
                    common
                        .serve::<D, H>(seat, listeners, way_in, || make_handler(number))
                        .inspect_err(|error| events::worker_failed(number, error))
                };
                let builder = thread::Builder::new().name(format!("worker-{number}"));
                builder
                    .spawn_scoped(scope, serve)
                    .inspect_err(|_| common.stopper.stop())
            };
            let workers: Vec<_> = listeners.into_iter().enumerate().map(spawn).collect();
            if let Some(tables) = &tables {
                tables.close_what_was_left();
            }
            if common.gate.wait()
                && let Some(call) = on_ready
            {
                // A panic there ends the workers, which the scope waits for.
                let unless_fine = StopsOthers(&common.stopper);
                call();
                std::mem::forget(unless_fine);
            }
            let join = |worker: io::Result<thread::ScopedJoinHandle<'_, _>>| match worker?.join() {
                Ok(report) => report,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            workers.into_iter().map(join).collect()
        });
        let mut total = Report::default();
        for result in results {
            total.add(result.map_err(ServerError::Worker)?);
        }
        Ok(total)
    }

    /// Every worker's own listeners.
    pub(super) fn listeners_by_worker(&mut self) -> Vec<Vec<Listener>> {
        let mut listeners: Vec<Vec<Listener>> = (0..self.workers).map(|_| Vec::new()).collect();
        for bound in &mut self.addresses {
            for (worker, listener) in listeners.iter_mut().zip(bound.listeners.drain(..)) {
                worker.push(listener);
            }
        }
        listeners
    }

    pub(super) fn driver_config(&self) -> driver::Config {
        // A table of one's own begins as a copy: everybody's waker, poller and listeners are in it.
        let copied = (self.workers * (2 + self.addresses.len())) as u64;
        let reserved = DESCRIPTORS_RESERVED + if self.server.own_tables { copied } else { 0 };
        let spare = connections_possible(reserved);
        let connections_max = self
            .server
            .connections_max
            .map_or(spare, |wanted| wanted.min(spare));
        let default = driver::Config::default();
        let crowded = self.workers
            > WORKERS_PER_CPU_CROWDED * sys::allowed_cpus().map_or(1, |cpus| cpus.len());
        let ring_buffers = if crowded {
            RING_BUFFERS_CROWDED
        } else {
            default.ring_buffers
        };
        driver::Config {
            connections_max,
            ring_buffers,
            ..default
        }
    }
}

/// Which worker it is, and where it runs.
#[derive(Clone, Copy)]
struct Seat {
    number: usize,
    cpu: Option<usize>,
}

/// What a worker passes before it serves.
struct WayIn<'g> {
    arrival: Arrival<'g>,
    /// The shared descriptor table, if it is to be left.
    leaving: Option<(&'g Tables, Arrival<'g>)>,
}

/// What all workers share.
struct Common {
    backend: Backend,
    config: driver::Config,
    limits: Arc<Limits>,
    ceiling: Arc<Ceiling>,
    stopper: Stopper,
    /// Lets no worker serve before all of them are set up: clients of the first could take the last descriptors, which
    /// the others need for their drivers.
    gate: Gate,
    server: Server,
    hub: Arc<Hub>,
    ledger: Ledger,
    deflate: Arc<Ceiling>,
}

/// Stops the other workers when one ends by an error or a panic.
struct StopsOthers<'s>(&'s Stopper);

impl Drop for StopsOthers<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Common {
    /// One worker's part in the topics.
    fn topics(&self, worker: usize) -> Topics {
        let homes = Homes::new(self.hub.workers(), &self.limits);
        Topics::new(worker, self.hub.clone(), homes)
    }

    /// One worker's life.
    fn serve<D: Driver, H: Handler>(
        &self,
        seat: Seat,
        listeners: Vec<Listener>,
        way_in: WayIn<'_>,
        make_handler: impl FnOnce() -> H,
    ) -> io::Result<Report>
    where
        D::Probe: Watcher,
    {
        let unless_finished = StopsOthers(&self.stopper);
        // Before the driver, so that it ends after it.
        #[cfg(feature = "trace")]
        let _watched = self.server.trace.as_ref().map(Trace::watch_thread);
        if let Some(cpu) = seat.cpu {
            sys::pin_thread(&mut ThreadProbe, cpu)?;
        }
        let driver = D::open(&self.config, D::Probe::of(&self.server))?;
        let budget = Budget::new(self.ceiling.clone());
        let lines = self.server.access_log.as_ref().map(AccessLog::lines);
        let journal = Journal::new(lines, self.server.peer_addresses);
        let compressor = self.server.make_compressor();
        let topics = self.topics(seat.number);
        let make_service = |post: Post<Mail>| {
            self.hub.register(seat.number, post.clone());
            let deflate = self.deflate.clone();
            Web::new(make_handler(), post, journal, compressor, topics, deflate)
                .parting(self.stopper.farewell())
        };
        let mut reactor = Reactor::new(driver, self.limits.clone(), budget, make_service);
        for listener in listeners {
            reactor.listen(listener)?;
        }
        let post = reactor.post();
        self.stopper.register(Box::new(move || {
            // A stop is never refused.
            let _ = post.send(Letter::Stop);
        }));
        way_in.arrival.come();
        self.gate.wait();
        if let Some((tables, arrival)) = way_in.leaving {
            tables.leave(seat.number, arrival)?;
        }
        events::worker_started(seat.number, self.backend.name(), seat.cpu);
        reactor.busy_poll(self.server.busy_poll);
        let account = self.ledger.account(seat.number);
        reactor.run(|reactor| account.write(&figures_of(reactor)))?;
        let figures = reactor.figures();
        let report = Report {
            connections: figures.accepted,
            requests: reactor.service().requests,
            messages: reactor.service().messages,
            accept_failures: figures.accept_failures,
            counts: reactor.probe().counts(),
        };
        account.write(&figures_of(&reactor));
        reactor.teardown()?;
        std::mem::forget(unless_finished);
        Ok(report)
    }
}

/// What a worker has done so far.
pub(super) fn figures_of<D: Driver, H: Handler>(reactor: &Reactor<D, Web<H>>) -> LedgerFigures {
    let figures = reactor.figures();
    LedgerFigures {
        connections: reactor.live() as u64,
        accepted: figures.accepted,
        requests: reactor.service().requests,
        messages: reactor.service().messages,
        accept_failures: figures.accept_failures,
        held_bytes: reactor.held_bytes() as u64,
        turns: figures.turns,
        longest_turn: figures.longest_turn,
    }
}
