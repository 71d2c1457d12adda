// What a user is told beside threads: subscriptions and notifications in lists, deltas and single
// threads, and the threads of all rooms.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { ids, mention, person, says } from "./commenting.mjs";
import { closeAll, kInternal, liveblocks } from "./lib.mjs";

after(closeAll);

// Two people of this test alone, with ID tokens, in a room that both may write.
async function two() {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: ["*:write"] });
  const [anna, ben] = [`${room}anna`, `${room}ben`];
  return { room, anna: await person(room, anna), ben: await person(room, ben) };
}

test("subscriptions of a thread", async () => {
  const { anna, ben } = await two();
  const { id } = await anna.room.createThread({ body: says("hello") });
  assert.equal((await anna.room.getThread(id)).subscription.subjectId, id);
  assert.equal((await ben.room.getThread(id)).subscription, undefined);
  const subscription = await ben.room.subscribeToThread(id);
  assert.equal(subscription.kind, "thread");
  assert.equal(subscription.subjectId, id);
  assert.ok(subscription.createdAt instanceof Date);
  assert.deepEqual((await ben.room.getThread(id)).subscription, subscription);
  const listed = await ben.room.getThreads({ query: { subscribed: true } });
  assert.deepEqual(ids(listed.threads), [id]);
  assert.deepEqual(listed.subscriptions, [subscription]);
  const { requestedAt } = listed;
  await ben.room.unsubscribeFromThread(id);
  const delta = await ben.room.getThreadsSince({ since: requestedAt });
  assert.deepEqual(delta.subscriptions.deleted.map(({ subjectId }) => subjectId), [id]);
  assert.deepEqual((await ben.room.getThreads({ query: { subscribed: true } })).threads, []);
  assert.deepEqual(ids((await ben.room.getThreads({ query: { subscribed: false } })).threads), [id]);
});

test("a thread comes with its notification", async () => {
  const { anna, ben } = await two();
  const thread = await anna.room.createThread({ body: says("hi ", mention(ben.name)) });
  const [notification] = (await ben.client.getInboxNotifications()).inboxNotifications;
  assert.deepEqual((await ben.room.getThread(thread.id)).inboxNotification, notification);
  const listed = await ben.room.getThreads();
  assert.deepEqual(listed.inboxNotifications, [notification]);
  const { requestedAt } = listed;
  await ben.client.deleteInboxNotification(notification.id);
  const delta = await ben.room.getThreadsSince({ since: requestedAt });
  assert.deepEqual(ids(delta.inboxNotifications.deleted), [notification.id]);
});

test("threads of all rooms that a user takes part in", async () => {
  const { room, anna, ben } = await two();
  const mine = await anna.room.createThread({ body: says("mine") });
  const other = await ben.room.createThread({ body: says("not hers") });
  const { httpClient } = anna.client[kInternal];
  const listed = await httpClient.getUserThreads_experimental();
  assert.deepEqual(ids(listed.threads), [mine.id]);
  assert.deepEqual(listed.permissionHints, { [room]: ["*:write"] });
  await anna.room.createComment({ threadId: other.id, body: says("now it is") });
  const since = listed.requestedAt;
  const delta = await httpClient.getUserThreadsSince_experimental({ since });
  assert.ok(ids(delta.threads.updated).includes(other.id));
  assert.deepEqual(ids((await httpClient.getUserThreads_experimental()).threads), [other.id, mine.id]);
});
