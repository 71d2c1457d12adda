// Comments by the real client: every call of a room, and what the others in it hear of each.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { Heard, ids, mention, person, refused, roomOfReviewers, says } from "./commenting.mjs";
import { becomes, closeAll, eventually, liveblocks } from "./lib.mjs";
import { Peer } from "./peer.mjs";

after(closeAll);

async function two(scopes = ["*:write"]) {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna" });
  const ben = await Peer.join(room, { user: "ben", scopes });
  return { room, anna, ben, heard: ben.comments };
}

// Deep equality but for the fields that a date of now decides.
const stable = ({ createdAt, updatedAt, ...rest }) => rest;

test("a thread from its first comment to its last, and each step is heard", async () => {
  const { room, anna, ben, heard } = await two();
  const before = Date.now();
  const body = says({ text: "look", bold: true }, " at ", mention("ben"), {
    type: "link",
    url: "https://example.com/",
    text: "this",
  });
  const metadata = { color: "blue", x: 1.5, done: false };
  const thread = await anna.room.createThread({ body, metadata, commentMetadata: { first: true } });
  assert.ok(thread.createdAt.getTime() >= before - 1000 && thread.createdAt <= new Date());
  assert.ok(thread.updatedAt >= thread.createdAt);
  assert.deepEqual(stable(thread), {
    type: "thread",
    id: thread.id,
    roomId: room,
    comments: thread.comments,
    metadata,
    resolved: false,
    visibility: "public",
  });
  assert.match(thread.id, /^th_[\w-]{21}$/);
  const [comment] = thread.comments;
  assert.match(comment.id, /^cm_[\w-]{21}$/);
  assert.deepEqual(stable(comment), {
    type: "comment",
    id: comment.id,
    threadId: thread.id,
    roomId: room,
    userId: "anna",
    reactions: [],
    attachments: [],
    metadata: { first: true },
    editedAt: undefined,
    body,
  });
  assert.deepEqual((await ben.room.getThread(thread.id)).thread, thread);
  const threadId = thread.id;

  const reply = await ben.room.createComment({ threadId, body: says("a reply"), metadata: { n: 2 } });
  assert.equal(reply.userId, "ben");
  assert.deepEqual(reply.metadata, { n: 2 });
  const changed = await ben.room.editComment({
    threadId,
    commentId: reply.id,
    body: says("better"),
    metadata: { n: null, m: "x" },
  });
  assert.deepEqual(changed.body, says("better"));
  assert.ok(changed.editedAt >= reply.createdAt);
  assert.deepEqual(changed.metadata, { m: "x" });
  const patch = { threadId, commentId: reply.id, metadata: { m: null, k: true } };
  assert.deepEqual(await ben.room.editCommentMetadata(patch), { k: true });
  const recolored = { threadId, metadata: { color: null, x: 2 } };
  assert.deepEqual(await anna.room.editThreadMetadata(recolored), { x: 2, done: false });

  const place = { threadId, commentId: reply.id };
  const reaction = await anna.room.addReaction({ ...place, emoji: "👍🏽" });
  assert.deepEqual([reaction.emoji, reaction.userId], ["👍🏽", "anna"]);
  await refused(anna.room.addReaction({ ...place, emoji: "👍🏽" }), 409);
  await ben.room.addReaction({ ...place, emoji: "👍🏽" });
  await ben.room.addReaction({ ...place, emoji: "👨‍👩‍👧" });
  const reacted = (await anna.room.getThread(threadId)).thread.comments[1];
  assert.deepEqual(
    reacted.reactions.map(({ emoji, users }) => [emoji, ids(users)]),
    [["👍🏽", ["anna", "ben"]], ["👨‍👩‍👧", ["ben"]]],
  );
  await ben.room.removeReaction({ ...place, emoji: "👨‍👩‍👧" });
  await refused(ben.room.removeReaction({ ...place, emoji: "👨‍👩‍👧" }), 404);

  await ben.room.markThreadAsResolved(threadId);
  assert.equal((await anna.room.getThread(threadId)).thread.resolved, true);
  await anna.room.markThreadAsUnresolved(threadId);
  assert.equal((await anna.room.getThread(threadId)).thread.resolved, false);

  await ben.room.deleteComment(place);
  const tombstone = (await anna.room.getThread(threadId)).thread.comments[1];
  assert.equal(tombstone.body, undefined);
  assert.ok(tombstone.deletedAt >= reply.createdAt);
  assert.deepEqual([tombstone.reactions, tombstone.attachments], [[], []]);
  await anna.room.deleteComment({ threadId, commentId: comment.id });
  assert.equal((await anna.room.getThread(threadId)).thread, undefined);
  await eventually("ben heard that it is gone", () => heard.at(-1)?.type === Heard.THREAD_DELETED);
  const of = { threadId, commentId: reply.id };
  assert.deepEqual(heard, [
    { type: Heard.THREAD_CREATED, threadId },
    { type: Heard.COMMENT_CREATED, threadId, commentId: comment.id },
    { type: Heard.COMMENT_CREATED, ...of },
    { type: Heard.COMMENT_EDITED, ...of },
    { type: Heard.COMMENT_METADATA_UPDATED, ...of },
    { type: Heard.THREAD_METADATA_UPDATED, threadId },
    { type: Heard.REACTION_ADDED, ...of, emoji: "👍🏽" },
    { type: Heard.REACTION_ADDED, ...of, emoji: "👍🏽" },
    { type: Heard.REACTION_ADDED, ...of, emoji: "👨‍👩‍👧" },
    { type: Heard.REACTION_REMOVED, ...of, emoji: "👨‍👩‍👧" },
    { type: Heard.THREAD_UPDATED, threadId },
    { type: Heard.THREAD_UPDATED, threadId },
    { type: Heard.COMMENT_DELETED, ...of },
    { type: Heard.COMMENT_DELETED, threadId, commentId: comment.id },
    { type: Heard.THREAD_DELETED, threadId },
  ]);
  assert.deepEqual(anna.errors, []);
});

