"""`buf curl`, the command line of Connect's own makers: gRPC, gRPC-Web and Connect, with the schema
from the server's reflection and from our files."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

import pytest
from harness import DEV_PUBLIC_KEY, DEV_SECRET_KEY, REPOSITORY

CALL_WITHIN_SECONDS = 60

# buf exits with the gRPC code, shifted by three bits.
INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED = 3, 5, 6, 7
FAILED_PRECONDITION, UNAUTHENTICATED = 9, 16


@dataclass
class Answer:
    code: int
    message: dict
    text: str


@dataclass
class BufCurl:
    url: str
    flags: list[str]

    def call(
        self, method: str, request: dict, key: str | None = DEV_SECRET_KEY, *more: str
    ) -> Answer:
        words = [os.environ["BUF"], "curl", *self.flags, *more, "--data", json.dumps(request)]
        if key:
            words += ["--header", f"Authorization: Bearer {key}"]
        run = subprocess.run(
            [*words, f"{self.url}/roomd.v1.{method}"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=CALL_WITHIN_SECONDS,
        )
        assert run.returncode == 0 or run.returncode >= 8, f"buf itself failed: {run.stderr}"
        message = json.loads(run.stdout) if run.returncode == 0 else {}
        return Answer(run.returncode >> 3, message, run.stderr)

    def ok(self, method: str, request: dict, key: str | None = DEV_SECRET_KEY) -> dict:
        answer = self.call(method, request, key)
        assert answer.code == 0, answer.text
        return answer.message


VARIANTS = {
    "grpc-reflection": ["--protocol", "grpc"],
    "grpc-reflection-v1alpha": ["--protocol", "grpc", "--reflect-protocol", "grpc-v1alpha"],
    "grpc-schema": ["--protocol", "grpc", "--schema", "proto"],
    "grpcweb-reflection": ["--protocol", "grpcweb"],
    "grpcweb-schema-http1": ["--protocol", "grpcweb", "--schema", "proto"],
    "grpcweb-schema-http2": [
        "--protocol",
        "grpcweb",
        "--schema",
        "proto",
        "--http2-prior-knowledge",
    ],
    "connect-reflection": ["--protocol", "connect"],
    "connect-schema-http1": ["--protocol", "connect", "--schema", "proto"],
    "connect-schema-http2": [
        "--protocol",
        "connect",
        "--schema",
        "proto",
        "--http2-prior-knowledge",
    ],
}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def buf(request, server):
    return BufCurl(server.url, request.param)


def test_rooms(buf, prefix):
    room_id = f"{prefix}ü/1"
    request = {
        "id": room_id,
        "defaultAccesses": ["*:read"],
        "usersAccesses": {"alice": ["*:write"]},
        "metadata": {"color": "blue", "tags": ["a", "b"]},
        "engine": "STORAGE_ENGINE_V2",
    }
    created = buf.ok("RoomService/CreateRoom", request)["room"]
    assert created["id"] == room_id
    assert created["type"] == "room"
    assert created["organizationId"] == "default"
    assert created["defaultAccesses"] == ["*:read"]
    assert created["usersAccesses"] == {"alice": ["*:write"]}
    assert created["metadata"] == {"color": "blue", "tags": ["a", "b"]}
    assert created["createdAt"].endswith("Z")
    assert buf.ok("RoomService/GetRoom", {"roomId": room_id})["room"] == created
    taken = buf.call("RoomService/CreateRoom", {"id": room_id, "defaultAccesses": []})
    assert taken.code == ALREADY_EXISTS and "exists" in taken.text
    same = buf.ok(
        "RoomService/CreateRoom", {"id": room_id, "defaultAccesses": [], "idempotent": True}
    )
    assert same["room"] == created
    update = {"metadata": {"color": None, "new": "1"}, "usersAccesses": {"alice": None}}
    updated = buf.ok("RoomService/UpdateRoom", {"roomId": room_id, "update": update})["room"]
    assert updated["metadata"] == {"tags": ["a", "b"], "new": "1"}
    assert updated.get("usersAccesses", {}) == {}
    upsert = {"roomId": room_id, "update": {"defaultAccesses": None}}
    assert buf.ok("RoomService/UpsertRoom", upsert)["room"].get("defaultAccesses", []) == []
    moved = {"roomId": room_id, "fromOrganizationId": "default", "toOrganizationId": "acme"}
    assert buf.ok("RoomService/UpdateRoomOrganizationId", moved)["room"]["organizationId"] == "acme"
    assert buf.call("RoomService/UpdateRoomOrganizationId", moved).code == FAILED_PRECONDITION
    renamed = buf.ok("RoomService/UpdateRoomId", {"roomId": room_id, "newRoomId": f"{prefix}2"})[
        "room"
    ]
    assert renamed["id"] == f"{prefix}2" and renamed["organizationId"] == "acme"
    listed = buf.ok("RoomService/ListRooms", {"query": f'roomId^"{prefix}"'})
    assert listed["data"] == [renamed] and "nextCursor" not in listed
    room = {"roomId": f"{prefix}2"}
    assert buf.ok("RoomService/PrewarmRoom", room) == {}
    assert buf.ok("RoomService/GetActiveUsers", room).get("data", []) == []
    assert (
        buf.ok("RoomService/SetPresence", {**room, "userId": "agent", "data": {"a": 1}, "ttl": 2})
        == {}
    )
    assert buf.ok("RoomService/BroadcastEvent", {**room, "event": [1, None, {"a": "b"}]}) == {}
    assert buf.ok("RoomService/DeleteRoom", room) == {}
    assert buf.call("RoomService/GetRoom", room).code == NOT_FOUND


def test_pages(buf, prefix, organization):
    for number in range(3):
        buf.ok(
            "RoomService/CreateRoom",
            {"id": f"{prefix}{number}", "defaultAccesses": [], "organizationId": organization},
        )
    request = {"organizationId": organization, "limit": 2}
    first = buf.ok("RoomService/ListRooms", request)
    assert [room["id"] for room in first["data"]] == [f"{prefix}2", f"{prefix}1"]
    last = buf.ok("RoomService/ListRooms", {**request, "startingAfter": first["nextCursor"]})
    assert [room["id"] for room in last["data"]] == [f"{prefix}0"]
    assert "nextCursor" not in last


def test_tokens(buf, prefix):
    buf.ok("RoomService/CreateRoom", {"id": f"{prefix}open", "defaultAccesses": ["*:write"]})
    buf.ok("RoomService/CreateRoom", {"id": f"{prefix}shut", "defaultAccesses": []})
    asked = {
        "userId": "alice",
        "permissions": {f"{prefix}shut": ["*:read"]},
        "userInfo": {"name": "A"},
    }
    access = buf.ok("AuthService/AuthorizeUser", asked)["token"]
    shut, opened = {"roomId": f"{prefix}shut"}, {"roomId": f"{prefix}open"}
    assert buf.ok("RoomService/GetRoom", shut, access)["room"]["id"] == f"{prefix}shut"
    assert buf.call("RoomService/GetRoom", opened, access).code == NOT_FOUND
    assert (
        buf.call("RoomService/BroadcastEvent", {**shut, "event": 1}, access).code
        == PERMISSION_DENIED
    )
    assert buf.call("RoomService/DeleteRoom", shut, access).code == PERMISSION_DENIED
    identity = buf.ok("AuthService/IdentifyUser", {"userId": "bob", "groupIds": ["g"]})["token"]
    assert buf.ok("RoomService/GetRoom", opened, identity)["room"]["id"] == f"{prefix}open"
    assert buf.call("RoomService/GetRoom", shut, identity).code == NOT_FOUND
    for method, request, key in (
        ("AuthService/AuthorizeRoom", {**opened, "userId": "alice"}, DEV_SECRET_KEY),
        ("AuthService/AuthorizeRoomPublic", {**opened, "publicApiKey": DEV_PUBLIC_KEY}, None),
    ):
        token = buf.ok(method, request, key)["token"]
        assert buf.ok("RoomService/GetRoom", opened, token)["room"]["id"] == f"{prefix}open"
    keys = buf.ok("AuthService/GetJsonWebKeySet", {}, None)["keys"]
    assert keys and all(key["kid"] and key["use"] == "sig" for key in keys)


def test_errors(buf, prefix):
    room = {"roomId": f"{prefix}none"}
    missing = buf.call("RoomService/GetRoom", room)
    assert missing.code == NOT_FOUND
    assert "Room not found" in missing.text
    assert buf.call("RoomService/GetRoom", room, None).code == UNAUTHENTICATED
    assert buf.call("RoomService/GetRoom", room, "sk_unknown").code == UNAUTHENTICATED
    assert buf.call("RoomService/DeleteRoom", room, DEV_PUBLIC_KEY).code == UNAUTHENTICATED
    long = buf.call("RoomService/CreateRoom", {"id": "x" * 129, "defaultAccesses": []})
    assert long.code == INVALID_ARGUMENT and "128" in long.text
    query = buf.call("RoomService/ListRooms", {"query": "nonsense"})
    assert query.code == INVALID_ARGUMENT and "query" in query.text


def test_the_server_describes_itself(server):
    words = [os.environ["BUF"], "curl", "--protocol", "grpc", "--list-methods", server.url]
    run = subprocess.run(words, capture_output=True, text=True, timeout=CALL_WITHIN_SECONDS)
    assert run.returncode == 0, run.stderr
    described = set(run.stdout.split())
    words = [os.environ["BUF"], "curl", "--schema", "proto", "--list-methods"]
    run = subprocess.run(
        words, capture_output=True, text=True, cwd=REPOSITORY, timeout=CALL_WITHIN_SECONDS
    )
    ours = {name for name in run.stdout.split() if name.startswith("roomd.")}
    assert len(ours) >= 17
    assert ours <= described, ours - described
