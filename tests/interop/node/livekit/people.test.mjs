// livekit-server-sdk 2.19.2 and people with @liveblocks/client, who know nothing of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "../realtime/lib.mjs";
import { AccessToken, baseUrl, key, secret } from "./lib.mjs";
import { alive, DataPacket_Kind, eventually, identities, NO_PARTICIPANT, Peer } from "./lib.mjs";
import { prefix, refuses, rooms, withPeer } from "./lib.mjs";

const gone = (room, identity) =>
  eventually(`${identity} is gone`, async () => !(await identities(room)).includes(identity));

test("whoever is in the room is listed", () =>
  withPeer(async (room) => {
    const [ben] = await rooms.listParticipants(room);
    assert.match(ben.sid, /^PA_[2-9A-HJ-NP-Za-km-z]{12}$/);
    assert.deepEqual([ben.identity, ben.name, ben.metadata], ["ben", "ben", '{"name":"ben"}']);
    assert.equal(ben.state, 2);
    assert.equal(ben.kind, 0);
    assert.equal(ben.joinedAt, ben.joinedAtMs / 1000n);
    assert.ok(Math.abs(Number(ben.joinedAtMs) - Date.now()) < 100_000);
    const { canSubscribe, canPublish, canPublishData, hidden } = ben.permission;
    assert.deepEqual([canSubscribe, canPublish, canPublishData, hidden], [true, true, true, false]);
    assert.deepEqual(await rooms.getParticipant(room, "ben"), ben);
    assert.equal((await alive(room)).numParticipants, 1);
    await refuses(NO_PARTICIPANT, rooms.getParticipant(room, "anna"));
  }));

test("whoever leaves is not", () =>
  withPeer(async (room, ben) => {
    const anna = await Peer.join(room, { user: "anna" });
    assert.deepEqual(await identities(room), ["ben", "anna"]);
    assert.equal((await alive(room)).numParticipants, 2);
    await anna.close();
    await gone(room, "anna");
    await eventually("ben is alone", () => ben.others().length === 0);
  }));

test("updateParticipant, in both of its forms", () =>
  withPeer(async (room) => {
    const before = await rooms.getParticipant(room, "ben");
    const attributes = { a: "1", b: "2", camelCase_and_snake: "ü" };
    const changed = await rooms.updateParticipant(room, "ben", { name: "B.", attributes });
    assert.equal(changed.name, "B.");
    assert.deepEqual({ ...changed.attributes }, attributes);
    assert.equal(changed.metadata, before.metadata);
    assert.equal(changed.version, before.version + 1);
    assert.deepEqual(await rooms.getParticipant(room, "ben"), changed);
    const permission = { canSubscribe: true, canUpdateMetadata: true };
    const older = await rooms.updateParticipant(room, "ben", "m", permission, "Ben");
    assert.deepEqual([older.name, older.metadata], ["Ben", "m"]);
    assert.deepEqual({ ...older.attributes }, attributes);
    const { canSubscribe, canPublish, canPublishData, canUpdateMetadata } = older.permission;
    assert.deepEqual(
      [canSubscribe, canPublish, canPublishData, canUpdateMetadata],
      [true, false, false, true],
    );
    const less = await rooms.updateParticipant(room, "ben", { attributes: { a: "" }, metadata: "" });
    assert.deepEqual(Object.keys(less.attributes).sort(), ["b", "camelCase_and_snake"]);
    assert.equal(less.metadata, "m");
  }));

test("sendData arrives as an event", () =>
  withPeer(async (room, ben) => {
    const anna = await Peer.join(room, { user: "anna" });
    const text = new TextEncoder().encode("grüße");
    const { RELIABLE, LOSSY } = DataPacket_Kind;
    await rooms.sendData(room, text, RELIABLE, { topic: "t" });
    await rooms.sendData(room, text, LOSSY, { destinationIdentities: ["anna", "nobody"] });
    const [{ sid }] = await rooms.listParticipants(room);
    await rooms.sendData(room, text, RELIABLE, [sid]);
    await rooms.sendData(room, new Uint8Array([255]), RELIABLE, {});
    const data = { type: "roomd.data", text: "grüße" };
    const last = { type: "roomd.data", bytes: "/w==" };
    const heard = (peer) => peer.events.map(({ event }) => event);
    const complete = (peer) => eventually("it is there", () => heard(peer).at(-1)?.bytes);
    await complete(ben);
    await complete(anna);
    assert.deepEqual(heard(ben), [{ ...data, topic: "t" }, data, last]);
    assert.deepEqual(heard(anna), [{ ...data, topic: "t" }, data, last]);
    await anna.close();
  }));

