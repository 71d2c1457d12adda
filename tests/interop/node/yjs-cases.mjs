// Writes src/room/yjs/tests/cases.json: documents that the real Yjs made, and what Yjs says of them.
//
//   npm install yjs@13.6.33 && node yjs-cases.mjs > cases.json
//
// Everything follows from the seeds, so that the same Yjs writes the same file.

import * as Y from "yjs";
import { createHash } from "node:crypto";

let state = 1;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
}
const pick = (list) => list[random(list.length)];
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

const WORDS = ["a", "hello ", "zwölf", "\n", "😀", "👩‍👩‍👧", "x".repeat(40), "漢字", "\"<&>\""];
const VALUES = [null, true, false, 0, -1, 63, 64, -64, 2 ** 31, 1.5, -0.1, "text", "", [1, [2]],
  { a: { b: [null] } }, new Uint8Array([1, 2, 250]), 12345678901];

const EDITS = {
  insert(doc) {
    const text = doc.getText("text");
    text.insert(random(text.length + 1), pick(WORDS));
  },
  remove(doc) {
    const text = doc.getText("text");
    if (text.length === 0) return EDITS.insert(doc);
    const at = random(text.length);
    text.delete(at, 1 + random(Math.min(6, text.length - at)));
  },
  format(doc) {
    const text = doc.getText("text");
    if (text.length < 2) return EDITS.insert(doc);
    const at = random(text.length - 1);
    text.format(at, 1 + random(text.length - at), { [pick(["bold", "link"])]: pick([true, null, { href: "u" }]) });
  },
  embed(doc) {
    const text = doc.getText("text");
    text.insertEmbed(random(text.length + 1), pick([{ image: "x" }, { n: 1 }]));
  },
  set(doc) {
    doc.getMap("map").set(pick(["k", "l", "ü"]), pick(VALUES));
  },
  unset(doc) {
    doc.getMap("map").delete(pick(["k", "l", "nested"]));
  },
  nest(doc) {
    const map = doc.getMap("map");
    if (!(map.get("nested") instanceof Y.Map)) map.set("nested", new Y.Map());
    const nested = map.get("nested");
    nested.set(pick(["p", "q"]), pick([new Y.Array(), new Y.Text("in"), 7]));
    if (nested.get("p") instanceof Y.Array) nested.get("p").push([pick(VALUES)]);
  },
  push(doc) {
    const array = doc.getArray("array");
    array.insert(random(array.length + 1), [pick(VALUES), pick(VALUES)]);
  },
  pull(doc) {
    const array = doc.getArray("array");
    if (array.length > 0) array.delete(random(array.length), 1);
  },
  xml(doc) {
    const fragment = doc.getXmlFragment("xml");
    const element = new Y.XmlElement(pick(["P", "h1", "li"]));
    element.setAttribute("level", String(random(6)));
    const text = new Y.XmlText();
    text.insert(0, pick(WORDS), pick([{}, { em: { k: "v" } }]));
    element.insert(0, pick([[text], [text, new Y.XmlElement("br")]]));
    fragment.insert(random(fragment.length + 1), [element]);
  },
  prune(doc) {
    const fragment = doc.getXmlFragment("xml");
    if (fragment.length > 0) fragment.delete(random(fragment.length), 1);
  },
  subdoc(doc) {
    doc.getMap("docs").set(pick(["one", "two"]), new Y.Doc({ guid: "guid-" + random(9) }));
  },
};

const KINDS = [
  ["insert"],
  ["insert", "remove"],
  ["insert", "insert", "remove", "format", "embed"],
  ["set", "unset", "nest"],
  ["push", "pull"],
  ["xml", "prune"],
  ["subdoc", "set"],
  Object.keys(EDITS),
];

// What a server should be: it applies, it says nothing of its own.
function server() {
  const doc = new Y.Doc({ gc: true });
  doc.on("afterTransaction", (transaction) => { transaction._needFormattingCleanup = false; });
  return doc;
}

