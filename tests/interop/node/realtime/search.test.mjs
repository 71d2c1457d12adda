// The search over comments, as the hook of React asks for it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { mention, person, roomOfReviewers, says } from "./commenting.mjs";
import { closeAll, kInternal } from "./lib.mjs";

after(closeAll);

const searcher = ({ client, room }) => async (text, query = {}) => {
  const { httpClient } = client[kInternal];
  const { data } = await httpClient.searchComments({ roomId: room.id, query: { text, ...query } });
  return data;
};

const comments = (found) => found.map(({ commentId }) => commentId).toSorted();

test("comments are found by their words, and by what their threads are", async () => {
  const room = await roomOfReviewers();
  const ann = await person(room, "ann", ["reviewers"]);
  const eve = await person(room, "eve");
  const find = searcher(ann);
  const fruit = await ann.room.createThread({
    body: says("Apples and Crème brûlée, ", { text: "please", bold: true }),
    metadata: { color: "red", n: 1 },
  });
  const reply = await ann.room.createComment({
    threadId: fruit.id,
    body: says("apple pie for ", mention("bob")),
  });
  const secret = await ann.room.createThread({
    body: says("secret apples"),
    visibility: "private",
    metadata: { color: "blue" },
  });
  const [first] = fruit.comments;
  const all = [first.id, reply.id, secret.comments[0].id].toSorted();
  assert.deepEqual(comments(await find("appl")), all);
  const [found] = await find("creme BRULEE");
  assert.deepEqual([found.threadId, found.commentId], [fruit.id, first.id]);
  assert.ok(found.content.toLowerCase().includes("brûlée"), found.content);
  assert.deepEqual(await find("pears"), []);
  assert.deepEqual(comments(await find("apples", { threadMetadata: { color: "red" } })), [first.id]);
  assert.deepEqual(comments(await find("apple", { hasMentions: true })), [reply.id]);
  assert.deepEqual(comments(await find("apple", { hasAttachments: true })), []);
  assert.deepEqual(comments(await searcher(eve)("apple")), [first.id, reply.id].toSorted());
  await ann.room.markThreadAsResolved(fruit.id);
  assert.deepEqual(comments(await find("apple", { threadResolved: false })), comments(secret.comments.map(({ id }) => ({ commentId: id }))));
  await ann.room.editComment({ threadId: fruit.id, commentId: reply.id, body: says("cherries") });
  assert.deepEqual(comments(await find("cherries")), [reply.id]);
  assert.deepEqual(comments(await find("pie")), []);
  await ann.room.deleteComment({ threadId: fruit.id, commentId: reply.id });
  assert.deepEqual(await find("cherries"), []);
});

test("what looks like an operator is a word, or nothing", async () => {
  const room = await roomOfReviewers();
  const ann = await person(room, "ann", ["reviewers"]);
  const find = searcher(ann);
  await ann.room.createThread({ body: says('say "NEAR" OR not AND (x*') });
  for (const text of ['"', "*", "NEAR(", "a OR", "'; DROP TABLE x; --", "(", ":", "^", "&|!", "-x", "\\"]) {
    assert.ok(Array.isArray(await find(text)), text);
  }
  assert.equal((await find('"near"')).length, 1);
});
