"""LiveKit's signalling without WebRTC: who joins, what they are told, how they may leave."""

from __future__ import annotations

import base64
import json
import time

import httpx
import jwt
import pytest
from harness import DEV_LIVE_KEY, DEV_LIVE_SECRET, eventually
from live import access, is_sid, live_token
from livekit import api
from livekit.protocol import models, rtc
from signal_member import SignalMember
from websockets.exceptions import InvalidStatus

State, Reason = models.ParticipantInfo.State, models.DisconnectReason
DISCONNECT, RECONNECT = rtc.LeaveRequest.Action.DISCONNECT, rtc.LeaveRequest.Action.RECONNECT
SIGNAL_BYTES_MAX = 2 << 20


@pytest.fixture
def join(server):
    """Lets somebody join; options are those of the token, or of the address in `query`."""
    members = []

    def member(
        room: str, identity: str, token: str | None = None, query: dict | None = None, **options
    ) -> SignalMember:
        how = {key: options.pop(key) for key in ("speaks_json", "header") if key in options}
        token = token or live_token(identity, room, **options)
        members.append(SignalMember(server, token, **how, **(query or {})))
        return members[-1]

    yield member
    for one in members:
        one.close()


def here(live, room: str) -> list[str]:
    return [person.identity for person in live.people(room)]


def goodbye(member) -> rtc.LeaveRequest:
    """What somebody is told last, before the connection is closed in good order."""
    leave = member.first("leave")
    eventually("the connection ends", lambda: member.ended)
    assert member.messages[-1].WhichOneof("message") == "leave"
    assert member.closed_with == 1000
    return leave


def test_the_join_response(live, join, enter, prefix):
    enter(prefix, "carl", name="Carl")
    anna = join(prefix, "anna", name="Anna", metadata="m", attributes={"k": "v"})
    welcome = anna.welcome
    assert anna.messages[0].WhichOneof("message") == "join", "it is the first of all"
    assert welcome.room == live.room(prefix) and is_sid(welcome.room.sid, "RM")
    me = welcome.participant
    assert (me.identity, me.name, me.metadata, dict(me.attributes)) == (
        "anna",
        "Anna",
        "m",
        {"k": "v"},
    )
    assert is_sid(me.sid, "PA") and me.state == State.JOINED
    assert [person.name for person in welcome.other_participants] == ["Carl"]
    # Clients refuse a server that has no version.
    assert welcome.server_version and welcome.server_info.version
    assert welcome.server_info.protocol >= 9
    assert 0 < welcome.ping_interval < welcome.ping_timeout
    assert welcome.subscriber_primary
    assert live.person(prefix, "anna") == me
    assert live.room(prefix).num_participants == 2


def test_everybody_sees_everybody(live, join, enter, agent, prefix):
    anna = join(prefix, "anna")
    assert anna.welcome
    ben = agent.join(f"{prefix}ben", prefix, user="ben")
    carl, dora = enter(prefix, "carl"), join(prefix, "dora", name="Dora")
    for identity in ("ben", "carl", "dora"):
        assert anna.told_of(identity)
    assert carl.told_of("dora").name == "Dora"
    assert [p.identity for p in dora.welcome.other_participants] == ["anna", "ben", "carl"]
    assert here(live, prefix) == ["anna", "ben", "carl", "dora"]
    dora.close()
    gone = carl.told_of("dora", lambda info: info.state == State.DISCONNECTED)
    assert gone.sid == dora.welcome.participant.sid
    ben.leave()
    assert anna.told_of("ben", lambda info: info.state == State.DISCONNECTED)


@pytest.mark.parametrize("speaks_json", [False, True], ids=["protobuf", "json"])
def test_both_kinds_of_ping(join, prefix, speaks_json):
    anna = join(prefix, "anna", speaks_json=speaks_json)
    now_ms = int(time.time() * 1000)
    anna.send(ping=now_ms)
    assert abs(anna.first("pong") - now_ms) < 100_000
    anna.send(ping_req=rtc.Ping(timestamp=now_ms, rtt=5))
    answer = anna.first("pong_resp")
    assert answer.last_ping_timestamp == now_ms
    assert abs(answer.timestamp - now_ms) < 100_000
    assert anna.is_text[-1] == speaks_json, "a client is answered as it speaks"


def claims(token: str) -> api.Claims:
    return api.TokenVerifier(DEV_LIVE_KEY, DEV_LIVE_SECRET).verify(token)


