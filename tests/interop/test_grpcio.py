"""Python grpcio with classes that grpcio-tools made from our schema: calls, errors, limits."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from harness import DEV_PUBLIC_KEY, DEV_SECRET_KEY

Code = grpc.StatusCode
CALL_WITHIN_SECONDS = 20
SECRET = (("authorization", f"Bearer {DEV_SECRET_KEY}"),)


@pytest.fixture
def rooms(stubs, channel):
    return Service(stubs.room, stubs.room_rpc.RoomServiceStub(channel))


@pytest.fixture
def auth(stubs, channel):
    return Service(stubs.auth, stubs.auth_rpc.AuthServiceStub(channel))


class Service:
    """Calls a method with a request in JSON names: `rooms.GetRoom({"roomId": "x"})`."""

    def __init__(self, messages, stub):
        self.messages, self.stub = messages, stub

    def request(self, name: str, fields: dict):
        return json_format.ParseDict(fields, getattr(self.messages, f"{name}Request")())

    def __getattr__(self, name):
        def call(fields, metadata=SECRET, timeout=CALL_WITHIN_SECONDS, **options):
            request = self.request(name, fields)
            return getattr(self.stub, name)(request, metadata=metadata, timeout=timeout, **options)

        return call


class fails:
    """The call fails with this status; `reason` is what google.rpc.ErrorInfo says."""

    def __init__(self, code: grpc.StatusCode, reason: str | None = None, *words: str):
        self.code, self.reason, self.words = code, reason, words

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None, f"the call succeeded instead of failing with {self.code}"
        if not isinstance(error, grpc.RpcError):
            return False
        assert error.code() == self.code, error
        assert error.details(), "an error says what is wrong"
        for word in self.words:
            assert word in error.details(), f"{word!r} is not in {error.details()}"
        if self.reason is not None:
            status = rpc_status.from_call(error)
            assert status is not None, "the error has no details"
            infos = [unpacked(detail, error_details_pb2.ErrorInfo) for detail in status.details]
            assert self.reason in [info.reason for info in infos if info], status
        return True


def unpacked(detail, message_class):
    message = message_class()
    return message if detail.Unpack(message) else None


def test_rooms(rooms, prefix):
    room_id = f"{prefix}ü/1"
    full = {
        "id": room_id,
        "defaultAccesses": ["*:read"],
        "usersAccesses": {"alice": ["*:write"]},
        "groupsAccesses": {"g": ["*:read", "storage:none"]},
        "metadata": {"color": "blue", "tags": ["a", "b"]},
    }
    created = rooms.CreateRoom(full).room
    assert (created.type, created.id, created.organization_id) == ("room", room_id, "default")
    assert list(created.default_accesses) == ["*:read"]
    assert list(created.users_accesses["alice"]) == ["*:write"]
    assert created.metadata["color"].string_value == "blue"
    assert list(created.metadata["tags"].list_value) == ["a", "b"]
    assert created.created_at.seconds > 1_700_000_000
    assert not created.HasField("last_connection_at")
    assert rooms.GetRoom({"roomId": room_id}).room == created
    with fails(Code.ALREADY_EXISTS, "ROOM_ALREADY_EXISTS"):
        rooms.CreateRoom({"id": room_id, "defaultAccesses": []})
    assert rooms.CreateRoom({"id": room_id, "idempotent": True}).room == created
    update = {"metadata": {"color": None, "new": "1"}, "groupsAccesses": None}
    updated = rooms.UpdateRoom({"roomId": room_id, "update": update}).room
    assert sorted(updated.metadata) == ["new", "tags"]
    assert not updated.groups_accesses and updated.users_accesses
    fresh = {
        "roomId": f"{prefix}2",
        "update": {"metadata": {"k": "v"}},
        "create": {"defaultAccesses": ["*:write"]},
    }
    assert list(rooms.UpsertRoom(fresh).room.default_accesses) == ["*:write"]
    renamed = rooms.UpdateRoomId({"roomId": room_id, "newRoomId": f"{prefix}1"}).room
    assert renamed.id == f"{prefix}1" and renamed.metadata == updated.metadata
    with fails(Code.ALREADY_EXISTS):
        rooms.UpdateRoomId({"roomId": f"{prefix}1", "newRoomId": f"{prefix}2"})
    move = {"roomId": f"{prefix}1", "fromOrganizationId": "default", "toOrganizationId": "acme"}
    assert rooms.UpdateRoomOrganizationId(move).room.organization_id == "acme"
    with fails(Code.FAILED_PRECONDITION):
        rooms.UpdateRoomOrganizationId(move)
    one = {"roomId": f"{prefix}1"}
    assert list(rooms.GetActiveUsers(one).data) == []
    rooms.PrewarmRoom(one)
    rooms.SetPresence({**one, "userId": "agent", "data": {"x": [1, None]}, "ttl": 3599})
    rooms.BroadcastEvent({**one, "event": {"any": ["json", 1, None]}})
    rooms.BroadcastEvent({**one, "event": None})
    rooms.DeleteRoom(one)
    for method in (rooms.GetRoom, rooms.DeleteRoom, rooms.PrewarmRoom, rooms.GetActiveUsers):
        with fails(Code.NOT_FOUND, "ROOM_NOT_FOUND", "Room not found"):
            method(one)


def test_pages(rooms, prefix, organization):
    for number in range(5):
        rooms.CreateRoom({"id": f"{prefix}{number}", "organizationId": organization})
    cursor, found = "", []
    while True:
        page = rooms.ListRooms(
            {"organizationId": organization, "limit": 2, "startingAfter": cursor}
        )
        found += [room.id for room in page.data]
        if not page.HasField("next_cursor"):
            break
        cursor = page.next_cursor
    assert found == [f"{prefix}{number}" for number in (4, 3, 2, 1, 0)]
    legacy = rooms.ListRooms({"organizationId": organization, "metadata": {"k": "v"}})
    assert list(legacy.data) == []


def bearer(token: str):
    return (("authorization", f"Bearer {token}"),)


def test_tokens_as_metadata(rooms, auth, prefix):
    rooms.CreateRoom({"id": f"{prefix}open", "defaultAccesses": ["*:write"]})
    rooms.CreateRoom({"id": f"{prefix}shut"})
    access = auth.AuthorizeUser(
        {"userId": "alice", "permissions": {f"{prefix}shut": ["*:read"]}}
    ).token
    assert rooms.GetRoom({"roomId": f"{prefix}shut"}, bearer(access)).room.id == f"{prefix}shut"
    with fails(Code.NOT_FOUND, "ROOM_NOT_FOUND"):
        rooms.GetRoom({"roomId": f"{prefix}open"}, bearer(access))
    with fails(Code.PERMISSION_DENIED, "UNAUTHORIZED_ROOM_ACCESS"):
        rooms.BroadcastEvent({"roomId": f"{prefix}shut", "event": 1}, bearer(access))
    identity = auth.IdentifyUser({"userId": "bob", "groupIds": ["g"]}).token
    rooms.BroadcastEvent({"roomId": f"{prefix}open", "event": 1}, bearer(identity))
    with fails(Code.NOT_FOUND):
        rooms.GetRoom({"roomId": f"{prefix}shut"}, bearer(identity))
    single = auth.AuthorizeRoom({"roomId": f"{prefix}open", "userId": "bob"}).token
    assert rooms.GetRoom({"roomId": f"{prefix}open"}, bearer(single)).room.id == f"{prefix}open"
    public = {"roomId": f"{prefix}open", "publicApiKey": DEV_PUBLIC_KEY}
    token = auth.AuthorizeRoomPublic(public, metadata=()).token
    assert rooms.GetRoom({"roomId": f"{prefix}open"}, bearer(token)).room.id == f"{prefix}open"
    with fails(Code.PERMISSION_DENIED):
        auth.AuthorizeRoomPublic({**public, "roomId": f"{prefix}shut"}, metadata=())
    assert auth.GetJsonWebKeySet({}, metadata=()).keys[0].use == "sig"


@pytest.mark.parametrize(
    "metadata, reason",
    [
        ((), "MISSING_SECRET_KEY"),
        (bearer("sk_unknown"), "INVALID_SECRET_KEY"),
        (bearer(DEV_PUBLIC_KEY), "WRONG_KEY_USED"),
        (bearer("not.a.token"), None),
    ],
    ids=["none", "unknown", "public", "malformed"],
)
def test_credentials_are_required(rooms, prefix, metadata, reason):
    with fails(Code.UNAUTHENTICATED, reason):
        rooms.CreateRoom({"id": f"{prefix}room"}, metadata=metadata)
    with fails(Code.NOT_FOUND):
        rooms.GetRoom({"roomId": f"{prefix}room"})


def test_wrong_values_name_their_field(rooms):
    with pytest.raises(grpc.RpcError) as raised:
        rooms.CreateRoom({"id": "x" * 129})
    assert raised.value.code() == Code.INVALID_ARGUMENT
    assert "id" in raised.value.details() and "128" in raised.value.details()
    details = rpc_status.from_call(raised.value).details
    wrong = [unpacked(detail, error_details_pb2.BadRequest) for detail in details]
    fields = [violation.field for bad in wrong if bad for violation in bad.field_violations]
    assert fields == ["id"], details
    with fails(Code.INVALID_ARGUMENT, None, "limit", "100"):
        rooms.ListRooms({"limit": 101})
    with fails(Code.INVALID_ARGUMENT, None, "query"):
        rooms.ListRooms({"query": "nonsense"})


def test_a_message_over_the_limit_is_resource_exhausted(rooms, prefix):
    rooms.CreateRoom({"id": f"{prefix}room"})
    with fails(Code.RESOURCE_EXHAUSTED):
        rooms.BroadcastEvent({"roomId": f"{prefix}room", "event": "x" * (32 << 20)})
    # The connection lives on.
    assert rooms.GetRoom({"roomId": f"{prefix}room"}).room.id == f"{prefix}room"
    rooms.BroadcastEvent({"roomId": f"{prefix}room", "event": "x" * 1_000_000})
    with fails(Code.INVALID_ARGUMENT, None, "event", "1048576"):
        rooms.BroadcastEvent({"roomId": f"{prefix}room", "event": "x" * 1_048_577})


def test_gzip_in_both_directions(server, stubs, prefix):
    with grpc.insecure_channel(server.address, compression=grpc.Compression.Gzip) as channel:
        rooms = Service(stubs.room, stubs.room_rpc.RoomServiceStub(channel))
        metadata = {f"k{number}": "v" * 256 for number in range(50)}
        room = rooms.CreateRoom({"id": f"{prefix}room", "metadata": metadata}).room
        assert {key: value.string_value for key, value in room.metadata.items()} == metadata
        with fails(Code.NOT_FOUND, "ROOM_NOT_FOUND"):
            rooms.GetRoom({"roomId": f"{prefix}none"})


def test_health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for service in ("", "roomd.v1.RoomService", "roomd.v1.AuthService"):
        assert (
            stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status == serving
        )
    with pytest.raises(grpc.RpcError) as raised:
        stub.Check(health_pb2.HealthCheckRequest(service="roomd.v1.Nothing"), timeout=5)
    assert raised.value.code() == Code.NOT_FOUND
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=5)
    assert next(watch).status == serving
    watch.cancel()


@pytest.mark.parametrize("path", ["/roomd.v1.RoomService/Nothing", "/roomd.v1.Nothing/GetRoom"])
def test_an_unknown_method_is_unimplemented(channel, path):
    call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", metadata=SECRET, timeout=CALL_WITHIN_SECONDS)
    assert raised.value.code() == Code.UNIMPLEMENTED


def test_bytes_that_are_no_message_are_refused(channel, rooms, prefix):
    call = channel.unary_unary(
        "/roomd.v1.RoomService/GetRoom", request_serializer=bytes, response_deserializer=bytes
    )
    for garbage in (b"\xff\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"):
        with pytest.raises(grpc.RpcError) as raised:
            call(garbage, metadata=SECRET, timeout=CALL_WITHIN_SECONDS)
        # What tonic's codec answers, and what a stricter one may.
        assert raised.value.code() in (Code.INTERNAL, Code.INVALID_ARGUMENT), raised.value
    rooms.CreateRoom({"id": f"{prefix}alive"})


def test_reflection_is_enough_to_call(channel, prefix):
    """No generated class: the messages are built from what the server says of itself."""
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {"roomd.v1.RoomService", "roomd.v1.AuthService"} <= set(database.get_services())
    pool = DescriptorPool(database)
    method = pool.FindServiceByName("roomd.v1.RoomService").FindMethodByName("CreateRoom")
    request = GetMessageClass(method.input_type)()
    json_format.ParseDict({"id": f"{prefix}room", "defaultAccesses": ["*:read"]}, request)
    call = channel.unary_unary(
        "/roomd.v1.RoomService/CreateRoom",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    answer = call(request, metadata=SECRET, timeout=CALL_WITHIN_SECONDS)
    room = json.loads(json_format.MessageToJson(answer, descriptor_pool=pool))["room"]
    assert room["id"] == f"{prefix}room"


def test_many_calls_share_one_connection(rooms, prefix, organization):
    ids = [f"{prefix}{number}" for number in range(200)]
    with ThreadPoolExecutor(50) as pool:
        created = pool.map(
            lambda name: rooms.CreateRoom({"id": name, "organizationId": organization}), ids
        )
        assert [answer.room.id for answer in created] == ids
        read = pool.map(lambda name: rooms.GetRoom({"roomId": name}), ids)
        assert [answer.room.id for answer in read] == ids


def test_the_asyncio_client(server, stubs, prefix):
    async def scenario():
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = stubs.room_rpc.RoomServiceStub(channel)
            ids = [f"{prefix}{number}" for number in range(50)]
            requests = [stubs.room.CreateRoomRequest(id=room_id) for room_id in ids]
            answers = await asyncio.gather(
                *(stub.CreateRoom(r, metadata=SECRET, timeout=20) for r in requests)
            )
            assert [answer.room.id for answer in answers] == ids

    asyncio.run(scenario())
