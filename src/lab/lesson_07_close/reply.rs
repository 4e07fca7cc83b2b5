//! What becomes of a reply if the server closes with a part of the request unread.
//!
//! ```text
//!   server's send queue ──▶ on the wire ──▶ client's receive queue ──▶ read
//!     thrown away            refused          stays readable (Linux)
//!          └──────────────────── the RST ─────────┘
//! ```
//!
//! Other systems may erase the receive queue too (RFC 9112 §9.6); only Linux is measured here.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use longshore::sys::{self, How, Mode, POLLIN, Silent};

use crate::lab::frame::{Calls, Frame};
use crate::lab::loopback::{self, PATIENCE, verdict};
use crate::lab::report::Table;
use crate::lab::small_buffers::{BUFFER_BYTES, small_pair};

const SMALL_BYTES: usize = 64;

/// More than both ends of the connection keep together.
const LARGE_BYTES: usize = 8 * BUFFER_BYTES;

/// Of the request, before the server looks at it.
const UPLOAD_BYTES: usize = 4_096;

/// What became of one reply.
struct Fate {
    /// What the server's kernel took.
    sent: usize,
    read: usize,
    /// What the client's last read said: `ok` is an end in order.
    then: &'static str,
}

pub(super) fn lost(frame: &Frame) -> io::Result<()> {
    let mut table = Table::new(
        "What the client reads of a reply",
        &["server", "client", "bytes sent", "bytes read", "and then"],
    );
    let mut seen = |server: &'static str, client: &'static str, fate: Fate| {
        let then = if fate.then == "ok" {
            "the end"
        } else {
            fate.then
        };
        table.row([
            server.into(),
            client.into(),
            fate.sent.into(),
            fate.read.into(),
            then.into(),
        ]);
        fate
    };
    frame.say(
        "A client uploads. The server reads the beginning, replies, and closes at once, with the rest unread. The \
         client reads when the RST has come.",
    );
    let small = Upload::begun(frame)?.refused(frame, SMALL_BYTES, false)?;
    let small = seen("small reply, close", "reads", small.1);

    frame.say("The same, but the client is busy: it sends on, twice, and only then reads.");
    let (sends, busy) = Upload::begun(frame)?.refused(frame, SMALL_BYTES, true)?;
    let busy = seen("small reply, close", "sends, then reads", busy);

    frame.say("A reply that is larger than the client's receive buffer: the server sends until its kernel takes no more.");
    let large = Upload::begun(frame)?.refused(frame, LARGE_BYTES, false)?;
    let large = seen("large reply, close", "reads", large.1);

    frame.say("The same reply with a lingering close: shutdown, and the rest of the upload is read and thrown away.");
    let lingered = Upload::begun(frame)?.lingered(frame)?;
    let lingered = seen("large reply, lingers", "reads", lingered);
    frame.table(table);

    frame.finding("small_reply_sent_bytes", small.sent);
    frame.finding("small_reply_read_bytes", small.read);
    frame.finding("small_reply_then", small.then);
    frame.finding("busy_client_first_send", sends[0]);
    frame.finding("busy_client_second_send", sends[1]);
    frame.finding("busy_client_read_bytes", busy.read);
    frame.finding("large_reply_sent_bytes", large.sent);
    frame.finding("large_reply_read_bytes", large.read);
    frame.finding("large_reply_then", large.then);
    frame.finding("lingered_reply_sent_bytes", lingered.sent);
    frame.finding("lingered_reply_read_bytes", lingered.read);
    frame.finding("lingered_reply_then", lingered.then);
    conclude(frame, &small, (sends, &busy), &large, &lingered);
    Ok(())
}

