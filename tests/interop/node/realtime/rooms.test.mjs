// What a back end does to a room, as those see it who are in it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { accessToken, becomes, closeAll, eventually, liveblocks, patchStorage } from "./lib.mjs";
import { LiveList, LiveObject, LiveText } from "./lib.mjs";
import { Peer } from "./peer.mjs";
import { Raw } from "./raw.mjs";

after(closeAll);

const ROOM_HAS_ANOTHER_ID = 4006;
const isFinal = (code) => (code >= 4000 && code <= 4099) || code === 4999;

async function inhabited(storage) {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna", storage });
  await anna.root();
  await anna.synchronized();
  const ben = await Peer.join(room, { user: "ben" });
  await ben.root();
  return { room, anna, ben, peers: [anna, ben] };
}

async function everybodyIsOut(peers) {
  for (const peer of peers) {
    await eventually("out for good", () => peer.room.getStatus() === "disconnected");
    const { context } = peer.errors[0];
    assert.equal(context.type, "ROOM_CONNECTION_ERROR");
    assert.ok(isFinal(context.code), `${context.code}`);
  }
}

test("a room that is deleted lets go of everybody, for good", async () => {
  const { room, peers } = await inhabited({ n: 1 });
  await liveblocks.deleteRoom(room);
  await everybodyIsOut(peers);
  const again = await Peer.join(room, { user: "anna", storage: { n: 2 } });
  await again.root();
  assert.deepEqual(again.json(), { n: 2 }, "a new room of the same name is empty");
});

test("a room that is renamed says so, and is whole under its new id", async () => {
  const { room, anna, peers } = await inhabited({ l: new LiveList(["kept"]) });
  anna.yjs().getYDoc().getText("t").insert(0, "kept");
  await anna.yjsSynchronized();
  const raw = await Raw.join(room, { token: await accessToken("raw", room) });
  const newRoomId = prefix();
  await liveblocks.updateRoomId({ currentRoomId: room, newRoomId });
  const { code, reason } = await raw.ended();
  assert.equal(code, ROOM_HAS_ANOTHER_ID);
  assert.ok(reason.length > 0);
  await everybodyIsOut(peers);
  const later = await Peer.join(newRoomId, { user: "anna" });
  await later.root();
  assert.deepEqual(later.json(), { l: ["kept"] });
  const text = later.yjs().getYDoc().getText("t");
  await becomes("the document", () => text.toString(), "kept");
  assert.ok(later.actor > anna.actor || anna.actor === undefined, "actors go on");
});

test("a patch over REST is seen live, whatever it touches", async () => {
  const { room, peers } = await inhabited({
    o: new LiveObject({ n: 1, gone: true }),
    l: new LiveList(["a", "b"]),
    t: new LiveText("text"),
  });
  await patchStorage(
    room,
    { op: "test", path: "/o/n", value: 1 },
    { op: "replace", path: "/o/n", value: 2 },
    { op: "remove", path: "/o/gone" },
    { op: "add", path: "/l/-", value: "c" },
    { op: "add", path: "/l/0", value: { nested: [1] } },
    { op: "move", from: "/l/1", path: "/l/2" },
    { op: "copy", from: "/l/0", path: "/copy" },
  );
  const expected = {
    o: { n: 2 },
    l: [{ nested: [1] }, "b", "a", "c"],
    t: [["text"]],
    copy: { nested: [1] },
  };
  for (const peer of peers) await becomes("they see it", () => peer.json(), expected);
  assert.deepEqual(await liveblocks.getStorageDocument(room, "json"), expected);
  const [anna] = peers;
  anna.room.getStorageSnapshot().get("copy").get("nested").push(2);
  await becomes("what came is live", () => peers[1].json().copy, { nested: [1, 2] });
});

test("a patch that fails changes nothing", async () => {
  const { room, anna } = await inhabited({ o: new LiveObject({ n: 1 }) });
  const bad = { op: "test", path: "/o/n", value: 7 };
  await assert.rejects(patchStorage(room, { op: "add", path: "/o/x", value: 1 }, bad), /422/);
  await patchStorage(room, { op: "add", path: "/o/last", value: 1 });
  await becomes("only the good one is seen", () => anna.json(), { o: { n: 1, last: 1 } });
});

test("patches and edits of clients go through one order", async () => {
  const { room, anna, peers } = await inhabited({ l: new LiveList([]) });
  const list = anna.room.getStorageSnapshot().get("l");
  const expected = [];
  const patches = [];
  for (let n = 0; n < 20; n += 1) {
    list.push(`a${n}`);
    patches.push(patchStorage(room, { op: "add", path: "/l/-", value: `p${n}` }));
    expected.push(`a${n}`, `p${n}`);
  }
  await Promise.all(patches);
  await anna.synchronized();
  const stored = await liveblocks.getStorageDocument(room, "json");
  assert.deepEqual([...stored.l].sort(), expected.sort());
  for (const peer of peers) await becomes("they have it", () => peer.json(), stored);
});

test("Storage that is deleted is empty for everybody, who stay", async () => {
  const { room, anna, peers } = await inhabited({ kept: 1 });
  anna.room.getStorageSnapshot().set("l", new LiveList(["x"]));
  await anna.synchronized();
  const doc = anna.yjs().getYDoc();
  doc.getText("t").insert(0, "stays");
  await anna.yjsSynchronized();
  await liveblocks.deleteStorageDocument(room);
  // Anna fills in what is missing of her initial Storage, as after every load.
  for (const peer of peers) await becomes("the rest is gone", () => peer.json(), { kept: 1 });
  await Promise.all(peers.map((peer) => peer.synchronized()));
  assert.deepEqual(await liveblocks.getStorageDocument(room, "json"), { kept: 1 });
  assert.deepEqual(await liveblocks.getYjsDocument(room), { t: "stays" });
});

test("Storage that a back end writes first is what clients find", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: ["*:write"] });
  await liveblocks.initializeStorageDocument(room, {
    liveblocksType: "LiveObject",
    data: {
      plain: { a: [1] },
      list: { liveblocksType: "LiveList", data: ["one", { liveblocksType: "LiveMap", data: {} }] },
      text: { liveblocksType: "LiveText", data: [["bold", { bold: true }]] },
    },
  });
  const anna = await Peer.join(room, { user: "anna", storage: { plain: "default", more: 1 } });
  const root = await anna.root();
  const expected = { plain: { a: [1] }, list: ["one", {}], text: [["bold", { bold: true }]], more: 1 };
  await becomes("they find it", () => anna.json(), expected);
  root.get("list").get(1).set("k", 1);
  root.get("text").insert(4, "er");
  await anna.synchronized();
  await becomes(
    "what came is live",
    async () => (await liveblocks.getStorageDocument(room, "json")).list,
    ["one", { k: 1 }],
  );
});

test("Storage of a room that people are in cannot be read by one who has no room", async () => {
  await assert.rejects(liveblocks.getStorageDocument(prefix(), "json"), { status: 404 });
});
