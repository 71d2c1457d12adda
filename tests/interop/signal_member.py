"""Somebody who is in a room by LiveKit's signalling: a plain WebSocket with its messages."""

from __future__ import annotations

import threading
import urllib.parse
from contextlib import ExitStack

from google.protobuf import json_format
from harness import Roomd
from livekit.protocol import rtc
from member import Member
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

FRAME_BYTES_MAX = 8 << 20


class SignalMember(Member):
    """One connection. It speaks protobuf or JSON, and takes whatever it is answered in."""

    def __init__(
        self, roomd: Roomd, token: str, speaks_json: bool = False, header: bool = False, **query
    ):
        super().__init__()
        self.speaks_json = speaks_json
        self.is_text: list[bool] = []
        self.closed_with: int | None = None
        headers = {"Authorization": f"Bearer {token}"} if header else {}
        asked = query if header else {"access_token": token, **query}
        connection = connect(
            f"ws://{roomd.address}/rtc?{urllib.parse.urlencode(asked)}",
            additional_headers=headers,
            max_size=FRAME_BYTES_MAX,
            proxy=None,
        )
        self._open = ExitStack()
        self._socket = self._open.enter_context(connection)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for frame in self._socket:
                self.is_text.append(isinstance(frame, str))
                if isinstance(frame, str):
                    self.messages.append(json_format.Parse(frame, rtc.SignalResponse()))
                else:
                    self.messages.append(rtc.SignalResponse.FromString(frame))
        except ConnectionClosed as error:
            self.error = error
        self.closed_with = self._socket.close_code
        self._ended.set()

    def send(self, **message) -> None:
        request = rtc.SignalRequest(**message)
        if self.speaks_json:
            self._socket.send(json_format.MessageToJson(request))
        else:
            self._socket.send(request.SerializeToString())

    def send_raw(self, frame: str | bytes) -> None:
        self._socket.send(frame)

    def close(self) -> None:
        self._open.close()
