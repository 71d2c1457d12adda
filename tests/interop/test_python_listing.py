"""PyPI liveblocks 3.23.0: get_rooms with its pages, its filters and the query language."""

from __future__ import annotations

import pytest
from test_python_rooms import create, failure


def pages(api, **filters):
    """All pages, by the cursors that the server hands out."""
    cursor, found = None, []
    while True:
        page = api.get_rooms(starting_after=cursor, **filters)
        found.append([room.id for room in page.data])
        cursor = page.next_cursor
        if cursor is None:
            return found


def names(api, prefix, **filters):
    """What a filter finds among the rooms of this test, without their common prefix."""
    found = [room.id for room in api.get_rooms(limit=100, **filters).data]
    assert all(room_id.startswith(prefix) for room_id in found)
    return sorted(room_id.removeprefix(prefix) for room_id in found)


def test_pages_are_newest_first_and_end_with_null(api, prefix, organization):
    ids = [f"{prefix}{number:02}" for number in range(23)]
    for room_id in ids:
        create(api, room_id, organizationId=organization)
    found = pages(api, organization_id=organization, limit=10)
    assert [len(page) for page in found] == [10, 10, 3]
    assert sum(found, []) == ids[::-1]
    rooms = api.get_rooms(organization_id=organization, limit=100).data
    times = [room.created_at for room in rooms]
    assert times == sorted(times, reverse=True)
    assert [len(page) for page in pages(api, organization_id=organization)] == [20, 3]


def test_a_full_last_page_is_the_last(api, prefix, organization):
    assert pages(api, organization_id=organization) == [[]]
    for number in range(4):
        create(api, f"{prefix}{number}", organizationId=organization)
    assert [len(page) for page in pages(api, organization_id=organization, limit=2)] == [2, 2]
    assert [len(page) for page in pages(api, organization_id=organization, limit=1)] == [1] * 4


def test_a_cursor_survives_inserts_and_deletes(api, prefix, organization):
    for number in range(6):
        create(api, f"{prefix}{number}", organizationId=organization)
    first = api.get_rooms(organization_id=organization, limit=2)
    assert [room.id for room in first.data] == [f"{prefix}5", f"{prefix}4"]
    create(api, f"{prefix}new", organizationId=organization)
    # The room that the cursor stands on, and the next one.
    api.delete_room(f"{prefix}4")
    api.delete_room(f"{prefix}3")
    second = api.get_rooms(organization_id=organization, limit=2, starting_after=first.next_cursor)
    assert [room.id for room in second.data] == [f"{prefix}2", f"{prefix}1"]
    again = api.get_rooms(organization_id=organization, limit=2, starting_after=first.next_cursor)
    assert again.to_dict() == second.to_dict()


def test_a_cursor_that_was_not_handed_out_is_422(api, prefix, organization):
    for number in range(3):
        create(api, f"{prefix}{number}", organizationId=organization)
    cursor = api.get_rooms(organization_id=organization, limit=1).next_cursor
    middle = len(cursor) // 2
    flipped = "A" if cursor[middle] != "A" else "B"
    broken = [
        cursor[:-1],
        cursor[:middle] + flipped + cursor[middle + 1 :],
        "nonsense",
        "%",
        "e30",
        "ü",
    ]
    for wrong in broken:
        with failure(422, "startingAfter"):
            api.get_rooms(organization_id=organization, limit=1, starting_after=wrong)
    with failure(422, "startingAfter"):
        # It belongs to another list.
        api.get_rooms(organization_id=organization, user_id="u", limit=1, starting_after=cursor)


@pytest.mark.parametrize("limit", [0, -1, 101, 2**31 - 1])
def test_a_limit_outside_of_1_to_100_is_422(api, limit):
    with failure(422, "limit", "100"):
        api.get_rooms(limit=limit)


@pytest.mark.parametrize("limit", ["ten", "1.5", "99999999999999999999"])
def test_a_limit_that_is_no_number_is_422(api, limit):
    with failure(422, "limit"):
        api.get_rooms(limit=limit)


def test_users_or_groups_and_everything_else(api, prefix, organization):
    create(api, f"{prefix}alice", usersAccesses={"alice": ["*:write"]}, organizationId=organization)
    create(api, f"{prefix}group", groupsAccesses={"g1": ["*:read"]}, organizationId=organization)
    create(
        api, f"{prefix}both", usersAccesses={"alice": ["*:read"]}, groupsAccesses={"g2": ["*:read"]}
    )
    create(api, f"{prefix}denied", usersAccesses={"alice": []}, groupsAccesses={"g1": []})
    create(api, f"{prefix}other", defaultAccesses=["*:write"])
    mine = {"query": f'roomId^"{prefix}"'}
    assert names(api, prefix, **mine) == ["alice", "both", "denied", "group", "other"]
    assert names(api, prefix, user_id="alice", **mine) == ["alice", "both"]
    assert names(api, prefix, group_ids="g1", **mine) == ["group"]
    assert names(api, prefix, group_ids="g1,g2", **mine) == ["both", "group"]
    assert names(api, prefix, user_id="alice", group_ids="g1", **mine) == ["alice", "both", "group"]
    assert names(api, prefix, user_id="nobody", group_ids="none", **mine) == []
    assert names(api, prefix, user_id="alice", organization_id=organization) == ["alice"]
    assert names(api, prefix, organization_id=organization) == ["alice", "group"]


