//! What a probe is told of the two queues: each entry as it was pushed, each completion as it was taken.
//!
//! An entry is read back from its 64 bytes, so the trace shows what the kernel is asked and not what was meant. It is read
//! only for a probe that is there: with `Silent` nothing of this is left.
//!
//! It does not know who reads the trace.

use std::io::IoSlice;

use io_uring::squeue;

use super::op;
use super::ring::Completion;
use crate::buf::PARTS_MAX;
use crate::sys::{Address, Call, Probe, SUBMISSION_BYTES, Submission};

/// Tells of an entry that is about to be pushed.
///
/// # Safety
/// As [`Ring::push`](super::ring::Ring::push): what the entry points to may be read.
pub(super) unsafe fn submission<P: Probe>(probe: &mut P, entry: &squeue::Entry) {
    const { assert!(size_of::<squeue::Entry>() == SUBMISSION_BYTES) };
    // SAFETY: an entry is `repr(C)` over the kernel's 64-byte `struct io_uring_sqe` without padding, and any bytes may be
    // read as bytes; it lives through the call.
    let bytes = unsafe { &*std::ptr::from_ref(entry).cast::<[u8; SUBMISSION_BYTES]>() };
    let read = Submission::read(bytes);
    let mut parts = [IoSlice::new(&[]); PARTS_MAX];
    // SAFETY: passed on to the caller.
    let (count, to) = unsafe { pointed_to(&read, &mut parts) };
    let user_data = read.user_data();
    let mut told = read;
    told.slot = op::slot(user_data);
    told.parts = &parts[..count];
    told.to = to.as_ref();
    told.cancels = read
        .cancelled()
        .map(|name| (op::name(name), op::slot(name)));
    let call = Call::Ring {
        name: op::name(user_data),
        submission: &told,
    };
    probe.submitted(&call, user_data);
}

/// Tells of a completion that was taken.
pub(super) fn completion<P: Probe>(probe: &mut P, completion: Completion) {
    let Completion {
        user_data,
        result,
        flags,
    } = completion;
    probe.completed(op::name(user_data), user_data, result, flags);
}

/// Looks up what an entry points to: the parts that it sends, how many they are, and the address that it goes to.
///
/// # Safety
/// What the entry points to may be read.
unsafe fn pointed_to(
    read: &Submission<'_>,
    parts: &mut [IoSlice<'_>; PARTS_MAX],
) -> (usize, Option<Address>) {
    if let Some((bytes, len)) = read.data() {
        // SAFETY: a send's bytes stay and are not written to until it has completed, kept true by the caller.
        let bytes = unsafe { std::slice::from_raw_parts(bytes as *const u8, len as usize) };
        parts[0] = IoSlice::new(bytes);
        return (1, None);
    }
    if let Some(message) = read.message() {
        // SAFETY: as above, for the header, its parts and its name. A part is never null.
        return unsafe {
            let message = &*(message as *const libc::msghdr);
            let count = message.msg_iovlen.min(PARTS_MAX);
            for (place, part) in parts
                .iter_mut()
                .zip(std::slice::from_raw_parts(message.msg_iov, count))
            {
                let bytes = std::slice::from_raw_parts(part.iov_base.cast::<u8>(), part.iov_len);
                *place = IoSlice::new(bytes);
            }
            (count, address(message.msg_name.cast(), message.msg_namelen))
        };
    }
    if let Some((name, len)) = read.connects_to() {
        // SAFETY: as above, for the address that connect(2) reads.
        return unsafe { (0, address(name as *const u8, len)) };
    }
    (0, None)
}

/// Reads an address.
///
/// # Safety
/// `len` bytes at `name` may be read, unless it is null.
unsafe fn address(name: *const u8, len: libc::socklen_t) -> Option<Address> {
    if name.is_null() {
        return None;
    }
    // SAFETY: all zeros is a valid sockaddr_storage: no family, no bytes.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let count = (len as usize).min(size_of::<libc::sockaddr_storage>());
    // SAFETY: `count` bytes may be read, kept true by the caller, and fit; any bytes are valid in a sockaddr_storage.
    unsafe { std::ptr::copy_nonoverlapping(name, (&raw mut storage).cast::<u8>(), count) };
    Address::from_raw(&storage, len)
}
