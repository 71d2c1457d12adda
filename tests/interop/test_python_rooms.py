"""PyPI liveblocks 3.23.0, synchronous and asynchronous: every method of the Room group."""

from __future__ import annotations

import datetime

import pytest
from liveblocks.errors import LiveblocksError
from liveblocks.models import (
    CreateRoomRequestBody,
    SetPresenceRequestBody,
    UpdateRoomIdRequestBody,
    UpdateRoomOrganizationIdRequestBody,
    UpdateRoomRequestBody,
    UpsertRoomRequestBody,
)
from liveblocks.types import UNSET

CLOCK_TOLERANCE = datetime.timedelta(seconds=60)

ODD_IDS = [
    "a/b",
    "a//b/",
    "with space",
    "ünïcödé-😀-中文",
    "100%",
    "%2F%41",
    "colon:semi;comma,",
    "question?hash#amp&equals=plus+",
    "quote\"apostrophe'back\\slash",
    "<angle>[square]{curly}|pipe^",
    "upsert",
    "x/upsert",
    "x/active-users",
    "...",
]


class Json:
    """A body that the client's own models refuse to hold; the client only calls to_dict()."""

    def __init__(self, body):
        self._body = body

    def to_dict(self):
        return self._body


def create(api, room_id, **fields):
    body = {"id": room_id, "defaultAccesses": [], **fields}
    return api.create_room(body=Json(body))


def update(api, room_id, **fields):
    return api.update_room(room_id, body=Json(fields))


def failure(status: int, *words: str):
    """The SDK raises its own error, with this status, and a text that has these words."""
    return _Failure(status, words)


class _Failure:
    def __init__(self, status, words):
        self._status, self._words = status, words

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None, f"the call succeeded instead of failing with {self._status}"
        if not isinstance(error, LiveblocksError):
            return False
        assert error.status == self._status, str(error)
        for word in self._words:
            assert word in str(error), f"{word!r} is not in {error}"
        return True


def test_create_and_get_return_every_field(api, prefix):
    room_id = f"{prefix}full"
    created = api.create_room(
        body=CreateRoomRequestBody.from_dict(
            {
                "id": room_id,
                "defaultAccesses": ["*:read", "comments:write"],
                "usersAccesses": {"alice": ["*:write"], "böb": ["*:read", "storage:none"]},
                "groupsAccesses": {"product": ["*:write", "comments:private:none"]},
                "metadata": {"color": "blue", "tags": ["a", "b"], "größe": "25 %"},
                "organizationId": f"org {prefix}",
                "engine": 2,
            }
        )
    )
    assert created.type_ == "room"
    assert created.id == room_id
    assert created.organization_id == f"org {prefix}"
    assert sorted(created.default_accesses) == ["*:read", "comments:write"]
    users = created.users_accesses.to_dict()
    assert {user: sorted(scopes) for user, scopes in users.items()} == {
        "alice": ["*:write"],
        "böb": ["*:read", "storage:none"],
    }
    groups = created.groups_accesses.to_dict()
    assert sorted(groups["product"]) == ["*:write", "comments:private:none"]
    assert created.metadata.to_dict() == {"color": "blue", "tags": ["a", "b"], "größe": "25 %"}
    assert created.last_connection_at is UNSET
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs(now - created.created_at) < CLOCK_TOLERANCE
    assert created.created_at.microsecond % 1000 == 0
    assert api.get_room(room_id).to_dict() == created.to_dict()


def test_a_minimal_room_has_empty_maps_and_the_default_organization(api, prefix):
    room = create(api, f"{prefix}minimal")
    assert room.default_accesses == []
    assert room.users_accesses.to_dict() == {}
    assert room.groups_accesses.to_dict() == {}
    assert room.metadata.to_dict() == {}
    assert room.organization_id == "default"


@pytest.mark.parametrize(
    "scopes",
    [
        ["*:read"],
        ["*:write"],
        ["room:read"],
        ["room:write"],
        ["room:read", "room:presence:write"],
        ["*:read", "storage:write", "comments:public:write", "comments:private:none", "feeds:none"],
        ["*:write", "storage:none", "comments:read", "feeds:read"],
        ["*:write", "storage:read", "comments:none", "comments:private:write", "feeds:write"],
        ["*:read", "comments:write", "comments:public:none", "comments:private:read"],
    ],
    ids=" ".join,
)
def test_every_scope_that_the_sdk_knows_is_kept(api, prefix, scopes):
    room = create(api, f"{prefix}scopes", defaultAccesses=scopes, usersAccesses={"u": scopes})
    assert sorted(room.default_accesses) == sorted(scopes)
    assert sorted(room.users_accesses.to_dict()["u"]) == sorted(scopes)


