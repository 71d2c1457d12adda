//! What a filter means, and that cursors can tell filters apart.

use proptest::prelude::*;

use super::*;
use crate::domain::ids::{OrganizationId, RoomId};
use crate::domain::metadata::{METADATA_KEYS_MAX, MetadataValue, RoomMetadata};
use crate::domain::permissions::ScopeList;
use crate::domain::room::{Accesses, Engine, Room, RoomDraft};

fn room(id: &str, metadata: &[(&str, &str)]) -> Room {
    RoomDraft {
        id: RoomId::trusted(id),
        organization_id: OrganizationId::default(),
        default_accesses: ScopeList::default(),
        users_accesses: Accesses::new(),
        groups_accesses: Accesses::new(),
        metadata: metadata.iter().map(|(key, text)| (key.to_string(), (*text).into())).collect(),
        engine: Engine::V2,
    }
    .into_room(1)
}

fn matches(query: &str, room: &Room) -> bool {
    RoomFilter::from_query(query).unwrap_or_else(|error| panic!("{query}: {error}")).matches(room)
}

#[test]
fn terms_mean_this() {
    let mut room = room("eng:1", &[("color", "blue"), ("n", "3"), ("on", "true"), ("e", "")]);
    let tags = MetadataValue::Many(vec!["red".into(), "10".into()]);
    room.metadata.insert("tags".into(), tags);
    room.metadata.insert("none".into(), MetadataValue::Many(vec![]));
    for yes in [
        "",
        r#"roomId:"eng:1""#,
        r#"roomId^"eng:""#,
        r#"roomId^"""#,
        r#"metadata["color"]:"blue" AND metadata["color"]^"bl""#,
        r#"metadata["tags"]:"red""#,
        r#"metadata["tags"]^"r""#,
        r#"metadata["tags"]>9"#,
        r#"metadata["n"]:3"#,
        r#"metadata["n"]:3.0"#,
        r#"metadata["n"]:"3""#,
        r#"metadata["n"]<=3 metadata["n"]>=3 metadata["n"]<3.5 metadata["n"]>-1"#,
        r#"metadata["on"]:true"#,
        r#"metadata["absent"]:null"#,
        r#"metadata["e"]:"" metadata["e"]^"""#,
    ] {
        assert!(matches(yes, &room), "{yes}");
    }
    for no in [
        r#"roomId:"eng:""#,
        r#"roomId:"ENG:1""#,
        r#"metadata["color"]:"Blue""#,
        r#"metadata["color"]:"blue" AND metadata["n"]:4"#,
        r#"metadata["color"]>0"#,
        r#"metadata["n"]<3"#,
        r#"metadata["n"]:"3.0""#,
        r#"metadata["on"]:false"#,
        r#"metadata["color"]:null"#,
        r#"metadata["absent"]:"x""#,
        r#"metadata["absent"]^"""#,
        r#"metadata["none"]^"""#,
        r#"metadata["none"]:null"#,
        r#"metadata["e"]:0"#,
    ] {
        assert!(!matches(no, &room), "{no}");
    }
}

#[test]
fn a_room_has_only_these_fields() {
    for (query, expected) in [
        ("resolved:true", "unknown field 'resolved'; rooms have roomId"),
        ("roomid:'x'", "unknown field 'roomid'"),
        ("a:1", "unknown field 'a'"),
        ("roomId:5", "roomId is compared with a text"),
        ("roomId:null", "roomId is compared with a text"),
        ("roomId>5", "roomId is compared with a text"),
        ("roomId['a']:'b'", "roomId has no keys"),
        ("metadata:'b'", "metadata needs a key in brackets"),
        ("metadata['k']<'b'", "expected a number"),
    ] {
        let error = RoomFilter::from_query(query).unwrap_err();
        assert_eq!(error.fields()[0].field, "query");
        assert!(error.public().contains(expected), "{query}: {error}");
    }
    let error = RoomFilter::from_query("roomId:'x' AND unread:true").unwrap_err();
    assert!(error.public().ends_with("(at byte 15)"), "{error}");
}

#[test]
fn members_are_the_user_or_any_group_with_an_access() {
    let read = ScopeList::trusted(["*:read"]);
    let mut room = room("r", &[]);
    room.users_accesses.insert("ann".into(), read.clone());
    room.users_accesses.insert("bob".into(), ScopeList::default());
    room.groups_accesses.insert("staff".into(), read);
    room.groups_accesses.insert("guests".into(), ScopeList::default());
    let shown = |user: Option<&str>, groups: &[&str]| {
        let filter = RoomFilter::default().with_members(user, groups.iter().copied()).unwrap();
        filter.matches(&room)
    };
    assert!(shown(None, &[]));
    assert!(shown(Some("ann"), &[]));
    assert!(shown(Some("ann"), &["guests"]));
    assert!(shown(Some("carl"), &["guests", "staff"]));
    assert!(!shown(Some("bob"), &[]), "an empty list gives nothing");
    assert!(!shown(Some("staff"), &[]), "users and groups are different names");
    assert!(!shown(None, &["guests"]));
    let with_term = RoomFilter::from_query("metadata['k']:'v'").unwrap();
    assert!(!with_term.with_members(Some("ann"), [""; 0]).unwrap().matches(&room));
}

