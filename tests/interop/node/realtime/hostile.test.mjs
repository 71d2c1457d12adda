// Frames that no client sends. Whatever becomes of the one who sends them, two real clients in the
// same room go on without noticing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { prefix } from "../client.mjs";
import { accessToken, becomes, closeAll, eventually, liveblocks } from "./lib.mjs";
import { LiveList, LiveObject, LiveText, pause } from "./lib.mjs";
import { Peer } from "./peer.mjs";
import { Code, Op, Raw } from "./raw.mjs";

const MIB = 1024 * 1024;
const FRAME_TOO_BIG = 1009;

const room = prefix();
let anna;
let ben;
let turn = 0;

before(async () => {
  anna = await Peer.join(room, {
    user: "anna",
    storage: { n: 0, l: new LiveList(["x"]), o: new LiveObject({}), t: new LiveText("text") },
  });
  await anna.root();
  await anna.synchronized();
  ben = await Peer.join(room, { user: "ben" });
  await ben.root();
});

after(closeAll);

// The two still have their first connection, and see each other's edits.
async function nobodyNoticed(known = {}) {
  turn += 1;
  anna.room.getStorageSnapshot().set("n", turn);
  ben.room.updatePresence({ turn });
  await becomes("ben sees anna's edit", () => ben.json().n, turn);
  const seen = () => anna.room.getOthers().find(({ id }) => id === "ben")?.presence.turn;
  await becomes("anna sees ben's presence", seen, turn);
  await anna.synchronized();
  for (const peer of [anna, ben]) {
    assert.equal(peer.relay.connections, 1, `${peer.name} never lost the connection`);
    assert.deepEqual(peer.errors, []);
  }
  const expected = { n: turn, l: ["x"], o: {}, t: [["text"]], ...known };
  await becomes("anna's Storage", () => anna.json(), expected);
  await becomes("ben's Storage", () => ben.json(), expected);
  await becomes(
    "the server's Storage",
    async () => liveblocks.getStorageDocument(room, "json"),
    expected,
  );
}

const mallory = async () => Raw.join(room, { token: await accessToken("mallory", room) });

const drained = (raw) => raw.closed || raw.socket.bufferedAmount < MIB;

// Either the server hangs up with a code that says why, or it goes on to answer.
async function answersOrCloses(raw, codes = []) {
  if (!raw.closed) raw.text("ping");
  await eventually("pong or the end", () => raw.closed || raw.messages.includes("pong"));
  if (!raw.closed) return;
  const { code } = raw.closed;
  assert.ok((code >= 4000 && code < 5000) || [...codes, 1003, 1007, 1008].includes(code), `${code}`);
}

test("a binary frame", async () => {
  const raw = await mallory();
  raw.socket.send(Buffer.from([1, 2, 3]));
  await answersOrCloses(raw);
  await nobodyNoticed();
});

const TEXTS = {
  "no JSON": "nonsense",
  "half of some JSON": '[{"type":100,',
  nothing: "",
  "a bare object": '{"type":100,"data":{}}',
  "a number": "1",
  null: "null",
  "an empty array": "[]",
  "arrays in arrays": "[[[[]]]]",
  "things that are no objects": '[1,null,"x",true,[]]',
  "no type": "[{}]",
  "a type that is no number": '[{"type":"100"}]',
  "types that nobody knows": '[{"type":999},{"type":-1},{"type":1e99},{"type":0.5}]',
  "presence without data": '[{"type":100}]',
  "presence that is no object": '[{"type":100,"targetActor":-1,"data":[1]}]',
  "presence for an actor that is a text": '[{"type":100,"targetActor":"x","data":{}}]',
  "presence for an actor that is nowhere": '[{"type":100,"targetActor":9007199254740993,"data":{}}]',
  "an event that is absent": '[{"type":103}]',
  "operations that are none": '[{"type":201,"ops":[1,null,{}]}]',
  "operations that are no array": '[{"type":201,"ops":{}}]',
  "no operations": '[{"type":201}]',
  "a document without its vector": '[{"type":300}]',
  "a vector that is no base64": '[{"type":300,"vector":"***"}]',
  "an update that is a number": '[{"type":301,"update":7}]',
  "a lone surrogate": '[{"type":103,"event":"\\ud800"}]',
  "the same key twice": '[{"type":103,"type":100,"data":{},"event":1}]',
  "a number that no double holds": `[{"type":103,"event":1${"0".repeat(400)}}]`,
};

