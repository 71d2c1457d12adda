//! How well a comment matches, and the part of it that is shown.

use std::ops::Range;

use super::words::{Word, words};

/// Words of a comment of usual length; shorter ones count more.
const USUAL_WORDS: f64 = 20.0;
/// How little a word counts that is there for the second, third, ... time.
const REPEATS: f64 = 1.2;
/// How much of that follows from the length of the comment.
const LENGTH_SHARE: f64 = 0.75;
/// The last word is searched for as a beginning; the whole of it counts more.
const BEGINNING_WEIGHT: f64 = 0.6;
/// Words that follow each other as they do in the search.
const NEIGHBOURS_WEIGHT: f64 = 0.5;

/// Characters of a snippet, and of what is shown before the first word that was found.
const SNIPPET_CHARS_MAX: usize = 200;
const SNIPPET_CHARS_BEFORE: usize = 60;

/// The greater, the better; `None` if a word is not there.
pub fn score(text: &str, searched: &[String]) -> Option<f64> {
    let found: Vec<Word> = words(text).collect();
    let (last, whole) = searched.split_last()?;
    let length = usual_lengths(found.len());
    let mut sum = 0.0;
    for wanted in whole {
        let count = found.iter().filter(|word| word.text == *wanted).count();
        sum += weight(usual_count(count), length)?;
    }
    let is_begun = |word: &&Word| word.text.starts_with(last.as_str());
    let exact = usual_count(found.iter().filter(|word| word.text == *last).count());
    let begun = usual_count(found.iter().filter(is_begun).count()) - exact;
    sum += weight(exact + BEGINNING_WEIGHT * begun, length)?;
    let follows = |pair: &[String]| {
        let [first, second] = pair else { return false };
        found.windows(2).any(|near| match near {
            [one, other] => one.text == *first && other.text.starts_with(second.as_str()),
            _ => false,
        })
    };
    let neighbours = searched.windows(2).filter(|pair| follows(pair)).count();
    Some(sum + NEIGHBOURS_WEIGHT * usual_count(neighbours))
}

fn weight(count: f64, length: f64) -> Option<f64> {
    let share = 1.0 - LENGTH_SHARE + LENGTH_SHARE * length;
    (count > 0.0).then(|| count / (count + REPEATS * share))
}

fn usual_lengths(words: usize) -> f64 {
    usual_count(words) / USUAL_WORDS
}

/// A comment has far fewer words than a number of 32 bits can count.
fn usual_count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A part of a text, with the words that were searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// As it is to be read.
    pub text: String,
    /// The same as HTML: the words are inside `<mark>`, and everything else is escaped.
    pub html: String,
}

impl Snippet {
    pub fn of(text: &str, searched: &[String]) -> Self {
        let marks = marks(text, searched);
        let first = marks.first().map_or(0, |mark| mark.start);
        let shown = window(text, first);
        let mut snippet = Self { text: String::new(), html: String::new() };
        if shown.start > 0 {
            snippet.push_plain("…");
        }
        let mut at = shown.start;
        for mark in marks.iter().filter(|mark| shown.start <= mark.start && mark.end <= shown.end) {
            snippet.push_plain(&text[at..mark.start]);
            snippet.html.push_str("<mark>");
            snippet.push_plain(&text[mark.clone()]);
            snippet.html.push_str("</mark>");
            at = mark.end;
        }
        snippet.push_plain(&text[at..shown.end]);
        if shown.end < text.len() {
            snippet.push_plain("…");
        }
        snippet
    }

    fn push_plain(&mut self, text: &str) {
        for c in text.chars() {
            let c = if c.is_whitespace() { ' ' } else { c };
            self.text.push(c);
            match c {
                '&' => self.html.push_str("&amp;"),
                '<' => self.html.push_str("&lt;"),
                '>' => self.html.push_str("&gt;"),
                '"' => self.html.push_str("&quot;"),
                '\'' => self.html.push_str("&#39;"),
                other => self.html.push(other),
            }
        }
    }
}

/// Where words stand that were searched for.
fn marks(text: &str, searched: &[String]) -> Vec<Range<usize>> {
    let Some((last, whole)) = searched.split_last() else { return Vec::new() };
    let is_searched = |word: &Word| word.text.starts_with(last) || whole.contains(&word.text);
    words(text).filter(is_searched).map(|word| word.place).collect()
}

/// The part of a text around a place, from a space to a space if there are some near.
fn window(text: &str, place: usize) -> Range<usize> {
    let before = text[..place].char_indices().rev().take(SNIPPET_CHARS_BEFORE);
    let before: Vec<(usize, char)> = before.collect();
    let start = match before.last() {
        None => place,
        Some((0, _)) => 0,
        Some((at, _)) => {
            let space = before.iter().rev().find(|(_, c)| c.is_whitespace());
            space.map_or(*at, |(at, c)| at + c.len_utf8())
        }
    };
    let after: Vec<(usize, char)> =
        text[start..].char_indices().take(SNIPPET_CHARS_MAX + 1).collect();
    let end = match after.get(SNIPPET_CHARS_MAX) {
        None => text.len(),
        Some((cut, _)) => {
            let ends = |(at, c): &&(usize, char)| c.is_whitespace() && start + at > place;
            let space = after.iter().take(SNIPPET_CHARS_MAX).rev().find(ends);
            start + space.map_or(*cut, |(at, _)| *at)
        }
    };
    start..end
}
