//! What may stand in a nickname and in a message.

/// The most characters of a nickname. A character is a Unicode scalar value, as `[...name].length` counts in JavaScript.
pub(super) const NAME_CHARS_MAX: usize = 32;

/// The most characters of a message.
pub(super) const TEXT_CHARS_MAX: usize = 2000;

/// A nickname as it is shown: trimmed, with single spaces. `None` if it may not be one.
pub(super) fn nickname(text: &str) -> Option<String> {
    // Cut before it is counted: white space around a name could be long.
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || is_deceptive(c)) {
        return None;
    }
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_short = name.chars().nth(NAME_CHARS_MAX).is_none();
    (is_short && name.chars().any(is_visible)).then_some(name)
}

/// A message as it is shown: trimmed. `None` if it may not be one.
pub(super) fn message(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_short = text.chars().nth(TEXT_CHARS_MAX).is_none();
    let is_plain = text
        .chars()
        .all(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    (is_short && is_plain && text.chars().any(is_visible)).then_some(text)
}

/// Whether a character makes a name look like another one, or changes what stands around it: directions (Unicode
/// Standard Annex 9, §2) would turn the page's own text around, and characters without width are not seen at all.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character shows something by itself. The joiners and variation selectors that emoji and many scripts need
/// do not: a name of nothing else would be none.
fn is_visible(c: char) -> bool {
    let joins =
        matches!(c, '\u{200c}' | '\u{200d}' | '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}');
    !joins && !c.is_whitespace() && !c.is_control() && !is_deceptive(c)
}
