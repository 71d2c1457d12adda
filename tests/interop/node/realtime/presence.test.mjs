// Who is in a room, what they show, and what they say to each other.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { becomes, closeAll, eventually, liveblocks, publicKey, rest } from "./lib.mjs";
import { met, Peer } from "./peer.mjs";
import { Code, Raw } from "./raw.mjs";
import { accessToken } from "./lib.mjs";

after(closeAll);

const seen = (peer) => peer.others().sort((a, b) => String(a.id).localeCompare(String(b.id)));

test("everybody sees everybody, whole, whoever came first", async () => {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna", presence: { x: 1, list: [1, null, "ü"] } });
  const ben = await Peer.join(room, { user: "ben", presence: { x: 2 } });
  const cleo = await Peer.join(room, { user: "cleo", presence: { x: 3 } });
  const all = {
    anna: { id: "anna", presence: { x: 1, list: [1, null, "ü"] } },
    ben: { id: "ben", presence: { x: 2 } },
    cleo: { id: "cleo", presence: { x: 3 } },
  };
  await becomes("anna sees them", () => seen(anna), [all.ben, all.cleo]);
  await becomes("ben sees them", () => seen(ben), [all.anna, all.cleo]);
  await becomes("cleo sees them", () => seen(cleo), [all.anna, all.ben]);
  const [other] = anna.room.getOthers().filter(({ id }) => id === "ben");
  assert.deepEqual(other.info, { name: "ben" });
  assert.equal(other.connectionId, ben.actor);
  assert.equal(other.canWrite, true);
  assert.equal(new Set([anna.actor, ben.actor, cleo.actor]).size, 3);
});

test("a patch of presence reaches the others, and a later one wins", async () => {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna", presence: { x: 0, name: "a" } });
  const ben = await Peer.join(room, { user: "ben" });
  await met(anna, ben);
  for (let x = 1; x <= 50; x += 1) anna.room.updatePresence({ x });
  await becomes("ben sees the last one", () => ben.others()[0]?.presence, { x: 50, name: "a" });
});

test("who leaves is gone for the others, and who comes back is somebody new", async () => {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna" });
  const ben = await Peer.join(room, { user: "ben" });
  await eventually("anna sees ben", () => anna.others().length === 1);
  const before = ben.actor;
  await ben.close();
  await becomes("ben is gone", () => anna.others(), []);
  const again = await Peer.join(room, { user: "ben" });
  await eventually("anna sees ben again", () => anna.others().length === 1);
  assert.ok(again.actor > before, `${again.actor} is not above ${before}`);
});

test("a connection that is cut is a participant who left, then a new one", async () => {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna", presence: { x: 1 } });
  const ben = await Peer.join(room, { user: "ben", presence: { x: 2 } });
  await eventually("anna sees ben", () => anna.others().length === 1);
  const before = ben.actor;
  ben.relay.cut();
  await eventually("ben has another actor", () => ben.actor > before);
  await becomes("anna sees ben once", () => anna.others(), [{ id: "ben", presence: { x: 2 } }]);
  await becomes("ben sees anna", () => ben.others(), [{ id: "anna", presence: { x: 1 } }]);
});

test("an anonymous user with the public key has no id", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: ["*:write"] });
  const anna = await Peer.join(room, { user: "anna" });
  const nobody = await Peer.join(room, { credential: "public", presence: { y: 1 } });
  await becomes("anna sees somebody", () => anna.others(), [{ id: undefined, presence: { y: 1 } }]);
  assert.equal(nobody.room.getSelf().id, undefined);
  assert.ok(publicKey.startsWith("pk_"));
});

test("a broadcast reaches all others once and in order, and never its sender", async () => {
  const room = prefix();
  const [anna, ben, cleo] = await Promise.all(
    ["anna", "ben", "cleo"].map((user) => Peer.join(room, { user })),
  );
  await met(anna, ben, cleo);
  for (let n = 0; n < 20; n += 1) anna.room.broadcastEvent({ n, "a/b": [null] });
  const expected = Array.from({ length: 20 }, (_, n) => ({ n, "a/b": [null] }));
  for (const peer of [ben, cleo]) {
    await becomes(`${peer.name} has them`, () => peer.events.map(({ event }) => event), expected);
    for (const { connectionId, user } of peer.events) {
      assert.equal(connectionId, anna.actor);
      assert.equal(user.id, "anna");
    }
  }
  assert.deepEqual(anna.events, []);
});

