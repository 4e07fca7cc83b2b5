//! The text of `/proc/slabinfo`, as a kernel wrote it.

use super::{Slabs, growth, kind};

#[test]
fn a_line_gives_the_bytes_in_use() {
    let line = "TCP                   14     26   2496   13    8 : tunables    0    0    0 : slabdata      2      2      0";
    assert_eq!(kind(line), Some(("TCP".to_owned(), 14 * 2496)));
    for line in [
        "",
        "slabinfo - version: 2.1",
        "# name            <active_objs> <num_objs>",
    ] {
        assert_eq!(kind(line), None, "{line}");
    }
}

#[test]
fn what_grew_most_comes_first() {
    let slabs = |kinds: &[(&str, u64)]| -> Slabs {
        kinds
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), *bytes))
            .collect()
    };
    let before = slabs(&[("TCP", 10), ("filp", 10), ("gone", 9)]);
    let after = slabs(&[("TCP", 30), ("filp", 15), ("new", 7), ("dentry", 1)]);
    let grown = growth(&before, &after, 3);
    assert_eq!(
        grown,
        [
            ("TCP".to_owned(), 20),
            ("new".to_owned(), 7),
            ("filp".to_owned(), 5)
        ]
    );
}
