"""A gRPC client and real WebSocket clients in one room see each other, and each other's edits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc_member import GrpcMember, as_json
from harness import DEV_SECRET_KEY, REPOSITORY, eventually
from liveblocks import Liveblocks
from realtime import stored


@pytest.fixture(scope="module")
def liveblocks(server):
    with Liveblocks(secret=DEV_SECRET_KEY, base_url=server.url) as client:
        yield client


@pytest.fixture
def join(server, stubs, liveblocks):
    members = []

    def member(room: str, user: str, scopes=("*:write",), presence=None) -> GrpcMember:
        session = liveblocks.prepare_session(user, user_info={"name": user})
        token = session.allow(room, list(scopes)).authorize().token
        members.append(GrpcMember(server, stubs, room, token, presence))
        return members[-1]

    yield member
    for one in members:
        one.close()


@pytest.fixture
def anna(agent, prefix):
    storage = {"items": {"$list": ["first"]}, "o": {"$object": {"n": 0}}}
    client = agent.join(f"{prefix}anna", prefix, user="anna", storage=storage, presence={"x": 1})
    client.synchronized()
    yield client
    client.leave()


def test_presence_goes_both_ways(anna, join, prefix):
    dora = join(prefix, "dora", presence={"y": 1})
    state = dora.first("room_state")
    assert list(state.scopes) == ["*:write"]
    assert [(m.actor, m.id, as_json(m.info)) for m in state.members] == [
        (anna.state()["actor"], "anna", {"name": "anna"})
    ]
    eventually("anna sees dora", lambda: [o["presence"] for o in anna.others] == [{"y": 1}])
    assert anna.others[0]["id"] == "dora"
    assert anna.others[0]["info"] == {"name": "dora"}
    whole = dora.first("presence", lambda p: p.HasField("target_actor"))
    assert as_json(whole.data) == {"x": 1}
    anna.presence({"x": 2})
    dora.first("presence", lambda p: as_json(p.data) == {"x": 2})
    dora.present({"y": 2, "z": [None]})
    eventually("anna sees it", lambda: anna.others[0]["presence"] == {"y": 2, "z": [None]})
    dora.close()
    eventually("dora is gone", lambda: anna.others == [])


def test_events_go_both_ways(anna, join, prefix, stubs):
    dora = join(prefix, "dora")
    dora.first("room_state")
    eventually("anna sees dora", lambda: len(anna.others) == 1)
    anna.broadcast({"from": "anna"})
    event = dora.first("event")
    assert (as_json(event.event), event.actor) == ({"from": "anna"}, anna.state()["actor"])
    sent = stubs.realtime.SendEvent()
    sent.event.struct_value.update({"from": "dora"})
    dora.send(event=sent)
    eventually(
        "anna hears it",
        lambda: anna.state()["events"] == [{"event": {"from": "dora"}, "actor": dora.actor}],
    )


def test_storage_goes_both_ways(anna, join, prefix, stubs, liveblocks):
    dora = join(prefix, "dora")
    items = dora.list_id("items")
    assert dora.items("items") == ["first"]
    dora.acknowledged(dora.push(items, "from dora"))
    eventually("anna has it", lambda: anna.json()["items"] == ["first", "from dora"])
    anna.edit(["items"], "push", "from anna")
    anna.synchronized()

    def from_anna(message) -> bool:
        return any(o.create.node.register.string_value == "from anna" for o in message.operations)

    assert all(not op.op_id for op in dora.first("operations", from_anna).operations)
    expected = ["first", "from dora", "from anna"]
    assert dora.items("items") == expected
    assert stored(liveblocks, prefix)["items"] == expected
    update = stubs.realtime.UpdateObject(id="root")
    update.data.update({"plain": {"deep": [1]}})
    dora.acknowledged(dora.operate({"update_object": update}))
    eventually("anna has that", lambda: anna.json().get("plain") == {"deep": [1]})


def test_a_reader_is_refused(anna, join, prefix):
    dora = join(prefix, "dora", scopes=["*:read"])
    before = anna.json()
    op_id = dora.push(dora.list_id("items"), "x")
    assert list(dora.first("rejected").op_ids) == [op_id]
    assert anna.json() == before
    assert not dora.ended


def test_who_may_not_enter(server, stubs, prefix, liveblocks):
    session = liveblocks.prepare_session("dora").allow(f"{prefix}other", ["*:write"])
    for token in (session.authorize().token, "not.a.token"):
        dora = GrpcMember(server, stubs, prefix, token)
        eventually("it ends", lambda dora=dora: dora.ended)
        assert dora.messages == []
        assert dora.error is not None
        refusals = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
        assert dora.error.code() in refusals
        dora.close()


def test_a_room_that_is_deleted(anna, join, prefix, stubs, liveblocks):
    dora = join(prefix, "dora")
    dora.first("room_state")
    liveblocks.delete_room(prefix)
    closed = dora.first("closed")
    assert closed.code == stubs.realtime.CLOSE_CODE_ROOM_DELETED
    assert not closed.retry
    eventually("the stream ends", lambda: dora.ended)
    eventually("anna is out, too", lambda: anna.status == "disconnected")


def test_the_document_goes_both_ways(anna, join, prefix, stubs):
    """grpcio has no Yjs: the bytes are handed from one client to the other."""
    anna.type(0, "hello")
    anna.synchronized()
    dora = join(prefix, "dora")
    dora.first("room_state")
    dora.send(fetch_yjs=stubs.realtime.FetchYjs())
    answer = dora.first("yjs")
    assert answer.HasField("state_vector")
    assert b"hello" in answer.update
    assert len(answer.snapshot_hash) == 32
    dora.send(update_yjs=stubs.realtime.UpdateYjs(update=answer.update))
    echo = dora.first("yjs", lambda message: not message.HasField("state_vector"))
    assert echo.snapshot_hash == answer.snapshot_hash, "nothing new was in it"
    assert anna.document() == "hello"


def test_the_example_in_rust(server, agent, anna, prefix):
    """The one of the documentation, as it stands there."""
    source = (REPOSITORY / "examples/join_room.rs").read_text()
    assert f"```rust\n{source}```" in (REPOSITORY / "docs/realtime.md").read_text()
    program = Path(os.environ["ROOMD_EXAMPLES"]) / "join_room"
    # It has an end, so that a line that never comes fails the test.
    words = ["timeout", "60", program, server.url, prefix, DEV_SECRET_KEY]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as example:
        assert example.stdout
        assert example.stdout.readline() == "1 others are here\n"
        ben = agent.join(f"{prefix}ben", prefix, user="ben")
        hello = [f"hello, {ben.state()['actor']}"]
        heard = lambda: [event["event"] for event in anna.state()["events"]]  # noqa: E731
        eventually("anna hears the greeting", lambda: heard() == hello)
        anna.broadcast("bye")
        said = f"{anna.state()['actor']} says"
        assert any(line.startswith(said) and "bye" in line for line in example.stdout)
        example.terminate()
        ben.leave()
