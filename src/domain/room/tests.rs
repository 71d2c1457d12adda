use super::*;
use crate::domain::metadata::METADATA_KEYS_MAX;

fn room() -> Room {
    RoomDraft {
        id: RoomId::trusted("r"),
        organization_id: OrganizationId::default(),
        default_accesses: list(&["*:write"]),
        users_accesses: Accesses::from([("ann".into(), list(&["*:read"]))]),
        groups_accesses: Accesses::from([("staff".into(), list(&["*:write"]))]),
        metadata: RoomMetadata::from([("a".into(), "1".into()), ("b".into(), "2".into())]),
        engine: Engine::V2,
    }
    .into_room(7)
}

fn list(scopes: &[&str]) -> ScopeList {
    ScopeList::trusted(scopes)
}

fn merge<V, const N: usize>(entries: [(&str, Option<V>); N]) -> MapPatch<V> {
    MapPatch::Merge(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[test]
fn a_patch_merges_entries_and_removes_nulls() {
    let mut room = room();
    let patch = RoomPatch {
        metadata: merge([("a", None), ("c", Some("3".into())), ("absent", None)]),
        users_accesses: merge([("bob", Some(list(&["comments:write"])))]),
        groups_accesses: MapPatch::Clear,
        ..RoomPatch::NOTHING
    };
    assert!(!patch.is_empty());
    patch.apply(&mut room).unwrap();
    assert_eq!(
        room.metadata,
        RoomMetadata::from([("b".into(), "2".into()), ("c".into(), "3".into())])
    );
    assert_eq!(room.users_accesses.keys().collect::<Vec<_>>(), ["ann", "bob"]);
    assert!(room.groups_accesses.is_empty());
    assert_eq!(room.default_accesses, list(&["*:write"]));
}

#[test]
fn an_empty_patch_changes_nothing_and_a_null_default_gives_nothing() {
    let mut patched = room();
    assert!(RoomPatch::NOTHING.is_empty());
    RoomPatch::NOTHING.apply(&mut patched).unwrap();
    assert_eq!(patched, room());
    let none = RoomPatch { default_accesses: Some(ScopeList::default()), ..RoomPatch::NOTHING };
    none.apply(&mut patched).unwrap();
    assert!(patched.default_accesses.is_empty());
}

#[test]
fn limits_hold_for_the_result_and_a_refused_patch_changes_nothing() {
    let full =
        |n: usize| -> RoomMetadata { (0..n).map(|n| (format!("k{n}"), "v".into())).collect() };
    let mut before = room();
    before.metadata = full(METADATA_KEYS_MAX);
    let mut patched = before.clone();
    let one_more = RoomPatch {
        default_accesses: Some(ScopeList::default()),
        metadata: merge([("new", Some("v".into()))]),
        ..RoomPatch::NOTHING
    };
    let refusal = one_more.apply(&mut patched).unwrap_err();
    assert!(refusal.public().contains("at most 50 keys, got 51"), "{refusal}");
    assert_eq!(patched, before);

    let swap = merge([("k0", None), ("new", Some("v".into()))]);
    RoomPatch { metadata: swap, ..RoomPatch::NOTHING }.apply(&mut patched).unwrap();
    assert_eq!(patched.metadata.len(), METADATA_KEYS_MAX);
}

#[test]
fn accesses_have_limits() {
    let many =
        |n: usize| -> Accesses { (0..n).map(|n| (n.to_string(), ScopeList::default())).collect() };
    check_accesses("usersAccesses", &many(ACCESSES_MAX)).unwrap();
    let refusal = check_accesses("groupsAccesses", &many(ACCESSES_MAX + 1)).unwrap_err();
    assert!(refusal.public().contains("'groupsAccesses': must have at most 1000 ids, got 1001"));

    let parse = |id: &str| parse_access("usersAccesses", id, ["comments:write"]);
    assert_eq!(parse(&"é".repeat(ACCESSES_ID_CHARS_MAX)).unwrap(), list(&["comments:write"]));
    for bad in ["", "a\0", &"é".repeat(ACCESSES_ID_CHARS_MAX + 1)] {
        assert!(parse(bad).is_err());
    }
    let refusal = parse_access("usersAccesses", "ann", ["write"]).unwrap_err();
    assert!(refusal.public().contains("'usersAccesses.ann': unknown scope 'write'"));

    let mut room = room();
    let patch =
        RoomPatch { users_accesses: merge([("", Some(list(&["*:read"])))]), ..RoomPatch::NOTHING };
    assert!(patch.apply(&mut room).is_err());
}

#[test]
fn a_draft_is_checked_as_a_whole() {
    let Room { id, organization_id, default_accesses, metadata, engine, .. } = room();
    let mut draft = RoomDraft {
        id,
        organization_id,
        default_accesses,
        users_accesses: Accesses::new(),
        groups_accesses: Accesses::new(),
        metadata,
        engine,
    };
    draft.check().unwrap();
    draft.metadata.insert(String::new(), "v".into());
    assert!(draft.check().is_err());
}
