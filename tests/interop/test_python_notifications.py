"""Every method about notifications of PyPI liveblocks 3.23.0, by both of its clients."""

from __future__ import annotations

import pytest
from liveblocks import LiveblocksError
from liveblocks.models import (
    CreateCommentRequestBody,
    CreateRoomRequestBody,
    CreateThreadRequestBody,
    SubscribeToThreadRequestBody,
    TriggerInboxNotificationRequestBody,
    UnsubscribeFromThreadRequestBody,
    UpdateNotificationSettingsRequestBody,
    UpdateRoomSubscriptionSettingsRequestBody,
)


@pytest.fixture
def room(api, prefix):
    body = {"id": prefix, "defaultAccesses": ["*:write"]}
    api.create_room(body=CreateRoomRequestBody.from_dict(body))
    return prefix


@pytest.fixture
def user(prefix):
    return f"{prefix}ann é/?"


def refused(status: int, call, *words, **named) -> None:
    with pytest.raises(LiveblocksError) as raised:
        call(*words, **named)
    assert raised.value.status == status


def trigger(api, user: str, subject: str, **more) -> None:
    body = {"userId": user, "kind": "$alert", "subjectId": subject, "activityData": {"n": 1}}
    body = TriggerInboxNotificationRequestBody.from_dict({**body, **more})
    assert api.trigger_inbox_notification(body=body) is None


def inbox(api, user: str, **query) -> list[dict]:
    return [found.to_dict() for found in api.get_inbox_notifications(user, **query).data]


def mention(user: str) -> dict:
    children = [{"type": "mention", "kind": "user", "id": user}, {"text": "!"}]
    return {"version": 1, "content": [{"type": "paragraph", "children": children}]}


def thread_of(api, room: str, author: str, mentioned: str):
    comment = {"userId": author, "body": mention(mentioned)}
    body = CreateThreadRequestBody.from_dict({"comment": comment, "metadata": {}})
    return api.create_thread(room, body=body)


def test_custom_notifications_gather_what_happens_to_a_subject(api, room, user):
    data = {"text": "é", "n": 1.5, "ok": True}
    trigger(api, user, "s", activityData=data)
    trigger(api, user, "s")
    trigger(api, user, "s", roomId=room)
    trigger(api, user, "t", organizationId="acme")
    found = inbox(api, user)
    assert [(one["subjectId"], one["organizationId"]) for one in found] == [
        ("t", "acme"),
        ("s", "default"),
        ("s", "default"),
    ]
    assert [one["roomId"] for one in found] == [None, room, None]
    first = found[2]
    assert (first["kind"], first["readAt"], first["threadId"]) == ("$alert", None, None)
    assert [activity["data"] for activity in first["activities"]] == [data, {"n": 1}]
    assert all(activity["id"].startswith("ac_") for activity in first["activities"])
    one = api.get_inbox_notification(user, first["id"]).to_dict()
    assert one == first
    assert [one["subjectId"] for one in inbox(api, user, organization_id="acme")] == ["t"]
    assert inbox(api, f"{user}nobody") == []
    refused(422, trigger, api, user, "s", kind="alert")
    refused(422, trigger, api, user, "s", activityData={"list": [1]})
    refused(404, trigger, api, user, "s", roomId=f"{room}nobody")
    refused(404, api.get_inbox_notification, user, "in_nobody")
    refused(404, api.get_inbox_notification, f"{user}other", first["id"])


def test_an_inbox_comes_in_pages_and_is_marked_and_emptied(api, user):
    for number in range(5):
        trigger(api, user, f"s{number}")
    first = api.get_inbox_notifications(user, limit=3)
    rest = api.get_inbox_notifications(user, limit=3, starting_after=first.next_cursor)
    assert rest.next_cursor is None
    ids = [one.id for one in [*first.data, *rest.data]]
    assert len(set(ids)) == 5
    refused(422, api.get_inbox_notifications, user, limit=51)
    refused(422, api.get_inbox_notifications, user, starting_after="what?")
    assert api.mark_inbox_notification_as_read(ids[0]) is None
    read = api.get_inbox_notification(user, ids[0]).to_dict()
    assert read["readAt"] >= read["notifiedAt"]
    unread = api.get_inbox_notifications(user, query="unread:true")
    assert sorted(one.id for one in unread.data) == sorted(ids[1:])
    refused(404, api.mark_inbox_notification_as_read, "in_nobody")
    assert api.delete_inbox_notification(user, ids[0]) is None
    refused(404, api.delete_inbox_notification, user, ids[0])
    assert len(inbox(api, user)) == 4
    assert api.delete_all_inbox_notifications(user) is None
    assert inbox(api, user) == []


