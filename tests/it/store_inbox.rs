//! Inboxes: order, pages, what changed and what is gone, and what goes with the room.

use std::sync::Arc;

use roomd::domain::comment::Mention;
use roomd::domain::content_id::NotificationId;
use roomd::domain::ids::{OrganizationId, ProjectId, UserId};
use roomd::domain::notification::{
    About, Activity, Channel, CustomKind, InboxDeletion, Notification, RoomSubscription,
    SettingsPatch, TextMentionNotices, ThreadNotices,
};
use roomd::store::{Changes, CustomNotice, DataKey, InboxEntry, NoticePlace, Renamed, TextMention};
use serde_json::json;

use crate::databases::Database;
use crate::store_documents::room;
use crate::store_rooms::{find, grant, id};

crate::on_both!(
    what_happens_to_a_subject_is_one_notification,
    an_inbox_is_listed_newest_first_page_by_page,
    what_was_read_is_unread_when_something_happens,
    everything_is_marked_as_read_in_one_organization,
    a_deletion_is_told_once_it_happened,
    changes_of_one_moment_are_never_torn,
    a_mention_in_a_text_is_told_to_those_who_want_to_hear,
    a_renamed_room_keeps_its_notifications_and_a_deleted_one_takes_them_along,
    settings_of_rooms_are_changed_and_listed,
    settings_of_channels_are_merged,
    concurrent_activities_are_all_there,
);

fn project() -> ProjectId {
    ProjectId::trusted("p")
}

fn user(raw: &str) -> UserId {
    UserId::trusted(raw)
}

fn nowhere(organization: &str) -> NoticePlace {
    NoticePlace::Organization(OrganizationId::trusted(organization))
}

fn notice(who: &str, subject: &str, place: NoticePlace, at_ms: i64) -> CustomNotice {
    let data = json!({ "at": at_ms }).as_object().unwrap().clone();
    CustomNotice {
        user: user(who),
        kind: CustomKind::trusted("$alert"),
        subject_id: subject.into(),
        activity: Activity::new(data, at_ms).unwrap(),
        place,
    }
}

async fn tell(db: &Database, subject: &str, place: NoticePlace, at_ms: i64) {
    let notice = notice("ann", subject, place, at_ms);
    db.store.trigger_notification(&project(), notice, at_ms).await.unwrap();
}

async fn all(db: &Database, who: &str) -> Vec<InboxEntry> {
    let (entries, more) =
        db.store.list_inbox(&project(), &user(who), None, (1_000, false)).await.unwrap();
    assert!(!more);
    entries
}

fn opened(entries: Vec<InboxEntry>) -> Vec<Notification> {
    entries.into_iter().map(|entry| grant("p").open(entry.notification)).collect()
}

fn subjects(found: &[Notification]) -> Vec<&str> {
    found.iter().map(|one| one.about.subject_id()).collect()
}

async fn unread(db: &Database) -> i64 {
    let sorts = db.store.count_unread(&project(), &user("ann"), 1_000).await.unwrap();
    sorts.iter().map(|sort| sort.count).sum()
}

async fn changes(db: &Database, since_ms: i64, limit: usize) -> Changes<InboxEntry> {
    db.store.list_inbox_changes(&project(), &user("ann"), since_ms, limit).await.unwrap()
}

async fn deletions(db: &Database, since_ms: i64, limit: usize) -> Changes<InboxDeletion> {
    db.store.list_inbox_deletions(&project(), &user("ann"), since_ms, limit).await.unwrap()
}

async fn data(db: &Database, raw: &str) -> DataKey {
    room(db, raw).await.data().clone()
}

async fn what_happens_to_a_subject_is_one_notification(db: &Database) {
    let key = data(db, "r").await;
    for (subject, place, at_ms) in [
        ("s", nowhere("acme"), 1),
        ("s", nowhere("acme"), 2),
        ("s", nowhere("other"), 3),
        ("s", NoticePlace::Room(key.clone()), 4),
        ("t", nowhere("acme"), 5),
        ("s", nowhere("acme"), 6),
    ] {
        tell(db, subject, place, at_ms).await;
    }
    let found = opened(all(db, "ann").await);
    assert_eq!(subjects(&found), ["s", "t", "s", "s"]);
    assert_eq!(found[0].notified_at_ms, 6);
    assert_eq!(found[2].room().map(|room| room.as_str()), Some("r"));
    let About::Custom { activities, .. } = &found[0].about else { panic!("{:?}", found[0]) };
    let times: Vec<i64> = activities.iter().map(|one| one.created_at_ms).collect();
    assert_eq!(times, [1, 2, 6]);
    assert!(all(db, "bob").await.is_empty());
    let other = ProjectId::trusted("q");
    let theirs = db.store.list_inbox(&other, &user("ann"), None, (9, false)).await.unwrap();
    assert!(theirs.0.is_empty());
}