test("ids of the client are kept, and a call that is repeated does nothing twice", async () => {
  const { anna, ben } = await two();
  const made = { threadId: "th_abcdefghijklmnopqrstu", commentId: "cm_ABCDEFGHIJKLMNOPQRST-" };
  const first = await anna.room.createThread({ ...made, body: says("once") });
  assert.equal(first.id, made.threadId);
  assert.equal(first.comments[0].id, made.commentId);
  const again = await anna.room.createThread({ ...made, body: says("once") });
  assert.deepEqual(again, first);
  await refused(ben.room.createThread({ ...made, body: says("another") }), 409);
  const reply = { threadId: made.threadId, commentId: "cm_abcdefghijklmnopqrst_", body: says("re") };
  const said = await ben.room.createComment(reply);
  assert.deepEqual(await ben.room.createComment(reply), said);
  await refused(anna.room.createComment(reply), 409);
  const { threads } = await anna.room.getThreads();
  assert.equal(threads.length, 1);
  assert.deepEqual(ids(threads[0].comments), [made.commentId, reply.commentId]);
});

test("what somebody else wrote is theirs", async () => {
  const { room, anna, ben } = await two();
  const { id: threadId, comments: [{ id: commentId }] } =
    await anna.room.createThread({ body: says("mine") });
  await refused(ben.room.editComment({ threadId, commentId, body: says("yours") }), 403);
  await refused(ben.room.deleteComment({ threadId, commentId }), 403);
  await refused(ben.room.deleteThread(threadId), 403);
  await anna.room.addReaction({ threadId, commentId, emoji: "🎉" });
  await refused(ben.room.removeReaction({ threadId, commentId, emoji: "🎉" }), 404);
  const stored = await liveblocks.getThread({ roomId: room, threadId });
  assert.deepEqual(stored.comments[0].body, says("mine"));
  assert.equal(stored.comments[0].reactions[0].users[0].id, "anna");
  await anna.room.deleteThread(threadId);
  assert.equal((await ben.room.getThread(threadId)).thread, undefined);
  await refused(anna.room.createComment({ threadId, body: says("late") }), 404);
});

