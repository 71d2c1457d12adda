//! The header `Range` (RFC 9110, section 14), as far as it asks for one part of a file.

use std::ops::Range;

/// What of a file was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    Whole,
    /// From one byte on, and before another: at least one.
    Part(Range<u64>),
    /// A part that the file does not have.
    Nothing,
}

/// Several parts at once, other units and what cannot be read get the whole, as the RFC allows. So
/// does whoever asks for a part of an empty file: it has none, and clients that always ask for one
/// want it all the same.
pub fn select(range: &str, size: u64) -> Selected {
    let Some((unit, spec)) = range.split_once('=') else { return Selected::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Selected::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || size == 0 {
        return Selected::Whole;
    }
    let found = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Selected::Whole,
    };
    if found.is_empty() { Selected::Nothing } else { Selected::Part(found) }
}

/// One that is too large for us is larger than every file.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_given() {
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=2-5", 2..6),
            ("Bytes = 2-5 ", 2..6),
            ("bytes=99-", 99..100),
            ("bytes=90-1000", 90..100),
            ("bytes=90-99999999999999999999999", 90..100),
            ("bytes=-1", 99..100),
            ("bytes=-1000", 0..100),
            ("bytes=-99999999999999999999999", 0..100),
        ] {
            assert_eq!(select(range, 100), Selected::Part(part), "{range}");
        }
    }

    #[test]
    fn there_is_nothing_behind_the_end() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=99999999999999999999-", "bytes=-0"] {
            assert_eq!(select(range, 100), Selected::Nothing, "{range}");
        }
    }

    #[test]
    fn what_is_not_understood_gets_the_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=1-x",
            "bytes=+1-2",
            "bytes=--1",
            "bytes=0-1,3-4",
            "bytes=0-1, -5",
            "lines=0-1",
            "=0-1",
            "bytes=0 -1",
            "bytes=0x1-2",
        ] {
            assert_eq!(select(range, 100), Selected::Whole, "{range}");
        }
        for range in ["bytes=0-", "bytes=-1", "bytes=5-6"] {
            assert_eq!(select(range, 0), Selected::Whole, "{range}");
        }
    }
}
