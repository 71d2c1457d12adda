// livekit-server-sdk 2.19.2, which speaks Twirp with JSON: rooms, and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { alive, baseUrl, DENIED, holder, identities, NO_PARTICIPANT, NO_ROOM } from "./lib.mjs";
import { eventually, key, prefix, refuses, RoomServiceClient, rooms, sdk, secret } from "./lib.mjs";

const METADATA_BYTES_MAX = 512 << 10;

test("createRoom, listRooms, updateRoomMetadata, deleteRoom", async () => {
  const name = prefix();
  const settings = { emptyTimeout: 600, departureTimeout: 30, maxParticipants: 7, metadata: "m" };
  const made = await rooms.createRoom({ name, ...settings });
  assert.match(made.sid, /^RM_[2-9A-HJ-NP-Za-km-z]{12}$/);
  assert.equal(made.name, name);
  for (const [setting, value] of Object.entries(settings)) assert.equal(made[setting], value);
  assert.equal(made.creationTime, made.creationTimeMs / 1000n);
  assert.ok(Math.abs(Number(made.creationTimeMs) - Date.now()) < 100_000);
  assert.equal(made.enabledCodecs.length, 10);
  assert.ok(made.enabledCodecs.some(({ mime }) => mime === "video/VP8"));
  assert.deepEqual([made.numParticipants, made.numPublishers, made.activeRecording], [0, 0, false]);
  assert.equal(made.version, undefined);
  assert.deepEqual(await alive(name), made);
  const changed = await rooms.updateRoomMetadata(name, "<ü>&");
  assert.equal(changed.metadata, "<ü>&");
  assert.deepEqual(await alive(name), changed);
  assert.equal((await rooms.updateRoomMetadata(name, "")).metadata, "");
  assert.deepEqual(await rooms.listParticipants(name), []);
  assert.equal(await rooms.deleteRoom(name), undefined);
  assert.equal(await alive(name), undefined);
  await refuses(NO_ROOM, rooms.deleteRoom(name));
});

test("a room that is there is answered as it is", async () => {
  const name = prefix();
  const made = await rooms.createRoom({ name, metadata: "first" });
  assert.deepEqual([made.emptyTimeout, made.departureTimeout, made.maxParticipants], [300, 20, 0]);
  const again = await rooms.createRoom({ name, metadata: "second", emptyTimeout: 5 });
  assert.deepEqual(again, made);
  await rooms.deleteRoom(name);
  const later = await rooms.createRoom({ name, metadata: "second", emptyTimeout: 5 });
  assert.notEqual(later.sid, made.sid);
  assert.deepEqual([later.metadata, later.emptyTimeout], ["second", 5]);
});

test("many at once create one room", async () => {
  const name = prefix();
  const made = await Promise.all(Array.from({ length: 20 }, () => rooms.createRoom({ name })));
  assert.equal(new Set(made.map(({ sid }) => sid)).size, 1);
});

test("listRooms finds those that are asked for, and all", async () => {
  const names = ["a", "b", "c"].map((letter) => prefix() + letter);
  for (const name of names) await rooms.createRoom({ name });
  const some = await rooms.listRooms([names[1]]);
  assert.deepEqual(some.map(({ name }) => name), [names[1]]);
  assert.deepEqual(await rooms.listRooms([prefix()]), []);
  const all = new Set((await rooms.listRooms()).map(({ name }) => name));
  assert.ok(names.every((name) => all.has(name)));
});

test("a room ends when its time is over", async () => {
  const name = prefix();
  await rooms.createRoom({ name, emptyTimeout: 1 });
  await eventually("it ends", async () => (await alive(name)) === undefined);
  await refuses(NO_ROOM, rooms.updateRoomMetadata(name, "m"));
});

test("what is not there is 404, at once", async () => {
  const none = prefix();
  assert.deepEqual(await identities(none), []);
  await refuses(NO_ROOM, rooms.deleteRoom(none));
  await refuses(NO_ROOM, rooms.updateRoomMetadata(none, "m"));
  await refuses(NO_ROOM, rooms.sendData(none, new Uint8Array(1), 0, {}));
  await refuses(NO_ROOM, rooms.mutePublishedTrack(none, "a", "TR_x", true));
  await refuses(NO_ROOM, rooms.updateSubscriptions(none, "a", ["TR_x"], true));
  await refuses(NO_ROOM, rooms.moveParticipant(none, "a", "b"));
  await refuses(NO_ROOM, rooms.forwardParticipant(none, "a", "b"));
  await refuses(NO_PARTICIPANT, rooms.getParticipant(none, "a"));
  await refuses(NO_PARTICIPANT, rooms.removeParticipant(none, "a"));
  await refuses(NO_PARTICIPANT, rooms.updateParticipant(none, "a", { name: "A" }));
  const name = prefix();
  await rooms.createRoom({ name });
  await refuses(NO_PARTICIPANT, rooms.getParticipant(name, "a"));
  await refuses(NO_PARTICIPANT, rooms.mutePublishedTrack(name, "a", "TR_x", true));
  await refuses(NO_PARTICIPANT, rooms.updateSubscriptions(name, "a", ["TR_x"], true));
});

