// Real clients for tests that are written in Python: one JSON request a line on standard input, one
// JSON answer a line on standard output. See realtime.py beside pytest's files.
import { createInterface } from "node:readline";
import { closeAll, LiveList, LiveMap, LiveObject, LiveText } from "./lib.mjs";
import { Peer } from "./peer.mjs";

const peers = new Map();

// Live structures are written as {"$list": [...]}, {"$map": {...}}, {"$object": {...}} and
// {"$text": "..."}.
function live(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const each = (object) => Object.entries(object).map(([key, inner]) => [key, live(inner)]);
  if ("$list" in value) return new LiveList(value.$list.map(live));
  if ("$map" in value) return new LiveMap(each(value.$map));
  if ("$object" in value) return new LiveObject(Object.fromEntries(each(value.$object)));
  if ("$text" in value) return new LiveText(value.$text);
  return value;
}

const ACTIONS = {
  async join(name, room, { storage, wait, ...options } = {}) {
    const initial = Object.entries(storage ?? {}).map(([key, value]) => [key, live(value)]);
    const peer = await Peer.join(room, { ...options, wait, storage: Object.fromEntries(initial) });
    peers.set(name, peer);
    if (wait === false) return null;
    await peer.root();
    return peer.actor;
  },
  json: (name) => peers.get(name).json(),
  // Calls `method` of what is at this path in Storage.
  edit(name, path, method, ...args) {
    const root = peers.get(name).room.getStorageSnapshot();
    path.reduce((node, key) => node.get(key), root)[method](...args.map(live));
  },
  yjs: (name) => void peers.get(name).yjs(),
  type(name, index, text) {
    const shared = peers.get(name).yjs().getYDoc().getText("text");
    shared.insert(index < 0 ? shared.length : index, text);
  },
  document: (name) => peers.get(name).yjs().getYDoc().getText("text").toString(),
  async synchronized(name) {
    const peer = peers.get(name);
    await peer.synchronized();
    if (peer.provider) await peer.yjsSynchronized();
  },
  presence: (name, patch) => peers.get(name).room.updatePresence(patch),
  broadcast: (name, event) => peers.get(name).room.broadcastEvent(event),
  // Calls a method of the client's room, or of the client itself.
  room: (name, method, ...args) => peers.get(name).room[method](...args),
  client: (name, method, ...args) => peers.get(name).client[method](...args),
  changes: (name, since) => peers.get(name).room.getThreadsSince({ since: new Date(since) }),
  // What this client heard of comments.
  comments: (name) => peers.get(name).comments,
  state(name) {
    const { room, relay, events, errors, actor, tokens } = peers.get(name);
    return {
      status: room.getStatus(),
      actor,
      tokens,
      connections: relay.connections,
      others: room.getOthers().map(({ id, connectionId, info, presence }) => (
        { id, actor: connectionId, info, presence })),
      events: events.map(({ event, connectionId }) => ({ event, actor: connectionId })),
      errors: errors.map(({ message, context }) => ({ message, code: context.code })),
    };
  },
  async leave(name) {
    await peers.get(name).close();
    peers.delete(name);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [action, ...args] = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await ACTIONS[action](...args)) ?? null };
  } catch (error) {
    answer = { error: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await closeAll();
process.exit(0);
