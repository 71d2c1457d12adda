// Every method about whole threads of @liveblocks/node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, liveblocks, prefix } from "./client.mjs";

const says = (text, ...more) => ({
  version: 1,
  content: [{ type: "paragraph", children: [{ text }, ...more] }],
});

async function roomWithThread(metadata) {
  const roomId = prefix();
  await liveblocks.createRoom(roomId, { defaultAccesses: [] });
  const data = { comment: { userId: "ann", body: says("hi") }, metadata };
  const thread = await liveblocks.createThread({ roomId, data });
  return { roomId, threadId: thread.id };
}

test("threads are found, changed and deleted", async () => {
  const { roomId, threadId } = await roomWithThread({ color: "red", n: 3 });
  const comment = { userId: "bob", body: says("other") };
  const data = { comment, metadata: { color: "it's", n: 5 } };
  const other = await liveblocks.createThread({ roomId, data });
  const found = async (query) =>
    (await liveblocks.getThreads({ roomId, query })).data.map(({ id }) => id).sort();
  assert.deepEqual(await found(), [threadId, other.id].sort());
  assert.deepEqual(await found({ metadata: { color: "it's" } }), [other.id]);
  assert.deepEqual(await found({ metadata: { color: { startsWith: "re" } } }), [threadId]);
  assert.deepEqual(await found({ metadata: { n: { gt: 3, lte: 5 } }, resolved: false }), [other.id]);
  assert.deepEqual(await found("visibility:'private'"), []);
  await fails(liveblocks.getThreads({ roomId, query: "nonsense" }), 422, "query");

  const metadata = { color: null, done: true };
  const merged = await liveblocks.editThreadMetadata({
    roomId,
    threadId,
    data: { metadata, userId: "bob" },
  });
  assert.deepEqual(merged, { n: 3, done: true });
  const by = { roomId, threadId, data: { userId: "bob" } };
  assert.equal((await liveblocks.markThreadAsResolved(by)).resolved, true);
  assert.deepEqual(await found({ resolved: true }), [threadId]);
  assert.equal((await liveblocks.markThreadAsUnresolved(by)).resolved, false);

  const reply = says("ask ", { type: "mention", kind: "user", id: "cy" });
  await liveblocks.createComment({ roomId, threadId, data: { userId: "bob", body: reply } });
  const { participantIds } = await liveblocks.getThreadParticipants({ roomId, threadId });
  assert.deepEqual(participantIds, ["ann", "bob", "cy"]);

  assert.equal(await liveblocks.deleteThread({ roomId, threadId }), undefined);
  await fails(liveblocks.getThread({ roomId, threadId }), 404);
  await fails(liveblocks.deleteThread({ roomId, threadId }), 404);
  assert.deepEqual(await found(), [other.id]);
});
