"""Every method about feeds of PyPI liveblocks 3.23.0, by both of its clients."""

from __future__ import annotations

import pytest
from liveblocks import LiveblocksError
from liveblocks.models import (
    CreateFeedMessageRequestBody,
    CreateFeedRequestBody,
    CreateRoomRequestBody,
    UpdateFeedMessageRequestBody,
    UpdateFeedRequestBody,
)

STARTED_AT = 1_700_000_000_000


@pytest.fixture
def room(api, prefix):
    api.create_room(body=CreateRoomRequestBody.from_dict({"id": prefix, "defaultAccesses": []}))
    return prefix


def create(api, room: str, feed: str, **more) -> dict:
    body = CreateFeedRequestBody.from_dict({"feedId": feed, **more})
    return api.create_feed(room, body=body).to_dict()


def say(api, room: str, feed: str, data: dict, **more) -> dict:
    body = CreateFeedMessageRequestBody.from_dict({"data": data, **more})
    return api.create_feed_message(room, feed, body=body).to_dict()


def refused(status: int, call, *words, **named) -> None:
    with pytest.raises(LiveblocksError) as raised:
        call(*words, **named)
    assert raised.value.status == status


def test_a_feed_is_made_read_changed_and_deleted(api, room):
    metadata = {"name": "é", "tags": ["a", "b"], "count": 5, "nested": {"x": [None, 1.5]}}
    made = create(api, room, "f/1 ?", metadata=metadata, timestamp=STARTED_AT)
    assert made == {
        "feedId": "f/1 ?",
        "metadata": metadata,
        "createdAt": STARTED_AT,
        "updatedAt": STARTED_AT,
    }
    assert api.get_feed(room, "f/1 ?").to_dict() == made
    patch = UpdateFeedRequestBody.from_dict({"metadata": {"name": None, "count": 6}})
    changed = api.update_feed(room, "f/1 ?", body=patch).to_dict()
    assert changed["metadata"] == {"tags": ["a", "b"], "count": 6, "nested": {"x": [None, 1.5]}}
    assert changed["createdAt"] == STARTED_AT < changed["updatedAt"]
    assert api.get_feed(room, "f/1 ?").to_dict() == changed
    assert api.delete_feed(room, "f/1 ?") is None
    refused(404, api.get_feed, room, "f/1 ?")
    refused(404, api.delete_feed, room, "f/1 ?")
    refused(404, api.update_feed, room, "f/1 ?", body=patch)


def test_an_id_is_taken_once_and_a_room_must_exist(api, room):
    create(api, room, "f")
    refused(409, create, api, room, "f")
    refused(404, create, api, f"{room}nobody", "f")
    refused(404, api.get_feeds, f"{room}nobody")
    refused(422, create, api, room, "x" * 129)
    refused(422, create, api, room, "g", metadata={"k" * 41: "v"})


def test_feeds_come_in_pages_newest_first(api, room):
    assert api.get_feeds(room).to_dict() == {"nextCursor": None, "data": []}
    for number in range(25):
        create(api, room, f"f{number:02}", timestamp=STARTED_AT + number)
    newest = [f"f{number:02}" for number in reversed(range(25))]
    first = api.get_feeds(room)
    assert [feed.feed_id for feed in first.data] == newest[:20]
    rest = api.get_feeds(room, cursor=first.next_cursor)
    assert [feed.feed_id for feed in rest.data] == newest[20:]
    assert rest.next_cursor is None
    later = api.get_feeds(room, since=STARTED_AT + 20, limit=100)
    assert [feed.feed_id for feed in later.data] == newest[:4]
    refused(422, api.get_feeds, room, limit=101)
    refused(422, api.get_feeds, room, cursor="no cursor")


def test_messages_are_added_listed_changed_and_deleted(api, room):
    create(api, room, "f")
    first = say(api, room, "f", {"text": "one"}, id="m1", timestamp=STARTED_AT)
    assert first == {
        "id": "m1",
        "data": {"text": "one"},
        "createdAt": STARTED_AT,
        "updatedAt": STARTED_AT,
    }
    second = say(api, room, "f", {"text": "two", "n": {"deep": [1, None, "é"]}})
    assert second["id"] and second["createdAt"] > STARTED_AT
    refused(409, say, api, room, "f", {}, id="m1")
    refused(404, say, api, room, "nobody", {})
    refused(422, say, api, room, "f", {"text": "x" * (129 << 10)})
    listed = api.get_feed_messages(room, "f").to_dict()
    assert listed == {"nextCursor": None, "data": [second, first]}
    page = api.get_feed_messages(room, "f", limit=1)
    rest = api.get_feed_messages(room, "f", limit=1, cursor=page.next_cursor)
    assert ([m.id for m in page.data + rest.data], rest.next_cursor) == (
        [second["id"], "m1"],
        None,
    )
    assert [m.id for m in api.get_feed_messages(room, "f", since=STARTED_AT).data] == [second["id"]]
    refused(404, api.get_feed_messages, room, "nobody")

    body = {"data": {"text": "1"}, "timestamp": STARTED_AT + 5}
    changed = api.update_feed_message(
        room, "f", "m1", body=UpdateFeedMessageRequestBody.from_dict(body)
    )
    assert changed.to_dict() == {
        "id": "m1",
        "data": {"text": "1"},
        "createdAt": STARTED_AT,
        "updatedAt": STARTED_AT + 5,
    }
    body = UpdateFeedMessageRequestBody.from_dict({"data": {}})
    now = api.update_feed_message(room, "f", "m1", body=body).to_dict()
    assert now["data"] == {} and now["updatedAt"] > STARTED_AT + 5
    refused(404, api.update_feed_message, room, "f", "nobody", body=body)
    assert api.delete_feed_message(room, "f", "m1") is None
    refused(404, api.delete_feed_message, room, "f", "m1")
    assert [m.id for m in api.get_feed_messages(room, "f").data] == [second["id"]]


def test_a_feed_takes_its_messages_along(api, room):
    create(api, room, "f")
    say(api, room, "f", {"text": "gone"})
    api.delete_feed(room, "f")
    create(api, room, "f")
    assert api.get_feed_messages(room, "f").data == []