test("the list has pages, and the filters of the client", async () => {
  const { room, anna, ben } = await two();
  for (let number = 0; number < 53; number += 1) {
    const metadata = { n: number, kind: number % 2 ? "odd" : "even", "it's": `"${number}"` };
    if (number === 7) metadata.special = true;
    await anna.room.createThread({ body: says(`thread ${number}`), metadata });
  }
  const numbers = ({ threads }) => threads.map(({ metadata }) => metadata.n);
  const newest = Array.from({ length: 53 }, (_, number) => 52 - number);
  const first = await ben.room.getThreads();
  assert.deepEqual(numbers(first), newest.slice(0, 50));
  assert.deepEqual(first.permissionHints, { [room]: ["*:write"] });
  assert.ok(first.requestedAt instanceof Date && !Number.isNaN(first.requestedAt.getTime()));
  const rest = await ben.room.getThreads({ cursor: first.nextCursor });
  assert.deepEqual(numbers(rest), newest.slice(50));
  assert.equal(rest.nextCursor, null);
  const find = async (query) => numbers(await ben.room.getThreads({ query }));
  assert.deepEqual(await find({ metadata: { n: { gt: 48, lte: 51 }, kind: "odd" } }), [51, 49]);
  assert.deepEqual(await find({ metadata: { kind: { startsWith: "ev" }, n: { lt: 3 } } }), [2, 0]);
  assert.deepEqual(await find({ metadata: { special: true } }), [7]);
  assert.deepEqual(await find({ metadata: { special: null, n: { gte: 6, lt: 9 } } }), [8, 6]);
  assert.deepEqual(await find({ metadata: { "it's": '"5"' } }), [5]);
  assert.deepEqual(await find({ visibility: "private" }), []);
  assert.deepEqual(await find({ visibility: "public", metadata: { n: 3 } }), [3]);
  const { id } = rest.threads[0];
  await ben.room.markThreadAsResolved(id);
  assert.deepEqual(await find({ resolved: true }), [numbers(rest)[0]]);
  assert.equal((await find({ resolved: false })).length, 50);
  const nowhere = await Peer.join(prefix(), { user: "ben" });
  assert.deepEqual((await nowhere.room.getThreads()).threads, []);
});

test("deltas have what changed since, and what is gone", async () => {
  const { room, anna, ben } = await two();
  const kept = await anna.room.createThread({ body: says("kept") });
  const gone = await anna.room.createThread({ body: says("gone") });
  const { requestedAt } = await ben.room.getThreads();
  const quiet = await anna.room.createThread({ body: says("new") });
  const first = await ben.room.getThreadsSince({ since: requestedAt });
  assert.ok(ids(first.threads.updated).includes(quiet.id));
  assert.deepEqual(first.threads.deleted, []);
  assert.deepEqual(first.permissionHints, { [room]: ["*:write"] });
  await ben.room.addReaction({ threadId: kept.id, commentId: kept.comments[0].id, emoji: "❤️" });
  await anna.room.deleteThread(gone.id);
  const second = await ben.room.getThreadsSince({ since: first.requestedAt });
  const updated = second.threads.updated.find(({ id }) => id === kept.id);
  assert.ok(updated.updatedAt > kept.updatedAt);
  assert.equal(updated.comments[0].reactions[0].emoji, "❤️");
  assert.deepEqual(second.threads.deleted.map(({ type, id, roomId }) => ({ type, id, roomId })), [
    { type: "deletedThread", id: gone.id, roomId: room },
  ]);
  assert.ok(second.requestedAt >= first.requestedAt);
  const idle = await ben.room.getThreadsSince({ since: new Date(Date.now() + 60_000) });
  assert.deepEqual([idle.threads.updated, idle.threads.deleted], [[], []]);
});

test("what is no comment is refused, with the place of the fault", async () => {
  const { anna } = await two();
  const { room } = anna;
  const thread = await room.createThread({ body: says("fine") });
  const place = { threadId: thread.id, commentId: thread.comments[0].id };
  const bad = (body, ...words) => refused(room.createThread({ body }), 422, ...words);
  await bad({ version: 2, content: [] }, "version");
  await bad({ version: 1, content: "text" }, "content");
  await bad({ version: 1, content: [{ type: "paragraph", children: [{ text: 1 }] }] }, "children[0]");
  await bad(says({ type: "mention", kind: "robot", id: "x" }), "kind");
  await bad(says("x".repeat(70_000)), "65536");
  const large = { a: "x".repeat(4001) };
  await refused(room.editThreadMetadata({ threadId: thread.id, metadata: large }), 422, "4000");
  await refused(room.editCommentMetadata({ ...place, metadata: { a: ["x"] } }), 422);
  await refused(room.addReaction({ ...place, emoji: "yes" }), 422, "emoji");
  await refused(room.createComment({ threadId: "th_nothing", body: says("?") }), 404);
  const lost = { threadId: thread.id, commentId: "cm_nothing" };
  await refused(room.editComment({ ...lost, body: says("?") }), 404);
  assert.deepEqual((await room.getThread(thread.id)).thread, thread);
});