def test_tokens_are_renewed(live, join, prefix):
    anna = join(prefix, "anna", name="Anna", can_update_own_metadata=True)
    first = claims(anna.first("refresh_token"))
    assert (first.identity, first.name) == ("anna", "Anna")
    assert first.video and first.video.room_join and first.video.room == prefix
    permission = models.ParticipantPermission(can_subscribe=True)
    change = {"metadata": "m", "attributes": {"k": "v"}, "permission": permission}
    live.update_participant(api.UpdateParticipantRequest(room=prefix, identity="anna", **change))
    token = anna.first("refresh_token", lambda token: claims(token).metadata == "m")
    changed = claims(token)
    assert changed.attributes == {"k": "v"} and changed.video
    video = changed.video
    allowed = (video.can_subscribe, video.can_publish, video.can_publish_data)
    assert allowed == (True, False, False) and not video.can_update_own_metadata
    anna.close()
    eventually("anna is gone", lambda: here(live, prefix) == [])
    again = join(prefix, "anna", token).welcome.participant
    assert (again.name, again.metadata, dict(again.attributes)) == ("Anna", "m", {"k": "v"})
    assert again.permission == permission


def test_the_newest_token_always_opens_the_room(live, join, prefix):
    """Metadata may be longer than what the head of a request may hold."""
    anna = join(prefix, "anna", name="Anna", metadata="m")
    assert anna.welcome
    permission = models.ParticipantPermission(can_subscribe=True)
    change = {"metadata": "m" * 500_000, "permission": permission}
    live.update_participant(api.UpdateParticipantRequest(room=prefix, identity="anna", **change))
    token = anna.first("refresh_token", lambda token: not claims(token).video.can_publish)
    anna.close()
    eventually("anna is gone", lambda: here(live, prefix) == [])
    again = join(prefix, "anna", token).welcome.participant
    assert (again.name, again.metadata, again.permission) == ("Anna", "", permission)


def change_self(member, request_id: int, **change) -> rtc.RequestResponse:
    request = rtc.UpdateParticipantMetadata(request_id=request_id, **change)
    member.send(update_metadata=request)
    return member.first("request_response", lambda answer: answer.request_id == request_id)


def test_changes_of_oneself(live, join, prefix):
    reasons = rtc.RequestResponse.Reason
    ben = join(prefix, "ben")
    refused = change_self(ben, 1, attributes={"mykey": "no"})
    assert refused.reason == reasons.NOT_ALLOWED and refused.message
    assert not live.person(prefix, "ben").attributes
    anna = join(prefix, "anna", can_update_own_metadata=True)
    change = {"name": "A.", "metadata": "m", "attributes": {"mykey": "au1"}}
    assert change_self(anna, 2, **change).reason == reasons.OK
    assert ben.told_of("anna", lambda info: info.name == "A.").metadata == "m"
    second = {"secondkey": "au2"}
    live.update_participant(
        api.UpdateParticipantRequest(room=prefix, identity="anna", attributes=second)
    )
    told = ben.told_of("anna", lambda info: len(info.attributes) == 2)
    assert dict(told.attributes) == {"mykey": "au1", **second}


@pytest.mark.parametrize("may", [True, False])
def test_attributes_that_come_with_the_address(join, prefix, may):
    mine = base64.urlsafe_b64encode(json.dumps({"b": "join", "c": "join"}).encode()).decode()
    token = live_token("anna", prefix, attributes={"a": "t", "b": "t"}, can_update_own_metadata=may)
    anna = join(prefix, "anna", token, {"attributes": mine, "sdk": "js", "protocol": "16"})
    expected = {"a": "t", "b": "join", "c": "join"} if may else {"a": "t", "b": "t"}
    assert dict(anna.welcome.participant.attributes) == expected