test("an event from a back end has no sender", async () => {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna" });
  for (const event of [{ kind: "deploy" }, "text", 7, null, [1, [2]]]) {
    await liveblocks.broadcastEvent(room, event);
    await eventually("it arrives", () => anna.events.length > 0);
    const [received] = anna.events.splice(0);
    assert.deepEqual(received, { event, connectionId: -1, user: null });
  }
});

test("active users are those who are connected", async () => {
  const room = prefix();
  await Peer.join(room, { user: "anna" });
  const ben = await Peer.join(room, { user: "ben" });
  const ids = async () =>
    (await liveblocks.getActiveUsers(room)).data.map(({ id }) => id).sort();
  await becomes("both are listed", ids, ["anna", "ben"]);
  const [user] = (await liveblocks.getActiveUsers(room)).data.filter(({ id }) => id === "ben");
  assert.equal(user.connectionId, ben.actor);
  assert.deepEqual(user.info, { name: "ben" });
  await ben.close();
  await becomes("ben is not listed any more", ids, ["anna"]);
});

test("presence that a back end sets is a participant until its time is over", async () => {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna" });
  const sets = (ttl) => liveblocks.setPresence(room, {
    userId: "agent",
    data: { status: "thinking" },
    userInfo: { name: "Agent" },
    ttl,
  });
  const agent = { id: "agent", presence: { status: "thinking" } };
  const seenBy = (peer) => peer.others().filter(({ id }) => id === "agent");
  await sets(600);
  await becomes("the agent is there", () => seenBy(anna), [agent]);
  assert.deepEqual(anna.room.getOthers()[0].info, { name: "Agent" });
  const newcomer = await Peer.join(room, { user: "ben" });
  await becomes("a newcomer sees it too", () => seenBy(newcomer), [agent]);
  await sets(2);
  await becomes("its time is over", () => seenBy(anna), []);
  await becomes("for everybody", () => seenBy(newcomer), []);
});

test("the first frame is the room's state, alone and bare", async () => {
  const room = prefix();
  const token = await accessToken("anna", room, ["*:read", "comments:write"]);
  const anna = await Raw.join(room, { token });
  const [state] = anna.frames;
  assert.equal(state.type, Code.ROOM_STATE);
  assert.equal(typeof state.nonce, "string");
  assert.deepEqual(state.meta, {});
  assert.deepEqual(state.users, {});
  assert.deepEqual([...state.scopes].sort(), ["*:read", "comments:write"]);
  const ben = await Raw.join(room, { token: await accessToken("ben", room) });
  assert.deepEqual(ben.state.users, {
    [anna.actor]: { id: "anna", info: { name: "anna" }, scopes: state.scopes },
  });
  const joined = await anna.message("ben joined", ({ type }) => type === Code.JOINED);
  assert.deepEqual(
    { ...joined },
    { type: Code.JOINED, actor: ben.actor, id: "ben", info: { name: "ben" }, scopes: ["*:write"] },
  );
  anna.text("ping");
  await anna.message("pong", (message) => message === "pong");
  await ben.close();
  const left = await anna.message("ben left", ({ type }) => type === Code.LEFT);
  assert.deepEqual(left, { type: Code.LEFT, actor: ben.actor });
});

test("room ids with every kind of character", async () => {
  for (const odd of ["a/b c", "ü-√", "per%cent", "q?x=1&y#z"]) {
    const room = `${prefix()}${odd}`;
    const anna = await Peer.join(room, { user: "anna", storage: { n: 1 } });
    await anna.root();
    await anna.synchronized();
    const path = `/v2/rooms/${encodeURIComponent(room)}/storage?format=json`;
    assert.deepEqual(await rest("GET", path), { n: 1 });
  }
});
