"""Twirp as any HTTP client speaks it: the plain `curl` command, and urllib with protobuf bodies."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from google.protobuf import json_format
from harness import DEV_PUBLIC_KEY, DEV_SECRET_KEY

CALL_WITHIN_SECONDS = 20
JSON, PROTOBUF = "application/json", "application/protobuf"
AUTHORIZATION = f"Bearer {DEV_SECRET_KEY}"


@dataclass
class Reply:
    status: int
    content_type: str
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def send(
    url: str, body: bytes, content_type: str | None, authorization: str | None, verb: str = "POST"
) -> Reply:
    headers = {"Content-Type": content_type, "Authorization": authorization}
    request = urllib.request.Request(url, data=body, method=verb)
    for name, value in headers.items():
        if value is not None:
            request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=CALL_WITHIN_SECONDS) as answer:
            return Reply(answer.status, answer.headers["Content-Type"], answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.headers["Content-Type"], error.read())


class OverCurl:
    """JSON by the curl command."""

    def __init__(self, server, stubs):
        self.url = server.url

    def __call__(
        self, method: str, fields: dict, authorization: str | None = AUTHORIZATION
    ) -> tuple[int, dict]:
        words = ["curl", "--silent", "--show-error", "--max-time", str(CALL_WITHIN_SECONDS)]
        words += ["--header", "Content-Type: application/json", "--data-binary", "@-"]
        if authorization:
            words += ["--header", f"Authorization: {authorization}"]
        words += [
            "--write-out",
            "\n%{http_code} %{content_type}",
            f"{self.url}/twirp/roomd.v1.{method}",
        ]
        run = subprocess.run(
            words, input=json.dumps(fields), capture_output=True, text=True, check=True
        )
        body, _, closing = run.stdout.rpartition("\n")
        status, content_type = closing.split(" ", 1)
        assert content_type == JSON
        return int(status), json.loads(body)


class OverProtobuf:
    """Protobuf by urllib; errors are JSON all the same."""

    def __init__(self, server, stubs):
        self.url, self.stubs = server.url, stubs

    def __call__(
        self, method: str, fields: dict, authorization: str | None = AUTHORIZATION
    ) -> tuple[int, dict]:
        service, name = method.split("/")
        messages = self.stubs.room if service == "RoomService" else self.stubs.auth
        request = json_format.ParseDict(fields, getattr(messages, f"{name}Request")())
        url = f"{self.url}/twirp/roomd.v1.{method}"
        reply = send(url, request.SerializeToString(), PROTOBUF, authorization)
        if reply.status != 200:
            assert reply.content_type == JSON
            return reply.status, reply.json
        assert reply.content_type == PROTOBUF
        answer = getattr(messages, f"{name}Response").FromString(reply.body)
        return 200, json_format.MessageToDict(answer)


@pytest.fixture(params=[OverCurl, OverProtobuf], ids=["curl", "protobuf"])
def call(request, server, stubs):
    return request.param(server, stubs)


def ok(outcome: tuple[int, dict]) -> dict:
    status, body = outcome
    assert status == 200, body
    return body


def fails(outcome: tuple[int, dict], status: int, code: str, reason: str | None = None) -> str:
    got, body = outcome
    assert (got, body["code"]) == (status, code), body
    assert set(body) <= {"code", "msg", "meta"}, "a strict client refuses other keys"
    assert all(isinstance(value, str) for value in body.get("meta", {}).values())
    if reason:
        assert body["meta"]["reason"] == reason
    return body["msg"]


def test_rooms(call, prefix):
    room_id = f"{prefix}ü/1"
    room = {"roomId": room_id}
    fields = {"id": room_id, "defaultAccesses": ["*:read"], "metadata": {"k": "v", "l": ["a", "b"]}}
    created = ok(call("RoomService/CreateRoom", fields))["room"]
    assert created["id"] == room_id and created["type"] == "room"
    assert created["metadata"] == {"k": "v", "l": ["a", "b"]}
    assert ok(call("RoomService/GetRoom", room))["room"] == created
    assert ok(call("RoomService/CreateRoom", {**fields, "idempotent": True}))["room"] == created
    fails(call("RoomService/CreateRoom", fields), 409, "already_exists", "ROOM_ALREADY_EXISTS")
    update = {**room, "update": {"metadata": {"k": None}}}
    assert ok(call("RoomService/UpdateRoom", update))["room"]["metadata"] == {"l": ["a", "b"]}
    assert ok(call("RoomService/UpsertRoom", update))["room"]["metadata"] == {"l": ["a", "b"]}
    move = {**room, "fromOrganizationId": "default", "toOrganizationId": "acme"}
    assert (
        ok(call("RoomService/UpdateRoomOrganizationId", move))["room"]["organizationId"] == "acme"
    )
    fails(call("RoomService/UpdateRoomOrganizationId", move), 412, "failed_precondition")
    listed = ok(call("RoomService/ListRooms", {"query": f'roomId^"{prefix}"'}))
    assert [found["id"] for found in listed["data"]] == [room_id]
    ok(call("RoomService/UpdateRoomId", {**room, "newRoomId": f"{prefix}2"}))
    room = {"roomId": f"{prefix}2"}
    assert ok(call("RoomService/PrewarmRoom", room)) == {}
    assert ok(call("RoomService/GetActiveUsers", room)).get("data", []) == []
    assert ok(call("RoomService/SetPresence", {**room, "userId": "a", "data": {}})) == {}
    assert ok(call("RoomService/BroadcastEvent", {**room, "event": {"a": [None]}})) == {}
    assert ok(call("RoomService/DeleteRoom", room)) == {}
    message = fails(call("RoomService/GetRoom", room), 404, "not_found", "ROOM_NOT_FOUND")
    assert "Room not found" in message


def test_tokens_and_credentials(call, prefix):
    ok(call("RoomService/CreateRoom", {"id": f"{prefix}room", "defaultAccesses": ["*:write"]}))
    room = {"roomId": f"{prefix}room"}
    asked = {"userId": "alice", "permissions": {f"{prefix}room": ["*:read"]}}
    access = "Bearer " + ok(call("AuthService/AuthorizeUser", asked))["token"]
    assert ok(call("RoomService/GetRoom", room, access))["room"]["id"] == f"{prefix}room"
    fails(call("RoomService/DeleteRoom", room, access), 403, "permission_denied")
    identity = "Bearer " + ok(call("AuthService/IdentifyUser", {"userId": "bob"}))["token"]
    assert ok(call("RoomService/BroadcastEvent", {**room, "event": 1}, identity)) == {}
    assert ok(call("AuthService/AuthorizeRoom", {**room, "userId": "bob"}))["token"]
    public = {**room, "publicApiKey": DEV_PUBLIC_KEY}
    assert ok(call("AuthService/AuthorizeRoomPublic", public, None))["token"]
    assert ok(call("AuthService/GetJsonWebKeySet", {}, None))["keys"]
    fails(call("RoomService/DeleteRoom", room, None), 401, "unauthenticated", "MISSING_SECRET_KEY")
    wrong = f"Bearer {DEV_PUBLIC_KEY}"
    fails(call("RoomService/DeleteRoom", room, wrong), 401, "unauthenticated", "WRONG_KEY_USED")
    fails(
        call("RoomService/DeleteRoom", room, "Bearer sk_x"),
        401,
        "unauthenticated",
        "INVALID_SECRET_KEY",
    )


def test_wrong_values(call):
    message = fails(call("RoomService/CreateRoom", {"id": "x" * 129}), 400, "invalid_argument")
    assert "id" in message and "128" in message
    assert "query" in fails(
        call("RoomService/ListRooms", {"query": "nonsense"}), 400, "invalid_argument"
    )


def test_json_is_canonical_and_reads_both_spellings(server, prefix):
    url = f"{server.url}/twirp/roomd.v1.RoomService"
    body = json.dumps(
        {
            "id": f"{prefix}r",
            "default_accesses": ["*:read"],
            "unknown": {"x": 1},
            "organizationId": None,
        }
    )
    created = send(
        f"{url}/CreateRoom", body.encode(), "Application/JSON; charset=utf-8", AUTHORIZATION
    )
    assert (created.status, created.content_type) == (200, JSON)
    assert set(created.json["room"]) == {
        "type", "id", "createdAt", "organizationId",
        "defaultAccesses", "groupsAccesses", "usersAccesses", "metadata",
    }  # fmt: skip
    request = json.dumps({"room_id": f"{prefix}r"}).encode()
    assert send(f"{url}/GetRoom", request, JSON, AUTHORIZATION).json == created.json


@pytest.mark.parametrize(
    "verb, path, content_type",
    [
        ("GET", "/twirp/roomd.v1.RoomService/GetRoom", JSON),
        ("PUT", "/twirp/roomd.v1.RoomService/GetRoom", JSON),
        ("POST", "/twirp/roomd.v1.RoomService/getroom", JSON),
        ("POST", "/twirp/roomd.v1.RoomService/", JSON),
        ("POST", "/twirp/roomd.v1.Nothing/GetRoom", JSON),
        ("POST", "/twirp/roomd.v1.RoomService/GetRoom", "text/plain"),
        ("POST", "/twirp/roomd.v1.RoomService/GetRoom", "application/x-protobuf"),
    ],
)
def test_bad_routes(server, verb, path, content_type):
    reply = send(server.url + path, b"{}", content_type, AUTHORIZATION, verb)
    assert (reply.status, reply.content_type) == (404, JSON)
    assert reply.json["code"] == "bad_route"
    assert reply.json["meta"] == {"twirp_invalid_route": f"{verb} {path}"}


@pytest.mark.parametrize(
    "content_type, body",
    [
        (JSON, b""), (JSON, b"{"), (JSON, b"null"), (JSON, b"[]"), (JSON, b'{"roomId": 5}'),
        (JSON, b'{"roomId": "a", "roomId": "b"}'), (JSON, b'{"roomId": "a", "room_id": "b"}'),
        (JSON, b'{"roomId": "\xff"}'), (JSON, b'{"x":' + b"[" * 100_000),
        (PROTOBUF, b"\xff\xff\xff"), (PROTOBUF, b"\x0a\x05ab"), (PROTOBUF, b"\x0a\x02\xff\xfe"),
    ],
)  # fmt: skip
def test_malformed_bodies(server, content_type, body):
    reply = send(
        f"{server.url}/twirp/roomd.v1.RoomService/GetRoom", body, content_type, AUTHORIZATION
    )
    assert (reply.status, reply.content_type) == (400, JSON)
    kind = "json" if content_type == JSON else "protobuf"
    assert reply.json["code"] == "malformed"
    assert f"the {kind} request could not be decoded" in reply.json["msg"]


def test_a_body_over_the_limit(server):
    body = b'{"roomId": "' + b"x" * (32 << 20) + b'"}'
    try:
        reply = send(f"{server.url}/twirp/roomd.v1.RoomService/GetRoom", body, JSON, AUTHORIZATION)
    except urllib.error.URLError as error:
        # The server may answer and hang up while urllib still writes.
        assert isinstance(error.reason, (BrokenPipeError, ConnectionResetError)), error
    else:
        assert reply.status in (413, 429), reply
        assert reply.json["code"] == "resource_exhausted"
    alive = send(f"{server.url}/twirp/roomd.v1.AuthService/GetJsonWebKeySet", b"{}", JSON, None)
    assert alive.status == 200


def test_many_at_once(server, prefix):
    def one(number: int) -> int:
        body = json.dumps({"id": f"{prefix}{number}"}).encode()
        return send(
            f"{server.url}/twirp/roomd.v1.RoomService/CreateRoom", body, JSON, AUTHORIZATION
        ).status

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(one, range(200))) == {200}
