"""Files in a bucket: real clients, a server that speaks S3, and what an operator can do wrong."""

from __future__ import annotations

import secrets
import sqlite3
import subprocess

import httpx
import psycopg
import pytest
from harness import Database, Roomd, binary, clean_environment, eventually, free_port
from liveblocks import Liveblocks, LiveblocksError
from liveblocks.models import (
    CompleteAttachmentMultipartUploadRequestBody,
    CreateRoomRequestBody,
    CreateThreadRequestBody,
)
from liveblocks.types import File
from realtime import NODE_FOLDER, run_node_tests
from s3 import S3, documented_rights

NODE_TESTS = ["realtime/files.test.mjs"]
NODE_WITHIN_SECONDS = 120
START_FAILS_WITHIN_SECONDS = 20
PREFIX = "some/files"
PART_BYTES = 5 << 20
BODY = {"version": 1, "content": [{"type": "paragraph", "children": [{"text": "see"}]}]}
NOT_REACHABLE = "The store of files is not reachable, please retry."


@pytest.fixture(scope="module")
def s3():
    s3 = S3()
    yield s3
    s3.close()


@pytest.fixture(scope="module")
def bucket(s3, database):
    name = f"files-{database.kind}"
    s3.create_bucket(name)
    return name


@pytest.fixture(scope="module")
def server(s3, bucket, database, tmp_path_factory):
    """Has the rights that the guide names, and no others."""
    rights = documented_rights(bucket, PREFIX)
    # The server under moto asks for the right to delete many on the bucket, S3 on each object.
    many = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}"}
    rights["Statement"].append(many)
    roomd = Roomd(
        Database.create(database.kind),
        tmp_path_factory.mktemp(f"roomd-s3-{database.kind}"),
        extra=["--file-store", f"s3://{bucket}/{PREFIX}"],
        environment=s3.environment(s3.user(f"roomd-{database.kind}", rights)),
    )
    try:
        yield roomd.start()
        roomd.stop()
    finally:
        roomd.cleanup()
        roomd.database.drop()


@pytest.fixture(scope="module")
def api(server):
    with Liveblocks(secret=server.secret_key, base_url=server.url) as client:
        yield client


@pytest.fixture
def room(api, prefix):
    api.create_room(body=CreateRoomRequestBody.from_dict({"id": prefix, "defaultAccesses": []}))
    return prefix


def content_of(size: int) -> bytes:
    return secrets.token_bytes(size)


def new_id() -> str:
    return f"at_{secrets.token_hex(11)[:21]}"


def upload(api, room: str, attachment: str, content: bytes) -> None:
    api.upload_attachment(
        room, attachment, "a.bin", body=File(payload=content), user_id="ann", file_size=len(content)
    )


def upload_part(api, room: str, begun, number: int, content: bytes) -> dict:
    place = (room, begun.attachment_id, begun.upload_id, number)
    return api.upload_attachment_multipart_part(*place, body=File(payload=content)).to_dict()


def complete(api, room: str, begun, receipts: list[dict]) -> None:
    body = CompleteAttachmentMultipartUploadRequestBody.from_dict({"parts": receipts})
    place = (room, begun.attachment_id, begun.upload_id)
    api.complete_attachment_multipart_upload(*place, body=body, user_id="ann")


def comment_on(api, room: str, attachments: list[str]):
    comment = {"userId": "ann", "body": BODY, "attachmentIds": attachments}
    return api.create_thread(room, body=CreateThreadRequestBody.from_dict({"comment": comment}))


def download(api, room: str, attachment: str) -> httpx.Response:
    return httpx.get(api.get_attachment(room, attachment).url)


def sweep(server: Roomd) -> None:
    """A server sweeps as soon as it has started."""
    server.stop()
    server.start()


def count(server: Roomd, table: str) -> int:
    """Rows of a table, as the database itself counts them."""
    query = f"SELECT COUNT(*) FROM {table}"
    if server.database.url:
        with psycopg.connect(server.database.url) as connection:
            return connection.execute(query).fetchone()[0]
    connection = sqlite3.connect(server.folder / "data/roomd.db")
    try:
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()


def refused(call, *words) -> None:
    """The uploader learns that it may try again, and nothing of the bucket."""
    with pytest.raises(LiveblocksError) as raised:
        call(*words)
    assert raised.value.status == 503
    assert raised.value.args[0] == NOT_REACHABLE
    assert raised.value.details is None


@pytest.mark.parametrize("path", NODE_TESTS)
def test_real_clients_keep_files_in_the_bucket(s3, bucket, server, api, subtests, path):
    before = s3.objects(bucket)
    run_node_tests(server, subtests, NODE_FOLDER / path, NODE_WITHIN_SECONDS)
    added = {key: size for key, size in s3.objects(bucket).items() if key not in before}
    assert any(size == PART_BYTES for size in added.values()), added
    assert count(server, "content_chunk") == 0, "no byte of a file is in the database"
    # A room that is deleted takes all of its files along, those in Storage too.
    for room in api.get_rooms(limit=100).data:
        api.delete_room(room.id)
    sweep(server)
    eventually("its objects are deleted", lambda: not added.keys() & s3.objects(bucket).keys())


