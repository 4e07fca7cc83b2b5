//! The room's parts, each without a socket.

use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::log::{HISTORY_MAX, Log};
use super::protocol::{Asked, Refusal, Said, Told, Who, is_id};
use super::text;

fn said(number: u64) -> Said {
    Said {
        number,
        time: 7,
        from: "Ada".to_owned(),
        id: format!("id{number}"),
        text: "Hi \"all\"\n".to_owned(),
    }
}

#[test]
fn a_bucket_gives_five_at_once_and_then_one_a_second() {
    let start = Instant::now();
    let after = |ms| start + Duration::from_millis(ms);
    let mut bucket = Bucket::new(5, Duration::from_secs(1), start);
    for _ in 0..5 {
        assert_eq!(bucket.take(start), Ok(()));
    }
    assert_eq!(bucket.take(start), Err(Duration::from_secs(1)));
    assert_eq!(bucket.take(after(400)), Err(Duration::from_millis(600)));
    assert_eq!(bucket.take(after(1000)), Ok(()));
    assert_eq!(bucket.take(after(1999)), Err(Duration::from_millis(1)));
    let taken = (0..10).filter(|_| bucket.take(after(60_000)).is_ok());
    assert_eq!(taken.count(), 5, "it holds no more than five");
    let earlier = bucket.take(after(59_000));
    assert_eq!(earlier, Err(Duration::from_secs(2)), "a clock read earlier");
}

#[test]
fn nicknames() {
    for (written, shown) in [
        ("Ada", "Ada"),
        ("  Ada \u{a0} Lovelace ", "Ada Lovelace"),
        ("Łukasz 🦀", "Łukasz 🦀"),
        ("👩\u{200d}💻", "👩\u{200d}💻"),
        ("عمر", "عمر"),
        ("<b>Bob</b>", "<b>Bob</b>"),
        (&"ß".repeat(32), &"ß".repeat(32)),
    ] {
        assert_eq!(text::nickname(written).as_deref(), Some(shown));
    }
    for refused in [
        "",
        "   ",
        "a\u{0}b",
        "a\nb",
        "a\u{85}b",
        "a\u{7f}",
        "\u{202e}live",
        "a\u{2066}b",
        "a\u{200b}b",
        "Ada\u{feff}",
        "\u{200d}",
        "\u{fe0f}\u{200c}",
        "\u{e0041}a",
        "\u{3164}",
        &"x".repeat(33),
        &"🦀".repeat(33),
    ] {
        assert_eq!(text::nickname(refused), None, "{refused:?}");
    }
}

#[test]
fn texts() {
    assert_eq!(text::message(" a\n\tb "), Some("a\n\tb"));
    let longest = "🦀".repeat(2000);
    assert_eq!(text::message(&longest), Some(&*longest));
    for refused in [
        "",
        " \n",
        "a\u{0}",
        "a\u{1b}[2J",
        "\u{200b}",
        &"x".repeat(2001),
    ] {
        assert_eq!(text::message(refused), None, "{:?}", refused.get(..9));
    }
}

