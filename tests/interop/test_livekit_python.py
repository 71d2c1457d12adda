"""livekit-api 1.2.2, which speaks Twirp with protobuf: the life of rooms, limits, errors."""

from __future__ import annotations

import time

import pytest
from harness import eventually
from live import DENIED, NO_PARTICIPANT, NO_ROOM, LiveApi, is_sid, refuses
from livekit import api

METADATA_BYTES_MAX = 512 << 10
ATTRIBUTES_BYTES_MAX = 64 << 10
CODECS = (
    "audio/PCMU audio/PCMA audio/opus audio/red video/VP8 video/H264 video/VP9 video/AV1 "
    "video/H265 video/rtx"
).split()


def create(name: str, **settings) -> api.CreateRoomRequest:
    return api.CreateRoomRequest(name=name, **settings)


def test_a_room_from_its_beginning_to_its_end(live, prefix):
    name = f"{prefix}a"
    settings = {"empty_timeout": 600, "departure_timeout": 30, "max_participants": 7}
    made = live.create_room(create(name, metadata="m", tags={"k": "v"}, **settings))
    assert is_sid(made.sid, "RM") and made.name == name and made.metadata == "m"
    assert {key: getattr(made, key) for key in settings} == settings
    assert made.creation_time == made.creation_time_ms // 1000
    assert abs(made.creation_time - time.time()) < 100
    assert [codec.mime for codec in made.enabled_codecs] == CODECS
    assert (made.num_participants, made.num_publishers, made.active_recording) == (0, 0, False)
    assert not made.HasField("version")
    assert live.room(name) == made
    changed = live.update_room_metadata(api.UpdateRoomMetadataRequest(room=name, metadata="ü"))
    assert changed.metadata == "ü" and changed.sid == made.sid
    assert live.room(name) == changed
    cleared = live.update_room_metadata(api.UpdateRoomMetadataRequest(room=name, metadata=""))
    assert cleared.metadata == "" == live.room(name).metadata
    assert live.people(name) == []
    live.delete_room(api.DeleteRoomRequest(room=name))
    assert live.room(name) is None
    refuses(NO_ROOM, live.delete_room, api.DeleteRoomRequest(room=name))
    again = live.create_room(create(name))
    assert again.sid != made.sid and again.metadata == ""
    live.delete_room(api.DeleteRoomRequest(room=name))


def test_what_is_not_said_has_defaults(live, prefix):
    made = live.create_room(create(prefix))
    assert (made.empty_timeout, made.departure_timeout, made.max_participants) == (300, 20, 0)
    assert made.metadata == ""


def test_creating_a_room_twice_keeps_the_first(live, prefix):
    made = live.create_room(create(prefix, metadata="first", empty_timeout=100))
    again = live.create_room(create(prefix, metadata="second", empty_timeout=5))
    assert again == made
    assert live.room(prefix) == made


def test_many_who_create_a_room_at_once_get_the_same(live, prefix):
    made = live.together("create_room", [create(prefix, metadata=str(n)) for n in range(20)])
    assert all(room == made[0] for room in made)


def test_lists(live, prefix):
    names = [f"{prefix}{n}" for n in range(3)]
    for name in names:
        live.create_room(create(name))
    everything = [room.name for room in live.list_rooms(api.ListRoomsRequest()).rooms]
    assert [name for name in everything if name in names] == names
    some = api.ListRoomsRequest(names=[names[2], f"{prefix}none", names[0], "x" * 300])
    assert {room.name for room in live.list_rooms(some).rooms} == {names[0], names[2]}
    none = api.ListRoomsRequest(names=[f"{prefix}none"])
    assert list(live.list_rooms(none).rooms) == []


def test_a_room_in_which_nobody_ever_is_ends(live, prefix):
    live.create_room(create(prefix, empty_timeout=1))
    eventually("the room ends", lambda: live.room(prefix) is None)
    refuses(NO_ROOM, live.delete_room, api.DeleteRoomRequest(room=prefix))


def test_what_is_not_there(live, prefix):
    nobody = {"room": prefix, "identity": "anna"}
    assert live.people(prefix) == []
    refuses(NO_PARTICIPANT, live.person, prefix, "anna")
    refuses(NO_PARTICIPANT, live.remove_participant, api.RoomParticipantIdentity(**nobody))
    refuses(NO_PARTICIPANT, live.update_participant, api.UpdateParticipantRequest(**nobody))
    for method, request in (
        (live.update_room_metadata, api.UpdateRoomMetadataRequest(room=prefix, metadata="m")),
        (live.send_data, api.SendDataRequest(room=prefix, data=b"d")),
        (live.mute_published_track, api.MuteRoomTrackRequest(**nobody, track_sid="TR_x")),
        (live.update_subscriptions, api.UpdateSubscriptionsRequest(**nobody)),
        (live.move_participant, api.MoveParticipantRequest(**nobody, destination_room="b")),
        (live.forward_participant, api.ForwardParticipantRequest(**nobody, destination_room="b")),
    ):
        refuses(NO_ROOM, method, request)