def test_a_taken_id_is_409_unless_idempotent(api, prefix):
    room_id = f"{prefix}taken"
    body = {"id": room_id, "defaultAccesses": ["*:write"], "metadata": {"v": "1"}}
    first = api.create_room(body=CreateRoomRequestBody.from_dict(body))
    other = CreateRoomRequestBody.from_dict({"id": room_id, "defaultAccesses": []})
    with failure(409, "exists"):
        api.create_room(body=other)
    with failure(409):
        api.create_room(body=other, idempotent=False)
    assert api.create_room(body=other, idempotent=True).to_dict() == first.to_dict()
    fresh = CreateRoomRequestBody.from_dict({"id": f"{prefix}fresh", "defaultAccesses": ["*:read"]})
    assert api.create_room(body=fresh, idempotent=True).default_accesses == ["*:read"]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_ids_travel_unchanged_through_every_route(api, prefix, odd):
    room_id = prefix + odd
    assert create(api, room_id).id == room_id
    assert api.get_room(room_id).id == room_id
    assert update(api, room_id, metadata={"k": "v"}).id == room_id
    assert api.upsert_room(room_id, body=Json({"update": {"metadata": {"k": "w"}}})).id == room_id
    assert api.prewarm_room(room_id) is None
    assert api.get_active_users(room_id).data == []
    assert api.broadcast_event(room_id, body={"type": "hello"}) is None
    listed = api.get_rooms(query=f'roomId^"{prefix}"')
    assert [room.id for room in listed.data] == [room_id]
    renamed = api.update_room_id(
        room_id, body=UpdateRoomIdRequestBody(new_room_id=room_id + "/new")
    )
    assert renamed.id == room_id + "/new"
    assert api.delete_room(room_id + "/new") is None
    with failure(404):
        api.get_room(room_id + "/new")


def test_ids_differ_by_case_and_by_normal_form(api, prefix):
    names = [f"{prefix}{tail}" for tail in ("abc", "ABC", "e\u0301", "\u00e9", "abc ", " abc")]
    for number, name in enumerate(names):
        create(api, name, metadata={"n": str(number)})
    for number, name in enumerate(names):
        assert api.get_room(name).metadata.to_dict() == {"n": str(number)}


def test_update_merges_and_null_deletes(api, prefix):
    room_id = f"{prefix}merge"
    before = create(
        api,
        room_id,
        defaultAccesses=["*:read"],
        usersAccesses={"alice": ["*:write"], "bob": ["*:read"]},
        groupsAccesses={"g1": ["*:write"], "g2": ["*:read"]},
        metadata={"keep": "1", "drop": "2", "list": ["x"]},
    )
    after = api.update_room(
        room_id,
        body=UpdateRoomRequestBody.from_dict(
            {
                "usersAccesses": {"bob": None, "carol": ["*:read"]},
                "groupsAccesses": {"g1": None},
                "metadata": {"drop": None, "list": ["y", "z"], "new": "3"},
            }
        ),
    )
    assert after.default_accesses == ["*:read"]
    assert after.users_accesses.to_dict() == {"alice": ["*:write"], "carol": ["*:read"]}
    assert after.groups_accesses.to_dict() == {"g2": ["*:read"]}
    assert after.metadata.to_dict() == {"keep": "1", "list": ["y", "z"], "new": "3"}
    assert (after.created_at, after.organization_id) == (before.created_at, before.organization_id)
    assert api.get_room(room_id).to_dict() == after.to_dict()
    assert update(api, room_id).to_dict() == after.to_dict(), "an empty patch changes nothing"
    cleared = api.update_room(room_id, body=UpdateRoomRequestBody(default_accesses=None))
    assert cleared.default_accesses == []
    cleared = update(api, room_id, usersAccesses=None, groupsAccesses=None, metadata=None)
    assert cleared.users_accesses.to_dict() == cleared.groups_accesses.to_dict() == {}
    assert cleared.metadata.to_dict() == {}


def test_update_of_a_missing_room_is_404(api, prefix):
    with failure(404, "Room not found"):
        update(api, f"{prefix}nobody", metadata={"k": "v"})


def test_upsert_creates_once_and_then_updates(api, prefix):
    room_id = f"{prefix}upsert"
    body = UpsertRoomRequestBody.from_dict(
        {
            "update": {"metadata": {"color": "blue"}, "usersAccesses": {"alice": ["*:write"]}},
            "create": {
                "defaultAccesses": ["*:read"],
                "metadata": {"from": "create", "color": "red"},
                "organizationId": f"org-{prefix}",
            },
        }
    )
    created = api.upsert_room(room_id, body=body)
    assert created.metadata.to_dict() == {"from": "create", "color": "blue"}
    assert created.users_accesses.to_dict() == {"alice": ["*:write"]}
    assert created.default_accesses == ["*:read"]
    assert created.organization_id == f"org-{prefix}"
    update(api, room_id, metadata={"from": None, "mine": "1"})
    updated = api.upsert_room(room_id, body=body)
    assert updated.metadata.to_dict() == {"color": "blue", "mine": "1"}
    assert updated.created_at == created.created_at
    with failure(422, "update"):
        api.upsert_room(room_id, body=Json({"create": {"defaultAccesses": []}}))


