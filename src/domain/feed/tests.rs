use serde_json::json;

use super::*;

fn object(value: Value) -> FeedMetadata {
    value.as_object().unwrap().clone()
}

fn refusal<T: std::fmt::Debug>(refused: Result<T, Error>) -> String {
    refused.unwrap_err().public().to_owned()
}

/// An object with so many levels.
fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

#[test]
fn a_patch_replaces_adds_and_removes() {
    let mut metadata = object(json!({"a": "1", "b": "2", "c": ["x"]}));
    let patch = object(json!({"a": null, "b": ["3"], "d": 4, "nobody": null}));
    merge_metadata(&mut metadata, patch).unwrap();
    assert_eq!(Value::Object(metadata), json!({"b": ["3"], "c": ["x"], "d": 4}));
}

#[test]
fn metadata_over_a_limit_is_named() {
    let merged = |value| {
        let mut metadata = FeedMetadata::new();
        merge_metadata(&mut metadata, object(value))
    };
    let many: FeedMetadata = (0..=50).map(|n| (n.to_string(), Value::Bool(true))).collect();
    assert!(refusal(merged(Value::Object(many))).contains("at most 50 keys, got 51"));
    assert!(refusal(merged(json!({"": 1}))).contains("must not be empty"));
    assert!(refusal(merged(json!({"k".repeat(41): 1}))).contains("at most 40 characters"));
    assert!(refusal(merged(json!({"k\0": 1}))).contains("NUL"));
    assert!(refusal(merged(json!({"k": "v".repeat(33_000)}))).contains("at most 32768 bytes"));
    let deep: Value = serde_json::from_str(&nested(31)).unwrap();
    assert!(refusal(merged(deep)).contains("at most 30 levels, got 31"));
    merged(serde_json::from_str(&nested(30)).unwrap()).unwrap();
    merged(json!({"k\u{e9}".repeat(20): "v".repeat(32_000)})).unwrap();
}

#[test]
fn data_is_kept_as_it_came_and_refused_if_nobody_could_read_it() {
    let odd = r#"{"b": 1.0, "a": [ "\u00e9" ]}"#;
    assert_eq!(FeedData::parse(odd).unwrap().as_str(), odd);
    for bad in ["", "1", "[]", "null", r#"{"a":}"#, r#"{"a":"\ud800"}"#, r#"{"a":1e999}"#] {
        assert!(refusal(FeedData::parse(bad)).contains("must be a JSON object"), "{bad}");
    }
    FeedData::parse(&nested(30)).unwrap();
    assert!(refusal(FeedData::parse(&nested(31))).contains("at most 30 levels"));
    assert!(FeedData::parse(&nested(100_000)).is_err());
    let long = json!({"a": "x".repeat(DATA_BYTES_MAX)}).to_string();
    assert!(refusal(FeedData::parse(&long)).contains("at most 131072 bytes"));
}

#[test]
fn feeds_are_found_by_short_texts() {
    let metadata = object(json!({
        "text": "x", "number": 5, "flag": true, "list": ["b", "a", "b", null, {"no": 1}],
        "long": "x".repeat(257), "nothing": null, "object": {"a": "b"}, "nul": "a\0b",
    }));
    let found = searched_texts(&metadata);
    let found: Vec<(&str, &str)> = found.iter().map(|(key, text)| (*key, &**text)).collect();
    let expected = [("flag", "true"), ("list", "a"), ("list", "b"), ("number", "5"), ("text", "x")];
    assert_eq!(found, expected);
}

#[test]
fn times_are_whole_milliseconds() {
    assert_eq!(read_time_ms("t", 1_660_000_988_137.9).unwrap(), 1_660_000_988_137);
    assert_eq!(read_time_ms("t", -0.5).unwrap(), -1);
    for bad in [f64::NAN, f64::INFINITY, 8.65e15, -8.65e15] {
        assert!(refusal(read_time_ms("since", bad)).contains("'since'"));
    }
}

#[test]
fn cursors_come_back_and_others_are_refused() {
    let read = |cursor: &str| FeedQuery::read(cursor, None, None, Default::default());
    let cursor = FeedCursor { created_at_ms: -5, id: FeedId::trusted("a.b/c é") };
    assert_eq!(read(&cursor.to_text()).unwrap().after, Some(cursor.clone()));
    assert_eq!(read("").unwrap().after, None);
    for bad in ["x", "AAAA", "not a cursor", &"A".repeat(2_000)] {
        assert!(refusal(read(bad)).contains("'cursor'"), "{bad}");
    }
    let read = |cursor: &str| FeedMessageQuery::read(cursor, Some(7.0), Some(100));
    let place = FeedMessageCursor { created_at_ms: 9, seq: 3 };
    let query = read(&place.to_text()).unwrap();
    assert_eq!((query.after, query.since_ms, query.limit), (Some(place), 7, 100));
    assert!(refusal(read(&cursor.to_text())).contains("'cursor'"));
}

#[test]
fn limits_of_a_list_are_checked() {
    for bad in [0, -1, 101, i64::MIN] {
        assert!(refusal(FeedMessageQuery::read("", None, Some(bad))).contains("must be 1 to 100"));
    }
    assert_eq!(FeedMessageQuery::read("", None, None).unwrap().limit, 20);
    let filter = (0..11).map(|n| (n.to_string(), String::new())).collect();
    assert!(refusal(FeedQuery::read("", None, None, filter)).contains("at most 10 keys"));
    let filter = [("k".to_owned(), "v".repeat(257))].into();
    assert!(refusal(FeedQuery::read("", None, None, filter)).contains("'metadata.k'"));
}
