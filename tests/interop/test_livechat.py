"""The flat list of messages by rocketchat_API 3.7.1, a client library of Rocket.Chat. It has no method
of its own for this address, so a subclass names it; headers, paging and errors are the library's."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from comments import Moderator
from liveblocks import Liveblocks
from liveblocks.models import IdentifyUserRequestBody
from rocketchat_API.APIExceptions.RocketExceptions import (
    RocketApiException,
    RocketBadStatusCodeException,
)
from rocketchat_API.APISections.base import paginated
from rocketchat_API.rocketchat import RocketChat


class Livechat(RocketChat):
    @paginated("messages")
    def livechat_messages(self, rid, **kwargs):
        return self.call_api_get(f"livechat/messages/{rid}", kwargs=kwargs)

    def page(self, rid: str, **words) -> dict:
        return self.call_api_get(f"livechat/messages/{rid}", **words)


@pytest.fixture
def moderator(server, prefix):
    # Rocket.Chat's ids have no colon, and its library does not encode what is in a path.
    room = prefix.rstrip(":")
    moderator = Moderator(Liveblocks(secret=server.secret_key, base_url=server.url), room)
    moderator.make_room()
    return moderator


@pytest.fixture
def client(server):
    return lambda token, user: Livechat(auth_token=token, user_id=user, server_url=server.url)


@pytest.fixture
def admin(client, server):
    return client(server.secret_key, "admin")


def id_token(moderator: Moderator, user: str, *groups: str) -> str:
    body = IdentifyUserRequestBody.from_dict({"userId": user, "groupIds": list(groups)})
    return moderator.liveblocks.identify_user(body=body).token


def texts(messages) -> list[str]:
    return [message["msg"] for message in messages]


def test_the_conversation_is_one_list(moderator, admin):
    one = moderator.create("ann", "one")
    two = moderator.create("bob", "two", "private")
    three = moderator.reply(one["id"], "eve", "three for", "bob")
    page = admin.page(moderator.room)
    assert page["success"] is True
    assert (page["offset"], page["count"], page["total"]) == (0, 50, 3)
    messages = page["messages"]
    assert [message["_id"] for message in messages] == [
        three["id"],
        two["comments"][0]["id"],
        one["comments"][0]["id"],
    ]
    first = messages[-1]
    assert first["rid"] == moderator.room
    assert first["msg"] == "one"
    said = datetime.fromisoformat(one["comments"][0]["createdAt"])
    assert datetime.fromisoformat(first["ts"]) == said
    assert first["u"]["_id"] == "ann"
    assert {"username", "name"} <= set(first["u"])
    assert first["_updatedAt"] >= first["ts"]
    assert (first["urls"], first["mentions"], first["channels"]) == ([], [], [])
    assert first["md"] == [
        {"type": "PARAGRAPH", "value": [{"type": "PLAIN_TEXT", "value": "one"}]}
    ]
    assert messages[0]["msg"] == "three for @bob"
    assert [mention["_id"] for mention in messages[0]["mentions"]] == ["bob"]


def test_pages_order_and_search(moderator, admin):
    thread = moderator.create("ann", "message 0")["id"]
    for number in range(1, 25):
        moderator.reply(thread, "ann" if number % 2 else "bob", f"message {number}")
    newest = [f"message {24 - number}" for number in range(25)]
    assert texts(admin.livechat_messages(moderator.room, count=7)) == newest
    page = admin.page(moderator.room, offset=20, count=10)
    assert (page["offset"], page["count"], page["total"]) == (20, 10, 25)
    assert texts(page["messages"]) == newest[20:]
    oldest = admin.page(moderator.room, sort=json.dumps({"ts": 1}), count=25)
    assert texts(oldest["messages"]) == newest[::-1]
    found = admin.page(moderator.room, searchTerm="message 17")
    assert texts(found["messages"]) == ["message 17"]
    assert found["total"] == 1
    assert admin.page(moderator.room, searchTerm="nothing like it")["messages"] == []
    deleted = admin.page(moderator.room, searchTerm="message 24")["messages"][0]["_id"]
    moderator.delete(thread, deleted)
    assert admin.page(moderator.room)["total"] == 24


def test_a_user_sees_what_they_may_see(moderator, client):
    moderator.create("ann", "for all")
    moderator.create("ann", "for reviewers", "private")
    reviewer = client(id_token(moderator, "bob", "reviewers"), "bob")
    outsider = client(id_token(moderator, "eve"), "eve")
    assert texts(reviewer.livechat_messages(moderator.room)) == ["for reviewers", "for all"]
    assert texts(outsider.livechat_messages(moderator.room)) == ["for all"]
    assert outsider.page(moderator.room)["total"] == 1
    assert outsider.page(moderator.room, searchTerm="reviewers")["messages"] == []


def test_errors_as_rocket_chat_has_them(moderator, client, admin):
    with pytest.raises(RocketApiException) as lost:
        admin.page("no-such-room")
    assert lost.value.status_code == 400
    assert lost.value.error == "invalid-room"
    eve = id_token(moderator, "eve")
    for token, user in (("wrong", "admin"), (eve, "ann"), ("sk_wrong", "admin")):
        with pytest.raises(RocketBadStatusCodeException) as refused:
            client(token, user).page(moderator.room)
        assert refused.value.status_code == 401
        assert json.loads(refused.value.response) == {
            "status": "error",
            "message": "You must be logged in to do this.",
        }
