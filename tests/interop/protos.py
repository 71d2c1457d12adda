"""Python classes of our schema, made at test time with grpcio-tools."""

from __future__ import annotations

import importlib
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

from grpc_tools import protoc
from harness import REPOSITORY


def generate(folder: Path) -> None:
    """google/api comes from the installed googleapis-common-protos, as with any other service."""
    root = REPOSITORY / "proto"
    files = sorted(str(path.relative_to(root)) for path in (root / "roomd").rglob("*.proto"))
    well_known = str(resources.files("grpc_tools") / "_proto")
    words = [
        "protoc",
        f"-I{root}",
        f"-I{well_known}",
        f"--python_out={folder}",
        f"--grpc_python_out={folder}",
    ]
    assert protoc.main([*words, *files]) == 0, "protoc refused the schema"


def load() -> SimpleNamespace:
    names = {
        "room": "room_pb2",
        "auth": "auth_pb2",
        "room_rpc": "room_pb2_grpc",
        "auth_rpc": "auth_pb2_grpc",
        "realtime": "realtime_pb2",
        "realtime_rpc": "realtime_pb2_grpc",
    }
    modules = {key: importlib.import_module(f"roomd.v1.{name}") for key, name in names.items()}
    return SimpleNamespace(**modules)
