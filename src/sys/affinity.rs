//! Which processors a thread may run on.
#![forbid(unsafe_code)]

use super::hook::{ask, told};
use super::{Call, Probe};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::io;

/// "The calling thread", for the calls here (`sched_setaffinity(2)`).
const THIS_THREAD: Pid = Pid::from_raw(0);

/// Binds the calling thread to one processor (`sched_setaffinity(2)`). Never blocks.
///
/// Processors are numbered as in [`allowed_cpus`]. Threads that it starts inherit the binding.
///
/// # Errors
///
/// EINVAL: there is no such processor, or the process may not use it.
pub fn pin_thread(probe: &mut impl Probe, cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    let call = Call::SchedSetaffinity { cpu };
    ask(probe, &call)?;
    let result = sched_setaffinity(THIS_THREAD, &set)
        .map(|()| 0)
        .map_err(io::Error::from);
    told(probe, &call, result)?;
    Ok(())
}

/// The processors that the calling thread may run on, ascending (`sched_getaffinity(2)`).
///
/// In a container or under `taskset(1)` they are fewer than the machine has, and need not start at 0.
///
/// # Errors
///
/// EINVAL: the machine has more than 1024 processors.
///
/// ```
/// use longshore::sys::{self, Silent};
///
/// let cpus = sys::allowed_cpus()?;
/// std::thread::spawn(move || {
///     sys::pin_thread(&mut Silent, cpus[0])?;
///     assert_eq!(sys::allowed_cpus()?, cpus[..1]);
///     Ok::<(), std::io::Error>(())
/// })
/// .join()
/// .expect("the thread does not panic")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(THIS_THREAD)?;
    Ok((0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu) == Ok(true))
        .collect())
}