async fn an_inbox_is_listed_newest_first_page_by_page(db: &Database) {
    let (project, ann) = (project(), user("ann"));
    for number in 0..7_i64 {
        // Two of each moment.
        tell(db, &number.to_string(), nowhere("acme"), number / 2).await;
    }
    let whole: Vec<NotificationId> =
        opened(all(db, "ann").await).into_iter().map(|one| one.id).collect();
    let (mut paged, mut after, mut lengths) = (Vec::new(), None, Vec::new());
    loop {
        let page = db.store.list_inbox(&project, &ann, after.as_ref(), (3, false)).await.unwrap();
        lengths.push(page.0.len());
        after = page.0.last().map(|last| last.cursor.clone());
        paged.extend(opened(page.0).into_iter().map(|one| one.id));
        if !page.1 {
            break;
        }
    }
    assert_eq!((paged, lengths), (whole.clone(), vec![3, 3, 1]));
    db.store.mark_some_as_read(&project, &ann, whole[..5].to_vec(), 50).await.unwrap();
    let (left, _) = db.store.list_inbox(&project, &ann, None, (9, true)).await.unwrap();
    let left: Vec<NotificationId> = opened(left).into_iter().map(|one| one.id).collect();
    assert_eq!(left, whole[5..]);
    assert_eq!(unread(db).await, 2);
}

async fn what_was_read_is_unread_when_something_happens(db: &Database) {
    tell(db, "s", nowhere("acme"), 10).await;
    let found = opened(all(db, "ann").await).remove(0);
    assert_eq!((found.read_at_ms, found.unread), (None, true));
    assert!(db.store.mark_as_read(&project(), &found.id, 5).await.unwrap());
    let read = opened(all(db, "ann").await).remove(0);
    assert_eq!((read.read_at_ms, read.unread), (Some(10), false), "never before it happened");
    tell(db, "s", nowhere("acme"), 20).await;
    let again = opened(all(db, "ann").await).remove(0);
    assert_eq!((again.id, again.read_at_ms, again.unread), (read.id.clone(), Some(10), true));
    let nobody = NotificationId::trusted("in_nobody");
    assert!(!db.store.mark_as_read(&project(), &nobody, 30).await.unwrap());
    db.store.mark_some_as_read(&project(), &user("bob"), vec![read.id], 30).await.unwrap();
    assert_eq!(unread(db).await, 1, "nobody marks what is somebody else's");
}

async fn everything_is_marked_as_read_in_one_organization(db: &Database) {
    let key = data(db, "r").await;
    tell(db, "a", nowhere("acme"), 1).await;
    tell(db, "b", nowhere("default"), 1).await;
    tell(db, "c", NoticePlace::Room(key), 1).await;
    let mark = async |organization: Option<&str>| {
        let organization = organization.map(OrganizationId::trusted);
        let (project, ann) = (project(), user("ann"));
        db.store.mark_all_as_read(&project, &ann, organization.as_ref(), 5).await.unwrap();
        unread(db).await
    };
    assert_eq!(mark(Some("elsewhere")).await, 3);
    assert_eq!(mark(Some("default")).await, 1, "the room is of this organization, too");
    assert_eq!(mark(None).await, 0);
}

async fn a_deletion_is_told_once_it_happened(db: &Database) {
    let key = data(db, "r").await;
    tell(db, "a", NoticePlace::Room(key), 10).await;
    tell(db, "b", nowhere("acme"), 11).await;
    let found = opened(all(db, "ann").await);
    let (project, ann, bob) = (project(), user("ann"), user("bob"));
    let first = found[1].id.clone();
    assert!(!db.store.delete_inbox_notification(&project, &bob, &first, 20).await.unwrap());
    assert!(db.store.delete_inbox_notification(&project, &ann, &first, 20).await.unwrap());
    assert!(!db.store.delete_inbox_notification(&project, &ann, &first, 21).await.unwrap());
    assert_eq!(subjects(&opened(all(db, "ann").await)), ["b"]);
    let gone = deletions(db, 20, 9).await.entries;
    assert_eq!(gone, [InboxDeletion { id: first, room: Some(id("r")), deleted_at_ms: 20 }]);
    assert!(deletions(db, 21, 9).await.entries.is_empty());
    let elsewhere = OrganizationId::trusted("elsewhere");
    db.store.delete_inbox(&project, &ann, Some(&elsewhere), 30).await.unwrap();
    assert_eq!(all(db, "ann").await.len(), 1);
    db.store.delete_inbox(&project, &ann, None, 31).await.unwrap();
    assert!(all(db, "ann").await.is_empty());
    assert_eq!(deletions(db, 31, 9).await.entries[0].id, found[0].id);
    // What is told of again is something new.
    tell(db, "b", nowhere("acme"), 40).await;
    assert_ne!(opened(all(db, "ann").await)[0].id, found[0].id);
}

