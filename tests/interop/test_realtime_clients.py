"""@liveblocks/client and @liveblocks/yjs 3.24.2 in one room: each scenario in Node is a subtest."""

from __future__ import annotations

import pytest
from realtime import REALTIME, run_node_tests

FILES = sorted(REALTIME.glob("*.test.mjs"))
RUN_WITHIN_SECONDS = 240


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_realtime(server, subtests, path):
    run_node_tests(server, subtests, path, RUN_WITHIN_SECONDS)
