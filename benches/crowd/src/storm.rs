//! A storm: connects and closes at once, again and again, and says nothing. What a server has to do for that is to
//! accept, to notice the reset, and to close.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Shared;
use crate::prober;
use crate::socket;
use crate::watch::Watch;

/// Two, so that one connects while the other closes; more would only take the processors from the server.
const THREADS: u32 = 2;

/// Storms for so long. Probes live connections meanwhile, if that is wanted.
pub(crate) fn storm(
    to: SocketAddrV4,
    time: Duration,
    shared: &Arc<Shared>,
    watch: &Watch,
    probe: bool,
) -> io::Result<()> {
    let prober = probe.then(|| {
        let shared = shared.clone();
        thread::spawn(move || prober::probe(&shared))
    });
    let count = AtomicUsize::new(0);
    let cpu = watch.cpu_seconds();
    let began = Instant::now();
    let stormed = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let source = Ipv4Addr::from(0x7f02_0001 + number);
                let count = &count;
                scope.spawn(move || blow(source, to, began + time, count))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("panic")))
        })
    });
    let count = count.load(Ordering::Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    watch.cost("stormed", count, seconds, watch.cpu_seconds() - cpu);
    shared.closing.store(true, Ordering::Relaxed);
    if let Some(prober) = prober {
        let _ = prober.join();
    }
    stormed
}

fn blow(source: Ipv4Addr, to: SocketAddrV4, until: Instant, count: &AtomicUsize) -> io::Result<()> {
    while Instant::now() < until {
        let fd = socket::connect_blocking(source, to)?;
        socket::close(fd);
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
