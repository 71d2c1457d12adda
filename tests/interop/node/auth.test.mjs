// @liveblocks/node 3.24.2: prepareSession, identifyUser and the errors of wrong keys.
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { baseUrl, fails, Liveblocks, liveblocks, prefix } from "./client.mjs";

// Verifies a token with the published keys and nothing of ours.
async function claimsOf(token) {
  const [header, payload, signature] = token.split(".");
  const { alg, kid } = JSON.parse(Buffer.from(header, "base64url"));
  const { keys } = await (await fetch(`${baseUrl}/.well-known/jwks.json`)).json();
  const jwk = keys.find((key) => key.kid === kid);
  assert.ok(jwk, `no published key is called ${kid}`);
  assert.equal(jwk.alg, alg);
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const text = Buffer.from(`${header}.${payload}`);
  const proof = Buffer.from(signature, "base64url");
  const good =
    alg === "ES256"
      ? verify("sha256", text, { key, dsaEncoding: "ieee-p1363" }, proof)
      : verify(null, text, key, proof);
  assert.ok(good, "the signature is wrong");
  return JSON.parse(Buffer.from(payload, "base64url"));
}

async function tokenOf(answer) {
  assert.equal(answer.error, undefined);
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body).token;
}

test("prepareSession().allow().authorize()", async () => {
  const id = prefix();
  const session = liveblocks.prepareSession("alice", { userInfo: { name: "Älice" } });
  session.allow(`${id}one`, session.FULL_ACCESS).allow(`${id}team:*`, ["*:read", "comments:write"]);
  const claims = await claimsOf(await tokenOf(await session.authorize()));
  assert.equal(claims.k, "acc");
  assert.equal(claims.uid, "alice");
  assert.deepEqual(claims.ui, { name: "Älice" });
  assert.deepEqual(Object.keys(claims.perms).sort(), [`${id}one`, `${id}team:*`]);
  assert.deepEqual(claims.perms[`${id}one`], ["*:write"]);
  assert.deepEqual([...claims.perms[`${id}team:*`]].sort(), ["*:read", "comments:write"]);
  assert.equal(claims.exp - claims.iat, 3600);
});

test("identifyUser takes an id or an identity", async () => {
  const plain = await claimsOf(await tokenOf(await liveblocks.identifyUser("bob")));
  assert.equal(plain.k, "id");
  assert.equal(plain.uid, "bob");
  const identity = { userId: "bob", groupIds: ["eng", "ops"], organizationId: "acme" };
  const full = await claimsOf(
    await tokenOf(await liveblocks.identifyUser(identity, { userInfo: { name: "Bob" } })),
  );
  assert.deepEqual([...full.gids].sort(), ["eng", "ops"]);
  assert.deepEqual(full.ui, { name: "Bob" });
  assert.notEqual(full.jti, plain.jti);
});

test("the SDK hands the server's refusal on", async () => {
  const long = await liveblocks.prepareSession("x".repeat(129)).allow("*", ["*:read"]).authorize();
  assert.equal(long.status, 422);
  const { error, message } = JSON.parse(long.body);
  assert.equal(error, "UNPROCESSABLE_ENTITY");
  assert.match(message, /userId.*128/);
  const info = await liveblocks.identifyUser("bob", { userInfo: { name: "x".repeat(2000) } });
  assert.equal(info.status, 422);
});

test("an unknown secret key is 403", async () => {
  const stranger = new Liveblocks({ secret: "sk_unknown", baseUrl });
  await fails(stranger.getRooms(), 403, "Invalid secret key");
  await fails(stranger.createRoom(prefix(), { defaultAccesses: [] }), 403, "Invalid secret key");
  const answer = await stranger.identifyUser("bob");
  assert.equal(answer.status, 403);
  assert.equal(JSON.parse(answer.body).error, "INVALID_SECRET_KEY");
});

test("details carry the suggestion", async () => {
  await assert.rejects(liveblocks.createRoom("x".repeat(129), { defaultAccesses: [] }), (error) => {
    assert.match(error.details, /^Suggestion: \S/);
    return true;
  });
});
