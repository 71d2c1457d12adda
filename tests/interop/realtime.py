"""Real clients in Node for tests in Python, and where what a failed run leaves is kept."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import REPOSITORY, Roomd
from liveblocks import Liveblocks
from liveblocks.models import GetStorageDocumentFormat

NODE_FOLDER = Path(__file__).parent / "node"
REALTIME = NODE_FOLDER / "realtime"
ANSWER_WITHIN_SECONDS = 60.0
# Top-level lines of TAP only: what is indented belongs to a nested test.
RESULT = re.compile(r"^(not ok|ok) \d+ - (.*?)(?: # (SKIP|TODO).*)?$", re.MULTILINE)


def node_environment(server: Roomd) -> dict[str, str]:
    return {
        **os.environ,
        "ROOMD_URL": server.url,
        "ROOMD_SECRET_KEY": server.secret_key,
        "ROOMD_PUBLIC_KEY": server.public_key,
    }


def run_node_tests(server: Roomd, subtests, path: Path, within_seconds: float) -> None:
    """Runs a file of Node's own test runner: each of its tests is a subtest here."""
    run_node_file(node_environment(server), subtests, path, within_seconds)


def run_node_file(
    environment: dict[str, str], subtests, path: Path, within_seconds: float
) -> None:
    """The same for tests that need no server."""
    run = subprocess.run(
        [os.environ["NODE"], "--test-reporter=tap", str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=within_seconds,
    )
    results = RESULT.findall(run.stdout)
    sections = RESULT.split(run.stdout)[4::4]
    assert results, f"no test ran:\n{run.stdout}\n{run.stderr}"
    for (outcome, name, skipped), details in zip(results, sections, strict=True):
        with subtests.test(name):
            assert outcome == "ok" and not skipped, details
    assert run.returncode == 0, run.stdout + run.stderr


def stored(liveblocks: Liveblocks, room: str) -> dict:
    """Storage as the Python SDK reads it."""
    answer = liveblocks.get_storage_document(room, format_=GetStorageDocumentFormat.JSON)
    return answer.to_dict()


class Artifacts:
    """A folder of this run, made when there is something to keep: plans, logs, screenshots."""

    def __init__(self) -> None:
        root = Path(os.environ.get("ROOMD_TEST_RESULTS", REPOSITORY / "test-results"))
        self._folder = root / f"interop-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"

    def path(self, name: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / name


class Agent:
    """A Node process with real clients in it, which do what they are told."""

    script = REALTIME / "agent.mjs"

    def __init__(self, server: Roomd):
        self._process = subprocess.Popen(
            [os.environ["NODE"], str(self.script)],
            env=node_environment(server),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def call(self, action: str, *words: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([action, *words]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the Node process ended during {action}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["ok"]

    def join(self, name: str, room: str, **options: Any) -> Client:
        """Options are those of peer.mjs: user, scopes, credential, presence, storage, wait."""
        self.call("join", name, room, {"user": name, **options})
        return Client(self, name)

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(ANSWER_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Browser(Agent):
    """A real browser whose windows show the pages in browser/."""

    script = Path(__file__).parent / "browser/agent.mjs"

    def open(self, name: str, room: str, user: str | None = None, **options: Any) -> Client:
        """Options are those of `open` in agent.mjs, and the page's own."""
        self.call("open", name, room, user or name, options)
        return Client(self, name)


@dataclass
class Client:
    """One client in one room, or one window; methods are the actions of the agent."""

    agent: Agent
    name: str

    def __getattr__(self, action: str):
        return lambda *words: self.agent.call(action, self.name, *words)

    def edit(self, path: list, method: str, *words: Any) -> None:
        self.agent.call("edit", self.name, path, method, *words)

    @property
    def others(self) -> list[dict]:
        return self.state()["others"]

    @property
    def status(self) -> str:
        return self.state()["status"]
