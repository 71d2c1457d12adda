// Every kind of Storage node, edited by two real clients at once.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { accessToken, becomes, closeAll, eventually, liveblocks } from "./lib.mjs";
import { LiveList, LiveMap, LiveObject, LiveText } from "./lib.mjs";
import { pair, Peer } from "./peer.mjs";
import { Raw } from "./raw.mjs";

after(closeAll);

// Both, the server, and somebody who comes now have the same.
async function agree({ room, anna, ben }, expected) {
  await anna.synchronized();
  await ben.synchronized();
  if (expected === undefined) {
    await eventually("both are equal", () => {
      assert.deepEqual(anna.json(), ben.json());
      return true;
    });
    expected = anna.json();
  }
  await becomes("anna's Storage", () => anna.json(), expected);
  await becomes("ben's Storage", () => ben.json(), expected);
  assert.deepEqual(await liveblocks.getStorageDocument(room, "json"), expected);
  const fresh = await Peer.join(room, { user: "fresh" });
  await fresh.root();
  assert.deepEqual(fresh.json(), expected);
  await fresh.close();
  return expected;
}

// Holds what the server says until both have sent, so that their edits really cross.
async function crossing({ anna, ben }, ...edits) {
  anna.relay.hold();
  ben.relay.hold();
  for (const edit of edits) edit();
  anna.relay.release();
  ben.relay.release();
}

test("initial Storage is written once, and plain values of all kinds come back", async () => {
  const values = {
    text: "ü\u0000\u{1F600}\\\"",
    number: -0.25,
    big: 9007199254740991,
    yes: true,
    nothing: null,
    nested: { list: [1, [2, {}]], "": "empty key" },
  };
  const both = await pair(values);
  await agree(both, values);
});

test("objects: set, delete, replace by a nested one", async () => {
  const both = await pair({ o: new LiveObject({ keep: 1, gone: 2 }) });
  const { a, b } = both;
  a.get("o").set("new", [1, 2]);
  b.get("o").delete("gone");
  b.set("p", new LiveObject({ deep: new LiveList([new LiveObject({ n: 1 })]) }));
  await agree(both, { o: { keep: 1, new: [1, 2] }, p: { deep: [{ n: 1 }] } });
  a.get("p").get("deep").get(0).set("n", 2);
  b.get("o").set("keep", null);
  a.set("o2", "plain");
  a.set("o2", new LiveMap([["k", "v"]]));
  await agree(both, {
    o: { keep: null, new: [1, 2] },
    p: { deep: [{ n: 2 }] },
    o2: { k: "v" },
  });
});

test("objects: the last writer wins for each key", async () => {
  const both = await pair({ o: new LiveObject({ x: 0, y: 0 }) });
  await crossing(
    both,
    () => both.a.get("o").update({ x: 1, y: 1 }),
    () => both.b.get("o").update({ x: 2, z: 2 }),
  );
  const { o } = await agree(both);
  assert.equal(o.y, 1);
  assert.equal(o.z, 2);
  assert.ok([1, 2].includes(o.x));
});

test("maps: set, replace, delete, nested", async () => {
  const both = await pair({ m: new LiveMap([["one", 1]]) });
  const { a, b } = both;
  a.get("m").set("two", new LiveList(["x"]));
  b.get("m").set("three", { plain: true });
  b.get("m").delete("one");
  await agree(both, { m: { two: ["x"], three: { plain: true } } });
  b.get("m").get("two").push("y");
  a.get("m").set("three", "replaced");
  await agree(both, { m: { two: ["x", "y"], three: "replaced" } });
  await crossing(
    both,
    () => both.a.get("m").set("same", "a"),
    () => both.b.get("m").set("same", "b"),
  );
  await agree(both);
});

test("lists: push, insert, set, move, delete, clear", async () => {
  const both = await pair({ l: new LiveList(["a", "b", "c"]) });
  const { a, b } = both;
  a.get("l").push("d");
  await agree(both, { l: ["a", "b", "c", "d"] });
  b.get("l").insert("0", 0);
  a.get("l").move(2, 0);
  await agree(both);
  b.get("l").set(1, "set");
  a.get("l").delete(0);
  await agree(both);
  a.get("l").clear();
  await agree(both, { l: [] });
  b.get("l").push(new LiveObject({ n: new LiveList([1]) }));
  await agree(both, { l: [{ n: [1] }] });
});

test("lists: what two people insert at one place is all there, in one order", async () => {
  const both = await pair({ l: new LiveList(["first", "last"]) });
  await crossing(
    both,
    () => { for (let n = 0; n < 20; n += 1) both.a.get("l").insert(`a${n}`, 1); },
    () => { for (let n = 0; n < 20; n += 1) both.b.get("l").insert(`b${n}`, 1); },
    () => both.a.get("l").push("a-end"),
    () => both.b.get("l").push("b-end"),
  );
  const { l } = await agree(both);
  assert.equal(l.length, 44);
  assert.equal(new Set(l).size, 44);
  assert.equal(l[0], "first");
});

test("lists: both set, move and delete the same item", async () => {
  const both = await pair({ l: new LiveList(["x", "y", "z"]) });
  await crossing(
    both,
    () => both.a.get("l").set(1, "a"),
    () => both.b.get("l").set(1, "b"),
    () => both.a.get("l").move(0, 2),
    () => both.b.get("l").delete(0),
  );
  await agree(both);
});

