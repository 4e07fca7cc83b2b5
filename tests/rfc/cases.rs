//! Reads `*.cases`: what RFC 9110 and RFC 9112 want of a server, as bytes to send and outcomes to look for.
//!
//! ```text
//!   case 9112-3.2-host-missing                     a name: document, section, what is tried
//!   MUST 9112 §3.2 A request without Host is …     how strongly, where, and the requirement in one sentence
//!   > GET / HTTP/1.1                               sends the line and CRLF
//!   >                                              sends CRLF
//!   + bytes\r\n                                    sends exactly these bytes
//!   wait 100     pause     half-close              steps between them
//!   heads 1 3                                      the first and the third reply answer a HEAD
//!   uncut                                          how the bytes are cut may change the outcome
//!   expect 400 closed                              an acceptable outcome; more lines, more outcomes
//!   check 405 has Allow                            what replies with this status must have (`#2`: the second reply)
//!   never 777777                                   bytes that only a smuggled request would bring
//!   here 400 closed                                what longshore does, which is one of the outcomes
//! ```
//!
//! Escapes are `\r \n \t \0 \\ \xHH` and `\s`, a space at the end of a line; `{a*500}` repeats, `{host}` is the server's
//! authority. Statuses are `200`, `4xx`, `405|501`. Fates: `open` (another request is answered), `closed`, `either`,
//! `waiting` (open and silent, because the request is unfinished), `upgraded`. `nothing` stands for no reply.
//!
//! It knows no server and sends nothing. Paths: `/plaintext` is read with GET, `/echo` returns the content that it is
//! sent with any method but TRACE and CONNECT, `/upload` counts the bytes of a POST, `/baseline11` adds `a` and `b`,
//! `/ws` is a WebSocket.

/// The tables, by topic.
const FILES: [(&str, &str); 32] = [
    ("request-line", include_str!("http/request-line.cases")),
    ("version", include_str!("http/version.cases")),
    ("target", include_str!("http/target.cases")),
    ("target-forms", include_str!("http/target-forms.cases")),
    ("host", include_str!("http/host.cases")),
    ("host-invalid", include_str!("http/host-invalid.cases")),
    ("fields", include_str!("http/fields.cases")),
    ("fields-many", include_str!("http/fields-many.cases")),
    ("values", include_str!("http/values.cases")),
    (
        "transfer-encoding",
        include_str!("http/transfer-encoding.cases"),
    ),
    (
        "transfer-coding-names",
        include_str!("http/transfer-coding-names.cases"),
    ),
    ("chunks", include_str!("http/chunks.cases")),
    ("content-length", include_str!("http/content-length.cases")),
    (
        "content-length-invalid",
        include_str!("http/content-length-invalid.cases"),
    ),
    (
        "content-length-lists",
        include_str!("http/content-length-lists.cases"),
    ),
    ("incomplete", include_str!("http/incomplete.cases")),
    ("chunk-size", include_str!("http/chunk-size.cases")),
    ("chunk-lines", include_str!("http/chunk-lines.cases")),
    (
        "chunk-extensions",
        include_str!("http/chunk-extensions.cases"),
    ),
    (
        "chunk-extensions-invalid",
        include_str!("http/chunk-extensions-invalid.cases"),
    ),
    ("trailers", include_str!("http/trailers.cases")),
    ("expect", include_str!("http/expect.cases")),
    ("methods", include_str!("http/methods.cases")),
    ("head", include_str!("http/head.cases")),
    (
        "methods-special",
        include_str!("http/methods-special.cases"),
    ),
    ("connection", include_str!("http/connection.cases")),
    ("http-1.0", include_str!("http/http-1.0.cases")),
    ("half-close", include_str!("http/half-close.cases")),
    ("pipeline", include_str!("http/pipeline.cases")),
    ("upgrade", include_str!("http/upgrade.cases")),
    ("semantics", include_str!("http/semantics.cases")),
    ("request-fields", include_str!("http/request-fields.cases")),
];

/// Something that a client does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Waits for the next reply, which has one of these statuses.
    Wait(Statuses),
    /// Gives the server time to react.
    Pause,
    HalfClose,
}

/// `200|404` or `4xx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statuses(Vec<(u16, u16)>);

/// What becomes of the connection behind the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    Closed,
    Either,
    Waiting,
    Upgraded,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) replies: Vec<Statuses>,
    pub(crate) fate: Fate,
}

