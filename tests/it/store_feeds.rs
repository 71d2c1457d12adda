//! Feeds and their messages: lists, pages, filters, and what goes with the feed and the room.

use std::collections::BTreeMap;

use roomd::domain::feed::{
    Feed, FeedData, FeedMessage, FeedMessageQuery, FeedMetadata, FeedPage, FeedQuery,
};
use roomd::domain::ids::{FeedId, FeedMessageId};
use roomd::error::Code;
use roomd::store::{DataKey, FeedMessageOutcome as Outcome};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{grant, id};

crate::on_both!(
    a_feed_comes_back_as_it_was_written,
    feeds_are_listed_newest_first_page_by_page,
    feeds_are_found_by_their_metadata,
    a_patch_of_metadata_counts_at_once,
    messages_come_back_in_order,
    messages_of_one_moment_are_in_the_order_in_which_they_came,
    a_page_ends_before_it_is_too_large,
    a_message_is_changed_and_deleted,
    a_deleted_feed_takes_its_messages_along,
    feeds_go_with_their_room,
    concurrent_messages_are_all_there,
);

fn feed_id(raw: &str) -> FeedId {
    FeedId::parse("id", raw).unwrap()
}

fn message_id(raw: &str) -> FeedMessageId {
    FeedMessageId::parse("id", raw).unwrap()
}

fn object(value: Value) -> FeedMetadata {
    value.as_object().unwrap().clone()
}

fn feed(raw: &str, created_at_ms: i64, metadata: Value) -> Feed {
    let metadata = object(metadata);
    Feed { id: feed_id(raw), metadata, created_at_ms, updated_at_ms: created_at_ms }
}

fn message(raw: &str, created_at_ms: i64, text: &str) -> FeedMessage {
    let data = FeedData::from_object(&object(json!({ "text": text }))).unwrap();
    FeedMessage { id: message_id(raw), data, created_at_ms, updated_at_ms: created_at_ms }
}

async fn data(db: &Database, raw: &str) -> DataKey {
    room(db, raw).await.data().clone()
}

async fn insert(db: &Database, key: &DataKey, feed: &Feed) {
    assert!(db.store.insert_feed(key, feed).await.unwrap());
}

async fn say(db: &Database, key: &DataKey, feed: &str, message: &FeedMessage) {
    let said = db.store.insert_feed_message(key, &feed_id(feed), message).await.unwrap();
    assert_eq!(said, Outcome::Done(()));
}

fn filter(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// All pages, and how long each is.
async fn all_feeds(
    db: &Database,
    key: &DataKey,
    limit: i64,
    metadata: &[(&str, &str)],
) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut lengths, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let query = FeedQuery::read(&cursor, None, Some(limit), filter(metadata)).unwrap();
        let page = db.store.list_feeds(key, &query).await.unwrap();
        lengths.push(page.entries.len());
        ids.extend(page.entries.iter().map(|feed| feed.id.to_string()));
        match page.next_cursor {
            Some(next) => cursor = next,
            None => return (ids, lengths),
        }
    }
}

async fn page(
    db: &Database,
    key: &DataKey,
    feed: &str,
    (cursor, since, limit): (&str, Option<f64>, i64),
) -> FeedPage<FeedMessage> {
    let query = FeedMessageQuery::read(cursor, since, Some(limit)).unwrap();
    db.store.list_feed_messages(key, &feed_id(feed), &query).await.unwrap().unwrap()
}

fn ids(page: &FeedPage<FeedMessage>) -> Vec<&str> {
    page.entries.iter().map(|message| message.id.as_str()).collect()
}

