// What each credential opens, and that the server itself enforces it: the frames here are made by
// hand, since the real client refuses to send most of them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { accessToken, becomes, closeAll, eventually, idToken, liveblocks } from "./lib.mjs";
import { LiveList, publicKey, Y } from "./lib.mjs";
import { Peer } from "./peer.mjs";
import { Code, Op, Raw } from "./raw.mjs";

after(closeAll);

const NOT_ALLOWED = 4001;

// A room with something in it, and somebody who sees what happens there.
async function furnished() {
  const room = prefix();
  const witness = await Peer.join(room, {
    user: "witness",
    storage: { secret: "treasure", l: new LiveList(["treasure"]) },
  });
  await witness.root();
  const doc = witness.yjs().getYDoc();
  doc.getText("t").insert(0, "treasure");
  await witness.synchronized();
  await witness.yjsSynchronized();
  return { room, witness, doc };
}

// Everything sent before was dealt with: the room passes messages on in order.
async function fence({ witness }, raw) {
  const mark = `fence-${Math.random()}`;
  witness.room.broadcastEvent(mark);
  await raw.message("the fence", ({ type, event }) => type === Code.EVENT && event === mark);
}

async function refused(room, credential, code = NOT_ALLOWED) {
  const raw = await Raw.open(room, credential);
  const { code: actual, reason } = await raw.ended();
  assert.equal(actual, code, reason);
  assert.deepEqual(raw.messages, [], "nothing of the room is shown");
}

const yjsUpdate = (text) => {
  const doc = new Y.Doc();
  doc.getText("t").insert(0, text);
  return Buffer.from(Y.encodeStateAsUpdate(doc)).toString("base64");
};

const edits = (raw) => [
  { type: Op.UPDATE_OBJECT, id: "root", data: { secret: "changed" } },
  { type: Op.DELETE_KEY, id: "root", key: "secret" },
  { type: Op.CREATE_LIST, id: raw.id(), parentId: "root", parentKey: "l" },
  { type: Op.CREATE_REGISTER, id: raw.id(), parentId: "root", parentKey: "x", data: 1 },
  { type: Op.CREATE_TEXT, id: raw.id(), parentId: "root", parentKey: "y", data: [], version: 0 },
];

test("a token of another room, none, a broken one, or a key that is unknown: 4001", async () => {
  const room = prefix();
  const token = await accessToken("anna", room);
  const [head, body, signature] = token.split(".");
  const payload = JSON.parse(Buffer.from(body, "base64url"));
  payload.uid = "mallory";
  const forged = Buffer.from(JSON.stringify(payload)).toString("base64url");
  const none = Buffer.from(JSON.stringify({ alg: "none", typ: "JWT" })).toString("base64url");
  const flipped = signature.startsWith("A") ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
  await Raw.join(room, { token });
  await refused(prefix(), { token });
  await refused(room, { token: `${head}.${body}.${flipped}` });
  await refused(room, { token: `${head}.${forged}.${signature}` });
  await refused(room, { token: `${none}.${body}.` });
  await refused(room, { token: "not.a.token" });
  await refused(room, { token: "x" });
  await refused(room, {});
  await refused(room, { pubkey: "pk_unknown" });
  await refused(room, { pubkey: "sk_localdev" });
  await refused(undefined, { token });
});

test("patterns open the rooms they match, and no others", async () => {
  const team = prefix();
  const token = await accessToken("anna", undefined, { [`${team}*`]: ["*:read"] });
  const raw = await Raw.join(`${team}one`, { token });
  assert.deepEqual(raw.state.scopes, ["*:read"]);
  await refused(`x${team}one`, { token });
});

test("an id token needs the room, and has what the room gives to it", async () => {
  const room = prefix();
  await refused(room, { token: await idToken("anna") });
  await liveblocks.createRoom(room, {
    defaultAccesses: [],
    usersAccesses: { anna: ["*:write"] },
    groupsAccesses: { eng: ["*:read", "comments:write"] },
  });
  const anna = await Raw.join(room, { token: await idToken("anna") });
  assert.deepEqual(anna.state.scopes, ["*:write"]);
  const ben = await Raw.join(room, { token: await idToken("ben", ["eng"]) });
  assert.deepEqual([...ben.state.scopes].sort(), ["*:read", "comments:write"]);
  await refused(room, { token: await idToken("cleo", ["ops"]) });
});

test("the public key has what the room gives to everybody", async () => {
  const open = prefix();
  await liveblocks.createRoom(open, { defaultAccesses: ["*:read"] });
  const raw = await Raw.join(open, { pubkey: publicKey });
  assert.deepEqual(raw.state.scopes, ["*:read"]);
  const closed = prefix();
  await liveblocks.createRoom(closed, { defaultAccesses: [] });
  await refused(closed, { pubkey: publicKey });
});

