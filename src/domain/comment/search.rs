//! Searching comments for words. Both databases index and find the terms that are made here, so a
//! search means the same on both.

mod filter;
mod rank;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use filter::CommentFilter;
pub use rank::{Snippet, score};
pub use words::{WORD_CHARS_MAX, Word, words};

use super::Visibility;
use crate::domain::content_id::{CommentId, ThreadId};
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::text::check_chars;
use crate::error::Error;

/// Characters of what is searched for.
pub const TEXT_CHARS_MAX: usize = 1_000;
/// Words of what is searched for.
pub const WORDS_MAX: usize = 20;
/// Different words by which one comment is found: the first.
pub const WORDS_INDEXED_MAX: usize = 4_000;
/// Hits in a page.
pub const HITS_MAX: usize = 50;
/// Matches that are put in order of how well they match: the newest. Older ones come after them.
pub const RANKED_MAX: usize = 500;
/// Matches that one call looks at for a caller who may see few of them.
pub const SCANNED_MAX: usize = 2_500;
/// Beginnings of words that are terms themselves, by their characters. A longer beginning is found
/// by the longest of these, and compared afterwards.
const PREFIX_CHARS: [usize; 4] = [1, 2, 3, 5];
/// What terms begin with that are no words: no word has these characters.
const SCOPE_MARK: char = '\u{E000}';
const PREFIX_MARK: char = '\u{E001}';
const CURSOR_CHARS_MAX: usize = 64;

/// What somebody searches for: words that must all be there, the last one as a beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText {
    pub words: Vec<String>,
}

impl SearchText {
    pub fn parse(raw: &str) -> Result<Self, Error> {
        check_chars("text", "it", raw, TEXT_CHARS_MAX)?;
        let words: Vec<String> = words(raw).map(|word| word.text).collect();
        if words.len() > WORDS_MAX {
            let problem = format!("must have at most {WORDS_MAX} words, got {}", words.len());
            return Err(Error::invalid("text", problem));
        }
        Ok(Self { words })
    }

    /// The terms that a comment must have; more than these must be compared.
    pub fn terms(&self) -> BTreeSet<String> {
        let Some((last, whole)) = self.words.split_last() else { return BTreeSet::new() };
        let chars = last.chars().count();
        let known = PREFIX_CHARS.into_iter().rev().find(|known| *known <= chars);
        whole.iter().cloned().chain(known.map(|known| prefix_term(last, known))).collect()
    }
}

fn prefix_term(word: &str, chars: usize) -> String {
    std::iter::once(PREFIX_MARK).chain(word.chars().take(chars)).collect()
}

/// Hands over the terms of what a comment says, each once.
pub fn each_text_term(text: &str, mut take: impl FnMut(&str)) {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for word in words(text) {
        if found.len() == WORDS_INDEXED_MAX {
            break;
        }
        found.insert(word.text);
    }
    found.iter().for_each(|word| take(word));
    let mut term = String::new();
    for chars in PREFIX_CHARS {
        // In order, words that begin alike follow each other.
        let mut last = "";
        for prefix in found.iter().filter_map(|word| beginning(word, chars)) {
            if prefix != last {
                term.clear();
                term.push(PREFIX_MARK);
                term.push_str(prefix);
                take(&term);
                last = prefix;
            }
        }
    }
}

/// So many characters of a word that has as many.
fn beginning(word: &str, chars: usize) -> Option<&str> {
    let (at, last) = word.char_indices().nth(chars.checked_sub(1)?)?;
    word.get(..at + last.len_utf8())
}

/// Where a search looks, as a term: so nothing that is elsewhere costs anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeTerm<'a> {
    /// A room's key; of one visibility, or both.
    Room(&'a str, Option<Visibility>),
    Project(&'a ProjectId),
}

impl ScopeTerm<'_> {
    pub fn to_text(&self) -> String {
        match self {
            Self::Room(key, None) => format!("{SCOPE_MARK}r{key}"),
            Self::Room(key, Some(visibility)) => format!("{SCOPE_MARK}{visibility:?}{key}"),
            Self::Project(project) => {
                // An id may have any characters, and terms only letters and digits.
                let mut term = format!("{SCOPE_MARK}q");
                for byte in project.as_str().bytes() {
                    let digits = [byte >> 4, byte & 15].map(u32::from);
                    term.extend(digits.into_iter().filter_map(|digit| char::from_digit(digit, 16)));
                }
                term
            }
        }
    }
}

/// What a comment comes with, as a term.
pub fn attachments_term(has: bool) -> String {
    format!("{SCOPE_MARK}a{}", u8::from(has))
}

pub fn mentions_term(has: bool) -> String {
    format!("{SCOPE_MARK}m{}", u8::from(has))
}

/// About when a comment came, as a term: in steps of 2^16 comments.
pub fn bucket_term(seq: i64) -> String {
    format!("{}{}", bucket_prefix(), seq >> 16)
}

pub fn bucket_prefix() -> String {
    format!("{SCOPE_MARK}b")
}

/// A comment that was found, for somebody who may read it.
#[derive(Debug, Clone, PartialEq)]
pub struct CommentHit {
    pub room_id: RoomId,
    pub thread_id: ThreadId,
    pub comment_id: CommentId,
    pub snippet: Snippet,
}

/// Where a page begins: matches that are older than `before`, in order, without the first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchCursor {
    pub before: i64,
    pub skipped: usize,
}

impl SearchCursor {
    pub const FIRST: Self = Self { before: i64::MAX, skipped: 0 };

    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.before, self.skipped))
    }

    /// A place in a list, which shows nobody what they may not see: it need not be sealed.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        if raw.is_empty() {
            return Ok(Self::FIRST);
        }
        let read = || {
            let short = Some(raw).filter(|raw| raw.len() <= CURSOR_CHARS_MAX)?;
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(short).ok()?).ok()?;
            let (before, skipped) = text.split_once('.')?;
            Some(Self { before: before.parse().ok()?, skipped: skipped.parse().ok()? })
        };
        read().ok_or_else(|| Error::invalid("cursor", "is not a cursor of this search"))
    }
}
