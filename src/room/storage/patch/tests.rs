//! Patches on documents that say everything by being read again.

mod live;
mod oracle;
mod rfc;
mod words;

use serde_json::{Value, json};

use super::super::document::{Applied, Document};
use super::super::lson::{ops_from_lson, write_json, write_lson};
use super::super::write::NodeForm;
use super::{PatchError, PatchOp, apply_patch};

/// A document, and one that follows it by its ops, as the people in the room do.
struct Room {
    document: Document,
    follower: Document,
    ids: u64,
}

impl Room {
    /// All of it live.
    fn of(value: Value) -> Self {
        let (document, follower) = (Document::new(), Document::new());
        let mut room = Self { document, follower, ids: 0 };
        room.patch(json!([{"op": "add", "path": "", "value": value}])).unwrap();
        room
    }

    fn of_lson(value: &Value) -> Self {
        let mut room = Self::of(json!({}));
        let mut ids = 0;
        let mut new_id = || {
            ids += 1;
            format!("0:{ids}")
        };
        for op in ops_from_lson(value, &mut new_id).unwrap() {
            for document in [&mut room.document, &mut room.follower] {
                assert!(matches!(document.apply(op.clone(), None), Applied::Done { .. }), "{op:?}");
            }
        }
        room
    }

    fn patch(&mut self, patch: Value) -> Result<(), PatchError> {
        let before = dump(&self.document);
        let patch = PatchOp::parse_all(patch).unwrap();
        let ids = &mut self.ids;
        let mut new_id = || {
            *ids += 1;
            format!("1:{ids}")
        };
        match apply_patch(&mut self.document, &patch, &mut new_id) {
            Ok(ops) => {
                self.document.commit();
                for op in ops {
                    let applied = self.follower.apply(op.clone(), None);
                    assert!(applied == Applied::Done { op, fixes: Vec::new() }, "{applied:?}");
                }
                assert_eq!(dump(&self.follower), dump(&self.document));
                Ok(())
            }
            Err(error) => {
                assert_eq!(dump(&self.document), before, "a failed patch changed something");
                Err(error)
            }
        }
    }

    /// Patches with one operation and tells why that failed.
    fn fault(&mut self, op: &str, path: &str, other: Value) -> String {
        let other_name = if op == "move" || op == "copy" { "from" } else { "value" };
        self.patch(json!([{"op": op, "path": path, (other_name): other}])).unwrap_err().reason
    }

    fn json(&self) -> Value {
        let mut out = Vec::new();
        write_json(&self.document, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    fn lson(&self) -> Value {
        let mut out = Vec::new();
        write_lson(&self.document, &mut out);
        serde_json::from_slice(&out).unwrap()
    }
}

fn dump(document: &Document) -> Vec<String> {
    let lines = document.node_lines(NodeForm::Full).map(|lines| String::from_utf8(lines).unwrap());
    let mut lines: Vec<String> =
        lines.flat_map(|lines| lines.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines.sort();
    lines
}
