// The real @liveblocks/node, pointed at the server under test, and what the test files share.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.INTEROP_ENV}/node/package.json`);
export const { Liveblocks, LiveblocksError } = require("@liveblocks/node");

export const baseUrl = process.env.ROOMD_URL;
export const secret = process.env.ROOMD_SECRET_KEY;
export const liveblocks = new Liveblocks({ secret, baseUrl });

// What the ids of one test begin with, so that tests do not see each other's rooms.
export const prefix = () => `n${randomBytes(5).toString("hex")}:`;
export const organization = () => `org-${randomBytes(5).toString("hex")}`;

export async function collect(rooms) {
  const ids = [];
  for await (const room of rooms) ids.push(room.id);
  return ids;
}

// The SDK throws its own error, with this status, and a message that has these words.
export async function fails(promise, status, ...words) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof LiveblocksError, String(error));
    assert.equal(error.name, "LiveblocksError");
    assert.equal(error.status, status, String(error));
    assert.ok(error.message.length > 0);
    assert.notEqual(error.message, "An error happened without an error message");
    for (const word of words) assert.ok(String(error).includes(word), `${word} is not in ${error}`);
    return true;
  });
}
