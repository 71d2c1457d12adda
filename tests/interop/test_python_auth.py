"""PyPI liveblocks 3.23.0: sessions, ID tokens and keys; and what the tokens open."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest
from harness import DEV_PUBLIC_KEY, DEV_SECRET_KEY
from liveblocks.models import AuthorizeUserRequestBody, IdentifyUserRequestBody
from test_python_rooms import Json, create, failure

TOKEN_SECONDS = 3600


def claims_of(http, token: str) -> dict:
    """Verifies a token as an outsider does: by nothing but the published keys."""
    published = httpx.get(f"{str(http.base_url).rstrip('/')}/.well-known/jwks.json")
    keys = jwt.PyJWKSet.from_dict(published.json())
    header = jwt.get_unverified_header(token)
    assert header["alg"] in ("ES256", "EdDSA")
    key = keys[header["kid"]]
    assert key.algorithm_name == header["alg"]
    claims = jwt.decode(
        token, key, algorithms=[header["alg"]], options={"require": ["exp", "iat", "jti"]}
    )
    assert claims["exp"] - claims["iat"] == TOKEN_SECONDS
    assert abs(claims["iat"] - time.time()) < 60
    return claims


@pytest.fixture
def as_user(server):
    clients = []

    def bearer(token: str) -> httpx.Client:
        client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"})
        clients.append(client)
        return client

    yield bearer
    for client in clients:
        client.close()


def authorize(api, user_id, perms, **options):
    session = api.client.prepare_session(user_id, **options)
    for pattern, scopes in perms.items():
        session.allow(pattern, scopes)
    return api.wait(session.authorize()).token


def test_an_access_token_carries_what_was_asked(api, http, prefix):
    perms = {f"{prefix}one": ["*:write"], f"{prefix}team:*": ["*:read", "comments:write"]}
    info = {"name": "Älice", "avatar": "https://example.org/a.png", "nested": {"a": [1, None]}}
    token = authorize(api, "alice", perms, user_info=info)
    claims = claims_of(http, token)
    assert claims["k"] == "acc"
    assert claims["uid"] == "alice"
    assert claims["ui"] == info
    assert {room: sorted(scopes) for room, scopes in claims["perms"].items()} == {
        room: sorted(scopes) for room, scopes in perms.items()
    }
    assert isinstance(claims["pid"], str) and claims["pid"]
    other = authorize(api, "alice", perms, user_info=info)
    assert other != token and claims_of(http, other)["jti"] != claims["jti"]


def test_an_id_token_carries_the_groups(api, http):
    body = IdentifyUserRequestBody.from_dict(
        {"userId": "bob@example.org", "groupIds": ["eng", "ops"], "userInfo": {"name": "Bob"}}
    )
    claims = claims_of(http, api.identify_user(body=body).token)
    assert claims["k"] == "id"
    assert claims["uid"] == "bob@example.org"
    assert sorted(claims["gids"]) == ["eng", "ops"]
    assert claims["ui"] == {"name": "Bob"}
    assert "perms" not in claims
    plain = claims_of(http, api.identify_user(body=IdentifyUserRequestBody(user_id="bob")).token)
    assert plain["uid"] == "bob" and not plain.get("gids")


def test_an_access_token_opens_its_rooms_and_no_others(api, as_user, prefix):
    for name in ("one", "team:a", "team:b", "secret"):
        create(api, prefix + name, defaultAccesses=["*:write"])
    token = authorize(api, "alice", {f"{prefix}one": ["*:write"], f"{prefix}team:*": ["*:read"]})
    alice = as_user(token)
    assert alice.get(f"/v2/rooms/{prefix}one").json()["id"] == f"{prefix}one"
    assert alice.get(f"/v2/rooms/{prefix}team:a").status_code == 200
    hidden = alice.get(f"/v2/rooms/{prefix}secret")
    missing = alice.get(f"/v2/rooms/{prefix}missing")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json(), "a room that may not be seen does not exist"
    assert alice.post(f"/v2/rooms/{prefix}one/broadcast-event", json={}).status_code == 204
    refused = alice.post(f"/v2/rooms/{prefix}team:a/broadcast-event", json={})
    assert (refused.status_code, refused.json()["error"]) == (403, "UNAUTHORIZED_ROOM_ACCESS")
    assert alice.delete(f"/v2/rooms/{prefix}one").status_code == 403
    assert (
        alice.post("/v2/rooms", json={"id": f"{prefix}new", "defaultAccesses": []}).status_code
        == 403
    )
    listed = alice.get("/v2/rooms", params={"query": f'roomId^"{prefix}"', "limit": 100}).json()
    assert sorted(room["id"] for room in listed["data"]) == [
        f"{prefix}one",
        f"{prefix}team:a",
        f"{prefix}team:b",
    ]


def test_an_id_token_is_checked_at_the_door_each_time(api, http, as_user, prefix):
    create(api, f"{prefix}own", usersAccesses={"bob": ["*:write"]})
    create(api, f"{prefix}group", groupsAccesses={"eng": ["*:read"]})
    create(api, f"{prefix}lowered", defaultAccesses=["*:write"], usersAccesses={"bob": ["*:read"]})
    create(api, f"{prefix}closed")
    body = IdentifyUserRequestBody(user_id="bob", group_ids=["eng"])
    bob = as_user(api.identify_user(body=body).token)

    def may(name):
        read = bob.get(f"/v2/rooms/{prefix}{name}").status_code
        write = bob.post(f"/v2/rooms/{prefix}{name}/broadcast-event", json={}).status_code
        return read, write

    assert may("own") == (200, 204)
    assert may("group") == (200, 403)
    assert may("lowered") == (200, 403)
    assert may("closed") == (404, 404)
    http.post(
        f"/v2/rooms/{prefix}closed", json={"usersAccesses": {"bob": ["*:write"]}}
    ).raise_for_status()
    assert may("closed") == (200, 204)
    http.post(f"/v2/rooms/{prefix}own", json={"usersAccesses": {"bob": None}}).raise_for_status()
    assert may("own") == (404, 404)


def test_a_token_is_good_for_its_organization(api, as_user, prefix, organization):
    create(api, f"{prefix}in", organizationId=organization, defaultAccesses=["*:write"])
    create(api, f"{prefix}out", defaultAccesses=["*:write"])
    token = authorize(api, "alice", {f"{prefix}*": ["*:write"]}, organization_id=organization)
    alice = as_user(token)
    assert alice.get(f"/v2/rooms/{prefix}in").status_code == 200
    assert alice.get(f"/v2/rooms/{prefix}out").status_code == 404
    body = IdentifyUserRequestBody(user_id="bob", organization_id=organization)
    bob = as_user(api.identify_user(body=body).token)
    assert bob.get(f"/v2/rooms/{prefix}in").status_code == 200
    assert bob.get(f"/v2/rooms/{prefix}out").status_code == 404


def test_a_token_without_permissions_is_issued_and_opens_nothing(api, as_user, prefix):
    create(api, f"{prefix}room", defaultAccesses=["*:write"])
    with pytest.warns(UserWarning, match="Access tokens without any permission"):
        token = authorize(api, "alice", {})
    assert as_user(token).get(f"/v2/rooms/{prefix}room").status_code == 404


@pytest.mark.parametrize(
    "body, words",
    [
        (
            {"userId": "u", "permissions": {f"r{n}": ["*:read"] for n in range(11)}},
            ["permissions", "10", "11"],
        ),
        ({"userId": "u", "permissions": {"a*b": ["*:read"]}}, ["permissions"]),
        ({"userId": "u", "permissions": {"": ["*:read"]}}, ["permissions"]),
        ({"userId": "u", "permissions": {"x" * 129: ["*:read"]}}, ["permissions"]),
        ({"userId": "u", "permissions": {"r": ["nonsense"]}}, ["permissions", "nonsense"]),
        ({"userId": "u", "permissions": {"r": "*:read"}}, ["permissions"]),
        ({"userId": "", "permissions": {}}, ["userId"]),
        ({"permissions": {}}, ["userId"]),
        ({"userId": "u"}, ["permissions"]),
        ({"userId": "x" * 129, "permissions": {}}, ["userId", "128", "129"]),
        ({"userId": "u", "permissions": {}, "userInfo": {"x": "y" * 1024}}, ["userInfo", "1024"]),
    ],
    ids=lambda case: "/".join(case) if isinstance(case, list) else "",
)
def test_authorize_user_names_what_is_wrong(api, body, words):
    with failure(422, *words):
        api.authorize_user(body=Json(body))


@pytest.mark.parametrize(
    "body, words",
    [
        ({"userId": ""}, ["userId"]),
        ({"userId": "x" * 129}, ["userId", "128", "129"]),
        ({"userId": "u", "groupIds": [f"g{n}" for n in range(1001)]}, ["groupIds", "1000", "1001"]),
        ({"userId": "u", "groupIds": ["g" * 257]}, ["groupIds", "256", "257"]),
        ({"userId": "u", "groupIds": "g"}, ["groupIds"]),
        ({"userId": "u", "userInfo": {"x": "y" * 1024}}, ["userInfo", "1024"]),
        ({"userId": "u", "userInfo": "name"}, ["userInfo"]),
    ],
    ids=lambda case: "/".join(case) if isinstance(case, list) else "",
)
def test_identify_user_names_what_is_wrong(api, body, words):
    with failure(422, *words):
        api.identify_user(body=Json(body))


def test_at_most_ten_patterns_and_the_longest_ids(api, http):
    perms = {"x" * 120 + str(n) + "*": ["*:read"] for n in range(9)} | {"*": ["*:write"]}
    body = AuthorizeUserRequestBody.from_dict({"userId": "u" * 128, "permissions": perms})
    assert claims_of(http, api.authorize_user(body=body).token)["perms"] == perms


def test_unknown_and_wrong_keys(api, server, anonymous, prefix):
    stranger = api.with_secret(server, "sk_unknown")
    with failure(403, "Invalid secret key"):
        stranger.get_rooms()
    with failure(403, "Invalid secret key"):
        stranger.get_room(f"{prefix}none")
    stranger.close()
    room = {"id": f"{prefix}room", "defaultAccesses": []}
    cases = [
        ({}, 401, "MISSING_SECRET_KEY"),
        ({"Authorization": "Bearer sk_unknown"}, 403, "INVALID_SECRET_KEY"),
        ({"Authorization": f"Bearer {DEV_PUBLIC_KEY}"}, 401, "WRONG_KEY_USED"),
    ]
    for headers, status, reason in cases:
        answer = anonymous.post("/v2/rooms", json=room, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (status, reason)
        assert answer.headers["content-type"].startswith("application/json")
        assert isinstance(answer.json()["message"], str) and answer.json()["message"]
        assert DEV_SECRET_KEY not in answer.text
    for wrong in (
        "Basic c2s6",
        "Bearer",
        "sk_localdev",
        "Bearer sk_localdev x",
        "Bearer not.a.token",
        "Bearer a.b.c",
    ):
        answer = anonymous.post("/v2/rooms", json=room, headers={"Authorization": wrong})
        assert answer.status_code in (401, 403), wrong


def test_a_token_that_was_tampered_with_is_refused(api, as_user, prefix):
    create(api, f"{prefix}room")
    token = authorize(api, "alice", {f"{prefix}*": ["*:write"]})
    head, body, signature = token.split(".")
    flipped = ("A" if signature[10] != "A" else "B").join((signature[:10], signature[11:]))
    unsigned = jwt.encode(
        {"k": "acc", "uid": "alice", "perms": {"*": ["*:write"]}}, None, algorithm="none"
    )
    forged = jwt.encode(
        {"k": "acc", "uid": "alice", "perms": {"*": ["*:write"]}}, "x" * 32, algorithm="HS256"
    )
    assert as_user(token).get(f"/v2/rooms/{prefix}room").status_code == 200
    for wrong in (
        f"{head}.{body}.{flipped}",
        f"{head}.{body}.",
        f"{head}.{body}",
        unsigned,
        forged,
    ):
        assert as_user(wrong).get(f"/v2/rooms/{prefix}room").status_code in (401, 403)


def test_the_deprecated_room_tokens(api, http, anonymous, as_user, prefix):
    create(api, f"{prefix}open", defaultAccesses=["*:write"])
    create(
        api, f"{prefix}shut", usersAccesses={"alice": ["*:read"]}, groupsAccesses={"g": ["*:write"]}
    )
    shut = f"/v2/rooms/{prefix}shut"
    token = http.post(
        f"{shut}/authorize", json={"userId": "alice", "userInfo": {"name": "A"}}
    ).json()["token"]
    assert claims_of(http, token)["uid"] == "alice"
    alice = as_user(token)
    assert alice.get(shut).status_code == 200
    assert alice.post(f"{shut}/broadcast-event", json=1).status_code == 403
    assert alice.get(f"/v2/rooms/{prefix}open").status_code == 404, "it is a token for one room"
    grouped = http.post(f"{shut}/authorize", json={"userId": "bob", "groupIds": ["g"]}).json()[
        "token"
    ]
    assert as_user(grouped).post(f"{shut}/broadcast-event", json=1).status_code == 204
    assert http.post(f"{shut}/authorize", json={"userId": "nobody"}).status_code == 403
    assert (
        http.post(f"/v2/rooms/{prefix}none/authorize", json={"userId": "alice"}).status_code == 404
    )
    key = {"publicApiKey": DEV_PUBLIC_KEY}
    public = anonymous.post(f"/v2/rooms/{prefix}open/public/authorize", json=key)
    assert public.status_code == 200
    assert as_user(public.json()["token"]).get(f"/v2/rooms/{prefix}open").status_code == 200
    assert anonymous.post(f"{shut}/public/authorize", json=key).status_code == 403
    assert anonymous.post(f"/v2/rooms/{prefix}none/public/authorize", json=key).status_code == 404
    wrong = anonymous.post(
        f"/v2/rooms/{prefix}open/public/authorize", json={"publicApiKey": "pk_unknown"}
    )
    assert (wrong.status_code, wrong.json()["error"]) == (403, "INVALID_PUBLIC_KEY")


def test_the_published_keys_are_public_only(anonymous):
    answer = anonymous.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.json()["keys"]
    for key in answer.json()["keys"]:
        assert key["kty"] in ("EC", "OKP") and key["use"] == "sig" and key["kid"] and key["alg"]
        assert "d" not in key and "k" not in key
        assert ("y" in key) == (key["kty"] == "EC")
