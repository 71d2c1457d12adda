"""PyPI liveblocks 3.23.0 as a back end to a room that real clients are in."""

from __future__ import annotations

from io import BytesIO

import pytest
from harness import eventually
from liveblocks import LiveblocksError
from liveblocks.models import (
    AddJsonPatchOperation,
    CopyJsonPatchOperation,
    GetStorageDocumentFormat,
    InitializeStorageDocumentBody,
    MoveJsonPatchOperation,
    RemoveJsonPatchOperation,
    ReplaceJsonPatchOperation,
    SetPresenceRequestBody,
    TestJsonPatchOperation,
)
from liveblocks.types import File

OPERATIONS = {
    "add": AddJsonPatchOperation,
    "copy": CopyJsonPatchOperation,
    "move": MoveJsonPatchOperation,
    "remove": RemoveJsonPatchOperation,
    "replace": ReplaceJsonPatchOperation,
    "test": TestJsonPatchOperation,
}
START = {"o": {"$object": {"n": 1}}, "l": {"$list": ["a", "b"]}}


@pytest.fixture
def anna(agent, prefix):
    client = agent.join(f"{prefix}anna", prefix, user="anna", storage=START)
    client.yjs()
    client.synchronized()
    yield client
    client.leave()


def patch(api, room: str, *operations: dict) -> None:
    body = [OPERATIONS[operation["op"]].from_dict(operation) for operation in operations]
    api.patch_storage_document(room, body=body)


def stored(api, room: str) -> dict:
    return api.get_storage_document(room, format_=GetStorageDocumentFormat.JSON).to_dict()


def test_every_operation_of_a_patch_is_seen_live(api, anna, prefix):
    patch(
        api,
        prefix,
        {"op": "test", "path": "/o/n", "value": 1},
        {"op": "replace", "path": "/o/n", "value": 2},
        {"op": "add", "path": "/l/-", "value": "c"},
        {"op": "add", "path": "/new", "value": {"nested": [1, {"x": None}]}},
        {"op": "move", "from": "/l/0", "path": "/l/1"},
        {"op": "copy", "from": "/o", "path": "/copy"},
        {"op": "remove", "path": "/l/0"},
    )
    expected = {
        "o": {"n": 2},
        "l": ["a", "c"],
        "new": {"nested": [1, {"x": None}]},
        "copy": {"n": 2},
    }
    eventually("anna has it", lambda: anna.json() == expected)
    assert stored(api, prefix) == expected
    anna.edit(["new", "nested"], "push", "live")
    anna.synchronized()
    assert stored(api, prefix)["new"]["nested"] == [1, {"x": None}, "live"]


def test_a_patch_that_fails_changes_nothing(api, anna, prefix):
    with pytest.raises(LiveblocksError) as raised:
        patch(
            api,
            prefix,
            {"op": "add", "path": "/x", "value": 1},
            {"op": "remove", "path": "/nothing/here"},
        )
    assert raised.value.status == 422
    assert stored(api, prefix) == {"o": {"n": 1}, "l": ["a", "b"]} == anna.json()


def test_storage_is_deleted_and_written_anew(api, agent, anna, prefix):
    api.delete_storage_document(prefix)
    # Anna fills in what is missing of her initial Storage, once she is back.
    eventually("anna is back", lambda: anna.state()["connections"] > 1)
    anna.synchronized()
    room = f"{prefix}other"
    witness = agent.join(f"{prefix}witness", room, user="witness")
    body = {
        "liveblocksType": "LiveObject",
        "data": {"l": {"liveblocksType": "LiveList", "data": ["server"]}},
    }
    answer = api.initialize_storage_document(
        room, body=InitializeStorageDocumentBody.from_dict(body)
    )
    assert answer.to_dict() == body
    eventually("it is seen", lambda: witness.json() == {"l": ["server"]})
    witness.edit(["l"], "push", "witness")
    witness.synchronized()
    assert stored(api, room) == {"l": ["server", "witness"]}
    witness.leave()


def test_presence_events_and_active_users(api, anna, prefix):
    body = {"userId": "bot", "data": {"busy": True}, "userInfo": {"name": "Bot"}, "ttl": 2}
    api.set_presence(prefix, body=SetPresenceRequestBody.from_dict(body))
    eventually("the bot is seen", lambda: [o["id"] for o in anna.others] == ["bot"])
    (bot,) = anna.others
    assert (bot["presence"], bot["info"]) == ({"busy": True}, {"name": "Bot"})
    api.broadcast_event(prefix, body={"kind": "deploy"})
    heard = [{"event": {"kind": "deploy"}, "actor": -1}]
    eventually("anna hears it", lambda: anna.state()["events"] == heard)
    users = [user.to_dict() for user in api.get_active_users(prefix).data]
    assert [user["connectionId"] for user in users if user["id"] == "anna"] == [
        anna.state()["actor"]
    ]
    eventually("the bot's time is over", lambda: anna.others == [])


def test_the_document_and_versions(api, agent, anna, prefix):
    anna.type(0, "hello")
    # The provider's status follows a moment behind what was typed, so it cannot be waited for.
    eventually(
        "the text is stored",
        lambda: api.get_yjs_document(prefix).to_dict() == {"text": "hello"},
    )
    update = api.get_yjs_document_as_binary_update(prefix).payload.read()
    version = api.create_version_history_snapshot(prefix).data.id
    copy = f"{prefix}copy"
    ben = agent.join(f"{prefix}ben", copy, user="ben")
    ben.yjs()
    ben.synchronized()
    api.send_yjs_binary_update(copy, body=File(payload=BytesIO(update)))
    eventually("ben has a copy", lambda: ben.document() == "hello")
    ben.synchronized()
    listed = api.get_version_history(prefix)
    assert [item.id for item in listed.data] == [version]
    assert b"hello" in api.get_yjs_version(prefix, version).payload.read()
    api.delete_version(prefix, version)
    assert api.get_version_history(prefix).data == []
    ben.leave()
