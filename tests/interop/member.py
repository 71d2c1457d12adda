"""What somebody in a room has heard, by whichever protocol."""

from __future__ import annotations

import threading

from harness import eventually


class Member:
    """What comes is kept in `messages`, in its order, by a thread that reads until the end."""

    def __init__(self) -> None:
        self.messages: list = []
        self.error: Exception | None = None
        self._ended = threading.Event()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def all(self, kind: str) -> list:
        return [getattr(m, kind) for m in list(self.messages) if m.WhichOneof("message") == kind]

    def first(self, kind: str, check=lambda message: True):
        """The first message of this kind that fits, once it has come."""

        def found():
            fitting = [m for m in self.all(kind) if check(m)]
            if not fitting and self.ended:
                raise AssertionError(f"it ended before {kind}: {self.error}")
            return fitting[:1]

        return eventually(f"{kind} comes", found)[0]

    # What LiveKit's clients are told; a protocol may wrap it.
    signals, signal = all, first

    def told_of(self, identity: str, check=lambda info: True):
        """News of a participant, once they have come."""

        def fitting(update) -> list:
            return [p for p in update.participants if p.identity == identity and check(p)]

        return fitting(self.signal("update", fitting))[0]

    @property
    def welcome(self):
        """What a newcomer is told of the session."""
        return self.signal("join")
