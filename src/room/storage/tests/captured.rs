//! Captured traffic: what clients sent, and what a development server let each of them hear.
//!
//! An exchange that is marked `differs` is one in which that server is known to do otherwise; its
//! ops are applied and its answers not compared.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Start { start: String },
    Nodes { nodes: Vec<Value> },
    Exchange(Exchange),
}

#[derive(Deserialize)]
struct Exchange {
    note: Option<String>,
    send: Vec<(String, Vec<Value>)>,
    heard: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    differs: bool,
}

type Heard = BTreeMap<String, Vec<String>>;

fn value(op: &Op, op_id: Option<&str>) -> Value {
    let mut out = Vec::new();
    op.write_json(op_id, &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn hear(heard: &mut Heard, client: &str, op: &Value) {
    heard.entry(client.to_owned()).or_default().push(op.to_string());
}

fn exchange(document: &mut Document, exchange: &Exchange) -> Heard {
    let mut heard = Heard::new();
    for (sender, ops) in &exchange.send {
        for op in ops {
            let (op_id, op) = Op::parse(&op.to_string()).unwrap();
            let op_id = op_id.as_deref();
            // No file was ever uploaded.
            let applied = match op.file_id() {
                Some(_) => Applied::Rejected { reason: "".into() },
                None => document.apply(op, op_id),
            };
            check(document);
            match applied {
                Applied::Done { op, fixes } => {
                    hear(&mut heard, sender, &value(&op, op_id));
                    fixes.iter().for_each(|fix| hear(&mut heard, sender, &value(fix, None)));
                    for other in exchange.heard.keys().filter(|other| *other != sender) {
                        hear(&mut heard, other, &value(&op, None));
                    }
                }
                // The captured server has an empty acknowledgement for a repeated create.
                Applied::Echo(Op::Create(_)) => {
                    hear(&mut heard, sender, &value(&Op::Unknown, op_id));
                }
                Applied::Repeated { ack, .. } | Applied::Echo(ack) => {
                    hear(&mut heard, sender, &value(&ack, op_id));
                }
                // The fix for a node that is gone is ours; the captured server has none.
                Applied::Ignored | Applied::Gone(_) => {
                    hear(&mut heard, sender, &value(&Op::Unknown, op_id))
                }
                Applied::Rejected { .. } => hear(&mut heard, sender, &json!({"rejected": [op_id]})),
            }
        }
    }
    heard
}

#[test]
fn clients_hear_what_they_heard() {
    let mut document = Document::new();
    let mut compared = 0;
    let mut capture = String::new();
    for line in include_str!("captured.jsonl").lines() {
        match serde_json::from_str(line).unwrap() {
            Line::Start { start } => {
                capture = start;
                document = Document::new();
            }
            Line::Nodes { nodes: expected } => {
                let mut expected: Vec<_> = expected.iter().map(Value::to_string).collect();
                let parsed = nodes(&document);
                let parsed =
                    parsed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
                let mut found: Vec<_> = parsed.map(|node| node.to_string()).collect();
                expected.sort();
                found.sort();
                assert_eq!(found, expected);
                compared += 1;
            }
            Line::Exchange(sent) => {
                let mut found = exchange(&mut document, &sent);
                let mut expected: Heard = Heard::new();
                for (client, ops) in &sent.heard {
                    ops.iter().for_each(|op| hear(&mut expected, client, op));
                }
                // Fixes may stand before or behind the acknowledgement.
                expected.values_mut().for_each(|ops| ops.sort());
                found.values_mut().for_each(|ops| ops.sort());
                if !sent.differs {
                    assert_eq!(found, expected, "{capture}: {:?}", sent.note);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 80, "{compared}");
}
