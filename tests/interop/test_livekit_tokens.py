"""Tokens as livekit-api 1.2.2 signs them, with grants of all kinds, and what each may do."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest
from harness import DEV_LIVE_KEY, DEV_LIVE_SECRET, DEV_SECRET_KEY
from live import DENIED, LiveApi, access, refuses
from livekit import api

LIST, CREATE = {"room_list": True}, {"room_create": True}


def admin(room: str, **more) -> dict:
    return {"room_admin": True, "room": room, **more}


def methods(room: str, to: str) -> dict:
    """A request of each method, by the grant that it needs."""
    who = {"room": room, "identity": "nobody"}
    return {
        "create_room": (CREATE, api.CreateRoomRequest(name=room)),
        "list_rooms": (LIST, api.ListRoomsRequest()),
        "list_participants": (admin(room), api.ListParticipantsRequest(room=room)),
        "get_participant": (admin(room), api.RoomParticipantIdentity(**who)),
        "remove_participant": (admin(room), api.RoomParticipantIdentity(**who)),
        "mute_published_track": (admin(room), api.MuteRoomTrackRequest(**who)),
        "update_participant": (admin(room), api.UpdateParticipantRequest(**who)),
        "update_subscriptions": (admin(room), api.UpdateSubscriptionsRequest(**who)),
        "send_data": (admin(room), api.SendDataRequest(room=room)),
        "update_room_metadata": (admin(room), api.UpdateRoomMetadataRequest(room=room)),
        "forward_participant": (
            admin(room, destination_room=to),
            api.ForwardParticipantRequest(**who, destination_room=to),
        ),
        "move_participant": (
            admin(room, destination_room=to),
            api.MoveParticipantRequest(**who, destination_room=to),
        ),
        "delete_room": (CREATE, api.DeleteRoomRequest(room=room)),
    }


@pytest.fixture
def holder(server):
    """A client that has a token and no key."""
    clients = []

    def client(token: str) -> LiveApi:
        clients.append(LiveApi(server.url, token=token).__enter__())
        return clients[-1]

    yield client
    for client in clients:
        client.__exit__()


def is_denied(client: LiveApi, method: str, request) -> bool:
    try:
        getattr(client, method)(request)
    except api.ServerError as error:
        assert error.status == 404 or (error.status, error.code, error.message) == DENIED
        return error.status == 401
    return False


def test_each_method_needs_its_own_grant(live, holder, prefix):
    grants = {
        "nothing": {},
        "list": LIST,
        "create": CREATE,
        "admin": admin(prefix),
        "admin of both": admin(prefix, destination_room=f"{prefix}b"),
        "admin elsewhere": admin(f"{prefix}b", destination_room=prefix),
        "admin of no room": {"room_admin": True},
        "join": {"room_join": True, "room": prefix},
        "other things": {"room_record": True, "ingress_admin": True, "agent": True},
    }
    for what, granted in grants.items():
        client = holder(access(**granted).with_identity("somebody").to_jwt())
        live.create_room(api.CreateRoomRequest(name=prefix))
        for method, (needed, request) in methods(prefix, f"{prefix}b").items():
            may = needed.items() <= granted.items()
            assert is_denied(client, method, request) != may, f"{method} with {what}"


def test_the_secret_key_may_do_everything(live, holder, prefix):
    client = holder(DEV_SECRET_KEY)
    for method, (_, request) in methods(prefix, f"{prefix}b").items():
        assert not is_denied(client, method, request), method


def test_the_name_of_the_room_is_compared_byte_for_byte(live, holder, prefix):
    live.create_room(api.CreateRoomRequest(name=prefix))
    for room in (f"{prefix}*", "*", prefix.upper(), f" {prefix}", f"{prefix} ", ""):
        client = holder(access(**admin(room)).to_jwt())
        refuses(DENIED, client.list_participants, api.ListParticipantsRequest(room=prefix))


def test_whoever_creates_rooms_may_end_any(holder, prefix, live):
    live.create_room(api.CreateRoomRequest(name=prefix))
    client = holder(access(**CREATE).to_jwt())
    client.delete_room(api.DeleteRoomRequest(room=prefix))
    assert live.room(prefix) is None


def raw(server, token: str | None, **headers) -> httpx.Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    headers["Content-Type"] = "application/json"
    url = f"{server.url}/twirp/livekit.RoomService/ListRooms"
    return httpx.post(url, content=b'{"names":["none"]}', headers=headers)


def signed(claims: dict, secret: str = DEV_LIVE_SECRET, algorithm: str = "HS256", **headers) -> str:
    known = {"iss": DEV_LIVE_KEY, "exp": time.time() + 60, "video": {"roomList": True}}
    left = {key: value for key, value in (known | claims).items() if value is not None}
    return jwt.encode(left, secret, algorithm=algorithm, headers=headers)


# Times are seconds from now on.
GOOD = {
    "over, within the leeway": {"exp": -30},
    "not yet, but soon": {"nbf": 30},
    "no subject": {"sub": None},
    "issued tomorrow": {"iat": 86_400},
    "an audience": {"aud": "somebody else"},
    "claims that nobody knows": {"x": {"y": [None]}, "video": {"roomList": True, "z": 1}},
    "nulls": {"name": None, "attributes": None, "metadata": None},
    "an unknown kind": {"kind": "robot"},
    "a room": {"roomConfig": {"emptyTimeout": "7", "max_participants": 2, "egress": {}}},
}


@pytest.mark.parametrize("what", GOOD)
def test_tokens_that_are_good(server, what):
    times = ("exp", "nbf", "iat")
    claims = {k: v + time.time() if k in times else v for k, v in GOOD[what].items()}
    answer = raw(server, signed(claims))
    assert (answer.status_code, answer.text) == (200, '{"rooms":[]}')


INVALID = "invalid authorization token"
SIGNATURE = f"{INVALID}: token signature is invalid: signature is invalid"
CLAIMS = f"{INVALID}: token has invalid claims"
NONE = "eyJhbGciOiJub25lIn0"


def test_tokens_that_are_not(server):
    now = time.time()
    for token, text in (
        ("x", INVALID),
        ("x.y.z", INVALID),
        (signed({"iss": "nobody"}), "invalid API key"),
        (signed({"iss": None}), "invalid API key"),
        (signed({}, "another secret"), SIGNATURE),
        (
            signed({"exp": None}),
            f"{CLAIMS}: token is missing required claim: exp claim is required",
        ),
        (signed({"nbf": now + 600}), f"{CLAIMS}: token is not valid yet"),
        (
            signed({}, algorithm="HS384"),
            f"{INVALID}: token signature is invalid: signing method HS384 is invalid",
        ),
        (
            f"{NONE}.{signed({}).split('.')[1]}.",
            f"{INVALID}: token signature is invalid: signing method none is invalid",
        ),
    ):
        answer = raw(server, token)
        assert (answer.status_code, answer.text) == (401, text)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    late = raw(server, signed({"exp": int(now) - 120}))
    assert late.status_code == 401
    assert late.text.startswith(f"{CLAIMS}: token is expired by 2m")


def test_a_token_is_good_until_a_character_is_changed(server):
    header, claims, signature = signed({}).split(".")
    for place in (header, claims, signature):
        other = place[:-2] + ("A" if place[-2] != "A" else "B") + place[-1]
        parts = [other if part is place else part for part in (header, claims, signature)]
        answer = raw(server, ".".join(parts))
        assert (answer.status_code, answer.text.startswith("invalid")) == (401, True)


def test_where_the_token_stands(server):
    token = signed({})
    refusal = "invalid authorization header. Must start with Bearer "
    for header in (f"bearer {token}", token, f"Basic {token}", "Bearer"):
        answer = raw(server, None, Authorization=header)
        assert (answer.status_code, answer.text) == (401, refusal), header
    url = f"{server.url}/twirp/livekit.RoomService/ListRooms"
    asked = {"content": b"{}", "headers": {"Content-Type": "application/json"}}
    assert httpx.post(f"{url}?access_token={token}", **asked).status_code == 200
    assert httpx.post(f"{url}?access_token=x", **asked).text == INVALID
    assert httpx.post(url, **asked).json() == {"code": DENIED[1], "msg": DENIED[2]}


def test_tokens_of_ours_are_none_of_livekits(server, http, prefix):
    asked = {"userId": "anna", "permissions": {"*": ["*:write"]}}
    ours = http.post("/v2/authorize-user", json=asked).json()["token"]
    assert raw(server, ours).status_code == 401
    assert raw(server, "pk_localdev").status_code == 401
    theirs = {"Authorization": f"Bearer {signed({'video': {'roomCreate': True}})}"}
    answer = httpx.get(f"{server.url}/v2/rooms", headers=theirs)
    assert answer.status_code in (401, 403)


def test_the_server_makes_tokens_as_well(server, http, holder, prefix, live):
    grant = {"roomAdmin": True, "room": prefix, "roomJoin": True}
    asked = {"identity": "anna", "name": "Anna", "attributes": {"k": "v"}, "grant": grant}
    made = http.post("/v2/livekit-token", json={**asked, "metadata": "m", "ttlSeconds": 60}).json()
    assert made["apiKey"] == DEV_LIVE_KEY
    claims = api.TokenVerifier(DEV_LIVE_KEY, DEV_LIVE_SECRET).verify(made["token"])
    assert (claims.identity, claims.name, claims.metadata) == ("anna", "Anna", "m")
    assert claims.attributes == {"k": "v"}
    assert claims.video and claims.video.room_admin and claims.video.room == prefix
    live.create_room(api.CreateRoomRequest(name=prefix))
    assert holder(made["token"]).people(prefix) == []
