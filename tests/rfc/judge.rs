//! Judges what came back: is it what the case says, and is it HTTP at all?
//!
//! Besides a case's own checks, every reply is held to what RFC 9110 and RFC 9112 ask of all replies: [`always`]. It
//! does not know how the bytes were sent or received.

use super::cases::{Case, Fate, Step, Wanted, Which};

/// What is asked at the end, to see that the connection is open and that nothing else is answered on it.
pub(crate) const LAST: &str = "GET /plaintext HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n";

/// A complete reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn all<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        self.fields
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn lists(&self, name: &str, member: &str) -> bool {
        let mut members = self.all(name).flat_map(|value| value.split(','));
        members.any(|other| other.trim().eq_ignore_ascii_case(member))
    }
}

/// The replies that `received` holds completely, and what is left.
///
/// # Errors
/// What makes it something other than replies.
pub(crate) fn replies<'b>(
    case: &Case,
    received: &'b [u8],
    ended: bool,
) -> Result<(Vec<Reply>, &'b [u8]), String> {
    let mut replies = Vec::new();
    let mut rest = received;
    while let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
        let (mut reply, behind) = (head(&rest[..end + 2])?, &rest[end + 4..]);
        let to_head = case.heads.contains(&(replies.len() + 1));
        let Some(framed) = body(&reply, to_head, behind, ended)? else {
            break;
        };
        let switched = reply.status == 101;
        reply.body = framed.content;
        replies.push(reply);
        rest = &behind[framed.bytes..];
        if switched {
            break;
        }
    }
    Ok((replies, rest))
}

fn head(lines: &[u8]) -> Result<Reply, String> {
    let text = std::str::from_utf8(lines).map_err(|_| "a head that is not text".to_owned())?;
    let mut lines = text.split_terminator("\r\n");
    let line = lines.next().unwrap_or_default();
    let status = line
        .strip_prefix("HTTP/1.1 ")
        .filter(|rest| rest.as_bytes().get(3) == Some(&b' '))
        .and_then(|rest| rest[..3].parse().ok())
        .ok_or_else(|| format!("`{line}` is no status line (RFC 9112 §4)"))?;
    let field = |line: &str| match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && !name.contains([' ', '\t']) => {
            Ok((name.to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("`{line}` is no field line (RFC 9112 §5)")),
    };
    Ok(Reply {
        status,
        fields: lines.map(field).collect::<Result<_, _>>()?,
        body: Vec::new(),
    })
}

/// Content, and how many bytes it takes on the wire.
struct Framed {
    content: Vec<u8>,
    bytes: usize,
}

/// RFC 9112 §6.3. `None` if bytes are missing.
fn body(reply: &Reply, to_head: bool, rest: &[u8], ended: bool) -> Result<Option<Framed>, String> {
    let taken = |bytes: usize| {
        (bytes <= rest.len()).then(|| Framed {
            content: rest[..bytes].to_vec(),
            bytes,
        })
    };
    if to_head || matches!(reply.status, 100..=199 | 204 | 304) {
        return Ok(taken(0));
    }
    if reply.lists("Transfer-Encoding", "chunked") {
        return chunks(rest);
    }
    match reply.field("Content-Length").map(str::parse) {
        Some(Ok(length)) => Ok(taken(length)),
        Some(Err(_)) => Err("a Content-Length that is no number".to_owned()),
        None => Ok(taken(rest.len()).filter(|_| ended)),
    }
}

fn chunks(bytes: &[u8]) -> Result<Option<Framed>, String> {
    let mut content = Vec::new();
    let mut at = 0;
    loop {
        let Some(end) = bytes[at..].windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let line = String::from_utf8_lossy(&bytes[at..at + end]);
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|_| format!("`{line}` is no chunk size"))?;
        at += end + 2;
        if bytes.len() < at + size + 2 {
            return Ok(None);
        }
        content.extend_from_slice(&bytes[at..at + size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some(Framed { content, bytes: at }));
        }
    }
}

