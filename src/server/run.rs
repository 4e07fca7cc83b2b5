//! A server: addresses, a backend, one thread per worker.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::bind::{Binding, BoundAddress, ServerError};
use super::web::Web;
use super::{Backend, Chosen, Handler};
use crate::buf::{Budget, Ceiling};
use crate::driver::{self, Driver, Listener};
use crate::limits::Limits;
use crate::reactor::{Letter, Reactor};
use crate::sys::{self, Address, Count, Counts, Probe, Silent, SocketOption};

/// How many connections may wait to be accepted by default. The kernel caps it at `net.core.somaxconn`, 4096 too.
const BACKLOG: u32 = 4096;
/// Descriptors that are not used for connections: listeners, epoll, eventfds, files.
const DESCRIPTORS_RESERVED: u64 = 32;

/// How many threads serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Workers {
    /// One for each processor that the program may use. The default.
    #[default]
    Auto,
    /// This many, at least one.
    Count(usize),
}

/// What a server shall be. Made with [`Server::new`], bound with [`Server::bind`], run with [`Bound::run`].
///
/// ```
/// use longshore::{Backend, Handler, Replied, Reply, Request, Server, Workers};
///
/// struct Hello;
///
/// impl Handler for Hello {
///     type Connection = ();
///     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
///         reply.text("Hello, World!")
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bound = Server::new()
///     .listen("127.0.0.1:0".parse()?)
///     .backend(Backend::Epoll)
///     .workers(Workers::Count(1))
///     .bind()?;
/// println!("listening on {}", bound.addresses().next().expect("one address"));
/// let stopper = bound.stopper();
/// # stopper.stop();
/// bound.run(|_worker| Hello)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    addresses: Vec<Address>,
    backend: Backend,
    workers: Workers,
    pin: bool,
    backlog: u32,
    reuse_port: bool,
    unix_mode: Option<u32>,
    count_calls: bool,
    connections_max: Option<u32>,
    options: Vec<SocketOption>,
    limits: Limits,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server with defaults, and no address yet.
    pub fn new() -> Self {
        Self {
            addresses: Vec::new(),
            backend: Backend::Auto,
            workers: Workers::Auto,
            pin: false,
            backlog: BACKLOG,
            reuse_port: false,
            unix_mode: None,
            count_calls: false,
            connections_max: None,
            options: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Listens on one more address. Port 0 lets the kernel choose; [`Bound::addresses`] says what it chose.
    pub fn listen(mut self, address: Address) -> Self {
        self.addresses.push(address);
        self
    }

    /// Chooses the backend. Default [`Backend::Auto`].
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Chooses how many threads serve. Default [`Workers::Auto`].
    pub fn workers(mut self, workers: Workers) -> Self {
        self.workers = workers;
        self
    }

    /// Keeps each worker on one processor. Default off.
    pub fn pin(mut self, pin: bool) -> Self {
        self.pin = pin;
        self
    }

    /// How many connections may wait to be accepted. Default 4096; the kernel caps it at `net.core.somaxconn`.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog.max(1);
        self
    }

    /// Shares ports with other programs that do so too (SO_REUSEPORT, socket(7)). Default off: a port that is taken is
    /// an error.
    pub fn reuse_port(mut self, share: bool) -> Self {
        self.reuse_port = share;
        self
    }

    /// Permission bits of Unix sockets. Default: what the umask leaves.
    pub fn unix_mode(mut self, mode: u32) -> Self {
        self.unix_mode = Some(mode);
        self
    }

    /// Sets a socket option on every listener before bind(2); accepted sockets inherit most of them.
    pub fn socket_option(mut self, option: SocketOption) -> Self {
        self.options.push(option);
        self
    }

    /// Counts system calls and ring operations; see [`Report::counts`]. Default off, and then it costs nothing.
    pub fn count_calls(mut self, count: bool) -> Self {
        self.count_calls = count;
        self
    }

    /// The most connections of each worker. Default: what `ulimit -n` leaves after a reserve of 32. At the limit new
    /// clients wait in the listener's queue.
    pub fn connections_max(mut self, connections: u32) -> Self {
        self.connections_max = Some(connections.max(1));
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Chooses the backend and binds every address. From here on clients can connect; they wait until
    /// [`Bound::run`].
    ///
    /// # Errors
    /// An address is taken, forbidden or wrong, or the backend cannot be used.
    pub fn bind(self) -> Result<Bound, ServerError> {
        if self.addresses.is_empty() {
            return Err(ServerError::NoAddress);
        }
        let chosen = self.backend.choose().map_err(ServerError::Backend)?;
        let workers = match self.workers {
            Workers::Count(count) => count.max(1),
            Workers::Auto => sys::allowed_cpus().map_or(1, |cpus| cpus.len().max(1)),
        };
        let binding = Binding {
            backlog: self.backlog,
            workers,
            reuse_port: self.reuse_port,
            unix_mode: self.unix_mode,
            options: self.options.clone(),
        };
        let addresses = self
            .addresses
            .iter()
            .map(|address| binding.bind(address))
            .collect::<Result<_, _>>()?;
        Ok(Bound {
            server: self,
            chosen,
            workers,
            addresses,
            stop: Arc::default(),
        })
    }
}

/// Stops a server from any thread. Clones stop the same server.
#[derive(Clone)]
pub struct Stopper {
    stop: Arc<Stop>,
}

/// Who is to be told of a stop.
#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    workers: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl Stopper {
    /// Stops accepting, lets connections finish what they have begun for at most `stop_timeout` (10 s), then closes
    /// them. A second call closes at once.
    pub fn stop(&self) {
        self.stop.asked.store(true, Ordering::SeqCst);
        for tell in self
            .stop
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            tell();
        }
    }
}

