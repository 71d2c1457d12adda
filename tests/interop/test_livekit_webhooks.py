"""Webhooks as an application gets them, verified by the receivers of both of LiveKit's SDKs."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest
from grpc_member import GrpcMember
from harness import DEV_LIVE_KEY, Database, Roomd, eventually
from live import LiveApi, is_sid, live_token
from livekit import api
from livekit.protocol import models
from realtime import NODE_FOLDER, node_environment
from signal_member import SignalMember
from webhook_receiver import RECEIVER, Receiver

RUN_WITHIN_SECONDS = 60
# A room that was just being told of when the server was killed waits for that attempt's end.
TAKEN_OVER_WITHIN_SECONDS = 45
MICROPHONE = models.TrackSource.MICROPHONE


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def telling(database, receiver, tmp_path_factory):
    """A server that tells the receiver what happens, and that may be killed."""
    own = Database.create(database.kind)
    extra = ["--webhook-urls", receiver.url, "--livekit-webhook-api-key", DEV_LIVE_KEY]
    roomd = Roomd(own, tmp_path_factory.mktemp("roomd"), extra=extra)
    try:
        yield roomd.start()
        roomd.stop()
    finally:
        roomd.cleanup()
        own.drop()


@pytest.fixture
def join(telling, stubs):
    members = []

    def member(room: str, identity: str) -> GrpcMember:
        members.append(GrpcMember(telling, stubs, room, live_token(identity, room), live=True))
        assert members[-1].welcome
        return members[-1]

    yield member
    for one in members:
        one.close()


def test_the_story_of_a_room(telling, receiver, join, prefix):
    with LiveApi(telling.url) as live:
        room = live.create_room(api.CreateRoomRequest(name=prefix, metadata="<ü>"))
        anna = join(prefix, "anna")
        anna.send(signal={"add_track": {"cid": "c", "source": MICROPHONE}})
        track = anna.signal("track_published").track
        ben = join(prefix, "ben")
        live.remove_participant(api.RoomParticipantIdentity(room=prefix, identity="anna"))
        live.delete_room(api.DeleteRoomRequest(room=prefix))
    started, came, published, second, ended, left, out, finished = receiver.wait_for(
        prefix,
        "room_started",
        "participant_joined",
        "track_published",
        "participant_joined",
        "track_unpublished",
        "participant_left",
        "participant_left",
        "room_finished",
    )
    events = (started, came, published, second, ended, left, out, finished)
    assert all(is_sid(event.id, "EV") for event in events)
    assert len({event.id for event in events}) == len(events)
    assert all(abs(event.created_at - time.time()) < 100 for event in events)
    assert all(event.room.sid == room.sid for event in events)
    assert (started.room.metadata, finished.room.metadata) == ("<ü>", "<ü>")
    assert came.participant == anna.welcome.participant
    assert second.participant == ben.welcome.participant
    assert published.track.sid == track.sid == ended.track.sid
    assert published.participant.sid == came.participant.sid
    assert (left.participant.identity, out.participant.identity) == ("anna", "ben")
    assert left.participant.disconnect_reason == models.DisconnectReason.PARTICIPANT_REMOVED
    assert out.participant.disconnect_reason == models.DisconnectReason.ROOM_DELETED


def test_a_call_as_it_comes(telling, receiver, prefix):
    with LiveApi(telling.url) as live:
        live.create_room(api.CreateRoomRequest(name=prefix))
    receiver.wait_for(prefix, "room_started")
    [(headers, body)] = [
        call for call in receiver.calls if json.loads(call[1])["room"]["name"] == prefix
    ]
    assert headers["Content-Type"] == "application/webhook+json"
    assert headers["User-Agent"] == "LiveKit"
    assert not headers["Authorization"].startswith("Bearer")
    event = json.loads(body)
    assert set(event) == {"event", "room", "id", "createdAt"}, "what is zero is left out"
    assert {"sid", "name", "emptyTimeout", "creationTime"} <= set(event["room"])
    with pytest.raises(Exception, match="hash mismatch"):
        RECEIVER.receive(body.replace("started", "stopped"), headers["Authorization"])


def test_the_other_sdk_verifies_them_too(telling, receiver, join, prefix):
    join(prefix, "anna").close()
    receiver.wait_for(prefix, "room_started", "participant_joined", "participant_left")
    calls = [[body, headers["Authorization"]] for headers, body in receiver.calls]
    run = subprocess.run(
        [os.environ["NODE"], str(NODE_FOLDER / "livekit/receive.mjs")],
        input=json.dumps(calls),
        env=node_environment(telling),
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
    )
    assert run.returncode == 0, run.stderr
    expected = [[json.loads(body)["event"], json.loads(body)["id"]] for body, _ in calls]
    assert json.loads(run.stdout) == expected


def test_somebody_who_never_was_there(telling, receiver, prefix):
    anna = SignalMember(telling, live_token("anna", prefix))
    assert anna.welcome
    anna.close()
    _, aborted = receiver.wait_for(prefix, "room_started", "participant_connection_aborted")
    assert aborted.participant.identity == "anna"


def test_a_room_that_ends_by_itself(telling, receiver, prefix):
    with LiveApi(telling.url) as live:
        live.create_room(api.CreateRoomRequest(name=prefix, empty_timeout=1))
    started, finished = receiver.wait_for(prefix, "room_started", "room_finished")
    assert started.room.sid == finished.room.sid


def test_what_was_refused_comes_again_in_order(telling, receiver, join, prefix):
    receiver.refused.clear()
    receiver.refusals = 2
    anna = join(prefix, "anna")
    eventually("it was refused", lambda: len(receiver.refused) == 2)
    anna.close()
    events = receiver.wait_for(prefix, "room_started", "participant_joined", "participant_left")
    tried = [json.loads(body) for body in receiver.refused]
    assert [event["id"] for event in tried] == [events[0].id] * 2, "nothing overtakes it"
    assert receiver.refused[0] == receiver.refused[1]


def test_whoever_is_told_of_can_be_asked_for(telling, receiver, join, prefix):
    """Applications call back from their webhooks: what they are told of is so by then."""
    found: list[tuple[str, list[str]]] = []

    def ask(event) -> None:
        if event.room.name != prefix:
            return
        with LiveApi(telling.url) as live:
            room = live.room(prefix)
            people = [person.identity for person in live.people(prefix)]
            found.append((event.event, people if room else ["no room"]))

    receiver.on_call = ask
    anna = join(prefix, "anna")
    eventually("anna is told of", lambda: len(found) == 2)
    anna.close()
    eventually("that she left, too", lambda: len(found) == 3)
    with LiveApi(telling.url) as live:
        live.delete_room(api.DeleteRoomRequest(room=prefix))
    eventually("the end as well", lambda: len(found) == 4)
    receiver.on_call = None
    begun, rest = found[0], found[1:]
    assert begun in (("room_started", []), ("room_started", ["anna"]))
    assert rest == [
        ("participant_joined", ["anna"]),
        ("participant_left", []),
        ("room_finished", ["no room"]),
    ]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_was_not_taken_is_told_after_a_restart(telling, receiver, prefix, end):
    receiver.refused.clear()
    receiver.refusals = 1_000
    with LiveApi(telling.url) as live:
        live.create_room(api.CreateRoomRequest(name=prefix))
        live.delete_room(api.DeleteRoomRequest(room=prefix))
        eventually("it was refused", lambda: receiver.refused)
        # When another room is told of, the attempt for this one is over.
        live.create_room(api.CreateRoomRequest(name=f"{prefix}b"))
        eventually("so was that", lambda: any(f"{prefix}b" in body for body in receiver.refused))
    getattr(telling, end)()
    telling.start()
    receiver.refusals = 0
    told = ("room_started", "room_finished")
    receiver.wait_for(prefix, *told, within_seconds=TAKEN_OVER_WITHIN_SECONDS)