// Yjs may leave something waiting although what it waited for has come, until it hears from that
// client again. What it could integrate by then is what a fresh document makes of the same bytes.
function settled(doc) {
  while (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) {
    const fresh = server();
    Y.applyUpdate(fresh, Y.encodeStateAsUpdate(doc));
    const before = Buffer.from(Y.encodeStateVector(doc));
    doc = fresh;
    if (before.equals(Buffer.from(Y.encodeStateVector(fresh)))) break;
  }
  return doc;
}

function snapshots(doc) {
  doc = settled(doc);
  const snapshot = Y.snapshot(doc);
  return [Y.encodeSnapshot(snapshot), Y.encodeSnapshotV2(snapshot)];
}
const hash = (bytes) => createHash("sha256").update(bytes).digest("base64");

function clients(count) {
  return Array.from({ length: count }, (_, at) => {
    const doc = new Y.Doc();
    doc.clientID = at === 0 ? 1 + random(100) : 1 + random(2 ** 32 - 1);
    return doc;
  });
}

function makeCase(seed) {
  state = Math.imul(seed + 1, 2654435761);
  const kinds = KINDS[seed % KINDS.length];
  const docs = clients(1 + random(4));
  const v2 = random(2) === 1;
  const updates = [];
  for (const doc of docs) {
    doc.on(v2 ? "updateV2" : "update", (update, origin) => {
      if (origin !== "remote") updates.push(update);
    });
  }
  const steps = 4 + random(22);
  for (let step = 0; step < steps; step++) {
    const doc = pick(docs);
    const edits = 1 + random(3);
    doc.transact(() => { for (let i = 0; i < edits; i++) EDITS[pick(kinds)](doc); });
    if (random(3) === 0) {
      const [from, to] = [pick(docs), pick(docs)];
      if (from !== to) {
        Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), "remote");
      }
    }
  }
  const order = [...updates];
  const mode = random(5);
  if (mode === 1) order.sort(() => random(3) - 1);
  if (mode === 2) order.reverse();
  if (mode === 3 && order.length > 3) {
    // Some twice, some merged, one at the very end.
    order.push(order.splice(random(order.length), 1)[0], order[0]);
    const merge = v2 ? Y.mergeUpdatesV2 : Y.mergeUpdates;
    order.splice(1, 2, merge([order[1], order[2]]));
  }
  // One that never comes: what depends on it waits for ever.
  if (mode === 4) order.splice(random(order.length), 1);
  const doc = server();
  const applied = order.map((update) => {
    (v2 ? Y.applyUpdateV2 : Y.applyUpdate)(doc, update);
    const [one, two] = snapshots(doc);
    return { update: base64(update), hash: hash(v2 ? two : one) };
  });
  const half = server();
  order.slice(0, order.length >> 1).forEach((update) => (v2 ? Y.applyUpdateV2 : Y.applyUpdate)(half, update));
  const vector = Y.encodeStateVector(settled(half));
  const end = settled(doc);
  const [one, two] = snapshots(end);
  const views = {};
  if (end.share.has("text")) views.text = [end.getText("text").toString(), end.getText("text").toDelta()];
  if (end.share.has("map")) views.map = end.getMap("map").toJSON();
  if (end.share.has("array")) views.array = end.getArray("array").toJSON();
  if (end.share.has("xml")) views.xml = end.getXmlFragment("xml").toString();
  return {
    seed, v2, steps: applied, vector: base64(vector),
    snapshots: [base64(one), base64(two)], hashes: [hash(one), hash(two)], views,
    all: base64(v2 ? Y.encodeStateAsUpdateV2(end) : Y.encodeStateAsUpdate(end)),
    stateVector: base64(Y.encodeStateVector(end)), waits: end.store.pendingStructs !== null || end.store.pendingDs !== null,
  };
}

// Bytes have a JSON of their own here: what JSON.stringify makes of a Uint8Array.
const count = Number(process.argv[2] ?? 64);
const first = Number(process.argv[3] ?? 0);
const cases = Array.from({ length: count }, (_, at) => makeCase(first + at));
process.stdout.write("[\n" + cases.map((one) => JSON.stringify(one)).join(",\n") + "\n]\n");
