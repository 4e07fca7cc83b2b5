//! The form of a file that is sent: as it is, or a sibling that was compressed beforehand (RFC 9110 §12.5.3).
//!
//! ```text
//!   page.html        always there, decides type and existence
//!   page.html.br     sent instead, if it is a regular file, not older, and the peer takes the coding
//!   page.html.gz
//! ```
//!
//! Each form is a representation of its own (RFC 9110 §8.8.3.3): it has its own tag, its own length, and ranges count its
//! bytes. It does not know what the peer has already.

use super::content_type::{self, ContentType};
use super::root::{Opened, Root};
use crate::http::{AcceptEncoding, ContentCoding, EntityTag, Fields, Validators};
use crate::sys::{FileKind, FileStat, Probe, ToldFd};
use std::fs::File;
use std::os::fd::OwnedFd;

/// What is looked for beside a file, the smallest form first.
const SIBLINGS: [ContentCoding; 2] = [ContentCoding::Brotli, ContentCoding::Gzip];

/// One form of a file.
pub(super) struct Representation {
    pub(super) file: ToldFd,
    pub(super) bytes: u64,
    pub(super) content_type: &'static str,
    pub(super) coding: Option<ContentCoding>,
    /// Another request might get another form: caches must know (`Vary`).
    pub(super) negotiated: bool,
    /// What stands between the quotes of its entity tag.
    pub(super) tag: String,
    /// In seconds since 1970; `None` for a file from before.
    pub(super) last_modified: Option<u64>,
}

impl Representation {
    /// Chooses the form for a request: `plain` is the file named `name` itself, and `siblings` says whether any others
    /// may be looked for. `now` is in seconds since 1970.
    pub(super) fn choose(
        probe: &mut impl Probe,
        root: &Root,
        siblings: bool,
        fields: &Fields<'_>,
        (name, plain): (&[u8], Opened),
        now: u64,
    ) -> Self {
        let content_type = content_type::of_name(name);
        let negotiated = siblings && !content_type.dense;
        let sibling = negotiated
            .then(|| sibling(probe, root, AcceptEncoding::of(fields), name, &plain.stat))
            .flatten();
        let (opened, coding) = match sibling {
            Some((opened, coding)) => (opened, Some(coding)),
            None => (plain, None),
        };
        Self::of(opened, coding, content_type, negotiated, now)
    }

    fn of(
        opened: Opened,
        coding: Option<ContentCoding>,
        content_type: ContentType,
        negotiated: bool,
        now: u64,
    ) -> Self {
        let Opened { file, stat } = opened;
        Self {
            file,
            bytes: stat.bytes,
            content_type: content_type.value,
            coding,
            negotiated,
            tag: tag(&stat, coding),
            // RFC 9110 §8.8.2.1: never later than the Date of the reply.
            last_modified: u64::try_from(stat.modified_seconds)
                .ok()
                .map(|seconds| seconds.min(now)),
        }
    }

    /// The file alone, for whoever sends it.
    pub(super) fn into_file(self) -> File {
        OwnedFd::from(self.file).into()
    }

    pub(super) fn validators(&self) -> Validators<'_> {
        Validators {
            etag: Some(EntityTag::strong(&self.tag)),
            last_modified: self.last_modified,
        }
    }
}

/// The tag of a form: when its file was changed, to the nanosecond, how long it is, and its coding.
///
/// The inode is not in it, so that machines that serve copies with equal times agree. It is strong (RFC 9110 §8.8.1) as
/// far as the kernel's times tell changes apart: since 6.13 a change gets a new time whenever the old one was asked for
/// before; older kernels count in ticks of 1 to 10 ms, and two changes within one that keep the length share a tag.
fn tag(stat: &FileStat, coding: Option<ContentCoding>) -> String {
    let (seconds, nanos, bytes) = (stat.modified_seconds, stat.modified_nanos, stat.bytes);
    let dash = if coding.is_some() { "-" } else { "" };
    let coding = coding.map_or("", ContentCoding::name);
    format!("{seconds:x}.{nanos:x}-{bytes:x}{dash}{coding}")
}

/// The sibling that the peer likes best, of those that are there.
fn sibling(
    probe: &mut impl Probe,
    root: &Root,
    accepted: AcceptEncoding,
    name: &[u8],
    plain: &FileStat,
) -> Option<(Opened, ContentCoding)> {
    let mut available = SIBLINGS.to_vec();
    // Asked for one after the other, because a name that is not there costs a system call.
    while let Some(coding) = accepted.choose(&available) {
        let ending: &[u8] = match coding {
            ContentCoding::Brotli => b".br",
            _ => b".gz",
        };
        // Whatever keeps it from being opened: the plain file is there.
        match root.find(probe, &[name, ending].concat()) {
            Ok(opened) if may_replace(&opened.stat, plain) => return Some((opened, coding)),
            _ => available.retain(|other| *other != coding),
        }
    }
    None
}

/// An older sibling holds what the plain file said before. Times are compared to the microsecond, because programs that
/// copy them (pigz) cut them there.
fn may_replace(sibling: &FileStat, plain: &FileStat) -> bool {
    let changed = |stat: &FileStat| (stat.modified_seconds, stat.modified_nanos / 1000);
    sibling.kind == FileKind::Regular && changed(sibling) >= changed(plain)
}
