// Every method about comments of @liveblocks/node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fails, liveblocks, prefix } from "./client.mjs";

const WRITTEN_AT = new Date("2024-05-06T07:08:09.123Z");

const says = (text, ...more) => ({
  version: 1,
  content: [{ type: "paragraph", children: [{ text }, ...more] }],
});

async function roomWithThread(data = {}) {
  const roomId = prefix();
  await liveblocks.createRoom(roomId, { defaultAccesses: [] });
  const comment = { userId: "ann", body: says("hi"), ...data.comment };
  const thread = await liveblocks.createThread({ roomId, data: { ...data, comment } });
  return { roomId, threadId: thread.id, commentId: thread.comments[0].id, thread };
}

test("threads are made and read as they were written", async () => {
  const body = says(
    "Hi ",
    { type: "mention", kind: "user", id: "bob" },
    { text: "x", bold: true, strikethrough: true },
    { type: "link", url: "https://example.com", text: "here" },
    { type: "mention", kind: "group", id: "crew", userIds: ["cy"] },
  );
  body.content.push({ type: "chart", values: [1, 2.5, null] });
  const metadata = { color: "red", n: 1.5, open: true };
  const comment = { userId: "ann", body, createdAt: WRITTEN_AT, metadata: { a: 1 } };
  const { roomId, threadId, commentId, thread } = await roomWithThread({
    metadata,
    visibility: "private",
    comment,
  });
  assert.match(threadId, /^th_[\w-]{21}$/);
  const { updatedAt, ...rest } = thread;
  assert.ok(updatedAt instanceof Date && updatedAt > WRITTEN_AT);
  assert.deepEqual(rest, {
    type: "thread",
    id: threadId,
    roomId,
    createdAt: WRITTEN_AT,
    metadata,
    resolved: false,
    visibility: "private",
    comments: [
      {
        type: "comment",
        id: commentId,
        threadId,
        roomId,
        userId: "ann",
        createdAt: WRITTEN_AT,
        editedAt: undefined,
        body,
        metadata: { a: 1 },
        reactions: [],
        attachments: [],
      },
    ],
  });
  assert.deepEqual(await liveblocks.getThread({ roomId, threadId }), thread);
  const found = await liveblocks.getComment({ roomId, threadId, commentId });
  assert.deepEqual(found, thread.comments[0]);
});

test("comments are added, edited and deleted", async () => {
  const { roomId, threadId, commentId, thread } = await roomWithThread();
  const added = await liveblocks.createComment({
    roomId,
    threadId,
    data: { userId: "bob", body: says("yes"), metadata: { n: 1, gone: "x" } },
  });
  assert.equal(added.userId, "bob");
  const found = await liveblocks.getThread({ roomId, threadId });
  assert.deepEqual(found.comments, [thread.comments[0], added]);

  const place = { roomId, threadId, commentId: added.id };
  const edited = await liveblocks.editComment({
    ...place,
    data: { body: says("better"), editedAt: WRITTEN_AT, metadata: { n: 2, gone: null } },
  });
  const expected = { ...added, body: says("better"), metadata: { n: 2 }, editedAt: WRITTEN_AT };
  assert.deepEqual(edited, expected);
  const again = await liveblocks.editComment({ ...place, data: { body: says("best") } });
  assert.ok(again.editedAt > WRITTEN_AT);

  assert.equal(await liveblocks.deleteComment(place), undefined);
  const gone = await liveblocks.getComment(place);
  assert.ok(gone.deletedAt instanceof Date);
  assert.equal(gone.body, undefined);
  await fails(liveblocks.deleteComment(place), 404);
  await liveblocks.deleteComment({ roomId, threadId, commentId });
  await fails(liveblocks.getThread({ roomId, threadId }), 404);
});

test("metadata of comments is merged", async () => {
  const comment = { metadata: { a: "1", b: 2 } };
  const { thread: _, ...place } = await roomWithThread({ comment });
  const merge = (metadata) =>
    liveblocks.editCommentMetadata({
      ...place,
      data: { metadata, userId: "bob", updatedAt: WRITTEN_AT },
    });
  assert.deepEqual(await merge({ a: null, c: true }), { b: 2, c: true });
  assert.deepEqual((await liveblocks.getComment(place)).metadata, { b: 2, c: true });
  await fails(merge({ list: ["x"] }), 422, "metadata.list");
});

test("reactions are added once and taken back", async () => {
  const { thread: _, ...place } = await roomWithThread();
  const react = (userId, emoji, more) =>
    liveblocks.addCommentReaction({ ...place, data: { userId, emoji, ...more } });
  const takeBack = (userId, emoji) =>
    liveblocks.removeCommentReaction({ ...place, data: { userId, emoji, removedAt: new Date() } });
  const made = await react("bob", "👍", { createdAt: WRITTEN_AT });
  assert.deepEqual(made, { userId: "bob", emoji: "👍", createdAt: WRITTEN_AT });
  await fails(react("bob", "👍"), 409, "already");
  await react("cy", "👍");
  await react("bob", "🏳️‍🌈");
  const users = async () =>
    (await liveblocks.getComment(place)).reactions.map(({ emoji, users }) => [
      emoji,
      ...users.map(({ id }) => id),
    ]);
  assert.deepEqual(await users(), [
    ["👍", "bob", "cy"],
    ["🏳️‍🌈", "bob"],
  ]);
  for (const wrong of ["ok", "👍👍", "1"]) await fails(react("bob", wrong), 422, "one emoji");
  assert.equal(await takeBack("bob", "👍"), undefined);
  await fails(takeBack("bob", "👍"), 404);
  assert.deepEqual(await users(), [
    ["👍", "cy"],
    ["🏳️‍🌈", "bob"],
  ]);
});

test("what cannot be written is refused with its place", async () => {
  const { roomId, threadId, commentId } = await roomWithThread();
  const thread = (comment, more) =>
    liveblocks.createThread({ roomId, data: { comment: { userId: "ann", ...comment }, ...more } });
  await fails(thread({ body: { version: 1, content: [{}] } }), 422, "comment.body.content[0].type");
  await fails(thread({ body: says("x".repeat(65 << 10)) }), 422, "65536 bytes");
  await fails(thread({ body: says("x") }, { metadata: { ["k".repeat(41)]: 1 } }), 422, "40");
  await fails(thread({ userId: "", body: says("x") }), 422, "userId");
  const reply = { userId: "bob", body: says("x") };
  await fails(liveblocks.createComment({ roomId, threadId: "th_nobody", data: reply }), 404);
  const nobody = { roomId, threadId, commentId: "cm_nobody" };
  await fails(liveblocks.getComment(nobody), 404);
  await fails(liveblocks.editComment({ ...nobody, data: { body: says("x") } }), 404);
  const edit = { body: says("x"), attachmentIds: ["at_nobody"] };
  await fails(liveblocks.editComment({ roomId, threadId, commentId, data: edit }), 422);
});
