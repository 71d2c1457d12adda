// Two real clients, a back end, and one room's feeds.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { becomes, closeAll, eventually, liveblocks } from "./lib.mjs";
import { Peer } from "./peer.mjs";

after(closeAll);

const Heard = { ADDED: 501, UPDATED: 502, DELETED: 503 };
Object.assign(Heard, { MESSAGES_ADDED: 505, MESSAGES_UPDATED: 506, MESSAGES_DELETED: 507 });

// What a client hears of feeds, apart from the answers to its own fetches.
function listen(peer) {
  const heard = [];
  peer.room.events.feeds.subscribe((message) => {
    if (message.requestId === undefined) heard.push(message);
  });
  return heard;
}

async function two(scopes = ["*:write"]) {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna" });
  const ben = await Peer.join(room, { user: "ben", scopes });
  return { room, anna, ben, heard: listen(ben) };
}

const feedIds = ({ feeds }) => feeds.map(({ feedId }) => feedId);
const texts = ({ messages }) => messages.map(({ data }) => data.text);

async function failsWith(code, promise, ...words) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.context?.type, "FEED_REQUEST_ERROR", String(error));
    assert.equal(error.context.code, code, String(error));
    for (const word of words) assert.ok(error.context.reason.includes(word), error.context.reason);
    return true;
  });
}

test("whatever one client does with feeds, both see", async () => {
  const { room, anna, ben, heard } = await two();
  await anna.room.addFeed("f", { metadata: { topic: "x", tags: ["a"] }, createdAt: 5 });
  await anna.room.addFeedMessage("f", { text: "own id" }, { id: "m1", createdAt: 7 });
  await anna.room.addFeedMessage("f", { text: "no id" });
  await anna.room.updateFeed("f", { topic: null, more: "y" });
  await anna.room.updateFeedMessage("f", "m1", { text: "changed" }, { updatedAt: 9 });
  const { feeds } = await ben.room.fetchFeeds();
  assert.equal(feeds.length, 1);
  assert.deepEqual(feeds[0].metadata, { tags: ["a"], more: "y" });
  assert.equal(feeds[0].createdAt, 5);
  assert.ok(feeds[0].updatedAt > 5);
  assert.deepEqual(feeds, (await anna.room.fetchFeeds()).feeds);
  assert.deepEqual(feeds, (await liveblocks.getFeeds({ roomId: room })).data);
  const listed = await ben.room.fetchFeedMessages("f");
  assert.deepEqual(texts(listed), ["no id", "changed"]);
  assert.equal(listed.nextCursor, undefined);
  assert.deepEqual(listed.messages[1], {
    id: "m1",
    createdAt: 7,
    updatedAt: 9,
    data: { text: "changed" },
  });
  const stored = await liveblocks.getFeedMessages({ roomId: room, feedId: "f" });
  assert.deepEqual(stored.data, listed.messages);
  await anna.room.deleteFeedMessage("f", "m1");
  assert.deepEqual(texts(await ben.room.fetchFeedMessages("f")), ["no id"]);
  await ben.room.deleteFeed("f");
  assert.deepEqual((await anna.room.fetchFeeds()).feeds, []);
  await becomes("ben heard all, in order", () => heard.map(({ type }) => type), [
    Heard.ADDED,
    Heard.MESSAGES_ADDED,
    Heard.MESSAGES_ADDED,
    Heard.UPDATED,
    Heard.MESSAGES_UPDATED,
    Heard.MESSAGES_DELETED,
    Heard.DELETED,
  ]);
  assert.deepEqual(anna.errors, []);
});

test("what cannot be done fails at once, under its own code", async () => {
  const { anna } = await two();
  await anna.room.addFeed("f");
  await failsWith("FEED_ALREADY_EXISTS", anna.room.addFeed("f"), "already exists");
  await failsWith("FEED_NOT_FOUND", anna.room.updateFeed("g", {}));
  await failsWith("FEED_NOT_FOUND", anna.room.deleteFeed("g"));
  await failsWith("FEED_NOT_FOUND", anna.room.fetchFeedMessages("g"));
  await failsWith("FEED_NOT_FOUND", anna.room.addFeedMessage("g", {}));
  await failsWith("FEED_MESSAGE_NOT_FOUND", anna.room.updateFeedMessage("f", "m", {}));
  await failsWith("FEED_MESSAGE_NOT_FOUND", anna.room.deleteFeedMessage("f", "m"));
  await anna.room.addFeedMessage("f", {}, { id: "m" });
  const again = anna.room.addFeedMessage("f", {}, { id: "m" });
  await failsWith("FEED_ALREADY_EXISTS", again, "already exists");
  await failsWith("INTERNAL", anna.room.fetchFeeds({ limit: 101 }), "limit", "100");
  await failsWith("INTERNAL", anna.room.fetchFeeds({ cursor: "x" }), "cursor");
  const large = anna.room.addFeedMessage("f", { text: "x".repeat(129 * 1024) });
  await failsWith("INTERNAL", large, "data", "131072 bytes");
  assert.equal(anna.room.getStatus(), "connected");
});

