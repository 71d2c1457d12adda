// What the tests of comments share: rooms with people in them, bodies, and what people hear.
import assert from "node:assert/strict";
import { prefix } from "../client.mjs";
import { liveblocks } from "./lib.mjs";
import { Peer } from "./peer.mjs";

export const Heard = {
  THREAD_CREATED: 400,
  THREAD_METADATA_UPDATED: 401,
  COMMENT_CREATED: 402,
  COMMENT_EDITED: 403,
  COMMENT_DELETED: 404,
  REACTION_ADDED: 405,
  REACTION_REMOVED: 406,
  THREAD_DELETED: 407,
  THREAD_UPDATED: 408,
  COMMENT_METADATA_UPDATED: 409,
};

// A body of one paragraph; texts may be given as they are.
export const says = (...children) => ({
  version: 1,
  content: [
    {
      type: "paragraph",
      children: children.map((child) => (typeof child === "string" ? { text: child } : child)),
    },
  ],
});

export const mention = (id) => ({ type: "mention", kind: "user", id });

// A room as seed 003 has it: everybody may write public threads, reviewers private ones too.
export async function roomOfReviewers() {
  const room = prefix();
  const base = ["*:read", "comments:public:write"];
  await liveblocks.createRoom(room, {
    defaultAccesses: [...base, "comments:private:none"],
    groupsAccesses: { reviewers: [...base, "comments:private:write"] },
  });
  return room;
}

// Somebody in the room with an ID token. Tests take user ids of their own, since inboxes are not a
// room's.
export const person = (room, user, groups = []) =>
  Peer.join(room, { user, groups, credential: "id" });

export async function refused(promise, status, ...words) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.status, status, String(error));
    for (const word of words) assert.ok(String(error.message).includes(word), error.message);
    return true;
  });
}

export const ids = (things) => things.map(({ id }) => id);
