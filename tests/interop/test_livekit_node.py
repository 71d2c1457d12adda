"""livekit-server-sdk 2.19.2, run by Node's own test runner: each of its tests is a subtest here."""

from __future__ import annotations

import pytest
from realtime import NODE_FOLDER, run_node_tests

FILES = sorted((NODE_FOLDER / "livekit").glob("*.test.mjs"))
RUN_WITHIN_SECONDS = 120


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_node(server, subtests, path):
    run_node_tests(server, subtests, path, RUN_WITHIN_SECONDS)
