//! Random patches on random documents, beside another implementation of RFC 6902.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Room;

const STEPS: [&str; 9] = ["a", "b", "~c/", "0", "1", "2", "3", "-", ""];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        "[a-c]?".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), object(inner)]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    btree_map(prop::sample::select(STEPS.to_vec()), inner, 0..4)
        .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Paths that often lead somewhere.
fn path() -> impl Strategy<Value = String> {
    vec(prop::sample::select(STEPS.to_vec()), 0..4).prop_map(|steps| {
        steps
            .iter()
            .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
            .collect()
    })
}

fn operation() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (path(), value()).prop_map(|(p, v)| json!({"op": "add", "path": p, "value": v})),
        2 => path().prop_map(|p| json!({"op": "remove", "path": p})),
        2 => (path(), value()).prop_map(|(p, v)| json!({"op": "replace", "path": p, "value": v})),
        2 => (path(), path()).prop_map(|(f, p)| json!({"op": "move", "from": f, "path": p})),
        2 => (path(), path()).prop_map(|(f, p)| json!({"op": "copy", "from": f, "path": p})),
        1 => (path(), value()).prop_map(|(p, v)| json!({"op": "test", "path": p, "value": v})),
    ]
}

/// What the other implementation makes of it. A document of ours is always an object.
fn expected(before: &Value, patch: &[Value]) -> Option<Value> {
    let mut after = before.clone();
    for operation in patch {
        // The other one refuses what the RFC allows: to move the whole document to where it is.
        if operation["op"] == "move" && operation["from"] == "" && operation["path"] == "" {
            continue;
        }
        let patch: json_patch::Patch = serde_json::from_value(json!([operation])).unwrap();
        json_patch::patch(&mut after, &patch).ok()?;
        if !after.is_object() {
            return None;
        }
    }
    Some(after)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn patches_do_what_they_do_elsewhere(
        document in object(value()),
        patches in vec(vec(operation(), 1..4), 1..12),
    ) {
        let mut room = Room::of(document.clone());
        prop_assert_eq!(room.json(), document);
        for patch in patches {
            let before = room.json();
            let expected = expected(&before, &patch);
            let result = room.patch(Value::from(patch.clone()));
            match expected {
                Some(after) => {
                    prop_assert_eq!(result, Ok(()), "{:?} on {}", patch, before);
                    prop_assert_eq!(room.json(), after, "{:?} on {}", patch, before);
                }
                None => prop_assert!(result.is_err(), "{:?} on {}", patch, before),
            }
        }
    }
}
