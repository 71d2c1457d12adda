"""What an operator lives through: kill -9, a database that goes away and comes back, restarts."""

from __future__ import annotations

import json
import random
import resource
import shlex
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from functools import partial

import grpc
import httpx
import pytest
from harness import Database, Proxy, Roomd, binary, clean_environment, eventually
from liveblocks import Liveblocks
from liveblocks.models import CreateRoomRequestBody

WRITERS = 16
ACKNOWLEDGED_BEFORE_KILL = 150
KILLS = 3
# A call may not hang on a database that is gone; the rest is for a slow machine.
UNAVAILABLE_WITHIN_SECONDS = 4.0
RECOVERED_WITHIN_SECONDS = 15.0
DEADLINE_MS = "300"


@pytest.fixture
def own_database(database):
    """Another one of the same kind, which the test may break."""
    own = Database.create(database.kind)
    yield own
    own.drop()


@pytest.fixture
def roomd(own_database, tmp_path):
    roomd = Roomd(own_database, tmp_path / "roomd", command="serve")
    yield roomd
    roomd.cleanup()


def client_of(roomd: Roomd) -> Liveblocks:
    return Liveblocks(secret=roomd.secret_key, base_url=roomd.url)


def write_until_killed(
    roomd: Roomd, number: int, acknowledged: list[str], updated: dict[str, int]
) -> None:
    """Creates rooms and counts in one, until the server is gone; notes what was promised."""
    own = f"counter-{number}"
    with httpx.Client(
        base_url=roomd.url, headers={"Authorization": f"Bearer {roomd.secret_key}"}
    ) as client:
        for turn in range(1_000_000):
            room = {"id": f"w{number}-{time.time_ns()}-{turn}", "defaultAccesses": ["*:read"]}
            try:
                if client.post("/v2/rooms", json=room).status_code == 200:
                    acknowledged.append(room["id"])
                count = updated.get(own, 0) + 1
                patch = {
                    "update": {"metadata": {"count": str(count)}},
                    "create": {"defaultAccesses": []},
                }
                if client.post(f"/v2/rooms/{own}/upsert", json=patch).status_code == 200:
                    updated[own] = count
            except httpx.HTTPError:
                return


def reached(acknowledged: list[str], target: int) -> bool:
    return len(acknowledged) >= target


def test_what_was_acknowledged_survives_kill_9(roomd):
    acknowledged: list[str] = []
    updated: dict[str, int] = {}
    roomd.start()
    for _ in range(KILLS):
        target = len(acknowledged) + ACKNOWLEDGED_BEFORE_KILL + random.randrange(50)
        words = [(roomd, number, acknowledged, updated) for number in range(WRITERS)]
        writers = [
            threading.Thread(target=write_until_killed, args=arguments) for arguments in words
        ]
        for writer in writers:
            writer.start()
        eventually("enough is acknowledged", partial(reached, acknowledged, target), 60)
        roomd.kill()
        for writer in writers:
            writer.join()
        roomd.start()
        with client_of(roomd) as client:
            stored = set()
            cursor = None
            while True:
                page = client.get_rooms(limit=100, starting_after=cursor)
                stored |= {room.id for room in page.data}
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert set(acknowledged) <= stored, sorted(set(acknowledged) - stored)
            for own, count in updated.items():
                now = int(client.get_room(own).metadata.to_dict()["count"])
                # The last write may have been committed without its answer being sent.
                assert count <= now <= count + 1
                updated[own] = now
    roomd.stop()


def test_the_first_start_prints_its_keys_once_and_they_go_on_working(roomd):
    roomd.start()
    first = roomd.secret_key
    assert first != "sk_localdev"
    with client_of(roomd) as client:
        client.create_room(
            body=CreateRoomRequestBody.from_dict({"id": "kept", "defaultAccesses": []})
        )
        token = client.prepare_session("alice").allow("kept", ["*:read"]).authorize().token
    roomd.stop()
    printed = len(roomd.log())
    roomd.start()
    assert "sk_" not in roomd.log()[printed:], "a later start knows only the hash of the key"
    with client_of(roomd) as client:
        assert client.get_room("kept").id == "kept"
    bearer = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{roomd.url}/v2/rooms/kept", headers=bearer).status_code == 200, (
        "tokens outlive a restart"
    )
    roomd.stop()


