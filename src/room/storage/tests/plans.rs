//! Random plans against a model that is written another way.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::Model;
use super::*;

pub fn any_id() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("root".to_owned()), 8 => (0..14_u8).prop_map(|n| format!("0:{n}"))]
}

fn any_key() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["!", "\"", "! O", "a", "a ", "é", "", "~~", "k"])
        .prop_map(str::to_owned)
}

pub fn any_op() -> impl Strategy<Value = Value> {
    let create = (
        (proptest::sample::select(vec![2, 4, 7, 8, 8, 8]), any_id(), any_id(), any_key()),
        (proptest::sample::select(vec!["", "push", "set"]), any_id(), any::<bool>()),
    );
    let create = create.prop_map(|((code, id, parent, key), (intent, deleted, names))| {
        let mut op = json!({"type": code, "id": id, "parentId": parent, "parentKey": key});
        match code {
            4 => op["data"] = json!({"k": 1, "p": [null]}),
            8 => op["data"] = json!("a value that is longer than a short text"),
            _ => {}
        }
        if !intent.is_empty() {
            op["intent"] = intent.into();
        }
        if names && intent == "set" {
            op["deletedId"] = deleted.into();
        }
        op
    });
    prop_oneof![
        6 => create,
        2 => (any_id(), any_key())
            .prop_map(|(id, key)| json!({"type": 1, "id": id, "parentKey": key})),
        1 => (any_id(), any_key()).prop_map(|(id, key)| json!({"type": 3, "id": id, "data": {key: 2}})),
        1 => (any_id(), any_key()).prop_map(|(id, key)| json!({"type": 6, "id": id, "key": key})),
        1 => any_id().prop_map(|id| json!({"type": 5, "id": id})),
    ]
}

/// Ops that make a tree to begin with, so that few of the random ones are ignored.
pub fn with_start(ops: Vec<Value>) -> Vec<Value> {
    let create = |code: u64, id: &str, parent: &str, key: &str| json!({"type": code, "id": id, "parentId": parent, "parentKey": key});
    let mut all = vec![create(2, "0:0", "root", "l"), create(7, "0:1", "root", "m")];
    all.push(create(2, "0:2", "0:0", "!"));
    all.extend(ops);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_document_is_the_model(ops in proptest::collection::vec(any_op(), 1..80)) {
        let (mut document, mut model) = (Document::new(), Model::new());
        let mut replayed = Document::new();
        let mut client = Model::new();
        for mut op in with_start(ops) {
            let applied = send(&mut document, &op.to_string());
            let is_applied = model.apply(&mut op);
            check(&document);
            prop_assert_eq!(&Model::of(&document), &model);
            let Applied::Done { op: done, .. } = applied else {
                let changes_nothing =
                    matches!(applied, Applied::Ignored | Applied::Gone(_) | Applied::Echo(_));
                prop_assert!(!is_applied && changes_nothing);
                continue;
            };
            // Whoever applies what others hear has the same document.
            let mut heard: Value = serde_json::from_str(&json(&done)).unwrap();
            prop_assert_eq!(&heard, &op);
            prop_assert!(client.apply(&mut heard));
            let mut record = Vec::new();
            encode_record(&done, Some("0:1"), &mut record);
            replayed.replay(&record).unwrap();
        }
        prop_assert_eq!(&client, &model);
        check(&replayed);
        prop_assert_eq!(snapshot(&replayed), snapshot(&document));
        let chunks: Vec<_> = document.snapshot_in(100).collect();
        let loaded = Document::load(&chunks, [""; 0]).unwrap();
        check(&loaded);
        prop_assert_eq!(snapshot(&loaded), snapshot(&document));
    }

    #[test]
    fn a_rollback_leaves_no_trace(
        before in proptest::collection::vec(any_op(), 0..40),
        tried in proptest::collection::vec(any_op(), 0..40),
        after in proptest::collection::vec(any_op(), 0..20),
    ) {
        let mut document = Document::new();
        for op in with_start(before) {
            send(&mut document, &op.to_string());
        }
        let text = r#"{"type":9,"id":"t","parentId":"root","parentKey":"t","data":[["abc"]]}"#;
        send(&mut document, text);
        let untouched = snapshot(&document);
        document.begin();
        for (number, op) in tried.iter().enumerate() {
            send(&mut document, &op.to_string());
            let edit = format!(
                r#"{{"opId":"{number}","type":10,"id":"t","baseVersion":{number},"ops":[{{"type":"insert","index":{number},"text":"é"}}]}}"#
            );
            send(&mut document, &edit);
        }
        check(&document);
        document.rollback();
        check(&document);
        prop_assert_eq!(nodes(&document), untouched.lines().filter(|line| line.starts_with('[')).collect::<Vec<_>>().join("\n"));
        for op in tried.iter().chain(&after) {
            document.begin();
            send(&mut document, &op.to_string());
            document.commit();
            check(&document);
        }
    }

    #[test]
    fn garbage_is_no_op(text in prop_oneof![".{0,60}", r#"\{"type":[0-9.e-]{1,4}(,"(id|opId|data|ops|parentId|parentKey|baseVersion)":("a"|1|\{\}|\[\]|null|\[\{"type":"insert","index":-1,"text":"x"\}\])){0,8}\}"#]) {
        if let Ok((op_id, op)) = Op::parse(&text) {
            let mut document = document(&[r#"{"type":9,"id":"a","parentId":"root","parentKey":"t","data":[]}"#]);
            document.apply(op, op_id.as_deref());
            check(&document);
        }
    }
}
