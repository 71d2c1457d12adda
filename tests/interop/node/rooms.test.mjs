// @liveblocks/node 3.24.2: every method of rooms.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, liveblocks, prefix } from "./client.mjs";

const ODD_IDS = [
  "a/b",
  "with space",
  "ünï-😀",
  "100%",
  "%2F",
  "a:b;c,d",
  "q?h#a&p=+",
  "\"'\\",
  "upsert",
  "x/prewarm",
];

test("createRoom and getRoom return every field", async () => {
  const id = `${prefix()}full`;
  const created = await liveblocks.createRoom(id, {
    defaultAccesses: ["room:read", "room:presence:write"],
    usersAccesses: { alice: ["room:write"], böb: ["*:read", "storage:none"] },
    groupsAccesses: { product: ["*:write", "comments:private:none"] },
    metadata: { color: "blue", tags: ["a", "b"] },
    organizationId: "acme",
  });
  assert.equal(created.type, "room");
  assert.equal(created.id, id);
  assert.equal(created.organizationId, "acme");
  assert.deepEqual(created.metadata, { color: "blue", tags: ["a", "b"] });
  assert.deepEqual(Object.keys(created.usersAccesses).sort(), ["alice", "böb"]);
  assert.deepEqual([...created.usersAccesses["böb"]].sort(), ["*:read", "storage:none"]);
  assert.deepEqual([...created.groupsAccesses.product].sort(), [
    "*:write",
    "comments:private:none",
  ]);
  assert.ok(created.createdAt instanceof Date);
  assert.ok(Math.abs(Date.now() - created.createdAt.getTime()) < 60_000);
  assert.equal(created.lastConnectionAt, undefined);
  assert.deepEqual(await liveblocks.getRoom(id), created);
});

test("a minimal room has empty maps and the default organization", async () => {
  const room = await liveblocks.createRoom(`${prefix()}minimal`, { defaultAccesses: [] });
  assert.deepEqual(room.defaultAccesses, []);
  assert.deepEqual(room.usersAccesses, {});
  assert.deepEqual(room.groupsAccesses, {});
  assert.deepEqual(room.metadata, {});
  assert.equal(room.organizationId, "default");
});

test("tenantId is the older name of organizationId", async () => {
  const id = `${prefix()}tenant`;
  const room = await liveblocks.createRoom(id, { defaultAccesses: [], tenantId: "older" });
  assert.equal(room.organizationId, "older");
});

test("a taken id is 409 unless idempotent", async () => {
  const id = `${prefix()}taken`;
  const first = await liveblocks.createRoom(id, {
    defaultAccesses: ["*:write"],
    metadata: { v: "1" },
  });
  await fails(liveblocks.createRoom(id, { defaultAccesses: [] }), 409, "exists");
  const again = { defaultAccesses: [], metadata: { v: "2" } };
  assert.deepEqual(await liveblocks.createRoom(id, again, { idempotent: true }), first);
  assert.deepEqual(await liveblocks.getOrCreateRoom(id, again), first);
  const fresh = await liveblocks.getOrCreateRoom(`${id}2`, again);
  assert.deepEqual(fresh.metadata, { v: "2" });
});

for (const odd of ODD_IDS) {
  test(`the id ${JSON.stringify(odd)} travels unchanged`, async () => {
    const id = prefix() + odd;
    assert.equal((await liveblocks.createRoom(id, { defaultAccesses: [] })).id, id);
    assert.equal((await liveblocks.getRoom(id)).id, id);
    assert.equal((await liveblocks.updateRoom(id, { metadata: { k: "v" } })).id, id);
    assert.equal((await liveblocks.upsertRoom(id, { update: { metadata: { k: "w" } } })).id, id);
    await liveblocks.prewarmRoom(id);
    assert.deepEqual((await liveblocks.getActiveUsers(id)).data, []);
    await liveblocks.broadcastEvent(id, { type: "hello" });
    const renamed = await liveblocks.updateRoomId({ currentRoomId: id, newRoomId: `${id}/new` });
    assert.equal(renamed.id, `${id}/new`);
    await liveblocks.deleteRoom(`${id}/new`);
    await fails(liveblocks.getRoom(`${id}/new`), 404);
  });
}

test("updateRoom merges and null deletes", async () => {
  const id = `${prefix()}merge`;
  await liveblocks.createRoom(id, {
    defaultAccesses: ["*:read"],
    usersAccesses: { alice: ["*:write"], bob: ["*:read"] },
    groupsAccesses: { g: ["*:write"] },
    metadata: { keep: "1", drop: "2" },
  });
  const after = await liveblocks.updateRoom(id, {
    usersAccesses: { bob: null, carol: ["*:read"] },
    groupsAccesses: { g: null },
    metadata: { drop: null, list: ["x"] },
  });
  assert.deepEqual(after.defaultAccesses, ["*:read"]);
  assert.deepEqual(after.usersAccesses, { alice: ["*:write"], carol: ["*:read"] });
  assert.deepEqual(after.groupsAccesses, {});
  assert.deepEqual(after.metadata, { keep: "1", list: ["x"] });
  const closed = await liveblocks.updateRoom(id, { defaultAccesses: null });
  assert.deepEqual(closed.defaultAccesses, []);
  await fails(liveblocks.updateRoom(`${id}none`, { metadata: {} }), 404, "Room not found");
});

