// The load of the crash test, by connections that note what was acknowledged to them.
//
//   node crash.mjs load ROOM      writes until every connection is lost; prints {"acknowledged": n}
//                                 now and then, and at the end {"promised": {...}}
//   node crash.mjs check ROOM     reads what was promised from standard input, and looks for it
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";
import { accessToken, closeAll, eventually, liveblocks, patchStorage, Y } from "./lib.mjs";
import { Code, Op, Raw } from "./raw.mjs";

const WRITERS = 4;
const IN_FLIGHT = 8;
const REPORT_EVERY = 20;

// What no restart may lose.
const promised = { items: {}, patched: [], text: [], document: [], versions: [], actor: -1 };
let acknowledged = 0;
const run = randomBytes(3).toString("hex");

function note(list, value) {
  list.push(value);
  acknowledge();
}

function acknowledge() {
  acknowledged += 1;
  if (acknowledged % REPORT_EVERY === 0) {
    process.stdout.write(`${JSON.stringify({ acknowledged })}\n`);
  }
}

async function enter(room, user) {
  const raw = await Raw.join(room, { token: await accessToken(user, room) });
  promised.actor = Math.max(promised.actor, raw.actor);
  return raw;
}

async function furnish(room) {
  const raw = await enter(room, "first");
  const ids = Object.fromEntries((await raw.storage()).map(([id, , , key]) => [key, id]));
  if (!ids.items) {
    const node = (type, parentKey, more) => ({ type, id: raw.id(), parentId: "root", parentKey, ...more });
    const sent = raw.ops(
      node(Op.CREATE_LIST, "items"),
      node(Op.CREATE_LIST, "patched"),
      node(Op.CREATE_TEXT, "text", { data: [], version: 0 }),
    );
    for (const opId of sent) await raw.answer(opId);
  }
  const nodes = await raw.storage();
  await raw.close();
  const found = (key) => nodes.find(([, , parent, name]) => parent === "root" && name === key);
  return { items: found("items")[0], text: found("text")[0], textVersion: found("text")[5] };
}

const lost = (raw) => raw.closed !== undefined;

// Calls `done` with every message that comes, and keeps none.
function watch(raw, done) {
  raw.socket.on("message", () => {
    for (const message of raw.messages.splice(0)) done(message);
    raw.frames.length = 0;
  });
}

async function pushItems(room, { items }, name) {
  const raw = await enter(room, name);
  const flying = new Map();
  watch(raw, ({ type, ops }) => {
    if (type !== Code.OPS) return;
    for (const { opId } of ops.filter((op) => flying.has(op.opId))) {
      const { id, data } = flying.get(opId);
      flying.delete(opId);
      promised.items[id] = data;
      acknowledge();
    }
  });
  for (let n = 0; ; n += 1) {
    if (flying.size >= IN_FLIGHT) {
      await eventually("an acknowledgement", () => lost(raw) || flying.size < IN_FLIGHT);
    }
    if (lost(raw)) return;
    const id = raw.id();
    const op = { type: Op.CREATE_REGISTER, id, opId: raw.id(), parentId: items, intent: "push" };
    flying.set(op.opId, { id, data: `${run}-${name}-${n}` });
    raw.ops({ ...op, parentKey: "!", data: flying.get(op.opId).data });
  }
}

async function typeText(room, { text: id, textVersion }) {
  const raw = await enter(room, "typist");
  for (let n = 0, version = textVersion; !lost(raw); n += 1) {
    const word = `<${run}-${n}>`;
    const insert = { type: "insert", index: 0, text: word };
    const [opId] = raw.ops({ type: Op.UPDATE_TEXT, id, baseVersion: version, ops: [insert] });
    let answer;
    try {
      answer = await raw.answer(opId);
    } catch {
      return;
    }
    assert.equal(answer.type, Code.OPS, JSON.stringify(answer));
    version = answer.ops.find((op) => op.opId === opId).version;
    note(promised.text, word);
    raw.messages.length = 0;
  }
}

