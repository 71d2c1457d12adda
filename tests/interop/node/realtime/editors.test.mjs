// Which text editor a room is written with, as the SDKs of editors report it through the client,
// and as a back end that renders the text asks for it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { prefix } from "../client.mjs";
import { accessToken, baseUrl, closeAll, closes, createClient, kInternal } from "./lib.mjs";
import { liveblocks, publicKey, rest, WebSocket, Y } from "./lib.mjs";

after(closeAll);

const pathOf = (room) => `/v2/rooms/${encodeURIComponent(room)}/text-editor`;
const kept = (room) => rest("GET", pathOf(room));
const keepsNone = (room) => assert.rejects(kept(room), /404.*TEXT_EDITOR_NOT_FOUND/s);

// The client does not look at the answer, so this keeps what it was.
function enter(room, credential) {
  const answers = [];
  const client = createClient({
    ...credential,
    baseUrl,
    polyfills: {
      WebSocket,
      fetch: async (url, options) => {
        const answer = await fetch(url, options);
        answers.push(`${options?.method} ${new URL(url).pathname} ${answer.status}`);
        return answer;
      },
    },
  });
  const { room: entered, leave } = client.enterRoom(room, {});
  closes({
    close: () => {
      leave();
      client.logout();
    },
  });
  return {
    answers,
    report: (type, rootKey) => entered[kInternal].reportTextEditor(type, rootKey),
  };
}

const withToken = (user, room, scopes) =>
  enter(room, { authEndpoint: async () => ({ token: await accessToken(user, room, scopes) }) });

const reported = (room, status) =>
  `POST /v2/c/rooms/${encodeURIComponent(room)}/text-metadata ${status}`;

test("each editor reports itself, and the last report is kept", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: [] });
  await keepsNone(room);
  const anna = withToken("anna", room, ["*:write"]);
  for (const [type, rootKey] of [
    ["lexical", "root"],
    ["tiptap", "default"],
    ["blocknote", "document-store é"],
  ]) {
    await anna.report(type, rootKey);
    assert.equal(anna.answers.at(-1), reported(room, 200));
    assert.deepEqual(await kept(room), { type, rootKey });
  }
});

test("a back end finds the text by what the editor reported", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: [] });
  const doc = new Y.Doc();
  const paragraph = new Y.XmlElement("paragraph");
  paragraph.insert(0, [new Y.XmlText("hello")]);
  doc.getXmlFragment("page").insert(0, [paragraph]);
  await liveblocks.sendYjsBinaryUpdate(room, Y.encodeStateAsUpdate(doc));
  await withToken("anna", room, ["*:write"]).report("tiptap", "page");
  const { type, rootKey } = await kept(room);
  assert.equal(type, "tiptap");
  const text = await liveblocks.getYjsDocument(room, { key: rootKey, type: "yxmlfragment" });
  assert.deepEqual(text, { page: "<paragraph>hello</paragraph>" });
});

test("a reader's editor works, and its report changes nothing", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: ["*:read"] });
  const reader = withToken("rita", room, ["*:read"]);
  const anyone = enter(room, { publicApiKey: publicKey });
  for (const visitor of [reader, anyone]) {
    await visitor.report("tiptap", "misleading");
    assert.equal(visitor.answers.at(-1), reported(room, 200));
    await keepsNone(room);
  }
  await withToken("anna", room, ["*:write"]).report("lexical", "root");
  for (const visitor of [reader, anyone]) {
    await visitor.report("tiptap", "misleading");
    assert.equal(visitor.answers.at(-1), reported(room, 200));
    assert.deepEqual(await kept(room), { type: "lexical", rootKey: "root" });
  }
});

test("a report that is wrong is refused, and the editor goes on", async () => {
  const room = prefix();
  await liveblocks.createRoom(room, { defaultAccesses: [] });
  const anna = withToken("anna", room, ["*:write"]);
  await anna.report("lexical", "root");
  for (const [type, rootKey] of [["quill", "root"], ["lexical", ""], ["lexical", "a\u0000b"]]) {
    await anna.report(type, rootKey);
    assert.equal(anna.answers.at(-1), reported(room, 422));
    assert.deepEqual(await kept(room), { type: "lexical", rootKey: "root" });
  }
});

test("the editor stays with a room that is renamed, and goes with one that is deleted", async () => {
  const [room, renamed] = [prefix(), prefix()];
  await liveblocks.createRoom(room, { defaultAccesses: [] });
  await withToken("anna", room, ["*:write"]).report("lexical", "root");
  await liveblocks.updateRoomId({ currentRoomId: room, newRoomId: renamed });
  assert.deepEqual(await kept(renamed), { type: "lexical", rootKey: "root" });
  await liveblocks.deleteRoom(renamed);
  await assert.rejects(kept(renamed), /404.*ROOM_NOT_FOUND/s);
  await liveblocks.createRoom(renamed, { defaultAccesses: [] });
  await keepsNone(renamed);
});