test("sizes have limits", async () => {
  const name = prefix();
  const most = "m".repeat(METADATA_BYTES_MAX);
  assert.equal((await rooms.createRoom({ name, metadata: most })).metadata, most);
  const exceeds = (what, limit) => [400, "invalid_argument", `${what} exceeds limits ${limit}`];
  const size = exceeds("metadata size", METADATA_BYTES_MAX);
  const meta = { argument: "metadata size exceeds limits" };
  const more = `${most}m`;
  await refuses(size, rooms.createRoom({ name: prefix(), metadata: more }), meta);
  await refuses(size, rooms.updateRoomMetadata(name, more), meta);
  await refuses(size, rooms.updateParticipant(name, "a", more), meta);
  const attributes = { k: "v".repeat(64 << 10) };
  await refuses(
    exceeds("attribute size", 64 << 10),
    rooms.updateParticipant(name, "a", { attributes }),
    { argument: "attribute size exceeds limits" },
  );
  const long = "twirp error unknown: room name length exceeds limits: max length 256";
  await refuses([400, "invalid_argument", long], rooms.createRoom({ name: "r".repeat(257) }));
});

test("tokens without the grant are refused by each method", async () => {
  const name = prefix();
  await rooms.createRoom({ name });
  const joins = await holder({ roomJoin: true, room: name }, "anna");
  const other = await holder({ roomAdmin: true, room: `${name}x`, destinationRoom: "b" });
  for (const client of [joins, other]) {
    const calls = [
      client.createRoom({ name: prefix() }),
      client.listRooms(),
      client.deleteRoom(name),
      client.updateRoomMetadata(name, "m"),
      client.listParticipants(name),
      client.getParticipant(name, "a"),
      client.removeParticipant(name, "a"),
      client.forwardParticipant(name, "a", "b"),
      client.moveParticipant(name, "a", "b"),
      client.mutePublishedTrack(name, "a", "TR_x", true),
      client.updateParticipant(name, "a", { name: "A" }),
      client.updateSubscriptions(name, "a", ["TR_x"], true),
      client.sendData(name, new Uint8Array(1), 0, {}),
    ];
    await Promise.all(calls.map((call) => refuses(DENIED, call)));
  }
  const admin = await holder({ roomAdmin: true, room: name });
  assert.equal((await admin.updateRoomMetadata(name, "mine")).metadata, "mine");
});

test("a key that is not good is plain text", async () => {
  const stranger = new RoomServiceClient(baseUrl, "nobody", secret);
  await refuses([401, undefined, "invalid API key"], stranger.listRooms());
  const forger = new RoomServiceClient(baseUrl, key, "another secret");
  const text =
    "invalid authorization token: token signature is invalid: signature is invalid";
  await refuses([401, undefined, text], forger.listRooms());
});

test("the way to the server may be written in several ways", async () => {
  const name = prefix();
  for (const url of [`${baseUrl}/`, baseUrl.replace("http", "ws"), `${baseUrl}/base/path`]) {
    const client = new RoomServiceClient(url, key, secret);
    assert.equal((await client.createRoom({ name })).name, name);
  }
});

test("tokens of the SDK are read as the SDK reads them", async () => {
  const verifier = new sdk.TokenVerifier(key, secret);
  const token = new sdk.AccessToken(key, secret, { identity: "anna", name: "Anna", ttl: "10m" });
  token.addGrant({ roomList: true });
  token.attributes = { k: "v" };
  token.roomConfig = new sdk.RoomConfiguration({ emptyTimeout: 7, metadata: "m" });
  const jwt = await token.toJwt();
  assert.equal((await verifier.verify(jwt)).sub, "anna");
  const client = new RoomServiceClient(baseUrl, undefined, undefined, { token: jwt });
  assert.deepEqual(await client.listRooms([prefix()]), []);
});

