// Yjs documents through @liveblocks/yjs: the same bytes everywhere, and the client knows it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { accessToken, becomes, closeAll, eventually, liveblocks, rest, Y } from "./lib.mjs";
import { met, Peer } from "./peer.mjs";
import { Code, Raw } from "./raw.mjs";

after(closeAll);

const EMPTY_HASH = "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=";

async function pair(options) {
  const room = prefix();
  const [anna, ben] = await Promise.all(
    ["anna", "ben"].map((user) => Peer.join(room, { user })),
  );
  await met(anna, ben);
  const docs = [anna, ben].map((peer) => peer.yjs(options).getYDoc());
  await anna.yjsSynchronized();
  await ben.yjsSynchronized();
  return { room, anna, ben, a: docs[0], b: docs[1] };
}

const snapshot = (doc) => Buffer.from(Y.encodeSnapshot(Y.snapshot(doc))).toString("base64");

// Both clients say that they have what the server has, and it is the same.
async function agree({ room, anna, ben, a, b }) {
  await eventually("both documents are equal", () => {
    assert.equal(snapshot(a), snapshot(b));
    return true;
  });
  await anna.yjsSynchronized();
  await ben.yjsSynchronized();
  const stored = new Y.Doc();
  Y.applyUpdate(stored, new Uint8Array(await liveblocks.getYjsDocumentAsBinaryUpdate(room)));
  assert.equal(snapshot(stored), snapshot(a));
  return stored;
}

