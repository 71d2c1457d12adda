//! Lists of rooms against the model: [`RoomFilter::matches`] over all rooms, sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roomd::domain::cursor::RoomCursor;
use roomd::domain::ids::{OrganizationId, ProjectId};
use roomd::domain::metadata::MetadataValue;
use roomd::domain::permissions::ScopeList;
use roomd::domain::query::{NumberOp as Op, RoomFilter, RoomTerm};
use roomd::domain::room::{Room, RoomDraft};
use roomd::store::Renamed;

use crate::databases::Database;
use crate::store_rooms::{draft, grant, id, open};

crate::on_both!(
    lists_are_newest_first_and_page_without_gaps,
    prefixes_are_exact,
    every_filter_agrees_with_the_model,
    pages_survive_inserts_and_deletes_between_them,
    rare_and_common_matches_are_both_found,
    renamed_and_moved_rooms_are_listed_as_they_are_now,
);

/// A small generator of our own: the same seed gives the same case on both databases.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

const WORDS: [&str; 16] = [
    "a",
    "ab",
    "abc",
    "A",
    "Ab",
    "b",
    "é",
    "éa",
    "\u{d7ff}",
    "\u{e000}",
    "\u{10ffff}",
    "\u{10ffff}a",
    "%",
    "_",
    "a_b",
    "a%b",
];
const VALUES: [&str; 18] = [
    "", "a", "ab", "A", "1", "1.0", "01", "2", "-3", "10", "1e1", "NaN", "inf", "true", "false",
    "null", "1e999", "-0",
];
const KEYS: [&str; 4] = ["k", "K", "color", "k'; --"];
const PEOPLE: [&str; 4] = ["ann", "Ann", "bob", "é"];
const ORGANIZATIONS: [&str; 3] = ["default", "acme", "Acme"];
const TIMES_MS: i64 = 12;

fn random_room(random: &mut Random, number: usize) -> (RoomDraft, i64) {
    let accesses = |random: &mut Random| -> BTreeMap<String, ScopeList> {
        (0..random.below(3))
            .map(|_| {
                let raw: &[&str] = if random.one_in(4) { &[] } else { &["*:read"] };
                (random.pick(&PEOPLE).to_owned(), ScopeList::trusted(raw))
            })
            .collect()
    };
    let metadata = (0..random.below(4))
        .map(|_| {
            let value = match random.below(3) {
                0 => {
                    let texts = (0..random.below(3)).map(|_| random.pick(&VALUES).to_owned());
                    MetadataValue::Many(texts.collect())
                }
                _ => MetadataValue::One(random.pick(&VALUES).to_owned()),
            };
            (random.pick(&KEYS).to_owned(), value)
        })
        .collect();
    let room = RoomDraft {
        organization_id: OrganizationId::trusted(random.pick(&ORGANIZATIONS)),
        users_accesses: accesses(random),
        groups_accesses: accesses(random),
        metadata,
        ..draft(&format!("{}{}{number}", random.pick(&WORDS), random.pick(&WORDS)))
    };
    // Few different times, so that ids have to decide.
    (room, i64::try_from(random.below(12)).unwrap() % TIMES_MS)
}

fn random_filter(random: &mut Random, ids: &[String]) -> RoomFilter {
    let mut filter = RoomFilter::default();
    if random.one_in(4) {
        filter.organization_id = Some(OrganizationId::trusted(random.pick(&ORGANIZATIONS)));
    }
    if random.one_in(4) {
        filter.user_id = Some(random.pick(&PEOPLE).to_owned());
    }
    if random.one_in(4) {
        filter.group_ids = (0..random.below(3)).map(|_| random.pick(&PEOPLE).to_owned()).collect();
    }
    filter.terms = (0..random.below(4)).map(|_| random_term(random, ids)).collect();
    filter
}

fn random_term(random: &mut Random, ids: &[String]) -> RoomTerm {
    let key = random.pick(&KEYS).to_owned();
    match random.below(12) {
        0 => RoomTerm::IdEquals(random.pick(ids)),
        1..=3 => RoomTerm::IdPrefix(random.pick(&WORDS).to_owned()),
        4..=6 => RoomTerm::MetadataEquals { key, value: random.pick(&VALUES).to_owned() },
        7 | 8 => RoomTerm::MetadataPrefix { key, prefix: random.pick(&VALUES).to_owned() },
        9 | 10 => {
            let ops = [Op::Equals, Op::Less, Op::LessOrEqual, Op::Greater, Op::GreaterOrEqual];
            let number = random.pick(&[1.0, 2.0, -3.0, 10.0, 0.5]);
            RoomTerm::MetadataNumber { key, op: random.pick(&ops), number }
        }
        _ => RoomTerm::MetadataAbsent { key },
    }
}