ROOMS = {
    "a:1": {
        "status": "open",
        "n": "5",
        "flag": "true",
        "tags": ["red", "blue"],
        "a b": "it's",
        "q": 'say "hi"',
    },
    "a:2": {"status": "closed", "n": "10", "flag": "false", "tags": ["green"]},
    "a:3": {"n": "-2.5", "status": "OPEN"},
    "b:1": {"n": "abc", "status": "opening", "flag": "true"},
    "a%_1": {"status": "100%_sure"},
    "aXY1": {"status": "100XYsure"},
    "A:1": {},
}

QUERIES = [
    ('metadata["status"]:"open"', ["a:1"]),
    ("metadata['status']:'open'", ["a:1"]),
    ('metadata["status"]^"open"', ["a:1", "b:1"]),
    ('metadata["status"]^"100%_"', ["a%_1"]),
    ('metadata["status"]:null', ["A:1"]),
    ('metadata["n"]>5', ["a:2"]),
    ('metadata["n"]>=5', ["a:1", "a:2"]),
    ('metadata["n"]<5', ["a:3"]),
    ('metadata["n"]<=5', ["a:1", "a:3"]),
    ('metadata["n"]:5', ["a:1"]),
    ('metadata["n"]:-2.5', ["a:3"]),
    ('metadata["n"]:"10"', ["a:2"]),
    ('metadata["flag"]:true', ["a:1", "b:1"]),
    ('metadata["flag"]:false', ["a:2"]),
    ('metadata["flag"]:"true"', ["a:1", "b:1"]),
    ('metadata["tags"]:"blue"', ["a:1"]),
    ('metadata["tags"]^"gr"', ["a:2"]),
    ('metadata["tags"]:null', ["A:1", "a%_1", "a:3", "aXY1", "b:1"]),
    ('metadata["a b"]:"it\'s"', ["a:1"]),
    ("metadata['q']:'say \"hi\"'", ["a:1"]),
    ('metadata["status"]:"open" AND metadata["n"]:5', ["a:1"]),
    ('metadata["status"]:"open" metadata["n"]:5', ["a:1"]),
    ('metadata["status"]:"open" AND metadata["n"]>5', []),
    ('metadata["flag"]:true metadata["n"]:null', []),
    ("metadata['flag']:true AND metadata['status']^\"op\" metadata['n']:5", ["a:1"]),
    ('  metadata["status"]:"open"  ', ["a:1"]),
    ('metadata["none"]:"x"', []),
]


@pytest.fixture(scope="module")
def catalogue(server, http):
    """Read only, so one set of rooms serves all queries of both clients."""
    start = f"query-{server.database.kind}:"
    for name, metadata in ROOMS.items():
        body = {"id": start + name, "defaultAccesses": [], "metadata": metadata}
        assert http.post("/v2/rooms", json=body).status_code == 200
    yield start
    for name in ROOMS:
        assert http.delete(f"/v2/rooms/{(start + name).replace('%', '%25')}").status_code == 204


@pytest.mark.parametrize("query, expected", QUERIES, ids=[query for query, _ in QUERIES])
def test_query_language(api, catalogue, query, expected):
    assert names(api, catalogue, query=f'roomId^"{catalogue}" AND {query}') == sorted(expected)
    assert names(api, catalogue, query=f"{query} roomId^'{catalogue}'") == sorted(expected)


@pytest.mark.parametrize(
    "tail, expected",
    [
        ("a:", ["a:1", "a:2", "a:3"]),
        ("A", ["A:1"]),
        ("a%", ["a%_1"]),
        ("a", ["a%_1", "a:1", "a:2", "a:3", "aXY1"]),
        ("zz", []),
    ],
)
def test_prefixes_are_literal_and_mind_the_case(api, catalogue, tail, expected):
    assert names(api, catalogue, query=f'roomId^"{catalogue}{tail}"') == expected


def test_room_id_equals(api, catalogue):
    assert names(api, catalogue, query=f'roomId:"{catalogue}a:1"') == ["a:1"]
    assert names(api, catalogue, query=f"roomId:'{catalogue}a:9'") == []


def test_a_query_pages_like_any_list(api, catalogue):
    found = pages(api, query=f'roomId^"{catalogue}"', limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    assert len(set(sum(found, []))) == len(ROOMS)


@pytest.mark.parametrize(
    "query",
    [
        'metadata["status"]', 'metadata["status"]:', 'metadata["status"]"open"',
        'metadata["status]:"open"', "nonsense", 'nonsense:"x"', '(roomId:"x")', 'roomId:"open',
        "roomId>5", 'metadata["a"]:"b" OR metadata["c"]:"d"', 'AND roomId:"x"', 'roomId:"x" AND',
        'metadata["n"]>"text"', 'metadata["n"]^5', "roomId:null",
    ],
)  # fmt: skip
def test_a_wrong_query_is_422_and_names_itself(api, query):
    with failure(422, "query"):
        api.get_rooms(query=query)


def test_a_query_over_its_limits_is_422(api):
    with failure(422, "query", "8192"):
        api.get_rooms(query=f'roomId:"{"x" * 8192}"')
    with failure(422, "query", "50"):
        api.get_rooms(query=" ".join(['metadata["k"]:"v"'] * 51))
