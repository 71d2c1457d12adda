//! What must never happen: a panic, half an update, or a broken document.

use proptest::prelude::*;
use yrs::updates::decoder::Decode;

use super::super::*;
use super::oracle::{bytes, cases, check_books, encoding};

/// Updates of real documents, in both formats.
fn updates() -> Vec<(Vec<u8>, Encoding)> {
    let mut updates = Vec::new();
    for case in cases() {
        for step in case["steps"].as_array().unwrap() {
            let update = bytes(&step["update"]);
            if encoding(&case) == Encoding::V2
                && let Ok(decoded) = yrs::Update::decode_v2(&update)
            {
                use yrs::updates::encoder::Encode;
                updates.push((decoded.encode_v1(), Encoding::V1));
            }
            updates.push((update, encoding(&case)));
        }
    }
    updates
}

/// Everything that can be seen of a document. What waits may overlap, so it counts as ranges.
fn looks(document: &YDocument) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut waiting = Deletions::default();
    for (block, _) in document.waiting.blocks() {
        waiting.insert(block.client, block.clock, block.end());
    }
    let mut ranges = Vec::new();
    waiting.put_v1(&mut ranges);
    document.waiting.deletions.put_v1(&mut ranges);
    (document.snapshot(Encoding::V1), document.state_vector(), ranges)
}

fn apply(document: &mut YDocument, update: &[u8], encoding: Encoding) {
    let before = looks(document);
    match document.apply(update, encoding) {
        Ok(effect) if effect.changed() => check_books(document),
        Ok(_) => assert_eq!(looks(document), before),
        Err(problem) => {
            assert_ne!(problem, Rejected::Broken, "{update:?}");
            assert_eq!(looks(document), before);
        }
    }
    let all = document.encode_all(encoding).unwrap();
    let mut again = YDocument::new();
    again.apply(&all, encoding).unwrap();
    assert_eq!(looks(&again), looks(document));
    document.view(view::Options { formatting: true, ..Default::default() }).unwrap();
}

fn runs() -> ProptestConfig {
    let runs = std::env::var("YJS_RUNS").ok().and_then(|runs| runs.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(runs.unwrap_or(48)) }
}

fn with_updates(run: impl Fn(&[(Vec<u8>, Encoding)])) {
    thread_local!(static UPDATES: Vec<(Vec<u8>, Encoding)> = updates());
    UPDATES.with(|updates| run(updates));
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn random_bytes_are_refused_or_applied_whole(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        is_v2 in any::<bool>(),
    ) {
        let mut document = YDocument::new();
        apply(&mut document, &noise, if is_v2 { Encoding::V2 } else { Encoding::V1 });
        let _ = document.diff(&noise, Encoding::V1);
        let _ = YDocument::load([noise.as_slice()]);
    }

    #[test]
    fn real_updates_that_were_cut_or_changed_are_refused_or_applied_whole(
        picks in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4_u8),
            1..30,
        ),
    ) {
        with_updates(|updates| {
            let mut document = YDocument::new();
            for (which, at, byte, how) in &picks {
                let (mut update, encoding) = updates[which.index(updates.len())].clone();
                let at = at.index(update.len());
                match how {
                    0 => update.truncate(at),
                    1 => update[at] = *byte,
                    2 => update[at] ^= 1 << (byte & 7),
                    _ => {}
                }
                apply(&mut document, &update, encoding);
            }
        });
    }

    #[test]
    fn the_order_of_updates_does_not_matter(
        which in any::<prop::sample::Index>(),
        order in prop::collection::vec(any::<u16>(), 40),
    ) {
        let cases = cases();
        let case = &cases[which.index(cases.len())];
        let steps = case["steps"].as_array().unwrap();
        let mut shuffled: Vec<_> = steps.iter().zip(order.iter().cycle()).collect();
        shuffled.sort_by_key(|(_, key)| **key);
        let mut document = YDocument::new();
        for (step, _) in shuffled {
            apply(&mut document, &bytes(&step["update"]), encoding(case));
        }
        prop_assert_eq!(document.snapshot(Encoding::V1), bytes(&case["snapshots"][0]));
    }
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn updates_go_in_together_all_or_none(
        which in any::<prop::sample::Index>(),
        order in prop::collection::vec(any::<u16>(), 40),
        at_once in 1_usize..12,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let cases = cases();
        let case = &cases[which.index(cases.len())];
        let steps = case["steps"].as_array().unwrap().iter().map(|step| bytes(&step["update"]));
        let mut steps: Vec<_> = steps.zip(order.iter().cycle()).collect();
        steps.sort_by_key(|(_, key)| **key);
        for (at, byte) in &damage {
            let step = at.index(steps.len());
            let update = &mut steps[step].0;
            let at = at.index(update.len());
            update[at] = *byte;
        }
        let mut document = YDocument::new();
        for steps in steps.chunks(at_once) {
            let before = looks(&document);
            let updates: Vec<&[u8]> = steps.iter().map(|(update, _)| update.as_slice()).collect();
            if document.apply_together(&updates, encoding(case)).is_err() {
                prop_assert_eq!(looks(&document), before);
                for update in &updates {
                    apply(&mut document, update, encoding(case));
                }
            }
            check_books(&document);
        }
        if damage.is_empty() {
            prop_assert_eq!(document.snapshot(Encoding::V1), bytes(&case["snapshots"][0]));
        }
    }
}

