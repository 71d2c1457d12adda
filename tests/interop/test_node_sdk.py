"""@liveblocks/node 3.24.2, run by Node's own test runner: each of its tests is a subtest here."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import DEV_SECRET_KEY

FILES = sorted((Path(__file__).parent / "node").glob("*.test.mjs"))
RUN_WITHIN_SECONDS = 300
# Top-level lines of TAP only: what is indented belongs to a nested test.
RESULT = re.compile(r"^(not ok|ok) \d+ - (.*?)(?: # (SKIP|TODO).*)?$", re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_node(server, subtests, path):
    env = {**os.environ, "ROOMD_URL": server.url, "ROOMD_SECRET_KEY": DEV_SECRET_KEY}
    words = [os.environ["NODE"], "--test-reporter=tap", str(path)]
    run = subprocess.run(words, env=env, capture_output=True, text=True, timeout=RUN_WITHIN_SECONDS)
    results = RESULT.findall(run.stdout)
    sections = RESULT.split(run.stdout)[4::4]
    assert results, f"no test ran:\n{run.stdout}\n{run.stderr}"
    for (outcome, name, skipped), details in zip(results, sections, strict=True):
        with subtests.test(name):
            assert outcome == "ok" and not skipped, details
    assert run.returncode == 0, run.stdout + run.stderr
