mod changes;
mod whole;

use serde_json::Value;

use super::super::document::{Applied, Document};
use super::super::lson::ops_from_lson;
use super::super::op::Op;
use super::{Schema, Violation};

fn schema(text: &str) -> Schema {
    Schema::parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The document whose root has these fields, in plain LSON.
fn document(fields: Value) -> Document {
    let mut document = Document::new();
    let mut ids = 0;
    let mut new_id = || {
        ids += 1;
        format!("0:{ids}")
    };
    let root = serde_json::json!({"liveblocksType": "LiveObject", "data": fields});
    for op in ops_from_lson(&root, &mut new_id).unwrap() {
        assert!(matches!(document.apply(op, None), Applied::Done { .. }));
    }
    document
}

fn live(name: &str, data: Value) -> Value {
    serde_json::json!({"liveblocksType": name, "data": data})
}

fn said(result: Result<(), Violation>) -> String {
    result.map_or_else(|violation| violation.to_string(), |()| "fine".to_owned())
}

fn op(json: Value) -> Op {
    Op::parse(&json.to_string()).unwrap_or_else(|bad| panic!("{json}: {bad:?}")).1
}
