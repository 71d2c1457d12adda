// Every method about feeds of @liveblocks/node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, liveblocks, prefix } from "./client.mjs";

const STARTED_AT = 1_700_000_000_000;

async function roomWithFeed() {
  const roomId = prefix();
  await liveblocks.createRoom(roomId, { defaultAccesses: [] });
  const feedId = "f/1 ?é";
  const feed = await liveblocks.createFeed({
    roomId,
    feedId,
    metadata: { name: "x", tags: ["a", "b"] },
    createdAt: STARTED_AT,
  });
  return { roomId, feedId, feed };
}

test("feeds are made, read, changed and deleted", async () => {
  const { roomId, feedId, feed } = await roomWithFeed();
  assert.deepEqual(feed, {
    feedId,
    metadata: { name: "x", tags: ["a", "b"] },
    createdAt: STARTED_AT,
    updatedAt: STARTED_AT,
  });
  assert.deepEqual(await liveblocks.getFeed({ roomId, feedId }), feed);
  const other = await liveblocks.createFeed({ roomId, feedId: "g" });
  assert.deepEqual(other.metadata, {});
  assert.deepEqual((await liveblocks.getFeeds({ roomId })).data, [other, feed]);
  const metadata = { name: null, tags: ["c"], more: "y" };
  const changed = await liveblocks.updateFeed({ roomId, feedId, metadata });
  assert.deepEqual(changed.metadata, { tags: ["c"], more: "y" });
  assert.ok(changed.updatedAt > STARTED_AT);
  assert.deepEqual(await liveblocks.getFeed({ roomId, feedId }), changed);
  assert.equal(await liveblocks.deleteFeed({ roomId, feedId }), undefined);
  await fails(liveblocks.getFeed({ roomId, feedId }), 404);
  assert.deepEqual((await liveblocks.getFeeds({ roomId })).data, [other]);
});

test("messages are added, listed, changed and deleted", async () => {
  const { roomId, feedId } = await roomWithFeed();
  const first = await liveblocks.createFeedMessage({
    roomId,
    feedId,
    id: "m1",
    createdAt: STARTED_AT,
    data: { text: "one", n: [1.5, null, { deep: true }] },
  });
  assert.deepEqual(first, {
    id: "m1",
    createdAt: STARTED_AT,
    updatedAt: STARTED_AT,
    data: { text: "one", n: [1.5, null, { deep: true }] },
  });
  const second = await liveblocks.createFeedMessage({ roomId, feedId, data: { text: "two" } });
  assert.ok(second.id);
  const listed = await liveblocks.getFeedMessages({ roomId, feedId });
  assert.deepEqual(listed.data, [second, first]);
  const changed = await liveblocks.updateFeedMessage({
    roomId,
    feedId,
    messageId: "m1",
    data: { text: "1" },
    updatedAt: STARTED_AT + 5,
  });
  const expected = { ...first, data: { text: "1" }, updatedAt: STARTED_AT + 5 };
  assert.deepEqual(changed, expected);
  await liveblocks.deleteFeedMessage({ roomId, feedId, messageId: "m1" });
  assert.deepEqual((await liveblocks.getFeedMessages({ roomId, feedId })).data, [second]);
});

test("what cannot be done is said as the SDK's own error", async () => {
  const { roomId, feedId } = await roomWithFeed();
  await fails(liveblocks.createFeed({ roomId, feedId }), 409, "already exists");
  await fails(liveblocks.createFeed({ roomId: prefix(), feedId }), 404);
  await fails(liveblocks.createFeed({ roomId, feedId: "" }), 422, "feedId");
  await fails(liveblocks.getFeedMessages({ roomId, feedId: "nobody" }), 404);
  const message = { roomId, feedId, id: "m", data: {} };
  await liveblocks.createFeedMessage(message);
  await fails(liveblocks.createFeedMessage(message), 409, "already exists");
  const nobody = { roomId, feedId, messageId: "nobody" };
  await fails(liveblocks.updateFeedMessage({ ...nobody, data: {} }), 404);
  await fails(liveblocks.deleteFeedMessage(nobody), 404);
});
