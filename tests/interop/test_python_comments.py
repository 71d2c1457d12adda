"""Every method about comments of PyPI liveblocks 3.23.0, by both of its clients."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from liveblocks import LiveblocksError
from liveblocks.models import (
    AddCommentReactionRequestBody,
    CreateCommentRequestBody,
    CreateRoomRequestBody,
    CreateThreadRequestBody,
    EditCommentMetadataRequestBody,
    EditCommentRequestBody,
    RemoveCommentReactionRequestBody,
)

WRITTEN_AT = datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)


@pytest.fixture
def room(api, prefix):
    api.create_room(body=CreateRoomRequestBody.from_dict({"id": prefix, "defaultAccesses": []}))
    return prefix


def says(text: str) -> dict:
    return {"version": 1, "content": [{"type": "paragraph", "children": [{"text": text}]}]}


RICH = {
    "version": 1,
    "content": [
        {
            "type": "paragraph",
            "children": [
                {"text": "Hi "},
                {"type": "mention", "kind": "user", "id": "bob"},
                {"text": ", bold", "bold": True, "italic": True, "code": True},
                {"type": "link", "url": "https://example.com/?q=é", "text": "here"},
                {"type": "mention", "kind": "group", "id": "crew", "userIds": ["cy"]},
            ],
        },
        {"type": "chart", "values": [1, 2.5, None, {"deep": True}]},
    ],
}


def new_thread(api, room: str, body: dict | None = None, **more):
    comment = {"userId": "ann", "body": body or says("hi"), **more.pop("comment", {})}
    given = CreateThreadRequestBody.from_dict({"comment": comment, **more})
    return api.create_thread(room, body=given)


def reply(api, room: str, thread: str, **more):
    given = {"userId": "bob", "body": says("yes"), **more}
    return api.create_comment(room, thread, body=CreateCommentRequestBody.from_dict(given))


def react(api, room: str, thread: str, comment: str, **given):
    body = AddCommentReactionRequestBody.from_dict(given)
    return api.add_comment_reaction(room, thread, comment, body=body)


def take_back(api, room: str, thread: str, comment: str, **given):
    body = RemoveCommentReactionRequestBody.from_dict(given)
    return api.remove_comment_reaction(room, thread, comment, body=body)


def edit(api, room: str, thread: str, comment: str, **given):
    body = EditCommentRequestBody.from_dict({"body": says("better"), **given})
    return api.edit_comment(room, thread, comment, body=body)


def refused(status: int, call, *words, **named) -> None:
    with pytest.raises(LiveblocksError) as raised:
        call(*words, **named)
    assert raised.value.status == status


def test_a_thread_is_made_and_read_as_it_was_written(api, room):
    metadata = {"color": "red", "x": 1.5, "n": -3, "open": True}
    comment = {"createdAt": WRITTEN_AT.isoformat(), "metadata": {"draft": False}}
    made = new_thread(api, room, RICH, metadata=metadata, comment=comment)
    assert made.id.startswith("th_") and len(made.id) == 24
    assert (made.room_id, made.resolved, made.visibility) == (room, False, "public")
    assert made.metadata.to_dict() == metadata
    [first] = made.comments
    assert first.id.startswith("cm_") and first.thread_id == made.id
    assert (first.user_id, first.created_at) == ("ann", WRITTEN_AT)
    assert first.body.to_dict() == RICH
    assert first.metadata.to_dict() == {"draft": False}
    assert (first.reactions, first.attachments) == ([], [])
    assert "editedAt" not in first.to_dict() and "deletedAt" not in first.to_dict()
    assert api.get_thread(room, made.id).to_dict() == made.to_dict()
    assert api.get_comment(room, made.id, first.id).to_dict() == first.to_dict()

    private = new_thread(api, room, visibility="private")
    assert api.get_thread(room, private.id).visibility == "private"


def test_what_cannot_be_written_is_refused(api, room):
    thread = new_thread(api, room).id
    refused(404, new_thread, api, f"{room}nobody")
    refused(404, api.get_thread, room, "th_nobody")
    refused(404, api.get_comment, room, thread, "cm_nobody")
    refused(404, reply, api, room, "th_nobody")
    refused(422, new_thread, api, room, {"version": 2, "content": []})
    refused(422, new_thread, api, room, {"version": 1, "content": [{"type": "paragraph"}]})
    refused(422, new_thread, api, room, says("x" * (65 << 10)))
    refused(422, new_thread, api, room, metadata={"k" * 41: 1})
    refused(422, new_thread, api, room, metadata={"k": "v" * 4001})
    refused(422, new_thread, api, room, metadata={f"k{n}": n for n in range(51)})
    refused(422, reply, api, room, thread, attachmentIds=["at_nobody"])


def test_comments_are_added_edited_and_deleted(api, room):
    thread = new_thread(api, room)
    first = thread.comments[0]
    second = reply(api, room, thread.id, metadata={"n": 1, "gone": "x"})
    assert (second.user_id, second.body.to_dict()) == ("bob", says("yes"))
    found = api.get_thread(room, thread.id)
    assert [comment.id for comment in found.comments] == [first.id, second.id]
    assert found.updated_at > thread.updated_at

    when = WRITTEN_AT.isoformat()
    given = {"n": 2, "gone": None, "new": True}
    edited = edit(api, room, thread.id, second.id, editedAt=when, metadata=given)
    assert (edited.id, edited.body.to_dict()) == (second.id, says("better"))
    assert (edited.edited_at, edited.created_at) == (WRITTEN_AT, second.created_at)
    assert edited.metadata.to_dict() == {"n": 2, "new": True}
    assert edit(api, room, thread.id, second.id).edited_at > WRITTEN_AT
    refused(404, edit, api, room, thread.id, "cm_nobody")
    refused(422, edit, api, room, thread.id, second.id, body={"version": 1, "content": [{}]})

    assert api.delete_comment(room, thread.id, second.id) is None
    gone = api.get_comment(room, thread.id, second.id)
    assert gone.deleted_at > second.created_at
    assert "body" not in gone.to_dict() and gone.metadata.to_dict() == {}
    refused(404, api.delete_comment, room, thread.id, second.id)
    refused(404, edit, api, room, thread.id, second.id)
    assert len(api.get_thread(room, thread.id).comments) == 2
    # With its last comment the thread goes.
    assert api.delete_comment(room, thread.id, first.id) is None
    refused(404, api.get_thread, room, thread.id)


def test_metadata_of_a_comment_is_merged(api, room):
    thread = new_thread(api, room, comment={"metadata": {"a": "1", "b": 2}})
    comment = thread.comments[0].id

    def merge(given: dict) -> dict:
        body = {"metadata": given, "userId": "bob", "updatedAt": WRITTEN_AT.isoformat()}
        body = EditCommentMetadataRequestBody.from_dict(body)
        return api.edit_comment_metadata(room, thread.id, comment, body=body).to_dict()

    assert merge({"a": None, "c": True}) == {"b": 2, "c": True}
    assert merge({}) == {"b": 2, "c": True}
    assert api.get_comment(room, thread.id, comment).metadata.to_dict() == {"b": 2, "c": True}
    refused(422, merge, {"list": ["x"]})
    refused(422, merge, {f"k{n}": n for n in range(49)})


def test_reactions_are_added_once_and_taken_back(api, room):
    thread = new_thread(api, room).id
    comment = api.get_thread(room, thread).comments[0].id
    at = (room, thread, comment)
    made = react(api, *at, userId="bob", emoji="👍", createdAt=WRITTEN_AT.isoformat())
    assert (made.user_id, made.emoji, made.created_at) == ("bob", "👍", WRITTEN_AT)
    refused(409, react, api, *at, userId="bob", emoji="👍")
    react(api, *at, userId="cy", emoji="👍")
    react(api, *at, userId="bob", emoji="👩🏽‍🚀")
    found = api.get_comment(*at).reactions
    assert [(one.emoji, one.user_id) for one in found] == [("👍", "bob"), ("👩🏽‍🚀", "bob")]
    for wrong in ["ok", "", "👍👍", ":+1:", "1"]:
        refused(422, react, api, *at, userId="bob", emoji=wrong)
    refused(404, react, api, room, thread, "cm_nobody", userId="bob", emoji="👍")

    assert take_back(api, *at, userId="bob", emoji="👍") is None
    refused(404, take_back, api, *at, userId="bob", emoji="👍")
    found = api.get_comment(*at).reactions
    assert [(one.emoji, one.user_id) for one in found] == [("👍", "cy"), ("👩🏽‍🚀", "bob")]
