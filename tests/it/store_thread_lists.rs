//! Lists of threads, and what changed in them.

use std::collections::{BTreeMap, BTreeSet};

use roomd::domain::comment::{
    MetadataPatch, Thread, ThreadCursor, ThreadDraft, ThreadFilter, ThreadQuery, Visibility,
};
use roomd::domain::ids::UserId;
use roomd::domain::permissions::Level;
use roomd::store::{CommentScope, ThreadView};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::store_threads::{comment, create, get, rights, say, scope, thread, thread_id, user};

crate::on_both!(
    threads_are_listed_newest_first_page_by_page,
    a_page_shows_what_fits,
    threads_are_found_as_their_filter_means,
    a_page_ends_before_it_is_too_large,
    a_change_of_metadata_counts_at_once,
    changes_are_told_with_those_who_are_gone,
    what_has_just_the_time_is_told_again,
    many_changes_come_in_several_answers,
    only_who_made_a_thread_deletes_it,
);

fn query(text: &str, limit: i32) -> ThreadQuery {
    ThreadQuery::read(text, None, "", Some(limit)).unwrap()
}

/// All pages, and how long each is.
async fn all(
    db: &Database,
    view: &ThreadView,
    text: &str,
    limit: i32,
) -> (Vec<Thread>, Vec<usize>) {
    let (mut threads, mut lengths) = (Vec::new(), Vec::new());
    let mut query = query(text, limit);
    loop {
        let page = db.store.list_threads(view, &query).await.unwrap();
        lengths.push(page.threads.len());
        threads.extend(page.threads);
        match page.next_cursor {
            Some(next) => query.after = ThreadCursor::read(&next).unwrap(),
            None => return (threads, lengths),
        }
    }
}

fn ids(threads: &[Thread]) -> Vec<&str> {
    threads.iter().map(|thread| thread.id.as_str()).collect()
}

fn public(name: &str, given: Value) -> ThreadDraft {
    thread(name, Visibility::Public, given)
}

fn private(name: &str, given: Value) -> ThreadDraft {
    thread(name, Visibility::Private, given)
}

/// The same room for somebody with these scopes.
async fn seen_by(db: &Database, all: &CommentScope, scopes: &[&str]) -> ThreadView {
    ThreadView { right: rights(db, "a", scopes, Level::Read).await, ..all.view.clone() }
}

async fn threads_are_listed_newest_first_page_by_page(db: &Database) {
    let (here, there) = (scope(db, "a").await, scope(db, "b").await);
    create(db, &there, &public("other", json!({})), 5).await;
    for (name, at) in [("d", 1), ("a", 2), ("c", 2), ("b", 2), ("e", -3)] {
        create(db, &here, &public(name, json!({})), at).await;
    }
    let (threads, lengths) = all(db, &here.view, "", 2).await;
    assert_eq!(ids(&threads), ["th_c", "th_b", "th_a", "th_d", "th_e"]);
    assert_eq!(lengths, [2, 2, 1]);
    assert_eq!(all(db, &here.view, "", 5).await.1, [5]);
    assert_eq!(threads[0], get(db, &here.view, "th_c").await.unwrap());
}

async fn a_page_shows_what_fits(db: &Database) {
    let everything = scope(db, "a").await;
    for number in 0..6 {
        let (open, shut) = (format!("o{number}"), format!("s{number}"));
        create(db, &everything, &public(&open, json!({"n": number})), number).await;
        create(db, &everything, &private(&shut, json!({"n": number})), number).await;
    }
    for (scopes, own) in [
        (&["*:write", "comments:private:none"][..], "th_o"),
        (&["*:write", "comments:public:none"], "th_s"),
    ] {
        let view = seen_by(db, &everything, scopes).await;
        for text in ["", "resolved:false", "metadata['n']>=0"] {
            let (threads, lengths) = all(db, &view, text, 4).await;
            assert_eq!(lengths, [4, 2], "{scopes:?} {text}");
            assert!(ids(&threads).iter().all(|id| id.starts_with(own)), "{scopes:?}");
        }
        let (found, _) = all(db, &view, "metadata['n']:3", 4).await;
        assert_eq!(ids(&found), [format!("{own}3")]);
        let other = if own == "th_o" { "private" } else { "public" };
        assert!(all(db, &view, &format!("visibility:'{other}'"), 4).await.0.is_empty());
        let ids = ["th_o1", "th_s1"].map(thread_id);
        assert_eq!(db.store.find_threads(&view, &ids).await.unwrap().len(), 1);
    }
    let none = seen_by(db, &everything, &["*:write", "comments:none"]).await;
    assert!(all(db, &none, "", 4).await.0.is_empty());
    assert!(db.store.list_thread_changes(&none, 0).await.unwrap().threads.is_empty());
    assert_eq!(all(db, &everything.view, "", 50).await.0.len(), 12);
}

