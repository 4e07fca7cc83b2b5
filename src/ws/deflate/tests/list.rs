//! RFC 6455 §9.1: the grammar.

use super::super::list::elements;
use super::*;

/// The names and parameters of a list, as text; `!` for a parameter against the grammar.
fn read(list: &str) -> Vec<String> {
    let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    elements(list.as_bytes())
        .map(|element| {
            let mut text = shown(element.name());
            for parameter in element.parameters() {
                text.push(';');
                match parameter {
                    Ok((name, value)) => {
                        text += &shown(name);
                        if let Some(value) = value {
                            text.push('=');
                            text += &shown(&value.bytes().collect::<Vec<u8>>());
                        }
                    }
                    Err(_) => text.push('!'),
                }
            }
            text
        })
        .collect()
}

#[test]
fn lists_are_taken_apart() {
    let cases: [(&str, &[&str]); 27] = [
        ("", &[]),
        (" ,\t, ,", &[]),
        ("a", &["a"]),
        ("a,b", &["a", "b"]),
        (" a , b ,", &["a", "b"]),
        ("a;b", &["a;b"]),
        ("a ; b\t;\tc", &["a;b;c"]),
        ("a;b=c", &["a;b=c"]),
        ("a; b = c", &["a;b=c"]), // RFC 6455 is written with the implied whitespace of RFC 2616 §2.1
        ("a;b=\"c\"", &["a;b=c"]),
        ("a;b=\"\\c\"", &["a;b=c"]),
        ("a;b=\"c,d\", e", &["a;!", "e"]), // not a token, and yet no border
        ("a;b=\"c;d\";e", &["a;!;e"]),
        ("a;b=\"c\\\"d,e\",f", &["a;!", "f"]),
        ("a;b=\"c, d", &["a;!"]), // never closed
        ("a;b=\"c\\", &["a;!"]),
        ("a;b=\"c\\\"", &["a;!"]),
        ("a;b=\"", &["a;!"]),
        ("a;b=\"\"", &["a;!"]),
        ("a;b=", &["a;!"]),
        ("a;=b", &["a;!"]),
        ("a;", &["a;!"]),
        ("a;;b", &["a;!;b"]),
        ("a;b c", &["a;!"]),
        ("a;b=c d", &["a;!"]),
        ("a;b=c=d", &["a;!"]),
        ("a;b=\"c\"d", &["a;!"]),
    ];
    for (list, expected) in cases {
        assert_eq!(read(list), expected, "{list:?}");
    }
}

#[test]
fn a_list_is_well_formed_or_not() {
    for list in ["a", "a, b;c=d", "a;b=\"c\"", ",a,", "a;b=\"1\\0\""] {
        assert!(is_extension_list(list.as_bytes()), "{list:?}");
    }
    for list in [
        "",
        ",",
        "a b",
        "a;",
        ";a",
        "a;b=",
        "a;b=\"\"",
        "a;b=\"c",
        "a\u{1}",
        "é",
        "a;b=\"c d\"",
        "\"a\"",
    ] {
        assert!(!is_extension_list(list.as_bytes()), "{list:?}");
    }
}
