// Writes what the real client answers for a million random pairs of positions, as hashes of runs, so
// that `src/domain/position/tests/oracle.rs` can hold roomd's own rules against it.
//
//   node tests/interop/node/position-cases.mjs > src/domain/position/tests/oracle.json
//
// Needs @liveblocks/core 3.24.2, which tests/setup.sh installs with the other clients.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { makePosition } = require("@liveblocks/core");

const RUNS = 100;
const PAIRS_PER_RUN = 10_000;

// Mulberry32, which the Rust side repeats.
function random(seed) {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

// One in three digits is at an end of the alphabet, where carries happen.
function position(next) {
  const length = 1 + next(7);
  let text = "";
  for (let i = 0; i < length; i += 1) {
    const kind = next(6);
    const code = kind === 0 ? 32 : kind === 1 ? 126 : 32 + next(95);
    text += String.fromCharCode(i === length - 1 && code === 32 ? 33 : code);
  }
  return text;
}

const FNV_PRIME = 0x100000001b3n;
const hashes = [];
for (let run = 0; run < RUNS; run += 1) {
  const next = random(run);
  let hash = 0xcbf29ce484222325n;
  const add = (text) => {
    for (let i = 0; i <= text.length; i += 1) {
      const byte = i === text.length ? 10 : text.charCodeAt(i);
      hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
    }
  };
  for (let pair = 0; pair < PAIRS_PER_RUN; pair += 1) {
    const [a, b] = [position(next), position(next)];
    add(makePosition(a));
    add(makePosition(undefined, a));
    if (a !== b) add(makePosition(a < b ? a : b, a < b ? b : a));
  }
  hashes.push(hash.toString(16).padStart(16, "0"));
}
console.log(JSON.stringify({ pairsPerRun: PAIRS_PER_RUN, hashes }, null, 1));