test("removeParticipant keeps the client away", () =>
  withPeer(async (room, ben) => {
    assert.equal(await rooms.removeParticipant(room, "ben"), undefined);
    assert.deepEqual(await identities(room), []);
    await eventually("ben is out", () => ben.room.getStatus() === "disconnected");
    await refuses(NO_PARTICIPANT, rooms.removeParticipant(room, "ben"));
  }));

test("removeParticipant with all tokens of before", () =>
  withPeer(async (room, ben) => {
    const revokeTokenTs = BigInt(Math.floor(Date.now() / 1000) + 1);
    await rooms.removeParticipant(room, "ben", { revokeTokenTs });
    await eventually("ben is out", () => ben.room.getStatus() === "disconnected");
    const options = { user: "ben", wait: false };
    const again = await Peer.join(room, options);
    await eventually("he stays out", () => again.room.getStatus() === "disconnected");
    assert.deepEqual(await identities(room), []);
    await again.close();
  }));

test("deleteRoom lets everybody go", () =>
  withPeer(async (room, ben) => {
    const { sid } = await alive(room);
    await rooms.deleteRoom(room);
    assert.equal(await alive(room), undefined);
    await eventually("ben is out", () => ben.room.getStatus() === "disconnected");
    const again = await Peer.join(room, { user: "ben" });
    assert.notEqual((await alive(room)).sid, sid);
    await again.close();
  }));

test("moveParticipant and forwardParticipant", () =>
  withPeer(async (room) => {
    const to = prefix();
    await rooms.createRoom({ name: to });
    const same = "destination room cannot be the same as source room";
    const problem = [400, "invalid_argument", `${same} `];
    await refuses(problem, rooms.moveParticipant(room, "ben", room), { argument: same });
    await refuses(problem, rooms.forwardParticipant(room, "ben", room), { argument: same });
    await refuses(NO_PARTICIPANT, rooms.moveParticipant(room, "anna", to));
    await refuses(NO_PARTICIPANT, rooms.forwardParticipant(room, "anna", to));
    assert.equal(await rooms.forwardParticipant(room, "ben", to), undefined);
    await eventually("ben is shown there", async () => (await identities(to))[0] === "ben");
    const [shown] = await rooms.listParticipants(to);
    assert.deepEqual(shown.kindDetails, [1]);
    assert.equal(await rooms.moveParticipant(room, "ben", to), undefined);
    await gone(room, "ben");
  }));

test("tracks that somebody publishes by signalling", () =>
  withPeer(async (room) => {
    const token = new AccessToken(key, secret, { identity: "anna" });
    token.addGrant({ roomJoin: true, room });
    const address = `${baseUrl.replace("http", "ws")}/rtc?access_token=${await token.toJwt()}`;
    const anna = new WebSocket(address);
    const heard = [];
    anna.on("message", (data, isBinary) => isBinary || heard.push(JSON.parse(data)));
    try {
      await once(anna, "open");
      const track = { cid: "c", name: "mic", type: "AUDIO", source: "MICROPHONE" };
      anna.send(JSON.stringify({ addTrack: track }));
      const published = async () =>
        (await rooms.listParticipants(room)).find(({ identity }) => identity === "anna")?.tracks[0];
      const { sid, muted, name } = await eventually("the track is published", published);
      assert.deepEqual([muted, name], [false, "mic"]);
      const said = (what) => heard.map((message) => message[what]).filter(Boolean);
      assert.equal((await rooms.mutePublishedTrack(room, "anna", sid, true)).muted, true);
      await eventually("anna is told", () => said("mute").length === 1);
      assert.deepEqual(said("mute"), [{ sid, muted: true }]);
      assert.equal((await published()).muted, true);
      const problem = [412, "failed_precondition", "twirp error unknown: remote unmute not enabled"];
      await refuses(problem, rooms.mutePublishedTrack(room, "anna", sid, false));
      assert.equal(await rooms.updateSubscriptions(room, "ben", [sid], true), undefined);
      await eventually("anna has a listener", () => said("trackSubscribed").length === 1);
      assert.deepEqual(said("trackSubscribed"), [{ trackSid: sid }]);
    } finally {
      anna.close();
    }
  }));

test("tracks that nobody publishes", () =>
  withPeer(async (room) => {
    assert.equal(await rooms.mutePublishedTrack(room, "ben", "TR_none", true), undefined);
    assert.equal(await rooms.updateSubscriptions(room, "ben", ["TR_none"], true), undefined);
  }));
