//! Text as Go writes it: quoted in messages, and as JSON.

use std::fmt::Write as _;

use serde_json::Value;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Go's `%q`.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|letter| push(&mut text, letter));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

fn push(text: &mut String, letter: char) {
    let short = match letter {
        '"' | '\\' => letter,
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{b}' => 'v',
        _ if is_printable(letter) => return text.push(letter),
        _ => {
            let code = u32::from(letter);
            let _ = match code {
                0..0x20 | 0x7f => write!(text, "\\x{code:02x}"),
                0x20..0x1_0000 => write!(text, "\\u{code:04x}"),
                _ => write!(text, "\\U{code:08x}"),
            };
            return;
        }
    };
    text.push('\\');
    text.push(short);
}

/// Of all spaces only the usual one.
fn is_printable(letter: char) -> bool {
    use GeneralCategoryGroup as Group;
    let group = letter.general_category_group();
    letter == ' '
        || matches!(
            group,
            Group::Letter | Group::Mark | Group::Number | Group::Punctuation | Group::Symbol
        )
}

/// Text as Go's encoder writes it into JSON: fit to stand in HTML, too.
pub fn json(text: &str) -> String {
    let plain = Value::from(text).to_string();
    let mut json = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(json, "\\u{:04x}", u32::from(letter));
            }
            _ => json.push(letter),
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_go_does() {
        for (bytes, shown) in [
            (&b"GET"[..], r#""GET""#),
            ("Nöpe ✓".as_bytes(), r#""Nöpe ✓""#),
            (b"a\"b\\c\x01\n\x7f\xff", r#""a\"b\\c\x01\n\x7f\xff""#),
            ("\u{200b}\u{a0}\u{e0001}'".as_bytes(), r#""\u200b\u00a0\U000e0001'""#),
        ] {
            assert_eq!(quoted(bytes), shown);
        }
        assert_eq!(json("<a>&\u{2028}\"é\u{1}"), r#""\u003ca\u003e\u0026\u2028\"é\u0001""#);
    }
}
