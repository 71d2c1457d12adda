"""The database goes away while people are in a room: they keep all they did, and so does the room."""

from __future__ import annotations

import pytest
from harness import Database, Proxy, Roomd, eventually
from realtime import Agent

# Back-off of clients, and what a statement that hangs may take.
BACK_WITHIN_SECONDS = 60.0


@pytest.fixture
def fragile(tmp_path):
    """A server whose PostgreSQL is behind a proxy that can be cut."""
    database = Database.create("postgres")
    proxy = Proxy(database.address())
    roomd = Roomd(database.through(proxy.port), tmp_path / "roomd")
    yield roomd.start(), proxy
    roomd.cleanup()
    proxy.close()
    database.drop()


@pytest.mark.parametrize("how", ["cut", "stall"])
def test_people_ride_out_an_outage_of_the_database(fragile, prefix, how):
    roomd, proxy = fragile
    agent = Agent(roomd)
    try:
        anna = agent.join("anna", prefix, storage={"l": {"$list": []}})
        anna.synchronized()
        ben = agent.join("ben", prefix)
        ben.synchronized()
        anna.edit(["l"], "push", "before")
        anna.synchronized()
        getattr(proxy, how)()
        anna.edit(["l"], "push", "meanwhile")
        eventually("the server notices", lambda: roomd.readiness() == 503)
        proxy.mend()
        expected = {"l": ["before", "meanwhile"]}
        for client in (anna, ben):
            eventually(
                "both have all of it",
                lambda client=client: client.json() == expected,
                BACK_WITHIN_SECONDS,
            )
        anna.synchronized()
        # Seen is not stored: the next process knows only what was stored.
        roomd.kill()
        roomd.start()
        late = agent.join("late", prefix)
        late.synchronized()
        eventually("it was stored", lambda: late.json() == expected)
    finally:
        agent.close()
