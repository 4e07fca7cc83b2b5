//! Every way out of the directory that is known, by openat2 and by steps.

use super::{TempDir, ask, body, get, status};
use crate::server::files::Files;
use crate::sys::Silent;
use std::fs;
use std::os::unix::net::UnixListener;

/// A root with a secret beside it.
fn tree() -> TempDir {
    let dir = TempDir::new();
    dir.write("secret", "secret");
    dir.write("www-private/page", "secret");
    dir.write("www/page", "page");
    dir.write("www/sub/page", "sub page");
    dir.write("www/%2e%2e", "a name with percent signs");
    dir
}

fn both(dir: &TempDir) -> [Files; 2] {
    let www = dir.path("www");
    let mut refuse = super::Refuse::always("openat2", libc::ENOSYS);
    let by_steps = Files::open_watched(&mut refuse, &www).unwrap();
    [Files::open(&www).unwrap(), by_steps]
}

#[test]
fn paths_that_lead_outside() {
    let dir = tree();
    for files in both(&dir) {
        assert_eq!(body(&get(&files, "/page")), b"page");
        for (target, expected) in [
            ("/..", 400),
            ("/../", 400),
            ("/../secret", 400),
            ("/sub/../../secret", 400),
            ("/sub/..", 400),
            ("/sub/../page", 400),
            ("/./page", 400),
            ("/%2e%2e/secret", 400),
            ("/%2E%2e/secret", 400),
            ("/.%2e/secret", 400),
            ("/%2e./secret", 400),
            ("/%2e", 400),
            ("/sub/%2e%2e/%2e%2e/secret", 400),
            ("/..%2fsecret", 400),
            ("/sub%2fpage", 400),
            ("/%2fetc%2fpasswd", 400),
            ("/page%00", 400),
            ("/page%00.html", 400),
            ("/%00", 400),
            ("/page%0a", 400),
            ("//page", 404),
            ("//etc/passwd", 404),
            ("/sub//page", 404),
            ("/sub//", 404),
            ("/%252e%252e/secret", 404),
            ("/..%5csecret", 404),
            ("/..;/secret", 404),
            ("/.../secret", 404),
            ("/~root", 404),
            ("/page/", 404),
            ("/page/x", 404),
            ("/../www-private/page", 400),
            ("/-private/page", 404),
        ] {
            assert_eq!(status(&files, target), expected, "{target}");
        }
        assert_eq!(
            body(&get(&files, "/%252e%252e")),
            b"a name with percent signs",
            "decoded once"
        );
        // An absolute form has a path like any other.
        assert_eq!(status(&files, "http://a/page"), 200);
        assert_eq!(status(&files, "http://a/../secret"), 400);
    }
}

#[test]
fn links() {
    let dir = tree();
    let absolute_inside = dir.path("www/page");
    dir.link("www/in", "page");
    dir.link("www/in-sub", "sub");
    dir.link("www/sub/up-and-in", "../page");
    dir.link("www/out", "../secret");
    dir.link("www/out-directory", "..");
    dir.link("www/out-and-in", "../www/page");
    dir.link("www/absolute", "/etc/passwd");
    dir.link("www/absolute-root", "/");
    dir.link("www/absolute-inside", absolute_inside);
    dir.link("www/loop", "loop");
    dir.link("www/one", "two");
    dir.link("www/two", "one");
    dir.link("www/dangling", "none");
    dir.link("www/proc", "/proc/self/cwd");
    let [kernel, by_steps] = both(&dir);

    for target in ["/in", "/in-sub/page", "/sub/up-and-in"] {
        if !kernel.root.stepwise() {
            assert_eq!(status(&kernel, target), 200, "{target}");
        }
        assert_eq!(status(&by_steps, target), 404, "{target}: stricter");
    }
    for files in [kernel, by_steps] {
        for target in [
            "/out",
            "/out-directory",
            "/out-directory/",
            "/out-directory/secret",
            "/out-and-in",
            "/absolute",
            "/absolute-root/etc/passwd",
            "/absolute-inside",
            "/loop",
            "/loop/page",
            "/one",
            "/dangling",
            "/proc",
            "/proc/secret",
        ] {
            assert_eq!(status(&files, target), 404, "{target}");
        }
    }
}

#[test]
fn compressed_siblings_and_indexes_are_no_way_out() {
    let dir = tree();
    dir.link("www/page.gz", "../secret");
    dir.link("www/sub/index.html", "../../secret");
    for files in both(&dir) {
        let plan = ask(&files, "GET", "/page", "Accept-Encoding: gzip");
        assert_eq!(
            (plan.field("Content-Encoding"), &body(&plan)[..]),
            (None, &b"page"[..])
        );
        assert_eq!(status(&files, "/sub/"), 404);
    }
}

