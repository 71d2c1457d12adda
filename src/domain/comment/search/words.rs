//! The words of a text, as they are compared: without case, accents and other marks.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Characters of a word that count.
pub const WORD_CHARS_MAX: usize = 64;

/// A word, and where it stands in the text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub place: Range<usize>,
}

/// Letters and digits that follow each other are a word. Scripts that put no space between words
/// have a word in every character.
pub fn words(text: &str) -> impl Iterator<Item = Word> + '_ {
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let place = next_word(text, rest)?;
            rest = place.end;
            let folded = fold(&text[place.clone()]);
            if !folded.is_empty() {
                return Some(Word { text: folded, place });
            }
        }
    })
}

fn next_word(text: &str, from: usize) -> Option<Range<usize>> {
    let mut start = None;
    for (at, c) in text[from..].char_indices() {
        let at = from + at;
        match start {
            None if stands_alone(c) => return Some(at..at + c.len_utf8()),
            None if c.is_alphanumeric() => start = Some(at),
            Some(start) if stands_alone(c) || !continues(c) => return Some(start..at),
            None | Some(_) => {}
        }
    }
    start.map(|start| start..text.len())
}

fn continues(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Han, Hiragana and Katakana.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
        && c.is_alphanumeric()
}

fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.chars().take(WORD_CHARS_MAX).map(|c| c.to_ascii_lowercase()).collect();
    }
    let letters = word.nfkd().flat_map(char::to_lowercase).nfkd();
    letters.filter(|c| c.is_alphanumeric() && !is_combining_mark(*c)).take(WORD_CHARS_MAX).collect()
}
