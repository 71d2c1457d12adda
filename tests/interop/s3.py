"""A server that speaks S3 and checks signatures and rights, behind a proxy that can be cut."""

from __future__ import annotations

import json
import logging
import re

import boto3
import httpx
from harness import REPOSITORY, Proxy
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
GUIDE = REPOSITORY / "docs/attachments.md"
# A user of ours for the bucket itself, so that the tests see what the server under test may not.
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def documented_rights(bucket: str, prefix: str) -> dict:
    """What the guide tells operators to grant."""
    text = re.search(r"```json\n(\{\s*\"Version\".*?)```", GUIDE.read_text(), re.DOTALL)
    assert text, "the guide shows no policy"
    named = text[1].replace(":::bucket/prefix/", f":::{bucket}/{prefix}/")
    named = named.replace(':::bucket"', f':::{bucket}"')
    return json.loads(named)


class S3:
    """Open to everybody until it has a user of its own; then every request needs one with the right."""

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        self._address = self._server.get_host_and_port()
        # What moto holds is one for the whole process, and another server may have been here before.
        self._tell("reset")
        self._tell("reset-auth", b"inf")
        self.proxy = Proxy(self._address)
        open_to_all = {"aws_access_key_id": "setup", "aws_secret_access_key": "setup"}
        self._users = self._client("iam", open_to_all)
        self._own = self.user("tests", EVERYTHING)
        self._tell("reset-auth", b"0")
        self._users = self._client("iam", self._own)
        self._buckets = self._client("s3", self._own)

    def close(self) -> None:
        self.proxy.close()
        self._server.stop()

    def _client(self, service: str, keys: dict[str, str]):
        host, port = self._address
        return boto3.client(
            service, endpoint_url=f"http://{host}:{port}", region_name=REGION, **keys
        )

    def _tell(self, what: str, content: bytes = b"") -> None:
        host, port = self._address
        httpx.post(f"http://{host}:{port}/moto-api/{what}", content=content).raise_for_status()

    def user(self, name: str, rights: dict) -> dict[str, str]:
        """Keys of a new user, as boto3 names them."""
        self._users.create_user(UserName=name)
        self._users.put_user_policy(
            UserName=name, PolicyName="rights", PolicyDocument=json.dumps(rights)
        )
        key = self._users.create_access_key(UserName=name)["AccessKey"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }

    def create_bucket(self, name: str) -> None:
        place = {"LocationConstraint": REGION}
        self._buckets.create_bucket(Bucket=name, CreateBucketConfiguration=place)

    def environment(self, keys: dict[str, str]) -> dict[str, str]:
        """What an operator sets, by way of the proxy."""
        return {
            "AWS_ENDPOINT": f"http://127.0.0.1:{self.proxy.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": REGION,
        } | {name.upper(): value for name, value in keys.items()}

    def objects(self, bucket: str) -> dict[str, int]:
        """The size in bytes of each."""
        pages = self._buckets.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}

    def read(self, bucket: str, key: str) -> bytes:
        return self._buckets.get_object(Bucket=bucket, Key=key)["Body"].read()
