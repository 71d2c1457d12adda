//! No text makes the parser panic, and every error points into the text.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{SCHEMA_ERRORS_MAX, Schema};

fn stays_calm(text: &str) {
    let Err(errors) = Schema::parse(text) else { return };
    assert!((1..=SCHEMA_ERRORS_MAX).contains(&errors.iter().count()));
    for error in errors.iter() {
        assert!(text.get(error.span.clone()).is_some(), "{error:?}");
        assert!(error.to_string().len() < 2_000, "{error}");
    }
    let starts: Vec<_> = errors.iter().map(|error| error.span.start).collect();
    assert!(starts.is_sorted(), "{errors}");
}

const GOOD: &str = "# Things\ntype Storage {\n  a?: LiveList<LiveObject<Foo>> | null\n  \
    b: LiveMap<string, { x: number, 'y'?: (\"1\" | -2)[] }>;\n  c: Bar[][] // plain\n}\n\
    type Foo = { foo: LiveText, é: true }\ntype Bar { bar?: Bar | 'x\\u00e9' }\n";

const WORDS: [&str; 34] = [
    "type ",
    "Storage ",
    "Foo ",
    "a",
    "b",
    ":",
    "?:",
    "{",
    "}",
    "<",
    ">",
    "[",
    "]",
    "[]",
    "(",
    ")",
    "|",
    ",",
    ";",
    "=",
    "-",
    "1",
    "2.5",
    "\"x\"",
    "'",
    "\\",
    "#",
    "\n",
    "string",
    "null",
    "LiveMap",
    "LiveList<",
    "LiveObject<",
    "string,",
];

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        stays_calm(&text);
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        stays_calm(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words(words in vec(prop::sample::select(WORDS.to_vec()), 0..120)) {
        stays_calm(&words.concat());
        stays_calm(&format!("type Storage {{ a: {} }}", words.concat()));
    }

    #[test]
    fn a_good_text_with_parts_cut_and_put_elsewhere(
        cuts in vec((any::<Index>(), 0_usize..12, any::<Index>()), 1..8),
    ) {
        let mut chars: Vec<char> = GOOD.chars().collect();
        for (from, length, to) in cuts {
            let start = from.index(chars.len());
            let end = chars.len().min(start + length);
            let part: Vec<char> = chars.drain(start..end).collect();
            let place = to.index(chars.len() + 1);
            chars.splice(place..place, part);
        }
        stays_calm(&chars.into_iter().collect::<String>());
    }
}

#[test]
fn a_text_of_one_thing_only() {
    for part in WORDS {
        stays_calm(&part.repeat(5_000));
        stays_calm(&format!("type Storage {{ a: {}", part.repeat(5_000)));
    }
}
