"""The server stops or is killed while rooms are alive: they live on, and nothing said is lost."""

from __future__ import annotations

import time

import grpc
import pytest
from grpc_member import GrpcMember
from harness import Database, Roomd, eventually
from live import NO_ROOM, LiveApi, live_token, refuses
from livekit import api
from livekit.protocol import models
from realtime import Browser

# The client waits longer from try to try.
BACK_WITHIN_SECONDS = 30


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


def enter(server: Roomd, stubs, room: str, token: str) -> GrpcMember:
    return GrpcMember(server, stubs, room, token, live=True)


def begin_again(server: Roomd, end: str) -> None:
    getattr(server, end)()
    server.start()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_rooms_are_alive_again(own_server, stubs, prefix, end):
    kept, changed, ended, visited = (f"{prefix}{name}" for name in "abcd")
    settings = {"empty_timeout": 600, "departure_timeout": 60, "max_participants": 5}
    with LiveApi(own_server.url) as live:
        for name in (kept, changed, ended, visited):
            live.create_room(api.CreateRoomRequest(name=name, metadata="m", **settings))
        live.update_room_metadata(api.UpdateRoomMetadataRequest(room=changed, metadata="n"))
        live.delete_room(api.DeleteRoomRequest(room=ended))
        before = {name: live.room(name) for name in (kept, changed, visited)}
        carl = enter(own_server, stubs, visited, live_token("carl", visited))
        assert carl.welcome.room.num_participants == 1

    begin_again(own_server, end)

    eventually("carl notices", lambda: carl.ended)
    with LiveApi(own_server.url) as live:
        # Whoever was there has to come again.
        assert {name: live.room(name) for name in before} == before
        assert live.people(visited) == [] and live.room(ended) is None
        again = live.create_room(api.CreateRoomRequest(name=kept, metadata="other"))
        assert again == before[kept]
        refuses(NO_ROOM, live.delete_room, api.DeleteRoomRequest(room=ended))
        back = enter(own_server, stubs, visited, live_token("carl", visited))
        assert back.welcome.room.sid == before[visited].sid
        for name in before:
            live.delete_room(api.DeleteRoomRequest(room=name))
    for member in (carl, back):
        member.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_whoever_was_removed_stays_out(own_server, stubs, prefix, end):
    token = live_token("anna", prefix)
    anna = enter(own_server, stubs, prefix, token)
    assert anna.welcome
    with LiveApi(own_server.url) as live:
        request = api.RoomParticipantIdentity(room=prefix, identity="anna")
        request.revoke_token_ts = int(time.time()) + 1
        live.remove_participant(request)
    begin_again(own_server, end)
    again = enter(own_server, stubs, prefix, token)
    eventually("anna is kept out", lambda: again.ended)
    assert again.error is not None and again.error.code() == grpc.StatusCode.PERMISSION_DENIED
    for member in (anna, again):
        member.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_rooms_end_in_time_all_the_same(own_server, stubs, prefix, end):
    empty, left = f"{prefix}a", f"{prefix}b"
    with LiveApi(own_server.url) as live:
        for name in (empty, left):
            settings = {"empty_timeout": 1, "departure_timeout": 1}
            live.create_room(api.CreateRoomRequest(name=name, **settings))
        anna = enter(own_server, stubs, left, live_token("anna", left))
        assert anna.welcome
    begin_again(own_server, end)
    with LiveApi(own_server.url) as live:
        for name in (empty, left):
            eventually(f"{name} ends", lambda name=name: live.room(name) is None)
    anna.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_browser_comes_back(own_server, prefix, end):
    with LiveApi(own_server.url) as live:
        sid = live.create_room(api.CreateRoomRequest(name=prefix)).sid
    browser = Browser(own_server)
    window = browser.open("anna", prefix, page="livekit")
    window.act("connect", live_token("anna", prefix))
    assert window.act("state")["sid"] == sid
    begin_again(own_server, end)
    active = [("anna", models.ParticipantInfo.State.ACTIVE)]
    with LiveApi(own_server.url) as live:
        eventually(
            "she is there again, once",
            lambda: [(one.identity, one.state) for one in live.people(prefix)] == active,
            BACK_WITHIN_SECONDS,
        )
        assert live.room(prefix).sid == sid
        live.send_data(api.SendDataRequest(room=prefix, data=b"again"))
    eventually("data finds her", lambda: window.act("heard")["data"])
    assert window.act("heard")["left"] == [], "to the application she never was gone"
    browser.close()
