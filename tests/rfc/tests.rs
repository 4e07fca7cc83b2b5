//! The reader of cases, and the judge: what they take, and what they say about mistakes. And all cases are named once.

use super::cases::{self, Case, Fate, Step, parse};
use super::judge::judge;

const GOOD: &str = "
# A comment.
case 9112-1-good
MUST 9112 §1 A title with several words.
> GET /{a*3} HTTP/1.1
> Host: {host}
> X:\\s
>
+ \\x00\\\\\\r{ab\\n*2}
wait 100
> more
half-close
expect 2xx closed
expect 400|404 either
check 200 body = a b
check #1 Allow lists GET
check 200 has Date
never x
here 404 closed
";

fn one(text: &str) -> Case {
    let mut cases = parse(text, "h:1").expect("a good case");
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

#[test]
fn a_case_is_read() {
    let case = one(GOOD);
    assert_eq!(case.id, "9112-1-good");
    assert_eq!(case.rule, "RFC 9112 §1 MUST");
    assert_eq!(case.title, "A title with several words.");
    assert_eq!(case.steps.len(), 4);
    let sent = b"GET /aaa HTTP/1.1\r\nHost: h:1\r\nX: \r\n\r\n\0\\\rab\nab\n";
    assert_eq!(case.steps[0], Step::Send(sent.to_vec()));
    assert_eq!(case.steps[2], Step::Send(b"more\r\n".to_vec()));
    assert_eq!(case.steps[3], Step::HalfClose);
    assert_eq!(case.here.fate, Fate::Closed);
    assert!(case.expect[0].replies[0].contains(204));
    assert!(!case.expect[0].replies[0].contains(301));
    assert_eq!(case.checks.len(), 3);
    assert_eq!(case.never, [b"x".to_vec()]);
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let rows = [
        (
            "MUST 9112 §1 A title with several words.",
            "MUST 9112",
            "needs a requirement",
        ),
        ("here 404 closed", "here 200 open", "none of the outcomes"),
        ("here 404 closed", "", "has no `here`"),
        (
            "here 404 closed",
            "here 4xx closed",
            "leaves something open",
        ),
        (
            "here 404 closed",
            "here 404 either",
            "leaves something open",
        ),
        ("never x", "newer x", "line 18: `newer` begins no line"),
        (
            "wait 100",
            "wait hundred",
            "line 10: `hundred` is no number",
        ),
        ("400|404 either", "400 404", "line 14: `404` is no fate"),
        (
            "400|404 either",
            "404",
            "line 14: `404` is not statuses and a fate",
        ),
        ("\\x00", "\\q", "line 9: `\\q` is no escape"),
        ("{host}", "{guest}", "line 6: `{guest}` is neither"),
        ("{host}", "{host", "line 6: a brace without an end"),
        ("200 has Date", "200 has", "line 17: `200 has` is no check"),
        (
            "case 9112-1-good\n",
            "",
            "`MUST` stands before the first `case`",
        ),
    ];
    for (good, bad, error) in rows {
        let text = GOOD.replacen(good, bad, 1);
        let told = parse(&text, "h:1").expect_err(bad);
        assert!(told.contains(error), "{bad}: {told}");
    }
}

#[test]
fn every_case_has_a_name_of_its_own_and_a_sentence() {
    let cases = cases::all("localhost");
    assert!(cases.len() >= 450, "only {}", cases.len());
    let mut names: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1], "two cases have one name");
    }
    for case in &cases {
        assert!(case.title.ends_with('.'), "{}: {}", case.id, case.title);
        let section = case.rule.split(' ').nth(2).expect("RFC, document, section");
        let prefix = format!("{}-{}-", case.rule[4..8].trim(), &section["§".len()..]);
        assert!(
            case.id.starts_with(&prefix),
            "{} is not of {}",
            case.id,
            case.rule
        );
    }
}

#[test]
fn the_judge_sees_what_is_wrong() {
    const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let reply = |status: &str, fields: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{DATE}{fields}Content-Length: {length}\r\n\r\n{body}")
    };
    let case = |lines: &str| {
        let text = format!(
            "case 9112-1-x\nMUST 9112 §1 A title.\nexpect 2xx either\nexpect 4xx either\n{lines}"
        );
        one(&text)
    };
    let last = reply("200 OK", "Connection: close\r\n", "Hello, World!");
    let good = reply("200 OK", "", "hello") + &last;
    let open = case("check 2xx body = hello\nnever smuggled\nhere 200 open");
    let says = |case: &Case, received: &str, ended: bool, error: &str| {
        let told = judge(case, received.as_bytes(), ended).expect_err(error);
        assert!(told.contains(error), "{told} instead of {error}");
    };
    assert_eq!(judge(&open, good.as_bytes(), true), Ok(()));
    says(&open, &good, false, "the last request gets no 200");
    says(&open, &last, true, "statuses []");
    says(
        &open,
        &(reply("200 OK", "", "hello") + &good),
        true,
        "statuses [200, 200]",
    );
    says(
        &open,
        &good.replace("hello", "hallo"),
        true,
        "does not hold",
    );
    says(&open, &good.replacen(DATE, "", 1), true, "no Date");
    says(&open, &good.replacen("1994", "94", 1), true, "no Date");
    says(
        &open,
        &good.replacen("Date:", "Date :", 1),
        true,
        "no field line",
    );
    says(
        &open,
        &good.replacen("HTTP/1.1", "HTTP/1.0", 1),
        true,
        "no status line",
    );
    says(
        &open,
        &good.replacen("Date:", "X: smuggled\r\nDate:", 1),
        true,
        "smuggled",
    );
    says(
        &open,
        &good.replacen("Date:", "Transfer-Encoding: x\r\nDate:", 1),
        true,
        "two lengths",
    );
    says(
        &open,
        &good.replacen("Date:", "Upgrade: x\r\nDate:", 1),
        true,
        "connection option",
    );

    let closed = case("here 405 closed");
    let good = reply("405 No", "Allow: GET\r\nConnection: close\r\n", "no");
    assert_eq!(judge(&closed, good.as_bytes(), true), Ok(()));
    says(&closed, &good, false, "still open");
    says(
        &closed,
        &(good.clone() + "x"),
        true,
        "1 bytes that are no reply",
    );
    says(&closed, &good.replace("Allow", "Allows"), true, "no Allow");
    says(
        &closed,
        &good.replace("close", "x"),
        true,
        "without `Connection: close`",
    );

    let to_head = case("heads 1\nhere 200 closed");
    let head = format!("HTTP/1.1 200 OK\r\n{DATE}Connection: close\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(judge(&to_head, head.as_bytes(), true), Ok(()));
    says(
        &to_head,
        &(head + "hello"),
        true,
        "5 bytes that are no reply",
    );

    let chunked = case("check 200 body = abc\nhere 200 closed");
    let chunks = format!(
        "HTTP/1.1 200 OK\r\n{DATE}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    );
    assert_eq!(judge(&chunked, chunks.as_bytes(), true), Ok(()));
}
