//! Golden cases of proto JSON, by kind of field; and what no input may do.

use proptest::prelude::*;
use prost::Message;

use super::{Profile, ReadOptions, WriteJson, Writer, parse};
use crate::error::Code;
use crate::proto::testing::testing::v1::Kinds;

fn read(json: &str) -> Result<Kinds, String> {
    parse(json.as_bytes(), ReadOptions::default()).map_err(|error| error.public().to_owned())
}

fn write(message: &impl WriteJson, profile: Profile) -> String {
    let mut w = Writer::new(profile, 0);
    message.write_json(&mut w);
    String::from_utf8(w.finish().to_vec()).expect("JSON is UTF-8")
}

/// What comes out after reading; the two keys that are always written are cut off.
fn canonical(json: &str) -> String {
    let message = read(json).unwrap_or_else(|problem| panic!("{json}: {problem}"));
    let out = write(&message, Profile::Canonical);
    serde_json::from_str::<serde_json::Value>(&out).expect("valid JSON");
    out.replace("\"nullText\":null,\"alwaysList\":[],\"alwaysObject\":{}", "")
        .replace(",}", "}")
        .replace("{,", "{")
}

#[test]
fn every_kind_comes_back_in_canonical_form() {
    for (input, output) in [
        ("{}", "{}"),
        (r#"{"text":"a\"b\u0001é😀"}"#, r#"{"text":"a\"b\u0001é😀"}"#),
        (r#"{"small":-5}"#, r#"{"small":-5}"#),
        (r#"{"small":"7"}"#, r#"{"small":7}"#),
        (r#"{"small":1.0}"#, r#"{"small":1}"#),
        (r#"{"small":1e3}"#, r#"{"small":1000}"#),
        (r#"{"small":"1e2"}"#, r#"{"small":100}"#),
        (r#"{"big":"-9223372036854775808"}"#, r#"{"big":"-9223372036854775808"}"#),
        (r#"{"big":9007199254740993}"#, r#"{"big":"9007199254740993"}"#),
        (r#"{"bigUnsigned":"18446744073709551615"}"#, r#"{"bigUnsigned":"18446744073709551615"}"#),
        (r#"{"smallUnsigned":4294967295}"#, r#"{"smallUnsigned":4294967295}"#),
        (r#"{"single":1.5}"#, r#"{"single":1.5}"#),
        (r#"{"doubleNumber":"NaN"}"#, r#"{"doubleNumber":"NaN"}"#),
        (r#"{"doubleNumber":"-Infinity"}"#, r#"{"doubleNumber":"-Infinity"}"#),
        (r#"{"double_number":0.1}"#, r#"{"doubleNumber":0.1}"#),
        (r#"{"doubleNumber":1.7e12}"#, r#"{"doubleNumber":1700000000000}"#),
        (r#"{"doubleNumber":-0.0}"#, r#"{"doubleNumber":-0.0}"#),
        (r#"{"truth":true}"#, r#"{"truth":true}"#),
        (r#"{"truth":false}"#, "{}"),
        (r#"{"data":"-_8"}"#, r#"{"data":"+/8="}"#),
        (r#"{"data":"aGk="}"#, r#"{"data":"aGk="}"#),
        (r#"{"color":"COLOR_RED"}"#, r#"{"color":"COLOR_RED"}"#),
        (r#"{"color":1}"#, r#"{"color":"COLOR_RED"}"#),
        (r#"{"color":77}"#, r#"{"color":77}"#),
        (r#"{"maybeText":""}"#, r#"{"maybeText":""}"#),
        (r#"{"maybeSmall":0}"#, r#"{"maybeSmall":0}"#),
        (r#"{"numbers":[1,"2",3.0]}"#, r#"{"numbers":[1,2,3]}"#),
        (r#"{"colors":["COLOR_RED",0]}"#, r#"{"colors":["COLOR_RED","COLOR_UNSPECIFIED"]}"#),
        (r#"{"words":{"b":"2","a":"1"}}"#, r#"{"words":{"a":"1","b":"2"}}"#),
        (r#"{"byNumber":{"-1":"COLOR_RED"}}"#, r#"{"byNumber":{"-1":"COLOR_RED"}}"#),
        (r#"{"chosenText":""}"#, r#"{"chosenText":""}"#),
        (r#"{"chosenColor":"COLOR_RED"}"#, r#"{"chosenColor":"COLOR_RED"}"#),
        (r#"{"at":"2026-11-20T17:51:14.47Z"}"#, r#"{"at":"2026-11-20T17:51:14.470Z"}"#),
        (r#"{"at":"2022-01-02T03:04:05"}"#, r#"{"at":"2022-01-02T03:04:05.000Z"}"#),
        (r#"{"at":"2022-01-02T03:04:05.678+02:00"}"#, r#"{"at":"2022-01-02T01:04:05.678Z"}"#),
        (r#"{"at":"0001-01-01T00:00:00Z"}"#, r#"{"at":"0001-01-01T00:00:00.000Z"}"#),
        (
            r#"{"at":"9999-12-31T23:59:59.999999999Z"}"#,
            r#"{"at":"9999-12-31T23:59:59.999999999Z"}"#,
        ),
        (r#"{"lasting":"1.5s"}"#, r#"{"lasting":"1.500s"}"#),
        (r#"{"lasting":"-3s"}"#, r#"{"lasting":"-3s"}"#),
        (r#"{"mask":"fooBar,baz"}"#, r#"{"mask":"fooBar,baz"}"#),
        (
            r#"{"object":{"a":[1,2.5,null,"x",{"b":true}]}}"#,
            r#"{"object":{"a":[1,2.5,null,"x",{"b":true}]}}"#,
        ),
        (r#"{"any":null}"#, r#"{"any":null}"#),
        (r#"{"any":5.0}"#, r#"{"any":5}"#),
        (r#"{"list":[null]}"#, r#"{"list":[null]}"#),
        (r#"{"wrappedText":""}"#, r#"{"wrappedText":""}"#),
        (r#"{"wrappedBig":"5"}"#, r#"{"wrappedBig":"5"}"#),
        (r#"{"nothing":{"x":1}}"#, r#"{"nothing":{}}"#),
        (r#"{"type":"t"}"#, r#"{"type":"t"}"#),
    ] {
        assert_eq!(canonical(input), output, "{input}");
    }
}

#[test]
fn null_is_unset_for_every_kind() {
    let fields = [
        "text",
        "small",
        "big",
        "truth",
        "data",
        "color",
        "maybeText",
        "inner",
        "numbers",
        "words",
        "chosenText",
        "at",
        "lasting",
        "mask",
        "object",
        "list",
        "wrappedText",
        "nothing",
        "single",
    ];
    for field in fields {
        assert_eq!(canonical(&format!("{{\"{field}\":null}}")), "{}", "{field}");
    }
}

#[test]
fn unknown_fields_are_ignored_at_any_depth() {
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(canonical(&format!(r#"{{"NAME":{deep},"text":"x"}}"#)), r#"{"text":"x"}"#);
}

#[test]
fn what_is_wrong_is_named() {
    for (input, problem) in [
        (r#"{"small":2147483648}"#, "'small': must be a whole number of 32 bits, got 2147483648"),
        (r#"{"small":1.5}"#, "'small': must be a whole number of 32 bits, got 1.5"),
        (r#"{"smallUnsigned":-1}"#, "'smallUnsigned': must be a whole number from 0"),
        (r#"{"truth":"true"}"#, "'truth': invalid type: string \"true\", expected a boolean"),
        (r#"{"text":5}"#, "'text': invalid type: integer `5`, expected a string"),
        (r#"{"color":"COLOR_BLUE"}"#, "'color': no such value: `COLOR_BLUE`"),
        (r#"{"numbers":[null]}"#, "'numbers[0]'"),
        (r#"{"inner":{"inners":[{"small":"x"}]}}"#, "'inner.inners[0].small'"),
        (r#"{"text":"a","text":"b"}"#, "the field is given twice"),
        (r#"{"maybe_text":"a","maybeText":"b"}"#, "the field is given twice"),
        (r#"{"words":{"a":"1","a":"2"}}"#, "a key is given twice"),
        (r#"{"chosenText":"a","chosenColor":1}"#, "more than one member of choice"),
        (r#"{"at":"yesterday"}"#, "'at': must be a time as RFC 3339 has it"),
        (r#"{"data":"%%"}"#, "'data': must be base64"),
        ("[]", "expected an object (Kinds)"),
        ("null", "expected an object (Kinds)"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        (r#"{"text":"\ud800"}"#, "not valid JSON"),
        ("{} x", "not valid JSON"),
    ] {
        let error = read(input).expect_err(input);
        assert!(error.contains(problem), "{input}: {error}");
    }
}

#[test]
fn broken_utf8_and_deep_nesting_are_errors() {
    let code = |body: &[u8]| parse::<Kinds>(body, ReadOptions::default()).err().map(|e| e.code());
    assert_eq!(code(b"{\"text\":\"\xff\"}"), Some(Code::Malformed));
    assert_eq!(code(b"{\"unknown\":\"\xff\"}"), Some(Code::Malformed));
    let deep = format!("{}{}", "{\"inner\":".repeat(5000), "}".repeat(5000));
    assert_eq!(code(deep.as_bytes()), Some(Code::Malformed));
    let deep = format!("{{\"any\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(code(deep.as_bytes()), Some(Code::Malformed));
}

#[test]
fn options_change_what_is_accepted() {
    let options =
        |required, unknown_enums, trailing| ReadOptions { required, unknown_enums, trailing };
    let read = |json: &str, options| parse::<Kinds>(json.as_bytes(), options);
    let missing = read("{}", options(true, false, false)).expect_err("must is required");
    assert_eq!(missing.public(), "Missing key: 'must'.");
    let nested = read(r#"{"must":"","inner":{}}"#, options(true, false, false));
    assert_eq!(nested.expect_err("nested").public(), "Missing key: 'inner.must'.");
    let kinds = read(r#"{"color":"NOPE","colors":["NOPE",1]}"#, options(false, true, false));
    let kinds = kinds.expect("unknown enum names are dropped");
    assert_eq!((kinds.color, kinds.colors), (0, vec![1]));
    assert!(read("{}{} junk", options(false, false, true)).is_ok());
}

#[test]
fn the_snake_case_profile_writes_zeros() {
    let out = write(&Kinds::default(), Profile::SnakeCase);
    let json: serde_json::Value = serde_json::from_str(&out).expect("valid JSON");
    assert_eq!(json["big"], "0");
    assert_eq!(json["small_unsigned"], 0);
    assert_eq!(json["color"], "COLOR_UNSPECIFIED");
    assert_eq!(json["numbers"], serde_json::json!([]));
    assert_eq!(json["words"], serde_json::json!({}));
    assert_eq!(json["inner"], serde_json::Value::Null);
    assert!(json.get("inner").is_some(), "an unset message is null");
    assert!(json.get("maybe_text").is_none(), "an unset optional is left out");
    assert!(json.get("chosen_text").is_none(), "an unset member is left out");
    assert!(out.starts_with(r#"{"text":"","small":0"#), "in the order of the proto: {out}");
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        _ = read(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        _ = parse::<Kinds>(&bytes, ReadOptions::default());
        _ = Kinds::decode(&bytes[..]);
    }

    #[test]
    fn numbers_and_text_survive(
        text in ".{0,40}", small: i32, big: i64, big_unsigned: u64, double_number in any::<f64>(),
        data in prop::collection::vec(any::<u8>(), 0..40),
        words in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
        seconds in -62_135_596_800_i64..253_402_300_800, nanos in 0..1_000_000_000_i32,
    ) {
        let message = Kinds {
            text, small, big, big_unsigned, double_number, data: data.into(), words,
            at: Some(prost_types::Timestamp { seconds, nanos }),
            ..Kinds::default()
        };
        for profile in [Profile::Canonical, Profile::SnakeCase] {
            let mut back = read(&write(&message, profile)).map_err(TestCaseError::fail)?;
            if message.double_number.is_nan() {
                prop_assert!(back.double_number.is_nan());
                back.double_number = message.double_number;
            }
            // These two are always written, and the profile writes what Value cannot tell.
            back.always_object = None;
            if profile == Profile::SnakeCase {
                back.any = None;
            }
            prop_assert_eq!(&back, &message);
        }
    }
}
