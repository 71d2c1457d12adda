//! Groups of users: what they hold, their lists, and who is in which of them.

use roomd::domain::cursor::GroupCursor;
use roomd::domain::group::{Group, GroupMember, MEMBERS_MAX};
use roomd::domain::ids::{GroupId, OrganizationId, UserId};
use roomd::store::GroupChange;

use crate::databases::Database;
use crate::store_rooms::grant;

crate::on_both!(
    a_group_comes_back_as_it_was_written,
    members_come_and_go,
    groups_are_listed_newest_first_page_by_page,
    the_groups_of_a_user_follow_its_members,
    a_page_of_large_groups_is_short,
    groups_are_found_together,
    projects_have_groups_of_their_own,
    concurrent_changes_of_members_all_count,
);

fn group_id(raw: &str) -> GroupId {
    GroupId::parse("id", raw).unwrap()
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| UserId::parse("id", name).unwrap()).collect()
}

fn group(raw: &str, at_ms: i64, members: &[&str]) -> Group {
    let mut group = Group {
        id: group_id(raw),
        organization_id: OrganizationId::default(),
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        mention: Some(true),
        members: Vec::new(),
    };
    group.add(&users(members), at_ms).unwrap();
    group
}

async fn insert(db: &Database, group: &Group) {
    assert!(db.store.insert_group(&grant("p"), group).await.unwrap());
}

async fn find(db: &Database, ids: &[&str]) -> Vec<Group> {
    let ids = ids.iter().map(|id| group_id(id)).collect();
    let found = db.store.find_groups(grant("p").project(), ids).await.unwrap();
    found.into_iter().map(|group| grant("p").open(group)).collect()
}

async fn change(db: &Database, id: &str, change: GroupChange, now_ms: i64) -> Option<Group> {
    db.store.change_group(&grant("p"), &group_id(id), change, now_ms).await.unwrap()
}

/// The ids of all pages, and how long each page is.
async fn list(db: &Database, user: Option<&str>, limit: usize) -> (Vec<String>, Vec<usize>) {
    let user = user.map(|name| users(&[name]).remove(0));
    let (mut ids, mut lengths) = (Vec::new(), Vec::new());
    let mut after: Option<GroupCursor> = None;
    loop {
        let page = db.store.list_groups(&grant("p"), user.as_ref(), after.as_ref(), limit).await;
        let page = page.unwrap();
        lengths.push(page.groups.len());
        ids.extend(page.groups.iter().map(|group| group.id.to_string()));
        match page.next {
            Some(next) => after = Some(next),
            None => return (ids, lengths),
        }
    }
}

async fn a_group_comes_back_as_it_was_written(db: &Database) {
    let mut odd = group("a/b é", 7, &["z\"", "ann", "b b"]);
    odd.organization_id = OrganizationId::trusted("acme");
    odd.mention = None;
    insert(db, &odd).await;
    let quiet = Group { mention: Some(false), ..group("quiet", 8, &[]) };
    insert(db, &quiet).await;
    assert_eq!(find(db, &["a/b é"]).await, [odd.clone()]);
    assert_eq!(find(db, &["quiet"]).await, [quiet]);
    let other = group("a/b é", 9, &["eve"]);
    assert!(!db.store.insert_group(&grant("p"), &other).await.unwrap());
    assert_eq!(find(db, &["a/b é"]).await, [odd]);
    assert_eq!(list(db, Some("eve"), 9).await.0.len(), 0);
}

async fn members_come_and_go(db: &Database) {
    insert(db, &group("g", 5, &["ann"])).await;
    let added = change(db, "g", GroupChange::Add(users(&["bob", "ann", "bob"])), 9).await.unwrap();
    let member =
        |name: &str, at_ms| GroupMember { user: UserId::trusted(name), added_at_ms: at_ms };
    assert_eq!(added.members, [member("ann", 5), member("bob", 9)]);
    assert_eq!((added.created_at_ms, added.updated_at_ms), (5, 9));
    assert_eq!(find(db, &["g"]).await, std::slice::from_ref(&added));
    let same = change(db, "g", GroupChange::Add(users(&["ann"])), 10).await.unwrap();
    assert_eq!(same, added);
    let gone = change(db, "g", GroupChange::Remove(users(&["ann", "eve"])), 11).await.unwrap();
    assert_eq!(gone.members, [member("bob", 9)]);
    assert_eq!(find(db, &["g"]).await, [gone]);
    let back = change(db, "g", GroupChange::Add(users(&["ann"])), 12).await.unwrap();
    assert_eq!(back.members, [member("bob", 9), member("ann", 12)]);
    assert_eq!(change(db, "nobody", GroupChange::Add(users(&["ann"])), 1).await, None);
    let many: Vec<UserId> =
        (0..MEMBERS_MAX).map(|n| UserId::parse("id", &format!("u{n}")).unwrap()).collect();
    let add = GroupChange::Add(many.clone());
    let error = db.store.change_group(&grant("p"), &group_id("g"), add, 13).await.unwrap_err();
    assert_eq!(error.reason(), "UNPROCESSABLE_ENTITY");
    assert_eq!(find(db, &["g"]).await, [back], "all or nothing");
    let full = change(db, "g", GroupChange::Add(many[2..].to_vec()), 14).await.unwrap();
    assert_eq!(full.members.len(), MEMBERS_MAX);
    assert_eq!(list(db, Some("u999"), 9).await.0, ["g"]);
}

