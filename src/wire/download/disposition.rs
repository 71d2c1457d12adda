//! `Content-Disposition` (RFC 6266): whether a browser shows a file or saves it, and by which name.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// No file system takes longer names than 255 bytes, and each may become three in the header, of
/// which proxies in front of us take a few thousand.
const NAME_BYTES_MAX: usize = 240;
/// A longer ending is none.
const ENDING_BYTES_MAX: usize = 16;

/// All but what RFC 8187 calls `attr-char`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// For a file of any name. Browsers take `filename*`; `filename` is for what knows only that.
pub fn disposition(name: &str, is_shown: bool) -> HeaderValue {
    let kind = if is_shown { "inline" } else { "attachment" };
    let name = shorten(tidy(name));
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let exact = utf8_percent_encode(&name, ENCODED);
    let value = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A name and no more: not a path, nor anything that makes it look like another name.
fn tidy(name: &str) -> String {
    if name.chars().all(|c| c == '.' || c.is_whitespace()) {
        return "file".to_owned();
    }
    let turns_text_around = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_bad = |c: char| {
        matches!(c, '/' | '\\' | '\u{2028}' | '\u{2029}') || c.is_control() || turns_text_around(c)
    };
    name.chars().map(|c| if is_bad(c) { '_' } else { c }).collect()
}

/// Cuts the middle out of a long name: its ending says what opens it.
fn shorten(name: String) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let ending = name.rfind('.').map(|dot| &name[dot..]);
    let ending = ending.filter(|ending| ending.len() <= ENDING_BYTES_MAX).unwrap_or_default();
    let end = name.floor_char_boundary(NAME_BYTES_MAX - ending.len());
    format!("{}{ending}", &name[..end])
}

/// What means the same to everybody between quotes. Some take `%41` for a letter.
fn is_plain(c: char) -> bool {
    (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(name: &str) -> String {
        let value = disposition(name, false);
        let value = value.to_str().unwrap();
        value.strip_prefix("attachment; filename=").unwrap().to_owned()
    }

    #[test]
    fn a_file_is_shown_or_saved() {
        let shown = disposition("a.png", true);
        assert_eq!(shown, "inline; filename=\"a.png\"; filename*=UTF-8''a.png");
        let saved = disposition("a b.txt", false);
        assert_eq!(saved, "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
    }

    #[test]
    fn names_come_as_they_are_and_in_ascii() {
        for (name, value) in [
            ("é🦀.png", "\"__.png\"; filename*=UTF-8''%C3%A9%F0%9F%A6%80.png"),
            ("a\"b;c=d.txt", "\"a_b;c=d.txt\"; filename*=UTF-8''a%22b%3Bc%3Dd.txt"),
            ("100%41.txt", "\"100_41.txt\"; filename*=UTF-8''100%2541.txt"),
            (
                "it's(1)*,!#$&+-^_`|~",
                concat!(
                    "\"it's(1)*,!#$&+-^_`|~\"; ",
                    "filename*=UTF-8''it%27s%281%29%2A%2C!#$&+-^_`|~"
                ),
            ),
        ] {
            assert_eq!(saved(name), value, "{name}");
        }
    }

    #[test]
    fn a_name_is_neither_a_path_nor_a_header() {
        for (name, plain) in [
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("..\\a.png", ".._a.png"),
            ("a\r\nX-Evil: 1.txt", "a__X-Evil: 1.txt"),
            ("a\0\u{7f}\u{85}b", "a___b"),
            // Shown as `annexe.txt`.
            ("ann\u{202e}txt.exe", "ann_txt.exe"),
            ("a\u{2028}b", "a_b"),
            ("..", "file"),
            ("", "file"),
            (" \t\n", "file"),
        ] {
            let exact = utf8_percent_encode(plain, ENCODED);
            assert_eq!(saved(name), format!("\"{plain}\"; filename*=UTF-8''{exact}"), "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let cut = |name: &str| shorten(tidy(name));
        assert_eq!(cut(&"x".repeat(240)), "x".repeat(240));
        assert_eq!(cut(&format!("{}.tar", "x".repeat(300))), format!("{}.tar", "x".repeat(236)));
        assert_eq!(cut(&format!("a.{}", "x".repeat(300))), format!("a.{}", "x".repeat(238)));
        // Never in the middle of a character.
        assert_eq!(cut(&format!("a{}.png", "é".repeat(255))), format!("a{}.png", "é".repeat(117)));
        let crabs = disposition(&"🦀".repeat(255), true);
        assert!(crabs.len() < 1_000, "{}", crabs.len());
    }
}
