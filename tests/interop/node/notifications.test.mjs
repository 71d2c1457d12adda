// Every method about notifications of @liveblocks/node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, liveblocks, prefix } from "./client.mjs";

const body = (...mentioned) => ({
  version: 1,
  content: [
    {
      type: "paragraph",
      children: [...mentioned.map((id) => ({ type: "mention", kind: "user", id })), { text: "!" }],
    },
  ],
});

async function world() {
  const roomId = prefix();
  await liveblocks.createRoom(roomId, { defaultAccesses: ["*:write"] });
  return { roomId, userId: `${roomId}ann é/?` };
}

const trigger = (userId, subjectId, more = {}) =>
  liveblocks.triggerInboxNotification({
    userId,
    kind: "$alert",
    subjectId,
    activityData: { n: 1 },
    ...more,
  });

const inbox = async (userId, more = {}) =>
  (await liveblocks.getInboxNotifications({ userId, ...more })).data;

test("custom notifications are triggered, read and deleted", async () => {
  const { roomId, userId } = await world();
  await trigger(userId, "s", { activityData: { text: "é", n: 1.5, ok: true } });
  await trigger(userId, "s");
  await trigger(userId, "t", { roomId });
  const [second, first] = await inbox(userId);
  assert.equal(first.kind, "$alert");
  assert.equal(first.subjectId, "s");
  assert.equal(first.readAt, null);
  assert.ok(first.notifiedAt instanceof Date);
  assert.deepEqual(
    first.activities.map((activity) => activity.data),
    [{ text: "é", n: 1.5, ok: true }, { n: 1 }],
  );
  assert.equal(second.roomId, roomId);
  const found = await liveblocks.getInboxNotification({ userId, inboxNotificationId: first.id });
  assert.deepEqual(found, first);
  const ofRoom = await inbox(userId, { query: { unread: true } });
  assert.equal(ofRoom.length, 2);
  assert.equal((await inbox(userId, { query: "kind:'thread'" })).length, 0);
  for (let number = 0; number < 10; number++) await trigger(userId, `more${number}`);
  const ids = [];
  for await (const one of liveblocks.iterInboxNotifications({ userId }, { pageSize: 10 })) {
    ids.push(one.id);
  }
  assert.equal(new Set(ids).size, 12);
  assert.deepEqual(ids.slice(10), [second.id, first.id]);
  await liveblocks.deleteInboxNotification({ userId, inboxNotificationId: first.id });
  await fails(liveblocks.getInboxNotification({ userId, inboxNotificationId: first.id }), 404);
  await liveblocks.deleteAllInboxNotifications({ userId });
  assert.deepEqual(await inbox(userId), []);
  await fails(trigger(userId, "s", { kind: "alert" }), 422);
  await fails(trigger(userId, "s", { roomId: `${roomId}nobody` }), 404);
});

test("a thread tells those whom it mentions and who follow it", async () => {
  const { roomId, userId } = await world();
  const author = `${userId}author`;
  const thread = await liveblocks.createThread({
    roomId,
    data: { comment: { userId: author, body: body(userId) } },
  });
  const [told] = await inbox(userId);
  assert.deepEqual(
    [told.kind, told.threadId, told.roomId, told.readAt],
    ["thread", thread.id, roomId, null],
  );
  const place = { roomId, threadId: thread.id };
  const followers = async () =>
    (await liveblocks.getThreadSubscriptions(place)).data.map((one) => one.userId).sort();
  assert.deepEqual(await followers(), [author, userId].sort());
  await liveblocks.unsubscribeFromThread({ ...place, data: { userId: author } });
  const other = `${userId}other`;
  const made = await liveblocks.subscribeToThread({ ...place, data: { userId: other } });
  assert.equal(made.subjectId, thread.id);
  assert.ok(made.createdAt instanceof Date);
  assert.deepEqual(await followers(), [other, userId].sort());
  await liveblocks.createComment({ ...place, data: { userId, body: body() } });
  assert.deepEqual(await inbox(author), []);
  assert.equal((await inbox(other)).length, 1);
  await fails(liveblocks.getThreadSubscriptions({ roomId, threadId: "th_nobody" }), 404);
});

test("settings of rooms are changed and forgotten", async () => {
  const { roomId, userId } = await world();
  const place = { roomId, userId };
  const usual = { threads: "replies_and_mentions", textMentions: "mine" };
  assert.deepEqual(await liveblocks.getRoomSubscriptionSettings(place), usual);
  const data = { textMentions: "none" };
  const changed = await liveblocks.updateRoomSubscriptionSettings({ ...place, data });
  assert.deepEqual(changed, { ...usual, textMentions: "none" });
  const listed = await liveblocks.getUserRoomSubscriptionSettings({ userId });
  assert.deepEqual(listed, { nextCursor: null, data: [{ roomId, ...changed }] });
  await liveblocks.deleteRoomSubscriptionSettings(place);
  assert.deepEqual(await liveblocks.getRoomSubscriptionSettings(place), usual);
  await fails(
    liveblocks.getRoomSubscriptionSettings({ roomId: `${roomId}nobody`, userId }),
    404,
  );
});

test("settings of channels are merged", async () => {
  const { userId } = await world();
  const before = await liveblocks.getNotificationSettings({ userId });
  assert.deepEqual({ ...before.email }, { thread: true, textMention: true });
  assert.deepEqual({ ...before.teams }, { thread: false, textMention: false });
  const data = { teams: { thread: true, $alert: true } };
  const changed = await liveblocks.updateNotificationSettings({ userId, data });
  assert.deepEqual({ ...changed.teams }, { thread: true, textMention: false, $alert: true });
  assert.deepEqual({ ...changed.email }, { ...before.email });
  await liveblocks.deleteNotificationSettings({ userId });
  const after = await liveblocks.getNotificationSettings({ userId });
  assert.deepEqual({ ...after.teams }, { ...before.teams });
  await fails(
    liveblocks.updateNotificationSettings({ userId, data: { email: { alert: true } } }),
    422,
  );
});