#[test]
fn what_is_asked_is_strict() {
    let parse = |json: &str| serde_json::from_str::<Asked>(json);
    let key = "0123456789abcdefABCDEF0123456789";
    let hello = format!(r#"{{"since":3,"key":"{key}","name":"A\ud83e\udd80","type":"hello"}}"#);
    let Ok(Asked::Hello(hello)) = parse(&hello) else {
        panic!("{hello} is a hello")
    };
    assert_eq!((&*hello.name, hello.since, hello.room), ("A🦀", 3, None));
    assert!(matches!(parse(r#"{"type":"alive"}"#), Ok(Asked::Alive {})));
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for refused in [
        "",
        "null",
        "[]",
        "hello",
        r#"{"type":"alive"} x"#,
        r#"{"type":"alive","more":1}"#,
        r#"{"type":"alive","type":"alive"}"#,
        r#"{"type":"Alive"}"#,
        r#"{"type":7}"#,
        r#"{"id":"1","text":"no type"}"#,
        r#"{"type":"say","id":"1"}"#,
        r#"{"type":"say","id":1,"text":"a"}"#,
        r#"{"type":"say","id":"1","text":null}"#,
        r#"{"type":"say","id":"1","text":"a","text":"b"}"#,
        r#"{"type":"say","id":"1","text":"\ud800"}"#,
        r#"{"type":"hello","name":["Ada"],"key":"0"}"#,
        r#"{"type":"hello","name":"Ada","key":"0","since":-1}"#,
        r#"{"type":"hello","name":"Ada","key":"0","since":1e99}"#,
        r#"{"type":"hello","name":"Ada","key":"0","admin":true}"#,
        &format!(r#"{{"type":"say","id":"1","text":{deep}}}"#),
    ] {
        assert!(parse(refused).is_err(), "{refused:.60}");
    }
}

#[test]
fn keys_and_ids() {
    let owner = |key: &str| {
        let hello = format!(r#"{{"name":"Ada","key":"{key}"}}"#);
        let hello: super::protocol::Hello = serde_json::from_str(&hello).expect("a hello");
        hello.owner()
    };
    assert_eq!(owner(&format!("{:032x}", 77)), Some(77));
    assert_eq!(owner(&"F".repeat(32)), Some(u128::MAX));
    for refused in [
        "",
        "1",
        &"+".repeat(32),
        &format!("+{:031x}", 1),
        &"f".repeat(33),
    ] {
        assert_eq!(owner(refused), None, "{refused}");
    }
    assert!(is_id("1") && is_id(&"a-Z".repeat(10)));
    assert!(!is_id("") && !is_id(&"a".repeat(33)) && !is_id("a b") && !is_id("é"));
}

#[test]
fn what_is_told_is_as_documented() {
    let who = Who {
        name: "Ada".to_owned(),
        online: true,
        seen: 9,
    };
    let wait = Duration::from_micros(700_500);
    let said = said(18);
    for (told, json) in [
        (
            Told::Welcome {
                room: "r",
                name: "Ada",
                seat: 4,
            },
            r#"{"type":"welcome","room":"r","name":"Ada","seat":4}"#,
        ),
        (
            Told::Said(&said),
            r#"{"type":"said","number":18,"time":7,"from":"Ada","id":"id18","text":"Hi \"all\"\n"}"#,
        ),
        (
            Told::History {
                messages: vec![&said],
            },
            r#"{"type":"history","messages":[{"number":18,"time":7,"from":"Ada","id":"id18","text":"Hi \"all\"\n"}]}"#,
        ),
        (
            Told::Who { members: vec![who] },
            r#"{"type":"who","members":[{"name":"Ada","online":true,"seen":9}]}"#,
        ),
        (
            Told::Replaced { seat: 4 },
            r#"{"type":"replaced","seat":4}"#,
        ),
        (Told::Alive {}, r#"{"type":"alive"}"#),
        (
            Refusal::Rate(wait).told(Some("7")),
            r#"{"type":"error","code":"rate","text":"That was too fast: five messages at once, then one a second.","id":"7","retry_ms":701}"#,
        ),
        (
            Refusal::Hello.told(None),
            r#"{"type":"error","code":"hello","text":"Say hello first."}"#,
        ),
    ] {
        assert_eq!(told.json(), json);
    }
}

#[test]
fn the_log_keeps_fifty_and_counts_on() {
    let mut log = Log::default();
    assert!(log.since(0).is_empty());
    for number in 1..=120 {
        assert_eq!(log.next(), number);
        log.keep(said(number));
    }
    let numbers = |since| -> Vec<u64> {
        let kept = log.since(since);
        kept.iter().map(|said| said.number).collect()
    };
    assert_eq!(numbers(0), (71..=120).collect::<Vec<_>>());
    assert_eq!(numbers(0).len(), HISTORY_MAX);
    assert_eq!(numbers(117), [118, 119, 120]);
    assert!(numbers(120).is_empty() && numbers(u64::MAX).is_empty());
    assert_eq!(log.find("Ada", "id99").map(|said| said.number), Some(99));
    assert!(
        log.find("Bob", "id99").is_none(),
        "ids are each client's own"
    );
    assert!(log.find("Ada", "id70").is_none(), "not kept any more");
}