test("a reader's edits are refused by the server", async () => {
  const scene = await furnished();
  const { room, witness, doc } = scene;
  const before = witness.json();
  const reader = await Raw.join(room, { token: await accessToken("reader", room, ["*:read"]) });
  assert.ok((await reader.storage()).some(([id]) => id === "root"), "a reader reads");
  for (const opId of reader.ops(...edits(reader))) {
    const answer = await reader.answer(opId);
    assert.equal(answer.type, Code.REJECTED, JSON.stringify(answer));
    assert.equal(typeof answer.reason, "string");
  }
  reader.send({ type: Code.UPDATE_YJS, update: yjsUpdate("reader was here") });
  await fence(scene, reader);
  assert.deepEqual(witness.json(), before);
  assert.deepEqual(await liveblocks.getStorageDocument(room, "json"), before);
  assert.deepEqual(await liveblocks.getYjsDocument(room), { t: "treasure" });
  assert.equal(doc.getText("t").toString(), "treasure");
  reader.send({ type: Code.PRESENCE, targetActor: -1, data: { x: 1 } });
  await becomes("a reader is seen", () => witness.others(), [{ id: "reader", presence: { x: 1 } }]);
  assert.equal(witness.room.getOthers()[0].canWrite, false);
  assert.equal(reader.closed, undefined);
});

test("the real client of a reader knows that it may not write", async () => {
  const { room, witness } = await furnished();
  const reader = await Peer.join(room, { user: "reader", scopes: ["*:read"], storage: { z: 1 } });
  const root = await reader.root();
  assert.deepEqual(reader.json(), witness.json());
  assert.equal(reader.room.getSelf().canWrite, false);
  assert.throws(() => root.set("secret", "changed"));
  const text = reader.yjs().getYDoc().getText("t");
  await becomes("it reads the document", () => text.toString(), "treasure");
});

test("without a right to Storage nobody reads it or writes it", async () => {
  const scene = await furnished();
  const { room, witness } = scene;
  const before = witness.json();
  const scopes = ["*:write", "storage:none"];
  const raw = await Raw.join(room, { token: await accessToken("blind", room, scopes) });
  raw.send({ type: Code.FETCH_STORAGE });
  raw.send({ type: Code.YJS, vector: "AA==" });
  await raw.close();
  const again = await Raw.join(room, { token: await accessToken("blind", room, scopes) });
  again.send({ type: Code.FETCH_STORAGE });
  again.send({ type: Code.YJS, vector: "AA==" });
  const sent = again.ops(...edits(again));
  again.send({ type: Code.UPDATE_YJS, update: yjsUpdate("blind was here") });
  witness.room.getStorageSnapshot().set("more", "treasure");
  witness.provider.getYDoc().getText("t").insert(8, "s");
  await witness.synchronized();
  await witness.yjsSynchronized();
  if (!again.closed) await fence(scene, again);
  const heard = JSON.stringify(again.messages);
  assert.ok(!heard.includes("treasure"), heard);
  const text = Buffer.from("treasure").toString("base64").slice(0, 10);
  assert.ok(!heard.includes(text), heard);
  assert.deepEqual(witness.json(), { ...before, more: "treasure" });
  assert.deepEqual(await liveblocks.getYjsDocument(room), { t: "treasures" });
  assert.equal(sent.length, edits(again).length);
});

test("Storage is writable for a reader of the room who was given that", async () => {
  const { room, witness } = await furnished();
  const scopes = ["*:read", "storage:write"];
  const anna = await Peer.join(room, { user: "anna", scopes });
  const root = await anna.root();
  assert.equal(anna.room.getSelf().canWrite, true);
  root.set("secret", "shared");
  await becomes("it is seen", () => witness.json().secret, "shared");
});

test("a change of the room's permissions reaches who is connected", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: ["*:write"] });
  const witness = await Peer.join(room, { user: "witness", storage: { n: 0 } });
  await witness.root();
  const anna = await Peer.join(room, { user: "anna", credential: "id" });
  const root = await anna.root();
  root.set("n", 1);
  await anna.synchronized();
  await liveblocks.updateRoom(room, { usersAccesses: { anna: ["*:read"] } });
  await eventually("anna may only read", () => anna.room.getSelf()?.canWrite === false);
  await eventually("the witness knows it", () =>
    witness.room.getOthers().some(({ id, canWrite }) => id === "anna" && !canWrite));
  await liveblocks.updateRoom(room, { usersAccesses: { anna: ["*:write"] } });
  await eventually("anna may write again", () => anna.room.getSelf()?.canWrite === true);
  (await anna.room.getStorage()).root.set("n", 2);
  await becomes("and does", () => witness.json().n, 2);
  await liveblocks.updateRoom(room, { defaultAccesses: [], usersAccesses: { anna: null } });
  await eventually("anna is out", () => anna.room.getStatus() === "disconnected");
  const [error] = anna.errors;
  assert.equal(error.context.type, "ROOM_CONNECTION_ERROR");
  assert.equal(error.context.code, NOT_ALLOWED);
  await becomes("the witness stays alone", () => witness.others(), []);
  assert.equal(witness.room.getStatus(), "connected", "an access token has its own rights");
});
