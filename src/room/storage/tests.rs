//! The document against the protocol: its rules one by one, captured traffic, and random plans.

mod captured;
pub mod model;
pub mod plans;
mod rules;
mod stored;

use super::*;

impl Document {
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }
}

/// A document after these ops.
fn document(ops: &[&str]) -> Document {
    let mut document = Document::new();
    for op in ops {
        let applied = send(&mut document, op);
        assert!(matches!(applied, Applied::Done { .. }), "{op}: {applied:?}");
    }
    document
}

fn send(document: &mut Document, op: &str) -> Applied {
    let (op_id, op) = Op::parse(op).unwrap();
    document.apply(op, op_id.as_deref())
}

fn json(op: &Op) -> String {
    let mut out = Vec::new();
    op.write_json(None, &mut out);
    String::from_utf8(out).unwrap()
}

/// What others hear, and then the fixes, as JSON.
fn done(applied: Applied) -> Vec<String> {
    let Applied::Done { op, fixes } = applied else { panic!("{applied:?}") };
    [op].iter().chain(&fixes).map(json).collect()
}

/// The nodes as a client loads them.
pub fn nodes(document: &Document) -> String {
    let chunks: Vec<_> = document.node_lines(NodeForm::Compact).collect();
    String::from_utf8(chunks.join(&b'\n')).unwrap()
}

/// The whole document with everything it remembers.
pub fn snapshot(document: &Document) -> String {
    String::from_utf8(document.snapshot_chunks().collect::<Vec<_>>().concat()).unwrap()
}

/// What must hold for every document at every time.
pub fn check(document: &Document) {
    let mut pending = vec![document.root()];
    let (mut count, mut bytes) = (0, 0);
    while let Some(node) = pending.pop() {
        count += 1;
        bytes += node.node().unwrap().bytes();
        assert_eq!(document.node(node.id()).map(|found| found.id()), Some(node.id()));
        let children: Vec<_> = node.children().collect();
        assert_eq!(children.len(), node.len());
        assert!(children.is_sorted_by(|one, next| one.0 < next.0), "keys are in order");
        for (index, (key, child)) in children.into_iter().enumerate() {
            let (parent, under) = child.parent().unwrap();
            assert_eq!((parent.id(), under), (node.id(), key));
            assert_eq!(node.child(key).map(|found| found.id()), Some(child.id()));
            assert_eq!(node.child_at(index).map(|found| found.id()), Some(child.id()));
            assert_eq!(child.index(), Some(index));
            assert_eq!(child.depth(), node.depth() + 1);
            assert!(node.plain(key).is_none(), "a key has a child or a plain value");
            assert!(node.kind() != Kind::List || crate::domain::position::is_valid(key));
            pending.push(child);
        }
    }
    assert_eq!(count, document.node_count(), "no node is out of the tree");
    assert_eq!(bytes, document.bytes());
}
