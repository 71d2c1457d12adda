"""livekit-client 2.23.0 in a real browser: with WebRTC, beside people of the other protocols."""

from __future__ import annotations

import pytest
from harness import eventually
from live import live_token
from livekit import api
from livekit.protocol import models
from realtime import Browser

ACTIVE = models.ParticipantInfo.State.ACTIVE
RELIABLE, LOSSY = models.DataPacket.Kind.RELIABLE, models.DataPacket.Kind.LOSSY
REASONS = models.DisconnectReason


@pytest.fixture(scope="module")
def browser(server):
    browser = Browser(server)
    yield browser
    browser.close()


@pytest.fixture
def window(browser, prefix, artifacts, server, request):
    """Opens windows that are connected to a room with LiveKit's client."""
    windows = {}

    def opened(identity: str, room: str = prefix, **grants):
        one = windows[identity] = browser.open(
            f"{prefix}{identity}", room, identity, page="livekit"
        )
        one.act("connect", live_token(identity, room, **grants))
        return one

    yield opened
    for identity, one in windows.items():
        name = f"livekit-{server.database.kind}-{request.node.originalname}-{identity}.png"
        one.screenshot(str(artifacts.path(name)))
        assert one.problems() == []
        one.close()


def heard(window, what: str) -> list:
    return window.act("heard")[what]


def test_connecting(live, window, enter, prefix):
    ben = enter(prefix, "ben", name="Ben")
    anna = window("anna", name="Anna", metadata="m", attributes={"k": "v"})
    state = anna.act("state")
    assert (state["state"], state["name"]) == ("connected", prefix)
    assert state["sid"] == live.room(prefix).sid
    eventually("it is active", lambda: live.person(prefix, "anna").state == ACTIVE)
    seen = live.person(prefix, "anna")
    assert seen.sid == state["me"]["sid"]
    assert (seen.name, seen.metadata, dict(seen.attributes)) == ("Anna", "m", {"k": "v"})
    assert [person["name"] for person in state["others"]] == ["Ben"]
    assert ben.told_of("anna", lambda info: info.state == ACTIVE).name == "Anna"
    carl = enter(prefix, "carl")
    eventually("anna sees carl", lambda: "carl" in anna.text("#status"))
    carl.close()
    eventually("anna sees him go", lambda: "carl" not in anna.text("#status"))
    anna.act("disconnect")
    eventually("she is gone", lambda: [p.identity for p in live.people(prefix)] == ["ben"])
    assert heard(anna, "left") == [REASONS.CLIENT_INITIATED]


def test_data_of_back_ends(live, window, prefix):
    anna = window("anna")
    for text, more in (
        ("all", {"topic": "t"}),
        ("lossy", {"kind": LOSSY}),
        ("for her", {"destination_identities": ["anna"]}),
        ("for others", {"destination_identities": ["ben"]}),
        ("x" * 60_000, {}),
        ("end", {}),
    ):
        live.send_data(api.SendDataRequest(room=prefix, data=text.encode(), **more))
    eventually(
        "the end comes",
        lambda: heard(anna, "data")[-1:] and heard(anna, "data")[-1]["text"] == "end",
    )
    data = {packet["text"]: packet for packet in heard(anna, "data")}
    eventually("what may be lost is not", lambda: "lossy" in str(heard(anna, "data")))
    assert "for others" not in data and {"all", "for her", "x" * 60_000} <= set(data)
    assert data["all"] == {"text": "all", "from": None, "kind": RELIABLE, "topic": "t"}