def test_a_stop_answers_what_is_under_way(roomd):
    """What came too late is turned away whole: it has no answer and no effect."""
    roomd.start()
    statuses: list[int] = []
    answered: list[str] = []

    def create(number: int) -> None:
        room = {"id": f"room-{number}", "defaultAccesses": []}
        headers = {"Authorization": f"Bearer {roomd.secret_key}"}
        try:
            answer = httpx.post(f"{roomd.url}/v2/rooms", json=room, headers=headers, timeout=20)
        except httpx.TransportError:
            return
        statuses.append(answer.status_code)
        answered.append(room["id"])

    threads = [threading.Thread(target=create, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    eventually("the first answers are there", partial(reached, answered, 8))
    roomd.stop()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    roomd.start()
    with client_of(roomd) as client:
        stored = [room.id for room in client.get_rooms(limit=100).data]
    assert sorted(stored) == sorted(answered)
    roomd.stop()


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


def timed(roomd: Roomd, method: str, request: dict) -> tuple[int, str, float]:
    """One Twirp call: status, code and how long it took."""
    call = urllib.request.Request(
        f"{roomd.url}/twirp/roomd.v1.RoomService/{method}",
        data=json.dumps(request).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {roomd.secret_key}"},
    )
    start = time.monotonic()
    try:
        with urllib.request.urlopen(call, timeout=60) as answer:
            return answer.status, "", time.monotonic() - start
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["code"], time.monotonic() - start


@pytest.mark.parametrize("how", ["cut", "stall"])
def test_a_database_that_goes_away_and_comes_back(fragile, how):
    roomd, proxy = fragile
    assert timed(roomd, "CreateRoom", {"id": "before"})[0] == 200
    getattr(proxy, how)()
    for attempt in range(3):
        for method, request in (("CreateRoom", {"id": f"during-{attempt}"}), ("ListRooms", {})):
            status, code, seconds = timed(roomd, method, request)
            assert (status, code) == (503, "unavailable"), method
            assert seconds < UNAVAILABLE_WITHIN_SECONDS, f"{method} took {seconds:.1f} s"
    assert roomd.readiness() == 503
    alive = httpx.get(f"{roomd.url}/healthz")
    assert alive.status_code == 200, "the process itself is well, so nobody should restart it"
    proxy.mend()
    roomd.wait_ready(RECOVERED_WITHIN_SECONDS)
    assert timed(roomd, "CreateRoom", {"id": "after"})[0] == 200
    assert timed(roomd, "GetRoom", {"roomId": "before"})[0] == 200
    roomd.stop()


ROOM_FOR_WRITES_BYTES = 256 << 10


def limit_files(roomd: Roomd, size_bytes: int) -> None:
    """No file of the server may grow beyond this: the disk is full, as far as it can see."""
    assert roomd.process is not None
    limits = (size_bytes, resource.RLIM_INFINITY)
    resource.prlimit(roomd.process.pid, resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_loses_nothing_and_heals_by_itself(tmp_path):
    roomd = Roomd(Database("sqlite"), tmp_path / "roomd").start()
    acknowledged: list[str] = []

    def create() -> tuple[int, str]:
        room = f"room-{len(acknowledged)}"
        metadata = {f"k{number}": "v" * 250 for number in range(40)}
        status, code, _ = timed(roomd, "CreateRoom", {"id": room, "metadata": metadata})
        if status == 200:
            acknowledged.append(room)
        return status, code

    def all_there() -> bool:
        return all(
            timed(roomd, "GetRoom", {"roomId": room})[0] == 200 for room in acknowledged
        )

    try:
        assert create() == (200, "")
        files = (tmp_path / "roomd" / "data").iterdir()
        limit_files(roomd, max(file.stat().st_size for file in files) + ROOM_FOR_WRITES_BYTES)
        eventually("the disk is full", lambda: create() == (503, "unavailable"), 60)
        assert create() == (503, "unavailable")
        assert all_there(), "what is there can be read"
        assert "full" in roomd.log() or "I/O" in roomd.log(), "the log says what the matter is"
        limit_files(roomd, resource.RLIM_INFINITY)
        assert create() == (200, "")
        roomd.kill()
        roomd.start()
        assert len(acknowledged) > 2 and all_there()
        roomd.stop()
    finally:
        roomd.cleanup()


def test_a_deadline_ends_a_call_that_hangs(fragile, stubs):
    """The server itself gives up at the caller's deadline, and says so in the caller's protocol."""
    roomd, proxy = fragile
    authorization = {"Authorization": f"Bearer {roomd.secret_key}"}
    path = "roomd.v1.RoomService/ListRooms"
    assert httpx.post(f"{roomd.url}/{path}", json={}, headers=authorization).status_code == 200
    proxy.stall()
    cases = [
        (
            f"{roomd.url}/{path}",
            {"Connect-Timeout-Ms": DEADLINE_MS, "Connect-Protocol-Version": "1"},
            504,
        ),
        (f"{roomd.url}/twirp/{path}", {"X-Twirp-Timeout-Ms": DEADLINE_MS}, 408),
    ]
    for url, headers, status in cases:
        start = time.monotonic()
        answer = httpx.post(url, json={}, headers=authorization | headers, timeout=20)
        assert time.monotonic() - start < 1.0
        assert (answer.status_code, answer.json()["code"]) == (status, "deadline_exceeded")
    with grpc.insecure_channel(roomd.address) as channel:
        stub = stubs.room_rpc.RoomServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.ListRooms(
                stubs.room.ListRoomsRequest(),
                metadata=[("authorization", authorization["Authorization"])],
                timeout=int(DEADLINE_MS) / 1000,
            )
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    proxy.mend()
    roomd.wait_ready(RECOVERED_WITHIN_SECONDS)
    roomd.stop()


def test_two_servers_start_on_one_empty_database_at_once(tmp_path):
    """Migrations run under a lock, and both see the same default project."""
    database = Database.create("postgres")
    servers = [Roomd(database, tmp_path / str(number)) for number in range(2)]
    try:
        starts = [threading.Thread(target=server.start) for server in servers]
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        one, two = servers
        one.wait_ready()
        two.wait_ready()
        assert timed(one, "CreateRoom", {"id": "shared"})[0] == 200
        assert timed(two, "GetRoom", {"roomId": "shared"})[0] == 200
        one.stop()
        two.stop()
    finally:
        for server in servers:
            server.cleanup()
        database.drop()


@pytest.mark.parametrize("status", [0, 7])
def test_dev_runs_a_command_against_a_fresh_server(tmp_path, status):
    """What a project writes into its own test script to use roomd in place of the dev server."""
    script = tmp_path / "app.py"
    script.write_text(
        "import os, sys\n"
        "from liveblocks import Liveblocks\n"
        "url, key = os.environ['LIVEBLOCKS_BASE_URL'], os.environ['LIVEBLOCKS_SECRET_KEY']\n"
        "assert key == 'sk_localdev' and os.environ['LIVEBLOCKS_PUBLIC_KEY'] == 'pk_localdev'\n"
        "assert Liveblocks(secret=key, base_url=url).get_rooms().data == []\n"
        f"sys.exit({status})\n"
    )
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"
    run = subprocess.run(
        [binary(), "dev", "--cmd", command],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == status, run.stdout + run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["app.py"], "it leaves nothing behind"
