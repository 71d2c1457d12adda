//! Texts in quotes: `"it's"`, `'say "x"'`, with the escapes of JSON, since the client libraries
//! write their texts with a JSON encoder.

use winnow::prelude::*;
use winnow::stream::Location;
use winnow::token::{any, take_while};

use super::parser::{Input, Parsed, Problem};

/// Stands at a quote; reads up to the same quote.
pub(super) fn quoted(input: &mut Input<'_>) -> Parsed<String> {
    let start = input.current_token_start();
    let quote = any::<_, Problem>.parse_next(input)?;
    let plain = |c: char| c != quote && c != '\\' && c != '\0';
    let mut text = String::new();
    loop {
        text.push_str(take_while(0.., plain).parse_next(input)?);
        let at = input.current_token_start();
        match any::<_, Problem>.parse_next(input) {
            Err(_) => {
                return Err(Problem::wrong(start, "the quote that opens here is never closed"));
            }
            Ok('\\') => text.push(escape(input, at)?),
            // No stored text holds one, and a database would refuse it.
            Ok('\0') => return Err(Problem::wrong(at, NUL)),
            Ok(_) => return Ok(text),
        }
    }
}

const NUL: &str = "a text must not contain the NUL character";
const ESCAPE: &str = r#"one of the escapes \" \' \\ \/ \b \f \n \r \t \uXXXX"#;

/// What follows a backslash that stands at `at`.
fn escape(input: &mut Input<'_>, at: usize) -> Parsed<char> {
    let wrong = |_: Problem| Problem::expected(at, ESCAPE);
    match any.parse_next(input).map_err(wrong)? {
        same @ ('"' | '\'' | '\\' | '/') => Ok(same),
        'b' => Ok('\u{8}'),
        'f' => Ok('\u{c}'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'u' => unicode(input, at),
        _ => Err(Problem::expected(at, ESCAPE)),
    }
}

/// JSON writes what does not fit in sixteen bits as two escapes, a surrogate pair.
fn unicode(input: &mut Input<'_>, at: usize) -> Parsed<char> {
    let high = four_hex_digits(input, at)?;
    let code = match high {
        0 => return Err(Problem::wrong(at, NUL)),
        0xD800..=0xDBFF => {
            let half =
                |_: Problem| Problem::wrong(at, "half of a surrogate pair is not a character");
            "\\u".parse_next(input).map_err(half)?;
            let low = four_hex_digits(input, at)?;
            let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400);
            low.map(|low| 0x1_0000 + ((high - 0xD800) << 10) + low)
        }
        _ => Some(high),
    };
    code.and_then(char::from_u32)
        .ok_or(Problem::wrong(at, "half of a surrogate pair is not a character"))
}

fn four_hex_digits(input: &mut Input<'_>, at: usize) -> Parsed<u32> {
    let digits: &str = take_while(4, |c: char| c.is_ascii_hexdigit())
        .parse_next(input)
        .map_err(|_: Problem| Problem::expected(at, ESCAPE))?;
    u32::from_str_radix(digits, 16).map_err(|_| Problem::expected(at, ESCAPE))
}
