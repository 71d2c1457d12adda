// Inboxes by the real client: what its user is told, how it is read, counted and deleted.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { ids, mention, person, refused, says } from "./commenting.mjs";
import { closeAll, kInternal, liveblocks } from "./lib.mjs";
import { Peer } from "./peer.mjs";

after(closeAll);

// Two people of this test alone, with ID tokens, in a room that both may write.
async function two() {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: ["*:write"] });
  const [anna, ben] = [`${room}anna`, `${room}ben`];
  return { room, anna: await person(room, anna), ben: await person(room, ben) };
}

const unread = ({ client }) => client.getUnreadInboxNotificationsCount();
const inbox = async ({ client }, options) =>
  (await client.getInboxNotifications(options)).inboxNotifications;

test("a mention is told, counted, read and deleted", async () => {
  const { room, anna, ben } = await two();
  assert.deepEqual(await inbox(ben), []);
  assert.equal(await unread(ben), 0);
  const before = (await ben.client.getInboxNotifications()).requestedAt;
  const thread = await anna.room.createThread({ body: says("hi ", mention(ben.name)) });
  const page = await ben.client.getInboxNotifications();
  const [notification] = page.inboxNotifications;
  assert.equal(page.inboxNotifications.length, 1);
  assert.equal(page.nextCursor, null);
  assert.match(notification.id, /^in_[\w-]{21}$/);
  assert.equal(notification.kind, "thread");
  assert.equal(notification.roomId, room);
  assert.equal(notification.threadId, thread.id);
  assert.equal(notification.readAt, null);
  assert.ok(notification.notifiedAt >= thread.createdAt);
  assert.deepEqual(page.threads, [thread]);
  assert.deepEqual(page.subscriptions.map(({ kind, subjectId }) => [kind, subjectId]), [
    ["thread", thread.id],
  ]);
  assert.equal(await unread(ben), 1);
  assert.equal(await unread(anna), 0);
  assert.deepEqual(await inbox(anna), [], "nobody is told of what they did");
  const delta = await ben.client.getInboxNotificationsSince({ since: before });
  assert.deepEqual(delta.inboxNotifications.updated, [notification]);
  assert.deepEqual(delta.threads.updated, [thread]);

  await ben.client.markInboxNotificationAsRead(notification.id);
  assert.equal(await unread(ben), 0);
  const [read] = await inbox(ben);
  assert.ok(read.readAt >= notification.notifiedAt);
  await anna.room.createComment({ threadId: thread.id, body: says("still there?") });
  const [again] = await inbox(ben);
  assert.equal(again.id, notification.id, "one notification for a thread");
  assert.ok(again.notifiedAt > read.readAt);
  assert.deepEqual(again.readAt, read.readAt);
  assert.equal(await unread(ben), 1);
  await ben.room.markInboxNotificationAsRead(notification.id);
  assert.equal(await unread(ben), 0);

  await ben.room.createComment({ threadId: thread.id, body: says("yes") });
  assert.equal(await unread(anna), 1, "who wrote in a thread is told of answers");
  await anna.client.markAllInboxNotificationsAsRead();
  assert.equal(await unread(anna), 0);

  const { requestedAt } = await ben.client.getInboxNotifications();
  await ben.client.deleteInboxNotification(notification.id);
  assert.deepEqual(await inbox(ben), []);
  const { inboxNotifications } = await ben.client.getInboxNotificationsSince({ since: requestedAt });
  assert.deepEqual(ids(inboxNotifications.deleted), [notification.id]);
  await anna.client.deleteAllInboxNotifications();
  assert.deepEqual(await inbox(anna), []);
  await refused(ben.client.deleteInboxNotification(notification.id), 404);
});

test("nobody sees or changes the inbox of another", async () => {
  const { anna, ben } = await two();
  await anna.room.createThread({ body: says(mention(ben.name)) });
  const [{ id }] = await inbox(ben);
  await refused(anna.client.deleteInboxNotification(id), 404);
  await anna.client.markInboxNotificationAsRead(id).catch(() => {});
  assert.deepEqual((await inbox(ben))[0].readAt, null);
  assert.equal(await unread(ben), 1);
});

test("custom notifications, filters and pages", async () => {
  const { room, ben } = await two();
  const trigger = (subjectId, kind, roomId) =>
    liveblocks.triggerInboxNotification({
      userId: ben.name,
      kind,
      roomId,
      subjectId,
      activityData: { title: `about ${subjectId}`, urgent: true, n: 1.5 },
    });
  await trigger("a", "$alert", room);
  await trigger("a", "$alert", room);
  await trigger("b", "$news");
  const [news, alert] = await inbox(ben);
  assert.deepEqual([news.kind, news.subjectId], ["$news", "b"]);
  assert.deepEqual([alert.kind, alert.subjectId, alert.roomId], ["$alert", "a", room]);
  assert.deepEqual(alert.activities.map(({ data }) => data), [
    { title: "about a", urgent: true, n: 1.5 },
    { title: "about a", urgent: true, n: 1.5 },
  ]);
  assert.ok(alert.activities[0].createdAt <= alert.activities[1].createdAt);
  assert.deepEqual(ids(await inbox(ben, { query: { kind: "$news" } })), [news.id]);
  assert.deepEqual(ids(await inbox(ben, { query: { roomId: room } })), [alert.id]);
  const count = (query) => ben.client.getUnreadInboxNotificationsCount({ query });
  assert.equal(await count({ kind: "$alert" }), 1);
  assert.equal(await count({ roomId: room }), 1);
  assert.equal(await count(), 2);
  for (let number = 0; number < 51; number += 1) await trigger(`s${number}`, "$many");
  const first = await ben.client.getInboxNotifications();
  assert.equal(first.inboxNotifications.length, 50);
  const rest = await ben.client.getInboxNotifications({ cursor: first.nextCursor });
  assert.deepEqual(rest.inboxNotifications.map(({ subjectId }) => subjectId), ["s0", "b", "a"]);
  assert.equal(rest.nextCursor, null);
});

