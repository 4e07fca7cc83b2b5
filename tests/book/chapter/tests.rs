use std::path::Path;

use super::Chapter;

fn chapter(text: &str) -> Result<Chapter, String> {
    Chapter::parse(Path::new("a.md"), text)
}

const TEXT: &str = "\
# Title

<!-- output: longshore --version -->
```text
longshore 0
  two
```
<!-- end -->

````text
<!-- output: no marker, but text -->
````

<!-- output: source Cargo.toml -->
<!-- end -->
The end.
";

#[test]
fn blocks_are_found_with_their_texts() {
    let chapter = chapter(TEXT).unwrap();
    let blocks: Vec<_> = { chapter.blocks.iter() }
        .map(|block| (block.line, block.text.as_str()))
        .collect();
    assert_eq!(blocks, [(3, "longshore 0\n  two"), (14, "")]);
}

#[test]
fn only_the_blocks_are_rewritten() {
    let chapter = chapter(TEXT).unwrap();
    assert_eq!(chapter.rewritten(&[None, None]), TEXT);
    let fresh = chapter.rewritten(&[Some("longshore 1\n".into()), Some("a\n```\nb".into())]);
    let expected = TEXT.replace("longshore 0\n  two", "longshore 1").replace(
        "Cargo.toml -->\n",
        "Cargo.toml -->\n````toml\na\n```\nb\n````\n",
    );
    assert_eq!(fresh, expected);
    let again = self::chapter(&fresh).unwrap();
    assert_eq!(again.blocks[1].text, "a\n```\nb");
    assert_eq!(again.rewritten(&[None, Some("a\n```\nb".into())]), fresh);
}

#[test]
fn a_block_that_is_not_closed_is_an_error() {
    for (text, why) in [
        (
            "<!-- output: longshore x -->\n",
            "a.md:1: behind the marker",
        ),
        (
            "\n<!-- output: longshore x -->\ntext\n<!-- end -->\n",
            "a.md:2: behind the marker",
        ),
        (
            "<!-- output: longshore x -->\n```text\n<!-- end -->\n",
            "a.md:1: behind the marker",
        ),
        ("text\n\n<!-- end -->\n", "a.md:3: an end without"),
        (
            "<!-- output: nonsense -->\n<!-- end -->\n",
            "a.md:1: `nonsense` is no command",
        ),
    ] {
        let error = chapter(text).unwrap_err();
        assert!(error.contains(why), "{text:?}: {error}");
    }
}
