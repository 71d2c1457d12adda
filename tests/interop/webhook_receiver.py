"""An application's own HTTP server that takes webhooks, and may refuse some."""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import DEV_LIVE_KEY, DEV_LIVE_SECRET, eventually
from livekit import api

RECEIVER = api.WebhookReceiver(api.TokenVerifier(DEV_LIVE_KEY, DEV_LIVE_SECRET))


class Receiver:
    """Keeps what comes in `calls`, as pairs of headers and body; refuses the next `refusals`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Message, str]] = []
        self.refused: list[str] = []
        self.refusals = 0
        # Told of each event before it is answered.
        self.on_call: Callable | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.send_response(outer.take(self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, headers: Message, body: str) -> int:
        if self.refusals > 0:
            self.refusals -= 1
            self.refused.append(body)
            return 500
        if self.on_call:
            self.on_call(RECEIVER.receive(body, headers["Authorization"]))
        self.calls.append((headers, body))
        return 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    def events(self, room: str) -> list:
        """What came of a room, as LiveKit's SDK verifies and reads it."""
        read = (RECEIVER.receive(body, headers["Authorization"]) for headers, body in self.calls)
        return [event for event in read if event.room.name == room]

    def names(self, room: str) -> list[str]:
        return [event.event for event in self.events(room)]

    def wait_for(self, room: str, *names: str, within_seconds: float = 10.0) -> list:
        """These events of a room and no others, in this order."""
        expected = list(names)

        def complete() -> bool:
            return len(self.names(room)) >= len(expected)

        eventually(f"{expected} have come", complete, within_seconds)
        assert self.names(room) == expected
        return self.events(room)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