def test_data_among_people(window, enter, agent, prefix):
    carl = enter(prefix, "carl")
    ben = agent.join(f"{prefix}ben", prefix, user="ben")
    anna, dora = window("anna"), window("dora")
    eventually("anna sees all", lambda: len(anna.act("state")["others"]) == 3)
    anna.act("publish", "for all", {"reliable": True, "topic": "t"})
    anna.act("publish", "for carl", {"reliable": True, "destinationIdentities": ["carl"]})
    eventually("carl has both", lambda: carl.payloads() == [b"for all", b"for carl"])
    assert carl.all("data")[0].participant_identity == "anna"
    expected = {"text": "for all", "from": "anna", "kind": RELIABLE, "topic": "t"}
    eventually("dora has one", lambda: heard(dora, "data") == [expected])
    event = {"type": "roomd.data", "topic": "t", "identity": "anna", "text": "for all"}
    eventually("ben has one", lambda: [e["event"] for e in ben.state()["events"]] == [event])
    packet = models.DataPacket(user=models.UserPacket(payload=b"from carl"))
    carl.send(data=packet)
    eventually("anna hears carl", lambda: [p["text"] for p in heard(anna, "data")] == ["from carl"])
    assert heard(anna, "data")[0]["from"] == "carl"
    ben.leave()


def test_data_that_is_too_large(server, window, enter, prefix):
    """Clients send nothing over 64,000 bytes by themselves, so theirs is gone around."""
    carl, anna = enter(prefix, "carl"), window("anna")
    anna.act("publish", "begin", {"reliable": True})
    for bytes_sent in (65_000, 64_000, 65_000):
        anna.act("force", bytes_sent)
    anna.act("publish", "end", {"reliable": True})
    eventually("the end comes", lambda: carl.payloads()[-1:] == [b"end"])
    assert [len(payload) for payload in carl.payloads()] == [5, 64_000, 3]
    logged = [line for line in server.log().splitlines() if "reaches nobody" in line]
    assert sum(prefix in line for line in logged) == 1, "once, however much it was"


def test_calls_of_back_ends(live, window, prefix):
    anna = window("anna")
    anna.act("answer", "greet")
    anna.act("answer", "fail", {"code": 1500, "message": "no"})
    assert live.perform_rpc(prefix, "anna", "greet", "ü", response_timeout_ms=9_000) == "hello ü"
    [call] = heard(anna, "calls")
    assert call["payload"] == "ü" and 0 < call["responseTimeout"] <= 9_000
    long = "x" * 15_000
    assert live.perform_rpc(prefix, "anna", "greet", long) == f"hello {long}"
    with pytest.raises(api.ServerError, match="RpcError 1500: no"):
        live.perform_rpc(prefix, "anna", "fail")
    with pytest.raises(api.ServerError) as caught:
        live.perform_rpc(prefix, "anna", "nothing")
    assert (caught.value.status, caught.value.code) == (400, "invalid_argument")
    assert caught.value.message.startswith("RpcError 1400: ")


def test_calls_among_people(window, enter, prefix):
    anna, ben = window("anna"), window("ben")
    ben.act("answer", "greet")
    eventually("anna sees ben", lambda: len(anna.act("state")["others"]) == 1)
    assert anna.act("call", "ben", "greet", "anna") == "hello anna"
    assert heard(ben, "calls")[0]["callerIdentity"] == "anna"
    carl = enter(prefix, "carl")
    request = models.RpcRequest(
        id="r1", method="greet", payload="carl", response_timeout_ms=9_000, version=1
    )
    carl.send(data=models.DataPacket(rpc_request=request, destination_identities=["ben"]))
    answer = carl.first("data", lambda packet: packet.WhichOneof("value") == "rpc_response")
    assert (answer.rpc_response.request_id, answer.rpc_response.payload) == ("r1", "hello carl")


def test_a_long_text_in_pieces(window):
    anna, ben = window("anna"), window("ben")
    ben.act("read", "chat")
    eventually("anna sees ben", lambda: len(anna.act("state")["others"]) == 1)
    long = "ü" * 100_000
    anna.act("write", long, "chat")
    eventually("ben has it", lambda: heard(ben, "texts") == [{"text": long, "from": "anna"}])