async fn list(
    db: &Database,
    filter: &RoomFilter,
    after: Option<&Room>,
    limit: usize,
) -> Vec<Arc<Room>> {
    let after = after
        .map(|room| RoomCursor { created_at_ms: room.created_at_ms, room_id: room.id.clone() });
    let project = ProjectId::trusted("p");
    let rooms = db.store.list_rooms(&project, filter, after.as_ref(), limit).await.unwrap();
    rooms.into_iter().map(|room| open(Some(room)).unwrap()).collect()
}

async fn list_all(db: &Database, filter: &RoomFilter, limit: usize) -> Vec<Arc<Room>> {
    let mut all: Vec<Arc<Room>> = Vec::new();
    loop {
        let page = list(db, filter, all.last().map(AsRef::as_ref), limit).await;
        assert!(page.len() <= limit);
        let done = page.len() < limit;
        all.extend(page);
        if done {
            return all;
        }
    }
}

async fn insert(db: &Database, room: RoomDraft, now_ms: i64) -> Arc<Room> {
    db.store.insert_room(&grant("p"), room, now_ms).await.unwrap().room
}

/// What a list must hold, and in which order.
fn model(rooms: &[Arc<Room>], filter: &RoomFilter) -> Vec<String> {
    let mut rooms: Vec<_> = rooms.iter().filter(|room| filter.matches(room)).collect();
    rooms.sort_by(|a, b| (b.created_at_ms, b.id.as_str()).cmp(&(a.created_at_ms, a.id.as_str())));
    ids(rooms)
}

fn ids<'a>(rooms: impl IntoIterator<Item = &'a Arc<Room>>) -> Vec<String> {
    rooms.into_iter().map(|room| room.id.as_str().to_owned()).collect()
}

async fn lists_are_newest_first_and_page_without_gaps(db: &Database) {
    for n in 0..25 {
        insert(db, draft(&format!("r{n:02}")), n / 5).await;
    }
    let other = db.store.insert_room(&grant("q"), draft("other"), 99).await.unwrap();
    assert!(other.created);
    let expected: Vec<_> = (0..25).rev().map(|n| format!("r{n:02}")).collect();
    for limit in [1, 4, 5, 24, 25, 26, 100] {
        assert_eq!(ids(&list_all(db, &RoomFilter::default(), limit).await), expected, "{limit}");
    }
    assert!(list(db, &RoomFilter::default(), None, 0).await.is_empty());
}

async fn prefixes_are_exact(db: &Database) {
    let names: Vec<_> = WORDS.iter().map(|word| (*word).to_owned()).collect();
    let mut rooms = Vec::new();
    for name in &names {
        rooms.push(insert(db, draft(name), 1).await);
    }
    for prefix in names.iter().map(String::as_str).chain(["", "x", "a\u{10ffff}"]) {
        let filter =
            RoomFilter { terms: vec![RoomTerm::IdPrefix(prefix.to_owned())], ..Default::default() };
        let mut expected: Vec<_> = names.iter().filter(|name| name.starts_with(prefix)).collect();
        expected.sort();
        expected.reverse();
        assert_eq!(ids(&list_all(db, &filter, 3).await).iter().collect::<Vec<_>>(), expected);
        assert_eq!(model(&rooms, &filter).iter().collect::<Vec<_>>(), expected, "the model too");
    }
}

async fn every_filter_agrees_with_the_model(db: &Database) {
    let mut random = Random(0x5eed_0001);
    let mut rooms = Vec::new();
    for number in 0..150 {
        let (room, now_ms) = random_room(&mut random, number);
        rooms.push(insert(db, room, now_ms).await);
    }
    let names = ids(&rooms);
    let mut matched = 0;
    for case in 0..400 {
        let filter = random_filter(&mut random, &names);
        let limit = random.pick(&[1, 3, 10, 100]);
        let expected = model(&rooms, &filter);
        matched += usize::from(!expected.is_empty());
        let listed = ids(&list_all(db, &filter, limit).await);
        assert_eq!(listed, expected, "case {case}, limit {limit}: {filter:?}");
    }
    assert!(matched > 100, "only {matched} filters matched anything");
}

