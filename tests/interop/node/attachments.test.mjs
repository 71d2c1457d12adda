// Every method about attachments of @liveblocks/node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, liveblocks, prefix } from "./client.mjs";

const body = { version: 1, content: [{ type: "paragraph", children: [{ text: "see" }] }] };

async function room() {
  const roomId = prefix();
  await liveblocks.createRoom(roomId, { defaultAccesses: [] });
  return roomId;
}

// Above 5 MiB the SDK uploads in parts, several at once.
for (const size of [0, 11, 5 * 1024 * 1024 + 1, 12 * 1024 * 1024]) {
  test(`an attachment of ${size} bytes comes back`, async () => {
    const roomId = await room();
    const content = Uint8Array.from({ length: size }, (_, at) => (at * 7 + (at >> 12)) & 255);
    const file = new File([content], "é/b.png");
    const stored = await liveblocks.uploadAttachment({ roomId, userId: "ann", file });
    const { id, ...rest } = stored;
    assert.match(id, /^at_[\w-]{21}$/);
    assert.deepEqual(rest, { type: "attachment", name: "é/b.png", size, mimeType: "image/png" });
    const shown = await liveblocks.getAttachment({ roomId, attachmentId: id });
    const { url, expiresAt, ...same } = shown;
    assert.deepEqual(same, stored);
    assert.ok(new Date(expiresAt) > new Date());
    const downloaded = await fetch(url);
    assert.equal(downloaded.status, 200);
    assert.deepEqual(Buffer.from(await downloaded.arrayBuffer()), Buffer.from(content));
  });
}

test("an attachment that is not there, and a room that is not", async () => {
  const roomId = await room();
  await fails(liveblocks.getAttachment({ roomId, attachmentId: "at_nobody" }), 404);
  const file = new File(["hi"], "a.txt");
  await fails(liveblocks.uploadAttachment({ roomId: `${roomId}x`, userId: "ann", file }), 404);
});

test("a comment takes attachments, and an edit lets go of one", async () => {
  const roomId = await room();
  const upload = (name) =>
    liveblocks.uploadAttachment({ roomId, userId: "ann", file: new File(["hi"], name) });
  const [one, two] = [await upload("1.txt"), await upload("2.txt")];
  const comment = { userId: "ann", body, attachmentIds: [one.id, two.id] };
  const thread = await liveblocks.createThread({ roomId, data: { comment } });
  assert.deepEqual(thread.comments[0].attachments, [one, two]);
  const { id: threadId } = thread;
  const { id: commentId } = thread.comments[0];
  const edited = await liveblocks.editComment({
    roomId,
    threadId,
    commentId,
    data: { body, attachmentIds: [two.id] },
  });
  assert.deepEqual(edited.attachments, [two]);
  await fails(liveblocks.getAttachment({ roomId, attachmentId: one.id }), 404);
});