impl Stop {
    /// Adds a worker. One that comes after the stop is told at once.
    fn register(&self, tell: Box<dyn Fn() + Send>) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.asked.load(Ordering::SeqCst) {
            tell();
        }
        workers.push(tell);
    }
}

/// What a server has done.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Connections that were accepted.
    pub connections: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// WebSocket messages that came.
    pub messages: u64,
    /// How often accepting had to rest for lack of descriptors or memory.
    pub accept_failures: u64,
    /// System calls and ring operations, if they were counted.
    pub counts: Option<Counts>,
}

/// A server whose addresses are bound.
pub struct Bound {
    server: Server,
    chosen: Chosen,
    workers: usize,
    addresses: Vec<BoundAddress>,
    stop: Arc<Stop>,
}

impl Bound {
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
        Stopper {
            stop: self.stop.clone(),
        }
    }

    /// Serves until it is stopped. `make_handler` is called once on each worker's thread, with its number.
    ///
    /// # Errors
    /// A worker could not be set up, or its driver failed. The others are stopped then.
    pub fn run<H: Handler>(
        self,
        make_handler: impl Fn(usize) -> H + Sync,
    ) -> Result<Report, ServerError> {
        let counting = self.server.count_calls;
        match (self.chosen.backend, counting) {
            #[cfg(feature = "epoll")]
            (Backend::Epoll, false) => self
                .run_on::<driver::readiness::Readiness<driver::epoll::Epoll, Silent>, H>(
                    &make_handler,
                ),
            #[cfg(feature = "epoll")]
            (Backend::Epoll, true) => self
                .run_on::<driver::readiness::Readiness<driver::epoll::Epoll, Count>, H>(
                    &make_handler,
                ),
            #[cfg(feature = "mio")]
            (Backend::Mio, false) => self
                .run_on::<driver::readiness::Readiness<driver::mio::Mio, Silent>, H>(&make_handler),
            #[cfg(feature = "mio")]
            (Backend::Mio, true) => self
                .run_on::<driver::readiness::Readiness<driver::mio::Mio, Count>, H>(&make_handler),
            #[cfg(feature = "io-uring")]
            (Backend::IoUring, false) => {
                self.run_on::<driver::uring::Uring<Silent>, H>(&make_handler)
            }
            #[cfg(feature = "io-uring")]
            (Backend::IoUring, true) => {
                self.run_on::<driver::uring::Uring<Count>, H>(&make_handler)
            }
            _ => unreachable!("choose() gives only backends that are built in"),
        }
    }

    fn run_on<D: Driver, H: Handler>(
        mut self,
        make_handler: &(impl Fn(usize) -> H + Sync),
    ) -> Result<Report, ServerError>
    where
        D::Probe: Watcher,
    {
        let config = self.driver_config();
        let ceiling = Ceiling::new(self.server.limits.memory_bytes_max);
        let limits = Arc::new(self.server.limits.clone());
        let cpus = if self.server.pin {
            sys::allowed_cpus().unwrap_or_default()
        } else {
            Vec::new()
        };
        let mut listeners: Vec<Vec<Listener>> = (0..self.workers).map(|_| Vec::new()).collect();
        for bound in &mut self.addresses {
            for (worker, listener) in listeners.iter_mut().zip(bound.listeners.drain(..)) {
                worker.push(listener);
            }
        }
        let stop = &self.stop;
        let results: Vec<io::Result<Report>> = thread::scope(|scope| {
            let workers: Vec<_> = listeners
                .into_iter()
                .enumerate()
                .map(|(number, listeners)| {
                    let (config, limits, ceiling) =
                        (config.clone(), limits.clone(), ceiling.clone());
                    let cpu = cpus.get(number % cpus.len().max(1)).copied();
                    let serve = move || {
                        let report =
                            work::<D, H>(&config, limits, ceiling, listeners, cpu, stop, || {
                                make_handler(number)
                            });
                        if report.is_err() {
                            Stopper { stop: stop.clone() }.stop();
                        }
                        report
                    };
                    thread::Builder::new()
                        .name(format!("worker-{number}"))
                        .spawn_scoped(scope, serve)
                })
                .collect();
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

    fn driver_config(&self) -> driver::Config {
        let descriptors = sys::nofile().map_or(1024, |(soft, _)| soft);
        let spare = descriptors
            .saturating_sub(DESCRIPTORS_RESERVED)
            .max(descriptors / 2)
            .max(1);
        let spare = u32::try_from(spare).unwrap_or(u32::MAX).min(1 << 20);
        let connections_max = self
            .server
            .connections_max
            .map_or(spare, |wanted| wanted.min(spare));
        driver::Config {
            connections_max,
            ..driver::Config::default()
        }
    }
}

/// A probe that a server can be watched by.
trait Watcher: Probe + Default {
    fn counts(&self) -> Option<Counts>;
}

impl Watcher for Silent {
    fn counts(&self) -> Option<Counts> {
        None
    }
}

impl Watcher for Count {
    fn counts(&self) -> Option<Counts> {
        Some(self.counts().clone())
    }
}

/// One worker's life.
fn work<D: Driver, H: Handler>(
    config: &driver::Config,
    limits: Arc<Limits>,
    ceiling: Arc<Ceiling>,
    listeners: Vec<Listener>,
    cpu: Option<usize>,
    stop: &Stop,
    make_handler: impl FnOnce() -> H,
) -> io::Result<Report>
where
    D::Probe: Watcher,
{
    if let Some(cpu) = cpu {
        sys::pin_thread(&mut Silent, cpu)?;
    }
    let driver = D::open(config, D::Probe::default())?;
    let mut reactor = Reactor::new(driver, limits, Budget::new(ceiling), |post| {
        Web::new(make_handler(), post)
    });
    for listener in listeners {
        reactor.listen(listener)?;
    }
    let post = reactor.post();
    stop.register(Box::new(move || {
        // A stop is never refused.
        let _ = post.send(Letter::Stop);
    }));
    reactor.run()?;
    let figures = reactor.figures();
    let report = Report {
        connections: figures.accepted,
        requests: reactor.service().requests,
        messages: reactor.service().messages,
        accept_failures: figures.accept_failures,
        counts: reactor.probe().counts(),
    };
    reactor.teardown()?;
    Ok(report)
}

impl Report {
    fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.messages += other.messages;
        self.accept_failures += other.accept_failures;
        match (&mut self.counts, other.counts) {
            (Some(total), Some(counts)) => total.merge(&counts),
            (total @ None, counts) => *total = counts,
            (Some(_), None) => {}
        }
    }
}
