"""Data and calls of methods, from back ends to people and among people, by whichever protocol."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import eventually
from live import DENIED, LiveApi, NO_PARTICIPANT, NO_ROOM, access, refuses
from livekit import api
from livekit.protocol import models
from livekit.protocol.room import SendDataResponse

RELIABLE, LOSSY = models.DataPacket.Kind.RELIABLE, models.DataPacket.Kind.LOSSY
PAYLOAD_BYTES_MAX = 15_360


@pytest.fixture
def ben(agent, prefix):
    client = agent.join(f"{prefix}ben", prefix, user="ben")
    yield client
    client.leave()


@pytest.fixture
def anna(enter, prefix):
    return enter(prefix, "anna")


def heard(client) -> list[dict]:
    """What somebody heard who knows events only."""
    return [event["event"] for event in client.state()["events"]]


def send(live, room: str, data: bytes, **more) -> None:
    live.send_data(api.SendDataRequest(room=room, data=data, **more))


def test_data_for_everybody(live, anna, ben, prefix):
    send(live, prefix, "grüße".encode(), topic="t")
    send(live, prefix, b"\xff\x00", kind=LOSSY)
    send(live, prefix, b"", topic="")
    eventually("anna has all", lambda: anna.payloads() == ["grüße".encode(), b"\xff\x00", b""])
    packets = anna.all("data")
    assert [packet.kind for packet in packets] == [RELIABLE, LOSSY, RELIABLE]
    topics = [(packet.user.HasField("topic"), packet.user.topic) for packet in packets]
    assert topics == [(True, "t"), (False, ""), (True, "")]
    for packet in packets:
        assert packet.participant_identity == "" == packet.user.participant_identity
        assert len(packet.user.nonce) == 16
    expected = [
        {"type": "roomd.data", "topic": "t", "text": "grüße"},
        {"type": "roomd.data", "bytes": b64encode(b"\xff\x00").decode()},
        {"type": "roomd.data", "topic": "", "text": ""},
    ]
    eventually("ben has all", lambda: heard(ben) == expected)
    assert {event["actor"] for event in ben.state()["events"]} == {-1}


def test_data_for_some(live, enter, anna, ben, prefix):
    carl, dora = enter(prefix, "carl"), enter(prefix, "dora")
    sid = carl.welcome.participant.sid
    send(live, prefix, b"1", destination_identities=["anna", "ben", "nobody"])
    send(live, prefix, b"2", destination_sids=[sid, "PA_none"])
    send(live, prefix, b"3", destination_identities=["anna", "anna"], destination_sids=[sid])
    send(live, prefix, b"4", destination_identities=["nobody"])
    send(live, prefix, b"5")
    eventually("dora has hers", lambda: dora.payloads() == [b"5"])
    eventually("anna has hers", lambda: anna.payloads() == [b"1", b"3", b"5"])
    eventually("carl has his", lambda: carl.payloads() == [b"2", b"3", b"5"])
    eventually("ben has his", lambda: [event["text"] for event in heard(ben)] == ["1", "5"])
    assert not anna.all("data")[0].destination_identities, "nobody learns who else it is for"


def test_the_same_data_comes_once(live, anna, prefix):
    """The SDK takes another nonce for each call, so this one is sent past it."""
    request = api.SendDataRequest(room=prefix, data=b"once", nonce=b"n" * 16)
    for _ in range(3):
        live.call("SendData", request, SendDataResponse)
    send(live, prefix, b"end")
    eventually("the end comes", lambda: anna.payloads()[-1:] == [b"end"])
    assert anna.payloads() == [b"once", b"end"]
    for nonce in (b"short", b"n" * 17):
        request = api.SendDataRequest(room=prefix, data=b"d", nonce=nonce)
        problem = f"nonce should be 16-bytes or not present, got: {len(nonce)} bytes"
        expected = (400, "invalid_argument", problem)
        refuses(expected, live.call, "SendData", request, SendDataResponse)


def test_how_much_data_may_be_sent(live, anna, prefix):
    most = bytes(64_000)
    send(live, prefix, most)
    eventually("it comes", lambda: anna.payloads() == [most])
    with pytest.raises(api.ServerError) as caught:
        send(live, prefix, bytes(64_001))
    assert (caught.value.status, caught.value.code) == (400, "invalid_argument")
    assert "data" in caught.value.message and "64000" in caught.value.message


def packet(payload: bytes, *to: str, **more) -> models.DataPacket:
    user = models.UserPacket(payload=payload, **more)
    return models.DataPacket(user=user, destination_identities=to)


def test_data_among_people(enter, anna, ben, prefix):
    carl = enter(prefix, "carl")
    anna.send(data=packet(b"all", topic="t"))
    anna.send(data=packet(b"carl", "carl"))
    eventually("carl has both", lambda: carl.payloads() == [b"all", b"carl"])
    first = carl.all("data")[0]
    sid = anna.welcome.participant.sid
    assert (first.participant_identity, first.participant_sid) == ("anna", sid)
    assert first.user.topic == "t"
    expected = [{"type": "roomd.data", "topic": "t", "identity": "anna", "text": "all"}]
    eventually("ben has one", lambda: heard(ben) == expected)
    assert anna.payloads() == [], "nobody hears themselves"


def test_who_may_not_send_data(live, enter, anna, prefix):
    mute = enter(prefix, "mute", can_publish_data=False)
    assert not mute.welcome.participant.permission.can_publish_data
    mute.send(data=packet(b"no"))
    other = enter(prefix, "other")
    permission = models.ParticipantPermission(can_subscribe=True, can_publish=True)
    request = api.UpdateParticipantRequest(room=prefix, identity="other", permission=permission)
    live.update_participant(request)
    other.send(data=packet(b"no"))
    for member in (mute, other):
        answer = {"request_id": 1}
        member.send(signal={"update_metadata": answer})
        assert member.signal("request_response"), "what came before is through"
    send(live, prefix, b"end")
    eventually("only the end comes", lambda: anna.payloads() == [b"end"])


@pytest.fixture
def calling(server):
    """Calls in the background, so that the test can answer them."""
    with LiveApi(server.url) as client, ThreadPoolExecutor(1) as pool:
        yield lambda *words, **more: pool.submit(client.perform_rpc, *words, **more)


def asked(member):
    """The call that a member is asked to answer."""
    packet = member.first("data", lambda packet: packet.WhichOneof("value") == "rpc_request")
    return packet.rpc_request


def reply(member, call, **answer) -> None:
    member.send(data=models.DataPacket(rpc_ack=models.RpcAck(request_id=call.id)))
    response = models.RpcResponse(request_id=call.id, **answer)
    member.send(data=models.DataPacket(rpc_response=response))


def test_a_call_of_a_method(calling, anna, prefix):
    future = calling(prefix, "anna", "greet", "ü", response_timeout_ms=9_000)
    call = asked(anna)
    assert (call.method, call.payload, call.version) == ("greet", "ü", 1)
    assert call.response_timeout_ms == 9_000
    reply(anna, call, payload="hello ü")
    assert future.result() == "hello ü"


@pytest.mark.parametrize(
    "code, status, word",
    [(1400, 400, "invalid_argument"), (1403, 501, "unimplemented"), (1404, 501, "unimplemented")],
)
def test_a_method_that_fails(calling, anna, prefix, code, status, word):
    future = calling(prefix, "anna", "greet")
    error = models.RpcError(code=code, message="it failed")
    reply(anna, asked(anna), error=error)
    refuses((status, word, f"RpcError {code}: it failed"), future.result)


def test_an_error_of_the_application(calling, anna, prefix):
    future = calling(prefix, "anna", "greet")
    reply(anna, asked(anna), error=models.RpcError(code=1500, message="Application error"))
    refuses((500, "internal", "RpcError 1500: Application error"), future.result)


def test_calls_that_get_no_answer(live, calling, anna, prefix):
    timeouts = {"response_timeout_ms": 50}
    expected = (408, "canceled", "RpcError 1501: Connection timeout")
    refuses(expected, lambda: live.perform_rpc(prefix, "anna", "greet", **timeouts))
    count = len(anna.all("data"))
    future = calling(prefix, "anna", "greet", response_timeout_ms=500)
    eventually("the call comes", lambda: len(anna.all("data")) > count)
    call = anna.all("data")[-1].rpc_request
    anna.send(data=models.DataPacket(rpc_ack=models.RpcAck(request_id=call.id)))
    refuses((408, "canceled", "RpcError 1502: Response timeout"), future.result)
    # An answer that comes too late is nobody's.
    reply(anna, call, payload="late")
    future = calling(prefix, "anna", "greet")
    eventually("another call comes", lambda: anna.all("data")[-1].rpc_request.id != call.id)
    remove = api.RoomParticipantIdentity(room=prefix, identity="anna")
    live.remove_participant(remove)
    refuses((503, "unavailable", "RpcError 1503: Recipient disconnected"), future.result)


def test_a_call_of_somebody_in_a_browser(calling, ben, prefix):
    future = calling(prefix, "ben", "greet", "x", response_timeout_ms=9_000)
    [call] = eventually("ben is asked", lambda: heard(ben))
    assert (call["type"], call["method"], call["payload"]) == ("roomd.call", "greet", "x")
    assert call["responseTimeoutMs"] == 9_000
    ben.broadcast({"type": "roomd.answer", "id": call["id"], "payload": "hello x"})
    assert future.result() == "hello x"
    future = calling(prefix, "ben", "greet")
    eventually("ben is asked again", lambda: len(heard(ben)) == 2)
    error = {"code": 1400, "message": "Method not supported at destination"}
    ben.broadcast({"type": "roomd.answer", "id": heard(ben)[1]["id"], "error": error})
    expected = (400, "invalid_argument", "RpcError 1400: Method not supported at destination")
    refuses(expected, future.result)


def test_nobody_answers_for_another(calling, enter, anna, prefix):
    carl = enter(prefix, "carl")
    future = calling(prefix, "anna", "greet")
    call = asked(anna)
    reply(carl, call, payload="I am anna")
    eventually("it goes where any data goes", lambda: len(anna.all("data")) > 1)
    reply(anna, call, payload="it is me")
    assert future.result() == "it is me"


def test_calls_that_nobody_gets(live, anna, server, prefix):
    refuses(NO_ROOM, lambda: live.perform_rpc(f"{prefix}none", "anna", "greet"))
    refuses(NO_PARTICIPANT, lambda: live.perform_rpc(prefix, "nobody", "greet"))
    expected = (400, "invalid_argument", "destination identity is required")
    refuses(expected, lambda: live.perform_rpc(prefix, "", "greet"))
    expected = (400, "invalid_argument", "RpcError 1402: Request payload too large")
    long = "x" * (PAYLOAD_BYTES_MAX + 1)
    refuses(expected, lambda: live.perform_rpc(prefix, "anna", "greet", long))
    with LiveApi(server.url, token=access(room_create=True).to_jwt()) as stranger:
        refuses(DENIED, lambda: stranger.perform_rpc(prefix, "anna", "greet"))
    assert anna.all("data") == []
