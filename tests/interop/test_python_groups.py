"""Every method about groups of PyPI liveblocks 3.23.0, by both of its clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from liveblocks import LiveblocksError
from liveblocks.models import (
    AddGroupMembersRequestBody,
    CreateGroupRequestBody,
    RemoveGroupMembersRequestBody,
)


def create(api, group: str, **more) -> dict:
    body = CreateGroupRequestBody.from_dict({"id": group, **more})
    return api.create_group(body=body).to_dict()


def add(api, group: str, *members: str) -> dict:
    body = AddGroupMembersRequestBody.from_dict({"memberIds": list(members)})
    return api.add_group_members(group, body=body).to_dict()


def remove(api, group: str, *members: str) -> dict:
    body = RemoveGroupMembersRequestBody.from_dict({"memberIds": list(members)})
    return api.remove_group_members(group, body=body).to_dict()


def members(group: dict) -> list[str]:
    return [member["id"] for member in group["members"]]


def refused(status: int, call, *words, **named) -> None:
    with pytest.raises(LiveblocksError) as raised:
        call(*words, **named)
    assert raised.value.status == status


def test_a_group_is_made_read_and_deleted(api, prefix):
    name = f"{prefix}a/b é"
    made = create(api, name, memberIds=["bob", "ann"], organizationId="acme")
    assert {key: made[key] for key in ("type", "id", "organizationId", "scopes")} == {
        "type": "group",
        "id": name,
        "organizationId": "acme",
        "scopes": {"mention": True},
    }
    assert made["tenantId"] == "acme"
    assert members(made) == ["bob", "ann"]
    created_at = datetime.fromisoformat(made["createdAt"])
    assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=5)
    assert made["updatedAt"] == made["createdAt"] == made["members"][1]["addedAt"]
    assert api.get_group(name).to_dict() == made
    refused(409, create, api, name)
    assert api.get_group(name).to_dict() == made
    assert api.delete_group(name) is None
    refused(404, api.get_group, name)
    refused(404, api.delete_group, name)


def test_what_a_group_is_good_for_is_kept(api, prefix):
    assert create(api, f"{prefix}1", scopes={"mention": False})["scopes"] == {"mention": False}
    assert create(api, f"{prefix}2", scopes={})["scopes"] == {}
    refused(422, create, api, "x" * 129)
    refused(422, create, api, f"{prefix}3", memberIds=[str(number) for number in range(1001)])


def test_members_come_and_go(api, prefix):
    made = create(api, prefix)
    assert (made["members"], made["organizationId"]) == ([], "default")
    added = add(api, prefix, "ann", "bob", "ann")
    assert members(added) == ["ann", "bob"]
    again = add(api, prefix, "bob", "cid")
    assert members(again) == ["ann", "bob", "cid"]
    assert again["members"][:2] == added["members"]
    assert members(remove(api, prefix, "ann", "nobody")) == ["bob", "cid"]
    assert members(api.get_group(prefix).to_dict()) == ["bob", "cid"]
    refused(404, add, api, f"{prefix}nobody", "ann")
    refused(404, remove, api, f"{prefix}nobody", "ann")


def test_groups_come_in_pages_newest_first(api, prefix):
    names = [f"{prefix}{number:02}" for number in range(25)]
    for number, name in enumerate(names):
        create(api, name, memberIds=[f"{prefix}ann", f"{prefix}{number % 2}"])
    newest = names[::-1]

    first = api.get_user_groups(f"{prefix}ann")
    assert [group.id for group in first.data] == newest[:20]
    rest = api.get_user_groups(f"{prefix}ann", starting_after=first.next_cursor)
    assert [group.id for group in rest.data] == newest[20:]
    assert rest.next_cursor is None
    odd = api.get_user_groups(f"{prefix}1", limit=100)
    assert [group.id for group in odd.data] == newest[1::2]
    assert api.get_user_groups(f"{prefix}nobody").to_dict() == {"nextCursor": None, "data": []}

    found, cursor = [], None
    while cursor is not None or not found:
        more = {"starting_after": cursor} if cursor else {}
        page = api.get_groups(limit=7, **more)
        found += [group.id for group in page.data if group.id.startswith(prefix)]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == newest
    refused(422, api.get_groups, limit=101)
    refused(422, api.get_groups, starting_after="no cursor")
