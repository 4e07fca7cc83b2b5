//! What the kernel's refusals become, and that nothing of this machine is told.

use super::{NOW, Refuse, TempDir, body, with_head};
use crate::server::files::{Files, Plan};

fn plan(files: &Files, refuse: &mut Refuse, target: &str) -> Plan {
    with_head("GET", target, "", |head| {
        files.plan_watched(refuse, head, head.target.path(), NOW)
    })
}

#[test]
fn every_errno_has_a_status() {
    let dir = TempDir::new();
    dir.write("page", "page");
    let rows = [
        (libc::ENOENT, 404),
        (libc::ENOTDIR, 404),
        (libc::ELOOP, 404),
        (libc::EXDEV, 404),
        (libc::ENAMETOOLONG, 404),
        (libc::ENXIO, 404),
        (libc::ENODEV, 404),
        (libc::EACCES, 403),
        (libc::EPERM, 403),
        (libc::EMFILE, 503),
        (libc::ENFILE, 503),
        (libc::ENOMEM, 503),
        (libc::EAGAIN, 503),
        (libc::EIO, 500),
        (libc::ESTALE, 500),
    ];
    for files in dir.both() {
        let open = if files.root.stepwise() {
            "openat"
        } else {
            "openat2"
        };
        for (errno, expected) in rows {
            for (call, target) in [(open, "/page"), ("fstat", "/page"), (open, "/sub/")] {
                let plan = plan(&files, &mut Refuse::always(call, errno), target);
                assert_eq!(plan.status.code(), expected, "{call} {errno} {target}");
                let text = String::from_utf8(body(&plan)).unwrap();
                let machine = dir.0.to_str().unwrap();
                assert!(
                    !text.contains(machine) && !text.contains("os error"),
                    "{text}"
                );
                assert!(text.ends_with(".\n"));
                for (name, value) in &plan.fields {
                    assert!(
                        matches!(*name, "Content-Type" | "X-Content-Type-Options"),
                        "{name}: {value:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn races_with_renames_are_tried_again_and_not_for_ever() {
    let dir = TempDir::new();
    dir.write("page", "page");
    let files = dir.files();
    if files.root.stepwise() {
        return;
    }
    for (times, expected, asked) in [(0, 200, 1), (3, 200, 4), (4, 503, 4), (1000, 503, 4)] {
        let mut refuse = Refuse::times(times, "openat2", libc::EAGAIN);
        assert_eq!(plan(&files, &mut refuse, "/page").status.code(), expected);
        assert_eq!(refuse.asked, asked);
    }
}

#[test]
fn an_interrupted_call_is_repeated() {
    let dir = TempDir::new();
    dir.write("page", "page");
    for files in dir.both() {
        for call in ["openat2", "openat", "fstat"] {
            let mut refuse = Refuse::times(3, call, libc::EINTR);
            assert_eq!(plan(&files, &mut refuse, "/page").status.code(), 200);
        }
    }
}

#[test]
fn a_directory_that_cannot_be_read_has_no_listing() {
    let dir = TempDir::new();
    for files in dir.both() {
        let files = files.listing(true);
        for (errno, expected) in [(libc::EACCES, 403), (libc::EIO, 500), (libc::ENOENT, 404)] {
            let mut refuse = Refuse::always("getdents64", errno);
            assert_eq!(plan(&files, &mut refuse, "/").status.code(), expected);
        }
    }
}
