use super::{find, head_comment, quote};

const TEXT: &str = "\
//! A head comment.
//!
//! Two paragraphs.

/// The limit.
pub(crate) const LIMIT: usize = 4;

const TABLE: [u8; 2] = [
    1,
    2,
];

/// A thing.
#[derive(Debug)]
pub struct Thing {
    one: u8,
}

impl Thing {
    /// Makes one.
    pub const fn new<T>(
        of: T,
    ) -> Self
    where
        T: Copy,
    {
        if true {
            return Self { one: 1 };
        }

        Self { one: 2 }
    }
}

impl Drop for Thing {
    fn drop(&mut self) {}
}

impl Default for Other {
    fn new() {
        1;
    }
}

fn newer() {}
";

#[test]
fn an_item_comes_with_its_documentation_and_to_its_end() {
    assert_eq!(
        find(TEXT, "const LIMIT").unwrap(),
        "/// The limit.\npub(crate) const LIMIT: usize = 4;"
    );
    assert_eq!(
        find(TEXT, "const TABLE").unwrap(),
        "const TABLE: [u8; 2] = [\n    1,\n    2,\n];"
    );
    assert_eq!(
        find(TEXT, "struct Thing").unwrap(),
        "/// A thing.\n#[derive(Debug)]\npub struct Thing {\n    one: u8,\n}"
    );
    let new = find(TEXT, "fn Thing::new").unwrap();
    assert!(new.starts_with("/// Makes one.\npub const fn new<T>(\n    of: T,"));
    assert!(new.ends_with("    Self { one: 2 }\n}"), "{new}");
    assert_eq!(find(TEXT, "fn drop").unwrap(), "fn drop(&mut self) {}");
    assert_eq!(
        find(TEXT, "fn Drop::drop").unwrap(),
        "fn drop(&mut self) {}"
    );
    assert_eq!(find(TEXT, "fn newer").unwrap(), "fn newer() {}");
    assert_eq!(
        find(TEXT, "impl Drop").unwrap(),
        "impl Drop for Thing {\n    fn drop(&mut self) {}\n}"
    );
}

#[test]
fn what_is_not_there_once_is_an_error() {
    for (item, why) in [
        ("fn new", "two of"),
        ("fn old", "no `fn old`"),
        ("fn Other::drop", "no `fn"),
        ("enum Thing", "no `enum"),
        ("8..9", "no item"),
        ("verb go", "no item"),
    ] {
        let error = find(TEXT, item).unwrap_err();
        assert!(error.contains(why), "{item}: {error}");
    }
    assert!(quote("src/nowhere.rs", None).is_err());
}

#[test]
fn a_head_comment_is_quoted_without_its_signs() {
    assert_eq!(head_comment(TEXT), "A head comment.\n\nTwo paragraphs.");
}

#[test]
fn items_of_this_crate_are_found() {
    for (path, item) in [
        ("src/sys/socket.rs", "fn bind"),
        ("src/driver/event.rs", "enum Event"),
        ("src/driver/mod.rs", "trait Driver"),
        ("src/conn/stream.rs", "struct Stream"),
        ("src/lib.rs", "doc"),
        ("src/reactor/turn.rs", "fn poll_once"),
    ] {
        let quoted = quote(path, Some(item)).unwrap();
        assert!(quoted.lines().count() > 1, "{path} {item}: {quoted}");
    }
}
