"""Tokens that run out while people are in a room. One database is enough: no room asks it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from harness import Database, Roomd
from realtime import REALTIME, node_environment

TTL_SECONDS = 10
RUN_WITHIN_SECONDS = 90


@pytest.fixture
def hasty(tmp_path):
    """A server whose tokens live as short as they can."""
    extra = ["--token-ttl-seconds", str(TTL_SECONDS)]
    roomd = Roomd(Database("sqlite"), tmp_path / "roomd", extra=extra)
    yield roomd.start()
    roomd.cleanup()


def test_a_token_that_runs_out(hasty):
    run = subprocess.run(
        [os.environ["NODE"], str(REALTIME / "expiry.mjs"), str(TTL_SECONDS)],
        env=node_environment(hasty),
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == {"ok": True}
    hasty.stop()
