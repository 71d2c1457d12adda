//! Against the real Yjs: `cases.json` is written by `tests/interop/node/yjs-cases.mjs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use yrs::updates::decoder::Decode;
use yrs::{ReadTxn, Transact};

use super::super::scan::scan;
use super::super::*;

pub fn cases() -> Vec<Value> {
    let path = std::env::var("YJS_CASES");
    let text = path.map(|path| std::fs::read_to_string(path).unwrap());
    serde_json::from_str(text.as_deref().unwrap_or(include_str!("cases.json"))).unwrap()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

pub fn encoding(case: &Value) -> Encoding {
    if case["v2"].as_bool().unwrap() { Encoding::V2 } else { Encoding::V1 }
}

/// Every step as Yjs sees it, with the log that comes of it.
fn replay(case: &Value) -> (YDocument, Vec<Vec<u8>>) {
    let mut document = YDocument::new();
    let mut log = Vec::new();
    for (at, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        let effect = document.apply(&bytes(&step["update"]), encoding(case)).unwrap();
        log.extend(effect.records);
        let hash = STANDARD.encode(document.snapshot_hash(encoding(case)));
        assert_eq!(hash, step["hash"], "case {}, step {at}", case["seed"]);
        check_books(&document);
    }
    (document, log)
}

/// The tables kept beside the engine say what a walk through the whole document says.
pub fn check_books(document: &YDocument) {
    let transaction = document.engine.doc().unwrap().transact();
    let snapshot = transaction.snapshot();
    let mut walked = Deletions::default();
    for (client, ranges) in snapshot.delete_set.iter() {
        for range in ranges.iter() {
            walked.insert(client.get(), range.start, range.end);
        }
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    document.deleted.put_v1(&mut ours);
    walked.put_v1(&mut theirs);
    assert_eq!(ours, theirs);
    let clocks = transaction.state_vector();
    let clocks: Clocks = clocks.iter().map(|(client, clock)| (client.get(), *clock)).collect();
    assert_eq!(document.clocks, clocks);
}

fn assert_ends_like(case: &Value, document: &YDocument) {
    let seed = &case["seed"];
    for (at, encoding) in [Encoding::V1, Encoding::V2].into_iter().enumerate() {
        assert_eq!(document.snapshot(encoding), bytes(&case["snapshots"][at]), "case {seed}");
        let hash = STANDARD.encode(document.snapshot_hash(encoding));
        assert_eq!(hash, case["hashes"][at], "case {seed}");
    }
    assert_eq!(document.state_vector(), bytes(&case["stateVector"]), "case {seed}");
    assert_eq!(document.is_waiting(), case["waits"].as_bool().unwrap(), "case {seed}");
}

#[test]
fn hashes_are_those_of_yjs_after_every_update() {
    for case in cases() {
        let (document, _) = replay(&case);
        assert_ends_like(&case, &document);
    }
}

#[test]
fn updates_that_are_applied_together_are_the_same_as_one_by_one() {
    for case in cases() {
        for at_once in [2, 3, 7, usize::MAX] {
            let mut document = YDocument::new();
            let mut log = Vec::new();
            for steps in case["steps"].as_array().unwrap().chunks(at_once) {
                let updates: Vec<_> = steps.iter().map(|step| bytes(&step["update"])).collect();
                let updates: Vec<&[u8]> = updates.iter().map(Vec::as_slice).collect();
                log.extend(document.apply_together(&updates, encoding(&case)).unwrap().records);
                let hash = STANDARD.encode(document.snapshot_hash(encoding(&case)));
                assert_eq!(hash, steps.last().unwrap()["hash"], "case {}", case["seed"]);
                check_books(&document);
            }
            assert_ends_like(&case, &document);
            let again = YDocument::load(log.iter().map(Vec::as_slice)).unwrap();
            assert_ends_like(&case, &again);
        }
    }
}

#[test]
fn the_log_opens_as_the_same_document() {
    for case in cases() {
        let (document, log) = replay(&case);
        let again = YDocument::load(log.iter().map(Vec::as_slice)).unwrap();
        assert_ends_like(&case, &again);
        let chunks = document.compacted().unwrap();
        let compacted = YDocument::load(chunks.iter().map(Vec::as_slice)).unwrap();
        assert_ends_like(&case, &compacted);
    }
}

#[test]
fn what_yjs_encodes_is_the_same_document() {
    for case in cases() {
        let mut document = YDocument::new();
        document.apply(&bytes(&case["all"]), encoding(&case)).unwrap();
        assert_ends_like(&case, &document);
    }
}

#[test]
fn a_diff_completes_a_peer_that_knows_a_part() {
    for case in cases() {
        let (document, _) = replay(&case);
        for encoding_of_diff in [Encoding::V1, Encoding::V2] {
            let mut peer = YDocument::new();
            let updates = case["steps"].as_array().unwrap();
            for step in &updates[..updates.len() / 2] {
                peer.apply(&bytes(&step["update"]), encoding(&case)).unwrap();
            }
            assert_eq!(read_state_vector(&bytes(&case["vector"])).unwrap(), peer.clocks);
            let diff = document.diff(&bytes(&case["vector"]), encoding_of_diff).unwrap();
            peer.apply(&diff, encoding_of_diff).unwrap();
            assert_ends_like(&case, &peer);
            let mut fresh = YDocument::new();
            let all = document.diff(b"\0", encoding_of_diff).unwrap();
            fresh.apply(&all, encoding_of_diff).unwrap();
            assert_ends_like(&case, &fresh);
        }
    }
}

#[test]
fn a_repeat_changes_nothing_and_is_not_logged() {
    for case in cases() {
        let (mut document, _) = replay(&case);
        for step in case["steps"].as_array().unwrap() {
            let effect = document.apply(&bytes(&step["update"]), encoding(&case)).unwrap();
            assert!(!effect.changed(), "case {}", case["seed"]);
        }
        assert!(!document.apply(&bytes(&case["all"]), encoding(&case)).unwrap().changed());
    }
}

#[test]
fn both_readers_read_the_same() {
    for case in cases() {
        for step in case["steps"].as_array().unwrap() {
            let update = bytes(&step["update"]);
            let decoded = match encoding(&case) {
                Encoding::V1 => yrs::Update::decode_v1(&update),
                Encoding::V2 => yrs::Update::decode_v2(&update),
            };
            let scanned = scan(&update, encoding(&case), false).unwrap();
            let mut writer = Writer::default();
            scanned.blocks().for_each(|(block, bytes)| writer.push(block, bytes));
            let rewritten = yrs::Update::decode_v1(&writer.finish(&scanned.deletions)).unwrap();
            assert_eq!(without_ids(&rewritten), without_ids(&decoded.unwrap()));
        }
    }
}

/// `yrs` gives every sub-document that it reads a random id.
fn without_ids(update: &yrs::Update) -> String {
    let text = format!("{update:?}");
    let mut parts = text.split("Doc(id: ");
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.map(|part| part.trim_start_matches(char::is_numeric)).collect::<String>()
}

#[test]
fn views_are_what_yjs_shows() {
    for case in cases() {
        let (document, _) = replay(&case);
        let seed = &case["seed"];
        let plain = document.view(view::Options::default()).unwrap();
        let text = view::Options { key: Some("text"), ..Default::default() };
        let formatted = document.view(view::Options { formatting: true, ..text }).unwrap();
        let text = document.view(text).unwrap();
        for (name, shown) in case["views"].as_object().unwrap() {
            let kind = match name.as_str() {
                "text" => {
                    assert_eq!(formatted["text"], shown[1], "case {seed}");
                    assert_eq!(text["text"], shown[0], "case {seed}");
                    continue;
                }
                "array" => view::Kind::Array,
                "map" => view::Kind::Map,
                _ => view::Kind::XmlFragment,
            };
            let asked = view::Options { key: Some(name), kind: Some(kind), formatting: false };
            assert_eq!(document.view(asked).unwrap()[name], *shown, "case {seed}");
            // Of what is empty nothing tells the kind.
            let is_empty = shown == ""
                || shown.as_array().is_some_and(Vec::is_empty)
                || shown.as_object().is_some_and(serde_json::Map::is_empty);
            assert!(is_empty || plain[name] == *shown, "case {seed}");
        }
    }
}
