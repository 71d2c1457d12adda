// When everybody is done, all have the same: the clients, the server, and who comes only now.
import assert from "node:assert/strict";
import { becomes, eventually, liveblocks, Y } from "./lib.mjs";
import { met, Peer } from "./peer.mjs";

const SETTLED_WITHIN_MS = 30_000;

const snapshot = (doc) => Buffer.from(Y.encodeSnapshot(Y.snapshot(doc))).toString("base64");

async function settled(peers) {
  for (const peer of peers) {
    await peer.connected();
    await peer.synchronized();
    await peer.yjsSynchronized();
  }
}

export async function converged(room, peers, { afterReload = false } = {}) {
  await settled(peers);
  if (afterReload) {
    for (const peer of peers) await peer.reconnect();
    await settled(peers);
  }
  const fresh = await Peer.join(room, { user: "fresh" });
  await fresh.root();
  fresh.yjs();
  await fresh.yjsSynchronized();
  const stored = () => liveblocks.getStorageDocument(room, "json");
  // A patch that is under way still moves all of them.
  await eventually(
    "the server and a newcomer agree",
    async () => {
      assert.deepEqual(fresh.json(), await stored());
      return true;
    },
    SETTLED_WITHIN_MS,
  );
  for (const peer of peers) {
    await becomes(`${peer.name} has what the server has`, () => peer.json(), await stored());
  }
  await sameDocument(room, [...peers, fresh]);
  await samePresence(peers);
  await fresh.close();
}

async function sameDocument(room, peers) {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, new Uint8Array(await liveblocks.getYjsDocumentAsBinaryUpdate(room)));
  for (const peer of peers) {
    const own = peer.yjs().getYDoc();
    await becomes(`the document of ${peer.name}`, () => snapshot(own), snapshot(doc));
    assert.equal(own.getText("t").toString(), doc.getText("t").toString());
  }
}

// Everybody is seen as they see themselves.
async function samePresence(peers) {
  await met(...peers);
  for (const peer of peers) peer.room.updatePresence({ last: peer.name });
  for (const peer of peers) {
    const expected = peers
      .filter((other) => other !== peer)
      .map((other) => [other.actor, other.room.getPresence()]);
    const seen = () =>
      peers
        .filter((other) => other !== peer)
        .map((other) => peer.room.getOthers().find(({ connectionId }) => connectionId === other.actor))
        .map((user) => [user?.connectionId, user?.presence]);
    await becomes(`whom ${peer.name} sees`, seen, expected);
  }
}

// Nothing but insertions was planned: each of them is there, once.
export function kept(plan, peer) {
  const planned = (...verbs) =>
    plan.steps.filter(([, verb]) => verbs.includes(verb)).map(([, , , , , value]) => value);
  const { list, map, text } = peer.json().shared;
  assert.deepEqual([...list].sort(), planned("list.push", "list.insert").sort(), "the list");
  assert.deepEqual(Object.values(map).sort(), planned("map.new").sort(), "the map");
  // Insertions may fall into one another: their letters count.
  const letters = (texts) => texts.join("").split("").sort().join("");
  const typed = (...verbs) => letters(planned(...verbs).map((value) => `<${value}>`));
  assert.equal(letters(text.map(([part]) => part)), typed("text.insert"), "the text");
  const document = peer.yjs().getYDoc().getText("t").toString();
  assert.equal(letters([document]), typed("yjs.insert"), "the document");
}