/// Which replies a check is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Status(Statuses),
    /// From 1.
    Number(usize),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Has(String),
    Lacks(String),
    Equals(String, String),
    /// A comma-separated list has this member, in any case.
    Lists(String, String),
    Body(Vec<u8>),
    /// The Date field is an IMF-fixdate.
    Dated,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    /// `RFC 9112 §6.1 MUST`
    pub(crate) rule: String,
    pub(crate) title: String,
    pub(crate) steps: Vec<Step>,
    /// Numbers, from 1, of the replies that answer a HEAD.
    pub(crate) heads: Vec<usize>,
    pub(crate) uncut: bool,
    pub(crate) expect: Vec<Outcome>,
    pub(crate) checks: Vec<(Which, Wanted)>,
    pub(crate) never: Vec<Vec<u8>>,
    pub(crate) here: Outcome,
}

/// Every case of every file.
pub(crate) fn all(host: &str) -> Vec<Case> {
    let read = |(name, text): &(&str, &str)| {
        parse(text, host).unwrap_or_else(|error| panic!("tests/rfc/http/{name}.cases: {error}"))
    };
    FILES.iter().flat_map(read).collect()
}

/// Reads one file.
///
/// # Errors
/// A sentence that names the line.
pub(crate) fn parse(text: &str, host: &str) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    let mut draft: Option<Draft> = None;
    for (index, line) in text.lines().enumerate() {
        let at = |error: String| format!("line {}: {error}", index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            if let Some(done) = draft.replace(Draft::named(rest)) {
                cases.push(done.finish().map_err(at)?);
            }
            continue;
        }
        let draft = draft
            .as_mut()
            .ok_or_else(|| at(format!("`{word}` stands before the first `case`")))?;
        draft.take(word, rest, host).map_err(at)?;
    }
    if let Some(done) = draft {
        cases.push(done.finish()?);
    }
    Ok(cases)
}

/// A case that is being read.
struct Draft {
    case: Case,
    here: Option<Outcome>,
}

impl Draft {
    fn named(id: &str) -> Self {
        let case = Case {
            id: id.to_owned(),
            rule: String::new(),
            title: String::new(),
            steps: Vec::new(),
            heads: Vec::new(),
            uncut: false,
            expect: Vec::new(),
            checks: Vec::new(),
            never: Vec::new(),
            here: Outcome {
                replies: Vec::new(),
                fate: Fate::Either,
            },
        };
        Self { case, here: None }
    }