def test_rename_moves_everything(api, prefix):
    old, new = f"{prefix}old", f"{prefix}new/ü"
    before = create(api, old, defaultAccesses=["*:write"], metadata={"k": "v"})
    renamed = api.update_room_id(old, body=UpdateRoomIdRequestBody(new_room_id=new))
    assert renamed.to_dict() == {**before.to_dict(), "id": new}
    assert api.get_room(new).to_dict() == renamed.to_dict()
    with failure(404):
        api.get_room(old)
    create(api, old)
    with failure(409):
        api.update_room_id(old, body=UpdateRoomIdRequestBody(new_room_id=new))
    with failure(404):
        api.update_room_id(f"{prefix}none", body=UpdateRoomIdRequestBody(new_room_id=f"{prefix}x"))
    with failure(422, "newRoomId", "128"):
        api.update_room_id(old, body=UpdateRoomIdRequestBody(new_room_id="x" * 129))


def test_a_room_moves_from_the_organization_that_it_is_in(api, prefix):
    room_id = f"{prefix}mover"
    create(api, room_id, organizationId="a")

    def move(origin, target, room=room_id):
        body = UpdateRoomOrganizationIdRequestBody(
            from_organization_id=origin, to_organization_id=target
        )
        return api.update_room_organization_id(room, body=body)

    assert move("a", "b").organization_id == "b"
    assert api.get_room(room_id).organization_id == "b"
    with failure(422):
        move("a", "c")
    assert api.get_room(room_id).organization_id == "b"
    with failure(404):
        move("a", "b", f"{prefix}none")
    with failure(422, "toOrganizationId"):
        move("b", "")


def test_prewarm_and_active_users_of_an_empty_room(api, prefix):
    room_id = f"{prefix}empty"
    create(api, room_id)
    assert api.prewarm_room(room_id) is None
    assert api.get_active_users(room_id).data == []
    with failure(404, "Room not found"):
        api.prewarm_room(f"{prefix}none")
    with failure(404, "Room not found"):
        api.get_active_users(f"{prefix}none")


@pytest.mark.parametrize("ttl", [UNSET, 2, 60, 3599])
def test_presence_is_taken(api, prefix, ttl):
    room_id = f"{prefix}presence"
    create(api, room_id)
    body = {
        "userId": "agent-123",
        "data": {"status": "active", "cursor": {"x": 1.5, "y": [1, None, True]}},
        "userInfo": {"name": "Ägent", "avatar": "https://example.org/a.png", "extra": {"deep": 1}},
    }
    presence = SetPresenceRequestBody.from_dict(body)
    presence.ttl = ttl
    assert api.set_presence(room_id, body=presence) is None


@pytest.mark.parametrize("ttl", [-1, 0, 1, 3600, 2**31 - 1])
def test_presence_outside_of_its_lifetime_is_422(api, prefix, ttl):
    room_id = f"{prefix}presence"
    create(api, room_id)
    body = {"userId": "u", "data": {}, "userInfo": {}, "ttl": ttl}
    with failure(422, "ttl", "3"):
        api.set_presence(room_id, body=SetPresenceRequestBody.from_dict(body))


def test_presence_needs_a_room_and_a_user(api, prefix):
    room_id = f"{prefix}presence"
    body = {"userId": "u", "data": {}, "userInfo": {}}
    with failure(404, "Room not found"):
        api.set_presence(room_id, body=SetPresenceRequestBody.from_dict(body))
    create(api, room_id)
    with failure(422, "userId"):
        api.set_presence(room_id, body=SetPresenceRequestBody.from_dict({**body, "userId": ""}))
    with failure(422, "data"):
        api.set_presence(room_id, body=Json({"userId": "u", "userInfo": {}}))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "EMOJI", "emoji": "🔥", "deep": {"a": [1, 2.5, None]}},
        [],
        [1, "two"],
        "text",
        42,
        -0.5,
        True,
        False,
        {},
    ],
    ids=repr,
)
def test_any_json_can_be_broadcast(api, prefix, event):
    room_id = f"{prefix}broadcast"
    create(api, room_id)
    assert api.broadcast_event(room_id, body=event) is None


def test_a_broadcast_needs_a_room_and_fits_its_limit(api, prefix):
    room_id = f"{prefix}broadcast"
    with failure(404, "Room not found"):
        api.broadcast_event(room_id, body={"type": "x"})
    create(api, room_id)
    assert api.broadcast_event(room_id, body="x" * 1_000_000) is None
    with failure(422, "event", "1048576"):
        api.broadcast_event(room_id, body="x" * 1_048_577)


def test_delete_is_for_good(api, prefix):
    room_id = f"{prefix}gone"
    first = create(api, room_id, metadata={"k": "v"})
    assert api.delete_room(room_id) is None
    with failure(404, "Room not found"):
        api.get_room(room_id)
    with failure(404, "Room not found"):
        api.delete_room(room_id)
    assert api.get_rooms(query=f'roomId:"{room_id}"').data == []
    second = create(api, room_id)
    assert second.metadata.to_dict() == {}
    assert second.created_at >= first.created_at
