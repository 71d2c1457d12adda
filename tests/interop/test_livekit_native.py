"""livekit 1.2.0, LiveKit's native client with its own WebRTC, as agents and programs use it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from harness import Database, Roomd, eventually
from live import live_token
from livekit import api, rtc
from livekit.protocol import models

ACTIVE = models.ParticipantInfo.State.ACTIVE
STORY_WITHIN_SECONDS = 60


def tell(story) -> None:
    """Runs a test that waits for many things at once."""
    asyncio.run(asyncio.wait_for(story, STORY_WITHIN_SECONDS))


async def comes(what: str, check):
    """As `eventually`, while the clients of this process go on."""
    return await asyncio.to_thread(eventually, what, check)


class Visitor:
    """A native client, and what it heard."""

    def __init__(self, identity: str):
        self.identity = identity
        self.data: list[tuple[bytes, str | None, str]] = []
        self.left: list[int] = []
        self.came: list[str] = []
        self.room = rtc.Room()
        self.room.on("data_received", self._hear)
        self.room.on("disconnected", self.left.append)
        self.room.on("participant_connected", lambda person: self.came.append(person.identity))

    def _hear(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant.identity if packet.participant else None
        self.data.append((packet.data, sender, packet.topic or ""))

    @property
    def me(self) -> rtc.LocalParticipant:
        return self.room.local_participant


@pytest.fixture
def visit(server, prefix):
    """Lets native clients into a room, as long as the test's story lasts."""

    @asynccontextmanager
    async def visitors(*identities: str, room: str = prefix, at: Roomd = server, **grants):
        there = [Visitor(identity) for identity in identities]
        for one in there:
            token = live_token(one.identity, room, **grants)
            await one.room.connect(at.url.replace("http", "ws"), token)
        try:
            yield there
        finally:
            for one in there:
                await one.room.disconnect()

    return visitors


def test_data_and_calls(live, visit, enter, prefix):
    async def story():
        async with visit("anna", "ben") as (anna, ben):
            await comes("anna sees ben", lambda: anna.came == ["ben"])
            carl = await asyncio.to_thread(enter, prefix, "carl")
            await comes("anna sees carl", lambda: anna.came == ["ben", "carl"])
            await anna.me.publish_data(b"for all", topic="t")
            await anna.me.publish_data(b"for carl", destination_identities=["carl"])
            await comes("carl has both", lambda: carl.payloads() == [b"for all", b"for carl"])
            packet = models.UserPacket(payload=b"from carl")
            carl.send(data=models.DataPacket(user=packet, destination_identities=["ben"]))
            expected = [(b"for all", "anna", "t"), (b"from carl", "carl", "")]
            await comes("ben has his", lambda: ben.data == expected)

            @ben.me.register_rpc_method("greet")
            async def greet(call: rtc.RpcInvocationData) -> str:
                if call.payload == "":
                    raise rtc.RpcError(123, "to whom?")
                return f"hello {call.payload}"

            call = {"destination_identity": "ben", "method": "greet"}
            assert await anna.me.perform_rpc(**call, payload="anna") == "hello anna"
            with pytest.raises(rtc.RpcError, match="to whom"):
                await anna.me.perform_rpc(**call, payload="")
            answer = await asyncio.to_thread(live.perform_rpc, prefix, "ben", "greet", "x")
            assert answer == "hello x"
            request = api.SendDataRequest(room=prefix, data=b"from afar")
            await asyncio.to_thread(live.send_data, request)
            await comes("anna has it", lambda: anna.data == [(b"from afar", None, "")])

    tell(story())


def test_a_long_text_in_pieces(visit):
    async def story():
        async with visit("anna", "ben") as (anna, ben):
            texts: asyncio.Queue = asyncio.Queue()

            async def read(reader: rtc.TextStreamReader) -> None:
                texts.put_nowait(await reader.read_all())

            tasks = []
            ben.room.register_text_stream_handler(
                "chat", lambda reader, identity: tasks.append(asyncio.create_task(read(reader)))
            )
            long = "ü" * 100_000
            await anna.me.send_text(long, topic="chat")
            assert await texts.get() == long

    tell(story())


@pytest.fixture
def slow(tmp_path):
    """A server that lets nobody send much."""
    limit = {"ROOMD_WEBSOCKET_FRAMES_PER_SECOND_MAX": "100"}
    roomd = Roomd(Database.create("sqlite"), tmp_path / "roomd", environment=limit)
    yield roomd.start()
    roomd.cleanup()


def test_data_that_comes_too_fast_is_held_up_and_not_lost(slow, visit):
    async def story():
        async with visit("anna", "ben", at=slow) as (anna, ben):
            await comes("anna sees ben", lambda: anna.came == ["ben"])
            sent = [str(number).encode() for number in range(400)]
            for payload in sent:
                await anna.me.publish_data(payload)
            await comes("ben has all", lambda: len(ben.data) == len(sent))
            assert [payload for payload, _, _ in ben.data] == sent
            assert anna.left == []

    tell(story())


def test_changes_and_removal(live, visit, prefix):
    async def story():
        async with visit("anna", can_update_own_metadata=True) as (anna,):
            await comes("she is active", lambda: live.person(prefix, "anna").state == ACTIVE)
            await anna.me.set_attributes({"mykey": "au1"})
            await anna.me.set_metadata("m")
            seen = await asyncio.to_thread(live.person, prefix, "anna")
            assert (seen.metadata, dict(seen.attributes)) == ("m", {"mykey": "au1"})
            request = api.UpdateParticipantRequest(room=prefix, identity="anna", name="Anna")
            await asyncio.to_thread(live.update_participant, request)
            await comes("she knows", lambda: anna.me.name == "Anna")
            metadata = api.UpdateRoomMetadataRequest(room=prefix, metadata="r")
            await asyncio.to_thread(live.update_room_metadata, metadata)
            await comes("she sees the room's", lambda: anna.room.metadata == "r")
            removal = api.RoomParticipantIdentity(room=prefix, identity="anna")
            await asyncio.to_thread(live.remove_participant, removal)
            reason = models.DisconnectReason.PARTICIPANT_REMOVED
            await comes("she is told why", lambda: anna.left == [reason])
            assert await asyncio.to_thread(live.people, prefix) == []

    tell(story())
