// Attachments by the real client: uploads in one request and in parts, and who may see them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ids, person, refused, roomOfReviewers, says } from "./commenting.mjs";
import { baseUrl, closeAll, liveblocks } from "./lib.mjs";

after(closeAll);

const MIB = 1024 * 1024;
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const file = (name, bytes) => new File([bytes], name);

// Bytes that differ from place to place, so that a part in the wrong place is noticed.
function noise(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0, state = 1; at < size; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, Math.min(at, size - 4));
  }
  return bytes;
}

async function upload(peer, name, bytes) {
  const attachment = peer.room.prepareAttachment(file(name, bytes));
  const uploaded = await peer.room.uploadAttachment(attachment);
  assert.equal(uploaded.id, attachment.id);
  return uploaded;
}

async function download(url) {
  const answer = await fetch(new URL(url, baseUrl));
  assert.equal(answer.status, 200, url);
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { type: answer.headers.get("content-type"), bytes };
}

const textOf = async (peer, { id }) =>
  (await download(await peer.room.getAttachmentUrl(id))).bytes.toString();

async function three() {
  const room = await roomOfReviewers();
  return {
    room,
    ann: await person(room, "ann", ["reviewers"]),
    bob: await person(room, "bob", ["reviewers"]),
    eve: await person(room, "eve"),
  };
}

test("a file that is uploaded at once, and one in parts", async () => {
  const { room, ann, eve } = await three();
  const small = await upload(ann, "a pixel ü.png", PIXEL);
  assert.deepEqual(small, {
    type: "attachment",
    id: small.id,
    name: "a pixel ü.png",
    size: PIXEL.length,
    mimeType: "image/png",
  });
  const bytes = noise(11 * MIB + 3);
  const large = await upload(ann, "noise.bin", bytes);
  assert.equal(large.size, bytes.length);
  const thread = await ann.room.createThread({
    body: says("two files"),
    attachmentIds: [small.id, large.id],
  });
  assert.deepEqual(thread.comments[0].attachments, [small, large]);
  const seen = (await eve.room.getThread(thread.id)).thread.comments[0].attachments;
  assert.deepEqual(seen, [small, large]);
  const urls = [small, large].map(({ id }) => eve.room.getAttachmentUrl(id));
  const [one, other] = await Promise.all(urls);
  const pixel = await download(one);
  assert.equal(pixel.type, "image/png");
  assert.ok(pixel.bytes.equals(PIXEL));
  assert.ok((await download(other)).bytes.equals(bytes));
  const stored = await liveblocks.getAttachment({ roomId: room, attachmentId: small.id });
  assert.equal(stored.name, small.name);
  assert.ok((await download(stored.url)).bytes.equals(PIXEL));
});

test("a draft is its uploader's, until a comment takes it", async () => {
  const { ann, bob, eve } = await three();
  const draft = await upload(ann, "draft.txt", Buffer.from("draft"));
  assert.equal(await textOf(ann, draft), "draft");
  await assert.rejects(bob.room.getAttachmentUrl(draft.id));
  await refused(bob.room.createThread({ body: says("stolen"), attachmentIds: [draft.id] }), 422);
  const unknown = ["at_abcdefghijklmnopqrstu"];
  await refused(ann.room.createThread({ body: says("?"), attachmentIds: unknown }), 422);
  const thread = await ann.room.createThread({
    body: says("secret"),
    visibility: "private",
    attachmentIds: [draft.id],
  });
  await refused(ann.room.createThread({ body: says("twice"), attachmentIds: [draft.id] }), 422);
  // A client keeps an error that it got, so bob comes anew.
  const again = await person(bob.room.id, "bob", ["reviewers"]);
  assert.equal(await textOf(again, draft), "draft");
  await assert.rejects(eve.room.getAttachmentUrl(draft.id));
  const place = { threadId: thread.id, commentId: thread.comments[0].id };
  const more = await upload(ann, "more.txt", Buffer.from("more"));
  const change = { ...place, body: says("other"), attachmentIds: [more.id] };
  const edited = await ann.room.editComment(change);
  assert.deepEqual(ids(edited.attachments), [more.id]);
  const late = await person(bob.room.id, "bob", ["reviewers"]);
  await assert.rejects(late.room.getAttachmentUrl(draft.id));
  assert.equal(await textOf(late, more), "more");
});

test("an upload that is given up leaves nothing", async () => {
  const { ann } = await three();
  const aborted = new AbortController();
  const attachment = ann.room.prepareAttachment(file("large.bin", noise(12 * MIB)));
  const upload = ann.room.uploadAttachment(attachment, { signal: aborted.signal });
  aborted.abort();
  await assert.rejects(upload, { name: "AbortError" });
  await refused(ann.room.createThread({ body: says("?"), attachmentIds: [attachment.id] }), 422);
});

test("a download by name and in parts", async () => {
  const { ann } = await three();
  const bytes = noise(11 * MIB + 3);
  const large = await upload(ann, "é/large.bin", bytes);
  const url = new URL(await ann.room.getAttachmentUrl(large.id), baseUrl);
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), String(bytes.length));
  assert.equal(
    head.headers.get("content-disposition"),
    `attachment; filename="__large.bin"; filename*=UTF-8''%C3%A9_large.bin`,
  );
  const tag = head.headers.get("etag");
  // Nobody fetches such a file whole over a bad line.
  const begun = await fetch(url);
  const reader = begun.body.getReader();
  const had = [];
  let length = 0;
  while (length < MIB) {
    const { value } = await reader.read();
    had.push(value);
    length += value.length;
  }
  await reader.cancel();
  const rest = await fetch(url, { headers: { Range: `bytes=${length}-`, "If-Range": tag } });
  assert.equal(rest.status, 206);
  const range = `bytes ${length}-${bytes.length - 1}/${bytes.length}`;
  assert.equal(rest.headers.get("content-range"), range);
  had.push(Buffer.from(await rest.arrayBuffer()));
  assert.ok(Buffer.concat(had).equals(bytes));
  const known = await fetch(url, { headers: { "If-None-Match": tag }, cache: "no-store" });
  assert.equal(known.status, 304);
  const behind = await fetch(url, { headers: { Range: `bytes=${bytes.length}-` } });
  assert.equal(behind.status, 416);

  const pixel = await upload(ann, "pixel.png", PIXEL);
  const shown = await fetch(new URL(await ann.room.getAttachmentUrl(pixel.id), baseUrl));
  assert.match(shown.headers.get("content-disposition"), /^inline; filename="pixel\.png"/);
});
