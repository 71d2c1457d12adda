"""Who is in a room: people with LiveKit's tokens and with ours, seen and changed by livekit-api."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import grpc
import jwt
import pytest
from harness import DEV_LIVE_SECRET, eventually
from live import NO_PARTICIPANT, access, is_sid, live_token, refuses
from livekit import api
from livekit.protocol import models, rtc

ACTIVE = models.ParticipantInfo.State.ACTIVE
DISCONNECTED = models.ParticipantInfo.State.DISCONNECTED
REMOVED = models.DisconnectReason.PARTICIPANT_REMOVED
PUBLISHES = {"can_subscribe": True, "can_publish": True, "can_publish_data": True}


@pytest.fixture
def ben(agent, prefix):
    """Somebody in a browser who knows nothing of LiveKit."""
    client = agent.join(f"{prefix}ben", prefix, user="ben")
    yield client
    client.leave()


def here(live, room: str) -> list[str]:
    return [person.identity for person in live.people(room)]


def update(live, room: str, identity: str, **change) -> api.ParticipantInfo:
    request = api.UpdateParticipantRequest(room=room, identity=identity, **change)
    return live.update_participant(request)


def remove(live, room: str, identity: str, **more) -> None:
    live.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity, **more))


def test_everybody_is_a_participant(live, enter, ben, prefix):
    attributes = {"k": "v", "ü": ""}
    claims = {"name": "Anna", "metadata": "m", "attributes": attributes}
    anna = enter(prefix, "anna", **claims, can_update_own_metadata=True)
    room = anna.welcome.room
    assert is_sid(room.sid, "RM") and (room.name, room.num_participants) == (prefix, 2)
    assert live.room(prefix) == room
    people = {person.identity: person for person in live.people(prefix)}
    assert list(people) == ["ben", "anna"], "in the order in which they came"
    assert people["anna"] == anna.welcome.participant == live.person(prefix, "anna")
    assert list(anna.welcome.other_participants) == [people["ben"]]
    seen = people["anna"]
    assert is_sid(seen.sid, "PA") and (seen.name, seen.metadata) == ("Anna", "m")
    assert dict(seen.attributes) == attributes
    assert abs(seen.joined_at - time.time()) < 100
    assert seen.joined_at == seen.joined_at_ms // 1000
    assert seen.permission == models.ParticipantPermission(**PUBLISHES, can_update_metadata=True)
    for person in people.values():
        assert person.state == ACTIVE and person.kind == models.ParticipantInfo.Kind.STANDARD
        assert not person.is_publisher and not person.tracks
    assert (people["ben"].name, json.loads(people["ben"].metadata)) == ("ben", {"name": "ben"})
    assert people["ben"].permission == models.ParticipantPermission(**PUBLISHES)
    anna.close()
    eventually("anna is gone", lambda: here(live, prefix) == ["ben"])
    refuses(NO_PARTICIPANT, live.person, prefix, "anna")
    assert live.room(prefix).num_participants == 1


def test_people_are_told_who_comes_and_goes(enter, agent, prefix):
    anna = enter(prefix, "anna")
    assert list(anna.welcome.other_participants) == []
    carl = enter(prefix, "carl", name="Carl")
    assert anna.told_of("carl").name == "Carl"
    ben = agent.join(f"{prefix}ben", prefix, user="ben")
    for member in (anna, carl):
        assert member.told_of("ben").state == ACTIVE
    ben.leave()
    carl.close()
    for identity in ("ben", "carl"):
        gone = anna.told_of(identity, lambda info: info.state == DISCONNECTED)
        assert gone.version > anna.told_of(identity).version


def test_clients_of_the_other_protocol_see_them_too(enter, ben, http, prefix):
    enter(prefix, "anna", name="Anna")
    enter(prefix, "spy", hidden=True)
    eventually("ben sees anna", lambda: [other["id"] for other in ben.others] == ["anna"])
    assert ben.others[0]["info"] == {"name": "Anna"}
    active = http.get(f"/v2/rooms/{quote(prefix, safe='')}/active_users").json()["data"]
    assert sorted(user["id"] for user in active) == ["anna", "ben"]


def test_one_identity_is_one_participant(live, enter, prefix):
    anna = enter(prefix, "anna")
    sid = anna.welcome.participant.sid
    again = enter(prefix, "anna")
    assert again.welcome.participant.sid == sid
    assert here(live, prefix) == ["anna"]
    anna.close()
    eventually("one of two is closed", lambda: anna.ended)
    assert live.person(prefix, "anna").sid == sid
    again.close()
    eventually("nobody is there", lambda: here(live, prefix) == [])


def test_changes_of_a_participant(live, enter, prefix):
    anna = enter(prefix, "anna", name="Anna", metadata="m", attributes={"a": "1", "b": "2"})
    ben = enter(prefix, "ben")
    before = anna.welcome.participant
    change = {"name": "A.", "metadata": "n", "attributes": {"a": "", "b": "3", "c": "4"}}
    changed = update(live, prefix, "anna", **change)
    assert (changed.name, changed.metadata) == ("A.", "n")
    assert dict(changed.attributes) == {"b": "3", "c": "4"}
    assert changed.version == before.version + 1, "it is one change"
    assert changed.permission == before.permission
    assert changed == live.person(prefix, "anna")
    for member in (anna, ben):
        assert member.told_of("anna", lambda info: info.version == changed.version) == changed
    # What is empty stays.
    same = update(live, prefix, "anna", name="", metadata="")
    assert (same.name, same.metadata, dict(same.attributes)) == ("A.", "n", {"b": "3", "c": "4"})
    permission = models.ParticipantPermission(can_subscribe=True, can_update_metadata=True)
    changed = update(live, prefix, "anna", permission=permission)
    assert changed.permission == permission, "the whole of it, not some"
    assert ben.told_of("anna", lambda info: not info.permission.can_publish) == changed


def test_people_in_browsers_can_be_changed_too(live, enter, ben, prefix):
    anna = enter(prefix, "anna")
    changed = update(live, prefix, "ben", name="B.", attributes={"k": "v"})
    assert (changed.name, dict(changed.attributes)) == ("B.", {"k": "v"})
    assert anna.told_of("ben", lambda info: info.name == "B.") == changed
    assert ben.status == "connected"


def change_self(member, request_id: int, **change):
    """Asks for a change of oneself, and gives what the server answers."""
    request = rtc.UpdateParticipantMetadata(request_id=request_id, **change)
    member.send(signal=rtc.SignalRequest(update_metadata=request))
    return member.signal("request_response", lambda answer: answer.request_id == request_id)


def test_who_may_change_themselves(live, enter, prefix):
    reasons = rtc.RequestResponse.Reason
    ben = enter(prefix, "ben")
    assert change_self(ben, 7, name="Ben").reason == reasons.NOT_ALLOWED
    assert live.person(prefix, "ben") == ben.welcome.participant
    anna = enter(prefix, "anna", can_update_own_metadata=True)
    assert change_self(anna, 8, name="Anna", attributes={"mykey": "au1"}).reason == reasons.OK
    update(live, prefix, "anna", attributes={"secondkey": "au2"})
    seen = live.person(prefix, "anna")
    assert (seen.name, dict(seen.attributes)) == ("Anna", {"mykey": "au1", "secondkey": "au2"})
    assert ben.told_of("anna", lambda info: len(info.attributes) == 2) == seen
    long = change_self(anna, 9, metadata="m" * ((512 << 10) + 1))
    assert long.reason == reasons.LIMIT_EXCEEDED
    assert live.person(prefix, "anna") == seen
    update(live, prefix, "anna", permission=models.ParticipantPermission(can_subscribe=True))
    assert change_self(anna, 10, name="x").reason == reasons.NOT_ALLOWED


def test_removal(live, enter, ben, prefix, stubs):
    token = live_token("anna", prefix)
    anna, carl = enter(prefix, "anna", token), enter(prefix, "carl")
    remove(live, prefix, "anna")
    assert here(live, prefix) == ["ben", "carl"], "it is done when it is answered"
    closed = anna.first("closed")
    assert (closed.code, closed.retry) == (stubs.realtime.CLOSE_CODE_REMOVED, False)
    gone = carl.told_of("anna", lambda info: info.state == DISCONNECTED)
    assert gone.disconnect_reason == REMOVED
    refuses(NO_PARTICIPANT, remove, live, prefix, "anna")
    remove(live, prefix, "ben")
    eventually("ben is out and stays out", lambda: ben.status == "disconnected")
    assert here(live, prefix) == ["carl"]
    # Nothing was said of tokens.
    enter(prefix, "anna", token)
    assert here(live, prefix) == ["carl", "anna"]


def test_removal_with_all_tokens_of_before(live, enter, prefix):
    token = live_token("anna", prefix)
    enter(prefix, "anna", token)
    now = int(time.time())
    remove(live, prefix, "anna", revoke_token_ts=now + 1)
    again = enter(prefix, "anna", token, wait=False)
    eventually("anna is kept out", lambda: again.ended)
    assert again.error is not None and again.error.code() == grpc.StatusCode.PERMISSION_DENIED
    enter(prefix, "ben")
    assert here(live, prefix) == ["ben"], "others are not"
    later = access(room_join=True, room=prefix).with_identity("anna").to_jwt()
    claims = jwt.decode(later, options={"verify_signature": False}) | {"nbf": now + 2}
    enter(prefix, "anna", jwt.encode(claims, DEV_LIVE_SECRET, algorithm="HS256"))
    assert here(live, prefix) == ["ben", "anna"], "a token of later is good"
    # Somebody who is not here can be kept out, too. The token of below is from some seconds later.
    refuses(NO_PARTICIPANT, lambda: remove(live, prefix, "carl", revoke_token_ts=now + 60))
    carl = enter(prefix, "carl", wait=False)
    eventually("carl is kept out", lambda: carl.ended)
    assert carl.messages == []


def test_people_who_hide(live, enter, prefix):
    anna = enter(prefix, "anna")
    assert anna.welcome.room.num_participants == 1
    spy = enter(prefix, "spy", hidden=True)
    assert [person.identity for person in spy.welcome.other_participants] == ["anna"]
    carl = enter(prefix, "carl")
    assert anna.told_of("carl")
    assert [person.identity for person in carl.welcome.other_participants] == ["anna"]
    assert all(p.identity != "spy" for u in anna.signals("update") for p in u.participants)
    assert here(live, prefix) == ["anna", "spy", "carl"], "back ends see everybody"
    assert live.room(prefix).num_participants == 2


def test_a_room_that_is_full(live, enter, prefix):
    live.create_room(api.CreateRoomRequest(name=prefix, max_participants=2))
    for identity, hidden in (("anna", False), ("spy", True), ("ben", False)):
        enter(prefix, identity, hidden=hidden)
    carl = enter(prefix, "carl", wait=False)
    eventually("carl is not let in", lambda: carl.ended)
    assert carl.error is not None and carl.error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    enter(prefix, "anna")
    robot = enter(prefix, "robot", kind="agent")
    assert robot.welcome.participant.kind == models.ParticipantInfo.Kind.AGENT
    remove(live, prefix, "ben")
    enter(prefix, "carl")
    assert here(live, prefix) == ["anna", "spy", "robot", "carl"]


def test_the_first_to_come_says_what_the_room_is_like(live, enter, prefix):
    config = api.RoomConfiguration(
        empty_timeout=70, departure_timeout=7, max_participants=3, metadata="m"
    )
    room = enter(prefix, "anna", config=config).welcome.room
    settings = (room.empty_timeout, room.departure_timeout, room.max_participants, room.metadata)
    assert settings == (70, 7, 3, "m")
    later = api.RoomConfiguration(metadata="other")
    assert enter(prefix, "ben", config=later).welcome.room.metadata == "m"


def test_metadata_of_the_room(live, enter, prefix):
    anna = enter(prefix, "anna")
    assert anna.welcome.room.metadata == ""
    for metadata in ("one", "", "two"):
        request = api.UpdateRoomMetadataRequest(room=prefix, metadata=metadata)
        changed = live.update_room_metadata(request)
        assert (changed.metadata, changed.num_participants) == (metadata, 1)
        anna.signal("room_update", lambda told, changed=changed: told.room == changed)
    assert [told.room.metadata for told in anna.signals("room_update")] == ["one", "", "two"]
    assert enter(prefix, "ben").welcome.room.metadata == "two"


def test_a_room_ends_after_the_last_one_left(live, enter, ben, prefix):
    assert live.room(prefix).departure_timeout == 20
    live.delete_room(api.DeleteRoomRequest(room=prefix))
    live.create_room(api.CreateRoomRequest(name=prefix, empty_timeout=600, departure_timeout=1))
    anna = enter(prefix, "anna")
    sid = anna.welcome.room.sid
    assert live.room(prefix).sid == sid
    anna.close()
    eventually("the room ends", lambda: live.room(prefix) is None)
    assert enter(prefix, "anna").welcome.room.sid != sid


def test_a_room_that_is_ended_while_people_are_in_it(live, enter, ben, prefix, stubs):
    anna = enter(prefix, "anna")
    sid = anna.welcome.room.sid
    live.delete_room(api.DeleteRoomRequest(room=prefix))
    closed = anna.first("closed")
    assert (closed.code, closed.retry) == (stubs.realtime.CLOSE_CODE_LIVE_ROOM_ENDED, False)
    assert here(live, prefix) == [] and live.room(prefix) is None
    eventually("ben is out", lambda: ben.status == "disconnected")
    again = enter(prefix, "anna")
    assert again.welcome.room.sid != sid
    assert live.room(prefix).num_participants == 1


def test_moving(live, enter, ben, prefix):
    there = f"{prefix}there"
    live.create_room(api.CreateRoomRequest(name=there))
    carl, anna = enter(there, "carl"), enter(prefix, "anna", name="Anna", metadata="m")
    to = {"room": prefix, "destination_room": there}
    live.move_participant(api.MoveParticipantRequest(identity="anna", **to))
    assert here(live, prefix) == ["ben"] and here(live, there) == ["carl", "anna"]
    welcome = anna.signal("join", lambda join: join.room.name == there)
    assert [person.identity for person in welcome.other_participants] == ["carl"]
    seen = carl.told_of("anna")
    assert (seen.name, seen.metadata, seen.state) == ("Anna", "m", ACTIVE)
    assert not anna.ended
    carl.send(data=models.DataPacket(user=models.UserPacket(payload=b"hello")))
    eventually("anna hears carl", lambda: anna.payloads() == [b"hello"])
    live.move_participant(api.MoveParticipantRequest(identity="ben", **to))
    eventually("ben left", lambda: here(live, prefix) == [])


def test_forwarding(live, enter, prefix):
    there = f"{prefix}there"
    anna, carl = enter(prefix, "anna", name="Anna"), enter(there, "carl")
    to = {"room": prefix, "destination_room": there}
    live.forward_participant(api.ForwardParticipantRequest(identity="anna", **to))
    seen = carl.told_of("anna")
    assert models.ParticipantInfo.KindDetail.FORWARDED in seen.kind_details
    assert seen.name == "Anna"
    eventually("she is listed", lambda: here(live, there) == ["carl", "anna"])
    assert here(live, prefix) == ["anna"], "she is still at home"
    update(live, prefix, "anna", name="A.")
    assert carl.told_of("anna", lambda info: info.name == "A.")
    anna.close()
    assert carl.told_of("anna", lambda info: info.state == DISCONNECTED)
    eventually("she is gone there, too", lambda: here(live, there) == ["carl"])
