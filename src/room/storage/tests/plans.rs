//! Random plans against a model that is written another way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::position;

/// Every node in one map; everything is found by looking at all of them.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model(BTreeMap<String, (u64, String, String, Value)>);

impl Model {
    fn new() -> Self {
        let root = (0, String::new(), String::new(), json!({}));
        Self([("root".to_owned(), root)].into())
    }

    fn at(&self, parent: &str, key: &str) -> Option<String> {
        let found = self.0.iter().find(|(_, node)| node.1 == parent && node.2 == key);
        found.map(|(id, _)| id.clone())
    }

    fn keys(&self, list: &str) -> Vec<String> {
        let mut keys: Vec<_> =
            self.0.values().filter(|node| node.1 == list).map(|node| node.2.clone()).collect();
        keys.sort();
        keys
    }

    fn delete(&mut self, id: &str) {
        self.0.remove(id);
        let below: Vec<_> =
            self.0.iter().filter(|(_, node)| node.1 == id).map(|(id, _)| id.clone()).collect();
        below.iter().for_each(|id| self.delete(id));
    }

    fn delete_at(&mut self, parent: &str, key: &str) {
        if let Some(id) = self.at(parent, key) {
            self.delete(&id);
        }
        if let Some(data) = self.0.get_mut(parent).and_then(|node| node.3.as_object_mut()) {
            data.remove(key);
        }
    }

    fn free(&self, list: &str, key: &str) -> String {
        let next = self.keys(list).into_iter().find(|next| next.as_str() > key);
        next.map_or_else(|| position::after(key), |next| position::between(key, &next).unwrap())
    }

    /// Whether the op is applied; it is put right where it must be.
    fn apply(&mut self, op: &mut Value) -> bool {
        let id = op["id"].as_str().unwrap().to_owned();
        let code = op["type"].as_u64().unwrap();
        match code {
            1 => {
                let Some(parent) = self.0.get(&id).map(|node| node.1.clone()) else { return false };
                if self.0.get(&parent).is_none_or(|node| node.0 != 1) {
                    return false;
                }
                let mut key = position::normalise(op["parentKey"].as_str().unwrap()).into_owned();
                if self.at(&parent, &key).is_some_and(|occupant| occupant != id) {
                    key = self.free(&parent, &key);
                }
                self.0.get_mut(&id).unwrap().2.clone_from(&key);
                op["parentKey"] = key.into();
            }
            3 | 6 => {
                if self.0.get(&id).is_none_or(|node| node.0 != 0) {
                    return false;
                }
                if code == 6 {
                    self.delete_at(&id, op["key"].as_str().unwrap());
                } else {
                    for (key, value) in op["data"].as_object().unwrap() {
                        self.delete_at(&id, key);
                        self.0.get_mut(&id).unwrap().3[key] = value.clone();
                    }
                }
            }
            5 if id == "root" || !self.0.contains_key(&id) => return false,
            5 => self.delete(&id),
            _ => return self.create(op, id, code),
        }
        true
    }

    fn create(&mut self, op: &mut Value, id: String, code: u64) -> bool {
        let parent = op["parentId"].as_str().unwrap().to_owned();
        let kind = self.0.get(&parent).map_or(9, |node| node.0);
        if self.0.contains_key(&id) || kind > 2 || (kind == 0 && code == 8) {
            return false;
        }
        let mut key = op["parentKey"].as_str().unwrap().to_owned();
        if kind == 1 {
            key = position::normalise(&key).into_owned();
            match op["intent"].as_str() {
                Some("set") => {
                    let deleted = op["deletedId"].as_str().unwrap_or_default();
                    if self.0.get(deleted).is_some_and(|node| node.1 == parent) {
                        self.delete(deleted);
                    }
                    self.delete_at(&parent, &key);
                }
                Some("push") => {
                    let last = self.keys(&parent).pop().filter(|last| key <= *last);
                    key = last.map_or(key, |last| position::after(&last));
                }
                _ if self.at(&parent, &key).is_some() => key = self.free(&parent, &key),
                _ => {}
            }
            op["parentKey"] = key.as_str().into();
        } else {
            self.delete_at(&parent, &key);
        }
        let kind = match code {
            2 => 1,
            4 => 0,
            7 => 2,
            _ => 3,
        };
        self.0.insert(id, (kind, parent, key, op.get("data").cloned().unwrap_or(Value::Null)));
        true
    }

    fn of(document: &Document) -> Self {
        let text = nodes(document);
        let node = |line: &str| {
            let fields: Vec<Value> = serde_json::from_str(line).unwrap();
            let text = |at: usize| fields[at].as_str().unwrap().to_owned();
            if fields.len() == 2 {
                return (text(0), (0, String::new(), String::new(), fields[1].clone()));
            }
            let data = fields.get(4).cloned().unwrap_or(Value::Null);
            (text(0), (fields[1].as_u64().unwrap(), text(2), text(3), data))
        };
        Self(text.lines().map(node).collect())
    }
}

fn any_id() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("root".to_owned()), 8 => (0..14_u8).prop_map(|n| format!("0:{n}"))]
}

fn any_key() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["!", "\"", "! O", "a", "a ", "é", "", "~~", "k"])
        .prop_map(str::to_owned)
}

fn any_op() -> impl Strategy<Value = Value> {
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
fn with_start(ops: Vec<Value>) -> Vec<Value> {
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
                prop_assert!(!is_applied && matches!(applied, Applied::Ignored | Applied::Gone(_)));
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