def test_a_room_without_the_participant(live, prefix):
    live.create_room(create(prefix))
    live.create_room(create(f"{prefix}b"))
    nobody, to = {"room": prefix, "identity": "anna"}, {"destination_room": f"{prefix}b"}
    live.send_data(api.SendDataRequest(room=prefix, data=b"d", destination_identities=["anna"]))
    for method, request in (
        (live.get_participant, api.RoomParticipantIdentity(**nobody)),
        (live.remove_participant, api.RoomParticipantIdentity(**nobody)),
        (live.update_participant, api.UpdateParticipantRequest(**nobody, name="Anna")),
        (live.mute_published_track, api.MuteRoomTrackRequest(**nobody, track_sid="TR_x")),
        (live.update_subscriptions, api.UpdateSubscriptionsRequest(**nobody, track_sids=["x"])),
        (live.move_participant, api.MoveParticipantRequest(**nobody, **to)),
        (live.forward_participant, api.ForwardParticipantRequest(**nobody, **to)),
    ):
        refuses(NO_PARTICIPANT, method, request)


def test_nobody_moves_to_where_they_are(live, prefix):
    live.create_room(create(prefix))
    here = {"room": prefix, "identity": "anna", "destination_room": prefix}
    problem = "destination room cannot be the same as source room"
    expected = (400, "invalid_argument", f"{problem} ")
    for method, request in (
        (live.move_participant, api.MoveParticipantRequest(**here)),
        (live.forward_participant, api.ForwardParticipantRequest(**here)),
    ):
        refuses(expected, method, request, metadata={"argument": problem})


def exceeds(what: str, limit: int, call, request) -> None:
    problem = f"{what} exceeds limits"
    expected = (400, "invalid_argument", f"{problem} {limit}")
    refuses(expected, call, request, metadata={"argument": problem})


def test_limits(live, prefix):
    most = "m" * METADATA_BYTES_MAX
    assert live.create_room(create(prefix, metadata=most)).metadata == most
    size = ("metadata size", METADATA_BYTES_MAX)
    agent = api.RoomAgentDispatch(metadata=f"{most}m")
    for request in (create(f"{prefix}b", metadata=f"{most}m"), create(prefix, agents=[agent])):
        exceeds(*size, live.create_room, request)
    update = api.UpdateRoomMetadataRequest(room=prefix, metadata=f"{most}m")
    exceeds(*size, live.update_room_metadata, update)
    anna = {"room": prefix, "identity": "anna"}
    update = api.UpdateParticipantRequest(**anna, metadata=f"{most}m")
    exceeds(*size, live.update_participant, update)
    update = api.UpdateParticipantRequest(**anna, name="n" * 257)
    exceeds("name length", 256, live.update_participant, update)
    update = api.UpdateParticipantRequest(**anna, attributes={"k": "v" * ATTRIBUTES_BYTES_MAX})
    exceeds("attribute size", ATTRIBUTES_BYTES_MAX, live.update_participant, update)
    problem = "twirp error unknown: room name length exceeds limits: max length 256"
    refuses((400, "invalid_argument", problem), live.create_room, create("r" * 257))
    assert live.room(prefix).metadata == most


def test_what_the_server_cannot_do(live, prefix):
    egress = api.RoomEgress(room=api.RoomCompositeEgressRequest(room_name=prefix))
    problem = "twirp error unknown: egress not connected (redis required)"
    refuses((501, "unimplemented", problem), live.create_room, create(prefix, egress=egress))
    problem = "unknown room configuration in create room request"
    request = create(prefix, room_preset="none")
    refuses((400, "invalid_argument", problem), live.create_room, request)
    assert live.room(prefix) is None


@pytest.mark.parametrize("key, secret", [("nobody", "secret"), ("devkey", "not the secret")])
def test_a_key_that_is_not_good(server, prefix, key, secret):
    """The SDK shows nothing but the status, since what comes before Twirp is plain text."""
    with LiveApi(server.url, key, secret) as stranger:
        for call in (
            lambda: stranger.create_room(create(prefix)),
            lambda: stranger.list_rooms(api.ListRoomsRequest()),
            lambda: stranger.people(prefix),
        ):
            refuses((401, "unknown", ""), call)


def test_names_that_are_hard_to_write(live, prefix):
    for name in (f"{prefix}ü/1 ?%2F#", f"{prefix}\U0001f600", f"{prefix}\n\"'<&>"):
        assert live.create_room(create(name)).name == name
        assert live.room(name).name == name
        live.delete_room(api.DeleteRoomRequest(room=name))
        refuses(NO_ROOM, live.delete_room, api.DeleteRoomRequest(room=name))


def test_the_size_limits_are_looked_at_before_the_grant(server, prefix):
    token = api.AccessToken("devkey", "secret").to_jwt()
    with LiveApi(server.url, token=token) as stranger:
        long = "m" * (METADATA_BYTES_MAX + 1)
        update = api.UpdateRoomMetadataRequest(room=prefix, metadata=long)
        exceeds("metadata size", METADATA_BYTES_MAX, stranger.update_room_metadata, update)
        update = api.UpdateParticipantRequest(room=prefix, identity="anna", metadata=long)
        exceeds("metadata size", METADATA_BYTES_MAX, stranger.update_participant, update)
        refuses(DENIED, stranger.create_room, create(prefix, metadata=long))
