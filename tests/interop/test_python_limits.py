"""PyPI liveblocks 3.23.0: every limit of a room, on both its sides, and the error's words."""

from __future__ import annotations

import pytest
from test_python_rooms import Json, create, failure, update


def numbered(count: int, width: int = 0):
    return {f"k{number}".ljust(width, "_"): "v" for number in range(count)}


def users(count: int, width: int = 0):
    return {f"u{number}".ljust(width, "_"): ["*:read"] for number in range(count)}


@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_an_id_has_at_most_128_characters_not_bytes(api, prefix, letter):
    room_id = prefix + letter * (128 - len(prefix))
    assert create(api, room_id).id == room_id
    assert api.get_room(room_id).id == room_id
    with failure(422, "'id'", "128", "129"):
        create(api, room_id + letter)


def test_an_id_is_neither_missing_nor_empty_nor_nul(api):
    with failure(422, "id"):
        create(api, "")
    with failure(422, "id"):
        api.create_room(body=Json({"defaultAccesses": []}))
    with failure(422, "id", "NUL"):
        create(api, "a\0b")


def test_default_accesses_are_required(api, prefix):
    with failure(422, "defaultAccesses"):
        api.create_room(body=Json({"id": f"{prefix}none"}))
    with failure(422, "defaultAccesses"):
        body = {"update": {"metadata": {"k": "v"}}, "create": {"metadata": {}}}
        api.upsert_room(f"{prefix}none", body=Json(body))


@pytest.mark.parametrize(
    "good, bad, words",
    [
        ({"metadata": numbered(50)}, {"metadata": numbered(51)}, ["metadata", "50", "51"]),
        ({"metadata": {"k" * 40: "v"}}, {"metadata": {"k" * 41: "v"}}, ["metadata", "40", "41"]),
        (
            {"metadata": {"k": "ü" * 256}},
            {"metadata": {"k": "ü" * 257}},
            ["metadata", "256", "257"],
        ),
        (
            {"metadata": {"k": ["v" * 256]}},
            {"metadata": {"k": ["v" * 257]}},
            ["metadata", "256", "257"],
        ),
        ({"metadata": {"k": ""}}, {"metadata": {"": "v"}}, ["metadata"]),
        ({"metadata": {"k": []}}, {"metadata": {"k": [1]}}, ["metadata"]),
        ({"metadata": {}}, {"metadata": {"k": {"deep": "v"}}}, ["metadata"]),
        (
            {"usersAccesses": users(1000)},
            {"usersAccesses": users(1001)},
            ["usersAccesses", "1000", "1001"],
        ),
        (
            {"groupsAccesses": users(1000)},
            {"groupsAccesses": users(1001)},
            ["groupsAccesses", "1000", "1001"],
        ),
        (
            {"usersAccesses": users(1, 256)},
            {"usersAccesses": users(1, 257)},
            ["usersAccesses", "256", "257"],
        ),
        (
            {"groupsAccesses": users(1, 256)},
            {"groupsAccesses": users(1, 257)},
            ["groupsAccesses", "256", "257"],
        ),
        (
            {"usersAccesses": {"u": []}},
            {"usersAccesses": {"u": ["nonsense"]}},
            ["usersAccesses", "nonsense"],
        ),
        (
            {"groupsAccesses": {"g": []}},
            {"groupsAccesses": {"g": ["*:none"]}},
            ["groupsAccesses", "*:none"],
        ),
    ],
    ids=lambda case: case[0] + " " + "/".join(case[1:]) if isinstance(case, list) else "",
)
def test_limits_hold_for_create_update_and_upsert(api, prefix, good, bad, words):
    room_id = f"{prefix}limits"
    with failure(422, *words):
        create(api, room_id, **bad)
    with failure(404):
        api.get_room(room_id)
    stored = create(api, room_id, **good)
    with failure(422, *words):
        update(api, room_id, **bad)
    with failure(422, *words):
        api.upsert_room(room_id, body=Json({"update": bad}))
    assert api.get_room(room_id).to_dict() == stored.to_dict(), "a refused change leaves no trace"


@pytest.mark.parametrize(
    "scopes",
    [
        ["nonsense"],
        ["*:none"],
        ["room:none"],
        ["comments:write"],
        ["*:read", "*:write"],
        ["*:read", "room:read"],
        ["*:read", "storage:read", "storage:write"],
        ["*:READ"],
        [""],
    ],
    ids=" ".join,
)
def test_default_accesses_have_exactly_one_base_and_one_scope_for_a_feature(api, prefix, scopes):
    with failure(422, "defaultAccesses"):
        create(api, f"{prefix}scopes", defaultAccesses=scopes)


def test_a_merge_may_not_grow_a_room_over_its_limits(api, prefix):
    room_id = f"{prefix}grow"
    create(api, room_id, metadata=numbered(50), usersAccesses=users(1000))
    with failure(422, "metadata", "50"):
        update(api, room_id, metadata={"one more": "v"})
    with failure(422, "usersAccesses", "1000"):
        update(api, room_id, usersAccesses={"one more": ["*:read"]})
    swapped = update(api, room_id, metadata={"k0": None, "one more": "v"})
    assert len(swapped.metadata.to_dict()) == 50


@pytest.mark.parametrize("engine", [1, 2])
def test_both_engines_are_taken(api, prefix, engine):
    assert create(api, f"{prefix}engine", engine=engine).id == f"{prefix}engine"


@pytest.mark.parametrize("engine", [3, -1, "nonsense"])
def test_another_engine_is_not(api, prefix, engine):
    with failure(422, "engine"):
        create(api, f"{prefix}engine", engine=engine)


def test_an_organization_id_has_at_most_128_characters(api, prefix):
    assert create(api, f"{prefix}org", organizationId="o" * 128).organization_id == "o" * 128
    with failure(422, "organizationId", "128", "129"):
        create(api, f"{prefix}org2", organizationId="o" * 129)
