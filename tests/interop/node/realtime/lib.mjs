// What every realtime test starts from: the unmodified packages, tokens, waiting, and ends.
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { createRequire } from "node:module";
import { baseUrl, liveblocks, secret } from "../client.mjs";

// All by require: the classes of a package must not exist twice in one process.
export const require = createRequire(`${process.env.INTEROP_ENV}/node/package.json`);
export const { createClient, LiveFile, LiveList, LiveMap, LiveObject, LiveText } =
  require("@liveblocks/client");
export const { kInternal } = require("@liveblocks/core");
export const { getYjsProviderForRoom } = require("@liveblocks/yjs");
export const { WebSocket, WebSocketServer } = require("ws");
export const Y = require("yjs");
export { baseUrl, liveblocks, secret };

export const publicKey = process.env.ROOMD_PUBLIC_KEY ?? "pk_localdev";
export const WITHIN_MS = 15_000;

// Polls until `check` gives something true, and returns that. `what` is a text, or makes one at the
// end.
export async function eventually(what, check, withinMs = WITHIN_MS) {
  const deadline = Date.now() + withinMs;
  let problem;
  for (;;) {
    try {
      problem = undefined;
      const outcome = await check();
      if (outcome) return outcome;
    } catch (error) {
      problem = error;
    }
    if (Date.now() > deadline) {
      const goal = typeof what === "function" ? what() : what;
      const why = problem ? `: ${problem.message}` : "";
      throw new assert.AssertionError({ message: `not within ${withinMs} ms: ${goal}${why}` });
    }
    await pause(5);
  }
}

// As `eventually`, for values: a failure shows the last one beside what was expected.
export async function becomes(what, read, expected, withinMs = WITHIN_MS) {
  let last;
  try {
    await eventually(
      what,
      async () => isDeepStrictEqual((last = await read()), expected),
      withinMs,
    );
  } catch {
    assert.deepStrictEqual(last, expected, what);
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A token as a back end hands it out. `scopes` names this room's, unless it is a map already.
export async function accessToken(user, room, scopes = ["*:write"], userInfo = { name: user }) {
  const session = liveblocks.prepareSession(user, { userInfo });
  const patterns = Array.isArray(scopes) ? { [room]: scopes } : scopes;
  for (const [pattern, list] of Object.entries(patterns)) session.allow(pattern, list);
  return tokenOf(await session.authorize());
}

export async function idToken(user, groupIds = []) {
  const identity = { userId: user, groupIds };
  return tokenOf(await liveblocks.identifyUser(identity, { userInfo: { name: user } }));
}

function tokenOf({ status, body, error }) {
  assert.equal(status, 200, `${body} ${error ?? ""}`);
  return JSON.parse(body).token;
}

// REST with the secret key, for what the Node SDK does not have.
export async function rest(method, path, body) {
  const answer = await fetch(new URL(path, baseUrl), {
    method,
    headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

export const patchStorage = (room, ...operations) =>
  rest("PATCH", `/v2/rooms/${encodeURIComponent(room)}/storage/json-patch`, operations);

// What a test opened and must not leave behind.
const open = new Set();

export function closes(thing) {
  open.add(thing);
  return thing;
}

export async function closeAll() {
  const things = [...open];
  open.clear();
  await Promise.all(things.map((thing) => thing.close()));
}