fn update_of(blocks: &[&[u8]]) -> Vec<u8> {
    let mut update = vec![1, u8::try_from(blocks.len()).unwrap(), 7, 0];
    blocks.iter().for_each(|block| update.extend_from_slice(block));
    update.push(0);
    update
}

#[test]
fn lists_are_not_tied_together() {
    let mut document = YDocument::new();
    let a: &[u8] = &[4, 1, 1, b'a', 1, b'x'];
    let b: &[u8] = &[4, 1, 1, b'b', 1, b'y'];
    document.apply(&update_of(&[a, b]), Encoding::V1).unwrap();
    let between = [1, 1, 8, 0, 0xc4, 7, 0, 7, 1, 1, b'z', 0];
    let before = looks(&document);
    assert!(document.apply(&between, Encoding::V1).is_err());
    assert_eq!(looks(&document), before);
    let in_a_text = [1, 1, 8, 0, 4, 0, 7, 0, 1, b'z', 0];
    assert!(document.apply(&in_a_text, Encoding::V1).is_err());
    assert_eq!(looks(&document), before);
}

#[test]
fn types_nest_to_a_limit() {
    let mut document = YDocument::new();
    let mut update = vec![1];
    let levels = u32::try_from(NESTING_LEVELS_MAX).unwrap();
    for beyond in 0..2 {
        update.truncate(1);
        wire::put_uint(&mut update, u64::from(levels + beyond));
        update.extend_from_slice(&[7, 0, 7, 1, 1, b'r', 0]);
        for parent in 0..levels + beyond - 1 {
            update.extend_from_slice(&[7, 0, 7]);
            wire::put_uint(&mut update, u64::from(parent));
            update.push(0);
        }
        update.push(0);
        assert_eq!(document.apply(&update, Encoding::V1).is_ok(), beyond == 0);
        if beyond == 0 {
            document.view(view::Options::default()).unwrap();
            document.apply(&[0, 1, 7, 1, 0, 1], Encoding::V1).unwrap();
            check_books(&document);
            assert_eq!(document.snapshot(Encoding::V1)[..5], [1, 7, 1, 0, 0x80]);
            document = YDocument::new();
        }
    }
}

#[test]
fn a_few_bytes_are_not_many_blocks() {
    // 2^49 empty texts, all of them one run in every column.
    let mut update = vec![0, 0, 1, 7, 0, 0, 1, 4, 3, 1, b'r', 1, 1, 1, 0, 0];
    update.extend_from_slice(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]);
    assert!(YDocument::new().apply(&update, Encoding::V2).is_err());
    let vector = [0xff, 0xff, 0xff, 0x7f, 1, 1];
    assert!(YDocument::new().diff(&vector, Encoding::V1).is_err());
    assert!(YDocument::new().diff(&[1, 5], Encoding::V1).is_err());
    let deep = [vec![1, 1, 7, 0, 8, 1, 1, b'r', 1], [117, 1].repeat(5000), vec![126, 0]].concat();
    assert!(YDocument::new().apply(&deep, Encoding::V1).is_err());
}

#[test]
fn empty_documents_look_like_those_of_yjs() {
    let document = YDocument::new();
    assert_eq!(document.snapshot(Encoding::V1), [0, 0]);
    assert_eq!(document.snapshot(Encoding::V2), [0, 0]);
    assert_eq!(document.diff(b"", Encoding::V1).unwrap(), [0, 0]);
    let v2 = document.diff(b"\0", Encoding::V2).unwrap();
    assert_eq!(v2, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(document.state_vector(), [0]);
}

#[test]
fn large_documents_are_cut_into_chunks() {
    let mut document = YDocument::new();
    let text = "x".repeat(3 * CHUNK_BYTES_MAX);
    let mut update = vec![1, 1, 7, 0, 4, 1, 1, b't'];
    wire::put_bytes(&mut update, text.as_bytes());
    update.push(0);
    let effect = document.apply(&update, Encoding::V1).unwrap();
    let chunks = document.compacted().unwrap();
    assert_eq!(chunks, effect.records);
    assert!(chunks.len() == 4 && chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES_MAX));
    let again = YDocument::load(chunks.iter().map(Vec::as_slice)).unwrap();
    assert_eq!(looks(&again), looks(&document));
    let cut = YDocument::load(chunks[..3].iter().map(Vec::as_slice));
    assert_eq!(cut.err().unwrap().record, 3);
}

#[test]
fn documents_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<YDocument>();
}
