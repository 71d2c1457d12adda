"""Every method about whole threads of PyPI liveblocks 3.23.0, by both of its clients."""

from __future__ import annotations

import pytest
from liveblocks import LiveblocksError
from liveblocks.models import (
    CreateRoomRequestBody,
    CreateThreadRequestBody,
    EditThreadMetadataRequestBody,
    MarkThreadAsResolvedRequestBody,
    MarkThreadAsUnresolvedRequestBody,
)


@pytest.fixture
def room(api, prefix):
    api.create_room(body=CreateRoomRequestBody.from_dict({"id": prefix, "defaultAccesses": []}))
    return prefix


def new_thread(api, room: str, **more):
    content = [{"type": "paragraph", "children": [{"text": "hi"}]}]
    comment = {"userId": "ann", "body": {"version": 1, "content": content}}
    given = CreateThreadRequestBody.from_dict({"comment": comment, **more})
    return api.create_thread(room, body=given)


def refused(status: int, call, *words, **named) -> None:
    with pytest.raises(LiveblocksError) as raised:
        call(*words, **named)
    assert raised.value.status == status


def test_threads_are_listed_and_found(api, room):
    assert api.get_threads(room).data == []
    red = new_thread(api, room, metadata={"color": "red", "n": 3}).id
    blue = new_thread(api, room, metadata={"color": "blue", "n": 5}, visibility="private").id
    mark = MarkThreadAsResolvedRequestBody.from_dict({"userId": "bob"})
    api.mark_thread_as_resolved(room, blue, body=mark)

    def found(query: str) -> set[str]:
        return {thread.id for thread in api.get_threads(room, query=query).data}

    assert {thread.id for thread in api.get_threads(room).data} == {red, blue}
    assert found("metadata['color']:'red'") == {red}
    assert found('metadata["color"]^"b"') == {blue}
    assert found("metadata['n']>=3 AND metadata['n']<5") == {red}
    assert found("resolved:true") == found("visibility:'private'") == {blue}
    assert found("metadata['nobody']:null resolved:false") == {red}
    refused(422, api.get_threads, room, query="nonsense")
    refused(404, api.get_threads, f"{room}nobody")


def test_threads_are_changed_and_deleted(api, room):
    made = new_thread(api, room, metadata={"a": "1", "b": 2})

    def merge(given: dict) -> dict:
        body = EditThreadMetadataRequestBody.from_dict({"metadata": given, "userId": "bob"})
        return api.edit_thread_metadata(room, made.id, body=body).to_dict()

    assert merge({"a": None, "c": False}) == {"b": 2, "c": False}
    assert api.get_thread(room, made.id).metadata.to_dict() == {"b": 2, "c": False}
    refused(422, merge, {"k" * 41: "v"})

    resolve = MarkThreadAsResolvedRequestBody.from_dict({"userId": "bob"})
    resolved = api.mark_thread_as_resolved(room, made.id, body=resolve)
    assert resolved.resolved and resolved.updated_at > made.updated_at
    reopen = MarkThreadAsUnresolvedRequestBody.from_dict({"userId": "bob"})
    assert not api.mark_thread_as_unresolved(room, made.id, body=reopen).resolved

    assert api.delete_thread(room, made.id) is None
    refused(404, api.get_thread, room, made.id)
    refused(404, api.delete_thread, room, made.id)
    refused(404, merge, {"a": "b"})
    refused(404, api.mark_thread_as_resolved, room, made.id, body=resolve)