def test_a_mention_in_a_thread_is_told_and_the_thread_followed(api, room, user):
    author = f"{user}author"
    thread = thread_of(api, room, author, user)
    told = inbox(api, user)
    assert [(one["kind"], one["threadId"], one["roomId"]) for one in told] == [
        ("thread", thread.id, room)
    ]
    assert inbox(api, author) == []
    all_told = api.get_thread_inbox_notifications(room, thread.id).to_dict()["data"]
    assert [(one["userId"], one["id"]) for one in all_told] == [(user, told[0]["id"])]
    followers = api.get_thread_subscriptions(room, thread.id).to_dict()["data"]
    assert sorted(one["userId"] for one in followers) == sorted([author, user])
    body = UnsubscribeFromThreadRequestBody.from_dict({"userId": author})
    assert api.unsubscribe_from_thread(room, thread.id, body=body) is None
    body = SubscribeToThreadRequestBody.from_dict({"userId": f"{user}other"})
    made = api.subscribe_to_thread(room, thread.id, body=body).to_dict()
    assert (made["kind"], made["subjectId"]) == ("thread", thread.id)
    reply = CreateCommentRequestBody.from_dict({"userId": user, "body": mention("nobody")})
    api.create_comment(room, thread.id, body=reply)
    assert inbox(api, author) == [], "who left is not told"
    assert len(inbox(api, f"{user}other")) == 1
    refused(404, api.get_thread_subscriptions, room, "th_nobody")
    refused(404, api.get_thread_inbox_notifications, room, "th_nobody")
    refused(404, api.subscribe_to_thread, room, "th_nobody", body=body)


def test_settings_of_rooms_are_changed_and_forgotten(api, room, user):
    usual = {"threads": "replies_and_mentions", "textMentions": "mine"}
    assert api.get_room_subscription_settings(room, user).to_dict() == usual
    body = UpdateRoomSubscriptionSettingsRequestBody.from_dict({"threads": "none"})
    changed = api.update_room_subscription_settings(room, user, body=body).to_dict()
    assert changed == {"threads": "none", "textMentions": "mine"}
    listed = api.get_user_room_subscription_settings(user).to_dict()
    assert listed == {"nextCursor": None, "data": [{"roomId": room, **changed}]}
    thread_of(api, room, f"{user}author", user)
    assert inbox(api, user) == [], "who wants to hear of nothing is told of nothing"
    assert api.delete_room_subscription_settings(room, user) is None
    assert api.get_room_subscription_settings(room, user).to_dict() == usual
    assert api.get_user_room_subscription_settings(user).data == []
    refused(404, api.get_room_subscription_settings, f"{room}nobody", user)


def test_settings_of_channels_are_merged(api, user):
    usual = {"thread": True, "textMention": True}
    settings = api.get_notification_settings(user).to_dict()
    assert settings["email"] == usual
    assert settings["slack"] == {"thread": False, "textMention": False}
    patch = {"email": {"thread": False}, "webPush": {"$alert": True}}
    body = UpdateNotificationSettingsRequestBody.from_dict(patch)
    changed = api.update_notification_settings(user, body=body).to_dict()
    assert changed["email"] == {"thread": False, "textMention": True}
    assert changed["webPush"] == {"thread": False, "textMention": False, "$alert": True}
    assert api.get_notification_settings(user).to_dict() == changed
    assert api.delete_notification_settings(user) is None
    assert api.get_notification_settings(user).to_dict() == settings
    bad = UpdateNotificationSettingsRequestBody.from_dict({"email": {"alert": True}})
    refused(422, api.update_notification_settings, user, body=bad)
