"""Somebody who is in a room over gRPC, with grpcio and nothing of ours but the schema."""

from __future__ import annotations

import queue
import threading

import grpc
from google.protobuf.json_format import MessageToDict
from harness import Roomd, eventually
from member import Member


class GrpcMember(Member):
    """One stay in a room."""

    def __init__(
        self,
        roomd: Roomd,
        stubs,
        room: str,
        token: str,
        presence: dict | None = None,
        live: bool = False,
    ):
        super().__init__()
        self._types = stubs.realtime
        self._requests: queue.SimpleQueue = queue.SimpleQueue()
        self._count = 0
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

    def signals(self, kind: str) -> list:
        """What LiveKit's clients are told, by the name of the message."""
        return [getattr(m, kind) for m in self.all("signal") if m.WhichOneof("message") == kind]

    def signal(self, kind: str, check=lambda message: True):
        def fits(message) -> bool:
            return message.WhichOneof("message") == kind and check(getattr(message, kind))

        return getattr(self.first("signal", fits), kind)

    def payloads(self) -> list[bytes]:
        """The data that has come."""
        return [p.user.payload for p in self.all("data") if p.WhichOneof("value") == "user"]

    @property
    def actor(self) -> int:
        return self.first("room_state").actor

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
        return next(n.id for n in self.storage() if n.parent_id == "root" and n.parent_key == key)

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()
        self._channel.close()


def as_json(message):
    return MessageToDict(message)
