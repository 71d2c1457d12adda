//! Where an item stands in a live list: a fraction between 0 and 1, written in base 95.
//!
//! The digits are the printable ASCII characters, from space (0) to `~` (94). A position is not
//! empty and has no trailing space, so that positions compare as their bytes do. Between any two
//! there is always another one.
//!
//! Invariant: byte for byte what the clients compute, since they guess a position before the server
//! answers and two guesses that differ show as an item that jumps.

use std::borrow::Cow;

const DIGIT_MIN: u8 = b' ';
const DIGIT_MAX: u8 = b'~';

/// The position of the first item of an empty list.
pub const FIRST: &str = "!";

pub fn is_valid(position: &str) -> bool {
    let bytes = position.as_bytes();
    bytes.last().is_some_and(|last| *last != DIGIT_MIN) && bytes.iter().all(is_digit)
}

fn is_digit(byte: &u8) -> bool {
    (DIGIT_MIN..=DIGIT_MAX).contains(byte)
}

/// The position itself when it is one, and else the nearest thing that is.
pub fn normalise(text: &str) -> Cow<'_, str> {
    if is_valid(text) {
        return Cow::Borrowed(text);
    }
    let (low, high) = (u16::from(DIGIT_MIN), u16::from(DIGIT_MAX));
    let clamped = text.encode_utf16().map(|unit| unit.clamp(low, high));
    let digits = clamped.filter_map(|unit| u8::try_from(unit).ok()).collect();
    let position = finish(digits);
    if position.is_empty() { Cow::Borrowed(FIRST) } else { Cow::Owned(position) }
}

/// A position in front of this one.
pub fn before(position: &str) -> String {
    let mut digits = position.as_bytes().to_vec();
    let Some(at) = digits.iter().position(|digit| *digit != DIGIT_MIN) else {
        return FIRST.to_owned();
    };
    let is_last = at + 1 == digits.len();
    digits.truncate(at + 1);
    if is_last && let Some(digit) = digits.pop() {
        // One less than the lowest digit that is not zero is a zero and then the highest digit.
        match digit.checked_sub(1) {
            Some(less) if less > DIGIT_MIN => digits.push(less),
            _ => digits.extend([DIGIT_MIN, DIGIT_MAX]),
        }
    }
    finish(digits)
}

/// A position behind this one; the shortest that leaves room for pushing on.
pub fn after(position: &str) -> String {
    if !position.bytes().all(|byte| is_digit(&byte)) {
        return format!("{position}!");
    }
    let digits = position.trim_end_matches(' ').as_bytes();
    let width = if digits.len() <= 2 { 2 } else { (digits.len() - 2).next_multiple_of(3) + 2 };
    // The second width cannot overflow: its last digits are zeros.
    let next = add_one(digits, width).or_else(|| add_one(digits, width + 3));
    next.map_or_else(|| format!("{position}!"), finish)
}

/// The digits as a number of `width` digits, plus one. `None` when that needs one digit more.
fn add_one(digits: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut sum = digits.to_vec();
    sum.resize(width.max(digits.len()), DIGIT_MIN);
    for digit in sum.iter_mut().rev() {
        if *digit < DIGIT_MAX {
            *digit += 1;
            return Some(sum);
        }
        *digit = DIGIT_MIN;
    }
    None
}

/// A position between two others, given in either order. `None` when they are equal.
pub fn between(one: &str, other: &str) -> Option<String> {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    if low == high {
        return None;
    }
    let mut found = Vec::with_capacity(low.len() + 1);
    let mut is_bounded = true;
    let mut at = 0;
    // Each turn uses up a digit of one of the two; behind both the digits differ by 94.
    while at <= low.len().max(high.len()) {
        let least = low.as_bytes().get(at).copied().unwrap_or(DIGIT_MIN);
        let bound = if is_bounded { high.as_bytes().get(at).copied() } else { None };
        let most = bound.unwrap_or(DIGIT_MAX);
        at += 1;
        if most.saturating_sub(least) > 1 {
            found.push(((u16::from(least) + u16::from(most)) >> 1) as u8);
            break;
        }
        found.push(least);
        // One digit lower than the upper bound: whatever follows stays below it.
        is_bounded &= most == least;
    }
    Some(finish(found))
}

fn finish(mut digits: Vec<u8>) -> String {
    while digits.last() == Some(&DIGIT_MIN) {
        digits.pop();
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests;
