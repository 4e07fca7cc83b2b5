//! The trace and strace see the same calls: for each thread the same names, descriptors and answers, in the same order.
//!
//! Left out are the calls that no socket server makes for its own sake: memory, futexes, clocks and signals of the
//! runtime (what the allocator reads about memory included). What the collector writes is on a thread of its own, which is not traced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::session::{Folder, Server, events, has_ring, has_strace};

/// The calls that are compared, as strace spells them.
const COMPARED: &str = "socket,socketpair,bind,listen,accept4,connect,getsockname,getpeername,setsockopt,getsockopt,\
    fcntl,recvfrom,sendto,recvmsg,sendmsg,read,write,readv,writev,pread64,sendfile,epoll_create1,epoll_ctl,\
    epoll_wait,epoll_pwait2,poll,eventfd2,openat,openat2,fstat,newfstatat,chmod,unlink,getdents64,shutdown,close,\
    io_uring_setup,io_uring_enter,io_uring_register";

/// A call as both can tell it: name, first argument if it is a number, answer, error.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) first: Option<i64>,
    pub(crate) result: i64,
    error: Option<String>,
}

/// The name that the kernel has for a function of the C library.
fn kernel_name(name: &str) -> &str {
    match name {
        "recv" => "recvfrom",
        "send" => "sendto",
        "newfstatat" => "fstat",
        name => name,
    }
}

fn first_number(arguments: &str) -> Option<i64> {
    arguments.split([',', ')']).next()?.trim().parse().ok()
}

/// A line of strace: `recvfrom(8, "…", 65536, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)`.
pub(crate) fn of_strace(line: &str) -> Option<Seen> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, answer) = rest.rsplit_once(") = ").or_else(|| {
        // strace aligns short lines.
        let at = rest.rfind(" = ")?;
        Some((rest[..at].trim_end().trim_end_matches(')'), &rest[at + 3..]))
    })?;
    let mut words = answer.split(' ');
    let result = words.next()?;
    let result = match result.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16).ok()?,
        None => result.parse().ok()?,
    };
    let error = words.next().filter(|_| result == -1).map(str::to_owned);
    Some(Seen {
        name: kernel_name(name).to_owned(),
        first: first_number(arguments),
        result,
        error,
    })
}

/// All of a thread, but for what the C library reads for itself: malloc(3) looks at `/proc/sys/vm/overcommit_memory` before
/// it gives back memory of a thread's own heap, which depends on how the threads met in it.
fn of_thread(text: &str) -> Vec<Seen> {
    let (mut seen, mut its_own) = (Vec::new(), None);
    for line in text.lines() {
        let Some(call) = of_strace(line) else {
            continue;
        };
        if call.name == "openat" && (line.contains("\"/proc/") || line.contains("\"/sys/")) {
            its_own = Some(call.result).filter(|fd| *fd >= 0);
        } else if its_own.is_none() || call.first != its_own {
            seen.push(call);
        } else if call.name == "close" {
            its_own = None;
        }
    }
    seen
}

pub(crate) fn of_trace(event: &Value) -> Option<(i64, Seen)> {
    if event["event"] != "call" {
        return None;
    }
    let seen = Seen {
        name: kernel_name(event["name"].as_str()?).to_owned(),
        first: first_number(event["arguments"].as_str()?),
        result: event["result"].as_i64()?,
        error: event["error"].as_str().map(str::to_owned),
    };
    Some((event["thread"].as_i64()?, seen))
}

/// What both saw of one scripted session.
struct Both {
    events: Vec<Value>,
    /// By thread.
    traced: BTreeMap<i64, Vec<Seen>>,
    strace: BTreeMap<i64, Vec<Seen>>,
    names: BTreeMap<i64, String>,
}