async fn a_feed_comes_back_as_it_was_written(db: &Database) {
    let (key, other) = (data(db, "a").await, data(db, "b").await);
    let odd = json!({"é \"q\"": ["x", 1, null, {"deep": [true]}], "nul": "a\0b", "n": 1.5});
    let written = feed("a/b c%2F?#é:x", 7, odd);
    insert(db, &key, &written).await;
    assert_eq!(db.store.find_feed(&key, &written.id).await.unwrap(), Some(written.clone()));
    assert_eq!(db.store.find_feed(&other, &written.id).await.unwrap(), None);
    let again = feed(written.id.as_str(), 9, json!({}));
    assert!(!db.store.insert_feed(&key, &again).await.unwrap(), "an id is taken once");
    assert_eq!(db.store.find_feed(&key, &written.id).await.unwrap(), Some(written));
    insert(db, &other, &again).await;
}

async fn feeds_are_listed_newest_first_page_by_page(db: &Database) {
    let (key, other) = (data(db, "a").await, data(db, "b").await);
    insert(db, &other, &feed("other", 5, json!({}))).await;
    for (name, created_at_ms) in [("d", 1), ("a", 2), ("c", 2), ("b", 2), ("e", -3)] {
        insert(db, &key, &feed(name, created_at_ms, json!({}))).await;
    }
    for limit in 1..=6 {
        let (ids, lengths) = all_feeds(db, &key, limit, &[]).await;
        assert_eq!(ids, ["c", "b", "a", "d", "e"]);
        assert!(lengths.iter().all(|length| (1..=limit).contains(&(*length as i64))));
    }
    let since = FeedQuery::read("", Some(1.0), None, BTreeMap::new()).unwrap();
    let found = db.store.list_feeds(&key, &since).await.unwrap();
    assert_eq!(found.entries.len(), 3, "greater than, not equal");
}

async fn feeds_are_found_by_their_metadata(db: &Database) {
    let key = data(db, "a").await;
    for number in 0..30_i64 {
        let metadata = json!({
            "number": number,
            "even": number % 2 == 0,
            "tags": [format!("mod{}", number % 3), "all", "all"],
        });
        insert(db, &key, &feed(&format!("f{number:02}"), number / 4, metadata)).await;
    }
    let (all, lengths) = all_feeds(db, &key, 7, &[("tags", "all")]).await;
    assert_eq!((all.len(), lengths), (30, vec![7, 7, 7, 7, 2]));
    let (ids, _) = all_feeds(db, &key, 2, &[("even", "true"), ("tags", "mod1")]).await;
    assert_eq!(ids, ["f28", "f22", "f16", "f10", "f04"]);
    let three = [("even", "false"), ("number", "9"), ("tags", "mod0")];
    assert_eq!(all_feeds(db, &key, 2, &three).await.0, ["f09"]);
    assert_eq!(all_feeds(db, &key, 2, &[("number", "30")]).await, (vec![], vec![0]));
    assert_eq!(all_feeds(db, &key, 2, &[("nobody", "x"), ("tags", "all")]).await.0.len(), 0);
}

async fn a_patch_of_metadata_counts_at_once(db: &Database) {
    let key = data(db, "a").await;
    insert(db, &key, &feed("f", 1, json!({"a": "1", "b": ["x", "y"]}))).await;
    let patch = object(json!({"a": null, "b": ["y", "z"], "c": 5, "nobody": null}));
    let updated = db.store.update_feed(&key, &feed_id("f"), &patch, 9).await.unwrap().unwrap();
    assert_eq!(Value::Object(updated.metadata.clone()), json!({"b": ["y", "z"], "c": 5}));
    assert_eq!((updated.created_at_ms, updated.updated_at_ms), (1, 9));
    assert_eq!(db.store.find_feed(&key, &feed_id("f")).await.unwrap(), Some(updated));
    for (entry, found) in
        [(("a", "1"), 0), (("b", "x"), 0), (("b", "y"), 1), (("b", "z"), 1), (("c", "5"), 1)]
    {
        assert_eq!(all_feeds(db, &key, 5, &[entry]).await.0.len(), found, "{entry:?}");
    }
    assert_eq!(db.store.update_feed(&key, &feed_id("g"), &patch, 9).await.unwrap(), None);
    // Within the limits by itself, and over them together with what is there.
    let many: FeedMetadata = (0..49).map(|n| (format!("k{n}"), json!(n))).collect();
    let error = db.store.update_feed(&key, &feed_id("f"), &many, 10).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let kept = db.store.find_feed(&key, &feed_id("f")).await.unwrap().unwrap();
    assert_eq!((kept.metadata.len(), kept.updated_at_ms), (2, 9));
}