for (const v2 of [false, true]) {
  const name = v2 ? "v2" : "v1";
  test(`two people type at once (${name})`, async () => {
    const both = await pair({ useV2Encoding_experimental: v2 });
    const [ta, tb] = [both.a.getText("t"), both.b.getText("t")];
    for (let n = 0; n < 30; n += 1) {
      ta.insert(n % 2 ? ta.length : 0, `a${n} `);
      tb.insert(n % 2 ? 0 : tb.length, `b${n} `);
      if (n % 7 === 6) ta.delete(1, 3);
      if (n % 5 === 4) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    tb.format(0, 10, { bold: true });
    const stored = await agree(both);
    assert.equal(ta.toString(), tb.toString());
    assert.deepEqual(stored.getText("t").toDelta(), ta.toDelta());
  });

  test(`every shared type, deletions, and a newcomer (${name})`, async () => {
    const both = await pair({ useV2Encoding_experimental: v2 });
    const { a, b, room } = both;
    a.getMap("m").set("n", new Y.Map([["deep", new Y.Array()]]));
    a.getArray("l").push([1, "two", { three: null }, new Uint8Array([1, 2])]);
    const xml = new Y.XmlElement("p");
    xml.setAttribute("class", "x");
    a.getXmlFragment("x").insert(0, [xml, new Y.XmlText("text")]);
    await agree(both);
    b.getMap("m").get("n").get("deep").push(["from ben"]);
    b.getArray("l").delete(1, 2);
    b.getXmlFragment("x").delete(1, 1);
    a.getMap("m").set("k", 1);
    b.getMap("m").delete("k");
    await agree(both);
    const fresh = await Peer.join(room, { user: "fresh" });
    const doc = fresh.yjs({ useV2Encoding_experimental: v2 }).getYDoc();
    await fresh.yjsSynchronized();
    assert.equal(snapshot(doc), snapshot(a));
    assert.deepEqual(doc.getMap("m").toJSON(), a.getMap("m").toJSON());
    assert.equal(doc.getXmlFragment("x").toString(), '<p class="x"></p>');
  });

  test(`sub-documents are documents of their own (${name})`, async () => {
    const both = await pair({ useV2Encoding_experimental: v2, autoloadSubdocs: true });
    const { a, b, room } = both;
    const sub = new Y.Doc();
    a.getMap("pages").set("one", sub);
    sub.getText("t").insert(0, "inside");
    const other = await eventually("ben has the sub-document", () => b.getMap("pages").get("one"));
    assert.equal(other.guid, sub.guid);
    await becomes("ben has its text", () => other.getText("t").toString(), "inside");
    other.getText("t").insert(6, " out");
    await becomes("anna has the rest", () => sub.getText("t").toString(), "inside out");
    await agree(both);
    const bytes = await liveblocks.getYjsDocumentAsBinaryUpdate(room, { guid: sub.guid });
    const stored = new Y.Doc();
    Y.applyUpdate(stored, new Uint8Array(bytes));
    assert.equal(stored.getText("t").toString(), "inside out");
    assert.equal(a.getText("t").toString(), "");
  });
}

test("typing goes on while the network is gone", async () => {
  const both = await pair();
  const { anna, a, b } = both;
  await anna.relay.down();
  a.getText("t").insert(0, "anna ");
  b.getText("t").insert(0, "ben ");
  await both.ben.yjsSynchronized();
  await anna.relay.up();
  await agree(both);
  assert.equal(a.getText("t").length, 9);
  for (let turn = 0; turn < 3; turn += 1) {
    anna.relay.hold();
    a.getText("t").insert(0, `${turn}`);
    await eventually("ben has it", () => b.getText("t").toString().startsWith(`${turn}`));
    await anna.reconnect();
    await agree(both);
  }
  assert.equal(a.getText("t").length, 12);
});

test("awareness: cursors travel with presence", async () => {
  const { anna, ben, a, b } = await pair();
  anna.provider.awareness.setLocalStateField("user", { name: "Anna", color: "#f00" });
  anna.provider.awareness.setLocalStateField("cursor", { anchor: 1, head: 2 });
  const states = () => ben.provider.awareness.getStates().get(a.clientID);
  await becomes("ben sees the cursor", states, {
    user: { name: "Anna", color: "#f00" },
    cursor: { anchor: 1, head: 2 },
  });
  await anna.close();
  await eventually("the cursor goes with anna", () => states() === undefined);
  assert.ok(b);
});

test("what a back end writes arrives, and the hash is that of the server's document", async () => {
  const both = await pair();
  const { room, a, anna } = both;
  a.getText("t").insert(0, "client ");
  await agree(both);
  const backend = new Y.Doc();
  Y.applyUpdate(backend, new Uint8Array(await liveblocks.getYjsDocumentAsBinaryUpdate(room)));
  const vector = Y.encodeStateVector(backend);
  backend.getText("t").insert(7, "server");
  await liveblocks.sendYjsBinaryUpdate(room, Y.encodeStateAsUpdate(backend, vector));
  await becomes("anna has it", () => a.getText("t").toString(), "client server");
  await agree(both);
  assert.deepEqual(await rest("GET", `/v2/rooms/${encodeURIComponent(room)}/ydoc`), {
    t: "client server",
  });
  assert.equal(anna.provider.synced, true);
});

test("frames: the empty document, the echo, and an update that is none", async () => {
  const room = prefix();
  const raw = await Raw.join(room, { token: await accessToken("raw", room) });
  const witness = await Raw.join(room, { token: await accessToken("witness", room) });
  const reply = (from, check = () => true) =>
    raw.message("a 300", (message) => message.type === Code.YJS && check(message), from);
  for (const vector of ["AA==", ""]) {
    const from = raw.messages.length;
    raw.send({ type: Code.YJS, vector });
    const answer = await reply(from);
    assert.equal(answer.isSync, true);
    assert.equal(answer.update, "AAA=");
    assert.equal(answer.stateVector, "AA==");
    assert.equal(answer.remoteSnapshotHash, EMPTY_HASH);
  }
  const doc = new Y.Doc();
  doc.getText("t").insert(0, "hello");
  doc.getText("t").delete(1, 1);
  const update = Buffer.from(Y.encodeStateAsUpdate(doc)).toString("base64");
  let from = raw.messages.length;
  raw.send({ type: Code.UPDATE_YJS, update });
  const echo = await reply(from);
  const hash = createHash("sha256").update(Y.encodeSnapshot(Y.snapshot(doc))).digest("base64");
  assert.deepEqual(
    [echo.update, echo.isSync, echo.stateVector, echo.remoteSnapshotHash],
    [update, false, null, hash],
  );
  const seen = await witness.message("the update", ({ type }) => type === Code.YJS);
  assert.equal(seen.update, update);
  // Nothing usable: the sender still hears where the document stands.
  for (const bad of ["AAECAw==", "/////////w==", Buffer.alloc(64, 7).toString("base64")]) {
    from = raw.messages.length;
    raw.send({ type: Code.UPDATE_YJS, update: bad });
    assert.equal((await reply(from)).remoteSnapshotHash, hash);
  }
  assert.equal(raw.closed, undefined);
});
