//! Each rule of the protocol once.

use super::*;

const ROOM: [&str; 6] = [
    r#"{"type":2,"id":"l","parentId":"root","parentKey":"list"}"#,
    r#"{"type":8,"id":"a","parentId":"l","parentKey":"!","data":"A"}"#,
    r#"{"type":8,"id":"b","parentId":"l","parentKey":"\"","data":"B"}"#,
    r#"{"type":4,"id":"o","parentId":"root","parentKey":"obj","data":{"p":1}}"#,
    r#"{"type":7,"id":"m","parentId":"root","parentKey":"map"}"#,
    r#"{"type":8,"id":"k","parentId":"m","parentKey":"key","data":{"x":[null]}}"#,
];

#[test]
fn a_room_is_read_back() {
    let document = document(&ROOM);
    check(&document);
    let lines = [
        r#"["root",{}]"#,
        r#"["l",1,"root","list"]"#,
        r#"["a",3,"l","!","A"]"#,
        r#"["b",3,"l","\"","B"]"#,
        r#"["m",2,"root","map"]"#,
        r#"["k",3,"m","key",{"x":[null]}]"#,
        r#"["o",0,"root","obj",{"p":1}]"#,
    ];
    assert_eq!(nodes(&document), lines.join("\n"));
    let full: Vec<_> = document.node_lines(NodeForm::Full).collect();
    let full = String::from_utf8(full.concat()).unwrap();
    assert!(full.starts_with("[\"root\",{\"type\":0,\"data\":{}}]\n"), "{full}");
    assert!(full.contains(r#"["a",{"type":3,"parentId":"l","parentKey":"!","data":"A"}]"#));
    assert!(!document.is_empty() && Document::new().is_empty());
}

#[test]
fn chunks_are_cut_between_nodes() {
    let document = document(&ROOM);
    for bytes_max in 1..200 {
        let chunks: Vec<_> = document.chunks(NodeForm::Compact, b'\n', bytes_max).collect();
        assert_eq!(String::from_utf8(chunks.join(&b'\n')).unwrap(), nodes(&document));
        let fits = |chunk: &Vec<u8>| chunk.len() <= bytes_max || !chunk.contains(&b'\n');
        assert!(chunks.iter().all(fits), "{bytes_max}");
    }
}

#[test]
fn what_has_no_place_is_ignored() {
    let mut document = document(&ROOM);
    let before = snapshot(&document);
    for op in [
        r#"{"type":8,"id":"a","parentId":"m","parentKey":"z","data":1}"#,
        r#"{"type":4,"id":"root","parentId":"l","parentKey":"z","data":{}}"#,
        r#"{"type":8,"id":"n","parentId":"nobody","parentKey":"!","data":1}"#,
        r#"{"type":8,"id":"n","parentId":"n","parentKey":"!","data":1}"#,
        r#"{"type":8,"id":"n","parentId":"a","parentKey":"!","data":1}"#,
        r#"{"type":8,"id":"n","parentId":"o","parentKey":"q","data":1}"#,
        r#"{"type":5,"id":"nobody"}"#,
        r#"{"type":5,"id":"root"}"#,
        r#"{"type":3,"id":"nobody","data":{"a":1}}"#,
        r#"{"type":3,"id":"l","data":{"a":1}}"#,
        r#"{"type":6,"id":"l","key":"a"}"#,
        r#"{"type":1,"id":"o","parentKey":"!"}"#,
        r#"{"type":1,"id":"root","parentKey":"!"}"#,
        r#"{"type":10,"id":"o","baseVersion":0,"ops":[]}"#,
        r#"{"type":42,"id":"o"}"#,
        r#"{"type":0,"id":"root","data":{}}"#,
    ] {
        assert_eq!(send(&mut document, op), Applied::Ignored, "{op}");
    }
    let gone = Applied::Gone(Op::DeleteCrdt { id: "nobody".into() });
    let moved = r#"{"type":1,"id":"nobody","parentKey":"!"}"#;
    assert_eq!(send(&mut document, moved), gone, "the sender may not know that it is gone");
    assert_eq!(snapshot(&document), before);
    let mut ack = Vec::new();
    write_ack("0:7", &mut ack);
    assert_eq!(String::from_utf8(ack).unwrap(), r#"{"type":5,"opId":"0:7","id":"ACK"}"#);
}

#[test]
fn a_repeated_create_hears_where_the_node_is() {
    let mut document = document(&ROOM);
    let before = snapshot(&document);
    for (again, heard) in [
        (
            r#"{"type":8,"id":"a","parentId":"l","parentKey":"z","data":"A","intent":"set","deletedId":"b"}"#,
            r#"{"type":8,"id":"a","parentId":"l","parentKey":"!","data":"A","intent":"set"}"#,
        ),
        (ROOM[3], ROOM[3]),
        (ROOM[5], ROOM[5]),
    ] {
        let Applied::Echo(echo) = send(&mut document, again) else { panic!("{again}") };
        let (_, heard) = Op::parse(heard).unwrap();
        assert_eq!(echo, heard);
    }
    assert_eq!(snapshot(&document), before);
}

#[test]
fn a_child_and_a_plain_value_replace_each_other() {
    let mut document = document(&ROOM);
    let op = r#"{"type":2,"id":"c","parentId":"o","parentKey":"p"}"#;
    assert_eq!(done(send(&mut document, op)), [op]);
    assert!(document.node("o").unwrap().plain("p").is_none());
    let op = r#"{"type":7,"id":"d","parentId":"o","parentKey":"p"}"#;
    assert_eq!(done(send(&mut document, op)), [op]);
    assert!(document.node("c").is_none());
    let op = r#"{"type":3,"id":"o","data":{"p":null,"q":[ 1.50 ]}}"#;
    assert_eq!(done(send(&mut document, op)), [op]);
    assert!(document.node("d").is_none());
    assert_eq!(document.node("o").unwrap().plain("p"), Some(&Json::null()));
    assert_eq!(document.node("o").unwrap().plain("q").unwrap().get(), "[ 1.50 ]");
    for key in ["p", "p", "nothing"] {
        done(send(&mut document, &format!(r#"{{"type":6,"id":"o","key":"{key}"}}"#)));
    }
    assert_eq!(document.node("o").unwrap().plain_entries().count(), 1);
    done(send(&mut document, r#"{"type":6,"id":"root","key":"map"}"#));
    assert!(document.node("k").is_none() && document.node("m").is_none());
    check(&document);
}

#[test]
fn a_map_keeps_the_last_of_a_key() {
    let mut document = document(&ROOM);
    done(send(&mut document, r#"{"type":4,"id":"n","parentId":"m","parentKey":"key","data":{}}"#));
    assert!(document.node("k").is_none());
    assert_eq!(document.node("m").unwrap().child("key").unwrap().id(), "n");
    check(&document);
}

#[test]
fn an_insertion_onto_an_item_stands_behind_it() {
    let mut document = document(&ROOM);
    let op = r#"{"type":8,"id":"n","parentId":"l","parentKey":"!","data":1}"#;
    let put = r#"{"type":8,"id":"n","parentId":"l","parentKey":"!O","data":1}"#;
    assert_eq!(done(send(&mut document, op)), [put, r#"{"type":1,"id":"n","parentKey":"!O"}"#]);
    let op = r#"{"type":8,"id":"n2","parentId":"l","parentKey":"\"","data":1}"#;
    let fix = r#"{"type":1,"id":"n2","parentKey":"\"!"}"#;
    assert_eq!(done(send(&mut document, op))[1], fix);
    let op = r#"{"type":8,"id":"n3","parentId":"l","parentKey":"é  ","data":1}"#;
    assert_eq!(done(send(&mut document, op))[1], r#"{"type":1,"id":"n3","parentKey":"~"}"#);
    check(&document);
}

#[test]
fn a_push_stands_at_the_end() {
    let mut document = document(&ROOM[..1]);
    let mut push = |id: &str, key: &str| {
        let op = format!(
            r#"{{"type":8,"id":"{id}","parentId":"l","parentKey":"{key}","data":0,"intent":"push"}}"#
        );
        done(send(&mut document, &op))
    };
    assert_eq!(push("1", "!$").len(), 1);
    let second = push("2", "!$");
    assert_eq!(second[1], r#"{"type":1,"id":"2","parentKey":"!%"}"#);
    assert!(second[0].ends_with(r#""parentKey":"!%","data":0,"intent":"push"}"#));
    assert_eq!(push("3", "!")[1], r#"{"type":1,"id":"3","parentKey":"!&"}"#);
    assert_eq!(push("4", "zz").len(), 1);
    check(&document);
}

#[test]
fn a_set_replaces() {
    let set = |id: &str, key: &str, deleted: &str| {
        format!(
            r#"{{"type":8,"id":"{id}","parentId":"l","parentKey":"{key}","data":0,"intent":"set","deletedId":"{deleted}"}}"#
        )
    };
    let mut document = document(&ROOM);
    // What the sender replaced is gone without a word.
    assert_eq!(done(send(&mut document, &set("1", "!", "a"))), [set("1", "!", "a")]);
    // Somebody else replaced it first: the sender must drop that one.
    let second = done(send(&mut document, &set("2", "!", "a")));
    assert_eq!(second, [set("2", "!", "a"), r#"{"type":5,"id":"1"}"#.to_owned()]);
    // Only items of this list can be named.
    done(send(&mut document, &set("3", "x", "k")));
    assert!(document.node("k").is_some());
    done(send(&mut document, &set("4", "y", "l")));
    done(send(&mut document, &set("5", "z", "root")));
    // An item elsewhere in the list goes as well.
    done(send(&mut document, &set("6", "w", "b")));
    assert!(document.node("b").is_none());
    check(&document);
}

#[test]
fn a_move_finds_a_free_place() {
    let mut document = document(&ROOM);
    let mut send_move = |id: &str, key: &str| {
        done(send(&mut document, &format!(r#"{{"type":1,"id":"{id}","parentKey":"{key}"}}"#)))
    };
    let moved = |id: &str, key: &str| format!(r#"{{"type":1,"id":"{id}","parentKey":"{key}"}}"#);
    assert_eq!(send_move("a", "!"), [moved("a", "!")], "to where it is");
    assert_eq!(send_move("a", r#"\""#), [moved("a", r#"\"!"#), moved("a", r#"\"!"#)]);
    // The moved item itself may be the next one.
    assert_eq!(send_move("a", r#"\""#)[0], moved("a", r#"\" O"#));
    assert_eq!(send_move("a", "é ")[1], moved("a", "~"));
    check(&document);
}

#[test]
fn deleting_takes_everything_below() {
    let mut document = document(&ROOM);
    done(send(&mut document, r#"{"type":5,"id":"m"}"#));
    done(send(&mut document, r#"{"type":5,"id":"l"}"#));
    assert_eq!(document.node_count(), 2);
    check(&document);
    // An id that was deleted can be created again.
    done(send(&mut document, ROOM[0]));
    assert_eq!(document.node("l").unwrap().len(), 0);
}

#[test]
fn limits_refuse() {
    let mut document = Document::with_limits(Limits::TINY);
    let mut create = |id: usize, parent: &str, data: &str| {
        let op = format!(
            r#"{{"type":4,"id":"{id}","parentId":"{parent}","parentKey":"{id}","data":{data}}}"#
        );
        send(&mut document, &op)
    };
    let refused = |applied| matches!(applied, Applied::Rejected { .. });
    for id in 1..=4 {
        let parent = if id == 1 { "root".to_owned() } else { (id - 1).to_string() };
        done(create(id, &parent, "{}"));
    }
    assert!(refused(create(5, "4", "{}")), "too deep");
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(5000));
    assert!(refused(create(5, "root", &large)), "too many bytes");
    for id in 5..=7 {
        done(create(id, "root", "{}"));
    }
    assert!(refused(create(8, "root", "{}")), "too many nodes");
    let op = format!(r#"{{"type":3,"id":"root","data":{large}}}"#);
    assert!(refused(send(&mut document, &op)));
    check(&document);
}

/// What moves and what texts remember counts as well: else a document would grow past its limit.
#[test]
fn positions_and_histories_count() {
    let mut document = Document::with_limits(Limits::TINY);
    done(send(&mut document, ROOM[0]));
    done(send(&mut document, ROOM[1]));
    let long = "x".repeat(Limits::TINY.bytes_max);
    let refused = |applied| matches!(applied, Applied::Rejected { .. });
    let op = format!(r#"{{"type":1,"id":"a","parentKey":"{long}"}}"#);
    assert!(refused(send(&mut document, &op)), "a position");
    done(send(&mut document, r#"{"type":9,"id":"t","parentId":"root","parentKey":"t","data":[]}"#));
    let edits = (0..1_000).map_while(|number| {
        let op_id = format!("{number}{}", &long[..200]);
        let op = format!(
            r#"{{"opId":"{op_id}","type":10,"id":"t","baseVersion":{number},"ops":[{{"type":"insert","index":0,"text":"x"}},{{"type":"delete","index":0,"length":1}}]}}"#
        );
        (!refused(send(&mut document, &op))).then(|| check(&document))
    });
    assert!(edits.count() < 20, "of a text that stays empty");
    assert!(document.bytes() < 2 * Limits::TINY.bytes_max);
}

#[test]
fn bad_ops_name_their_id() {
    let problem = |op: &str| {
        let bad = Op::parse(op).unwrap_err();
        assert!(bad.op_id.as_deref().is_none_or(|id| id == "z"), "{bad:?}");
        (bad.op_id.is_some(), bad.problem)
    };
    let long = "x".repeat(300);
    assert_eq!(problem("1"), (false, "The op is malformed"));
    assert_eq!(problem(r#"{"opId":"z"}"#), (true, "The op is malformed"));
    assert_eq!(problem(r#"{"opId":"z","type":"8"}"#), (true, "The op is malformed"));
    assert_eq!(problem(r#"{"opId":"z","type":5}"#), (true, "The op lacks an id"));
    assert_eq!(problem(r#"{"type":8,"id":"n","parentId":"l"}"#), (false, "The op lacks a key"));
    assert!(problem(&format!(r#"{{"opId":"z","type":5,"id":"{long}"}}"#)).1.contains("too long"));
    let deep = "[".repeat(101) + &"]".repeat(101);
    assert!(problem(&format!(r#"{{"type":3,"id":"o","data":{{"a":{deep}}}}}"#)).1.contains("deep"));
    assert!(problem(r#"{"type":3,"id":"o","data":[]}"#).1.contains("object"));
    assert_eq!(
        Op::parse(r#"{"type":8.0,"id":"n","parentId":"l","parentKey":"!"}"#).unwrap().1.id(),
        Some("n")
    );
}

#[test]
fn files_are_described_in_full() {
    let file = |data: &str| {
        let op =
            format!(r#"{{"type":11,"id":"f","parentId":"root","parentKey":"f","data":{data}}}"#);
        let op = Op::parse(&op).unwrap().1;
        (op.file_id(), Document::new().apply(op, None))
    };
    let good =
        r#"{"id":"fl_AAAAAAAAAAAAAAAAAAAAA","name":"a.txt","size":3,"mimeType":"text/plain"}"#;
    let (id, applied) = file(good);
    assert_eq!(id.as_deref(), Some("fl_AAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(done(applied).len(), 1);
    for bad in [
        "1",
        "{}",
        r#"{"id":"x","name":"a","size":3,"mimeType":"t"}"#,
        r#"{"id":"fl_../","name":"a","size":3,"mimeType":"t"}"#,
        r#"{"id":"fl_a","name":"a","size":-3,"mimeType":"t"}"#,
    ] {
        let (id, applied) = file(bad);
        assert!(id.is_none() && matches!(applied, Applied::Rejected { .. }), "{bad}");
    }
}