def test_objects_are_there_until_their_comment_is_gone(s3, bucket, server, api, room):
    before = s3.objects(bucket)
    whole = content_of(300_000)
    parts = [content_of(PART_BYTES), content_of(PART_BYTES), b"end"]
    single = new_id()
    upload(api, room, single, whole)
    size = sum(len(part) for part in parts)
    begun = api.create_attachment_multipart_upload(room, new_id(), "b.bin", file_size=size)
    # A part that is sent again takes the place of the first.
    upload_part(api, room, begun, 3, b"other")
    receipts = [upload_part(api, room, begun, n, part) for n, part in enumerate(parts, 1)]
    complete(api, room, begun, receipts)
    thread = comment_on(api, room, [single, begun.attachment_id])
    assert download(api, room, single).content == whole
    assert download(api, room, begun.attachment_id).content == b"".join(parts)
    added = s3.objects(bucket).keys() - before.keys()
    assert all(key.startswith(f"{PREFIX}/default/") for key in added), added
    assert sorted(s3.read(bucket, key) for key in added) == sorted([whole, *parts])
    url = api.get_attachment(room, single).url
    api.delete_comment(room, thread.id, thread.comments[0].id)
    assert httpx.get(url).status_code == 404
    sweep(server)
    eventually("its objects are deleted", lambda: not added & s3.objects(bucket).keys())


def test_an_outage_of_the_bucket_keeps_nothing_and_passes(s3, bucket, server, api, room):
    content, first, second = content_of(700_000), content_of(PART_BYTES), content_of(1000)
    kept, dropped, late = new_id(), new_id(), new_id()
    upload(api, room, kept, content)
    upload(api, room, dropped, content)
    thread = comment_on(api, room, [dropped])
    begun = api.create_attachment_multipart_upload(room, new_id(), "b.bin")
    receipts = [upload_part(api, room, begun, 1, first)]
    before = s3.objects(bucket)
    assert count(server, "storage_upload") == 1
    s3.proxy.cut()
    try:
        refused(upload, api, room, late, content)
        refused(upload_part, api, room, begun, 2, second)
        answer = download(api, room, kept)
        assert (answer.status_code, answer.json()["message"]) == (503, NOT_REACHABLE)
        with pytest.raises(LiveblocksError) as absent:
            api.get_attachment(room, late)
        assert absent.value.status == 404
        assert count(server, "storage_upload") == 1, "what failed is no unfinished upload"
        # What needs no bucket goes on, and what is deleted now is deleted there later.
        assert server.readiness() == 200
        api.delete_comment(room, thread.id, thread.comments[0].id)
    finally:
        s3.proxy.mend()
    assert s3.objects(bucket) == before
    assert download(api, room, kept).content == content
    upload(api, room, late, content)
    complete(api, room, begun, [*receipts, upload_part(api, room, begun, 2, second)])
    assert download(api, room, late).content == content
    assert download(api, room, begun.attachment_id).content == first + second
    sweep(server)
    # The two that were kept, the two parts, and nothing of what failed.
    expected = sorted([len(content), len(content), len(first), len(second)])

    def of_this_room() -> bool:
        return sorted(s3.objects(bucket).values()) == expected

    eventually("what was deleted meanwhile is deleted", of_this_room)
    api.delete_room(room)


def start(place: str, environment: dict[str, str | None], folder) -> subprocess.CompletedProcess[str]:
    words = [binary(), "--listen", f"127.0.0.1:{free_port()}", "--data-dir", str(folder / "data")]
    return subprocess.run(
        [*words, "--file-store", place],
        env=clean_environment() | {name: value for name, value in environment.items() if value},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=START_FAILS_WITHIN_SECONDS,
    )


READS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
WRONG_STARTS = {
    "secret": ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "403 Forbidden: SignatureDoesNotMatch: "),
    "key": ({"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, "403 Forbidden: InvalidAccessKeyId: "),
    "no-right": ({}, "403 Forbidden: AccessDenied: Access Denied"),
    "half-a-key": ({"AWS_SECRET_ACCESS_KEY": None}, "Missing SecretAccessKey"),
    "no-scheme": ({"AWS_ENDPOINT": "minio:9000"}, "AWS_ENDPOINT must be an address such as"),
    "plain-http": ({"AWS_ALLOW_HTTP": "false"}, "which needs AWS_ALLOW_HTTP=true"),
    "nobody-there": ({"AWS_ENDPOINT": "http://127.0.0.1:1"}, "Connection refused"),
}


@pytest.fixture(scope="module")
def reader(s3):
    s3.create_bucket("read-only")
    return s3.environment(s3.user("reader", READS))


@pytest.mark.parametrize("wrong", WRONG_STARTS)
def test_a_bucket_that_cannot_be_used_ends_the_start(reader, tmp_path, wrong):
    change, said = WRONG_STARTS[wrong]
    ended = start(f"s3://read-only/{PREFIX}", reader | change, tmp_path)
    assert ended.returncode == 1
    told = [line for line in ended.stderr.splitlines() if line.startswith("roomd: ")]
    expected = f"roomd: option `file_store`: s3://read-only/{PREFIX} cannot be used: "
    assert len(told) == 1 and told[0].startswith(expected) and said in told[0], ended.stderr
    assert told[0].count("cannot be used") == 1 and told[0].count(said) == 1
    secret = (reader | change)["AWS_SECRET_ACCESS_KEY"]
    assert secret is None or secret not in ended.stderr
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_a_server_without_bulk_deletion_will_do(s3, tmp_path):
    """Moto refuses it to whoever may delete objects only, so the start fails without the variable."""
    s3.create_bucket("simple")
    environment = s3.environment(s3.user("simple", documented_rights("simple", PREFIX)))
    ended = start(f"s3://simple/{PREFIX}", environment, tmp_path)
    assert ended.returncode == 1 and "DeleteObjects request failed" in ended.stderr
    roomd = Roomd(
        Database("sqlite"),
        tmp_path / "roomd",
        extra=["--file-store", f"s3://simple/{PREFIX}"],
        environment=environment | {"AWS_DISABLE_BULK_DELETE": "true"},
    )
    try:
        roomd.start()
        assert s3.objects("simple") == {}, "the start leaves nothing"
        roomd.stop()
    finally:
        roomd.cleanup()
