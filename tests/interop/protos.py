"""Python classes of our schema, made at test time with grpcio-tools.

What the schema takes from LiveKit is not generated: messages of `livekit` are LiveKit's own
classes, so whoever is told something in them proves that its numbers and types are LiveKit's.
"""

from __future__ import annotations

import importlib
import sys
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc
from harness import REPOSITORY
from livekit.protocol import models, rtc

# By the names under which generated code imports them.
LIVEKIT = {"livekit_models": models, "livekit_rtc": rtc}


def generate(folder: Path) -> None:
    """google/api comes from the installed googleapis-common-protos, as with any other service."""
    root = REPOSITORY / "proto"
    files = sorted(str(path.relative_to(root)) for path in (root / "roomd").rglob("*.proto"))
    well_known = str(resources.files("grpc_tools") / "_proto")
    stand_ins = _stand_ins(folder, root)
    words = [
        "protoc",
        f"--descriptor_set_in={_livekit_descriptors(folder)}",
        f"-I{folder}",
        f"-I{root}",
        f"-I{well_known}",
        f"--python_out={folder}",
        f"--grpc_python_out={folder}",
    ]
    assert protoc.main([*words, *files, *stand_ins]) == 0, "protoc refused the schema"


def _livekit_descriptors(folder: Path) -> Path:
    known: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            add(dependency)
        known[file.name] = file

    for module in LIVEKIT.values():
        add(module.DESCRIPTOR)
    found = FileDescriptorSet()
    for file in known.values():
        file.CopyToProto(found.file.add())
    path = folder / "livekit.bin"
    path.write_bytes(found.SerializeToString())
    return path


def _stand_ins(folder: Path, root: Path) -> list[str]:
    """Files of our names that hold LiveKit's messages."""
    (folder / "livekit").mkdir()
    imports = "".join(f'import public "{name}.proto";\n' for name in LIVEKIT)
    names = [str(path.relative_to(root)) for path in (root / "livekit").glob("*.proto")]
    for name in names:
        (folder / name).write_text(f'syntax = "proto3";\npackage livekit;\n{imports}')
    return names


def load() -> SimpleNamespace:
    sys.modules.update({f"{name}_pb2": module for name, module in LIVEKIT.items()})
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
