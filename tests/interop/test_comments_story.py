"""A back end in Python moderates a room while clients in Node and over gRPC are in it, one of whom
may not see private threads."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from comments import Moderator, says
from grpc_member import GrpcMember
from harness import eventually
from liveblocks import Liveblocks
from liveblocks.models import IdentifyUserRequestBody

HEARD = {
    400: "thread created",
    401: "thread metadata",
    402: "comment created",
    403: "comment edited",
    404: "comment deleted",
    405: "reaction added",
    406: "reaction removed",
    407: "thread deleted",
    408: "thread updated",
    409: "comment metadata",
}
WITHIN_SECONDS = 30.0


@pytest.fixture
def moderator(server, prefix):
    moderator = Moderator(Liveblocks(secret=server.secret_key, base_url=server.url), prefix)
    moderator.make_room()
    return moderator


def id_token(moderator: Moderator, user: str, groups: list[str]) -> str:
    body = IdentifyUserRequestBody.from_dict({"userId": user, "groupIds": groups})
    return moderator.liveblocks.identify_user(body=body).token


@pytest.fixture
def people(agent, moderator):
    """Two clients with ID tokens: ann is a reviewer, eve is not. Their inboxes are this test's."""
    room = moderator.room
    options = {"credential": "id"}
    ann = agent.join(f"{room}ann", room, groups=["reviewers"], **options)
    eve = agent.join(f"{room}eve", room, groups=[], **options)
    yield ann, eve
    for client in (ann, eve):
        client.leave()


def heard(client, thread: str | None = None) -> list[str]:
    """What a client heard, of one thread or of all."""
    of = (m for m in client.comments() if thread in (None, m["threadId"]))
    return [HEARD[message["type"]] for message in of]


def within(what: str, check):
    return eventually(what, check, WITHIN_SECONDS)


def known(client) -> dict[str, dict]:
    """The threads that this client is given, by id."""
    return {thread["id"]: thread for thread in client.room("getThreads")["threads"]}


def test_what_a_back_end_does_is_heard_live(moderator, people):
    ann, eve = people
    thread = moderator.create(ann.name, "first")
    place = thread["id"]
    reply = moderator.reply(place, eve.name, "second", ann.name)
    moderator.react(place, reply["id"], ann.name, "👍")
    moderator.label(place, state="open", n=1)
    moderator.resolve(place)
    moderator.delete(place, reply["id"])
    expected = [
        "thread created",
        "comment created",
        "comment created",
        "reaction added",
        "thread metadata",
        "thread updated",
        "comment deleted",
    ]
    for client in people:
        within("all is heard", lambda client=client: heard(client) == expected)
        seen = client.room("getThread", place)["thread"]
        assert seen["metadata"] == {"state": "open", "n": 1}
        assert seen["resolved"] is True
        assert [("body" in comment) for comment in seen["comments"]] == [True, False]
        stored = moderator.thread(place)["updatedAt"]
        assert datetime.fromisoformat(seen["updatedAt"]) == datetime.fromisoformat(stored)
    moderator.delete_thread(place)
    for client in people:
        within("the end is heard", lambda client=client: heard(client)[-1] == "thread deleted")
        assert known(client) == {}


def test_private_threads_of_a_back_end(moderator, people, server, stubs):
    ann, eve = people
    room = moderator.room
    reviewer = GrpcMember(server, stubs, room, id_token(moderator, "rea", ["reviewers"]))
    outsider = GrpcMember(server, stubs, room, id_token(moderator, "otto", []))
    assert reviewer.actor != outsider.actor
    secret = moderator.create(ann.name, "secret", "private")
    moderator.reply(secret["id"], "moderator", "hush", eve.name, ann.name)
    moderator.resolve(secret["id"])
    public = moderator.create(eve.name, "public")
    for client in people:
        within(
            "the public thread is heard",
            lambda client=client: len(heard(client, public["id"])) == 2,
        )
    assert heard(ann, secret["id"]) == [
        "thread created",
        "comment created",
        "comment created",
        "thread updated",
    ]
    assert heard(eve, secret["id"]) == []
    assert set(known(ann)) == {secret["id"], public["id"]}
    assert set(known(eve)) == {public["id"]}
    assert eve.client("getUnreadInboxNotificationsCount") == 0
    assert ann.client("getUnreadInboxNotificationsCount") == 1
    told = {}
    for name, member in (("reviewer", reviewer), ("outsider", outsider)):
        member.first("comment_event", lambda event: event.thread_id == public["id"])
        told[name] = {event.thread_id for event in member.all("comment_event")}
        member.close()
    assert told == {"reviewer": {secret["id"], public["id"]}, "outsider": {public["id"]}}


def test_everybody_writes_at_once_and_all_agree(moderator, people):
    """Clients write while the back end does, each in its own thread of execution."""
    ann, eve = people
    place = moderator.create("moderator", "write here")["id"]

    def replies() -> None:
        for number in range(10):
            reply = moderator.reply(place, "moderator", f"back end {number}")
            if number % 2:
                moderator.delete(place, reply["id"])
            moderator.label(place, count=number)

    worker = threading.Thread(target=replies)
    worker.start()
    for number in range(10):
        for client in people:
            body = says(f"{client.name} {number}")
            reply = client.room("createComment", {"threadId": place, "body": body})
            reaction = {"threadId": place, "commentId": reply["id"], "emoji": "🎉"}
            client.room("addReaction", reaction)
    worker.join(WITHIN_SECONDS)
    assert not worker.is_alive()
    stored = moderator.thread(place)
    assert stored["metadata"] == {"count": 9}
    comments = stored["comments"]
    assert [comment["createdAt"] for comment in comments] == sorted(
        comment["createdAt"] for comment in comments
    )
    living = [comment for comment in comments if "body" in comment]
    assert len(comments) == 31 and len(living) == 26
    for client in people:
        mine = [comment for comment in living if comment["userId"] == client.name]
        assert [c["body"]["content"][0]["children"][0]["text"] for c in mine] == [
            f"{client.name} {number}" for number in range(10)
        ]
        assert all(len(comment["reactions"]) == 1 for comment in mine)
        created = 1 + 30
        within(
            "each comment is heard once",
            lambda client=client: heard(client).count("comment created") >= created,
        )
        assert heard(client).count("comment created") == created
        seen = known(client)[place]
        assert [c["id"] for c in seen["comments"]] == [c["id"] for c in comments]
        assert client.state()["errors"] == []


def test_who_was_away_finds_what_happened(moderator, people):
    """Deltas make up for what nobody could be told."""
    ann, eve = people
    kept = moderator.create(ann.name, "kept")["id"]
    gone = moderator.create(ann.name, "gone")["id"]
    secret = moderator.create(ann.name, "secret", "private")["id"]
    before = {client.name: client.room("getThreads")["requestedAt"] for client in people}
    moderator.reply(kept, "moderator", "news")
    moderator.delete_thread(gone)
    moderator.delete_thread(secret)
    late = moderator.create("moderator", "late")["id"]
    for client, lost in ((ann, {gone, secret}), (eve, {gone})):
        # The agent takes JSON, and the client a Date.
        delta = client.changes(before[client.name])
        updated = {thread["id"]: thread for thread in delta["threads"]["updated"]}
        assert {kept, late} <= set(updated)
        assert len(updated[kept]["comments"]) == 2
        assert {thread["id"] for thread in delta["threads"]["deleted"]} == lost
