//! The transformation against a client that is written another way: it keeps characters, not pieces.

use std::sync::Arc;

use proptest::prelude::*;

use super::transform::lists;
use super::*;

/// UTF-16 code units, each with its attributes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model(Vec<(u16, Style)>);

impl Model {
    pub fn units(&self) -> usize {
        self.0.len()
    }

    pub fn push(&mut self, text: &str, style: Style) {
        self.0.extend(text.encode_utf16().map(|unit| (unit, style.clone())));
    }

    pub fn apply(&mut self, op: &TextOp) {
        let len = self.0.len();
        let range = |index: u32, length: u32| {
            let start = (index as usize).min(len);
            start..(start + length as usize).min(len)
        };
        match op {
            TextOp::Insert { index, text, attributes, .. } => {
                let at = range(*index, 0).start;
                let style = attributes.clone();
                let units: Vec<_> = text.encode_utf16().map(|unit| (unit, style.clone())).collect();
                self.0.splice(at..at, units);
            }
            TextOp::Delete { index, length } => drop(self.0.drain(range(*index, *length))),
            TextOp::Format { index, length, attributes } => {
                for (_, style) in &mut self.0[range(*index, *length)] {
                    let mut next: Attributes = style.as_deref().cloned().unwrap_or_default();
                    for (name, value) in attributes.iter() {
                        next.retain(|(found, _)| found != name);
                        if !value.is_null() {
                            next.push((name.clone(), value.clone()));
                        }
                    }
                    next.sort_by(|one, other| one.0.cmp(&other.0));
                    *style = (!next.is_empty()).then(|| Arc::new(next));
                }
            }
        }
    }

    fn of(text: &TextBody) -> Self {
        let segments = text.pieces().segments();
        assert!(segments.windows(2).all(|two| two[0].attributes != two[1].attributes));
        let units = segments.iter().flat_map(|segment| {
            assert!(!segment.text.is_empty());
            segment.text.encode_utf16().map(|unit| (unit, segment.attributes.clone()))
        });
        Self(units.collect())
    }

    /// As a server keeps it: half a surrogate pair is U+FFFD.
    fn repaired(&self) -> Self {
        let units: Vec<u16> = self.0.iter().map(|(unit, _)| *unit).collect();
        let text = String::from_utf16_lossy(&units);
        let styles = self.0.iter().map(|(_, style)| style.clone());
        Self(text.encode_utf16().zip(styles).collect())
    }
}

fn text(segments: &str) -> TextBody {
    TextBody::new(&Json::parse(segments).unwrap(), 0).unwrap()
}

fn update(base_version: u64, ops: &[TextOp]) -> TextUpdate {
    let ops = ops.to_vec();
    TextUpdate { id: "t".into(), base_version, version: None, accepted: 0, ops }
}

fn insert(index: u32, text: &str) -> TextOp {
    TextOp::insert(index, text, None)
}

fn delete(index: u32, length: u32) -> TextOp {
    TextOp::Delete { index, length }
}

fn accepted(text: &mut TextBody, base: u64, ops: &[TextOp], op_id: &str) -> TextUpdate {
    match text.update(update(base, ops), Some(op_id)) {
        Outcome::Done(update, _) => update,
        other => panic!("{other:?}"),
    }
}

