//! Descriptors that live until their last owner lets go, and whose close is a visible call even so.
//!
//! They are as large as what they hold and cost nothing in use. It does not know who watches; see [`ThreadProbe`].
#![allow(
    unsafe_code,
    reason = "a value is moved out of a place that is being dropped"
)]

use super::{ThreadProbe, close};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A descriptor whose close, when it is dropped, is told to the thread's probe.
#[derive(Debug)]
pub(crate) struct ToldFd(ManuallyDrop<OwnedFd>);

impl From<OwnedFd> for ToldFd {
    fn from(fd: OwnedFd) -> Self {
        Self(ManuallyDrop::new(fd))
    }
}

impl From<ToldFd> for OwnedFd {
    /// Whoever has it now closes it by a call of their own.
    #[inline]
    fn from(told: ToldFd) -> Self {
        let mut told = ManuallyDrop::new(told);
        // SAFETY: nobody uses the field again: `told` was moved in here and is not dropped.
        unsafe { ManuallyDrop::take(&mut told.0) }
    }
}

impl AsFd for ToldFd {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for ToldFd {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Drop for ToldFd {
    fn drop(&mut self) {
        // SAFETY: nobody uses the field again, kept true by `drop`, which runs once and last.
        let fd = unsafe { ManuallyDrop::take(&mut self.0) };
        // A socket and a file that is read have nothing left to be written. A log has: what its last close could tell, as
        // EDQUOT of a file system on another machine, comes when nobody is left to be told.
        let _ = close(&mut ThreadProbe, fd);
    }
}

/// A file with several owners. The last one closes it by a call that is told to the thread's probe.
#[derive(Clone, Debug)]
pub(crate) struct ToldFile(ManuallyDrop<Arc<File>>);

impl From<Arc<File>> for ToldFile {
    fn from(file: Arc<File>) -> Self {
        Self(ManuallyDrop::new(file))
    }
}

#[cfg(test)]
impl ToldFile {
    pub(crate) fn owners(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Deref for ToldFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for ToldFile {
    fn drop(&mut self) {
        // SAFETY: nobody uses the field again, kept true by `drop`, which runs once and last.
        let file = unsafe { ManuallyDrop::take(&mut self.0) };
        if let Some(file) = Arc::into_inner(file) {
            // Nothing was written to it, so there is no late error to be told.
            let _ = close(&mut ThreadProbe, file.into());
        }
    }
}
