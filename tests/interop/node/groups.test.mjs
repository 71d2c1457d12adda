// Every method about groups of @liveblocks/node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { baseUrl, fails, liveblocks, prefix } from "./client.mjs";

const ids = (list) => list.map(({ id }) => id);

test("groups are made, read and deleted", async () => {
  const groupId = `${prefix()}a/b ?é`;
  const made = await liveblocks.createGroup({
    groupId,
    memberIds: ["bob", "ann"],
    organizationId: "acme",
  });
  assert.equal(made.type, "group");
  assert.equal(made.id, groupId);
  assert.equal(made.organizationId, "acme");
  assert.deepEqual(made.scopes, { mention: true });
  assert.ok(made.createdAt instanceof Date && Math.abs(Date.now() - made.createdAt) < 300_000);
  assert.deepEqual(ids(made.members), ["bob", "ann"]);
  assert.deepEqual(made.members[0].addedAt, made.createdAt);
  assert.deepEqual(await liveblocks.getGroup({ groupId }), made);
  await fails(liveblocks.createGroup({ groupId }), 409, "already exists");
  assert.equal(await liveblocks.deleteGroup({ groupId }), undefined);
  await fails(liveblocks.getGroup({ groupId }), 404);
  await fails(liveblocks.deleteGroup({ groupId }), 404);
});

test("members come and go", async () => {
  const groupId = prefix();
  await liveblocks.createGroup({ groupId });
  const added = await liveblocks.addGroupMembers({ groupId, memberIds: ["ann", "bob"] });
  assert.deepEqual(ids(added.members), ["ann", "bob"]);
  const more = await liveblocks.addGroupMembers({ groupId, memberIds: ["cid", "ann"] });
  assert.deepEqual(more.members.slice(0, 2), added.members);
  const less = await liveblocks.removeGroupMembers({ groupId, memberIds: ["ann", "eve"] });
  assert.deepEqual(ids(less.members), ["bob", "cid"]);
  assert.ok(less.updatedAt >= more.updatedAt && more.updatedAt >= added.updatedAt);
  assert.deepEqual(await liveblocks.getGroup({ groupId }), less);
  await fails(liveblocks.addGroupMembers({ groupId: prefix(), memberIds: ["ann"] }), 404);
});

test("groups are listed, all of them and those of a user", async () => {
  const start = prefix();
  const userId = `${start}ann`;
  for (const name of ["a", "b", "c"]) {
    await liveblocks.createGroup({ groupId: start + name, memberIds: [userId] });
  }
  const expected = ["c", "b", "a"].map((name) => start + name);
  const first = await liveblocks.getUserGroups({ userId, limit: 2 });
  const rest = await liveblocks.getUserGroups({ userId, startingAfter: first.nextCursor });
  assert.deepEqual(ids([...first.data, ...rest.data]), expected);
  assert.equal(rest.nextCursor, null);
  assert.ok(first.data[0].createdAt instanceof Date);
  const newest = await liveblocks.getGroups({ limit: 3 });
  assert.deepEqual(ids(newest.data), expected);
  await fails(liveblocks.getGroups({ limit: 101 }), 422, "limit");
});

test("a user finds the groups of their organization, as browsers ask", async () => {
  const start = prefix();
  await liveblocks.createGroup({ groupId: `${start}a`, memberIds: ["ann"] });
  await liveblocks.createGroup({ groupId: `${start}b`, organizationId: "acme" });
  const { body } = await liveblocks.identifyUser({ userId: "ann" });
  const find = async (groupIds) => {
    const response = await fetch(`${baseUrl}/v2/c/groups/find`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${JSON.parse(body).token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ groupIds }),
    });
    assert.equal(response.status, 200);
    return response.json();
  };
  const { groups } = await find([`${start}b`, `${start}nobody`, `${start}a`]);
  assert.deepEqual(ids(groups), [`${start}a`]);
  assert.deepEqual(ids(groups[0].members), ["ann"]);
  assert.deepEqual(await find([]), { groups: [] });
});