fn observe(backend: &str) -> Both {
    let folder = Folder::new(&format!("agreement-{backend}"));
    let (json, calls) = (folder.path("trace.jsonl"), folder.path("strace"));
    let filter = format!("trace={COMPARED}");
    let strace = ["strace", "-ff", "-s", "0", "-e", &filter, "-o", &calls];
    let trace = ["trace", "--json", "--output", &json];
    // A path and a log of its own: names in the file system, and a second thread that makes calls.
    let (path, log) = (
        format!("unix:{}", folder.path("socket")),
        folder.path("log"),
    );
    let unix = ["--listen", &path, "--unix-mode", "600"];
    let options = [&["--backend", backend, "--access-log", &log], &unix[..]].concat();
    let server = Server::start(&strace, &trace, &options, Stdio::inherit(), &folder);
    server.session();
    server.stop();
    let events = events(&json);
    let mut both = Both {
        traced: BTreeMap::new(),
        strace: BTreeMap::new(),
        names: BTreeMap::new(),
        events,
    };
    for event in &both.events {
        let (Some(thread), Some(name)) = (event["thread"].as_i64(), event["thread_name"].as_str())
        else {
            continue;
        };
        both.names.insert(thread, name.to_owned());
    }
    for (thread, seen) in both.events.iter().filter_map(of_trace) {
        if both.names.contains_key(&thread) {
            both.traced.entry(thread).or_default().push(seen);
        }
    }
    for thread in both.names.keys() {
        let text = fs::read_to_string(format!("{calls}.{thread}")).unwrap();
        both.strace.insert(*thread, of_thread(&text));
    }
    both
}

#[test]
fn on_epoll_every_call_agrees_with_strace() {
    if !has_strace() {
        return;
    }
    let both = observe("epoll");
    let compared: BTreeSet<&str> = COMPARED.split(',').map(str::trim).collect();
    // Without the main one: strace begins with it before there is a trace.
    for (thread, name) in both.names.iter().filter(|(_, name)| *name != "main") {
        let traced: Vec<_> = both.traced[thread]
            .iter()
            .filter(|seen| compared.contains(seen.name.as_str()))
            .collect();
        let strace: Vec<_> = both.strace[thread].iter().collect();
        for (at, (ours, theirs)) in traced.iter().zip(&strace).enumerate() {
            assert_eq!(ours, theirs, "call {at} of {name}: ours, then strace's");
        }
        assert_eq!(
            traced.len(),
            strace.len(),
            "{name}: {:?}",
            (
                traced.iter().zip(&strace).count(),
                traced.last(),
                strace.last()
            )
        );
    }
    until_the_last_close(&both);
    let log = both.names.iter().find(|(_, name)| *name == "access-log");
    let seen = &both.traced[log.unwrap().0];
    // How many lines go with one write hangs on the time.
    let made = |name| seen.iter().filter(|seen| seen.name == name).count();
    assert!(made("write") > 0 && made("close") == 1, "{seen:?}");
    let worker = both.names.iter().find(|(_, name)| *name == "worker-0");
    let seen = &both.traced[worker.unwrap().0];
    // The session did what it says, or the comparison would compare little.
    for name in [
        "accept4",
        "recvfrom",
        "sendto",
        "sendfile",
        "openat2",
        "fstat",
        "pread64",
        "epoll_ctl",
        "epoll_wait",
        "shutdown",
        "close",
    ] {
        assert!(
            seen.iter().any(|seen| seen.name == name),
            "no {name} was made"
        );
    }
    assert!(
        seen.iter()
            .any(|seen| seen.error.as_deref() == Some("EAGAIN"))
    );
    assert!(
        seen.iter()
            .any(|seen| seen.error.as_deref() == Some("ECONNRESET"))
    );
}

/// The main thread's calls, from when there is a trace until the last one, which closes the root of the files. How it
/// says where it listens, a poll and a write, is no part of serving and not traced.
fn until_the_last_close(both: &Both) {
    let main = both.names.iter().find(|(_, name)| *name == "main");
    let main = main.unwrap().0;
    let (traced, strace) = (&both.traced[main], &both.strace[main]);
    // Both are prlimit64(2) for strace, and the limit is only raised where it is not as high as it may be.
    let left_out = ["poll", "write", "getrlimit", "setrlimit"];
    let is_compared = |seen: &&Seen| !left_out.contains(&&*seen.name);
    let traced: Vec<_> = traced.iter().filter(is_compared).collect();
    let strace: Vec<_> = strace.iter().filter(is_compared).collect();
    let since = strace.len() - traced.len();
    assert_eq!(traced, strace[since..], "ours, then strace's");
    let mut opened = traced.iter().filter(|seen| seen.name == "openat");
    let (_log, root) = (opened.next(), opened.next().unwrap());
    let last = traced.last().unwrap();
    for name in ["newfstatat", "chmod", "unlink"] {
        let name = kernel_name(name);
        assert!(traced.iter().any(|seen| seen.name == name), "no {name}");
    }
    assert_eq!((&*last.name, last.first), ("close", Some(root.result)));
}