#[test]
fn what_is_no_regular_file_is_not_served_and_does_not_block() {
    let dir = tree();
    dir.fifo("www/fifo");
    dir.fifo("www/page.gz");
    dir.fifo("www/sub/index.html");
    let _socket = UnixListener::bind(dir.path("www/socket")).unwrap();
    for files in both(&dir) {
        for target in ["/fifo", "/fifo/", "/fifo/x", "/socket", "/sub/"] {
            assert_eq!(status(&files, target), 404, "{target}");
        }
        let plan = ask(&files, "GET", "/page", "Accept-Encoding: gzip");
        assert_eq!(plan.status.code(), 200, "the FIFO beside it is passed over");
    }
}

#[test]
fn devices_and_magic_links() {
    let mut refuse = super::Refuse::always("openat2", libc::EPERM);
    for root in ["/dev", "/proc/self"] {
        let by_steps = Files::open_watched(&mut refuse, root).unwrap();
        for files in [Files::open(root).unwrap(), by_steps] {
            for target in [
                "/null",
                "/zero",
                "/tty",
                "/exe",
                "/cwd",
                "/cwd/Cargo.toml",
                "/root/etc/passwd",
                "/fd/0",
            ] {
                assert_eq!(status(&files, target), 404, "{root} {target}");
            }
        }
    }
}

#[test]
fn names_of_every_length() {
    let dir = TempDir::new();
    let longest = "n".repeat(255);
    dir.write(&longest, "long");
    for files in dir.both() {
        assert_eq!(status(&files, &format!("/{longest}")), 200);
        // Its siblings' names are too long, which is not its fault.
        let plan = ask(
            &files,
            "GET",
            &format!("/{longest}"),
            "Accept-Encoding: gzip, br",
        );
        assert_eq!(plan.status.code(), 200);
        assert_eq!(status(&files, &format!("/{longest}n")), 404);
        for len in [4093, 4094, 4095, 4096, 8000] {
            let deep: String = "/a".repeat(len / 2 + 1)[..len].to_owned();
            assert_eq!(status(&files, &deep), 404, "{len}");
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let dir = TempDir::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    fs::write(dir.0.join(name), "bytes").unwrap();
    for files in dir.both() {
        assert_eq!(body(&get(&files, "/%ff%FE")), b"bytes");
    }
}

#[test]
fn the_root_stays_the_directory_that_was_opened() {
    let dir = tree();
    for files in both(&dir) {
        fs::rename(dir.path("www"), dir.path("moved")).unwrap();
        assert_eq!(status(&files, "/page"), 200);
        fs::rename(dir.path("moved"), dir.path("www")).unwrap();
    }
    let error = Files::open(dir.path("none")).unwrap_err();
    assert!(
        error.to_string().contains("create the directory"),
        "{error}"
    );
    let error = Files::open(dir.path("secret")).unwrap_err();
    assert!(error.to_string().contains("name a directory"), "{error}");
}

#[test]
fn the_way_of_opening_is_found_out_once() {
    let dir = tree();
    for (errno, stepwise) in [
        (libc::ENOSYS, true),
        (libc::EPERM, true),
        (libc::EACCES, false),
    ] {
        let mut refuse = super::Refuse::times(1, "openat2", errno);
        let files = Files::open_watched(&mut refuse, dir.path("www")).unwrap();
        assert_eq!(files.root.stepwise(), stepwise);
        let mut counted = super::Refuse::times(0, "openat2", 0);
        super::with_head("GET", "/sub/page", "", |head| {
            files.plan_watched(&mut counted, head, b"/sub/page", super::NOW)
        });
        assert_eq!(counted.asked, u32::from(!stepwise));
    }
    // Where openat2 is to be had, it is used: otherwise these tests test one way twice.
    let root = crate::sys::open_directory(&mut Silent, &dir.0).unwrap();
    let beneath = crate::sys::Beneath::default();
    let has = crate::sys::openat2(
        &mut Silent,
        std::os::fd::AsFd::as_fd(&root),
        ".".as_ref(),
        &beneath,
    );
    assert_eq!(has.is_ok(), !dir.files().root.stepwise());
}

#[test]
fn hidden_names() {
    let dir = tree();
    dir.write("www/.env", "secret");
    dir.write("www/.git/config", "secret");
    dir.write("www/sub/.page", "secret");
    for files in both(&dir) {
        let shown = files.clone().hidden(true);
        for target in ["/.env", "/%2eenv", "/.git/config", "/.git/", "/sub/.page"] {
            assert_eq!(status(&files, target), 404, "{target}");
        }
        assert_eq!(status(&files, "/.git"), 404, "not even by a redirect");
        for target in ["/.env", "/%2eenv", "/.git/config", "/sub/.page"] {
            assert_eq!(status(&shown, target), 200, "{target}");
        }
    }
}