test("upsertRoom creates once and then updates", async () => {
  const id = `${prefix()}upsert`;
  const params = {
    update: { metadata: { color: "blue" } },
    create: { defaultAccesses: ["*:read"], metadata: { from: "create", color: "red" } },
  };
  const created = await liveblocks.upsertRoom(id, params);
  assert.deepEqual(created.metadata, { from: "create", color: "blue" });
  assert.deepEqual(created.defaultAccesses, ["*:read"]);
  await liveblocks.updateRoom(id, { metadata: { from: null } });
  assert.deepEqual((await liveblocks.upsertRoom(id, params)).metadata, { color: "blue" });
});

test("updateRoomId moves a room and refuses a taken id", async () => {
  const id = prefix();
  const before = await liveblocks.createRoom(`${id}old`, {
    defaultAccesses: [],
    metadata: { k: "v" },
  });
  const after = await liveblocks.updateRoomId({ currentRoomId: `${id}old`, newRoomId: `${id}new` });
  assert.deepEqual(after, { ...before, id: `${id}new` });
  await fails(liveblocks.getRoom(`${id}old`), 404);
  await liveblocks.createRoom(`${id}old`, { defaultAccesses: [] });
  await fails(liveblocks.updateRoomId({ currentRoomId: `${id}old`, newRoomId: `${id}new` }), 409);
  await fails(liveblocks.updateRoomId({ currentRoomId: `${id}none`, newRoomId: `${id}x` }), 404);
});

test("prewarmRoom, getActiveUsers, setPresence and broadcastEvent", async () => {
  const id = `${prefix()}live`;
  await fails(liveblocks.prewarmRoom(id), 404, "Room not found");
  await fails(liveblocks.getActiveUsers(id), 404, "Room not found");
  await fails(liveblocks.setPresence(id, { userId: "a", data: {} }), 404, "Room not found");
  await fails(liveblocks.broadcastEvent(id, {}), 404, "Room not found");
  await liveblocks.createRoom(id, { defaultAccesses: [] });
  assert.equal(await liveblocks.prewarmRoom(id), undefined);
  assert.deepEqual((await liveblocks.getActiveUsers(id)).data, []);
  const data = { status: "active", cursor: { x: 1.5, y: null } };
  assert.equal(await liveblocks.setPresence(id, { userId: "agent", data }), undefined);
  const userInfo = { name: "Agent", avatar: "https://example.org/a.png" };
  assert.equal(
    await liveblocks.setPresence(id, { userId: "agent", data, userInfo, ttl: 2 }),
    undefined,
  );
  await fails(liveblocks.setPresence(id, { userId: "agent", data, ttl: 1 }), 422, "ttl");
  await fails(liveblocks.setPresence(id, { userId: "agent", data, ttl: 3600 }), 422, "ttl");
  for (const event of [{ a: [1, null] }, [], "text", 0, -1.5, true, false, null]) {
    assert.equal(await liveblocks.broadcastEvent(id, event), undefined);
  }
});

test("deleteRoom is for good", async () => {
  const id = `${prefix()}gone`;
  await liveblocks.createRoom(id, { defaultAccesses: [] });
  assert.equal(await liveblocks.deleteRoom(id), undefined);
  await fails(liveblocks.getRoom(id), 404, "Room not found");
  await fails(liveblocks.deleteRoom(id), 404, "Room not found");
});

test("limits are 422 and name the field", async () => {
  const id = prefix();
  const many = (count) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, "v"]));
  const room = (metadata) => ({ defaultAccesses: [], metadata });
  await fails(liveblocks.createRoom("x".repeat(129), room({})), 422, "'id'", "128", "129");
  await fails(liveblocks.createRoom(`${id}a`, room(many(51))), 422, "metadata", "50", "51");
  await fails(
    liveblocks.createRoom(`${id}a`, room({ ["k".repeat(41)]: "v" })),
    422,
    "metadata",
    "40",
  );
  await fails(
    liveblocks.createRoom(`${id}a`, room({ k: "v".repeat(257) })),
    422,
    "metadata",
    "256",
  );
  await fails(liveblocks.createRoom(`${id}a`, room({ k: 5 })), 422, "metadata");
  assert.equal((await liveblocks.createRoom(`${id}a`, room(many(50)))).id, `${id}a`);
});
