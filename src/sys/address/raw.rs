//! Addresses as the kernel writes them: `struct sockaddr` and its length.
#![allow(
    unsafe_code,
    reason = "the family decides how the bytes of a sockaddr_storage are read"
)]

use super::{Address, SUN_PATH_BYTES_MAX, UnixName};
use socket2::SockAddr;
use std::ffi::OsStr;
use std::io;
use std::mem::{offset_of, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

const SUN_PATH: usize = offset_of!(libc::sockaddr_un, sun_path);

impl Address {
    /// The address as system calls take it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if a Unix name is longer than [`SUN_PATH_BYTES_MAX`], or a path is empty or holds a NUL: the
    /// kernel would silently take another name.
    pub fn to_sockaddr(&self) -> io::Result<SockAddr> {
        match self {
            Address::Inet(address) => Ok((*address).into()),
            Address::Unix(UnixName::Unnamed) => SockAddr::unix(""),
            Address::Unix(UnixName::Path(path)) => {
                let bytes = path.as_os_str().as_bytes();
                if bytes.is_empty() || bytes.contains(&0) {
                    return Err(invalid("a socket's path is not empty and holds no NUL"));
                }
                bounded(bytes.len())?;
                SockAddr::unix(path)
            }
            Address::Unix(UnixName::Abstract(name)) => {
                bounded(name.len())?;
                let mut bytes = Vec::with_capacity(1 + name.len());
                bytes.push(0);
                bytes.extend_from_slice(name);
                SockAddr::unix(OsStr::from_bytes(&bytes))
            }
        }
    }

    /// The address that a `SockAddr` holds; `None` for a family other than IPv4, IPv6 and Unix.
    pub fn from_sockaddr(address: &SockAddr) -> Option<Address> {
        // SAFETY: a `SockAddrStorage` is a transparent `sockaddr_storage`, kept true by socket2.
        let storage = unsafe { &*address.as_ptr().cast::<libc::sockaddr_storage>() };
        Address::from_raw(storage, address.len())
    }

    /// The address that a system call wrote: `len` bytes of `storage`.
    ///
    /// A `len` longer than the storage, as the kernel reports when it cut a name, is taken as its size. `None` for a
    /// family other than IPv4, IPv6 and Unix, and for a `len` too short for the family.
    pub fn from_raw(storage: &libc::sockaddr_storage, len: libc::socklen_t) -> Option<Address> {
        let len = (len as usize).min(size_of::<libc::sockaddr_storage>());
        if len < size_of::<libc::sa_family_t>() {
            return None;
        }
        match i32::from(storage.ss_family) {
            libc::AF_INET if len >= size_of::<libc::sockaddr_in>() => Some(inet(storage).into()),
            libc::AF_INET6 if len >= size_of::<libc::sockaddr_in6>() => Some(inet6(storage).into()),
            libc::AF_UNIX => Some(Address::Unix(unix(storage, len))),
            _ => None,
        }
    }
}

fn inet(storage: &libc::sockaddr_storage) -> SocketAddr {
    debug_assert_eq!(i32::from(storage.ss_family), libc::AF_INET);
    // SAFETY: a sockaddr_storage is larger and stricter aligned than a sockaddr_in, and any bytes make one, kept true
    // by libc's definitions.
    let raw = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
    let ip = Ipv4Addr::from_bits(u32::from_be(raw.sin_addr.s_addr));
    SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into()
}

fn inet6(storage: &libc::sockaddr_storage) -> SocketAddr {
    debug_assert_eq!(i32::from(storage.ss_family), libc::AF_INET6);
    // SAFETY: a sockaddr_storage is larger and stricter aligned than a sockaddr_in6, and any bytes make one, kept true
    // by libc's definitions.
    let raw = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
    let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
    let port = u16::from_be(raw.sin6_port);
    SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into()
}

fn unix(storage: &libc::sockaddr_storage, len: usize) -> UnixName {
    debug_assert!(len <= size_of::<libc::sockaddr_storage>());
    // SAFETY: the whole storage is initialised, because it came as a reference, and `len` is within it (clamped by
    // `from_raw`).
    let bytes = unsafe {
        std::slice::from_raw_parts(std::ptr::from_ref(storage).cast::<u8>(), len.max(SUN_PATH))
    };
    match &bytes[SUN_PATH..] {
        [] => UnixName::Unnamed,
        [0, name @ ..] => UnixName::Abstract(name.to_vec()),
        path => {
            // The kernel counts the ending NUL, programs that bind do not always.
            let end = path.iter().position(|&b| b == 0).unwrap_or(path.len());
            UnixName::Path(PathBuf::from(OsStr::from_bytes(&path[..end])))
        }
    }
}

fn bounded(len: usize) -> io::Result<()> {
    if len > SUN_PATH_BYTES_MAX {
        return Err(invalid("a Unix socket's name has at most 107 bytes"));
    }
    Ok(())
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
