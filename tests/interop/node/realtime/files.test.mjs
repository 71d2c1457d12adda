// Files in Storage: uploaded by the real client, seen by the others, read by their URL.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { accessToken, becomes, closeAll, liveblocks } from "./lib.mjs";
import { Peer } from "./peer.mjs";
import { Code, Op, Raw } from "./raw.mjs";

after(closeAll);

const PART_BYTES = 5 * 1024 * 1024;

async function pair() {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna", storage: { n: 1 } });
  const root = await anna.root();
  await anna.synchronized();
  const ben = await Peer.join(room, { user: "ben" });
  await ben.root();
  return { room, anna, ben, root };
}

for (const [name, bytes] of [["small", 1000], ["in parts", PART_BYTES * 2 + 17]]) {
  test(`a file, ${name}`, async () => {
    const { room, anna, ben, root } = await pair();
    const content = Buffer.alloc(bytes, "abcdefg");
    const file = await anna.room.uploadFile(new File([content], "ä b.txt"));
    root.set("file", file);
    await anna.synchronized();
    const expected = { id: file.id, name: "ä b.txt", size: bytes, mimeType: "text/plain" };
    assert.match(file.id, /^fl_/);
    await becomes("ben sees it", () => ben.json().file, expected);
    assert.deepEqual((await liveblocks.getStorageDocument(room, "json")).file, expected);
    const url = await ben.room.getFileUrl(file.id);
    const answer = await fetch(url);
    assert.equal(answer.status, 200);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(content));
  });
}

test("a file that nobody uploaded is refused", async () => {
  const { room, ben } = await pair();
  const raw = await Raw.join(room, { token: await accessToken("raw", room) });
  const data = { id: `fl_${"x".repeat(21)}`, name: "a", size: 1, mimeType: "text/plain" };
  const [opId] = raw.ops({
    type: Op.CREATE_FILE,
    id: raw.id(),
    parentId: "root",
    parentKey: "file",
    data,
  });
  assert.equal((await raw.answer(opId)).type, Code.REJECTED);
  assert.equal(ben.json().file, undefined);
});

test("who may not write Storage uploads nothing", async () => {
  const { room } = await pair();
  const reader = await Peer.join(room, { user: "reader", scopes: ["*:read"] });
  await assert.rejects(reader.room.uploadFile(new File(["x"], "x.txt")));
});
