// The real livekit-server-sdk, pointed at the server under test, and what its test files share.
import assert from "node:assert/strict";
import { prefix } from "../client.mjs";
import { eventually, require } from "../realtime/lib.mjs";
import { Peer } from "../realtime/peer.mjs";

export const sdk = require("livekit-server-sdk");
export const { AccessToken, DataPacket_Kind, RoomServiceClient, ServerError } = sdk;
export { eventually, Peer, prefix };

export const baseUrl = process.env.ROOMD_URL;
export const key = "devkey";
export const secret = "secret";
export const rooms = new RoomServiceClient(baseUrl, key, secret);

export const NO_ROOM = [404, "not_found", "twirp error unknown: requested room does not exist"];
export const NO_PARTICIPANT = [404, "not_found", "twirp error unknown: participant does not exist"];
export const DENIED = [401, "unauthenticated", "permissions denied"];

// A client whose token has these grants and no more.
export async function holder(grants, identity) {
  const token = new AccessToken(key, secret, { identity });
  token.addGrant(grants);
  return new RoomServiceClient(baseUrl, undefined, undefined, { token: await token.toJwt() });
}

// The SDK throws its own error with this status, code and message, and says nothing else.
export async function refuses([status, code, message], promise, metadata) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ServerError, String(error));
    const said = [error.status, error.code, error.message, error.metadata];
    assert.deepEqual(said, [status, code, message, metadata]);
    return true;
  });
}

export const identities = async (room) =>
  (await rooms.listParticipants(room)).map(({ identity }) => identity);

export const alive = async (room) => (await rooms.listRooms([room]))[0];

// Somebody with @liveblocks/client in a new room.
export async function withPeer(test) {
  const room = prefix();
  const peer = await Peer.join(room, { user: "ben" });
  try {
    await test(room, peer);
  } finally {
    await peer.close();
  }
}
