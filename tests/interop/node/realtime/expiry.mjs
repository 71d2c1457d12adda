// What becomes of people whose token runs out: they are asked to come back with another one, and a
// real client does so without losing anything.
//
//   node expiry.mjs SECONDS      against a server whose tokens live that long
import assert from "node:assert/strict";
import { prefix } from "../client.mjs";
import { accessToken, becomes, closeAll, eventually, LiveList, pause } from "./lib.mjs";
import { Peer } from "./peer.mjs";
import { Raw } from "./raw.mjs";

const TOKEN_EXPIRED = 4109;
const ttlMs = Number(process.argv[2]) * 1000;

const room = prefix();
const anna = await Peer.join(room, { user: "anna", storage: { l: new LiveList([]) } });
const root = await anna.root();
const ben = await Peer.join(room, { user: "ben" });
await ben.root();
const token = await accessToken("raw", room);
const issued = Date.now();
const raw = await Raw.join(room, { token });

// They type on, all the time.
const expected = [];
while (Date.now() < issued + ttlMs) {
  root.get("l").push(expected.length);
  expected.push(expected.length);
  await pause(100);
}
const late = await eventually("a late connection is refused", async () => {
  const other = await Raw.open(room, { token });
  const { code } = await other.ended();
  return code === TOKEN_EXPIRED && { code };
}, ttlMs);
assert.equal(late.code, TOKEN_EXPIRED);
// Those who were in already are put out with the same code, or stay: what counts is that the real
// ones go on.
if (raw.closed) assert.equal(raw.closed.code, TOKEN_EXPIRED);

// A lost connection now needs a new token, and gets one.
anna.relay.cut();
root.get("l").push("after");
expected.push("after");
await anna.synchronized();
await becomes("ben has all of it", () => ben.json().l, expected, ttlMs);
assert.deepEqual(anna.errors, []);
assert.ok(anna.tokens > 1, "anna asked for another token");
await closeAll();
process.stdout.write('{"ok": true}\n');
process.exit(0);