def test_tracks(live, join, prefix):
    anna, ben = join(prefix, "anna"), join(prefix, "ben")
    source = models.TrackSource.MICROPHONE
    anna.send(add_track=rtc.AddTrackRequest(cid="c", name="mic", source=source))
    published = anna.first("track_published")
    assert published.cid == "c" and published.track.sid.startswith("TR_AM")
    sid = published.track.sid
    assert list(ben.told_of("anna", lambda info: info.is_publisher).tracks) == [published.track]
    anna.send(mute=rtc.MuteTrackRequest(sid=sid, muted=True))
    muted = ben.told_of("anna", lambda info: info.tracks and info.tracks[0].muted)
    anna.send(mute=rtc.MuteTrackRequest(sid=sid, muted=False))
    later = ben.told_of("anna", lambda info: info.version > muted.version)
    assert not later.tracks[0].muted
    request = api.MuteRoomTrackRequest(room=prefix, identity="anna", track_sid=sid, muted=True)
    assert live.mute_published_track(request).track.muted
    assert anna.first("mute") == rtc.MuteTrackRequest(sid=sid, muted=True)
    permission = models.ParticipantPermission(can_subscribe=True)
    request = api.UpdateParticipantRequest(room=prefix, identity="anna", permission=permission)
    assert not live.update_participant(request).tracks
    assert anna.first("track_unpublished").track_sid == sid


def test_metadata_of_the_room(live, join, prefix):
    anna = join(prefix, "anna")
    assert anna.welcome
    changed = live.update_room_metadata(api.UpdateRoomMetadataRequest(room=prefix, metadata="m"))
    assert anna.first("room_update").room == changed


def test_whoever_leaves_is_gone(live, join, prefix):
    anna, ben = join(prefix, "anna"), join(prefix, "ben")
    assert anna.welcome and ben.welcome
    anna.send(leave=rtc.LeaveRequest(reason=Reason.CLIENT_INITIATED))
    eventually("the connection ends", lambda: anna.ended)
    assert anna.closed_with == 1000
    assert ben.told_of("anna", lambda info: info.state == State.DISCONNECTED)
    assert here(live, prefix) == ["ben"]
    ben.close()
    eventually("nobody is there", lambda: here(live, prefix) == [])


def test_removal(live, join, prefix):
    anna, ben = join(prefix, "anna"), join(prefix, "ben")
    assert anna.welcome and ben.welcome
    live.remove_participant(api.RoomParticipantIdentity(room=prefix, identity="anna"))
    leave = goodbye(anna)
    assert (leave.reason, leave.action) == (Reason.PARTICIPANT_REMOVED, DISCONNECT)
    assert not leave.can_reconnect
    gone = ben.told_of("anna", lambda info: info.state == State.DISCONNECTED)
    assert gone.disconnect_reason == Reason.PARTICIPANT_REMOVED
    assert here(live, prefix) == ["ben"]


def test_removal_with_all_tokens_of_before(live, join, prefix):
    token = live_token("anna", prefix)
    anna = join(prefix, "anna", token)
    renewed = anna.first("refresh_token")
    request = api.RoomParticipantIdentity(room=prefix, identity="anna")
    request.revoke_token_ts = int(time.time()) + 1
    live.remove_participant(request)
    assert goodbye(anna).reason == Reason.PARTICIPANT_REMOVED
    for old in (token, renewed):
        leave = goodbye(join(prefix, "anna", old))
        assert (leave.reason, leave.action) == (Reason.PARTICIPANT_REMOVED, DISCONNECT)
    assert here(live, prefix) == []


def test_a_room_that_is_ended(live, join, prefix):
    anna = join(prefix, "anna")
    sid = anna.welcome.room.sid
    live.delete_room(api.DeleteRoomRequest(room=prefix))
    leave = goodbye(anna)
    assert (leave.reason, leave.action) == (Reason.ROOM_DELETED, DISCONNECT)
    assert join(prefix, "anna").welcome.room.sid != sid


def test_the_newcomer_of_two_stays(live, join, prefix):
    first = join(prefix, "anna", name="first")
    assert first.welcome
    second = join(prefix, "anna", name="second")
    assert second.welcome.participant.sid != first.welcome.participant.sid
    assert second.messages[0].WhichOneof("message") == "join", "or clients refuse the server"
    leave = goodbye(first)
    assert (leave.reason, leave.action) == (Reason.DUPLICATE_IDENTITY, DISCONNECT)
    assert [person.name for person in live.people(prefix)] == ["second"]
    assert not second.ended


def test_a_room_that_is_full(live, join, prefix):
    live.create_room(api.CreateRoomRequest(name=prefix, max_participants=1))
    anna = join(prefix, "anna")
    assert anna.welcome
    leave = goodbye(join(prefix, "ben"))
    assert (leave.reason, leave.action) == (Reason.JOIN_FAILURE, DISCONNECT)
    assert here(live, prefix) == ["anna"]