for (const [name, text] of Object.entries(TEXTS)) {
  test(`a frame with ${name}`, async () => {
    const raw = await mallory();
    raw.text(text);
    await answersOrCloses(raw);
    await nobodyNoticed();
  });
}

test("JSON that is nested very deep", async () => {
  const deep = (depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const objects = (depth) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  for (const nested of [deep(100_000), objects(100_000), deep(1000), objects(1000)]) {
    for (const text of [nested, `[{"type":103,"event":${nested}}]`]) {
      const raw = await mallory();
      raw.text(text);
      await answersOrCloses(raw);
    }
    const raw = await mallory();
    const op = `{"type":3,"opId":"${raw.id()}","id":"root","data":{"deep":${nested}}}`;
    raw.text(`[{"type":201,"ops":[${op}]}]`);
    await answersOrCloses(raw);
    await raw.close();
    anna.room.getStorageSnapshot().delete("deep");
  }
  await nobodyNoticed();
});

test("a frame of 17 MB is too big, one of 8 MB is not", async () => {
  const raw = await mallory();
  raw.send({ type: Code.EVENT, event: "x".repeat(8 * MIB) });
  await eventually("anna has it", () => anna.events.some(({ event }) => event?.length === 8 * MIB));
  assert.equal(raw.closed, undefined);
  raw.text(`[{"type":999,"x":"${"x".repeat(17 * 1000 * 1000)}"}]`);
  const { code } = await raw.ended();
  assert.ok(code === FRAME_TOO_BIG || code === 1006 || (code >= 4000 && code < 5000), `${code}`);
  anna.events.length = 0;
  await nobodyNoticed();
});

test("operations on what is not there, or is something else, are all answered", async () => {
  const raw = await mallory();
  const nodes = await raw.storage();
  const idOf = (wanted) => nodes.find(([, , , key]) => key === wanted)[0];
  const [list, text] = [idOf("l"), idOf("t")];
  const create = (parentId, parentKey, more) => ({
    type: Op.CREATE_REGISTER,
    id: raw.id(),
    parentId,
    parentKey,
    data: 1,
    ...more,
  });
  const sent = raw.ops(
    { type: Op.DELETE, id: "root" },
    { type: Op.DELETE, id: "9:9" },
    { type: Op.UPDATE_OBJECT, id: "9:9", data: { x: 1 } },
    { type: Op.UPDATE_OBJECT, id: list, data: { x: 1 } },
    { type: Op.DELETE_KEY, id: "root", key: "nothing" },
    { type: Op.DELETE_KEY, id: list, key: "x" },
    { type: Op.SET_PARENT_KEY, id: "9:9", parentKey: "!" },
    { type: Op.SET_PARENT_KEY, id: text, parentKey: "!" },
    { type: Op.UPDATE_TEXT, id: "9:9", baseVersion: 0, ops: [] },
    { type: Op.UPDATE_TEXT, id: list, baseVersion: 0, ops: [] },
    { type: Op.UPDATE_TEXT, id: text, baseVersion: 999, ops: [{ type: "delete", index: 0, length: 9 }] },
    create("9:9", "x"),
    create("root", "x"),
    create(text, "x"),
    { type: Op.CREATE_LIST, id: list, parentId: "root", parentKey: "x" },
    { type: Op.CREATE_OBJECT, id: "root", parentId: "root", parentKey: "x", data: { a: 1 } },
    { type: Op.CREATE_LIST, id: "self:1", parentId: "self:1", parentKey: "x" },
    { type: 77, id: "root" },
  );
  for (const opId of sent) await raw.answer(opId);
  assert.equal(raw.closed, undefined);
  await nobodyNoticed();
});

test("positions that are none are made good", async () => {
  const raw = await mallory();
  const list = (await raw.storage()).find(([, , , key]) => key === "l")[0];
  const keys = ["", " ", "ü", "\u0000", "!".repeat(500), "~~~~", "  !  "];
  const ids = keys.map(() => raw.id());
  const sent = raw.ops(
    ...keys.map((parentKey, n) => (
      { type: Op.CREATE_REGISTER, id: ids[n], parentId: list, parentKey, data: n })),
  );
  for (const opId of sent) await raw.answer(opId);
  await eventually("all are there", () => {
    assert.deepEqual(anna.json(), ben.json());
    return anna.json().l.length === keys.length + 1;
  });
  const positions = (await raw.storage())
    .filter(([, , parent]) => parent === list)
    .map(([, , , key]) => key);
  assert.equal(new Set(positions).size, positions.length);
  for (const key of positions) assert.match(key, /^[ -~]*[!-~]$/);
  for (const opId of raw.ops(...ids.map((id) => ({ type: Op.DELETE, id })))) await raw.answer(opId);
  await nobodyNoticed();
});

test("a flood of frames ends", async () => {
  const raw = await mallory();
  for (let n = 0; n < 200_000 && !raw.closed; n += 1) {
    raw.send({ type: Code.PRESENCE, data: { n } });
    if (n % 1000 === 999) await eventually("they are written", () => drained(raw));
  }
  // Who is still talking may not hear why.
  const { code } = await raw.ended();
  assert.ok(code === 1006 || (code >= 4100 && code < 4300), `${code}`);
  await nobodyNoticed();
});

test("who stops reading is put out, and the others are not held up", async () => {
  const slow = await mallory();
  slow.send({ type: Code.PRESENCE, targetActor: -1, data: { slow: true } });
  const isThere = () => anna.room.getOthers().some(({ presence }) => presence.slow);
  await eventually("anna sees it", isThere);
  slow.socket.pause();
  // Many speak, so that none of them is too loud.
  const filler = "x".repeat(MIB / 4);
  const speakers = await Promise.all(Array.from({ length: 4 }, mallory));
  for (let n = 0; n < 800 && isThere(); n += 1) {
    speakers[n % speakers.length].send({ type: Code.EVENT, event: { n, filler } });
    await eventually("ben has it", () => ben.events.splice(0).some(({ event }) => event?.n === n));
    anna.events.length = 0;
  }
  await eventually("it is gone for the others", () => !isThere());
  await nobodyNoticed();
  slow.socket.resume();
  await slow.ended();
  await Promise.all(speakers.map((speaker) => speaker.close()));
});

test("connections that never say who they are, or never finish the handshake", async () => {
  const { connect } = await import("node:net");
  const { hostname, port } = new URL(process.env.ROOMD_URL);
  const sockets = Array.from({ length: 50 }, () => connect(Number(port), hostname));
  sockets.forEach((socket, n) => {
    socket.on("error", () => {});
    if (n % 2) socket.write("GET /v8?roomId=x HTTP/1.1\r\nUpgrade: websocket\r\n");
  });
  await pause(0);
  await nobodyNoticed();
  for (const socket of sockets) socket.destroy();
});

test("frames that break the WebSocket protocol itself", async () => {
  for (const bytes of [[0xff, 0x80, 0, 0, 0, 0], [0x81, 0x01, 0x41], [0x83, 0x80, 0, 0, 0, 0]]) {
    const raw = await mallory();
    raw.socket._socket.write(Buffer.from(bytes));
    await raw.ended();
  }
  const half = await mallory();
  half.socket._socket.write(Buffer.from([0x01, 0x84, 0, 0, 0, 0, 0x61, 0x62, 0x63, 0x64]));
  half.socket._socket.destroy();
  await half.ended();
  await nobodyNoticed();
});
