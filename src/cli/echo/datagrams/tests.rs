use super::*;

fn address(text: &str) -> Address {
    text.parse().expect("a literal")
}

/// Two services that answer anything must not be made to talk to each other by one forged sender (RFC 862, CERT CA-96.01).
#[test]
fn what_could_begin_a_loop_is_not_answered() {
    let ours = address("127.0.0.1:7007");
    let table = [
        ("192.0.2.1:7", Some("below 1024")),
        ("192.0.2.1:1023", Some("below 1024")),
        ("192.0.2.1:1024", None),
        ("192.0.2.1:7007", Some("our own port")),
        ("[2001:db8::1]:7007", Some("our own port")),
        ("192.0.2.1:7008", None),
        ("unix:@peer", None),
    ];
    for (from, expected) in table {
        let said = unanswerable(&address(from), &ours, false);
        match expected {
            None => assert_eq!(said, None, "{from}"),
            Some(part) => assert!(
                said.is_some_and(|said| said.contains(part)),
                "{from}: {said:?}"
            ),
        }
    }
    let unnamed = Address::Unix(UnixName::Unnamed);
    assert!(unanswerable(&unnamed, &address("unix:@us"), false).is_some());
    assert!(unanswerable(&address("unix:@peer"), &address("unix:@us"), true).is_some());
}