#[test]
fn an_organization_and_the_older_filters_are_further_conditions() {
    let room = room("r", &[("color", "blue"), ("n", "3")]);
    let filter = |entries: &[(&str, &str)]| {
        RoomFilter::default().with_metadata(entries.iter().copied()).unwrap()
    };
    assert!(filter(&[("color", "blue"), ("n", "3")]).matches(&room));
    assert!(!filter(&[("color", "blue"), ("n", "4")]).matches(&room));
    let organization = |id: &str| Some(OrganizationId::trusted(id));
    assert!(RoomFilter::default().in_organization(organization("default")).matches(&room));
    assert!(!RoomFilter::default().in_organization(organization("acme")).matches(&room));
}

#[test]
fn filters_have_limits() {
    let members = |user: Option<&str>, groups: Vec<String>| {
        RoomFilter::default().with_members(user, groups).map(|filter| filter.group_ids)
    };
    let groups = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(members(None, groups(GROUP_IDS_MAX)).unwrap().len(), GROUP_IDS_MAX);
    assert!(members(None, groups(GROUP_IDS_MAX + 1)).unwrap_err().public().contains("groupIds"));
    assert!(members(Some(""), vec![]).unwrap_err().public().contains("userId"));
    assert!(members(Some(&"x".repeat(257)), vec![]).is_err());
    assert!(members(None, vec!["a\0".into()]).is_err());
    assert_eq!(members(None, vec!["b".into(), "a".into(), "b".into()]).unwrap(), ["a", "b"]);

    let metadata = |entries: Vec<(String, String)>| RoomFilter::default().with_metadata(entries);
    let entry = |n: usize| (n.to_string(), "v".to_owned());
    assert!(metadata((0..METADATA_KEYS_MAX).map(entry).collect()).is_ok());
    assert!(metadata((0..=METADATA_KEYS_MAX).map(entry).collect()).is_err());
    assert!(metadata(vec![("k".repeat(41), "v".into())]).is_err());
    let error = metadata(vec![("k".into(), "v".repeat(257))]).unwrap_err();
    assert_eq!(error.fields()[0].field, "metadata.k");
}

#[test]
fn a_fingerprint_is_stable_and_tells_filters_apart() {
    let query = |text: &str| RoomFilter::from_query(text).unwrap();
    let all = [
        RoomFilter::default(),
        RoomFilter::default().with_members(Some("a"), [""; 0]).unwrap(),
        RoomFilter::default().with_members(None, ["a"]).unwrap(),
        RoomFilter::default().with_members(None, ["a", "b"]).unwrap(),
        RoomFilter::default().in_organization(Some(OrganizationId::trusted("a"))),
        query("roomId:'a'"),
        query("roomId^'a'"),
        query("metadata['a']:'b'"),
        query("metadata['a']^'b'"),
        query("metadata['ab']:''"),
        query("metadata['a']:1"),
        query("metadata['a']<1"),
        query("metadata['a']<=1"),
        query("metadata['a']:null"),
        query("metadata['a']:'b' metadata['a']:'b'"),
    ];
    for (index, filter) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            assert_ne!(filter.fingerprint(), other.fingerprint(), "{filter:?} {other:?}");
        }
    }
    let (one, other) = (query("roomId^'a' metadata['n']:0"), query("metadata['n']:-0 roomId^'a'"));
    assert_eq!(one.fingerprint(), other.fingerprint());
}

proptest! {
    #[test]
    fn a_room_is_found_by_each_of_its_texts(
        metadata in proptest::collection::btree_map("[^\0]{1,8}", "[^\0]{0,8}", 0..5),
        id in "[^\0]{1,12}",
    ) {
        let mut room = room(&id, &[]);
        let values = metadata.iter().map(|(key, text)| (key.clone(), text.as_str().into()));
        room.metadata = values.collect::<RoomMetadata>();
        let filter = RoomFilter::default().with_metadata(metadata.clone()).unwrap();
        prop_assert!(filter.matches(&room));
        for (key, text) in &metadata {
            for (op, value) in [(Op::Equals, text.clone()), (Op::StartsWith, text.clone())] {
                let field = Field { name: "metadata".into(), key: Some(key.clone()) };
                let term = Term { field, op, value: Value::Text(value), span: 0..0 };
                prop_assert!(matches(&term.to_string(), &room));
            }
            let field = Field { name: "metadata".into(), key: Some(key.clone()) };
            let absent = Term { field, op: Op::Equals, value: Value::Null, span: 0..0 };
            prop_assert!(!matches(&absent.to_string(), &room));
        }
    }
}