async fn threads_are_found_as_their_filter_means(db: &Database) {
    let scope = scope(db, "a").await;
    let long = "x".repeat(300);
    let odd = [
        json!({}),
        json!({"a": "red", "n": 5}),
        json!({"a": "redder", "n": -0.0}),
        json!({"a": "Red", "n": 1e300, "f": true}),
        json!({"a": "5", "n": "5", "f": false}),
        json!({"a": 5, "f": "true"}),
        json!({"a": true, "n": 4.5}),
        json!({ "a": long, "é\"'": "\u{10ffff}z" }),
        json!({"a": "", "n": -7}),
    ];
    let mut made = Vec::new();
    for (number, given) in odd.into_iter().enumerate() {
        let name = format!("t{number}");
        let visibility = [Visibility::Public, Visibility::Private][number % 2];
        made.push(create(db, &scope, &thread(&name, visibility, given), 7).await);
        if number % 3 == 0 {
            let resolved = db.store.resolve_thread(&scope, &made[number].id, true, 8).await;
            assert!(resolved.unwrap().value);
            made[number] = get(db, &scope.view, &format!("th_{name}")).await.unwrap();
            assert!(made[number].resolved);
        }
    }
    let long = "x".repeat(256);
    for text in [
        "",
        "resolved:true",
        "resolved:false visibility:'private'",
        "resolved:true visibility:'public'",
        "resolved:true resolved:false",
        "metadata['a']:'red'",
        "metadata['a']^'red'",
        "metadata['a']^''",
        "metadata['a']:5",
        "metadata['a']:'5'",
        "metadata['a']:true",
        "metadata['f']:true",
        "metadata['a']:null",
        "metadata['a']:null metadata['n']:null",
        "metadata['n']:0",
        "metadata['n']>=0",
        "metadata['n']<0",
        "metadata['n']<=5 metadata['n']>-1",
        "metadata['n']>4.4 metadata['n']<5 resolved:true",
        "metadata['n']:5 metadata['a']:'red' visibility:'private'",
        "metadata['n']:5 metadata['a']:'red' visibility:'public'",
        &format!("metadata['a']^'{long}'"),
        &format!("metadata['a']:'{long}'"),
        "metadata[\"é\\\"'\"]^'\u{10ffff}'",
    ] {
        let filter = ThreadFilter::from_query(text).unwrap();
        let mut expected: Vec<&str> = made
            .iter()
            .filter(|thread| filter.matches(thread, false))
            .map(|thread| thread.id.as_str())
            .collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(ids(&all(db, &scope.view, text, 2).await.0), expected, "{text}");
    }
}

async fn a_page_ends_before_it_is_too_large(db: &Database) {
    let scope = scope(db, "a").await;
    let text = "x".repeat(60 << 10);
    for number in 0..3 {
        let name = format!("t{number}");
        create(db, &scope, &public(&name, json!({})), number).await;
        for reply in 0..10 {
            let reply = comment(&format!("cm_{name}_{reply}"), "bob", &text);
            say(db, &scope, &format!("th_{name}"), &reply).await;
        }
    }
    let (threads, lengths) = all(db, &scope.view, "", 50).await;
    assert_eq!(lengths, [1, 1, 1]);
    assert_eq!(threads.iter().map(|thread| thread.comments.len()).sum::<usize>(), 33);
}

async fn a_change_of_metadata_counts_at_once(db: &Database) {
    let scope = scope(db, "a").await;
    create(db, &scope, &public("x", json!({"a": "red", "n": 5})), 1).await;
    let patch = json!({"a": null, "b": "blue"});
    let patch = MetadataPatch::from_json("metadata", patch.as_object().unwrap().clone()).unwrap();
    let changed = db.store.edit_thread_metadata(&scope, &thread_id("th_x"), &patch, 1).await;
    assert_eq!(
        changed.unwrap().value.to_json(),
        *json!({"b": "blue", "n": 5}).as_object().unwrap()
    );
    for (text, found) in
        [("metadata['a']:null", 1), ("metadata['b']:'blue'", 1), ("metadata['a']:'red'", 0)]
    {
        assert_eq!(all(db, &scope.view, text, 9).await.0.len(), found, "{text}");
    }
}

