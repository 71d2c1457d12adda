"""Keys of LiveKit's form as an operator makes, lists and revokes them, and the server's options."""

from __future__ import annotations

import re
import subprocess

import pytest
from grpc_member import GrpcMember
from harness import DEV_LIVE_KEY, Database, Roomd, binary, clean_environment, eventually
from live import LiveApi, live_token, refuses
from livekit import api
from livekit.protocol import models
from signal_member import SignalMember
from websockets.exceptions import InvalidStatus

RUN_WITHIN_SECONDS = 30
CONFIGURED = ("APIconfigured", "a secret of more than 32 characters")
# What the SDK shows of a refusal that comes before Twirp.
REFUSED = (401, "unknown", "")


@pytest.fixture
def roomd(database, tmp_path):
    """A server as it is run in earnest, with one key in its configuration."""
    own = Database.create(database.kind)
    keys = {"ROOMD_LIVEKIT_KEYS": ": ".join(CONFIGURED)}
    roomd = Roomd(own, tmp_path / "roomd", command="serve", environment=keys)
    yield roomd.start()
    roomd.cleanup()
    own.drop()


def keys_command(roomd: Roomd, *words: str) -> str:
    """`roomd keys` beside the running server."""
    place = {"ROOMD_DATA_DIR": str(roomd.folder / "data")}
    if roomd.database.url:
        place = {"ROOMD_DATABASE_URL": roomd.database.url}
    run = subprocess.run(
        [binary(), "keys", *words],
        env=clean_environment() | place,
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def list_with(roomd: Roomd, key: str, secret: str) -> list:
    with LiveApi(roomd.url, key, secret) as live:
        return list(live.list_rooms(api.ListRoomsRequest(names=["none"])).rooms)


def test_a_key_from_its_making_to_its_end(roomd):
    printed = keys_command(roomd, "create", "--livekit")
    key = re.search(r"\bAPI[2-9A-HJ-NP-Za-km-z]{12}\b", printed)
    assert key, printed
    secret = re.search(r"[Ss]ecret\W+([A-Za-z0-9_-]{43})\b", printed)
    assert secret, printed
    assert list_with(roomd, key[0], secret[1]) == []
    listed = keys_command(roomd, "list")
    assert key[0] in listed and "livekit" in listed
    assert secret[1] not in listed and secret[1] not in roomd.log()
    refuses(REFUSED, list_with, roomd, key[0], f"{secret[1]}x")
    keys_command(roomd, "revoke", key[0])

    def is_refused() -> bool:
        try:
            list_with(roomd, key[0], secret[1])
        except api.ServerError as error:
            return error.status == 401
        return False

    eventually("running servers notice", is_refused)
    roomd.stop()


def test_a_key_of_the_configuration(roomd):
    assert list_with(roomd, *CONFIGURED) == []
    refuses(REFUSED, list_with, roomd, DEV_LIVE_KEY, "secret")
    assert CONFIGURED[1] not in roomd.log()
    roomd.stop()


@pytest.fixture
def other(tmp_path):
    """One database is enough: nothing of this is stored."""
    extra = ["--livekit-remote-unmute", "true", "--rtc-listen", "off"]
    roomd = Roomd(Database("sqlite"), tmp_path / "roomd", extra=extra)
    yield roomd.start()
    roomd.cleanup()


def test_options(other, stubs):
    anna = SignalMember(other, live_token("anna", "r"))
    assert anna.welcome.participant.identity == "anna"
    ben = GrpcMember(other, stubs, "r", live_token("ben", "r"), live=True)
    assert ben.welcome
    anna.send(add_track={"cid": "c", "source": models.TrackSource.MICROPHONE, "muted": True})
    track = anna.first("track_published").track
    assert track.muted
    with LiveApi(other.url) as live:
        request = api.MuteRoomTrackRequest(room="r", identity="anna", track_sid=track.sid)
        assert not live.mute_published_track(request).track.muted, "back ends may unmute here"
    assert not anna.first("mute").muted
    assert anna.signals("offer") == [], "there is no WebRTC"
    for member in (anna, ben):
        member.close()
    other.stop()


@pytest.fixture
def made_only(tmp_path):
    """A server whose rooms come to life by CreateRoom only."""
    extra = ["--livekit-auto-create", "false"]
    roomd = Roomd(Database("sqlite"), tmp_path / "roomd", extra=extra)
    yield roomd.start()
    roomd.cleanup()


def test_rooms_that_nobody_made(made_only):
    for _ in range(2):
        with pytest.raises(InvalidStatus) as caught:
            SignalMember(made_only, live_token("anna", "r"))
        response = caught.value.response
        assert (response.status_code, response.body) == (404, b"requested room does not exist")
    with LiveApi(made_only.url) as live:
        live.create_room(api.CreateRoomRequest(name="r"))
    anna = SignalMember(made_only, live_token("anna", "r"))
    assert anna.welcome.room.name == "r"
    anna.close()
    made_only.stop()
