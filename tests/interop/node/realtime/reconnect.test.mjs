// Connections that are lost at bad moments: nothing is lost with them, and nothing comes twice.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { accessToken, becomes, closeAll, eventually, liveblocks } from "./lib.mjs";
import { LiveList, LiveMap, LiveObject, LiveText } from "./lib.mjs";
import { pair, Peer } from "./peer.mjs";
import { Op, Raw } from "./raw.mjs";

after(closeAll);

async function agree({ room, anna, ben }, expected) {
  await anna.synchronized();
  await ben.synchronized();
  await becomes("anna's Storage", () => anna.json(), expected);
  await becomes("ben's Storage", () => ben.json(), expected);
  assert.deepEqual(await liveblocks.getStorageDocument(room, "json"), expected);
}

test("edits made while the network is gone arrive once it is back", async () => {
  const both = await pair({ l: new LiveList([]), o: new LiveObject({}), t: new LiveText("") });
  const { anna, a, b } = both;
  await anna.relay.down();
  await eventually("anna notices", () => anna.room.getStatus() === "reconnecting");
  for (let n = 0; n < 10; n += 1) a.get("l").push(`a${n}`);
  a.get("o").set("from", "anna");
  a.get("t").insert(0, "offline");
  b.get("o").set("also", "ben");
  await both.ben.synchronized();
  await anna.relay.up();
  await agree(both, {
    l: Array.from({ length: 10 }, (_, n) => `a${n}`),
    o: { also: "ben", from: "anna" },
    t: [["offline"]],
  });
});

test("edits whose acknowledgement was lost are there once", async () => {
  const both = await pair({ l: new LiveList([]), o: new LiveObject({ n: 0 }) });
  const { anna, ben, a } = both;
  anna.relay.hold();
  for (let n = 0; n < 10; n += 1) a.get("l").push(`a${n}`);
  a.get("o").set("n", 1);
  await eventually("ben has them", () => ben.json().o.n === 1 && ben.json().l.length === 10);
  anna.relay.cut();
  await agree(both, { l: Array.from({ length: 10 }, (_, n) => `a${n}`), o: { n: 1 } });
});

test("what was nested before a connection was lost can be deleted by others", async () => {
  const both = await pair({ o: new LiveObject({}), m: new LiveMap() });
  const { anna, ben, a, b } = both;
  anna.relay.hold();
  a.get("o").set("nested", new LiveObject({ n: 1 }));
  a.get("m").set("nested", new LiveObject({ n: 1 }));
  const nested = { nested: { n: 1 } };
  await becomes("ben has it", () => ben.json(), { o: nested, m: nested });
  anna.relay.cut();
  await agree(both, { o: nested, m: nested });
  b.get("o").delete("nested");
  b.get("m").delete("nested");
  await becomes("anna has it no more", () => anna.json(), { o: {}, m: {} });
  await agree(both, { o: {}, m: {} });
});

test("text whose acknowledgement was lost is there once, and so is what was typed after", async () => {
  const both = await pair({ t: new LiveText("") });
  const { anna, ben, a } = both;
  anna.relay.hold();
  a.get("t").insert(0, "<1>");
  await becomes("ben has the first part", () => ben.json().t, [["<1>"]]);
  await anna.relay.down();
  a.get("t").insert(3, "<2>");
  await eventually("anna notices", () => anna.room.getStatus() === "reconnecting");
  a.get("t").insert(6, "<3>");
  await anna.relay.up();
  await agree(both, { t: [["<1><2><3>"]] });
  const other = ben.room.getStorageSnapshot().get("t");
  other.insert(0, "^");
  a.get("t").insert(10, "$");
  await eventually("both ends are there", () => anna.json().t[0][0] === "^<1><2><3>$");
  await agree(both, { t: [["^<1><2><3>$"]] });
});

test("the same, while the other one goes on typing", async () => {
  const both = await pair({ t: new LiveText("") });
  const { anna, ben, a, b } = both;
  for (let turn = 0; turn < 4; turn += 1) {
    anna.relay.hold();
    a.get("t").insert(0, `<a${turn}>`);
    await eventually("ben has it", () => b.get("t").toString().includes(`<a${turn}>`));
    await anna.relay.down();
    b.get("t").insert(b.get("t").length, `<b${turn}>`);
    a.get("t").insert(a.get("t").length, `<c${turn}>`);
    await ben.synchronized();
    await anna.relay.up();
    await anna.synchronized();
  }
  await eventually("both are equal", () => {
    assert.deepEqual(anna.json(), ben.json());
    return a.get("t").length === 4 * 12;
  });
  const text = a.get("t").toString();
  for (let turn = 0; turn < 4; turn += 1) {
    for (const kind of "abc") {
      assert.equal(text.split(`<${kind}${turn}>`).length, 2, `${kind}${turn} in ${text}`);
    }
  }
  await agree(both, { t: [[text]] });
});

test("a client that is cut again and again loses nothing", async () => {
  const both = await pair({ l: new LiveList([]) });
  const { anna, ben, a, b } = both;
  const expected = [];
  for (let n = 0; n < 60; n += 1) {
    a.get("l").push(`a${n}`);
    b.get("l").push(`b${n}`);
    expected.push(`a${n}`, `b${n}`);
    if (n % 12 === 11) anna.relay.cut();
    if (n % 15 === 14) ben.relay.cut();
    if (n % 5 === 4) await new Promise(setImmediate);
  }
  await anna.synchronized();
  await ben.synchronized();
  await eventually("both are equal", () => {
    assert.deepEqual(anna.json(), ben.json());
    return true;
  });
  assert.deepEqual([...anna.json().l].sort(), expected.sort());
  await agree(both, anna.json());
});

test("an operation that comes twice is applied once, and acknowledged each time", async () => {
  const { room } = await pair({ l: new LiveList([]) });
  const token = await accessToken("raw", room);
  const first = await Raw.join(room, { token });
  const list = (await first.storage()).find(([, kind, , key]) => kind === 1 && key === "l")[0];
  const op = {
    type: Op.CREATE_REGISTER,
    id: `${first.actor}:100`,
    opId: `${first.actor}:101`,
    parentId: list,
    parentKey: "!",
    data: "once",
    intent: "push",
  };
  first.ops(op);
  await first.answer(op.opId);
  const second = await Raw.join(room, { token });
  assert.ok(second.actor > first.actor);
  for (let n = 0; n < 2; n += 1) {
    second.ops(op);
    await second.answer(op.opId);
  }
  assert.deepEqual((await liveblocks.getStorageDocument(room, "json")).l, ["once"]);
});