async fn messages_come_back_in_order(db: &Database) {
    let key = data(db, "a").await;
    for name in ["f", "g"] {
        insert(db, &key, &feed(name, 1, json!({}))).await;
    }
    say(db, &key, "g", &message("1", 9, "of another feed")).await;
    for (name, created_at_ms) in [("1", 10), ("2", 30), ("3", 20)] {
        say(db, &key, "f", &message(name, created_at_ms, name)).await;
    }
    let all = page(db, &key, "f", ("", None, 100)).await;
    assert_eq!(all.entries, [message("2", 30, "2"), message("3", 20, "3"), message("1", 10, "1")]);
    assert_eq!(all.next_cursor, None);
    let first = page(db, &key, "f", ("", None, 2)).await;
    let rest = page(db, &key, "f", (&first.next_cursor.unwrap(), None, 2)).await;
    assert_eq!((ids(&rest), rest.next_cursor.as_deref()), (vec!["1"], None));
    assert_eq!(ids(&page(db, &key, "f", ("", Some(10.0), 9)).await), ["2", "3"]);
    let exact = page(db, &key, "f", ("", None, 3)).await;
    assert_eq!(exact.next_cursor, None, "nothing is behind a page that holds the rest");
    let query = FeedMessageQuery::read("", None, None).unwrap();
    let none = db.store.list_feed_messages(&key, &feed_id("nobody"), &query).await.unwrap();
    assert_eq!(none, None);
}