def test_moving(live, join, prefix):
    there = f"{prefix}there"
    anna, carl = join(prefix, "anna", name="Anna"), join(there, "carl")
    assert anna.welcome and carl.welcome
    permission = models.ParticipantPermission(can_subscribe=True)
    change = {"metadata": "m", "attributes": {"k": "v"}, "permission": permission}
    live.update_participant(api.UpdateParticipantRequest(room=prefix, identity="anna", **change))
    live.move_participant(
        api.MoveParticipantRequest(room=prefix, identity="anna", destination_room=there)
    )
    moved = anna.first("room_moved")
    assert moved.room.name == there and moved.participant.identity == "anna"
    me = moved.participant
    assert (me.metadata, dict(me.attributes), me.permission) == ("m", {"k": "v"}, permission)
    assert [person.identity for person in moved.other_participants] == ["carl"]
    video = claims(moved.token).video
    assert video and video.room == there
    assert carl.told_of("anna").name == "Anna"
    assert here(live, prefix) == [] and here(live, there) == ["carl", "anna"]


def test_a_session_that_is_not_there_any_more(join, prefix):
    """Who wants to resume has to begin anew, and is told to."""
    leave = goodbye(join(prefix, "anna", query={"reconnect": "1", "sid": "PA_none"}))
    assert leave.action == RECONNECT and leave.can_reconnect


def test_frames_that_are_too_large(live, join, prefix):
    anna = join(prefix, "anna")
    assert anna.welcome
    anna.send_raw(bytes(SIGNAL_BYTES_MAX + 1))
    eventually("the connection ends", lambda: anna.ended)
    assert anna.closed_with == 1009
    eventually("anna is gone", lambda: here(live, prefix) == [])


@pytest.mark.parametrize("frame", [b"\xff\xff\xff", "{", "[]"])
def test_frames_that_say_nothing(live, join, prefix, frame):
    anna, ben = join(prefix, "anna"), join(prefix, "ben")
    assert anna.welcome and ben.welcome
    anna.send_raw(frame)
    assert goodbye(anna).action == DISCONNECT
    assert here(live, prefix) == ["ben"], "nobody else is harmed"


def test_messages_that_are_newer_than_the_server(join, prefix):
    anna = join(prefix, "anna")
    anna.send_raw(b"\xfa\x3e\x02\x08\x01")
    anna.send(ping=1)
    assert anna.first("pong")


def test_the_token_may_stand_in_the_header(join, prefix):
    assert join(prefix, "anna", header=True).welcome.participant.identity == "anna"


def token_without(identity: str, room: str) -> str:
    """A token that the SDK would not sign."""
    claims = {"iss": DEV_LIVE_KEY, "sub": identity, "exp": time.time() + 60}
    claims["video"] = {"roomJoin": True, "room": room}
    return jwt.encode(claims, DEV_LIVE_SECRET, algorithm="HS256")


def test_who_may_not_join(server, prefix):
    admin = access(room_admin=True, room=prefix).with_identity("anna").to_jwt()
    for token, status, text in (
        (None, 401, "permissions denied"),
        ("x.y.z", 401, "invalid authorization token"),
        (admin, 401, "permissions denied"),
        (token_without("", prefix), 400, "identity cannot be empty"),
        (token_without("anna", ""), 400, "no room name"),
        (token_without("i" * 257, prefix), 400, None),
    ):
        query = {} if token is None else {"access_token": token}
        answer = httpx.get(
            f"{server.url}/rtc/validate", params=query, headers={"Origin": "http://a"}
        )
        assert answer.status_code == status and text in (None, answer.text)
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://a")
        with pytest.raises(InvalidStatus) as caught:
            SignalMember(server, token or "")
        assert caught.value.response.status_code == status


def test_who_may_join_is_told_so(server, live, prefix):
    query = {"access_token": live_token("anna", prefix)}
    answer = httpx.get(f"{server.url}/rtc/validate", params=query)
    assert (answer.status_code, answer.text) == (200, "success")
    assert live.room(prefix) is None, "to ask makes no room"


def test_the_newer_way_is_not_there(server, prefix):
    """Clients fall back if the text is not the one that says that there is no such room."""
    query = {"access_token": live_token("anna", prefix)}
    for path in ("/rtc/v1", "/rtc/v1/validate"):
        answer = httpx.get(f"{server.url}{path}", params=query)
        assert answer.status_code == 404
        assert answer.text != "requested room does not exist"