async fn changes_of_one_moment_are_never_torn(db: &Database) {
    for number in 0..6 {
        tell(db, &number.to_string(), nowhere("acme"), 10 + number / 3).await;
    }
    let times = |found: &Changes<InboxEntry>| -> Vec<i64> {
        found.entries.iter().map(|entry| entry.updated_at_ms).collect()
    };
    let first = changes(db, 0, 4).await;
    assert_eq!((times(&first), first.more_from_ms), (vec![10; 3], Some(11)));
    let rest = changes(db, 11, 4).await;
    assert_eq!((times(&rest), rest.more_from_ms), (vec![11; 3], None));
    db.store.mark_all_as_read(&project(), &user("ann"), None, 30).await.unwrap();
    let marked = changes(db, 12, 4).await;
    assert_eq!((times(&marked), marked.more_from_ms), (vec![30; 6], Some(31)));
    assert!(changes(db, 31, 4).await.entries.is_empty());
    db.store.delete_inbox(&project(), &user("ann"), None, 40).await.unwrap();
    let gone = deletions(db, 0, 4).await;
    assert_eq!((gone.entries.len(), gone.more_from_ms), (6, Some(41)));
}

async fn a_mention_in_a_text_is_told_to_those_who_want_to_hear(db: &Database) {
    let key = data(db, "r").await;
    let none = RoomSubscription { text_mentions: Some(TextMentionNotices::None), threads: None };
    db.store.update_room_subscription(&key, &user("bob"), none).await.unwrap();
    let user_ids = ["ann", "bob", "cat", "eve"].map(user).to_vec();
    let mention = TextMention {
        room: find(db, "r").await.unwrap(),
        id: "m".into(),
        created_by: user("eve"),
        mention: Mention::Group { id: "g".into(), user_ids },
    };
    db.store.insert_text_mention(&key, mention.clone(), 10).await.unwrap();
    db.store.insert_text_mention(&key, mention.clone(), 20).await.unwrap();
    assert!(all(db, "bob").await.is_empty() && all(db, "eve").await.is_empty());
    for who in ["ann", "cat"] {
        let found = opened(all(db, who).await);
        assert_eq!((found.len(), found[0].notified_at_ms), (1, 10), "{who}");
        let About::TextMention { id, created_by, mention: told } = &found[0].about else {
            panic!("{:?}", found[0])
        };
        assert_eq!((id.as_str(), created_by, told), ("m", &user("eve"), &mention.mention));
    }
    db.store.delete_text_mention(&key, "other", 30).await.unwrap();
    assert_eq!(all(db, "ann").await.len(), 1);
    db.store.delete_text_mention(&key, "m", 30).await.unwrap();
    assert!(all(db, "ann").await.is_empty() && all(db, "cat").await.is_empty());
    assert_eq!(deletions(db, 30, 9).await.entries.len(), 1);
}

async fn a_renamed_room_keeps_its_notifications_and_a_deleted_one_takes_them_along(db: &Database) {
    let key = data(db, "r").await;
    tell(db, "s", NoticePlace::Room(key.clone()), 10).await;
    tell(db, "t", nowhere("acme"), 5).await;
    let said = RoomSubscription { threads: Some(ThreadNotices::All), text_mentions: None };
    db.store.update_room_subscription(&key, &user("ann"), said).await.unwrap();
    let renamed = db.store.rename_room(&grant("p"), &id("r"), &id("new")).await.unwrap();
    assert!(matches!(renamed, Renamed::Done(_)), "{renamed:?}");
    let found = opened(all(db, "ann").await);
    assert_eq!(found[0].room(), Some(&id("new")));
    db.store.delete_room(&grant("p"), &id("new")).await.unwrap();
    assert_eq!(subjects(&opened(all(db, "ann").await)), ["t"]);
    assert_eq!(unread(db).await, 1);
    assert_eq!(changes(db, 0, 9).await.entries.len(), 1);
    let refused = db.store.update_room_subscription(&key, &user("ann"), said).await.unwrap_err();
    assert_eq!(refused.reason(), "ROOM_NOT_FOUND");
    while db.store.sweep_garbage(1).await.unwrap() > 0 {}
    assert_eq!(
        db.store.find_room_subscription(&key, &user("ann")).await.unwrap(),
        RoomSubscription::default()
    );
    assert_eq!(subjects(&opened(all(db, "ann").await)), ["t"]);
}

