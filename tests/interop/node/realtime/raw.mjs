// A bare WebSocket that speaks the protocol by hand, for what the real client would never send and
// for what it does not show.
import assert from "node:assert/strict";
import { baseUrl, closes, eventually, WebSocket } from "./lib.mjs";

export const CLIENT_VERSION = "3.24.2";

export const Code = {
  PRESENCE: 100,
  JOINED: 101,
  LEFT: 102,
  EVENT: 103,
  ROOM_STATE: 104,
  FETCH_STORAGE: 200,
  OPS: 201,
  CHUNK: 210,
  STREAM_END: 211,
  REJECTED: 299,
  YJS: 300,
  UPDATE_YJS: 301,
};

export const Op = { SET_PARENT_KEY: 1, CREATE_LIST: 2, UPDATE_OBJECT: 3, CREATE_OBJECT: 4 };
Object.assign(Op, { DELETE: 5, DELETE_KEY: 6, CREATE_MAP: 7, CREATE_REGISTER: 8, CREATE_TEXT: 9 });
Object.assign(Op, { UPDATE_TEXT: 10, CREATE_FILE: 11 });

export function socketUrl(room, { token, pubkey, path = "/v8" }) {
  const url = new URL(path, baseUrl.replace(/^http/, "ws"));
  if (room !== undefined) url.searchParams.set("roomId", room);
  if (token) url.searchParams.set("tok", token);
  if (pubkey) url.searchParams.set("pubkey", pubkey);
  url.searchParams.set("version", CLIENT_VERSION);
  return url;
}

export class Raw {
  // Every frame as it came, and every message in them, in order.
  frames = [];
  messages = [];
  closed;
  #counter = 0;

  // Opens a connection. It is in the room only after `joined`.
  static async open(room, credential) {
    const raw = closes(new Raw());
    raw.socket = new WebSocket(socketUrl(room, credential));
    raw.socket.on("message", (data, isBinary) => raw.#receive(data, isBinary));
    raw.socket.on("close", (code, reason) => (raw.closed = { code, reason: String(reason) }));
    await new Promise((resolve, reject) => {
      raw.socket.once("open", resolve);
      raw.socket.once("error", reject);
    });
    raw.socket.on("error", () => {});
    return raw;
  }

  static async join(room, credential) {
    const raw = await Raw.open(room, credential);
    await raw.joined();
    return raw;
  }

  #receive(data, isBinary) {
    assert.ok(!isBinary, "every frame is text");
    const text = String(data);
    const frame = text === "pong" ? text : JSON.parse(text);
    this.frames.push(frame);
    this.messages.push(...[frame].flat());
  }

  async joined() {
    const state = await this.message("ROOM_STATE", ({ type }) => type === Code.ROOM_STATE);
    this.actor = state.actor;
    this.state = state;
    return state;
  }

  send(...messages) {
    this.text(JSON.stringify(messages));
  }

  text(text) {
    this.socket.send(text);
  }

  // Ids as the clients make them.
  id() {
    this.#counter += 1;
    return `${this.actor}:${this.#counter}`;
  }

  // Sends operations, each with an id to be acknowledged under; gives those ids.
  ops(...ops) {
    const sent = ops.map((op) => ({ opId: this.id(), ...op }));
    this.send({ type: Code.OPS, ops: sent });
    return sent.map(({ opId }) => opId);
  }

  // The first message since `from` for which `check` holds.
  message(what, check, from = 0) {
    return eventually(what, () => {
      const found = this.messages.slice(from).find(check);
      if (!found && this.closed) {
        throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      }
      return found;
    });
  }

  receivedOps() {
    return this.messages.filter(({ type }) => type === Code.OPS).flatMap(({ ops }) => ops);
  }

  // The operation or rejection that answers this id.
  answer(opId) {
    const answers = ({ type, ops, opIds }) =>
      (type === Code.OPS && ops.some((op) => op.opId === opId)) ||
      (type === Code.REJECTED && opIds.includes(opId));
    return this.message(`an answer to ${opId}`, answers);
  }

  async storage() {
    const from = this.messages.length;
    this.send({ type: Code.FETCH_STORAGE });
    await this.message("the end of Storage", ({ type }) => type === Code.STREAM_END, from);
    const chunks = this.messages.slice(from).filter(({ type }) => type === Code.CHUNK);
    return chunks.flatMap(({ nodes }) => nodes);
  }

  ended() {
    return eventually("the server closes the connection", () => this.closed);
  }

  async close() {
    this.socket.terminate();
  }
}
