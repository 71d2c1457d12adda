//! Reactions: one emoji each.

use std::fmt;
use std::sync::Arc;

use unicode_properties::UnicodeEmoji;
use unicode_properties::emoji::{
    is_emoji_presentation_selector, is_regional_indicator, is_tag_character, is_zwj,
};
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::ids::UserId;
use crate::error::Error;

/// The longest that are in use, families with tones of skin, have half of it.
pub const EMOJI_BYTES_MAX: usize = 64;
/// It puts the character before it on a key.
const KEYCAP: char = '\u{20e3}';

/// One emoji, as people see it: a flag or a family of four is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Emoji(Arc<str>);

impl Emoji {
    pub fn parse(field: &str, raw: &str) -> Result<Self, Error> {
        if raw.len() > EMOJI_BYTES_MAX {
            let problem = format!("must be at most {EMOJI_BYTES_MAX} bytes, got {}", raw.len());
            return Err(Error::invalid(field, problem));
        }
        let is_one = raw.graphemes(true).take(2).count() == 1;
        if is_one && is_emoji(raw) {
            return Ok(Self(raw.into()));
        }
        Err(Error::invalid(field, "must be one emoji"))
    }

    /// Takes what a database holds: it was checked when it was written.
    pub fn trusted(raw: impl Into<Arc<str>>) -> Self {
        Self(raw.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether what is seen as one character is an emoji, as Unicode has them in its UTS #51. Whether
/// any font draws it is not asked: there are new ones every year.
fn is_emoji(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    let Some(first) = chars.next() else { return false };
    let rest = chars.as_str();
    if is_regional_indicator(first) {
        return rest.chars().all(is_regional_indicator) && rest.chars().count() == 1;
    }
    if first.is_ascii() {
        let keycap = rest.strip_suffix(KEYCAP);
        return first.is_emoji_char() && matches!(keycap, Some("" | "\u{fe0f}"));
    }
    let follows = |char: char| {
        is_emoji_presentation_selector(char)
            || is_zwj(char)
            || is_tag_character(char)
            || (!char.is_ascii() && char.is_emoji_char())
    };
    first.is_emoji_char() && chars.all(follows) && !cluster.ends_with('\u{200d}')
}

/// What somebody thinks of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    pub emoji: Emoji,
    pub user_id: UserId,
    pub created_at_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_see_as_one_emoji_is_one() {
        let long = "👩🏻‍❤️‍💋‍👩🏽";
        let accepted = [
            "👍",
            "❤️",
            "❤",
            "🎉",
            "👍🏽",
            "☝🏿",
            "🇫🇷",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "👨‍👩‍👧‍👦",
            "🧑🏿‍🚀",
            "🏳️‍🌈",
            "🏴‍☠️",
            "1️⃣",
            "#⃣",
            "*️⃣",
            "©️",
            "™",
            "🫨",
            "🧑‍🧑‍🧒",
            "🐦‍🔥",
            "♀️",
            "⚧️",
            "㊗️",
            "🅰️",
            long,
        ];
        for raw in accepted {
            assert_eq!(Emoji::parse("emoji", raw).unwrap().as_str(), raw);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = [
            "",
            "a",
            "1",
            "#",
            "*",
            "é",
            "👍👍",
            "👍a",
            "a👍",
            " 👍",
            "👍 ",
            ":+1:",
            "🇫",
            "🇫🇷🇩🇪",
            "中",
            "\u{fe0f}",
            "\u{200d}",
            "\u{20e3}",
            "a\u{20e3}",
            "1\u{fe0f}",
            "❤\u{fe0e}",
            "👍\u{200d}",
            "👍\0",
            "\0",
            "👍\u{301}",
            "<b>",
            "e\u{301}",
            "\u{e0067}",
        ];
        for raw in refused {
            let error = Emoji::parse("emoji", raw).unwrap_err();
            assert_eq!(
                error.public(),
                "Invalid value for field 'emoji': must be one emoji",
                "{raw:?}"
            );
        }
    }

    #[test]
    fn an_endless_family_is_refused() {
        let family = ["👨"; 20].join("\u{200d}");
        let error = Emoji::parse("emoji", &family).unwrap_err();
        assert!(error.public().contains("at most 64 bytes, got 137"), "{}", error.public());
    }
}
