// Versions of a room, made and restored by the real client.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { becomes, closeAll, kInternal, liveblocks } from "./lib.mjs";
import { LiveList, LiveMap, LiveObject, LiveText, Y } from "./lib.mjs";
import { Peer } from "./peer.mjs";

after(closeAll);

const FIRST = {
  l: ["a", { n: 1 }],
  m: { k: [true] },
  t: [["bold", { bold: true }]],
  plain: { deep: [null] },
};

async function furnished() {
  const room = prefix();
  const anna = await Peer.join(room, {
    user: "anna",
    storage: {
      l: new LiveList(["a", new LiveObject({ n: 1 })]),
      m: new LiveMap([["k", new LiveList([true])]]),
      t: new LiveText([["bold", { bold: true }]]),
      plain: { deep: [null] },
    },
  });
  const root = await anna.root();
  const doc = anna.yjs().getYDoc();
  doc.getText("t").insert(0, "first");
  await anna.synchronized();
  await anna.yjsSynchronized();
  return { room, anna, root, doc, internal: anna.room[kInternal] };
}

// As @liveblocks/react reads one.
async function nodesOf(internal, id) {
  const text = await (await internal.fetchStorageHistoryVersion(id)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

test("a version holds Storage and the document as they were, and restores Storage", async () => {
  const { room, anna, root, doc, internal } = await furnished();
  const ben = await Peer.join(room, { user: "ben" });
  await ben.root();
  await internal.createVersionHistorySnapshot();
  anna.room.batch(() => {
    root.get("l").push("later");
    root.get("l").delete(0);
    root.get("m").delete("k");
    root.get("t").insert(0, "later");
    root.delete("plain");
    root.set("new", 1);
  });
  doc.getText("t").insert(0, "later ");
  await anna.synchronized();
  await anna.yjsSynchronized();
  const { versions } = await internal.listHistoryVersions();
  assert.equal(versions.length, 1);
  const [version] = versions;
  assert.match(version.id, /^vh_/);
  assert.ok(version.createdAt instanceof Date && !Number.isNaN(version.createdAt.getTime()));
  assert.ok(version.authors.every(({ id }) => typeof id === "string"));
  const nodes = await nodesOf(internal, version.id);
  assert.deepEqual(internal.liveObjectFromNodeStream(nodes).toJSON(), FIRST);
  const update = await (await internal.fetchYjsHistoryVersion(version.id)).arrayBuffer();
  const then = new Y.Doc();
  Y.applyUpdate(then, new Uint8Array(update));
  assert.equal(then.getText("t").toString(), "first");
  internal.reconcileStorageWithNodes(nodes);
  await anna.synchronized();
  await becomes("anna is back", () => anna.json(), FIRST);
  await becomes("and ben", () => ben.json(), FIRST);
  assert.deepEqual(await liveblocks.getStorageDocument(room, "json"), FIRST);
});

test("versions that a back end makes are the same ones, newest first", async () => {
  const { room, root, anna, internal } = await furnished();
  const ids = [];
  for (let n = 0; n < 3; n += 1) {
    root.set("n", n);
    await anna.synchronized();
    ids.unshift((await liveblocks.createVersionHistorySnapshot(room)).data.id);
  }
  const listed = async () => (await internal.listHistoryVersions()).versions.map(({ id }) => id);
  assert.deepEqual(await listed(), ids);
  const page = await liveblocks.getVersionHistory(room, { limit: 2 });
  assert.deepEqual(page.data.map(({ id }) => id), ids.slice(0, 2));
  const rest = await liveblocks.getVersionHistory(room, { limit: 2, cursor: page.nextCursor });
  assert.deepEqual(rest.data.map(({ id }) => id), ids.slice(2));
  assert.equal(rest.nextCursor, null);
  for (const [index, id] of ids.entries()) {
    const live = internal.liveObjectFromNodeStream(await nodesOf(internal, id));
    assert.equal(live.get("n"), 2 - index);
  }
  const bytes = await liveblocks.getYjsVersion({ roomId: room, versionId: ids[0] });
  const doc = new Y.Doc();
  Y.applyUpdate(doc, new Uint8Array(bytes));
  assert.equal(doc.getText("t").toString(), "first");
  await internal.deleteHistoryVersion(ids[1]);
  assert.deepEqual(await listed(), [ids[0], ids[2]]);
  await liveblocks.deleteVersion({ roomId: room, versionId: ids[0] });
  assert.deepEqual(await listed(), [ids[2]]);
  await assert.rejects(liveblocks.getYjsVersion({ roomId: room, versionId: ids[0] }), {
    status: 404,
  });
});

test("the list since a time has what came after it", async () => {
  const { room, internal } = await furnished();
  await liveblocks.createVersionHistorySnapshot(room);
  const { requestedAt } = await internal.listHistoryVersions();
  const { data } = await liveblocks.createVersionHistorySnapshot(room);
  const later = await internal.listHistoryVersionsSince({ since: requestedAt });
  assert.ok(later.versions.some(({ id }) => id === data.id));
  const future = new Date(Date.now() + 3_600_000);
  assert.deepEqual((await internal.listHistoryVersionsSince({ since: future })).versions, []);
});

test("who may only read sees versions, and makes or deletes none", async () => {
  const { room } = await furnished();
  const { data } = await liveblocks.createVersionHistorySnapshot(room);
  const reader = await Peer.join(room, { user: "reader", scopes: ["*:read"] });
  const internal = reader.room[kInternal];
  assert.equal((await internal.listHistoryVersions()).versions.length, 1);
  await assert.rejects(internal.deleteHistoryVersion(data.id), { status: 403 });
  // The client does not look at the status of this answer; what counts is what it did.
  await internal.createVersionHistorySnapshot();
  const left = (await internal.listHistoryVersions()).versions.map(({ id }) => id);
  assert.deepEqual(left, [data.id]);
  const blind = await Peer.join(room, { user: "blind", scopes: ["*:write", "storage:none"] });
  await assert.rejects(blind.room[kInternal].listHistoryVersions(), { status: 403 });
});