#[test]
fn on_io_uring_enters_submissions_and_completions_add_up() {
    if !has_strace() || !has_ring() {
        return;
    }
    let both = observe("io-uring");
    let of_rings = |seen: &[Seen]| -> Vec<Seen> {
        let of_rings = seen
            .iter()
            .filter(|seen| seen.name.starts_with("io_uring_"));
        of_rings.cloned().collect()
    };
    let mut taken = 0;
    // A ring of the main thread is the trial at the start.
    for (thread, name) in &both.names {
        let (traced, strace) = (
            of_rings(&both.traced[thread]),
            of_rings(&both.strace[thread]),
        );
        assert_eq!(traced, strace, "each call of {name}, ours and strace's");
        let least = match name.as_str() {
            "worker-0" => 20,
            "main" => 4,
            // The log has no ring.
            _ => 0,
        };
        assert!(traced.len() >= least, "{name}: {traced:?}");
        let enters = strace.iter().filter(|seen| seen.name == "io_uring_enter");
        taken += enters.map(|seen| seen.result.max(0)).sum::<i64>();
    }
    let submitted: Vec<_> = both
        .events
        .iter()
        .filter(|event| event["event"] == "submitted")
        .collect();
    assert_eq!(
        submitted.len() as i64,
        taken,
        "every entry that the kernel took was told"
    );
    completions_fit(&both.events, &submitted);
    // Its other calls agree too.
    let worker = both.names.iter().find(|(_, name)| *name == "worker-0");
    let worker = worker.unwrap().0;
    let others = |seen: &[Seen]| -> Vec<Seen> {
        let ours = ["openat2", "fstat", "accept4", "fcntl", "close"];
        let others = seen
            .iter()
            .filter(|seen| ours.contains(&seen.name.as_str()));
        others.cloned().collect()
    };
    assert_eq!(others(&both.traced[worker]), others(&both.strace[worker]));
}

/// A submission completes once; a multishot one any number of times and then for the last time; one that answers only a
/// failure at most once, since what it was to cancel may have come to its end by itself.
fn completions_fit(events: &[Value], submitted: &[&Value]) {
    let mut last: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    let mut failed = BTreeMap::new();
    for event in events.iter().filter(|event| event["event"] == "completed") {
        let operation = event["operation"].as_i64();
        let operation = operation.unwrap_or_else(|| panic!("of no submission: {event}"));
        failed.extend(event["error"].as_str().map(|error| (operation, error)));
        let (more, ended) = last.entry(operation).or_default();
        if event["more"] == true {
            *more += 1;
        } else {
            *ended += 1;
        }
    }
    let mut multishot = 0;
    for event in submitted {
        let operation = event["operation"].as_i64().unwrap();
        let (more, ended) = last.remove(&operation).unwrap_or_default();
        if event["skips_success"] == true {
            let expected = failed.get(&operation).map_or(0, |error| {
                assert_eq!(
                    (&event["name"], *error),
                    (&"cancel".into(), "ENOENT"),
                    "{event}"
                );
                1
            });
            assert_eq!(ended, expected, "{event}");
        } else {
            assert_eq!(ended, 1, "{event}");
        }
        if event["multishot"] == true {
            multishot += more;
        } else {
            assert_eq!(more, 0, "{event}");
        }
    }
    assert!(last.is_empty(), "completions of nothing: {last:?}");
    assert!(
        multishot > 3,
        "multishot accepts and receives completed {multishot} times"
    );
}
