"""All of it at once: Node clients, a page in a browser, a Python back end and a gRPC client in one
room, and the server is killed under them."""

from __future__ import annotations

import pytest
from grpc_member import GrpcMember
from harness import Database, Roomd, eventually
from liveblocks import Liveblocks
from liveblocks.models import AddJsonPatchOperation
from realtime import Agent, Browser, stored


@pytest.fixture
def roomd(database, tmp_path):
    own = Database.create(database.kind)
    roomd = Roomd(own, tmp_path / "roomd")
    yield roomd.start()
    roomd.cleanup()
    own.drop()


@pytest.fixture
def people(roomd, prefix):
    """Two clients and a window."""
    agent, browser = Agent(roomd), Browser(roomd)
    anna = agent.join("anna", prefix, storage={"items": {"$list": []}})
    anna.synchronized()
    ben = agent.join("ben", prefix)
    for client in (anna, ben):
        client.yjs()
    yield anna, ben, browser.open("cleo", prefix)
    browser.close()
    agent.close()


def add(backend: Liveblocks, room: str, text: str) -> None:
    patch = AddJsonPatchOperation.from_dict({"op": "add", "path": "/items/-", "value": text})
    backend.patch_storage_document(room, body=[patch])


def test_a_room_full_of_people_survives_a_kill(roomd, people, stubs, prefix, artifacts):
    anna, ben, cleo = people
    backend = Liveblocks(secret=roomd.secret_key, base_url=roomd.url)
    token = backend.prepare_session("dora").allow(prefix, ["*:write"]).authorize().token
    expected: list[str] = []
    for turn in ("before", "after"):
        dora = GrpcMember(roomd, stubs, prefix, token, {"cursor": None})
        items = dora.list_id("items")
        for client in (anna, ben):
            eventually(
                "everybody is seen",
                lambda client=client: sorted(o["id"] for o in client.others) == sorted(
                    {"anna", "ben", "cleo", "dora"} - {client.name}
                ),
            )
        for n in range(10):
            anna.edit(["items"], "push", f"anna-{turn}-{n}")
            ben.edit(["items"], "push", f"ben-{turn}-{n}")
            add(backend, prefix, f"backend-{turn}-{n}")
            dora.acknowledged(dora.push(items, f"dora-{turn}-{n}"))
            expected += [f"{who}-{turn}-{n}" for who in ("anna", "ben", "backend", "dora")]
        cleo.fill("#draft", f"cleo-{turn}")
        cleo.click("#add")
        expected.append(f"cleo-{turn}")
        anna.type(-1, f"[anna {turn}]")
        cleo.type("#editor .cm-content", f"[cleo {turn}]", "Control+End")
        if turn == "before":
            eventually("the window's edits are stored", lambda: cleo.text("#sync") == "synchronized")
            # Anna and Ben are still sending; what they have not sent they keep.
            roomd.kill()
            eventually("dora's stream ends", lambda dora=dora: dora.ended)
            ben.edit(["items"], "push", "ben-while-it-is-down")
            expected.append("ben-while-it-is-down")
            roomd.start()
            for client in (anna, ben):
                client.synchronized()
        else:
            for client in (anna, ben):
                client.synchronized()
            eventually("all is there", lambda: len(anna.json()["items"]) == len(expected))
            order = anna.json()["items"]
            assert sorted(order) == sorted(expected), "each once"
            eventually("ben has the same", lambda: ben.json()["items"] == order)
            eventually("and the window", lambda: cleo.texts("#items span") == order)
            assert dora.items("items") == order
            assert stored(backend, prefix)["items"] == order
        dora.close()
    written = anna.document()
    for part in ("[anna before]", "[cleo before]", "[anna after]", "[cleo after]"):
        assert written.count(part) == 1, written
    eventually("ben has the document", lambda: ben.document() == written)
    eventually("so has the window", lambda: cleo.written() == written)
    assert backend.get_yjs_document(prefix).to_dict() == {"text": written}
    cleo.screenshot(str(artifacts.path(f"story-{roomd.database.kind}.png")))
    assert cleo.problems() == []
    backend.close()
    roomd.stop()
