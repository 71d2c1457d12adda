"""Somebody who is in a room over gRPC, with grpcio and nothing of ours but the schema."""

from __future__ import annotations

import queue
import threading

import grpc
from google.protobuf.json_format import MessageToDict
from harness import Roomd, eventually


class GrpcMember:
    """One stay in a room. What comes is kept in `messages`, in its order."""

    def __init__(
        self,
        roomd: Roomd,
        stubs,
        room: str,
        token: str,
        presence: dict | None = None,
        live: bool = False,
    ):
        self._types = stubs.realtime
        self._requests: queue.SimpleQueue = queue.SimpleQueue()
        self._ended = threading.Event()
        self._count = 0
        self.messages: list = []
        self.error: grpc.RpcError | None = None
        self._channel = grpc.insecure_channel(
            roomd.address, options=[("grpc.enable_http_proxy", 0)]
        )
        stub = stubs.realtime_rpc.RealtimeServiceStub(self._channel)
        enter = self._types.EnterRoom(room_id=room, live=live)
        enter.presence.update(presence or {})
        self.send(enter=enter)
        self._call = stub.JoinRoom(
            iter(self._requests.get, None), metadata=[("authorization", f"Bearer {token}")]
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for response in self._call:
                self.messages.append(response)
        except grpc.RpcError as error:
            self.error = error
        self._ended.set()

    def send(self, **message) -> None:
        self._requests.put(self._types.JoinRoomRequest(**message))

    def first(self, kind: str, check=lambda message: True):
        """The first message of this kind that fits, once it has come."""

        def found():
            fitting = [m for m in self.all(kind) if check(m)]
            if not fitting and self._ended.is_set():
                raise AssertionError(f"the stream ended before {kind}: {self.error}")
            return fitting[:1]

        return eventually(f"{kind} comes", found)[0]

    def all(self, kind: str) -> list:
        return [getattr(m, kind) for m in list(self.messages) if m.WhichOneof("message") == kind]

    def signals(self, kind: str) -> list:
        """What LiveKit's clients are told, by the name of the message."""
        return [getattr(m, kind) for m in self.all("signal") if m.WhichOneof("message") == kind]

    def signal(self, kind: str, check=lambda message: True):
        """The first of these that fits, once it has come."""

        def fits(message) -> bool:
            return message.WhichOneof("message") == kind and check(getattr(message, kind))

        return getattr(self.first("signal", fits), kind)

    def told_of(self, identity: str, check=lambda info: True):
        """News of a participant, once they have come."""
        update = self.signal(
            "update", lambda u: any(p.identity == identity and check(p) for p in u.participants)
        )
        return next(p for p in update.participants if p.identity == identity and check(p))

    @property
    def welcome(self):
        """What a newcomer is told of the session."""
        return self.signal("join")

    def payloads(self) -> list[bytes]:
        """The data that has come."""
        return [p.user.payload for p in self.all("data") if p.WhichOneof("value") == "user"]

    @property
    def actor(self) -> int:
        return self.first("room_state").actor

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def present(self, presence: dict, target: int = -1) -> None:
        patch = self._types.UpdatePresence(target_actor=target)
        patch.data.update(presence)
        self.send(presence=patch)

    def operate(self, operation: dict) -> str:
        """Sends one operation; gives the id under which it is acknowledged."""
        self._count += 1
        op_id = f"{self.actor}:{self._count}"
        sent = self._types.StorageOperation(op_id=op_id, **operation)
        self.send(operations=self._types.StorageOperations(operations=[sent]))
        return op_id

    def push(self, list_id: str, value: str) -> str:
        self._count += 1
        node = self._types.StorageNode(
            id=f"{self.actor}:{self._count}", parent_id=list_id, parent_key="!"
        )
        node.register.string_value = value
        create = self._types.CreateNode(node=node, intent=self._types.CREATE_INTENT_PUSH)
        return self.operate({"create": create})

    def acknowledged(self, op_id: str):
        def mine(message) -> bool:
            return any(op.op_id == op_id for op in message.operations)

        return self.first("operations", mine)

    def storage(self) -> list:
        """All nodes, from a new load."""
        loads = len(self.all("storage_end"))
        chunks = len(self.all("storage_chunk"))
        self.send(fetch_storage=self._types.FetchStorage())
        eventually("Storage comes", lambda: len(self.all("storage_end")) > loads)
        return [node for chunk in self.all("storage_chunk")[chunks:] for node in chunk.nodes]

    def items(self, key: str) -> list[str]:
        """A list of texts in the root, in its order."""
        nodes = self.storage()
        list_id = next(n.id for n in nodes if n.parent_id == "root" and n.parent_key == key)
        inside = [node for node in nodes if node.parent_id == list_id]
        return [n.register.string_value for n in sorted(inside, key=lambda n: n.parent_key)]

    def list_id(self, key: str) -> str:
        return next(
            n.id for n in self.storage() if n.parent_id == "root" and n.parent_key == key
        )

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()
        self._channel.close()


def as_json(message):
    return MessageToDict(message)
