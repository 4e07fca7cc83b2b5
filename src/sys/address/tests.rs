use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Address, AddressError> {
    text.parse()
}

#[test]
fn literals_are_read_and_printed() {
    for text in [
        "127.0.0.1:80",
        "0.0.0.0:0",
        "[::1]:80",
        "[::]:65535",
        "[fe80::1%3]:80",
        "unix:/run/longshore.sock",
        "unix:relative/x",
        "unix:@chat",
        "unix:@\\x00\\xff",
        "unix:/a\\\\b",
        "unix:\\x40x",
        "unix:/größe",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
    assert_eq!(
        parse("unix:@a b").unwrap(),
        Address::Unix(UnixName::Abstract(b"a b".to_vec()))
    );
}

#[test]
fn a_strangers_path_poses_as_no_other() {
    let path = "/run/a\u{202e}kcos.b\u{2028}listening\n\u{85}";
    let printed = parse(&format!("unix:{path}")).unwrap().to_string();
    let expected = r"unix:/run/a\xe2\x80\xaekcos.b\xe2\x80\xa8listening\x0a\xc2\x85";
    assert_eq!(printed, expected);
    assert_eq!(
        parse(&printed).unwrap(),
        parse(&format!("unix:{path}")).unwrap()
    );
}

#[test]
fn families() {
    for (text, family) in [
        ("1.2.3.4:5", Family::Inet),
        ("[::1]:5", Family::Inet6),
        ("unix:@x", Family::Unix),
    ] {
        let address = parse(text).unwrap();
        assert_eq!(address.family(), family);
        assert_eq!(address.is_unix(), family == Family::Unix);
        assert_eq!(address.inet().is_some(), family != Family::Unix);
    }
}

#[test]
fn errors_say_what_to_write_instead() {
    use AddressError as E;
    let long = format!("unix:/{}", "x".repeat(107));
    for (text, error, advice) in [
        ("", E::Empty, "write 127.0.0.1:8080"),
        (":8080", E::NoHost("8080".into()), "0.0.0.0:8080"),
        ("*:8080", E::NoHost("8080".into()), "[::]:8080"),
        ("8080", E::NoHost("8080".into()), "127.0.0.1:8080"),
        ("127.0.0.1", E::NoPort("127.0.0.1".into()), "127.0.0.1:8080"),
        (
            "example.org",
            E::NoPort("example.org".into()),
            "example.org:8080",
        ),
        ("[::1]", E::NoPort("[::1]".into()), "[::1]:8080"),
        ("127.0.0.1:", E::BadPort(String::new()), "65535"),
        ("127.0.0.1:70000", E::BadPort("70000".into()), "65535"),
        ("127.0.0.1:+80", E::BadPort("+80".into()), "65535"),
        ("[::1]:x", E::BadPort("x".into()), "65535"),
        ("[::1", E::BadBrackets("[::1".into()), "[::1]:8080"),
        (
            "[127.0.0.1]:80",
            E::BadBrackets("[127.0.0.1]:80".into()),
            "[::1]:8080",
        ),
        ("::1", E::NoBrackets("::1".into()), "[::1]:8080"),
        ("::1:8080", E::NoBrackets("::1:8080".into()), "[::1]:8080"),
        (
            "fe80::1%3:80",
            E::NoBrackets("fe80::1%3:80".into()),
            "[address]:port",
        ),
        (
            "http://localhost:80",
            E::Url("http://localhost:80".into()),
            "127.0.0.1:8080",
        ),
        (
            "localhost:80",
            E::HostName("localhost:80".into()),
            "127.0.0.1:8080",
        ),
        (
            "127.0.0.256:80",
            E::HostName("127.0.0.256:80".into()),
            "literal",
        ),
        ("unix:", E::NoName, "unix:/run/name.sock"),
        ("unix:@", E::NoName, "unix:@name"),
        (&long, E::NameTooLong(108), "107"),
        ("unix:/a\\x00b", E::NulInPath, "unix:@name"),
        ("unix:/a\\b", E::BadEscape("/a\\b".into()), "\\xNN"),
        ("unix:@\\x0", E::BadEscape("\\x0".into()), "\\xNN"),
        ("unix:@\\x+1", E::BadEscape("\\x+1".into()), "\\xNN"),
    ] {
        let found = parse(text).expect_err(text);
        assert_eq!(found, error, "{text}");
        assert!(found.to_string().contains(advice), "{text}: {found}");
    }
}

#[test]
fn names_are_resolved_only_on_request() {
    let local = Address::resolve("localhost:80").unwrap();
    let ip = local.inet().unwrap();
    assert!(ip.ip().is_loopback());
    assert_eq!(ip.port(), 80);
    assert_eq!(Address::resolve("[::1]:80"), parse("[::1]:80"));
    assert_eq!(Address::resolve("unix:@x"), parse("unix:@x"));
    assert_eq!(
        Address::resolve(":80"),
        Err(AddressError::NoHost("80".into()))
    );
    let error = Address::resolve("no..such.host.invalid:80").unwrap_err();
    assert!(matches!(error, AddressError::Unresolved(..)), "{error}");
}

#[test]
fn the_length_of_a_name_is_checked_twice() {
    let most = "x".repeat(SUN_PATH_BYTES_MAX);
    for prefix in ["unix:", "unix:@"] {
        assert!(
            parse(&format!("{prefix}{most}"))
                .unwrap()
                .to_sockaddr()
                .is_ok()
        );
        assert!(parse(&format!("{prefix}{most}x")).is_err());
    }
    let long = "x".repeat(108);
    for name in [
        UnixName::Path(long.clone().into()),
        UnixName::Abstract(long.into()),
        UnixName::Path("".into()),
        UnixName::Path("a\0b".into()),
    ] {
        let error = Address::Unix(name).to_sockaddr().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[test]
fn what_the_kernel_may_write() {
    let unix = parse("unix:/run/x").unwrap().to_sockaddr().unwrap();
    let full = unix.len();
    let storage = unix.as_storage();
    // SAFETY: a `SockAddrStorage` is a transparent `sockaddr_storage`, kept true by socket2.
    #[allow(unsafe_code)]
    let mut raw: libc::sockaddr_storage = unsafe { std::mem::transmute(storage) };
    let path = |text: &str| Some(Address::Unix(UnixName::Path(text.into())));
    assert_eq!(Address::from_raw(&raw, full), path("/run/x"));
    assert_eq!(
        Address::from_raw(&raw, full - 1),
        path("/run/x"),
        "without its NUL"
    );
    assert_eq!(
        Address::from_raw(&raw, u32::MAX),
        path("/run/x"),
        "cut at the storage"
    );
    let unnamed = Some(Address::Unix(UnixName::Unnamed));
    assert_eq!(Address::from_raw(&raw, 2), unnamed);
    assert_eq!(Address::from_raw(&raw, 1), None);
    assert_eq!(Address::from_raw(&raw, 0), None);
    raw.ss_family = libc::AF_INET as u16;
    assert_eq!(Address::from_raw(&raw, 15), None);
    assert!(Address::from_raw(&raw, 16).is_some());
    raw.ss_family = libc::AF_INET6 as u16;
    assert_eq!(Address::from_raw(&raw, 27), None);
    assert!(Address::from_raw(&raw, 28).is_some());
    raw.ss_family = libc::AF_NETLINK as u16;
    assert_eq!(Address::from_raw(&raw, 28), None);
}

fn any_address() -> impl Strategy<Value = Address> {
    use std::os::unix::ffi::OsStringExt;
    let path = proptest::collection::vec(1u8.., 1..=SUN_PATH_BYTES_MAX)
        .prop_map(|bytes| UnixName::Path(std::ffi::OsString::from_vec(bytes).into()));
    let name =
        proptest::collection::vec(any::<u8>(), 1..=SUN_PATH_BYTES_MAX).prop_map(UnixName::Abstract);
    prop_oneof![
        any::<SocketAddr>().prop_map(|mut address| {
            // The text form has no flow information.
            if let SocketAddr::V6(v6) = &mut address {
                v6.set_flowinfo(0);
            }
            Address::Inet(address)
        }),
        path.prop_map(Address::Unix),
        name.prop_map(Address::Unix),
    ]
}

proptest! {
    #[test]
    fn text_and_back(address in any_address()) {
        prop_assert_eq!(parse(&address.to_string()), Ok(address));
    }

    #[test]
    fn sockaddr_and_back(address in any_address()) {
        let raw = address.to_sockaddr().unwrap();
        prop_assert_eq!(Address::from_sockaddr(&raw), Some(address));
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = parse(&text);
        let _ = parse(&format!("unix:{text}"));
    }
}