async fn messages_of_one_moment_are_in_the_order_in_which_they_came(db: &Database) {
    let key = data(db, "a").await;
    insert(db, &key, &feed("f", 1, json!({}))).await;
    for name in ["m", "z", "a", "k", "b"] {
        say(db, &key, "f", &message(name, 5, "x")).await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(db, &key, "f", (&cursor, None, 2)).await;
        found.extend(ids(&page).into_iter().map(str::to_owned));
        match page.next_cursor {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(found, ["b", "k", "a", "z", "m"]);
}

async fn a_page_ends_before_it_is_too_large(db: &Database) {
    let key = data(db, "a").await;
    insert(db, &key, &feed("f", 1, json!({}))).await;
    let long = "x".repeat(120 << 10);
    for number in 0..12 {
        say(db, &key, "f", &message(&format!("m{number:02}"), number, &long)).await;
    }
    let first = page(db, &key, "f", ("", None, 100)).await;
    assert_eq!(first.entries.len(), 8, "8 × 120 KiB fit into 1 MiB");
    let rest = page(db, &key, "f", (&first.next_cursor.unwrap(), None, 100)).await;
    assert_eq!((rest.entries.len(), rest.next_cursor), (4, None));
}

async fn a_message_is_changed_and_deleted(db: &Database) {
    let key = data(db, "a").await;
    insert(db, &key, &feed("f", 1, json!({}))).await;
    say(db, &key, "f", &message("m", 5, "old")).await;
    let (f, m, nobody) = (feed_id("f"), message_id("m"), message_id("nobody"));
    let again = db.store.insert_feed_message(&key, &f, &message("m", 6, "x")).await.unwrap();
    assert_eq!(again, Outcome::Exists);
    let new = message("m", 5, "new").data;
    let update = async |feed: &FeedId, id: &FeedMessageId| {
        db.store.update_feed_message(&key, feed, id, &new, 9).await.unwrap()
    };
    let changed = FeedMessage { updated_at_ms: 9, ..message("m", 5, "new") };
    assert_eq!(update(&f, &m).await, Outcome::Done(changed.clone()));
    assert_eq!(page(db, &key, "f", ("", None, 9)).await.entries, [changed]);
    assert_eq!(update(&f, &nobody).await, Outcome::NoMessage);
    assert_eq!(update(&feed_id("g"), &m).await, Outcome::NoFeed);
    let delete = async |feed: &FeedId, id: &FeedMessageId| {
        db.store.delete_feed_message(&key, feed, id).await.unwrap()
    };
    assert_eq!(delete(&f, &m).await, Outcome::Done(()));
    assert_eq!(delete(&f, &m).await, Outcome::NoMessage);
    assert_eq!(delete(&feed_id("g"), &m).await, Outcome::NoFeed);
    let gone = db.store.insert_feed_message(&key, &feed_id("g"), &message("m", 1, "x")).await;
    assert_eq!(gone.unwrap(), Outcome::NoFeed);
    say(db, &key, "f", &message("m", 5, "again")).await;
}

async fn sweep(db: &Database) -> u64 {
    let mut rows = 0;
    loop {
        match db.store.sweep_garbage(3).await.unwrap() {
            0 => return rows,
            some => rows += some,
        }
    }
}

async fn a_deleted_feed_takes_its_messages_along(db: &Database) {
    let key = data(db, "a").await;
    let described = || feed("f", 1, json!({"a": "1"}));
    insert(db, &key, &described()).await;
    for number in 0..5 {
        say(db, &key, "f", &message(&number.to_string(), number, "x")).await;
    }
    assert!(db.store.delete_feed(&key, &feed_id("f")).await.unwrap());
    assert!(!db.store.delete_feed(&key, &feed_id("f")).await.unwrap());
    assert_eq!(all_feeds(db, &key, 9, &[("a", "1")]).await.0.len(), 0);
    insert(db, &key, &described()).await;
    assert_eq!(page(db, &key, "f", ("", None, 9)).await.entries, [], "a new feed is empty");
    say(db, &key, "f", &message("0", 1, "new")).await;
    assert_eq!(sweep(db).await, 6, "five messages and the key");
    assert_eq!(page(db, &key, "f", ("", None, 9)).await.entries.len(), 1);
}

async fn feeds_go_with_their_room(db: &Database) {
    let key = data(db, "a").await;
    for name in ["f", "g"] {
        insert(db, &key, &feed(name, 1, json!({"a": "1", "b": ["x", "y"]}))).await;
        for number in 0..4 {
            say(db, &key, name, &message(&number.to_string(), number, "x")).await;
        }
    }
    db.store.rename_room(&grant("p"), &id("a"), &id("b")).await.unwrap();
    assert_eq!(all_feeds(db, &key, 9, &[]).await.0.len(), 2);
    db.store.delete_room(&grant("p"), &id("b")).await.unwrap();
    let again = data(db, "b").await;
    assert_eq!(all_feeds(db, &again, 9, &[]).await.0.len(), 0);
    let error = db.store.insert_feed(&key, &feed("h", 1, json!({}))).await.unwrap_err();
    assert_eq!(error.reason(), "ROOM_NOT_FOUND");
    // Two feeds with three texts and four messages each, and a key for each and for the room.
    assert_eq!(sweep(db).await, 2 + 6 + 8 + 3);
    assert_eq!(all_feeds(db, &key, 9, &[("a", "1")]).await.0.len(), 0);
}

async fn concurrent_messages_are_all_there(db: &Database) {
    let key = data(db, "a").await;
    insert(db, &key, &feed("f", 1, json!({}))).await;
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let (store, key) = (db.store.clone(), key.clone());
            tokio::spawn(async move {
                let message = message(&format!("m{}", number % 20), 7, "x");
                store.insert_feed_message(&key, &feed_id("f"), &message).await.unwrap()
            })
        })
        .collect();
    let mut taken = 0;
    for call in calls {
        taken += usize::from(call.await.unwrap() == Outcome::Exists);
    }
    assert_eq!(taken, 20);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(db, &key, "f", (&cursor, None, 3)).await;
        found.extend(ids(&page).into_iter().map(str::to_owned));
        match page.next_cursor {
            Some(next) => cursor = next,
            None => break,
        }
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 20);
}
