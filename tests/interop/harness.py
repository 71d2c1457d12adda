"""The built program as a process of its own, and the databases under it."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

REPOSITORY = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS = 30.0
STOP_WITHIN_SECONDS = 15.0
LOG_TAIL_CHARS = 6000

DEV_SECRET_KEY = "sk_localdev"
DEV_PUBLIC_KEY = "pk_localdev"
DEV_LIVE_KEY = "devkey"
DEV_LIVE_SECRET = "secret"


def binary() -> str:
    return os.environ.get("ROOMD_BIN", str(REPOSITORY / "target/debug/roomd"))


def clean_environment() -> dict[str, str]:
    """Nothing of the caller's own settings may reach the server under test."""
    kept = (item for item in os.environ.items() if not item[0].startswith(("ROOMD_", "AWS_")))
    return {key: value for key, value in kept if key != "DATABASE_URL"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(what: str, check, within_seconds: float = 10.0):
    """Polls until `check` gives something true, and returns that."""
    deadline = time.monotonic() + within_seconds
    while True:
        outcome = check()
        if outcome:
            return outcome
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s: {what}")
        time.sleep(0.02)


@dataclass
class Database:
    """Where a server keeps its rooms: a folder with SQLite, or a database of its own."""

    kind: str
    url: str | None = None

    @classmethod
    def create(cls, kind: str) -> Database:
        if kind == "sqlite":
            return cls(kind)
        admin = os.environ.get("ROOMD_TEST_POSTGRES_URL")
        assert admin, "ROOMD_TEST_POSTGRES_URL is not set; tests/run sets it"
        name = f"roomd_interop_{secrets.token_hex(6)}"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        parts = urllib.parse.urlsplit(admin)
        return cls(kind, urllib.parse.urlunsplit(parts._replace(path=f"/{name}")))

    def through(self, port: int) -> Database:
        """The same database, reached through a proxy on this port."""
        assert self.url
        parts = urllib.parse.urlsplit(self.url)
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        return Database(self.kind, urllib.parse.urlunsplit(parts._replace(netloc=netloc)))

    def address(self) -> tuple[str, int]:
        assert self.url
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 5432

    def drop(self) -> None:
        if self.url is None:
            return
        name = urllib.parse.urlsplit(self.url).path.lstrip("/")
        with psycopg.connect(os.environ["ROOMD_TEST_POSTGRES_URL"], autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


@dataclass
class Roomd:
    """One server process. `start` may be called again after `stop` or `kill`: same data."""

    database: Database
    folder: Path
    command: str = "dev"
    extra: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None
    secret_key: str = DEV_SECRET_KEY
    public_key: str = DEV_PUBLIC_KEY

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def log_path(self) -> Path:
        return self.folder / "roomd.log"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> Roomd:
        words = [
            binary(),
            self.command,
            "--listen",
            self.address,
            "--data-dir",
            str(self.folder / "data"),
        ]
        if self.database.url:
            words += ["--database-url", self.database.url]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*words, *self.extra],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=clean_environment() | self.environment,
                cwd=self.folder,
                # A test that limits the size of files wants an error, not a signal.
                restore_signals=False,
            )
        self.wait_ready()
        if self.command == "serve":
            self._read_keys()
        return self

    def wait_ready(self, within_seconds: float = READY_WITHIN_SECONDS) -> None:
        def ready() -> bool:
            assert self.process is not None
            status = self.process.poll()
            assert status is None, f"roomd ended with {status}:\n{self.log()[-LOG_TAIL_CHARS:]}"
            return self.readiness() == 200

        try:
            eventually("GET /readyz answers 200", ready, within_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-LOG_TAIL_CHARS:]}") from None

    def readiness(self, timeout_seconds: float = 5.0) -> int:
        """The status of GET /readyz, or 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=timeout_seconds) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except (urllib.error.URLError, OSError):
            return 0

    def _read_keys(self) -> None:
        """A first start prints the keys of the default project once, as soon as it serves."""
        if self.secret_key != DEV_SECRET_KEY:
            return

        def printed(kind: str) -> str:
            pattern = re.compile(rf"\b{kind}_[A-Za-z0-9_-]+")
            return eventually(f"a key {kind}_... is printed", lambda: pattern.search(self.log()))[0]

        self.secret_key, self.public_key = printed("sk"), printed("pk")

    def stop(self) -> None:
        """Asks it to drain and end, as an operator does, and checks that it did so cleanly."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"roomd did not end:\n{self.log()[-LOG_TAIL_CHARS:]}") from None
        assert status == 0, f"roomd ended with {status}:\n{self.log()[-LOG_TAIL_CHARS:]}"
        assert "panicked at" not in self.log(), self.log()[-LOG_TAIL_CHARS:]

    def kill(self) -> None:
        """kill -9: nothing is flushed, nothing is said."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def cleanup(self) -> None:
        if self.process is not None:
            self.kill()


class Proxy:
    """A TCP relay in front of a database, which can be cut and mended."""

    def __init__(self, target: tuple[str, int]):
        self._target = target
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener: socket.socket | None = None
        self.port = free_port()
        self.mend()

    def mend(self) -> None:
        self._flowing.set()
        if self._listener is None:
            listener = socket.create_server(("127.0.0.1", self.port))
            self._listener = listener
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """The database is gone: connections end, new ones are refused."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            # Wakes the thread in accept, which would otherwise keep the port open.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _hang_up(end)

    def stall(self) -> None:
        """The database hangs: connections stay, new ones are taken, and no byte passes."""
        self._flowing.clear()

    def close(self) -> None:
        self._flowing.set()
        self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while chunk := source.recv(65536):
                self._flowing.wait()
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            _hang_up(end)


def _hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