test("pages, since, and the filter of metadata", async () => {
  const { anna, ben } = await two();
  const names = Array.from({ length: 23 }, (_, number) => `f${String(number).padStart(2, "0")}`);
  await Promise.all(names.map((name, number) => anna.room.addFeed(name, {
    metadata: { parity: number % 2 ? "odd" : "even", tags: [`t${number % 3}`] },
    createdAt: 1000 + number,
  })));
  const newest = names.toReversed();
  const first = await ben.room.fetchFeeds();
  assert.deepEqual(feedIds(first), newest.slice(0, 20));
  const rest = await ben.room.fetchFeeds({ cursor: first.nextCursor });
  assert.deepEqual(feedIds(rest), newest.slice(20));
  assert.equal(rest.nextCursor, undefined);
  assert.deepEqual(feedIds(await ben.room.fetchFeeds({ since: 1020 })), ["f22", "f21"]);
  const metadata = { parity: "odd", tags: "t1" };
  const found = await ben.room.fetchFeeds({ metadata, limit: 3 });
  assert.deepEqual(feedIds(found), ["f19", "f13", "f07"]);
  const last = await ben.room.fetchFeeds({ metadata, limit: 3, cursor: found.nextCursor });
  assert.deepEqual(feedIds(last), ["f01"]);
  // Without ids: each promise takes the next message of the feed, so order is all they have.
  const said = Array.from({ length: 50 }, (_, number) => String(number));
  await Promise.all(said.map((text) => anna.room.addFeedMessage("f00", { text })));
  const all = [];
  let cursor;
  do {
    const page = await ben.room.fetchFeedMessages("f00", { cursor, limit: 7 });
    all.push(...texts(page));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  assert.deepEqual(all, said.toReversed());
});

test("a change by REST is seen live", async () => {
  const { room: roomId, heard } = await two();
  const feedId = "f";
  const feed = await liveblocks.createFeed({ roomId, feedId });
  await liveblocks.updateFeed({ roomId, feedId, metadata: { a: "b" } });
  const said = await liveblocks.createFeedMessage({ roomId, feedId, data: { text: "hi" } });
  const change = { roomId, feedId, messageId: said.id };
  const changed = await liveblocks.updateFeedMessage({ ...change, data: { text: "ho" } });
  await liveblocks.deleteFeedMessage(change);
  await liveblocks.deleteFeed({ roomId, feedId });
  await eventually("all is heard", () => heard.length === 6);
  assert.deepEqual(heard[0], { type: Heard.ADDED, feeds: [feed] });
  assert.deepEqual(heard[1].feeds[0].metadata, { a: "b" });
  assert.deepEqual(heard[2], { type: Heard.MESSAGES_ADDED, feedId, messages: [said] });
  assert.deepEqual(heard[3], { type: Heard.MESSAGES_UPDATED, feedId, messages: [changed] });
  assert.deepEqual(heard[4], { type: Heard.MESSAGES_DELETED, feedId, messageIds: [said.id] });
  assert.deepEqual(heard[5], { type: Heard.DELETED, feedId });
});

test("whoever may only read feeds reads them, and is told live", async () => {
  const { room, anna, ben, heard } = await two(["*:write", "feeds:read"]);
  await anna.room.addFeed("f");
  await anna.room.addFeedMessage("f", { text: "hi" });
  assert.deepEqual(feedIds(await ben.room.fetchFeeds()), ["f"]);
  assert.deepEqual(texts(await ben.room.fetchFeedMessages("f")), ["hi"]);
  await eventually("both are heard", () => heard.length === 2);
  for (const attempt of [
    () => ben.room.addFeed("g"),
    () => ben.room.updateFeed("f", { a: "b" }),
    () => ben.room.deleteFeed("f"),
    () => ben.room.addFeedMessage("f", {}),
    () => ben.room.updateFeedMessage("f", "m", {}),
    () => ben.room.deleteFeedMessage("f", "m"),
  ]) {
    await failsWith("INTERNAL", attempt(), "write access");
  }
  assert.equal((await liveblocks.getFeeds({ roomId: room })).data.length, 1);
});

test("whoever has no right to feeds neither reads nor hears of them", async () => {
  const { anna, ben, heard } = await two(["*:write", "feeds:none"]);
  await anna.room.addFeed("secret");
  await anna.room.addFeedMessage("secret", { text: "treasure" });
  await failsWith("INTERNAL", ben.room.fetchFeeds(), "read access");
  await failsWith("INTERNAL", ben.room.fetchFeedMessages("secret"), "read access");
  await failsWith("INTERNAL", ben.room.addFeed("f"), "write access");
  // The room keeps the order of what it sends, so nothing of before is still on its way.
  anna.room.broadcastEvent("the end");
  await eventually("ben hears the end", () => ben.events.length === 1);
  assert.deepEqual(heard, []);
});

test("a reader of the room who may write feeds does", async () => {
  const { anna, ben } = await two(["*:read", "feeds:write"]);
  await ben.room.addFeed("f");
  await ben.room.addFeedMessage("f", { text: "hi" });
  assert.deepEqual(texts(await anna.room.fetchFeedMessages("f")), ["hi"]);
});

test("feeds outlive the connection", async () => {
  const { anna, ben } = await two();
  await anna.room.addFeed("f");
  await anna.reconnect();
  await anna.room.addFeedMessage("f", { text: "back" });
  assert.deepEqual(texts(await ben.room.fetchFeedMessages("f")), ["back"]);
});
