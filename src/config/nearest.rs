//! What a mistyped name most likely means.

use super::options::{OPTIONS, OptionSpec};

/// The option that a mistyped name most likely means.
pub fn nearest(name: &str) -> Option<&'static OptionSpec> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let by_distance = OPTIONS.iter().map(|option| (distance(option.name, &name), option));
    let (distance, option) = by_distance.min_by_key(|(distance, _)| *distance)?;
    let is_close = distance <= option.name.len().max(name.len()) / 2;
    is_close.then_some(option)
}

/// Single-letter edits from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from_char) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to_char) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from_char != *to_char);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