/// Whether `received` is what the case says that this server does. `ended` tells that the server has closed.
///
/// # Errors
/// What differs.
pub(crate) fn judge(case: &Case, received: &[u8], ended: bool) -> Result<(), String> {
    let (mut replies, rest) = replies(case, received, ended)?;
    let statuses =
        |replies: &[Reply]| -> Vec<u16> { replies.iter().map(|reply| reply.status).collect() };
    let fate = case.here.fate;
    if fate == Fate::Open {
        let all = statuses(&replies);
        match replies.pop() {
            Some(last) if ended && last.status == 200 => {}
            _ => {
                return Err(format!(
                    "statuses {all:?}, and the last request gets no 200"
                ));
            }
        }
    }
    let mut pairs = case.here.replies.iter().zip(&replies);
    if case.here.replies.len() != replies.len()
        || !pairs.all(|(set, reply)| set.contains(reply.status))
    {
        return Err(format!("statuses {:?}", statuses(&replies)));
    }
    if !rest.is_empty() && fate != Fate::Upgraded {
        return Err(format!("{} bytes that are no reply", rest.len()));
    }
    match (fate, ended) {
        (Fate::Waiting, true) => return Err("closed instead of waiting".to_owned()),
        (Fate::Closed, false) => return Err("still open".to_owned()),
        _ => {}
    }
    for marker in &case.never {
        if received
            .windows(marker.len())
            .any(|window| window == marker)
        {
            return Err("a smuggled request was answered".to_owned());
        }
    }
    checked(case, &replies)?;
    // RFC 9112 §9.6: who closes says so. A peer that has closed its side was not told before it did.
    let half_closes = case.steps.contains(&Step::HalfClose);
    match replies.last() {
        Some(last)
            if fate == Fate::Closed && !half_closes && !last.lists("Connection", "close") =>
        {
            Err("closes without `Connection: close`".to_owned())
        }
        _ => Ok(()),
    }
}

/// The checks of the case, and those of all cases.
fn checked(case: &Case, replies: &[Reply]) -> Result<(), String> {
    for (index, reply) in replies.iter().enumerate() {
        let on = |error: String| format!("reply {} ({}): {error}", index + 1, reply.status);
        always(reply).map_err(on)?;
        for (which, wanted) in &case.checks {
            let meant = match which {
                Which::Status(set) => set.contains(reply.status),
                Which::Number(number) => *number == index + 1,
            };
            if meant && !holds(wanted, reply) {
                return Err(on(format!("{wanted:?} does not hold")));
            }
        }
    }
    Ok(())
}

/// What holds for every reply.
fn always(reply: &Reply) -> Result<(), String> {
    let lengths = reply.all("Content-Length").count();
    let coded = reply.field("Transfer-Encoding").is_some();
    let wants = |what: &str, section: &str| Err(format!("{what} (RFC {section})"));
    match reply.status {
        100..=199 | 204 if lengths > 0 || coded => {
            return wants("a length where there is no content", "9110 §8.6, 9112 §6.1");
        }
        200..=499 if !holds(&Wanted::Dated, reply) => return wants("no Date", "9110 §6.6.1"),
        405 if reply.field("Allow").is_none() => return wants("no Allow", "9110 §15.5.6"),
        426 if reply.field("Upgrade").is_none() => return wants("no Upgrade", "9110 §15.5.22"),
        _ => {}
    }
    if reply.field("Upgrade").is_some() && !reply.lists("Connection", "upgrade") {
        return wants("Upgrade without its connection option", "9110 §7.8");
    }
    if lengths > 1 || lengths == 1 && coded {
        return wants("two lengths", "9112 §6.2");
    }
    Ok(())
}

fn holds(wanted: &Wanted, reply: &Reply) -> bool {
    match wanted {
        Wanted::Has(name) => reply.field(name).is_some(),
        Wanted::Lacks(name) => reply.field(name).is_none(),
        Wanted::Equals(name, value) => reply.field(name) == Some(value),
        Wanted::Lists(name, member) => reply.lists(name, member),
        Wanted::Body(content) => reply.body == *content,
        Wanted::Dated => reply.all("Date").count() == 1 && reply.field("Date").is_some_and(is_date),
    }
}

/// IMF-fixdate (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`
fn is_date(text: &str) -> bool {
    let shape = "aaa, 00 aaa 0000 00:00:00 GMT";
    let fits = |(wanted, found): (u8, u8)| match wanted {
        b'a' => found.is_ascii_alphabetic(),
        b'0' => found.is_ascii_digit(),
        other => other == found,
    };
    text.len() == shape.len() && shape.bytes().zip(text.bytes()).all(fits)
}

/// A failure as a person reads it.
pub(crate) fn report(case: &Case, how: &str, error: &str, received: &[u8]) -> String {
    let shown = |bytes: &[u8]| {
        let text = bytes.escape_ascii().to_string();
        text.get(..1500)
            .map_or(text.clone(), |front| format!("{front}…"))
    };
    let steps: Vec<String> = case
        .steps
        .iter()
        .map(|step| match step {
            Step::Send(bytes) => shown(bytes),
            other => format!("{other:?}"),
        })
        .collect();
    format!(
        "{} ({}), {how}: {error}\n  {}\n  sent: {}\n  came: {}\n",
        case.id,
        case.rule,
        case.title,
        steps.join("\n        "),
        shown(received)
    )
}