test("whoever may only read comments reads them live, and changes nothing", async () => {
  const { anna, ben, heard } = await two(["*:write", "comments:read"]);
  const thread = await anna.room.createThread({ body: says("hello") });
  const place = { threadId: thread.id, commentId: thread.comments[0].id };
  await eventually("ben heard of it", () => heard.length === 2);
  const listed = await ben.room.getThreads();
  assert.deepEqual(ids(listed.threads), [thread.id]);
  for (const attempt of [
    () => ben.room.createThread({ body: says("no") }),
    () => ben.room.createComment({ threadId: thread.id, body: says("no") }),
    () => ben.room.addReaction({ ...place, emoji: "👍" }),
    () => ben.room.editThreadMetadata({ threadId: thread.id, metadata: { a: 1 } }),
    () => ben.room.markThreadAsResolved(thread.id),
  ]) {
    await refused(attempt(), 403);
  }
  assert.deepEqual((await anna.room.getThread(thread.id)).thread, thread);
});

test("private threads are seen by those who may, and nothing of them by others", async () => {
  const room = await roomOfReviewers();
  const ann = await person(room, "ann", ["reviewers"]);
  const bob = await person(room, "bob", ["reviewers"]);
  const eve = await person(room, "eve");
  const open = await ann.room.createThread({ body: says("for all") });
  const secret = await ann.room.createThread({
    body: says("treasure for ", mention("eve")),
    visibility: "private",
    metadata: { map: "hidden" },
  });
  assert.equal(secret.visibility, "private");
  const commentId = secret.comments[0].id;
  const place = { threadId: secret.id, commentId };
  await bob.room.createComment({ threadId: secret.id, body: says("treasure, yes") });
  await bob.room.addReaction({ ...place, emoji: "👀" });
  await bob.room.markThreadAsResolved(secret.id);
  await ann.room.editThreadMetadata({ threadId: secret.id, metadata: { map: "found" } });

  assert.deepEqual(ids((await bob.room.getThreads()).threads), [secret.id, open.id]);
  const filtered = await bob.room.getThreads({ query: { visibility: "private" } });
  assert.deepEqual(ids(filtered.threads), [secret.id]);
  const listed = await eve.room.getThreads();
  assert.deepEqual(ids(listed.threads), [open.id]);
  assert.deepEqual(listed.permissionHints[room].toSorted(), [
    "*:read",
    "comments:private:none",
    "comments:public:write",
  ]);
  assert.deepEqual((await eve.room.getThreads({ query: { resolved: true } })).threads, []);
  const since = new Date(open.createdAt.getTime() - 1000);
  const delta = await eve.room.getThreadsSince({ since });
  assert.deepEqual(ids(delta.threads.updated), [open.id]);
  assert.equal((await eve.room.getThread(secret.id)).thread, undefined);
  for (const attempt of [
    () => eve.room.createComment({ threadId: secret.id, body: says("?") }),
    () => eve.room.editComment({ ...place, body: says("?") }),
    () => eve.room.deleteComment(place),
    () => eve.room.addReaction({ ...place, emoji: "👀" }),
    () => eve.room.markThreadAsUnresolved(secret.id),
    () => eve.room.editThreadMetadata({ threadId: secret.id, metadata: {} }),
    () => eve.room.subscribeToThread(secret.id),
    () => eve.room.deleteThread(secret.id),
  ]) {
    await refused(attempt(), 404);
  }
  await refused(eve.room.createThread({ body: says("?"), visibility: "private" }), 403);

  // What each hears has the order of what happened, so after the fence nothing is on its way.
  const fence = await eve.room.createThread({ body: says("fence") });
  await ann.room.deleteThread(secret.id);
  const last = await ann.room.createThread({ body: says("last") });
  const ofThreads = (heard) => new Set(heard.map(({ threadId }) => threadId));
  await eventually("eve heard the last", () => ofThreads(eve.comments).has(last.id));
  assert.deepEqual([...ofThreads(eve.comments)], [open.id, fence.id, last.id]);
  await becomes("bob heard of all", () => [...ofThreads(bob.comments)], [
    open.id,
    secret.id,
    fence.id,
    last.id,
  ]);
  const after = await eve.room.getThreadsSince({ since });
  assert.deepEqual(after.threads.deleted, []);
});
