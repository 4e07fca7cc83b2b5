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
                mode: 0,
            },
            "openat(AT_FDCWD, \"/srv\", O_RDONLY|O_CLOEXEC|O_PATH|O_DIRECTORY)",
        ),
        (
            Call::Openat {
                dir: 3,
                path: Path::new("a"),
                flags: libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY,
                mode: 0,
            },
            "openat(3, \"a\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW)",
        ),
        (
            Call::Openat {
                dir: libc::AT_FDCWD,
                path: Path::new("log"),
                flags: libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC,
                mode: 0o640,
            },
            "openat(AT_FDCWD, \"log\", O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0640)",
        ),
        (
            Call::Newfstatat {
                dir: libc::AT_FDCWD,
                path: Path::new("a.sock"),
                mode: libc::S_IFSOCK | libc::S_ISVTX | 0o55,
                size: 0,
                flags: libc::AT_SYMLINK_NOFOLLOW,
            },
            "newfstatat(AT_FDCWD, \"a.sock\", {st_mode=S_IFSOCK|S_ISVTX|0055, st_size=0, ...}, AT_SYMLINK_NOFOLLOW)",
        ),
        (
            Call::Chmod {
                path: Path::new("a.sock"),
                mode: 0o600,
            },
            "chmod(\"a.sock\", 0600)",
        ),
        (
            Call::Unlink {
                path: Path::new("a.sock"),
            },
            "unlink(\"a.sock\")",
        ),
        (
            Call::Fcntl {
                fd: 4,
                command: libc::F_DUPFD_CLOEXEC,
                flags: 3,
            },
            "fcntl(4, F_DUPFD_CLOEXEC, 3)",
        ),
        (
            Call::Fstat {
                fd: 4,
                mode: libc::S_IFREG | 0o644,
                size: 5,
            },
            "fstat(4, {st_mode=S_IFREG|0644, st_size=5, ...})",
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

#[test]
fn names_are_looked_at_changed_and_removed() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    let path = dir.0.join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    symlink("socket", dir.0.join("link")).unwrap();
    let stat = sys::lstat(probe, &path).unwrap();
    let expected = fs::symlink_metadata(&path).unwrap();
    assert_eq!(stat.kind, FileKind::Socket);
    assert_eq!((stat.device, stat.inode), (expected.dev(), expected.ino()));
    let link = sys::lstat(probe, &dir.0.join("link")).unwrap();
    assert_eq!(link.kind, FileKind::Link, "not what it points to");

    sys::chmod(probe, &path, 0o601).unwrap();
    let mode = fs::symlink_metadata(&path).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o601);

    sys::unlink(probe, &path).unwrap();
    for refused in [
        sys::lstat(probe, &path).map(drop),
        sys::chmod(probe, &path, 0o600),
        sys::unlink(probe, &path),
    ] {
        assert_eq!(errno(refused), libc::ENOENT);
    }
    assert_eq!(errno(sys::unlink(probe, &dir.0)), libc::EISDIR);
    let nul = sys::unlink(probe, "a\0b".as_ref());
    assert_eq!(nul.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_file_is_appended_to_by_all_who_have_it() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    let path = dir.0.join("log");
    let first = sys::open_append(probe, &path, 0o640).unwrap();
    let mode = fs::metadata(&path).unwrap().mode();
    assert_eq!(mode & 0o7777 & !0o640, 0, "no more than was asked for");
    let again = sys::open_append(probe, &path, 0o640).unwrap();
    let copy = sys::duplicate(probe, first.as_fd()).unwrap();
    for (fd, text) in [(&first, "one "), (&again, "two "), (&copy, "three")] {
        sys::write(probe, fd.as_fd(), text.as_bytes()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "one two three");
    let flags = nix::fcntl::fcntl(&copy, nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    fifo(&dir.0.join("fifo"));
    let unread = sys::open_append(probe, &dir.0.join("fifo"), 0o640);
    assert_eq!(errno(unread), libc::ENXIO, "nobody reads it");
}