def test_the_newcomer_of_two_stays(live, window, browser, prefix):
    first = window("anna")
    second = browser.open(f"{prefix}second", prefix, page="livekit")
    second.act("connect", live_token("anna", prefix, name="second"))
    eventually("one has to go", lambda: heard(first, "left") == [REASONS.DUPLICATE_IDENTITY])
    assert [person.name for person in live.people(prefix)] == ["second"]
    second.close()
    eventually("a page that is closed is gone", lambda: live.people(prefix) == [])


def test_changes(live, window, enter, prefix):
    ben = enter(prefix, "ben")
    anna = window("anna", can_update_own_metadata=True)
    anna.act("change", {"name": "A.", "metadata": "m", "attributes": {"mykey": "au1"}})
    seen = live.person(prefix, "anna")
    assert (seen.name, seen.metadata, dict(seen.attributes)) == ("A.", "m", {"mykey": "au1"})
    assert ben.told_of("anna", lambda info: bool(info.attributes)) == seen
    change = {"name": "Anna", "attributes": {"mykey": "", "other": "au2"}}
    live.update_participant(api.UpdateParticipantRequest(room=prefix, identity="anna", **change))
    eventually("she knows", lambda: anna.act("state")["me"]["name"] == "Anna")
    assert anna.act("state")["me"]["attributes"] == {"other": "au2"}
    permission = models.ParticipantPermission(can_subscribe=True)
    request = api.UpdateParticipantRequest(room=prefix, identity="anna", permission=permission)
    live.update_participant(request)
    eventually("she may less", lambda: anna.act("state")["me"]["canPublishData"] is False)
    live.update_room_metadata(api.UpdateRoomMetadataRequest(room=prefix, metadata="r"))
    eventually("she sees the room's", lambda: anna.act("state")["metadata"] == "r")
    assert heard(anna, "metadata") == ["r"]


@pytest.mark.parametrize("end", ["remove", "delete"])
def test_being_sent_away(live, window, prefix, end):
    anna = window("anna")
    if end == "remove":
        live.remove_participant(api.RoomParticipantIdentity(room=prefix, identity="anna"))
        reason = REASONS.PARTICIPANT_REMOVED
    else:
        live.delete_room(api.DeleteRoomRequest(room=prefix))
        reason = REASONS.ROOM_DELETED
    eventually("she is told why", lambda: heard(anna, "left") == [reason])
    assert live.people(prefix) == []


def test_moving(live, window, enter, prefix):
    there = f"{prefix}there"
    carl = enter(there, "carl")
    anna = window("anna", name="Anna")
    live.move_participant(
        api.MoveParticipantRequest(room=prefix, identity="anna", destination_room=there)
    )
    eventually("she is there", lambda: anna.act("state")["name"] == there)
    assert [person["identity"] for person in anna.act("state")["others"]] == ["carl"]
    assert carl.told_of("anna").name == "Anna"
    live.send_data(api.SendDataRequest(room=there, data=b"welcome"))
    eventually("data finds her", lambda: [p["text"] for p in heard(anna, "data")] == ["welcome"])
    assert live.people(prefix) == []


def test_a_connection_that_is_lost(live, window, prefix):
    anna = window("anna")
    anna.cut()
    eventually("she notices", lambda: len(heard(anna, "states")) > 2, 20)
    eventually("she is back", lambda: anna.act("state")["state"] == "connected", 20)
    eventually(
        "once", lambda: [(p.identity, p.state) for p in live.people(prefix)] == [("anna", ACTIVE)]
    )
    live.send_data(api.SendDataRequest(room=prefix, data=b"again"))
    eventually("data finds her", lambda: [p["text"] for p in heard(anna, "data")] == ["again"])


def test_a_camera_does_no_harm(live, window, prefix):
    anna = window("anna")
    sid = anna.act("film")
    [track] = live.person(prefix, "anna").tracks
    assert (track.sid, track.source) == (sid, models.TrackSource.CAMERA)
    live.send_data(api.SendDataRequest(room=prefix, data=b"still here"))
    eventually("data finds her", lambda: [p["text"] for p in heard(anna, "data")] == ["still here"])