fn shown(text: &TextBody) -> String {
    let mut out = Vec::new();
    text.pieces().write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn of_two_insertions_at_one_place_the_earlier_stays_left() {
    let mut text = text(r#"[["x"]]"#);
    accepted(&mut text, 0, &[insert(0, "A")], "0:1");
    let second = accepted(&mut text, 0, &[insert(0, "B")], "1:1");
    assert_eq!((second.base_version, second.version), (1, Some(2)));
    assert_eq!(second.ops, [insert(1, "B")]);
    assert_eq!(shown(&text), r#"[["ABx"]]"#);
}

#[test]
fn a_deletion_spares_what_was_typed_inside() {
    let mut text = text(r#"[["0123456789"]]"#);
    accepted(&mut text, 0, &[insert(5, "new")], "0:1");
    let second = accepted(&mut text, 0, &[delete(2, 6)], "1:1");
    assert_eq!(second.ops, [delete(2, 3), delete(5, 3)]);
    assert_eq!(shown(&text), r#"[["01new89"]]"#);
    // What is gone already is still a version.
    let third = accepted(&mut text, 0, &[delete(3, 2)], "1:2");
    assert_eq!((third.ops.len(), third.version), (0, Some(3)));
}

#[test]
fn a_base_must_be_known() {
    let mut text = TextBody::new(&Json::parse(r#"[["abc"]]"#).unwrap(), 7).unwrap();
    assert!(matches!(text.update(update(8, &[insert(0, "x")]), None), Outcome::Rejected(_)));
    assert!(matches!(text.update(update(6, &[insert(0, "x")]), None), Outcome::Rejected(_)));
    let Outcome::Echo(echo) = text.update(update(7, &[]), Some("0:1")) else { panic!() };
    assert_eq!((echo.base_version, echo.version, echo.ops.len()), (7, Some(7), 0));
    assert_eq!(accepted(&mut text, 7, &[delete(1, 100)], "0:2").ops, [delete(1, 2)]);
    assert_eq!(shown(&text), r#"[["a"]]"#);
}

/// Type `<1>`, lose the connection before the acknowledgement, type `<2>` and `<3>`.
#[test]
fn a_repeated_op_keeps_its_tail_and_is_applied_once() {
    let mut text = text("[]");
    accepted(&mut text, 0, &[insert(0, "<1>")], "0:1");
    accepted(&mut text, 1, &[insert(0, "other")], "1:1");
    let again = [insert(0, "<1>"), insert(3, "<2>"), insert(6, "<3>")];
    let repeat = |text: &mut TextBody| match text.update(update(2, &again), Some("0:1")) {
        Outcome::Repeated { ack, tail } => (ack, tail.map(|(tail, _)| tail)),
        other => panic!("{other:?}"),
    };
    let (ack, tail) = repeat(&mut text);
    let tail = tail.unwrap();
    assert_eq!((ack.base_version, ack.version, ack.ops.len()), (3, Some(3), 0), "after the tail");
    assert_eq!((tail.base_version, tail.version), (2, Some(3)));
    assert_eq!(tail.ops, [insert(8, "<2>"), insert(11, "<3>")]);
    assert_eq!(shown(&text), r#"[["other<1><2><3>"]]"#);
    let (ack, tail) = repeat(&mut text);
    assert_eq!((ack.version, tail), (Some(3), None));
}

#[test]
fn history_and_memory_end_somewhere() {
    use crate::room::storage::limits::{HISTORY_VERSIONS_MAX, OP_IDS_MAX};
    let mut text = text("[]");
    for number in 0..OP_IDS_MAX + 10 {
        accepted(&mut text, number as u64, &[insert(0, "x")], &format!("0:{number}"));
        text.trim();
    }
    let history = text.history().unwrap();
    assert_eq!(history.versions().count(), HISTORY_VERSIONS_MAX);
    assert_eq!(history.op_ids().count(), OP_IDS_MAX);
    let oldest = text.version() - HISTORY_VERSIONS_MAX as u64;
    let late = |base| text.history().unwrap().since(text.version(), base).is_some();
    assert!(late(oldest) && !late(oldest - 1));
}

#[test]
fn an_edit_that_costs_too_much_is_refused() {
    let mut text = text("[]");
    let many: Vec<_> = (0..TEXT_OPS_MAX).map(|_| insert(0, "x")).collect();
    accepted(&mut text, 0, &many, "0:1");
    let outcome = text.update(update(0, &many), Some("0:2"));
    assert!(matches!(outcome, Outcome::Rejected(_)), "100 million comparisons");
    assert!(matches!(text.update(update(0, &many[..9]), None), Outcome::Done(..)));
    let long = insert(0, &"x".repeat(TEXT_UNITS_MAX));
    assert!(matches!(text.update(update(2, &[long]), None), Outcome::Rejected(_)));
}

#[test]
fn a_pair_that_is_cut_keeps_its_length() {
    let mut body = text(r#"[["a🔥b"]]"#);
    accepted(&mut body, 0, &[insert(2, "z")], "0:1");
    assert_eq!(shown(&body), "[[\"a\u{FFFD}z\u{FFFD}b\"]]");
    let mut body = text(r#"[["a🔥b"]]"#);
    accepted(&mut body, 0, &[delete(2, 2)], "0:1");
    assert_eq!(shown(&body), "[[\"a\u{FFFD}\"]]");
    let mut body = text(r#"[["a🔥b"]]"#);
    let bold = Arc::new(vec![("b".into(), Json::parse("true").unwrap())]);
    let format = TextOp::Format { index: 2, length: 2, attributes: bold };
    accepted(&mut body, 0, &[format], "0:1");
    assert_eq!(shown(&body), r#"[["a"],["🔥b",{"b":true}]]"#);
}

#[test]
fn segments_take_their_normal_form() {
    let odd = r#"[["a",{}],["",{"b":1}],["b",null],["c",{"y":1,"x":null}],["d",{"y":1}]]"#;
    assert_eq!(shown(&text(odd)), r#"[["ab"],["cd",{"y":1}]]"#);
    for bad in ["1", "[1]", "[[]]", "[[1]]", r#"[["a",1]]"#, r#"[["a",{},1]]"#] {
        assert!(TextBody::new(&Json::parse(bad).unwrap(), 0).is_err(), "{bad}");
    }
}

/// No surrogate pairs: cutting one is the one case in which server and clients show different text.
fn any_op(plain: bool) -> impl Strategy<Value = TextOp> {
    let words = if plain { vec!["x", "yz", "éab"] } else { vec!["x", "🔥", "ab🔥🔥c"] };
    let style = prop_oneof![
        Just(None),
        (0..2_u8, 0..3_u8).prop_map(|(name, value)| {
            let value =
                if value == 2 { Json::null() } else { Json::parse(&value.to_string()).unwrap() };
            Some((["b", "i"][name as usize].into(), value))
        }),
    ];
    (0..3_u8, 0..12_u32, 0..6_u32, proptest::sample::select(words), style).prop_map(
        |(kind, index, length, word, style): (_, _, _, _, Option<(SmallText, Json)>)| {
            let attributes = style.map(|style| Arc::new(vec![style]));
            match (kind, attributes) {
                (0, attributes) => {
                    let kept = attributes.filter(|all| !all[0].1.is_null());
                    TextOp::insert(index, word, kept)
                }
                (1, Some(attributes)) => TextOp::Format { index, length, attributes },
                _ => TextOp::Delete { index, length },
            }
        },
    )
}

fn any_ops(plain: bool) -> impl Strategy<Value = Vec<TextOp>> {
    proptest::collection::vec(any_op(plain), 0..6)
}

/// Ops that lie within a text of so many units, as clients send them.
fn within(ops: Vec<TextOp>, mut units: usize) -> Vec<TextOp> {
    let mut kept = Vec::new();
    for op in ops {
        let Some(op) = op.clamp(units) else { continue };
        units += op.inserted_units();
        if let TextOp::Delete { length, .. } = &op {
            units -= *length as usize;
        }
        kept.push(op);
    }
    kept
}

fn start() -> TextBody {
    text(r#"[["0123456"],["789",{"b":1}]]"#)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Both orders end in the same text.
    #[test]
    fn both_orders_agree(later in any_ops(true), earlier in any_ops(true)) {
        let units = start().pieces().units();
        // Formats by two people on one range are for the later one to win; here only it has any.
        let earlier = earlier.into_iter().filter(|op| op.span().is_some()).collect();
        let (later, earlier) = (within(later, units), within(earlier, units));
        let spans: Vec<_> = earlier.iter().filter_map(TextOp::span).collect();
        let mut steps = usize::MAX;
        let (later_after, spans_after) = lists(later.clone(), spans, &mut steps).unwrap();
        let mut texts = earlier.iter().filter_map(|op| match op {
            TextOp::Insert { text, attributes, .. } => Some((text.clone(), attributes.clone())),
            _ => None,
        });
        let earlier_after = spans_after.into_iter().map(|span| {
            if !span.is_insert {
                return delete(span.index, span.length);
            }
            let (text, attributes) = texts.next().unwrap();
            TextOp::insert(span.index, &text, attributes)
        });
        let (mut one, mut other) = (Model::of(&start()), Model::of(&start()));
        earlier.iter().chain(&later_after).for_each(|op| one.apply(op));
        later.iter().cloned().chain(earlier_after).for_each(|op| other.apply(&op));
        prop_assert_eq!(one, other);
    }

    /// The pieces hold what a list of characters would, and undoing brings back what was there.
    #[test]
    fn pieces_hold_what_characters_would(updates in proptest::collection::vec(any_ops(true), 1..8)) {
        let mut body = start();
        let mut model = Model::of(&body);
        let mut undos = Vec::new();
        for ops in updates {
            let before = (shown(&body), body.version(), body.bytes());
            let (done, undo) = body.accept("t".into(), ops, Some("0:1"), 0);
            done.ops.iter().for_each(|op| model.apply(op));
            prop_assert_eq!(&Model::of(&body), &model);
            prop_assert_eq!(body.pieces().units(), model.0.len());
            prop_assert_eq!(&shown(&text(&shown(&body))), &shown(&body));
            undos.push((before, undo));
        }
        for (before, undo) in undos.into_iter().rev() {
            body.undo(undo);
            prop_assert_eq!((shown(&body), body.version(), body.bytes()), before);
        }
        prop_assert_eq!(body.history().unwrap(), &History::default());
    }

    /// Nothing panics, and lengths stay those of JavaScript, where surrogate pairs are cut.
    #[test]
    fn cut_pairs_keep_lengths(updates in proptest::collection::vec(any_ops(false), 1..8)) {
        let mut body = text(r#"[["🔥🔥"],["🔥x🔥",{"b":1}]]"#);
        let mut model = Model::of(&body);
        for ops in updates {
            let (done, _) = body.accept("t".into(), ops, None, 0);
            done.ops.iter().for_each(|op| model.apply(op));
            prop_assert_eq!(body.pieces().units(), model.repaired().0.len());
            prop_assert_eq!(Model::of(&body).0.len(), model.0.len());
        }
    }

    /// Several people who are late, and one server: whoever applies what it sends has its text.
    #[test]
    fn everybody_ends_with_the_text_of_the_server(
        plan in proptest::collection::vec((0..4_u64, any_ops(true)), 1..20),
    ) {
        let mut server = start();
        let mut versions = vec![Model::of(&server)];
        for (late, ops) in plan {
            let base = server.version().saturating_sub(late);
            let ops = within(ops, versions[base as usize].0.len());
            let outcome = server.update(update(base, &ops), None);
            let Outcome::Done(sent, _) = outcome else { continue };
            let mut client = versions.last().unwrap().clone();
            sent.ops.iter().for_each(|op| client.apply(op));
            prop_assert_eq!(&client, &Model::of(&server));
            versions.push(client);
        }
    }

    /// A long text is cut into pieces, which nobody sees.
    #[test]
    fn long_texts_are_edited_like_short_ones(edits in proptest::collection::vec((0..9000_u32, 0..3000_u32, 0..2500_usize), 1..12)) {
        let mut body = start();
        let mut model = Model::of(&body);
        for (index, length, inserted) in edits {
            let ops = vec![delete(index, length), insert(index, &"äb".repeat(inserted))];
            let (done, _) = body.accept("t".into(), ops, None, 0);
            done.ops.iter().for_each(|op| model.apply(op));
            prop_assert_eq!(&Model::of(&body), &model);
        }
    }
}
