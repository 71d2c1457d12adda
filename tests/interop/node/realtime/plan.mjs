// Seeded random plans for several real clients, and their replay.
//
//   node plan.mjs --seed 7 [--profile edits] [--steps 200] [--restarts 0] [--save plan.json]
//   node plan.mjs --replay plan.json
//
// A plan says who does what in which order; how messages interleave is up to the machine. Places
// are fractions of whatever length there is, so every plan can be carried out on any content.
// For a restart of the server it prints the line `restart` and waits for a line on standard input.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prefix } from "../client.mjs";
import { converged, kept } from "./convergence.mjs";
import { closeAll, LiveList, LiveMap, LiveObject, LiveText, patchStorage, pause } from "./lib.mjs";
import { Peer } from "./peer.mjs";

const CLIENTS = 3;
const KEYS = ["a", "b", "c", "d"];

// What each profile does, with weights. The real client's undo has faults of its own: after an undo
// and a redo in quick succession it may lack what the server acknowledged, what undo brings back may
// not be written to, and it may throw about what others removed. So where there is undo, all must
// agree only after a reload (`afterReload`).
const INSERTS = { "list.push": 6, "list.insert": 6, "text.insert": 8, "yjs.insert": 4 };
const EDITS = {
  ...INSERTS,
  "list.set": 4,
  "list.move": 4,
  "list.delete": 4,
  "map.set": 4,
  "map.delete": 2,
  "map.nest": 2,
  "object.set": 4,
  "object.delete": 2,
  "object.nest": 2,
  "nested.edit": 6,
  "text.delete": 4,
  "text.format": 3,
  "yjs.delete": 2,
  presence: 3,
  patch: 2,
};
const LOSSES = { cut: 1, "down.up": 1, "hold.cut": 1 };
const UNDO = { undo: 6, redo: 4, "nested.edit": 0 };
const PROFILES = {
  edits: { weights: { ...EDITS, ...LOSSES, pause: 8 } },
  inserts: { weights: { ...INSERTS, "map.new": 3, cut: 2, "down.up": 1, "hold.cut": 2, pause: 4 } },
  undo: { weights: { ...EDITS, ...UNDO, pause: 8 }, afterReload: true },
};

// mulberry32
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function generate({ seed, profile = "edits", steps = 150, restarts = 0 }) {
  const next = random(seed);
  const place = () => Math.round(next() * 1e4) / 1e4;
  const pick = (list) => list[Math.floor(next() * list.length)];
  const { weights } = PROFILES[profile];
  const verbs = Object.entries(weights).flatMap(([verb, weight]) => Array(weight).fill(verb));
  const plan = { seed, profile, clients: CLIENTS, steps: [] };
  for (let n = 0; n < steps; n += 1) {
    const verb = pick(verbs);
    const words = [place(), place(), pick(KEYS), `${n}`];
    if (verb === "pause") words[0] = Math.floor(next() * 30);
    plan.steps.push([Math.floor(next() * CLIENTS), verb, ...words]);
  }
  for (let n = 1; n <= restarts; n += 1) {
    plan.steps.splice(Math.floor((plan.steps.length * n) / (restarts + 1)), 0, [0, "restart"]);
  }
  return plan;
}

const branch = () =>
  new LiveObject({
    list: new LiveList([]),
    map: new LiveMap(),
    object: new LiveObject({}),
    text: new LiveText(""),
  });

const nested = (value) =>
  new LiveObject({ n: value, list: new LiveList([value]), map: new LiveMap([["k", value]]) });

const at = (place, length) => Math.floor(place * length);

