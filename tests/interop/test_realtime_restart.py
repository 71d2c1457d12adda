"""The server stops or is killed while people are in a room: they come back, with all they did."""

from __future__ import annotations

import pytest
from harness import Database, Roomd, eventually
from realtime import Agent
from test_realtime_plans import RESTARTS, SEED_FIRST, SEEDS, play


@pytest.fixture(scope="module")
def own_server(database, tmp_path_factory):
    """One that may be killed."""
    own = Database.create(database.kind)
    roomd = Roomd(own, tmp_path_factory.mktemp("roomd"))
    try:
        yield roomd.start()
        roomd.stop()
    finally:
        roomd.cleanup()
        own.drop()


@pytest.fixture
def clients(own_server, prefix):
    agent = Agent(own_server)
    storage = {"l": {"$list": []}, "o": {"$object": {}}, "t": {"$text": ""}}
    anna = agent.join("anna", prefix, storage=storage, presence={"x": 1})
    anna.synchronized()
    ben = agent.join("ben", prefix, presence={"x": 2})
    for client in (anna, ben):
        client.yjs()
        client.synchronized()
    yield anna, ben
    agent.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_everybody_comes_back(own_server, clients, end):
    anna, ben = clients
    anna.edit(["l"], "push", "before")
    anna.edit(["t"], "insert", 0, "before")
    anna.type(0, "before")
    anna.synchronized()
    eventually("ben has the document", lambda: ben.document() == "before")
    actors = {client.state()["actor"] for client in clients}
    getattr(own_server, end)()
    eventually("they notice", lambda: all(client.status != "connected" for client in clients))
    # What people do in the meantime waits with them.
    anna.edit(["l"], "push", "meanwhile")
    anna.edit(["t"], "insert", 6, " meanwhile")
    ben.edit(["o"], "set", "ben", {"$list": [1]})
    anna.type(-1, " anna")
    ben.type(0, "ben ")
    anna.presence({"x": 3})
    own_server.start()
    for client in clients:
        client.synchronized()
    expected = {
        "l": ["before", "meanwhile"],
        "o": {"ben": [1]},
        "t": [["before meanwhile"]],
    }
    for client in clients:
        eventually("Storage is whole", lambda client=client: client.json() == expected)
        eventually(
            "so is the document",
            lambda client=client: client.document() == "ben before anna",
        )
    others = [{"id": "anna", "presence": 3}]
    eventually(
        "ben sees anna once, as she is now",
        lambda: [{"id": o["id"], "presence": o["presence"]["x"]} for o in ben.others] == others,
    )
    later = {client.state()["actor"] for client in clients}
    assert min(later) > max(actors), "no actor comes twice"
    for client in clients:
        assert client.state()["errors"] == []


@pytest.mark.parametrize("seed", range(SEED_FIRST, SEED_FIRST + (SEEDS + 1) // 2))
@pytest.mark.parametrize("profile", ["edits", "inserts"])
def test_plan_with_restarts(own_server, artifacts, profile, seed):
    play(own_server, artifacts, profile, seed, restarts=RESTARTS)
