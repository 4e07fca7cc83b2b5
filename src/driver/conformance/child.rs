//! A limit holds for a whole process. A test that lowers one runs itself once more, in a process of its own.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

const CHILD: &str = "LONGSHORE_TEST_CHILD";

/// Runs the test `name` in a process of its own; answers whether this is that process.
pub(super) fn alone(name: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let (_, name) = name.split_once("::").expect("a path within the crate");
    // One that never ends must fail one test, and not hold all of them.
    let mut child = Command::new("timeout");
    child
        .args(["--kill-after=5", "300"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--test-threads=1"])
        .env(CHILD, "1");
    let output = child.output().expect("the child runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Leaves room for about `more` further descriptors.
pub(super) fn limit_descriptors(more: u64) {
    // open(2) takes the lowest free number, and the limit is one on numbers.
    let lowest = File::open("/dev/null").expect("a file").as_raw_fd();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let soft = lowest as u64 + more;
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("lowered");
}
