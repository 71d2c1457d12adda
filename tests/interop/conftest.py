"""Fixtures: one server for each database, used by all tests that do not break it."""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import sys
from pathlib import Path

import grpc
import httpx
import protos
import pytest
from grpc_member import GrpcMember
from harness import DEV_SECRET_KEY, LOG_TAIL_CHARS, Database, Roomd
from liveblocks import AsyncLiveblocks, Liveblocks
from live import LiveApi, live_token
from realtime import Agent, Artifacts

# Requests stay on this machine, whatever proxy the environment names.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

HTTP_TIMEOUT_SECONDS = 20.0


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def database(request):
    database = Database.create(request.param)
    yield database
    database.drop()


@pytest.fixture(scope="session")
def server(database, tmp_path_factory):
    roomd = Roomd(database, tmp_path_factory.mktemp(f"roomd-{database.kind}"))
    try:
        yield roomd.start()
        roomd.stop()
    finally:
        roomd.cleanup()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the server logged last."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(server, Roomd):
        report.sections.append(("the server's log", server.log()[-LOG_TAIL_CHARS:]))
    return report


class Api:
    """One way to write a test for the synchronous and the asynchronous Liveblocks client."""

    def __init__(self, client):
        self.client = client
        self._runner = asyncio.Runner() if isinstance(client, AsyncLiveblocks) else None

    def __getattr__(self, name):
        method = getattr(self.client, name)
        return lambda *args, **kwargs: self.wait(method(*args, **kwargs))

    def wait(self, outcome):
        if inspect.isawaitable(outcome):
            assert self._runner is not None

            async def done():
                return await outcome

            return self._runner.run(done())
        return outcome

    def with_secret(self, server: Roomd, secret: str) -> Api:
        return Api(type(self.client)(secret=secret, base_url=server.url))

    def close(self) -> None:
        self.wait(self.client.close())
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(scope="session", params=[Liveblocks, AsyncLiveblocks], ids=["sync", "async"])
def api(request, server):
    api = Api(request.param(secret=DEV_SECRET_KEY, base_url=server.url))
    yield api
    api.close()


@pytest.fixture(scope="session")
def http(server):
    """A plain HTTP client with the secret key, for what no SDK sends."""
    headers = {"Authorization": f"Bearer {DEV_SECRET_KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=HTTP_TIMEOUT_SECONDS) as client:
        yield client


@pytest.fixture(scope="session")
def anonymous(server):
    with httpx.Client(base_url=server.url, timeout=HTTP_TIMEOUT_SECONDS) as client:
        yield client


@pytest.fixture(scope="session")
def artifacts():
    return Artifacts()


@pytest.fixture(scope="module")
def agent(server):
    """Real clients in a Node process, for tests that drive them from here."""
    agent = Agent(server)
    yield agent
    agent.close()


@pytest.fixture
def prefix():
    """What the ids of one test begin with, so that tests do not see each other's rooms."""
    return f"t{secrets.token_hex(5)}:"


@pytest.fixture
def organization():
    """An organization of one test, to list its rooms and no others."""
    return f"org-{secrets.token_hex(5)}"


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """The gRPC classes of our own schema, generated now by the real protoc plugin."""
    folder: Path = tmp_path_factory.mktemp("stubs")
    protos.generate(folder)
    sys.path.insert(0, str(folder))
    yield protos.load()
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def channel(server):
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        yield channel


@pytest.fixture(scope="session")
def live(server):
    """LiveKit's client for back ends."""
    with LiveApi(server.url) as client:
        yield client


@pytest.fixture
def enter(server, stubs):
    """Lets somebody take part over gRPC as LiveKit's clients do, with a token of LiveKit's."""
    members = []

    def member(
        room: str, identity: str, token: str | None = None, wait: bool = True, **options
    ) -> GrpcMember:
        token = token or live_token(identity, room, **options)
        members.append(GrpcMember(server, stubs, room, token, live=True))
        if wait:
            assert members[-1].welcome.participant.identity == identity
        return members[-1]

    yield member
    for one in members:
        one.close()
