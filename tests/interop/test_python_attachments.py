"""Every method about attachments of PyPI liveblocks 3.23.0, by both of its clients."""

from __future__ import annotations

import io

import httpx
import pytest
from liveblocks import LiveblocksError
from liveblocks.models import (
    CompleteAttachmentMultipartUploadRequestBody,
    CreateRoomRequestBody,
    CreateThreadRequestBody,
)
from liveblocks.types import File

ATTACHMENT = "at_abcdefghijklmnopqrstu"
PART_BYTES = 5 << 20
BODY = {"version": 1, "content": [{"type": "paragraph", "children": [{"text": "see"}]}]}


@pytest.fixture
def room(api, prefix):
    api.create_room(body=CreateRoomRequestBody.from_dict({"id": prefix, "defaultAccesses": []}))
    return prefix


def file(content: bytes) -> File:
    return File(payload=io.BytesIO(content))


def upload(api, room: str, content: bytes, name: str = "é b.png", **more) -> dict:
    more = {"user_id": "ann", "file_size": len(content)} | more
    return api.upload_attachment(room, ATTACHMENT, name, body=file(content), **more).to_dict()


def refused(status: int, call, *words, **named) -> None:
    with pytest.raises(LiveblocksError) as raised:
        call(*words, **named)
    assert raised.value.status == status


def test_an_attachment_is_uploaded_shown_and_downloaded(api, room):
    content = bytes(range(256)) * 1000
    stored = upload(api, room, content)
    assert stored == {
        "type": "attachment",
        "id": ATTACHMENT,
        "name": "é b.png",
        "size": len(content),
        "mimeType": "image/png",
    }
    # Once more with the same bytes is the same attachment; with others it is refused.
    assert upload(api, room, content) == stored
    refused(409, upload, api, room, content, name="other.png")
    refused(409, upload, api, room, content, file_size=7)
    shown = api.get_attachment(room, ATTACHMENT)
    assert {key: shown.to_dict()[key] for key in stored} == stored
    downloaded = httpx.get(shown.url)
    assert downloaded.status_code == 200
    assert downloaded.headers["content-type"] == "image/png"
    assert downloaded.content == content
    assert httpx.get(shown.url + "x").status_code == 403
    refused(404, api.get_attachment, room, "at_nobody")
    refused(404, api.get_attachment, f"{room}nobody", ATTACHMENT)


def test_an_attachment_comes_in_parts(api, room):
    parts = [bytes([number]) * PART_BYTES for number in (1, 2)] + [b"end"]
    size = sum(len(part) for part in parts)
    begun = api.create_attachment_multipart_upload(room, ATTACHMENT, "a.bin", file_size=size)
    assert begun.attachment_id == ATTACHMENT
    receipts = []
    for number, part in reversed(list(enumerate(parts, 1))):
        receipt = api.upload_attachment_multipart_part(
            room, ATTACHMENT, begun.upload_id, number, body=file(part)
        )
        assert receipt.part_number == number
        receipts.append(receipt.to_dict())
    body = CompleteAttachmentMultipartUploadRequestBody.from_dict({"parts": receipts})
    done = api.complete_attachment_multipart_upload(
        room, ATTACHMENT, begun.upload_id, body=body, user_id="ann"
    )
    assert (done.size, done.mime_type) == (size, "application/octet-stream")
    assert httpx.get(api.get_attachment(room, ATTACHMENT).url).content == b"".join(parts)


def test_an_upload_is_dropped(api, room):
    begun = api.create_attachment_multipart_upload(room, ATTACHMENT, "a.bin")
    drop = (room, ATTACHMENT, begun.upload_id)
    assert api.abort_attachment_multipart_upload(*drop) is None
    refused(404, api.abort_attachment_multipart_upload, *drop)
    refused(404, api.upload_attachment_multipart_part, *drop, 1, body=file(b"late"))


def test_a_comment_takes_an_attachment_once(api, room):
    stored = upload(api, room, b"hi", "a.txt")
    comment = {"userId": "ann", "body": BODY, "attachmentIds": [ATTACHMENT]}
    body = CreateThreadRequestBody.from_dict({"comment": comment})
    thread = api.create_thread(room, body=body)
    assert [one.to_dict() for one in thread.comments[0].attachments] == [stored]
    refused(422, api.create_thread, room, body=body)
    api.delete_comment(room, thread.id, thread.comments[0].id)
    refused(404, api.get_attachment, room, ATTACHMENT)
