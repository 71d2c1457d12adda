// A TCP relay between one client and the server, to lose connections as networks lose them.
import net from "node:net";
import { baseUrl, closes } from "./lib.mjs";

export class Relay {
  #target = new URL(baseUrl);
  #server;
  #pairs = new Set();
  #port = 0;
  #holding = false;
  #recorded;
  // Connections that came in so far, so that a test can tell a reconnect from none.
  connections = 0;

  static async start() {
    const relay = closes(new Relay());
    await relay.up();
    return relay;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  // Takes connections, on the same port as before.
  async up() {
    if (this.#server) return;
    this.#holding = false;
    this.#server = net.createServer((near) => this.#join(near));
    await new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = this.#server.address().port;
  }

  // Connections end without a goodbye; new ones are taken at once.
  cut() {
    this.#holding = false;
    for (const pair of this.#pairs) for (const end of pair) end.destroy();
    this.#pairs.clear();
  }

  // The network is gone until `up`.
  async down() {
    const server = this.#server;
    this.#server = undefined;
    const closed = server && new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  // What the client says goes on to reach the server; no answer comes back.
  hold() {
    this.#holding = true;
    for (const [, far] of this.#pairs) far.pause();
  }

  release() {
    this.#holding = false;
    for (const [, far] of this.#pairs) far.resume();
  }

  // Keeps everything that the server sends from now on, each connection for itself.
  record() {
    this.#recorded = [];
  }

  // Whether these bytes came from the server.
  heard(text) {
    return this.#recorded.some((chunks) => Buffer.concat(chunks).includes(text));
  }

  close() {
    return this.down();
  }

  #join(near) {
    this.connections += 1;
    const far = net.connect(Number(this.#target.port), this.#target.hostname);
    const pair = [near, far];
    this.#pairs.add(pair);
    near.setNoDelay(true);
    far.setNoDelay(true);
    const end = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    near.on("data", (chunk) => far.write(chunk));
    const recorded = [];
    this.#recorded?.push(recorded);
    far.on("data", (chunk) => {
      if (this.#recorded) recorded.push(chunk);
      near.write(chunk);
    });
    if (this.#holding) far.pause();
  }
}