// What one step does to the part of Storage that it is for.
const STEPS = {
  "list.push": ({ list }, p, q, key, value) => list.push(value),
  "list.insert": ({ list }, p, q, key, value) => list.insert(value, at(p, list.length + 1)),
  "list.set": ({ list }, p, q, key, value) =>
    list.length && list.set(at(p, list.length), q < 0.3 ? nested(value) : value),
  "list.move": ({ list }, p, q) =>
    list.length && list.move(at(p, list.length), at(q, list.length)),
  "list.delete": ({ list }, p) => list.length && list.delete(at(p, list.length)),
  "map.new": ({ map }, p, q, key, value) => map.set(`new-${value}`, value),
  "map.set": ({ map }, p, q, key, value) => map.set(key, value),
  "map.delete": ({ map }, p, q, key) => map.delete(key),
  "map.nest": ({ map }, p, q, key, value) => map.set(key, nested(value)),
  "object.set": ({ object }, p, q, key, value) => object.set(key, value),
  "object.delete": ({ object }, p, q, key) => object.delete(key),
  "object.nest": ({ object }, p, q, key, value) => object.set(key, nested(value)),
  "nested.edit": ({ map, object }, p, q, key, value) => {
    const inner = p < 0.5 ? map.get(key) : object.get(key);
    if (!(inner instanceof LiveObject)) return;
    if (q < 0.3) inner.set("n", value);
    else if (q < 0.6) inner.get("list").push(value);
    else if (q < 0.8) inner.get("map").set("k", value);
    else inner.set("list", new LiveList([value]));
  },
  "text.insert": ({ text }, p, q, key, value) =>
    text.insert(at(p, text.length + 1), `<${value}>`, q < 0.2 ? { [key]: true } : undefined),
  "text.delete": ({ text }, p, q) =>
    text.length && text.delete(at(p, text.length), 1 + at(q, 6)),
  "text.format": ({ text }, p, q, key) =>
    text.length && text.format(at(p, text.length), 1 + at(q, 12), { [key]: p < 0.7 ? q : null }),
};

const DOCUMENT = {
  "yjs.insert": (text, p, q, key, value) => text.insert(at(p, text.length + 1), `<${value}>`),
  "yjs.delete": (text, p, q) => {
    const start = at(p, text.length);
    text.delete(start, Math.min(text.length - start, 1 + at(q, 6)));
  },
};

const CONNECTION = {
  cut: async ({ relay }) => relay.cut(),
  "down.up": async ({ relay }, p) => {
    await relay.down();
    // In the meantime the plan goes on.
    setTimeout(() => void relay.up(), at(p, 200));
  },
  "hold.cut": async ({ relay }, p) => {
    relay.hold();
    setTimeout(() => relay.cut(), at(p, 60));
  },
};

async function carryOut([who, verb, ...words], { peers, room, restart }) {
  const peer = peers[who];
  const [p, , key, value] = words;
  if (verb === "pause") return pause(p);
  if (verb === "restart") return restart();
  if (CONNECTION[verb]) return CONNECTION[verb](peer, ...words);
  if (verb === "presence") return peer.room.updatePresence({ [key]: value });
  if (verb === "undo") return peer.room.history.undo();
  if (verb === "redo") return peer.room.history.redo();
  if (DOCUMENT[verb]) return DOCUMENT[verb](peer.yjs().getYDoc().getText("t"), ...words);
  if (verb === "patch") {
    const path = p < 0.5 ? "/shared/list/-" : `/shared/object/${key}`;
    // The server may be on its way up, or the answer may be lost: a plan is no promise.
    return void patchStorage(room, { op: "add", path, value: `patch-${value}` }).catch(() => {});
  }
  const target = peer.room.getStorageSnapshot().get("shared");
  const parts = Object.fromEntries(
    ["list", "map", "object", "text"].map((part) => [part, target.get(part)]),
  );
  return void STEPS[verb](parts, ...words);
}

async function gather(room, plan) {
  const storage = { shared: branch() };
  const peers = [];
  for (let n = 0; n < plan.clients; n += 1) {
    const peer = await Peer.join(room, { user: `user${n}`, storage: n === 0 ? storage : {} });
    await peer.root();
    await peer.synchronized();
    peers.push(peer);
  }
  for (const peer of peers) peer.yjs();
  return peers;
}

export async function play(plan, restart) {
  const { afterReload } = PROFILES[plan.profile];
  const room = prefix();
  const peers = await gather(room, plan);
  for (const step of plan.steps) {
    try {
      await carryOut(step, { peers, room, restart });
    } catch (error) {
      // Undo of the real client throws now and then about what somebody else removed.
      if (!afterReload) throw error;
    }
  }
  for (const peer of peers) await peer.relay.up();
  await converged(room, peers, { afterReload });
  if (plan.profile === "inserts") kept(plan, peers[0]);
}

async function main() {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      profile: { type: "string", default: "edits" },
      steps: { type: "string", default: "150" },
      restarts: { type: "string", default: "0" },
      save: { type: "string" },
      replay: { type: "string" },
    },
  });
  const plan = values.replay
    ? JSON.parse(readFileSync(values.replay, "utf8"))
    : generate({
        seed: Number(values.seed),
        profile: values.profile,
        steps: Number(values.steps),
        restarts: Number(values.restarts),
      });
  if (values.save) writeFileSync(values.save, `${JSON.stringify(plan)}\n`);
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const restart = async () => {
    process.stdout.write("restart\n");
    await lines.next();
  };
  try {
    await play(plan, restart);
  } finally {
    await closeAll();
  }
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
