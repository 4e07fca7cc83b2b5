//! Directories and what stands in them, in a real file system.

use super::{TempDir, errno};
use crate::sys::{self, Beneath, Call, FileKind, Silent, Step};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

#[test]
fn steps_follow_no_link() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    fs::create_dir(dir.0.join("sub")).unwrap();
    fs::write(dir.0.join("page"), "hello").unwrap();
    fifo(&dir.0.join("fifo"));
    symlink("page", dir.0.join("to-page")).unwrap();
    symlink("sub", dir.0.join("to-sub")).unwrap();
    symlink("loop", dir.0.join("loop")).unwrap();
    let _socket = UnixListener::bind(dir.0.join("socket")).unwrap();

    let root = sys::open_directory(probe, &dir.0).unwrap();
    let long = "a".repeat(256);
    for (name, file, directory) in [
        ("page", 0, libc::ENOTDIR),
        ("sub", 0, 0),
        ("fifo", 0, libc::ENOTDIR),
        ("socket", libc::ENXIO, libc::ENOTDIR),
        ("to-page", libc::ELOOP, libc::ENOTDIR),
        ("to-sub", libc::ELOOP, libc::ENOTDIR),
        ("loop", libc::ELOOP, libc::ENOTDIR),
        ("none", libc::ENOENT, libc::ENOENT),
        (&long, libc::ENAMETOOLONG, libc::ENAMETOOLONG),
    ] {
        let mut open = |step| errno(sys::openat(probe, root.as_fd(), name.as_ref(), step));
        assert_eq!(open(Step::File), file, "{name} as a file");
        assert_eq!(open(Step::Directory), directory, "{name} as a directory");
    }
    let nul = sys::openat(probe, root.as_fd(), "a\0b".as_ref(), Step::File);
    assert_eq!(nul.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_root_is_a_directory_by_any_path() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    fs::write(dir.0.join("page"), "hello").unwrap();
    symlink(&dir.0, dir.0.join("here")).unwrap();
    let through_link = sys::open_directory(probe, &dir.0.join("here")).unwrap();
    sys::openat(probe, through_link.as_fd(), "page".as_ref(), Step::File).unwrap();
    let flags = nix::fcntl::fcntl(&through_link, nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    let page = sys::open_directory(probe, &dir.0.join("page"));
    assert_eq!(errno(page), libc::ENOTDIR);
    let none = sys::open_directory(probe, &dir.0.join("none"));
    assert_eq!(errno(none), libc::ENOENT);
}

#[test]
fn fstat_says_what_the_standard_library_says() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    let path = dir.0.join("page");
    fs::write(&path, "hello").unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let (stat, expected) = (
        sys::fstat(probe, file.as_fd()).unwrap(),
        file.metadata().unwrap(),
    );
    assert_eq!((stat.kind, stat.bytes), (FileKind::Regular, 5));
    assert_eq!(stat.modified_seconds, expected.mtime());
    assert_eq!(i64::from(stat.modified_nanos), expected.mtime_nsec());

    file.set_len(0).unwrap();
    assert_eq!(sys::fstat(probe, file.as_fd()).unwrap().bytes, 0);
    let sparse = File::create(dir.0.join("sparse")).unwrap();
    sparse.set_len(5 << 30).unwrap();
    assert_eq!(sys::fstat(probe, sparse.as_fd()).unwrap().bytes, 5 << 30);

    let root = sys::open_directory(probe, &dir.0).unwrap();
    let kind = sys::fstat(probe, root.as_fd()).unwrap().kind;
    assert_eq!(
        kind,
        FileKind::Directory,
        "also of a descriptor with O_PATH"
    );
    let null = File::open("/dev/null").unwrap();
    assert_eq!(
        sys::fstat(probe, null.as_fd()).unwrap().kind,
        FileKind::Other
    );
}

#[test]
fn entries_of_many_reads() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    let mut expected: BTreeMap<Vec<u8>, FileKind> = BTreeMap::new();
    for number in 0..100 {
        let name = format!("{number}-{}", "x".repeat(number));
        fs::write(dir.0.join(&name), "").unwrap();
        expected.insert(name.into_bytes(), FileKind::Regular);
    }
    fs::create_dir(dir.0.join("sub")).unwrap();
    symlink("sub", dir.0.join("link")).unwrap();
    fifo(&dir.0.join("fifo"));
    for (name, kind) in [
        ("sub", FileKind::Directory),
        ("link", FileKind::Link),
        ("fifo", FileKind::Other),
        (".", FileKind::Directory),
        ("..", FileKind::Directory),
    ] {
        expected.insert(name.into(), kind);
    }

    let root = sys::open_directory(probe, &dir.0).unwrap();
    assert_eq!(
        errno(sys::getdents64(probe, root.as_fd(), &mut [0; 512])),
        libc::EBADF,
        "a place cannot be read"
    );
    let readable = sys::openat2(probe, root.as_fd(), ".".as_ref(), &Beneath::default()).unwrap();
    assert_eq!(
        errno(sys::getdents64(probe, readable.as_fd(), &mut [0; 8])),
        libc::EINVAL
    );
    let (mut found, mut reads) = (BTreeMap::new(), 0);
    loop {
        let mut buf = [0; 512];
        let mut entries = sys::getdents64(probe, readable.as_fd(), &mut buf)
            .unwrap()
            .peekable();
        if entries.peek().is_none() {
            break;
        }
        reads += 1;
        for entry in entries {
            // Some file systems do not say the kind; this one may be one of them.
            let kind = entry.kind.unwrap_or(expected[entry.name]);
            assert_eq!(found.insert(entry.name.to_vec(), kind), None, "told once");
        }
    }
    assert_eq!(found, expected);
    assert!(reads > 10, "{reads}");
}

#[test]
fn as_strace_shows_them() {
    for (call, text) in [
        (
            Call::Openat {
                dir: libc::AT_FDCWD,
                path: Path::new("/srv"),
                flags: libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC,
            },
            "openat(AT_FDCWD, \"/srv\", O_RDONLY|O_CLOEXEC|O_PATH|O_DIRECTORY)",
        ),
        (
            Call::Openat {
                dir: 3,
                path: Path::new("a"),
                flags: libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY,
            },
            "openat(3, \"a\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW)",
        ),
        (
            Call::Fstat {
                fd: 4,
                mode: libc::S_IFREG | 0o644,
                size: 5,
            },
            "fstat(4, {st_mode=S_IFREG|0644, st_size=5})",
        ),
        (
            Call::Fstat {
                fd: 4,
                mode: 0,
                size: 0,
            },
            "fstat(4, {})",
        ),
        (
            Call::Getdents64 {
                fd: 5,
                bytes: &[0; 512],
            },
            "getdents64(5, [0 bytes], 512)",
        ),
    ] {
        assert_eq!(call.to_string(), text);
        assert_eq!(call.stream_bytes(), None);
        assert!(!call.moves_bytes());
    }
}
