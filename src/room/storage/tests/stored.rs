//! Snapshots and the log.

use super::*;

fn full() -> Document {
    let mut document = document(&[
        r#"{"type":3,"id":"root","data":{"a":1,"é\n":"x\ud83dy"}}"#,
        r#"{"type":2,"id":"l","parentId":"root","parentKey":"list"}"#,
        r#"{"type":8,"id":"1","parentId":"l","parentKey":"!","data":{"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}"#,
        r#"{"type":7,"id":"m","parentId":"l","parentKey":"\""}"#,
        r#"{"type":9,"id":"t","parentId":"m","parentKey":"text","data":[["abc"],["d",{"b":true}]],"version":3}"#,
        r#"{"type":11,"id":"f","parentId":"m","parentKey":"f","data":{"id":"fl_a","name":"a","size":3,"mimeType":"t"}}"#,
    ]);
    let edit = r#"{"opId":"0:1","type":10,"id":"t","baseVersion":3,"ops":[{"type":"insert","index":1,"text":"🔥\n"},{"type":"delete","index":0,"length":1}]}"#;
    done(send(&mut document, edit));
    document
}

#[test]
fn a_snapshot_is_read_back_however_it_is_cut() {
    let document = full();
    let whole = snapshot(&document);
    for bytes_max in [1, 2, 3, 7, 64, 100_000] {
        let chunks: Vec<_> = document.snapshot_in(bytes_max).collect();
        assert!(chunks.iter().all(|chunk| chunk.len() <= bytes_max));
        let loaded = Document::load(&chunks, [""; 0]).unwrap();
        check(&loaded);
        assert_eq!(snapshot(&loaded), whole);
    }
    let empty = Document::load([""; 0], [""; 0]).unwrap();
    assert!(empty.is_empty());
}

#[test]
fn a_loaded_text_still_knows_what_was_sent() {
    let document = full();
    let chunks: Vec<_> = document.snapshot_chunks().collect();
    let mut loaded = Document::load(&chunks, [""; 0]).unwrap();
    let again = r#"{"opId":"0:1","type":10,"id":"t","baseVersion":4,"ops":[{"type":"insert","index":1,"text":"🔥\n"},{"type":"delete","index":0,"length":1},{"type":"insert","index":0,"text":"!"}]}"#;
    let Applied::Repeated { tail: Some(tail), .. } = send(&mut loaded, again) else { panic!() };
    let mut record = Vec::new();
    encode_record(&tail, Some("0:1"), &mut record);
    let replayed = Document::load(&chunks, [&record]).unwrap();
    assert_eq!(snapshot(&replayed), snapshot(&loaded));
    assert!(matches!(send(&mut loaded, again), Applied::Repeated { tail: None, .. }));
}

#[test]
fn damage_is_found() {
    let whole = snapshot(&full());
    for cut in 1..whole.len() {
        assert!(Document::load([&whole.as_bytes()[..cut]], [""; 0]).is_err(), "{cut}");
    }
    let lines: Vec<_> = whole.lines().collect();
    for missing in 0..lines.len() {
        // Without what a text remembers, a snapshot is still one.
        if lines[missing].starts_with("{\"versions\"") {
            continue;
        }
        let rest: Vec<_> = lines.iter().enumerate().filter(|(at, _)| *at != missing).collect();
        let text: String = rest.into_iter().map(|(_, line)| format!("{line}\n")).collect();
        assert!(Document::load([text], [""; 0]).is_err(), "without {}", lines[missing]);
    }
    for record in ["", "{}", r#"{"type":5,"id":"nobody"}"#, r#"{"type":42}"#] {
        assert!(Document::load([&whole], [record]).is_err(), "{record}");
    }
}

#[test]
fn deep_and_wide_trees_do_not_need_the_stack() {
    let mut document = Document::with_limits(Limits::NONE);
    let mut parent = "root".to_owned();
    for number in 0..60_000 {
        let op = format!(r#"{{"type":7,"id":"{number}","parentId":"{parent}","parentKey":"k"}}"#);
        done(send(&mut document, &op));
        parent = number.to_string();
    }
    document.begin();
    done(send(&mut document, r#"{"type":5,"id":"0"}"#));
    document.rollback();
    assert_eq!(document.node_count(), 60_001);
    done(send(&mut document, r#"{"type":5,"id":"0"}"#));
    assert!(document.is_empty());
}
