//! The cases of inboxes, and of what users want to be told of.

use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};
use crate::cases_comments::{CREATE, new_thread};

const INBOX: &str = "roomd.v1.InboxService";
const SUBSCRIPTIONS: &str = "roomd.v1.SubscriptionService";

type Rpc = (&'static str, &'static str);

const TRIGGER: Rpc = (INBOX, "TriggerInboxNotification");
const LIST: Rpc = (INBOX, "ListInboxNotifications");
const MENTION: Rpc = (INBOX, "CreateTextMention");

pub fn notification_cases() -> Vec<Case> {
    let mut cases = triggered();
    cases.extend(read_and_deleted());
    cases.extend(in_the_browser());
    cases.extend(mentions_in_texts());
    cases.extend(in_threads());
    cases.extend(notification_settings());
    cases.extend(room_settings());
    cases
}

fn reply(json: Value) -> Expected {
    Expected::Reply(json)
}

fn gone() -> Expected {
    refusal("not_found", 404, "RESOURCE_NOT_FOUND")
}

fn invalid() -> Expected {
    refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY")
}

fn no_room() -> Expected {
    refusal("not_found", 404, "ROOM_NOT_FOUND")
}

fn ann() -> Value {
    json!({"userId": "ann"})
}

fn with(mut request: Value, more: Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn alert(more: Value) -> Value {
    let request = json!({"userId": "ann", "kind": "$alert", "subjectId": "s",
        "activityData": {"text": "é", "n": 1.5, "ok": true}});
    with(request, more)
}

/// The first of ann's notifications, as the call before listed it.
fn listed(number: usize) -> Value {
    json!({"userId": "ann", "inboxNotificationId": format!("{{{number}:/data/0/id}}")})
}

fn triggered() -> Vec<Case> {
    let activity = json!({"id": "V", "createdAt": "T",
        "data": {"text": "é", "n": 1.5, "ok": true}});
    let other = json!({"id": "V", "data": {"n": 2}});
    let bad = |name, more| case(name, &["r"], TRIGGER, alert(more), invalid());
    vec![
        case("trigger", &[], TRIGGER, alert(json!({})), reply(json!({}))),
        case("trigger in no room", &[], TRIGGER, alert(json!({"roomId": "r"})), no_room()),
        bad("trigger for nobody", json!({"userId": ""})),
        bad("trigger a kind without a dollar", json!({"kind": "alert"})),
        bad("trigger about nothing", json!({"subjectId": ""})),
        bad("trigger a list", json!({"activityData": {"list": [1]}})),
        bad("trigger a long text", json!({"activityData": {"a": "x".repeat(4_001)}})),
        bad("trigger elsewhere", json!({"roomId": "r", "organizationId": "other"})),
        case(
            "list what was triggered",
            &[],
            LIST,
            ann(),
            reply(json!({"data": [{"id": "V", "kind": "$alert", "subjectId": "s",
                "organizationId": "acme", "notifiedAt": "T", "activities": [activity, other]}]})),
        )
        .after(TRIGGER, alert(json!({"organizationId": "acme"})))
        .after(TRIGGER, alert(json!({"tenantId": "acme", "activityData": {"n": 2}}))),
        case(
            "list what was triggered in a room",
            &["r"],
            LIST,
            ann(),
            reply(json!({"data": [
                {"roomId": "r", "organizationId": "default", "activities": [other]}]})),
        )
        .after(TRIGGER, alert(json!({"roomId": "r", "activityData": {"n": 2}}))),
        case(
            "list what a query finds",
            &["r"],
            LIST,
            with(ann(), json!({"query": "kind:'$other' unread:true roomId:null"})),
            reply(json!({"data": [{"kind": "$other"}]})),
        )
        .after(TRIGGER, alert(json!({"kind": "$other"})))
        .after(TRIGGER, alert(json!({"kind": "$other", "roomId": "r"})))
        .after(TRIGGER, alert(json!({}))),
        case(
            "list an organization",
            &[],
            LIST,
            with(ann(), json!({"organizationId": "acme"})),
            reply(json!({"data": [{"organizationId": "acme"}]})),
        )
        .after(TRIGGER, alert(json!({"organizationId": "acme"})))
        .after(TRIGGER, alert(json!({}))),
        case("list too many", &[], LIST, with(ann(), json!({"limit": 51})), invalid()),
        case("list by nonsense", &[], LIST, with(ann(), json!({"query": "a:1"})), invalid()),
        case(
            "list behind nothing",
            &[],
            LIST,
            with(ann(), json!({"startingAfter": "what?"})),
            invalid(),
        ),
    ]
}

fn read_and_deleted() -> Vec<Case> {
    let rpc = |method| (INBOX, method);
    let nobody = || json!({"userId": "ann", "inboxNotificationId": "in_nobody"});
    let one = |number: usize| {
        let id = format!("{{{number}:/data/0/id}}");
        json!({ "inboxNotificationId": id })
    };
    let about = |name, method, request, expected| {
        let known = case(name, &[], rpc(method), request, expected);
        known.after(TRIGGER, alert(json!({}))).after(LIST, ann())
    };
    let shown = json!({"inboxNotification": {"kind": "$alert", "subjectId": "s"}});
    let read = json!({"inboxNotification": {"kind": "$alert", "readAt": "T"}});
    vec![
        about("get", "GetInboxNotification", listed(1), reply(shown)),
        case("get none", &[], rpc("GetInboxNotification"), nobody(), gone()),
        about(
            "get somebody else's",
            "GetInboxNotification",
            with(listed(1), json!({"userId": "bob"})),
            gone(),
        ),
        about("read one", "MarkInboxNotificationAsRead", one(1), reply(json!({}))),
        case("read none", &[], rpc("MarkInboxNotificationAsRead"), one_of_nobody(), gone()),
        about("get what was read", "GetInboxNotification", listed(1), reply(read))
            .after(rpc("MarkInboxNotificationAsRead"), one(1)),
        about("delete one", "DeleteInboxNotification", listed(1), reply(json!({}))),
        case("delete none", &[], rpc("DeleteInboxNotification"), nobody(), gone()),
        about(
            "delete somebody else's",
            "DeleteInboxNotification",
            with(listed(1), json!({"userId": "bob"})),
            gone(),
        ),
        about("delete all", "DeleteAllInboxNotifications", ann(), reply(json!({}))),
        about("list what is left", "ListInboxNotifications", ann(), reply(json!({})))
            .after(rpc("DeleteAllInboxNotifications"), ann()),
    ]
}

fn one_of_nobody() -> Value {
    json!({"inboxNotificationId": "in_nobody"})
}

fn in_the_browser() -> Vec<Case> {
    let rpc = |method| (INBOX, method);
    let mark = (INBOX, "MarkInboxNotificationsAsRead");
    let all = || with(ann(), json!({"inboxNotificationIds": "all"}));
    let there = |more| with(json!({"roomId": "r", "userId": "ann"}), more);
    let after_one = |case: Case| case.after(TRIGGER, alert(json!({})));
    vec![
        after_one(case(
            "get an inbox",
            &[],
            rpc("GetInbox"),
            ann(),
            reply(
                json!({"inboxNotifications": [{"kind": "$alert"}], "meta": {"requestedAt": "T"}}),
            ),
        )),
        case("get nobody's inbox", &[], rpc("GetInbox"), json!({}), invalid()),
        case(
            "get an inbox behind nothing",
            &[],
            rpc("GetInbox"),
            with(ann(), json!({"cursor": "?"})),
            invalid(),
        ),
        after_one(case(
            "get what is gone",
            &[],
            rpc("GetInboxDelta"),
            with(ann(), json!({"since": "2020-01-01T00:00:00.000Z"})),
            reply(json!({
                "deletedInboxNotifications": [
                    {"type": "deletedInboxNotification", "id": "V", "deletedAt": "T"}],
                "meta": {"requestedAt": "T"}})),
        ))
        .after(rpc("DeleteAllInboxNotifications"), ann()),
        after_one(case(
            "get nothing that changed",
            &[],
            rpc("GetInboxDelta"),
            with(ann(), json!({"since": "2999-01-01T00:00:00.000Z"})),
            reply(json!({"meta": {"requestedAt": "T"}})),
        )),
        after_one(case(
            "count",
            &[],
            rpc("CountInboxNotifications"),
            ann(),
            reply(json!({"count": 1})),
        )),
        after_one(case(
            "count what a query finds",
            &[],
            rpc("CountInboxNotifications"),
            with(ann(), json!({"query": "kind:'thread'"})),
            reply(json!({})),
        )),
        after_one(case("read all", &[], mark, all(), reply(json!({})))),
        case(
            "read some",
            &[],
            mark,
            with(ann(), json!({"inboxNotificationIds": ["in_nobody"]})),
            reply(json!({})),
        ),
        case(
            "read what is no id",
            &[],
            mark,
            with(ann(), json!({"inboxNotificationIds": ["x"]})),
            invalid(),
        ),
        case(
            "read some of a kind",
            &[],
            mark,
            with(ann(), json!({"inboxNotificationIds": "most"})),
            invalid(),
        ),
        case(
            "read in a room",
            &["r"],
            rpc("MarkRoomInboxNotificationsAsRead"),
            there(json!({"inboxNotificationIds": ["in_nobody"]})),
            reply(json!({})),
        ),
        case(
            "read in no room",
            &[],
            rpc("MarkRoomInboxNotificationsAsRead"),
            there(json!({"inboxNotificationIds": []})),
            no_room(),
        ),
    ]
}

fn mentions_in_texts() -> Vec<Case> {
    let mention = |more| with(json!({"roomId": "r", "mentionId": "m", "createdBy": "bob"}), more);
    let of_ann = || mention(json!({"userId": "ann"}));
    let of_group = || mention(json!({"groupId": "g", "userIds": ["ann", "bob"]}));
    let delete = (INBOX, "DeleteTextMention");
    let the_mention = || json!({"roomId": "r", "mentionId": "m"});
    let shown = |mention: Value| {
        json!({"data": [{"kind": "textMention", "roomId": "r", "mentionId": "m",
            "createdBy": "bob", "mention": mention}]})
    };
    vec![
        case("mention a user", &["r"], MENTION, of_ann(), reply(json!({}))),
        case("mention in no room", &[], MENTION, of_ann(), no_room()),
        case("mention nobody", &["r"], MENTION, mention(json!({})), invalid()),
        case(
            "mention two things",
            &["r"],
            MENTION,
            mention(json!({"userId": "ann", "groupId": "g"})),
            invalid(),
        ),
        case(
            "list a mention",
            &["r"],
            LIST,
            ann(),
            reply(shown(json!({"kind": "user", "id": "ann"}))),
        )
        .after(MENTION, of_ann())
        .after(MENTION, of_ann()),
        case(
            "list a mention of a group",
            &["r"],
            LIST,
            ann(),
            reply(shown(json!({"kind": "group", "id": "g", "userIds": ["ann", "bob"]}))),
        )
        .after(MENTION, of_group()),
        case("list one's own mention", &["r"], LIST, json!({"userId": "bob"}), reply(json!({})))
            .after(MENTION, of_group()),
        case("delete a mention", &["r"], delete, the_mention(), reply(json!({})))
            .after(MENTION, of_ann()),
        case("list no mention", &["r"], LIST, ann(), reply(json!({})))
            .after(MENTION, of_ann())
            .after(delete, the_mention()),
    ]
}

/// Ann's thread mentions bob.
fn in_threads() -> Vec<Case> {
    let rpc = |method| (SUBSCRIPTIONS, method);
    let thread = |more| with(json!({"roomId": "r", "threadId": "th_a"}), more);
    let cat = || thread(json!({"userId": "cat"}));
    let about = |name, method, request, expected| {
        case(name, &["r"], rpc(method), request, expected).after(CREATE, new_thread())
    };
    let missing = |name, method, request| case(name, &["r"], rpc(method), request, gone());
    let subscription = |user: &str| json!({"kind": "thread", "subjectId": "th_a", "createdAt": "T", "userId": user});
    let made = json!({"subscription": {"kind": "thread", "subjectId": "th_a", "createdAt": "T"}});
    let shown = json!({"data": [{"kind": "thread", "threadId": "th_a", "roomId": "r"}]});
    vec![
        case("list a mention in a thread", &["r"], LIST, json!({"userId": "bob"}), reply(shown))
            .after(CREATE, new_thread()),
        case("list one's own thread", &["r"], LIST, ann(), reply(json!({})))
            .after(CREATE, new_thread()),
        about("subscribe", "SubscribeToThread", cat(), reply(made)),
        missing("subscribe to no thread", "SubscribeToThread", cat()),
        about("subscribe nobody", "SubscribeToThread", thread(json!({})), invalid()),
        about("unsubscribe", "UnsubscribeFromThread", cat(), reply(json!({}))),
        missing("unsubscribe from no thread", "UnsubscribeFromThread", cat()),
        about(
            "list who follows a thread",
            "ListThreadSubscriptions",
            thread(json!({})),
            reply(json!({"data": [subscription("ann"), subscription("cat")]})),
        )
        .after(rpc("SubscribeToThread"), cat())
        .after(rpc("UnsubscribeFromThread"), thread(json!({"userId": "bob"}))),
        missing("list who follows no thread", "ListThreadSubscriptions", thread(json!({}))),
        about(
            "list whom a thread was told",
            "ListThreadInboxNotifications",
            thread(json!({})),
            reply(json!({"data": [{"kind": "thread", "threadId": "th_a", "roomId": "r",
                "userId": "bob", "organizationId": "default"}]})),
        ),
        missing("list whom no thread was told", "ListThreadInboxNotifications", thread(json!({}))),
    ]
}

fn notification_settings() -> Vec<Case> {
    let rpc = |method| (SUBSCRIPTIONS, method);
    let update = (SUBSCRIPTIONS, "UpdateNotificationSettings");
    let on = || json!({"thread": true, "textMention": true});
    let off = || json!({"thread": false, "textMention": false});
    let usual = json!({"settings": {"email": on(), "slack": off(), "teams": off(),
        "webPush": off()}});
    let patch = |more| with(ann(), more);
    vec![
        case("get settings", &[], rpc("GetNotificationSettings"), ann(), reply(usual.clone())),
        case(
            "update settings",
            &[],
            update,
            patch(json!({"slack": {"thread": true, "$alert": true}, "email": {"thread": false}})),
            reply(json!({"settings": {
                "email": {"thread": false, "textMention": false},
                "slack": {"thread": true, "textMention": false, "$alert": true}}})),
        )
        .after(update, patch(json!({"email": {"textMention": false}}))),
        case(
            "forget settings",
            &[],
            update,
            patch(json!({"email": {"thread": null}})),
            reply(usual.clone()),
        )
        .after(update, patch(json!({"email": {"thread": false}}))),
        case(
            "update settings of no kind",
            &[],
            update,
            patch(json!({"email": {"threads": true}})),
            invalid(),
        ),
        case(
            "update settings by a text",
            &[],
            update,
            patch(json!({"email": {"thread": "yes"}})),
            invalid(),
        ),
        case("delete settings", &[], rpc("DeleteNotificationSettings"), ann(), reply(json!({}))),
        case("get what is usual", &[], rpc("GetNotificationSettings"), ann(), reply(usual))
            .after(update, patch(json!({"email": {"thread": false}})))
            .after(rpc("DeleteNotificationSettings"), ann()),
    ]
}

fn room_settings() -> Vec<Case> {
    let rpc = |method| (SUBSCRIPTIONS, method);
    let get = (SUBSCRIPTIONS, "GetRoomSubscriptionSettings");
    let update = (SUBSCRIPTIONS, "UpdateRoomSubscriptionSettings");
    let delete = (SUBSCRIPTIONS, "DeleteRoomSubscriptionSettings");
    let list = rpc("ListUserRoomSubscriptionSettings");
    let there = |room: &str, more| with(json!({"roomId": room, "userId": "ann"}), more);
    let usual = || json!({"settings": {"threads": "replies_and_mentions", "textMentions": "mine"}});
    let all = |room| there(room, json!({"threads": "all"}));
    vec![
        case("get a room's settings", &["r"], get, there("r", json!({})), reply(usual())),
        case("get no room's settings", &[], get, there("r", json!({})), no_room()),
        case(
            "update a room's settings",
            &["r"],
            update,
            there("r", json!({"textMentions": "none"})),
            reply(json!({"settings": {"threads": "all", "textMentions": "none"}})),
        )
        .after(update, all("r")),
        case(
            "update a room's settings to nonsense",
            &["r"],
            update,
            there("r", json!({"threads": "some"})),
            invalid(),
        ),
        case("delete a room's settings", &["r"], delete, there("r", json!({})), reply(json!({})))
            .after(update, all("r")),
        case("get a room's usual settings", &["r"], get, there("r", json!({})), reply(usual()))
            .after(update, all("r"))
            .after(delete, there("r", json!({}))),
        case(
            "list settings of rooms",
            &["r", "s"],
            list,
            with(ann(), json!({"limit": 1})),
            reply(json!({"data": [{"roomId": "r", "threads": "all", "textMentions": "mine"}]})),
        )
        .after(update, all("r")),
        case("list settings of other rooms", &["r"], list, elsewhere(), reply(json!({})))
            .after(update, all("r")),
        case("list too many settings", &[], list, with(ann(), json!({"limit": 0})), invalid()),
    ]
}

fn elsewhere() -> Value {
    with(ann(), json!({"organizationId": "elsewhere"}))
}