async fn pages_survive_inserts_and_deletes_between_them(db: &Database) {
    let mut random = Random(0x5eed_0002);
    for round in 0..6 {
        let mut rooms = BTreeMap::new();
        for number in 0..60 {
            let (mut room, now_ms) = random_room(&mut random, number);
            room.id = id(&format!("{}-{round}", room.id));
            let room = insert(db, room, now_ms).await;
            rooms.insert(room.id.as_str().to_owned(), room);
        }
        let names: Vec<_> = rooms.keys().cloned().collect();
        let filter = random_filter(&mut random, &names);
        let mut stayed: BTreeSet<_> = names.iter().cloned().collect();
        let mut seen: Vec<Arc<Room>> = Vec::new();
        for step in 0.. {
            let page = list(db, &filter, seen.last().map(AsRef::as_ref), 4).await;
            let done = page.len() < 4;
            seen.extend(page);
            if done {
                break;
            }
            for change in 0..3 {
                let gone = random.pick(&names);
                db.store.delete_room(&grant("p"), &id(&gone)).await.unwrap();
                stayed.remove(&gone);
                let (mut room, now_ms) = random_room(&mut random, 1000 + step * 10 + change);
                room.id = id(&format!("{}-{round}", room.id));
                insert(db, room, now_ms).await;
            }
        }
        let listed = ids(&seen);
        let unique: BTreeSet<_> = listed.iter().collect();
        assert_eq!(unique.len(), listed.len(), "a room came twice: {listed:?}");
        let order: Vec<_> =
            seen.iter().map(|room| (room.created_at_ms, room.id.as_str())).collect();
        assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
        for (name, room) in &rooms {
            let expected = stayed.contains(name) && filter.matches(room);
            assert!(!expected || unique.contains(name), "{name} was missed by {filter:?}");
        }
        for room in &listed {
            db.store.delete_room(&grant("p"), &id(room)).await.unwrap();
        }
        for room in names {
            db.store.delete_room(&grant("p"), &id(&room)).await.unwrap();
        }
    }
}

/// Enough rooms that the first budgets run out, so that every way of reading is taken.
async fn rare_and_common_matches_are_both_found(db: &Database) {
    const ROOMS: usize = 6_000;
    let mut inserts = Vec::new();
    for n in 0..ROOMS {
        let mut room = draft(&format!("{}-{n:05}", if n % 3 == 0 { "common" } else { "other" }));
        let rare = if n < 3 { "rare" } else { "usual" };
        room.metadata.insert("kind".into(), MetadataValue::One(format!("{rare}-{n}")));
        room.metadata.insert("n".into(), MetadataValue::One(n.to_string()));
        let store = db.store.clone();
        inserts.push(tokio::spawn(async move {
            let now_ms = i64::try_from(n).unwrap();
            store.insert_room(&grant("p"), room, now_ms).await.unwrap().room
        }));
        if inserts.len() == 100 {
            for insert in inserts.drain(..) {
                insert.await.unwrap();
            }
        }
    }
    let expect = async |terms: Vec<RoomTerm>, limit: usize, expected: Vec<String>| {
        let filter = RoomFilter { terms, ..RoomFilter::default() };
        assert_eq!(ids(&list(db, &filter, None, limit).await), expected, "{filter:?}");
    };
    let common = |from: usize, to: usize| -> Vec<String> {
        (from..to).rev().filter(|n| n % 3 == 0).map(|n| format!("common-{n:05}")).collect()
    };
    let prefix = |text: &str| RoomTerm::IdPrefix(text.to_owned());
    let number = |op, number| RoomTerm::MetadataNumber { key: "n".into(), op, number };
    expect(vec![prefix("common")], 101, common(ROOMS - 303, ROOMS)).await;
    expect(vec![prefix("common-000")], 101, common(0, 100)).await;
    // Common and only among the oldest: a walk alone would pass by everything else.
    expect(vec![prefix("common"), number(Op::Less, 30.0)], 101, common(0, 30)).await;
    expect(vec![prefix("common"), number(Op::GreaterOrEqual, 5_990.0)], 3, common(5_990, ROOMS))
        .await;
    let kind =
        |prefix: &str| RoomTerm::MetadataPrefix { key: "kind".into(), prefix: prefix.into() };
    expect(vec![kind("rare"), prefix("common")], 10, common(0, 3)).await;
    expect(vec![kind("usual"), prefix("common")], 2, common(ROOMS - 6, ROOMS)).await;
    expect(vec![kind("nothing"), prefix("common")], 2, vec![]).await;
}

async fn renamed_and_moved_rooms_are_listed_as_they_are_now(db: &Database) {
    let mut room = draft("a");
    room.metadata.insert("k".into(), "v".into());
    room.users_accesses.insert("ann".into(), ScopeList::trusted(["*:read"]));
    insert(db, room, 1).await;
    let renamed = db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap();
    assert!(matches!(renamed, Renamed::Done(_)));
    let acme = OrganizationId::trusted("acme");
    db.store.move_room(&grant("p"), &id("b"), &OrganizationId::default(), &acme).await.unwrap();
    let value = RoomTerm::MetadataEquals { key: "k".into(), value: "v".into() };
    let filters = [
        RoomFilter { terms: vec![value], ..RoomFilter::default() },
        RoomFilter { terms: vec![RoomTerm::IdPrefix("b".into())], ..RoomFilter::default() },
        RoomFilter { user_id: Some("ann".into()), ..RoomFilter::default() },
        RoomFilter { organization_id: Some(acme), ..RoomFilter::default() },
    ];
    for filter in filters {
        assert_eq!(ids(&list(db, &filter, None, 10).await), ["b"], "{filter:?}");
    }
    let gone = RoomFilter { terms: vec![RoomTerm::IdPrefix("a".into())], ..RoomFilter::default() };
    assert!(list(db, &gone, None, 10).await.is_empty());
}