async fn groups_are_listed_newest_first_page_by_page(db: &Database) {
    assert_eq!(list(db, None, 3).await, (vec![], vec![0]));
    for (name, at_ms) in [("b", 2), ("a", 2), ("old", 1), ("c", 2), ("new", 3), ("é", 3)] {
        insert(db, &group(name, at_ms, &[])).await;
    }
    let expected = ["é", "new", "c", "b", "a", "old"];
    for (limit, lengths) in [(1, vec![1; 6]), (4, vec![4, 2]), (6, vec![6]), (100, vec![6])] {
        assert_eq!(list(db, None, limit).await, (expected.map(str::to_owned).to_vec(), lengths));
    }
}

async fn the_groups_of_a_user_follow_its_members(db: &Database) {
    insert(db, &group("a", 1, &["ann", "bob"])).await;
    insert(db, &group("b", 2, &["bob"])).await;
    insert(db, &group("c", 3, &["ann"])).await;
    change(db, "b", GroupChange::Add(users(&["ann"])), 9).await.unwrap();
    assert_eq!(
        list(db, Some("ann"), 2).await,
        (["c", "b", "a"].map(str::to_owned).to_vec(), vec![2, 1])
    );
    assert_eq!(list(db, Some("bob"), 9).await.0, ["b", "a"]);
    assert_eq!(list(db, Some("Ann"), 9).await.0.len(), 0);
    change(db, "c", GroupChange::Remove(users(&["ann"])), 9).await.unwrap();
    assert!(db.store.delete_group(&grant("p"), &group_id("a")).await.unwrap());
    assert!(!db.store.delete_group(&grant("p"), &group_id("a")).await.unwrap());
    assert_eq!(list(db, Some("ann"), 9).await.0, ["b"]);
    insert(db, &group("a", 4, &[])).await;
    assert_eq!(list(db, Some("ann"), 9).await.0, ["b"], "a new group is another group");
}

async fn a_page_of_large_groups_is_short(db: &Database) {
    let long: Vec<String> = (0..MEMBERS_MAX).map(|n| format!("{n:0>128}")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    for number in 0..9 {
        insert(db, &group(&number.to_string(), number, &long)).await;
    }
    let (ids, lengths) = list(db, None, 100).await;
    assert_eq!(ids.len(), 9);
    assert_eq!(lengths, [7, 2], "7 × about 135 KB fit into 1 MiB");
}

async fn groups_are_found_together(db: &Database) {
    let names: Vec<String> = (0..70).map(|n| format!("g{n:02}")).collect();
    for name in &names {
        insert(db, &group(name, 1, &["ann"])).await;
    }
    let mut asked: Vec<&str> = names.iter().map(String::as_str).rev().collect();
    asked.extend(["nobody", "g03"]);
    let found = find(db, &asked).await;
    assert_eq!(found.iter().map(|group| group.id.as_str()).collect::<Vec<_>>(), names);
    assert_eq!(find(db, &[]).await, []);
}

async fn projects_have_groups_of_their_own(db: &Database) {
    insert(db, &group("g", 1, &["ann"])).await;
    let (theirs, ann) = (grant("q"), users(&["ann"]).remove(0));
    assert!(db.store.insert_group(&theirs, &group("g", 2, &[])).await.unwrap());
    assert!(db.store.delete_group(&theirs, &group_id("g")).await.unwrap());
    let add = GroupChange::Add(users(&["eve"]));
    assert_eq!(db.store.change_group(&theirs, &group_id("g"), add, 3).await.unwrap(), None);
    for user in [None, Some(&ann)] {
        let page = db.store.list_groups(&theirs, user, None, 9).await.unwrap();
        assert_eq!((page.groups, page.next), (vec![], None));
    }
    assert_eq!(find(db, &["g"]).await, [group("g", 1, &["ann"])]);
}

async fn concurrent_changes_of_members_all_count(db: &Database) {
    insert(db, &group("g", 1, &["u0", "u1", "u2", "u3"])).await;
    let calls: Vec<_> = (0..16)
        .map(|number| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let user = UserId::parse("id", &format!("u{number}")).unwrap();
                let change = match number {
                    0..4 => GroupChange::Remove(vec![user]),
                    _ => GroupChange::Add(vec![user]),
                };
                store.change_group(&grant("p"), &group_id("g"), change, 5).await.unwrap().unwrap()
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let found = find(db, &["g"]).await.remove(0);
    let mut names: Vec<&str> = found.members.iter().map(|m| m.user.as_str()).collect();
    names.sort_unstable();
    let mut expected: Vec<String> = (4..16).map(|number| format!("u{number}")).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(list(db, Some("u1"), 9).await.0.len(), 0);
    assert_eq!(list(db, Some("u15"), 9).await.0, ["g"]);
}