test("settings of a room decide what is told", async () => {
  const { anna, ben } = await two();
  const defaults = { threads: "replies_and_mentions", textMentions: "mine" };
  assert.deepEqual(await ben.room.getSubscriptionSettings(), defaults);
  const all = await ben.room.updateSubscriptionSettings({ threads: "all" });
  assert.deepEqual(all, { threads: "all", textMentions: "mine" });
  assert.deepEqual(await ben.room.getNotificationSettings(), all);
  assert.deepEqual(await anna.room.getSubscriptionSettings(), defaults);
  await anna.room.createThread({ body: says("no mention") });
  assert.equal(await unread(ben), 1);
  await ben.room.updateNotificationSettings({ threads: "none", textMentions: "none" });
  await anna.room.createThread({ body: says("one ", mention(ben.name)) });
  assert.equal(await unread(ben), 1);
  await ben.room.updateSubscriptionSettings({ threads: "replies_and_mentions" });
  const quiet = await anna.room.createThread({ body: says("no mention again") });
  assert.equal(await unread(ben), 1);
  await ben.room.subscribeToThread(quiet.id);
  await anna.room.createComment({ threadId: quiet.id, body: says("one more") });
  assert.equal(await unread(ben), 2);
  await ben.room.unsubscribeFromThread(quiet.id);
  await ben.client.markAllInboxNotificationsAsRead();
  await anna.room.createComment({ threadId: quiet.id, body: says("and one") });
  assert.equal(await unread(ben), 0);
  await refused(ben.room.updateSubscriptionSettings({ threads: "some" }), 422, "threads");
});

test("channels of a user's notifications", async () => {
  const { ben } = await two();
  const changed = await ben.client.updateNotificationSettings({
    email: { thread: false, $alert: true },
    slack: { textMention: true },
  });
  assert.equal(changed.email.thread, false);
  assert.equal(changed.email.$alert, true);
  assert.equal(changed.slack.textMention, true);
  const stored = await ben.client.getNotificationSettings();
  assert.deepEqual({ ...stored.email }, { ...changed.email });
  const back = await ben.client.updateNotificationSettings({ email: { thread: true } });
  assert.equal(back.email.thread, true);
  assert.equal(back.email.$alert, true, "what is not named stays");
});

test("a group that is mentioned, and its members as the client finds them", async () => {
  const { room, anna, ben } = await two();
  const groupId = `${room}group`;
  const memberIds = [ben.name, anna.name];
  await liveblocks.createGroup({ groupId, memberIds, scopes: { mention: true } });
  await anna.room.createThread({ body: says({ type: "mention", kind: "group", id: groupId }) });
  assert.equal(await unread(ben), 1);
  assert.equal(await unread(anna), 0);
  const { httpClient } = ben.client[kInternal];
  const [found, missing] = await Promise.all(
    [groupId, `${room}nothing`].map((id) => httpClient.getGroup(id)),
  );
  assert.equal(found.id, groupId);
  assert.deepEqual(ids(found.members), [ben.name, anna.name]);
  assert.ok(found.members[0].addedAt instanceof Date);
  assert.equal(missing, undefined);
});

test("mentions in a text editor", async () => {
  const { room, anna, ben } = await two();
  const editor = anna.room[kInternal];
  await editor.createTextMention("mn_1", { kind: "user", id: ben.name });
  const [told] = await inbox(ben);
  assert.equal(told.kind, "textMention");
  assert.equal(told.roomId, room);
  assert.equal(told.createdBy, anna.name);
  assert.equal(told.mentionId, "mn_1");
  assert.deepEqual(told.mention, { kind: "user", id: ben.name });
  await editor.deleteTextMention("mn_1");
  assert.deepEqual(await inbox(ben), []);
  await editor.createTextMention("mn_2", { kind: "user", id: anna.name });
  assert.deepEqual(await inbox(anna), []);
  await ben.room.updateSubscriptionSettings({ textMentions: "none" });
  await editor.createTextMention("mn_3", { kind: "user", id: ben.name });
  assert.deepEqual(await inbox(ben), []);
});

test("a public key has no inbox", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: ["*:write"] });
  const peer = await Peer.join(room, { credential: "public" });
  await refused(peer.client.getInboxNotifications(), 401);
  await refused(peer.client.getUnreadInboxNotificationsCount(), 401);
});
