//! The state of the feed and its events, as bytes.

use super::log::{Event, Since};

/// Whose request is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'f> {
    /// Which life of the server this is.
    pub(super) feed: &'f str,
    /// What the head of its request had.
    pub(super) request_bytes: u64,
}

/// The state of the feed. The name is hexadecimal, so there is nothing to escape.
pub(super) fn state(client: Client<'_>, last: u64, missed: u64) -> String {
    format!("{{{}}}", members(client, last, missed))
}

/// The state with the events in it.
pub(super) fn list(client: Client<'_>, since: &Since) -> String {
    let mut json = format!(
        "{{{},\"events\":[",
        members(client, since.last, since.missed)
    );
    for (index, event) in since.events.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&event.json);
    }
    json.push_str("]}");
    json
}

fn members(client: Client<'_>, last: u64, missed: u64) -> String {
    format!(
        "\"feed\":\"{}\",\"last\":{last},\"missed\":{missed},\"request_bytes\":{}",
        client.feed, client.request_bytes
    )
}

/// How long a browser waits before it comes back to a stream that broke.
const RETRY_MS: u32 = 1000;

/// The beginning of an event stream.
pub(super) fn stream_begins(out: &mut Vec<u8>) {
    out.extend_from_slice(format!("retry: {RETRY_MS}\n\n").as_bytes());
}

/// The state, as an event of an event stream. It has no `id`, so the client's last number stays.
pub(super) fn stream_state(out: &mut Vec<u8>, client: Client<'_>, last: u64, missed: u64) {
    out.extend_from_slice(b"event: feed\ndata: ");
    out.extend_from_slice(state(client, last, missed).as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// An event of an event stream. JSON has no line ends, so one `data` line holds it.
pub(super) fn stream_event(out: &mut Vec<u8>, event: &Event) {
    out.extend_from_slice(format!("id: {}\ndata: ", event.id).as_bytes());
    out.extend_from_slice(event.json.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// A comment: clients pass over it, and whatever stands between sees that the connection is in use.
pub(super) fn stream_alive(out: &mut Vec<u8>) {
    out.extend_from_slice(b": alive\n\n");
}