fn conclude(
    frame: &Frame,
    small: &Fate,
    (sends, busy): ([&'static str; 2], &Fate),
    large: &Fate,
    lingered: &Fate,
) {
    frame.conclude(
        small.read == small.sent && busy.read == busy.sent && sends == ["ECONNRESET", "EPIPE"],
        "On Linux an RST takes nothing away that had arrived: the small reply can be read, in front of ECONNRESET, and \
         even by the client whose sends failed. But many a client gives up at its failed send and never looks; and \
         other systems may erase what was received and not read (RFC 9112 §9.6).",
        format!(
            "Of the small replies {} and {} of {SMALL_BYTES} bytes were read; the sends said {} and {}.",
            small.read, busy.read, sends[0], sends[1]
        ),
    );
    let lost = large.sent.saturating_sub(large.read);
    frame.conclude(
        lost > 0 && large.then == "ECONNRESET",
        format!(
            "What had not arrived is lost: {lost} of the large reply's {} bytes still waited in the server's send queue, and \
             that close threw them away, although every send had said that they were taken.",
            large.sent
        ),
        format!("The large reply arrived: {} of {} bytes, then {}.", large.read, large.sent, large.then),
    );
    frame.conclude(
        lingered.read == lingered.sent && lingered.then == "ok",
        "Nothing is lost if the server says FIN, goes on reading, and closes when the client has ended: the lingering close.",
        format!("The lingering close lost bytes too: {} of {} were read.", lingered.read, lingered.sent),
    );
}

/// A connection with small buffers on which a client has sent the beginning of a request, and the server has read a part.
struct Upload {
    client: OwnedFd,
    server: OwnedFd,
}

impl Upload {
    fn begun(frame: &Frame) -> io::Result<Self> {
        let (server, client) = small_pair(Mode::Nonblocking)?;
        let (client_calls, server_calls) = (&mut frame.calls("client"), &mut frame.calls("server"));
        sys::send(client_calls, client.as_fd(), &[b'u'; UPLOAD_BYTES])?;
        loopback::ready(&mut Silent, server.as_fd(), POLLIN, PATIENCE)?;
        sys::read(server_calls, server.as_fd(), &mut [0; 64])?;
        Ok(Upload { client, server })
    }

    /// Replies and closes at once. What two more sends of the client said, if it is busy; and what it read.
    fn refused(
        self,
        frame: &Frame,
        reply_bytes: usize,
        busy: bool,
    ) -> io::Result<([&'static str; 2], Fate)> {
        let (client_calls, server_calls) = (&mut frame.calls("client"), &mut frame.calls("server"));
        let sent = taken(server_calls, &self.server, reply_bytes)?;
        sys::close(server_calls, self.server)?;
        // POLLHUP comes unasked (poll(2)): the RST is here.
        loopback::ready(&mut Silent, self.client.as_fd(), 0, PATIENCE)?;
        let mut sends = [""; 2];
        if busy {
            for said in &mut sends {
                *said = verdict(&sys::send(client_calls, self.client.as_fd(), b"more"));
            }
        }
        let (read, then) = read_all(client_calls, &self.client)?;
        sys::close(&mut Silent, self.client)?;
        Ok((sends, Fate { sent, read, then }))
    }

    /// Replies, says FIN, and reads to the client's end before it closes.
    fn lingered(self, frame: &Frame) -> io::Result<Fate> {
        let (client_calls, server_calls) = (&mut frame.calls("client"), &mut frame.calls("server"));
        let sent = taken(server_calls, &self.server, LARGE_BYTES)?;
        sys::shutdown(server_calls, self.server.as_fd(), How::Write)?;
        let (read, then) = read_all(client_calls, &self.client)?;
        sys::close(client_calls, self.client)?;
        read_all(server_calls, &self.server)?;
        sys::close(server_calls, self.server)?;
        Ok(Fate { sent, read, then })
    }
}

/// Sends a reply until the kernel takes no more of it: how much it took.
fn taken(calls: &mut Calls, server: &OwnedFd, bytes: usize) -> io::Result<usize> {
    let reply = vec![b'r'; bytes];
    let mut sent = 0;
    while sent < bytes {
        match sys::send(calls, server.as_fd(), &reply[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// Reads until there is an end of either kind: the bytes, and what the last read said.
fn read_all(calls: &mut Calls, fd: &OwnedFd) -> io::Result<(usize, &'static str)> {
    let mut total = 0;
    loop {
        if !loopback::ready(&mut Silent, fd.as_fd(), POLLIN, PATIENCE)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match sys::read(calls, fd.as_fd(), &mut [0; 16 * 1024]) {
            Ok(count) if count > 0 => total += count,
            end => return Ok((total, verdict(&end))),
        }
    }
}