async fn settings_of_rooms_are_changed_and_listed(db: &Database) {
    let ann = user("ann");
    let all_threads = RoomSubscription { threads: Some(ThreadNotices::All), text_mentions: None };
    let no_mentions =
        RoomSubscription { threads: None, text_mentions: Some(TextMentionNotices::None) };
    let mut names = Vec::new();
    for number in 0..5 {
        let name = format!("r{number}");
        let key = data(db, &name).await;
        assert_eq!(
            db.store.find_room_subscription(&key, &ann).await.unwrap(),
            RoomSubscription::default()
        );
        db.store.update_room_subscription(&key, &ann, all_threads).await.unwrap();
        let said = db.store.update_room_subscription(&key, &ann, no_mentions).await.unwrap();
        let both = RoomSubscription { threads: all_threads.threads, ..no_mentions };
        assert_eq!(said, both);
        assert_eq!(db.store.find_room_subscription(&key, &ann).await.unwrap(), both);
        names.push(name);
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = (after.as_ref(), 2);
        let found = db.store.list_room_subscriptions(&project(), &ann, None, page).await.unwrap();
        let more = found.len() > 2;
        for entry in found.into_iter().take(2) {
            listed.push(entry.room.to_string());
            after = Some(entry.cursor);
        }
        if !more {
            break;
        }
    }
    listed.sort();
    assert_eq!(listed, names);
    for (organization, count) in [("default", 5), ("elsewhere", 0)] {
        let organization = OrganizationId::trusted(organization);
        let page = (None, 50);
        let only = Some(&organization);
        let found = db.store.list_room_subscriptions(&project(), &ann, only, page).await.unwrap();
        assert_eq!(found.len(), count);
    }
}

async fn settings_of_channels_are_merged(db: &Database) {
    let (project, ann) = (project(), user("ann"));
    let patch = |channel, kind: &str, wanted| {
        SettingsPatch::from([(channel, [(kind.to_owned(), Some(wanted))].into())])
    };
    let change =
        async |patch| db.store.update_notification_settings(&project, &ann, patch).await.unwrap();
    change(patch(Channel::Slack, "thread", true)).await;
    let said = change(patch(Channel::Slack, "$a", true)).await;
    assert_eq!(db.store.find_notification_settings(&project, &ann).await.unwrap(), said);
    assert!(said.of(Channel::Slack)["thread"] && said.of(Channel::Slack)["$a"]);
    let store = Arc::new(db.store.clone());
    let each = (0..8_u8).map(|number| {
        let (store, project, ann) = (Arc::clone(&store), project.clone(), ann.clone());
        let kind = format!("$k{}", char::from(b'a' + number));
        let patch = patch(Channel::Teams, &kind, true);
        async move { store.update_notification_settings(&project, &ann, patch).await.unwrap() }
    });
    futures_util::future::join_all(each).await;
    let said = db.store.find_notification_settings(&project, &ann).await.unwrap();
    assert_eq!(said.of(Channel::Teams).len(), 2 + 8, "none was lost");
    db.store.delete_notification_settings(&project, &ann).await.unwrap();
    let said = db.store.find_notification_settings(&project, &ann).await.unwrap();
    assert_eq!(said, Default::default());
}

async fn concurrent_activities_are_all_there(db: &Database) {
    let each = (0..16).map(|number| {
        let notice = notice("ann", "s", nowhere("acme"), number);
        async move { db.store.trigger_notification(&project(), notice, number).await.unwrap() }
    });
    futures_util::future::join_all(each).await;
    let found = opened(all(db, "ann").await);
    assert_eq!(found.len(), 1);
    let About::Custom { activities, .. } = &found[0].about else { panic!("{:?}", found[0]) };
    assert_eq!(activities.len(), 16);
    assert_eq!(found[0].notified_at_ms, 15);
}
