"""LiveKit's own client for back ends, the tokens of people, and what the tests say of errors."""

from __future__ import annotations

import asyncio
import datetime
import re

import pytest
from harness import DEV_LIVE_KEY, DEV_LIVE_SECRET
from livekit import api
from livekit.protocol.room import PerformRpcRequest, PerformRpcResponse

# Nothing that could be taken for another character.
SID = re.compile(r"(RM|PA|TR|EV)_[2-9A-HJ-NP-Za-km-z]{12,14}")

NO_ROOM = (404, "not_found", "twirp error unknown: requested room does not exist")
NO_PARTICIPANT = (404, "not_found", "twirp error unknown: participant does not exist")
DENIED = (401, "unauthenticated", "permissions denied")


class LiveApi:
    """The asynchronous livekit-api for tests that are not: its room service, method by method."""

    def __init__(self, url: str, key: str = DEV_LIVE_KEY, secret: str = DEV_LIVE_SECRET, **more):
        self._runner = asyncio.Runner()
        self._open = (url, key, secret, more)

    def __enter__(self) -> LiveApi:
        url, key, secret, more = self._open

        async def connected() -> api.LiveKitAPI:
            return api.LiveKitAPI(url, key, secret, **more)

        self._client = self._runner.run(connected())
        return self

    def __exit__(self, *_) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def __getattr__(self, name: str):
        method = getattr(self._client.room, name)
        return lambda request: self._runner.run(method(request))

    def together(self, name: str, requests: list) -> list:
        """One method, many times at once."""

        async def all_of_them() -> list:
            method = getattr(self._client.room, name)
            return await asyncio.gather(*map(method, requests))

        return self._runner.run(all_of_them())

    def call(self, name: str, request, response):
        """A method of which this SDK has only the messages, or that it would say otherwise."""
        rooms = self._client.room
        head = rooms._auth_header(api.VideoGrants(room_admin=True, room=request.room))
        return self._runner.run(rooms._client.request("RoomService", name, request, head, response))

    def perform_rpc(self, room: str, identity: str, method: str, payload: str = "", **more) -> str:
        words = {"room": room, "destination_identity": identity, "method": method}
        request = PerformRpcRequest(**words, payload=payload, **more)
        return self.call("PerformRpc", request, PerformRpcResponse).payload

    def people(self, room: str) -> list:
        return list(self.list_participants(api.ListParticipantsRequest(room=room)).participants)

    def person(self, room: str, identity: str):
        return self.get_participant(api.RoomParticipantIdentity(room=room, identity=identity))

    def room(self, name: str):
        """A room that is alive, or None."""
        return next(iter(self.list_rooms(api.ListRoomsRequest(names=[name])).rooms), None)


def access(ttl_seconds: float = 600, **grants) -> api.AccessToken:
    """A token to be, with these grants and nobody's name."""
    token = api.AccessToken(DEV_LIVE_KEY, DEV_LIVE_SECRET).with_grants(api.VideoGrants(**grants))
    return token.with_ttl(datetime.timedelta(seconds=ttl_seconds))


def live_token(
    identity: str,
    room: str,
    name: str = "",
    metadata: str = "",
    attributes: dict[str, str] | None = None,
    kind: str = "standard",
    config: api.RoomConfiguration | None = None,
    **grants,
) -> str:
    """The token of somebody who may join a room."""
    token = access(room_join=True, room=room, **grants).with_identity(identity).with_kind(kind)
    token = token.with_name(name).with_metadata(metadata).with_attributes(attributes or {})
    return (token.with_room_config(config) if config else token).to_jwt()


def refuses(
    expected: tuple[int, str, str], call, *words, metadata: dict[str, str] | None = None
) -> None:
    """The call fails with this status, code and message, and nothing else."""
    with pytest.raises(api.ServerError) as caught:
        call(*words)
    error = caught.value
    assert (error.status, error.code, error.message) == expected
    assert error.metadata == (metadata or {})


def is_sid(text: str, prefix: str) -> bool:
    return text.startswith(f"{prefix}_") and SID.fullmatch(text) is not None
