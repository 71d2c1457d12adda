"""What the tests of comments share: a room with private threads, and how a back end writes."""

from __future__ import annotations

from liveblocks import Liveblocks
from liveblocks.models import (
    AddCommentReactionRequestBody,
    CreateCommentRequestBody,
    CreateRoomRequestBody,
    CreateThreadRequestBody,
    EditThreadMetadataRequestBody,
    MarkThreadAsResolvedRequestBody,
)

BASE = ["*:read", "comments:public:write"]


def says(text: str, *mentions: str) -> dict:
    """A body of one paragraph: this text, and whoever is mentioned after it."""
    children: list[dict] = [{"text": text}]
    for user in mentions:
        children += [{"text": " "}, {"type": "mention", "kind": "user", "id": user}]
    return {"version": 1, "content": [{"type": "paragraph", "children": children}]}


class Moderator:
    """A back end that works on the threads of one room."""

    def __init__(self, liveblocks: Liveblocks, room: str):
        self.liveblocks = liveblocks
        self.room = room

    def make_room(self) -> None:
        """As seed 003 has it: everybody writes public threads, reviewers private ones too."""
        body = {
            "id": self.room,
            "defaultAccesses": [*BASE, "comments:private:none"],
            "groupsAccesses": {"reviewers": [*BASE, "comments:private:write"]},
        }
        self.liveblocks.create_room(body=CreateRoomRequestBody.from_dict(body))

    def threads(self) -> list[dict]:
        return [thread.to_dict() for thread in self.liveblocks.get_threads(self.room).data]

    def thread(self, thread: str) -> dict:
        return self.liveblocks.get_thread(self.room, thread).to_dict()

    def create(self, user: str, text: str, visibility: str = "public") -> dict:
        body = {"comment": {"userId": user, "body": says(text)}, "visibility": visibility}
        request = CreateThreadRequestBody.from_dict(body)
        return self.liveblocks.create_thread(self.room, body=request).to_dict()

    def reply(self, thread: str, user: str, text: str, *mentions: str) -> dict:
        body = CreateCommentRequestBody.from_dict({"userId": user, "body": says(text, *mentions)})
        return self.liveblocks.create_comment(self.room, thread, body=body).to_dict()

    def delete(self, thread: str, comment: str) -> None:
        self.liveblocks.delete_comment(self.room, thread, comment)

    def delete_thread(self, thread: str) -> None:
        self.liveblocks.delete_thread(self.room, thread)

    def label(self, thread: str, **metadata) -> dict:
        body = {"metadata": metadata, "userId": "moderator"}
        request = EditThreadMetadataRequestBody.from_dict(body)
        return self.liveblocks.edit_thread_metadata(self.room, thread, body=request).to_dict()

    def resolve(self, thread: str) -> None:
        body = MarkThreadAsResolvedRequestBody.from_dict({"userId": "moderator"})
        self.liveblocks.mark_thread_as_resolved(self.room, thread, body=body)

    def react(self, thread: str, comment: str, user: str, emoji: str) -> None:
        body = AddCommentReactionRequestBody.from_dict({"userId": user, "emoji": emoji})
        self.liveblocks.add_comment_reaction(self.room, thread, comment, body=body)
