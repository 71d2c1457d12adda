use proptest::prelude::*;

use super::*;

mod oracle;

#[test]
fn pushes_count_in_base_95() {
    let mut position = FIRST.to_owned();
    let mut seen = vec![position.clone()];
    for _ in 1..8931 {
        position = after(&position);
        seen.push(position.clone());
    }
    let nth = |n: usize| seen[n - 1].as_str();
    assert_eq!([nth(1), nth(2), nth(3)], ["!", "!!", "!\""]);
    assert_eq!([nth(95), nth(96), nth(8930), nth(8931)], ["!~", "\"", "~~", "~~  !"]);
    assert!(seen.is_sorted_by(|one, next| one < next));
}

#[test]
fn the_examples_of_the_protocol_hold() {
    assert_eq!(between("!", "!!").as_deref(), Some("! O"));
    assert_eq!(between("a", "b").as_deref(), Some("aO"));
    assert_eq!(between("a", "aO").as_deref(), Some("a7"));
    assert_eq!(between("aO", "a").as_deref(), Some("a7"));
    assert_eq!(between("\"", "#").as_deref(), Some("\"O"));
    assert_eq!(between("#", "#!").as_deref(), Some("# O"));
    assert_eq!(between("a", "a"), None);
    assert_eq!(after("#!"), "#\"");
    assert_eq!(before("!"), " ~");
    assert_eq!(before("\""), "!");
    assert_eq!(before("!a"), "!");
    assert_eq!(before("  b"), "  a");
    assert_eq!(after("é"), "é!");
}

#[test]
fn what_is_no_position_becomes_one() {
    assert_eq!(normalise("é"), "~");
    assert_eq!(normalise("é "), "~");
    assert_eq!(normalise("a  "), "a");
    assert_eq!(normalise(""), "!");
    assert_eq!(normalise("   "), "!");
    assert_eq!(normalise("a\tb"), "a b");
    assert_eq!(normalise("🔥"), "~~");
    assert!(!is_valid("") && !is_valid(" ") && !is_valid("a ") && !is_valid("\u{7f}"));
    assert!(is_valid("!") && is_valid(" ~") && is_valid("a b"));
}

/// Few digits, so that equal beginnings and digits side by side are frequent.
fn any_position() -> impl Strategy<Value = String> {
    prop_oneof!["[ !\"ab}~]{0,6}[!\"ab}~]", "[ -~]{0,12}[!-~]"]
}

proptest! {
    #[test]
    fn neighbours_are_valid_and_on_their_side(position in any_position()) {
        let (less, more) = (before(&position), after(&position));
        prop_assert!(is_valid(&less) && less < position, "{less:?} before {position:?}");
        prop_assert!(is_valid(&more) && more > position, "{more:?} after {position:?}");
        prop_assert_eq!(normalise(&position), position.as_str());
    }

    #[test]
    fn between_is_strictly_between(one in any_position(), other in any_position()) {
        prop_assume!(one != other);
        let (low, high) = if one < other { (one, other) } else { (other, one) };
        let found = between(&low, &high).unwrap();
        prop_assert!(low < found && found < high, "{low:?} < {found:?} < {high:?}");
    }

    #[test]
    fn anything_normalises(text in ".{0,12}") {
        prop_assert!(is_valid(&normalise(&text)));
        let _ = (before(&text), after(&text), between(&text, "a"));
    }
}
