// One real @liveblocks/client in one room, behind a relay of its own.
import { prefix } from "../client.mjs";
import { accessToken, closes, createClient, eventually, getYjsProviderForRoom } from "./lib.mjs";
import { idToken, publicKey, WebSocket } from "./lib.mjs";
import { Relay } from "./relay.mjs";

// The shortest that the client allows: tests wait for nothing longer.
const THROTTLE_MS = 16;

export class Peer {
  errors = [];
  events = [];
  comments = [];
  statuses = [];
  tokens = 0;

  #closed = false;

  // Connects, and waits until it is connected unless `wait` is false.
  static async join(room, options = {}) {
    const peer = closes(new Peer());
    peer.name = options.user ?? "anna";
    peer.relay = await Relay.start();
    peer.client = createClient({
      ...peer.#credential(room, options),
      baseUrl: peer.relay.url,
      throttle: THROTTLE_MS,
      polyfills: { WebSocket },
    });
    peer.client.events.error.subscribe((error) => peer.errors.push(error));
    const { room: entered, leave } = peer.client.enterRoom(room, {
      initialPresence: options.presence ?? {},
      initialStorage: options.storage ?? {},
    });
    peer.room = entered;
    peer.leave = leave;
    peer.room.subscribe("event", (event) => peer.events.push(event));
    peer.room.events.comments.subscribe((message) => peer.comments.push(message));
    peer.room.subscribe("status", (status) => peer.statuses.push(status));
    if (options.wait !== false) await peer.connected();
    return peer;
  }

  #credential(room, { credential = "access", scopes, groups, token }) {
    if (credential === "public") return { publicApiKey: publicKey };
    return {
      authEndpoint: async () => {
        this.tokens += 1;
        if (token) return { token: await token() };
        if (credential === "id") return { token: await idToken(this.name, groups) };
        return { token: await accessToken(this.name, room, scopes) };
      },
    };
  }

  // The client says "connected" a moment before it knows itself, so both are waited for.
  connected() {
    return eventually(
      () => `${this.name} is connected (${this.room.getStatus()} ${this.errors.map(String)})`,
      () => this.room.getStatus() === "connected" && this.actor !== undefined,
    );
  }

  async root() {
    if (!this.#root) this.#root = (await this.room.getStorage()).root;
    return this.#root;
  }
  #root;

  // The whole Storage as this client sees it, as plain JSON.
  json() {
    return this.room.getStorageSnapshot()?.toJSON() ?? null;
  }

  // Everything that this client did was acknowledged.
  get isSynchronized() {
    return this.room.getStatus() === "connected" &&
      this.room.getStorageStatus() === "synchronized";
  }

  synchronized() {
    return eventually(
      () => `${this.name} is synchronized (${this.room.getStorageStatus()})`,
      () => this.isSynchronized,
    );
  }

  yjs(options) {
    this.provider ??= getYjsProviderForRoom(this.room, options);
    return this.provider;
  }

  // The server's snapshot hash is the one of this client's document. The provider reckons its own
  // hash anew a moment after an edit; until then its status is that of the document before.
  get yjsIsSynchronized() {
    const { rootDocHandler, subdocHandlersΣ } = this.provider;
    const handlers = [rootDocHandler, ...subdocHandlersΣ.get().values()];
    return (
      this.room.getStatus() === "connected" &&
      handlers.every(({ debounceTimer }) => debounceTimer === null) &&
      this.provider.getStatus() === "synchronized"
    );
  }

  yjsSynchronized() {
    return eventually(
      () => `the document of ${this.name} is synchronized (${this.provider.getStatus()})`,
      () => this.yjsIsSynchronized,
    );
  }

  // The connection is lost; waits for the next one.
  async reconnect() {
    const before = this.actor;
    this.relay.cut();
    await eventually(() => `${this.name} comes back`, () => this.actor !== before && this.actor !== undefined);
    await this.connected();
  }

  others() {
    return this.room.getOthers().map(({ id, presence }) => ({ id, presence }));
  }

  get actor() {
    return this.room.getSelf()?.connectionId;
  }

  async close() {
    if (this.#closed) return;
    this.#closed = true;
    this.provider?.destroy();
    this.leave();
    this.client.logout();
    await this.relay.close();
  }
}

// Waits until all see each other, and nothing older is under way: the client sends all of its
// presence to each newcomer, and what it sends first may be newer than that copy.
export async function met(...peers) {
  for (const peer of peers) {
    const missing = () => peers.length - 1 - peer.others().length;
    await eventually(() => `${peer.name} sees all: ${missing()} are missing`, () => missing() <= 0);
  }
  const mark = `met-${Math.random()}`;
  for (const peer of peers) peer.room.broadcastEvent(mark);
  for (const peer of peers) {
    const heard = () => peer.events.filter(({ event }) => event === mark).length;
    await eventually(`${peer.name} heard all`, () => heard() === peers.length - 1);
    peer.events = peer.events.filter(({ event }) => event !== mark);
  }
}

// Two clients with the same Storage loaded.
export async function pair(storage) {
  const room = prefix();
  const anna = await Peer.join(room, { user: "anna", storage });
  await anna.root();
  await anna.synchronized();
  const ben = await Peer.join(room, { user: "ben" });
  await ben.root();
  return { room, anna, ben, a: await anna.root(), b: await ben.root() };
}