/// Asks until there is no more, as a client does.
async fn changes(
    db: &Database,
    view: &ThreadView,
    mut since_ms: i64,
) -> (BTreeMap<String, Thread>, BTreeSet<String>, usize) {
    let (mut threads, mut deleted, mut answers) = (BTreeMap::new(), BTreeSet::new(), 0);
    loop {
        answers += 1;
        let found = db.store.list_thread_changes(view, since_ms).await.unwrap();
        threads.extend(found.threads.into_iter().map(|thread| (thread.id.to_string(), thread)));
        deleted.extend(found.deleted.into_iter().map(|deleted| deleted.id.to_string()));
        match found.cut_at_ms {
            Some(cut_at_ms) => {
                assert!(cut_at_ms > since_ms);
                since_ms = cut_at_ms;
            }
            None => return (threads, deleted, answers),
        }
    }
}

async fn changes_are_told_with_those_who_are_gone(db: &Database) {
    let all = scope(db, "a").await;
    for (name, at) in [("a", 10), ("b", 20), ("c", 30)] {
        create(db, &all, &public(name, json!({"k": name})), at).await;
    }
    create(db, &all, &private("p", json!({"k": "secret"})), 35).await;
    assert_eq!(changes(db, &all.view, 20).await.0.len(), 3);
    db.store.delete_thread(&all, &thread_id("th_a"), 40).await.unwrap();
    db.store.resolve_thread(&all, &thread_id("th_b"), true, 50).await.unwrap();
    db.store.delete_thread(&all, &thread_id("th_p"), 60).await.unwrap();
    let (threads, deleted, _) = changes(db, &all.view, 31).await;
    assert_eq!(threads.keys().collect::<Vec<_>>(), ["th_b"]);
    assert_eq!(deleted, ["th_a", "th_p"].map(str::to_owned).into());
    assert!(threads["th_b"].resolved);

    let view = seen_by(db, &all, &["*:write", "comments:private:none"]).await;
    let (threads, deleted, _) = changes(db, &view, 0).await;
    assert_eq!(threads.len(), 2);
    assert_eq!(deleted, ["th_a"].map(str::to_owned).into(), "not even that it is gone");
    assert_eq!(get(db, &all.view, "th_a").await, None);
    let error = db.store.resolve_thread(&all, &thread_id("th_a"), true, 70).await.unwrap_err();
    assert_eq!(error.reason(), "RESOURCE_NOT_FOUND");
}

async fn what_has_just_the_time_is_told_again(db: &Database) {
    let scope = scope(db, "a").await;
    create(db, &scope, &public("a", json!({})), 10).await;
    assert_eq!(changes(db, &scope.view, 10).await.0.len(), 1);
    assert_eq!(changes(db, &scope.view, 11).await.0.len(), 0);
}

async fn many_changes_come_in_several_answers(db: &Database) {
    let scope = scope(db, "a").await;
    // In one moment more than an answer has, and more than are read at once.
    for number in 0..1_100 {
        let at = if number < 1_050 { 5 } else { number };
        create(db, &scope, &public(&format!("t{number}"), json!({})), at).await;
    }
    let (threads, _, answers) = changes(db, &scope.view, 0).await;
    assert_eq!(threads.len(), 1_100);
    assert!(answers > 1);
    let first = db.store.list_thread_changes(&scope.view, 5).await.unwrap();
    assert!(first.threads.len() > 1_050, "or the next answer would be the same");
}

async fn only_who_made_a_thread_deletes_it(db: &Database) {
    let all = scope(db, "a").await;
    create(db, &all, &public("x", json!({})), 1).await;
    let by = |owner: UserId| CommentScope { owner: Some(owner), ..all.clone() };
    let error = db.store.delete_thread(&by(user("bob")), &thread_id("th_x"), 2).await.unwrap_err();
    assert_eq!(error.reason(), "FORBIDDEN");
    db.store.delete_thread(&by(user("ann")), &thread_id("th_x"), 2).await.unwrap();
    assert_eq!(get(db, &all.view, "th_x").await, None);
    let error = db.store.create_thread(&all, &public("x", json!({})), 3).await.unwrap_err();
    assert_eq!(error.reason(), "RESOURCE_ALREADY_EXISTS", "an id is not used again");
}
