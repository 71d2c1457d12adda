"""PyPI liveblocks 3.23.0: many calls at once, from one event loop and from threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from harness import DEV_SECRET_KEY
from liveblocks import AsyncLiveblocks, Liveblocks
from liveblocks.errors import LiveblocksError
from liveblocks.models import CreateRoomRequestBody
from test_python_rooms import Json

ROOMS = 100
RIVALS = 20


def body(room_id: str, **fields):
    return CreateRoomRequestBody.from_dict({"id": room_id, "defaultAccesses": ["*:read"], **fields})


def test_one_event_loop_creates_reads_and_lists_at_once(server, prefix, organization):
    async def scenario():
        async with AsyncLiveblocks(secret=DEV_SECRET_KEY, base_url=server.url) as client:
            ids = [f"{prefix}{number}" for number in range(ROOMS)]
            rooms = await asyncio.gather(
                *(
                    client.create_room(body=body(room_id, organizationId=organization))
                    for room_id in ids
                )
            )
            assert [room.id for room in rooms] == ids
            read = await asyncio.gather(*(client.get_room(room_id) for room_id in ids))
            assert [room.to_dict() for room in read] == [room.to_dict() for room in rooms]
            page = await client.get_rooms(organization_id=organization, limit=100)
            assert sorted(room.id for room in page.data) == sorted(ids)
            assert page.next_cursor is None
            await asyncio.gather(*(client.delete_room(room_id) for room_id in ids))
            assert (await client.get_rooms(organization_id=organization)).data == []

    asyncio.run(scenario())


def test_of_many_rivals_one_creates_the_room(server, prefix):
    async def scenario():
        async with AsyncLiveblocks(secret=DEV_SECRET_KEY, base_url=server.url) as client:
            tries = [
                client.create_room(body=body(f"{prefix}one", metadata={"by": str(n)}))
                for n in range(RIVALS)
            ]
            outcomes = await asyncio.gather(*tries, return_exceptions=True)
            won = [room for room in outcomes if not isinstance(room, BaseException)]
            lost = [error.status for error in outcomes if isinstance(error, LiveblocksError)]
            assert len(won) == 1 and lost == [409] * (RIVALS - 1), outcomes
            assert (await client.get_room(f"{prefix}one")).to_dict() == won[0].to_dict()
            same = [
                client.create_room(body=body(f"{prefix}two"), idempotent=True)
                for _ in range(RIVALS)
            ]
            rooms = await asyncio.gather(*same)
            assert len({room.created_at for room in rooms}) == 1

    asyncio.run(scenario())


def test_merges_from_many_threads_are_all_kept(server, prefix):
    room_id = f"{prefix}merged"
    with Liveblocks(secret=DEV_SECRET_KEY, base_url=server.url) as client:
        client.create_room(body=body(room_id))
        with ThreadPoolExecutor(16) as pool:
            patches = [Json({"metadata": {f"k{number}": str(number)}}) for number in range(50)]
            list(pool.map(lambda patch: client.update_room(room_id, body=patch), patches))
        assert client.get_room(room_id).metadata.to_dict() == {f"k{n}": str(n) for n in range(50)}
