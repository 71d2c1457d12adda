"""kill -9 under load: what was acknowledged is there after every restart, and nothing twice."""

from __future__ import annotations

import json
import os
import random
import subprocess

import pytest
from harness import Database, Roomd, eventually
from realtime import REALTIME, Agent, node_environment

KILLS = int(os.environ.get("ROOMD_KILLS", "4"))
ACKNOWLEDGED_BEFORE_KILL = (100, 600)
RUN_WITHIN_SECONDS = 60


@pytest.fixture
def roomd(database, tmp_path):
    own = Database.create(database.kind)
    roomd = Roomd(own, tmp_path / "roomd")
    yield roomd.start()
    roomd.cleanup()
    own.drop()


def load_and_kill(roomd: Roomd, room: str, target: int) -> dict:
    """What was promised before the kill, as the writers themselves noted it."""
    words = [os.environ["NODE"], str(REALTIME / "crash.mjs"), "load", room]
    with subprocess.Popen(
        words, env=node_environment(roomd), stdout=subprocess.PIPE, text=True
    ) as writers:
        assert writers.stdout
        for line in writers.stdout:
            said = json.loads(line)
            if "promised" in said:
                writers.wait(RUN_WITHIN_SECONDS)
                return said["promised"]
            if roomd.process and said["acknowledged"] >= target:
                roomd.kill()
    raise AssertionError("the writers ended without a word of what was promised to them")


def merge(all_promises: dict, new: dict) -> None:
    for key, value in new.items():
        if isinstance(value, dict):
            all_promises.setdefault(key, {}).update(value)
        elif isinstance(value, list):
            all_promises.setdefault(key, []).extend(value)
        else:
            all_promises[key] = max(all_promises.get(key, value), value)


def check(roomd: Roomd, room: str, promised: dict) -> None:
    run = subprocess.run(
        [os.environ["NODE"], str(REALTIME / "crash.mjs"), "check", room],
        input=json.dumps(promised),
        env=node_environment(roomd),
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
    )
    assert run.returncode == 0, run.stderr


def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(roomd, prefix, artifacts):
    seed = int(os.environ.get("ROOMD_KILL_SEED", random.randrange(1_000_000)))
    print(f"ROOMD_KILL_SEED={seed}")
    moments = random.Random(seed)
    agent = Agent(roomd)
    people = [agent.join("anna", prefix, storage={"people": {"$list": []}}), None]
    people[0].synchronized()
    people[1] = agent.join("ben", prefix)
    typed: list[str] = []
    promised: dict = {}
    try:
        for kill in range(KILLS):
            for person in people:
                for n in range(10):
                    typed.append(f"{person.name}-{kill}-{n}")
                    person.edit(["people"], "push", typed[-1])
            merge(promised, load_and_kill(roomd, prefix, moments.randint(*ACKNOWLEDGED_BEFORE_KILL)))
            roomd.start()
            check(roomd, prefix, promised)
        for person in people:
            person.synchronized()
        # Real clients keep what was not acknowledged, and send it again: all of it is there, once.
        assert sorted(people[0].json()["people"]) == sorted(typed)
        # One of them may have had nothing to send again, and still be on its way back.
        eventually("they see the same", lambda: people[0].json() == people[1].json())
        # One more time, from what the clean stop left.
        roomd.stop()
        roomd.start()
        check(roomd, prefix, promised)
        roomd.stop()
    except BaseException:
        artifacts.path(f"crash-{roomd.database.kind}-{seed}.json").write_text(json.dumps(promised))
        raise
    finally:
        agent.close()
    kinds = ("items", "patched", "text", "document", "versions")
    assert all(promised[kind] for kind in kinds), "every kind of promise was made"