async function typeDocument(room) {
  const raw = await enter(room, "author");
  const doc = new Y.Doc();
  const list = doc.getArray("words");
  const flying = new Map();
  watch(raw, ({ type, update }) => {
    if (type !== Code.YJS || !flying.has(update)) return;
    note(promised.document, flying.get(update));
    flying.delete(update);
  });
  doc.on("update", (bytes) => {
    const update = Buffer.from(bytes).toString("base64");
    flying.set(update, list.get(list.length - 1));
    raw.send({ type: Code.UPDATE_YJS, update });
  });
  for (let n = 0; !lost(raw); n += 1) {
    list.push([`${run}-${n}`]);
    await eventually("the echo", () => lost(raw) || flying.size < IN_FLIGHT);
  }
}

// Calls over REST, one after the other, until the server is gone.
async function repeat(call) {
  for (let n = 0; ; n += 1) {
    try {
      await call(`${run}-${n}`);
    } catch (error) {
      if (error instanceof assert.AssertionError || error.status >= 400) throw error;
      return;
    }
    acknowledge();
  }
}

async function load(room) {
  const nodes = await furnish(room);
  await Promise.all([
    ...Array.from({ length: WRITERS }, (_, n) => pushItems(room, nodes, `w${n}`)),
    typeText(room, nodes),
    typeDocument(room),
    repeat(async (value) => {
      await patchStorage(room, { op: "add", path: "/patched/-", value });
      promised.patched.push(value);
    }),
    repeat(async () => {
      const { data } = await liveblocks.createVersionHistorySnapshot(room);
      promised.versions.push(data.id);
    }),
  ]);
  process.stdout.write(`${JSON.stringify({ promised })}\n`);
}

function eachOnce(what, expected, actual) {
  const times = new Map();
  for (const value of actual) times.set(value, (times.get(value) ?? 0) + 1);
  const twice = [...times].filter(([, n]) => n > 1).map(([value]) => value);
  assert.deepEqual(twice, [], `${what}: there more than once`);
  const missing = expected.filter((value) => !times.has(value));
  assert.deepEqual(missing, [], `${what}: acknowledged, and not there`);
}

async function check(room) {
  const all = JSON.parse(await text(process.stdin));
  const raw = await enter(room, "checker");
  assert.ok(raw.actor > all.actor, `actor ${raw.actor} was given out before (${all.actor})`);
  const nodes = await raw.storage();
  eachOnce("ids of nodes", Object.keys(all.items), nodes.map(([id]) => id));
  const values = new Map(nodes.map(([id, , , , data]) => [id, data]));
  for (const [id, data] of Object.entries(all.items)) assert.equal(values.get(id), data);
  const stored = await liveblocks.getStorageDocument(room, "json");
  eachOnce("items", Object.values(all.items), stored.items);
  eachOnce("patched", all.patched, stored.patched);
  const words = stored.text.map(([part]) => part).join("").match(/<[^>]*>/g) ?? [];
  eachOnce("text", all.text, words);
  const doc = new Y.Doc();
  Y.applyUpdate(doc, new Uint8Array(await liveblocks.getYjsDocumentAsBinaryUpdate(room)));
  eachOnce("document", all.document, doc.getArray("words").toArray());
  await checkVersions(room, all.versions);
}

async function checkVersions(room, expected) {
  const listed = [];
  let cursor;
  do {
    const page = await liveblocks.getVersionHistory(room, { limit: 100, cursor });
    listed.push(...page.data.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor);
  eachOnce("versions", expected, listed);
  for (const versionId of listed.slice(0, 3)) {
    const bytes = await liveblocks.getYjsVersion({ roomId: room, versionId });
    Y.applyUpdate(new Y.Doc(), new Uint8Array(bytes));
  }
}

const [, , action, room] = process.argv;
await { load, check }[action](room);
await closeAll();
process.exit(0);
