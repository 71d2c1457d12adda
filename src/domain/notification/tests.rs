use serde_json::json;

use super::*;

fn notification(unread: bool, about: About, place: Place) -> Notification {
    Notification {
        id: NotificationId::trusted("in_x"),
        user: UserId::trusted("ann"),
        place,
        about,
        notified_at_ms: 1,
        read_at_ms: None,
        unread,
    }
}

fn custom(kind: &str) -> About {
    About::Custom {
        kind: CustomKind::trusted(kind),
        subject_id: "s".into(),
        activities: Vec::new(),
    }
}

#[test]
fn a_filter_knows_unread_kind_and_room() {
    let room = |id: &str| Place::Room(RoomId::trusted(id));
    let thread = About::Thread { id: ThreadId::trusted("th_x"), visibility: Visibility::Public };
    let unread_thread = notification(true, thread, room("team:1"));
    let nowhere = Place::Organization(OrganizationId::default());
    let read_alert = notification(false, custom("$alert"), nowhere);
    for (query, thread, alert) in [
        ("", true, true),
        ("unread:true", true, false),
        ("unread:false", false, true),
        ("unread:true unread:false", false, false),
        ("kind:'thread'", true, false),
        ("kind:'$alert'", false, true),
        ("kind^'$'", false, true),
        ("roomId:'team:1'", true, false),
        ("roomId^'team:' AND unread:true", true, false),
        ("roomId:'team'", false, false),
        ("roomId:null", false, true),
    ] {
        let filter = InboxFilter::from_query(query).unwrap();
        assert_eq!(filter.matches(&unread_thread), thread, "{query}");
        assert_eq!(filter.matches(&read_alert), alert, "{query}");
    }
    assert!(InboxFilter::from_query("kind:'x' unread:true").unwrap().is_of_unread());
    assert!(!InboxFilter::from_query("unread:false").unwrap().is_of_unread());
    for query in ["unread:'true'", "kind:5", "roomId>5", "color:'x'", "kind['x']:'y'"] {
        let error = InboxFilter::from_query(query).unwrap_err();
        assert_eq!(error.fields()[0].field, "query", "{query}");
    }
}

#[test]
fn a_kind_begins_with_a_dollar() {
    for good in ["$a", "$fileUploaded", "$_", &format!("${}", "x".repeat(127))] {
        assert_eq!(CustomKind::parse("kind", good).unwrap().as_str(), good);
    }
    for bad in ["", "$", "a", "$a1", "$a b", "$é", &format!("${}", "x".repeat(128))] {
        assert!(CustomKind::parse("kind", bad).is_err(), "{bad}");
    }
}

#[test]
fn the_last_activities_are_kept_within_the_limits() {
    let data = |value: serde_json::Value| json!({ "v": value }).as_object().unwrap().clone();
    let mut activities = Vec::new();
    for number in 0..60 {
        activities = Activity::new(data(number.into()), number).unwrap().append_to(activities);
    }
    let times: Vec<i64> = activities.iter().map(|one| one.created_at_ms).collect();
    assert_eq!(times, (10..60).collect::<Vec<_>>());
    let long = |at| {
        let entries = (0..12).map(|key| (key.to_string(), json!("é".repeat(2_500)))).collect();
        Activity::new(entries, at).unwrap()
    };
    for at in 60..70 {
        activities = long(at).append_to(activities);
    }
    let times: Vec<i64> = activities.iter().map(|one| one.created_at_ms).collect();
    assert_eq!(times, [66, 67, 68, 69], "four of 60 kB each are within 256 KiB");
    for bad in [json!(null), json!([]), json!({}), json!("x".repeat(4_001)), json!("a\0")] {
        assert!(Activity::new(data(bad), 1).is_err());
    }
    let many = (0..51).map(|key| (key.to_string(), json!(1))).collect();
    assert!(Activity::new(many, 1).is_err());
    let huge = (0..20).map(|key| (key.to_string(), json!("x".repeat(4_000)))).collect();
    assert!(Activity::new(huge, 1).is_err());
}

#[test]
fn settings_are_merged_over_what_is_usual() {
    let mut settings = NotificationSettings::default();
    let usual = |wanted| {
        std::collections::BTreeMap::from([
            ("textMention".to_owned(), wanted),
            ("thread".to_owned(), wanted),
        ])
    };
    for channel in Channel::ALL {
        assert_eq!(settings.of(channel), usual(channel == Channel::Email));
    }
    let patch = |kind: &str, wanted| {
        SettingsPatch::from([(Channel::Slack, [(kind.to_owned(), wanted)].into())])
    };
    settings.merge(&patch("thread", Some(true))).unwrap();
    settings.merge(&patch("$alert", Some(true))).unwrap();
    settings.merge(&patch("$alert", Some(false))).unwrap();
    let slack = settings.of(Channel::Slack);
    assert_eq!((slack["thread"], slack["textMention"], slack["$alert"]), (true, false, false));
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(text, r#"{"slack":{"$alert":false,"thread":true}}"#);
    assert_eq!(serde_json::from_str::<NotificationSettings>(&text).unwrap(), settings);
    settings.merge(&patch("$alert", None)).unwrap();
    settings.merge(&patch("thread", None)).unwrap();
    assert_eq!(settings, NotificationSettings::default());
    assert!(settings.merge(&patch("threads", Some(true))).is_err());
    let letter = |number: u8| char::from(b'a' + number);
    let kinds = (0..101).map(|n| (format!("${}{}", letter(n / 26), letter(n % 26)), Some(true)));
    let many = SettingsPatch::from([(Channel::Email, kinds.collect())]);
    assert!(NotificationSettings::default().merge(&many).is_err());
}

#[test]
fn a_cursor_comes_back_and_nothing_else_is_one() {
    let cursor = InboxCursor { notified_at_ms: -5, id: NotificationId::trusted("in_abc") };
    let query = InboxQuery::read(("cursor", &cursor.to_text()), Some(1), "").unwrap();
    assert_eq!((query.after, query.limit), (Some(cursor), 1));
    assert_eq!(InboxQuery::read(("cursor", ""), None, "").unwrap().limit, INBOX_LIMIT_MAX);
    for bad in ["what?", "AAAA", &"A".repeat(2_000)] {
        let error = InboxQuery::read(("startingAfter", bad), None, "").unwrap_err();
        assert_eq!(error.fields()[0].field, "startingAfter");
    }
    for bad in [0, -1, 51] {
        assert!(InboxQuery::read(("cursor", ""), Some(bad), "").is_err());
    }
    let place = SettingsCursor("00ff".into());
    assert_eq!(SettingsCursor::read("cursor", &place.to_text()).unwrap(), Some(place));
    assert!(SettingsCursor::read("cursor", "e_-_").is_err());
}
