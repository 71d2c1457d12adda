use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn metadata(value: Value) -> CommentMetadata {
    CommentMetadata::from_json("metadata", object(value)).unwrap()
}

fn patch(value: Value) -> MetadataPatch {
    MetadataPatch::from_json("metadata", object(value)).unwrap()
}

fn refusal(value: Value) -> String {
    let refused = CommentMetadata::from_json("comment.metadata", object(value));
    refused.unwrap_err().public().to_owned()
}

#[test]
fn values_are_texts_numbers_and_booleans() {
    let given = json!({ "a": "x", "b": 5, "c": -1.5, "d": true, "e": "" });
    let read = metadata(given.clone());
    assert_eq!(Value::Object(read.to_json()), given);
    assert_eq!(read.to_text(), given.to_string());
    assert_eq!(CommentMetadata::stored(&read.to_text()).unwrap(), read);
    assert_eq!(read.get("b"), Some(&MetadataScalar::Number(5.0)));
    assert_eq!(read.iter().len(), 5);
    for bad in [json!(null), json!([]), json!({}), json!(["x"])] {
        let refused = refusal(json!({ "key": bad }));
        assert!(refused.contains("'comment.metadata.key': must"), "{refused}");
    }
}

#[test]
fn metadata_at_its_limits_is_taken_and_over_them_named() {
    let key = |n: usize| format!("{n:02}{}", "é".repeat(METADATA_KEY_CHARS_MAX - 2));
    let full: Map<String, Value> =
        (0..50).map(|n| (key(n), Value::from("é".repeat(METADATA_TEXT_CHARS_MAX)))).collect();
    metadata(Value::Object(full));
    let many: Map<String, Value> = (0..51).map(|n| (n.to_string(), json!(n))).collect();
    assert_eq!(
        refusal(Value::Object(many)),
        "Invalid value for field 'comment.metadata': must have at most 50 keys, got 51"
    );
    assert!(refusal(json!({ "": 1 })).contains("a key must not be empty"));
    assert!(refusal(json!({ "k".repeat(41): 1 })).contains("at most 40 characters"));
    assert!(refusal(json!({ "k\0": 1 })).contains("NUL"));
    assert!(refusal(json!({ "k": "v\0" })).contains("'comment.metadata.k': must not contain the"));
    let long = refusal(json!({ "k": "v".repeat(100_000) }));
    assert!(long.contains("at most 4000 characters, got 100000"), "{long}");
    assert!(long.len() < 250, "{long}");
}

#[test]
fn a_patch_that_would_be_over_a_limit_changes_nothing() {
    let many: Map<String, Value> = (0..50).map(|n| (n.to_string(), json!(n))).collect();
    let mut full = metadata(Value::Object(many));
    let before = full.clone();
    let refused = full.merge("metadata", patch(json!({ "0": "x", "more": 1 }))).unwrap_err();
    assert!(refused.public().contains("at most 50 keys, got 51"));
    assert_eq!(full, before);
    // One that goes makes room for one that comes, whichever is first.
    full.merge("metadata", patch(json!({ "more": 1, "49": null, "nobody": null }))).unwrap();
    assert_eq!(full.iter().len(), 50);
    assert_eq!(full.get("49"), None);
}

type Model = Vec<(String, Value)>;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1e300..1e300).prop_map(|number: f64| json!(number)),
        "\\PC{0,8}".prop_map(Value::from),
    ]
}

fn patches() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![1 => Just(Value::Null), 3 => scalar()];
    proptest::collection::hash_map("[a-j]{1,2}", value, 0..20)
        .prop_map(|entries| entries.into_iter().collect())
}

/// The same as a merge, one key after the other in a list.
fn merge_model(model: &mut Model, patch: &Map<String, Value>) {
    for (key, value) in patch {
        model.retain(|(known, _)| known != key);
        if !value.is_null() {
            model.push((key.clone(), value.clone()));
        }
    }
}

fn same(metadata: &CommentMetadata, model: &Model) -> bool {
    let equal = |one: &Value, other: &Value| match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    };
    metadata.iter().len() == model.len()
        && model.iter().all(|(key, value)| {
            metadata.get(key).is_some_and(|found| equal(&found.to_json(), value))
        })
}

proptest! {
    #[test]
    fn merges_are_those_of_a_simple_list(
        all in proptest::collection::vec(patches(), 0..8)
    ) {
        let (mut merged, mut model) = (CommentMetadata::default(), Model::new());
        for given in all {
            let patch = MetadataPatch::from_json("metadata", given.clone()).unwrap();
            let mut next = model.clone();
            merge_model(&mut next, &given);
            let fits = next.len() <= METADATA_KEYS_MAX;
            prop_assert_eq!(merged.merge("metadata", patch.clone()).is_ok(), fits);
            if fits {
                model = next;
                // To say it twice is to say it once.
                let mut again = merged.clone();
                again.merge("metadata", patch).unwrap();
                prop_assert_eq!(&again, &merged);
            }
            prop_assert!(same(&merged, &model));
            let stored = CommentMetadata::stored(&merged.to_text()).unwrap();
            prop_assert_eq!(&stored, &merged);
        }
    }

    #[test]
    fn patches_of_different_keys_do_not_depend_on_their_order(
        start in patches(), one in patches(), other in patches()
    ) {
        let start = start.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let start = CommentMetadata::from_json("metadata", start).unwrap();
        let other: Map<_, _> = other.into_iter().filter(|(key, _)| !one.contains_key(key)).collect();
        let read = |given: &Map<String, Value>| {
            MetadataPatch::from_json("metadata", given.clone()).unwrap()
        };
        let both = one.clone().into_iter().chain(other.clone()).collect();
        let merge = |patches: &[MetadataPatch]| {
            let mut merged = start.clone();
            let done = patches.iter().try_for_each(|p| merged.merge("metadata", p.clone()));
            done.ok().map(|()| merged)
        };
        let at_once = merge(&[read(&both)]);
        for order in [[&one, &other], [&other, &one]] {
            if let Some(merged) = merge(&order.map(read)) {
                prop_assert_eq!(Some(merged), at_once.clone());
            }
        }
    }
}
