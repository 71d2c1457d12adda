//! The rows of inboxes, and of what users want to be told of.

use serde_json::{Value, json};

use crate::authorization::{Row, Rule, row};

pub fn notification_rows() -> Vec<Row> {
    let mut rows = inbox_rows();
    rows.extend(thread_rows());
    rows.extend(settings_rows());
    rows
}

fn inbox_rows() -> Vec<Row> {
    let ann = || json!({"userId": "ann"});
    let nobody = || json!({"userId": "ann", "inboxNotificationId": "in_nobody"});
    let missing =
        |rpc, rule, request| Row { outcome: "RESOURCE_NOT_FOUND", ..row(rpc, rule, request) };
    let mention = |more: Value| {
        let mut request = json!({"roomId": "r", "mentionId": "m"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    vec![
        row(
            "roomd.v1.InboxService/TriggerInboxNotification",
            Rule::Project,
            json!({"userId": "ann", "kind": "$alert", "subjectId": "s", "activityData": {"n": 1}}),
        ),
        row("roomd.v1.InboxService/ListInboxNotifications", Rule::Own, ann()),
        missing("roomd.v1.InboxService/GetInboxNotification", Rule::Own, nobody()),
        row("roomd.v1.InboxService/GetInbox", Rule::Own, ann()),
        row("roomd.v1.InboxService/GetInboxDelta", Rule::Own, ann()),
        row("roomd.v1.InboxService/CountInboxNotifications", Rule::Own, ann()),
        // Whoever may call learns that there is none: it is in nobody's inbox.
        missing(
            "roomd.v1.InboxService/MarkInboxNotificationAsRead",
            Rule::List,
            json!({"inboxNotificationId": "in_nobody"}),
        ),
        row(
            "roomd.v1.InboxService/MarkInboxNotificationsAsRead",
            Rule::Own,
            json!({"userId": "ann", "inboxNotificationIds": "all"}),
        ),
        row(
            "roomd.v1.InboxService/CreateTextMention",
            Rule::RoomWrite,
            mention(json!({"userId": "bob", "createdBy": "ann"})),
        ),
        row("roomd.v1.InboxService/DeleteTextMention", Rule::RoomWrite, mention(json!({}))),
        row(
            "roomd.v1.InboxService/MarkRoomInboxNotificationsAsRead",
            Rule::BrowserOwn,
            json!({"roomId": "r", "userId": "ann", "inboxNotificationIds": ["in_nobody"]}),
        ),
        missing("roomd.v1.InboxService/DeleteInboxNotification", Rule::Own, nobody()),
        row("roomd.v1.InboxService/DeleteAllInboxNotifications", Rule::Own, ann()),
    ]
}

/// Only some callers could make a thread before, so they are asked about none.
fn thread_rows() -> Vec<Row> {
    let nowhere = |more: Value| {
        let mut request = json!({"roomId": "r", "threadId": "th_nobody"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let missing =
        |rpc, rule, more| Row { outcome: "RESOURCE_NOT_FOUND", ..row(rpc, rule, nowhere(more)) };
    vec![
        missing("roomd.v1.SubscriptionService/ListThreadSubscriptions", Rule::RoomRead, json!({})),
        missing(
            "roomd.v1.SubscriptionService/ListThreadInboxNotifications",
            Rule::ProjectRoom,
            json!({}),
        ),
        missing(
            "roomd.v1.SubscriptionService/SubscribeToThread",
            Rule::RoomOwn,
            json!({"userId": "ann"}),
        ),
        missing(
            "roomd.v1.SubscriptionService/UnsubscribeFromThread",
            Rule::RoomOwn,
            json!({"userId": "ann"}),
        ),
    ]
}

fn settings_rows() -> Vec<Row> {
    let ann = || json!({"userId": "ann"});
    let there = || json!({"roomId": "r", "userId": "ann"});
    vec![
        row(
            "roomd.v1.SubscriptionService/UpdateNotificationSettings",
            Rule::Own,
            json!({"userId": "ann", "email": {"thread": false}}),
        ),
        row("roomd.v1.SubscriptionService/GetNotificationSettings", Rule::Own, ann()),
        row("roomd.v1.SubscriptionService/DeleteNotificationSettings", Rule::Own, ann()),
        row(
            "roomd.v1.SubscriptionService/UpdateRoomSubscriptionSettings",
            Rule::RoomOwn,
            json!({"roomId": "r", "userId": "ann", "threads": "all"}),
        ),
        row("roomd.v1.SubscriptionService/GetRoomSubscriptionSettings", Rule::RoomOwn, there()),
        row("roomd.v1.SubscriptionService/ListUserRoomSubscriptionSettings", Rule::Own, ann()),
        row("roomd.v1.SubscriptionService/DeleteRoomSubscriptionSettings", Rule::RoomOwn, there()),
    ]
}