test("lists: an item is moved while another one takes its place", async () => {
  const both = await pair({ l: new LiveList(["x", "y"]) });
  const { room, anna, ben, a, b } = both;
  const stored = async () => (await liveblocks.getStorageDocument(room, "json")).l;
  const cleo = await Peer.join(room, { user: "cleo" });
  const c = await cleo.root();
  ben.relay.hold();
  c.get("l").set(0, "from cleo");
  await becomes("anna has it", () => anna.json().l, ["from cleo", "y"]);
  anna.relay.hold();
  // Ben means to replace "x", and does not know that it is "from cleo" that he replaces.
  b.get("l").set(0, "from ben");
  await becomes("the server has it", stored, ["from ben", "y"]);
  // Anna does not know that what she moves is gone.
  a.get("l").move(0, 1);
  anna.relay.release();
  ben.relay.release();
  await agree(both, { l: ["from ben", "y"] });
  await becomes("cleo has the same", () => cleo.json(), anna.json());
});

test("a thousand pushes keep their order", async () => {
  const both = await pair({ l: new LiveList([]) });
  const expected = Array.from({ length: 1000 }, (_, n) => n);
  both.anna.room.batch(() => expected.forEach((n) => both.a.get("l").push(n)));
  await agree(both, { l: expected });
});

test("text: insert, delete, format, in UTF-16 units", async () => {
  const both = await pair({ t: new LiveText("Hello") });
  const { a, b } = both;
  a.get("t").insert(5, " w\u{1F600}rld");
  await agree(both, { t: [["Hello w\u{1F600}rld"]] });
  b.get("t").format(0, 5, { bold: true });
  a.get("t").delete(7, 2);
  await agree(both, { t: [["Hello", { bold: true }], [" wrld"]] });
  a.get("t").format(0, 5, { bold: null });
  b.get("t").insert(10, "!", { italic: true });
  await agree(both, { t: [["Hello wrld"], ["!", { italic: true }]] });
});

test("text: what two people type at one place is all there", async () => {
  const both = await pair({ t: new LiveText("()") });
  await crossing(
    both,
    () => { for (const c of "abcdef") both.a.get("t").insert(1, c); },
    () => { for (const c of "ABCDEF") both.b.get("t").insert(1, c); },
    () => both.a.get("t").format(0, 8, { bold: true }),
    () => both.b.get("t").delete(0, 1),
  );
  const { t } = await agree(both);
  const text = t.map(([part]) => part).join("");
  for (const half of ["fedcba", "FEDCBA"]) assert.ok(text.includes(half), text);
  assert.equal(text.length, 13, text);
});

test("undo and redo are seen by the other", async () => {
  const both = await pair({ l: new LiveList(["a"]), o: new LiveObject({ x: 1 }), t: new LiveText("t") });
  const { anna, a } = both;
  const before = anna.json();
  const { history } = anna.room;
  anna.room.batch(() => {
    a.get("l").push("b");
    a.get("l").delete(0);
    a.get("o").set("x", 2);
    a.set("new", new LiveMap([["k", new LiveList([1])]]));
  });
  const after = { l: ["b"], o: { x: 2 }, t: [["t"]], new: { k: [1] } };
  await agree(both, after);
  history.undo();
  await agree(both, before);
  history.redo();
  await agree(both, after);
  a.get("t").insert(1, "ext");
  await agree(both, { ...after, t: [["text"]] });
  history.undo();
  await agree(both, after);
});

test("undo does not take back what another one did", async () => {
  const both = await pair({ o: new LiveObject({ mine: 0, yours: 0 }), l: new LiveList([]) });
  both.a.get("o").set("mine", 1);
  both.a.get("l").push("mine");
  await agree(both);
  both.b.get("o").set("yours", 1);
  both.b.get("l").push("yours");
  await agree(both);
  both.anna.room.history.undo();
  both.anna.room.history.undo();
  await agree(both, { o: { mine: 0, yours: 1 }, l: ["yours"] });
});

test("edits before Storage of the server has arrived, and two first clients", async () => {
  const room = prefix();
  const storage = () => ({ l: new LiveList(["init"]), n: 0 });
  const [anna, ben] = await Promise.all([
    Peer.join(room, { user: "anna", storage: storage() }),
    Peer.join(room, { user: "ben", storage: storage() }),
  ]);
  await Promise.all([anna.root(), ben.root()]);
  await agree({ room, anna, ben }, { l: ["init"], n: 0 });
});

test("one batch of a megabyte", async () => {
  const both = await pair({ l: new LiveList([]) });
  const item = "x".repeat(1000);
  both.anna.room.batch(() => {
    for (let n = 0; n < 1000; n += 1) both.a.get("l").push(`${n}${item}`);
  });
  const { l } = await agree(both);
  assert.equal(l.length, 1000);
});

test("clients of the older path get Storage in one message", async () => {
  const { room } = await pair({ l: new LiveList(["a"]) });
  const token = await accessToken("old", room);
  const old = await Raw.join(room, { token, path: "/v7" });
  old.send({ type: 200 });
  const { items } = await old.message("the whole Storage", ({ type }) => type === 200);
  const nodes = Object.fromEntries(items);
  assert.equal(nodes.root.type, 0);
  assert.deepEqual(
    items.map(([, { type, data }]) => [type, data]).sort(),
    [[0, {}], [1, undefined], [3, "a"]],
  );
});