    fn take(&mut self, word: &str, rest: &str, host: &str) -> Result<(), String> {
        let case = &mut self.case;
        match word {
            "MUST" | "SHOULD" | "MAY" => {
                let mut parts = rest.splitn(3, ' ');
                let (document, section) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                case.rule = format!("RFC {document} {section} {word}");
                parts.next().unwrap_or("").clone_into(&mut case.title);
            }
            ">" => case.send(&[&bytes(rest, host)?[..], b"\r\n"].concat()),
            "+" => case.send(&bytes(rest, host)?),
            "wait" => case.steps.push(Step::Wait(Statuses::parse(rest)?)),
            "pause" => case.steps.push(Step::Pause),
            "half-close" => case.steps.push(Step::HalfClose),
            "heads" => case.heads = rest.split(' ').map(number).collect::<Result<_, _>>()?,
            "uncut" => case.uncut = true,
            "expect" => case.expect.push(Outcome::parse(rest)?),
            "check" => case.checks.push(check(rest, host)?),
            "never" => case.never.push(bytes(rest, host)?),
            "here" => self.here = Some(Outcome::parse(rest)?),
            other => return Err(format!("`{other}` begins no line of a case")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Case, String> {
        let Self { mut case, here } = self;
        let id = case.id.clone();
        case.here = here.ok_or_else(|| format!("{id} has no `here`"))?;
        if !case.rule.contains('§') || case.title.is_empty() || case.expect.is_empty() {
            return Err(format!("{id} needs a requirement and `expect`"));
        }
        let exact = |set: &Statuses| matches!(set.0[..], [(low, high)] if low == high);
        if case.here.fate == Fate::Either || !case.here.replies.iter().all(exact) {
            return Err(format!("{id}: `here` leaves something open"));
        }
        if !case.expect.iter().any(|outcome| outcome.covers(&case.here)) {
            return Err(format!(
                "{id}: `here` is none of the outcomes that are expected"
            ));
        }
        Ok(case)
    }
}

impl Case {
    /// Lines that follow each other are one write.
    fn send(&mut self, more: &[u8]) {
        match self.steps.last_mut() {
            Some(Step::Send(bytes)) => bytes.extend_from_slice(more),
            _ => self.steps.push(Step::Send(more.to_vec())),
        }
    }
}

impl Outcome {
    fn parse(text: &str) -> Result<Self, String> {
        let (replies, fate) = text
            .rsplit_once(' ')
            .ok_or_else(|| format!("`{text}` is not statuses and a fate"))?;
        let fate = match fate {
            "open" => Fate::Open,
            "closed" => Fate::Closed,
            "either" => Fate::Either,
            "waiting" => Fate::Waiting,
            "upgraded" => Fate::Upgraded,
            other => return Err(format!("`{other}` is no fate of a connection")),
        };
        let replies = match replies {
            "nothing" => Vec::new(),
            some => some
                .split(' ')
                .map(Statuses::parse)
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { replies, fate })
    }

    /// Whether every way to meet `other` meets this outcome.
    fn covers(&self, other: &Self) -> bool {
        let fate = self.fate == other.fate
            || self.fate == Fate::Either && matches!(other.fate, Fate::Open | Fate::Closed);
        let mut pairs = self.replies.iter().zip(&other.replies);
        fate && self.replies.len() == other.replies.len()
            && pairs.all(|(mine, theirs)| theirs.0.iter().all(|&range| mine.spans(range)))
    }
}

impl Statuses {
    pub(crate) fn contains(&self, status: u16) -> bool {
        self.spans((status, status))
    }

    fn spans(&self, (low, high): (u16, u16)) -> bool {
        self.0.iter().any(|range| range.0 <= low && high <= range.1)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let range = |one: &str| match one.strip_suffix("xx") {
            Some(class) => number(class).map(|class| (class as u16 * 100, class as u16 * 100 + 99)),
            None => number(one).map(|status| (status as u16, status as u16)),
        };
        text.split('|')
            .map(range)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// `405 has Allow`, `#1 Vary = x`, `2xx body = hello`, `2xx dated`
fn check(text: &str, host: &str) -> Result<(Which, Wanted), String> {
    let wrong = || format!("`{text}` is no check");
    let (which, wanted) = text.split_once(' ').ok_or_else(wrong)?;
    let which = match which.strip_prefix('#') {
        Some(index) => Which::Number(number(index)?),
        None => Which::Status(Statuses::parse(which)?),
    };
    let mut words = wanted.splitn(3, ' ');
    let wanted = match (words.next(), words.next(), words.next()) {
        (Some("dated"), None, None) => Wanted::Dated,
        (Some("has"), Some(name), None) => Wanted::Has(name.to_owned()),
        (Some("lacks"), Some(name), None) => Wanted::Lacks(name.to_owned()),
        (Some("body"), Some("="), content) => Wanted::Body(bytes(content.unwrap_or(""), host)?),
        (Some(name), Some("="), Some(value)) => Wanted::Equals(name.to_owned(), value.to_owned()),
        (Some(name), Some("lists"), Some(member)) => {
            Wanted::Lists(name.to_owned(), member.to_owned())
        }
        _ => return Err(wrong()),
    };
    Ok((which, wanted))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// Replaces escapes and braces.
fn bytes(text: &str, host: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '{']) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let (front, behind) = rest[at..].split_at(1);
        rest = if front == "\\" {
            escape(behind, &mut out)?
        } else {
            let (inside, behind) = behind
                .split_once('}')
                .ok_or_else(|| format!("a brace without an end in `{text}`"))?;
            braces(inside, host, &mut out)?;
            behind
        };
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

/// One escape without its backslash; gives what follows it.
fn escape<'t>(text: &'t str, out: &mut Vec<u8>) -> Result<&'t str, String> {
    let wrong = || format!("`\\{}` is no escape", text.get(..1).unwrap_or(""));
    let (letter, rest) = text.split_at_checked(1).ok_or_else(wrong)?;
    out.push(match letter {
        "r" => b'\r',
        "n" => b'\n',
        "t" => b'\t',
        "s" => b' ',
        "0" => 0,
        "\\" => b'\\',
        "x" => {
            let digits = rest.get(..2).ok_or_else(wrong)?;
            out.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
            return Ok(&rest[2..]);
        }
        _ => return Err(wrong()),
    });
    Ok(rest)
}

fn braces(inside: &str, host: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if inside == "host" {
        out.extend_from_slice(host.as_bytes());
        return Ok(());
    }
    let (text, count) = inside
        .rsplit_once('*')
        .ok_or_else(|| format!("`{{{inside}}}` is neither `{{host}}` nor `{{text*count}}`"))?;
    out.extend(bytes(text, host)?.repeat(number(count)?));
    Ok(())
}
