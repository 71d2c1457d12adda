// @liveblocks/node 3.24.2: getRooms, iterRooms and the queries that the SDK writes itself.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { collect, fails, liveblocks, organization, prefix } from "./client.mjs";

const start = prefix();
const organizationId = organization();
const ROOMS = [
  [
    "a:1",
    { metadata: { status: "open", "it's": "quoted's" }, usersAccesses: { alice: ["*:write"] } },
  ],
  ["a:2", { metadata: { status: "closed" }, groupsAccesses: { g1: ["*:read"] } }],
  ["b:1", { metadata: { status: "open" }, groupsAccesses: { g2: ["*:read"] }, organizationId }],
];
const all = ROOMS.map(([name]) => name);

before(async () => {
  for (const [name, fields] of ROOMS) {
    await liveblocks.createRoom(start + name, { defaultAccesses: [], ...fields });
  }
});

async function names(params) {
  const { data } = await liveblocks.getRooms({ limit: 100, ...params });
  return data.map((room) => room.id.slice(start.length));
}

test("queries as text", async () => {
  assert.deepEqual(await names({ query: `roomId^"${start}"` }), [...all].reverse());
  const query = `metadata["status"]:"open" AND roomId^"${start}"`;
  assert.deepEqual(await names({ query }), ["b:1", "a:1"]);
});

test("queries that the SDK writes from objects", async () => {
  const roomId = { startsWith: start };
  assert.deepEqual(await names({ query: { roomId } }), [...all].reverse());
  assert.deepEqual(await names({ query: { roomId, metadata: { status: "open" } } }), [
    "b:1",
    "a:1",
  ]);
  assert.deepEqual(
    await names({ query: { roomId: { startsWith: `${start}a:` }, metadata: { status: "open" } } }),
    ["a:1"],
  );
  assert.deepEqual(await names({ query: { roomId, metadata: { "it's": "quoted's" } } }), ["a:1"]);
});

test("users, groups and organizations", async () => {
  const query = { roomId: { startsWith: start } };
  assert.deepEqual(await names({ query, userId: "alice" }), ["a:1"]);
  assert.deepEqual(await names({ query, groupIds: ["g1", "g2"] }), ["b:1", "a:2"]);
  assert.deepEqual(await names({ query, userId: "alice", groupIds: ["g1"] }), ["a:2", "a:1"]);
  assert.deepEqual(await names({ organizationId }), ["b:1"]);
  assert.deepEqual(await names({ tenantId: organizationId }), ["b:1"]);
});

test("pages go on to null, and without a limit they have 20", async () => {
  const own = organization();
  const ids = Array.from({ length: 45 }, (_, n) => `${prefix()}${n}`);
  for (const id of ids)
    await liveblocks.createRoom(id, { defaultAccesses: [], organizationId: own });
  const first = await liveblocks.getRooms({ organizationId: own });
  assert.equal(first.data.length, 20);
  assert.equal(typeof first.nextCursor, "string");
  const last = await liveblocks.getRooms({
    organizationId: own,
    startingAfter: first.nextCursor,
    limit: 25,
  });
  assert.equal(last.data.length, 25);
  assert.equal(last.nextCursor, null);
  assert.deepEqual(
    await collect(liveblocks.iterRooms({ organizationId: own })),
    [...ids].reverse(),
  );
  const small = liveblocks.iterRooms({ organizationId: own }, { pageSize: 20 });
  assert.deepEqual(await collect(small), [...ids].reverse());
});

test("wrong limits, cursors and queries are 422", async () => {
  await fails(liveblocks.getRooms({ limit: 0 }), 422, "limit");
  await fails(liveblocks.getRooms({ limit: 101 }), 422, "limit", "100");
  await fails(liveblocks.getRooms({ startingAfter: "nonsense" }), 422, "startingAfter");
  await fails(liveblocks.getRooms({ query: "nonsense" }), 422, "query");
});
