//! `INSERT ... VALUES` with many rows.

use std::fmt::Write as _;

/// Rows in one statement, at most. sqlx asks SQLite for the name of each parameter, which SQLite
/// looks for in a list of all of them, so the cost of a statement grows with their square.
const ROWS_MAX: usize = 32;
const EXACT_ROWS_MAX: usize = 8;

/// Cuts rows into runs of few different lengths, since every length is one more text to prepare:
/// what is short goes at once, what is long in powers of two.
pub(super) fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = match rows.len() {
            0 => return None,
            exact @ 1..=EXACT_ROWS_MAX => exact,
            more => ROWS_MAX.min(1 << more.ilog2()),
        };
        let (run, rest) = rows.split_at(length);
        rows = rest;
        Some(run)
    })
}

/// `head ($1, $2), ($3, $4) tail`
pub(super) fn values(head: &str, rows: usize, columns: usize, tail: &str) -> String {
    let mut text = String::with_capacity(head.len() + rows * columns * 6 + tail.len());
    text.push_str(head);
    for row in 0..rows {
        for column in 0..columns {
            let before = match (row, column) {
                (0, 0) => "(",
                (_, 0) => "), (",
                (_, _) => ", ",
            };
            // Writing to a string cannot fail.
            let _ = write!(text, "{before}${}", row * columns + column + 1);
        }
    }
    text.push(')');
    text.push_str(tail);
    text
}

/// `head ($3, $4, $5) tail`
pub(super) fn list(head: &str, first: usize, count: usize, tail: &str) -> String {
    let mut text = String::with_capacity(head.len() + count * 6 + tail.len() + 2);
    text.push_str(head);
    for number in first..first + count {
        let before = if number == first { "(" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{before}${number}");
    }
    text.push(')');
    text.push_str(tail);
    text
}

/// `head ($3, $4), ($5, $6) tail`
pub(super) fn pairs(head: &str, first: usize, count: usize, tail: &str) -> String {
    let mut text = String::with_capacity(head.len() + count * 12 + tail.len());
    text.push_str(head);
    for number in (first..).step_by(2).take(count) {
        let before = if number == first { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{before}(${number}, ${})", number + 1);
    }
    text.push_str(tail);
    text
}

/// As [`values`], for SQLite alone: its parameters have no names to look for, and there is room for
/// more rows than there are, so that there are few texts. What is not bound is null.
pub(super) fn padded(head: &str, rows: usize, columns: usize, tail: &str) -> String {
    let rows = rows.next_power_of_two();
    let mut text = String::with_capacity(head.len() + rows * (columns * 2 + 2) + tail.len());
    text.push_str(head);
    for row in 0..rows {
        for column in 0..columns {
            text.push_str(match (row, column) {
                (0, 0) => "(?",
                (_, 0) => "),(?",
                (_, _) => ",?",
            });
        }
    }
    text.push(')');
    text.push_str(tail);
    text
}

/// Rows that one [`padded`] text takes, at most.
pub(super) const PADDED_ROWS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn values_number_their_parameters() {
        assert_eq!(values("V ", 2, 2, " T"), "V ($1, $2), ($3, $4) T");
        assert_eq!(list("IN ", 3, 2, " T"), "IN ($3, $4) T");
        assert_eq!(pairs("IN ", 3, 2, " T"), "IN ($3, $4), ($5, $6) T");
    }

    #[test]
    fn padded_texts_are_few() {
        assert_eq!(padded("V ", 3, 2, " T"), "V (?,?),(?,?),(?,?),(?,?) T");
        let texts: BTreeSet<String> =
            (1..=PADDED_ROWS_MAX).map(|rows| padded("V ", rows, 3, "")).collect();
        assert_eq!(texts.len(), 7);
    }

    #[test]
    fn runs_hold_every_row_in_order_and_have_few_lengths() {
        for count in [0, 1, 7, 8, 9, 63, 64, 65, 255, 256, 257, 2500] {
            let rows: Vec<usize> = (0..count).collect();
            assert_eq!(runs(&rows).collect::<Vec<_>>().concat(), rows);
            let fits = |run: &[usize]| run.len() <= 8 || run.len().is_power_of_two();
            assert!(runs(&rows).all(|run| fits(run) && run.len() <= ROWS_MAX));
        }
    }
}
