// Chromium's own RTCPeerConnection against examples/rtc_echo.rs, which answers every message with
// the same message: what a stock client needs of the server before any signalling is involved.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

const require = createRequire(`${process.env.INTEROP_ENV}/node/package.json`);
const { chromium } = require("playwright-core");

const WITHIN_MS = 15_000;
// What SDKs send at most is 64,000 bytes; 65,536 is what the description allows.
const SIZES = [1, 1_000, 15_000, 64_000, 65_536];

let echo;
let answers;
let browser;
let page;
let calls = Promise.resolve();

// One line for each call, so they take turns.
function server(...words) {
  const answer = calls.then(async () => {
    echo.stdin.write(`${JSON.stringify(words)}\n`);
    const { value } = await answers.next();
    const { ok, error } = JSON.parse(value);
    if (error) throw new Error(error);
    return ok;
  });
  calls = answer.catch(() => {});
  return answer;
}

// What the tests do inside the page, by name.
function helpers(withinMs) {
  const within = (what, promise) =>
    Promise.race([
      promise,
      new Promise((_, fail) => setTimeout(() => fail(new Error(`no ${what}`)), withinMs)),
    ]);
  const until = (what, target, event, check) =>
    within(what, new Promise((done) => {
      const look = () => check() && done();
      target.addEventListener(event, look);
      look();
    }));
  const rtc = {
    kept: {},
    until,
    opened: (channel) =>
      until(`open ${channel.label}`, channel, "open", () => channel.readyState === "open"),
    connected: (pc) =>
      until("connection", pc, "connectionstatechange", () => pc.connectionState === "connected"),
    async offer(pc, name, options) {
      await pc.setLocalDescription(await pc.createOffer(options));
      const sdp = await window.server("accept", name, pc.localDescription.sdp);
      await pc.setRemoteDescription({ type: "answer", sdp });
    },
    async answer(pc, name) {
      const sdp = await window.server("offer", name);
      await pc.setRemoteDescription({ type: "offer", sdp });
      await pc.setLocalDescription(await pc.createAnswer());
      await window.server("answered", name, pc.localDescription.sdp);
    },
    // Sends one message of each size and compares what comes back; the sizes that were right.
    async talk(channel, sizes) {
      channel.binaryType = "arraybuffer";
      const right = [];
      for (const size of sizes) {
        const sent = new Uint8Array(size).map((_, at) => at * 7 + size);
        const back = new Promise((done) => {
          channel.onmessage = ({ data }) => done(new Uint8Array(data));
        });
        channel.send(sent);
        const came = await within(`echo of ${size} bytes`, back);
        if (came.length === size && came.every((byte, at) => byte === sent[at])) right.push(size);
      }
      return right;
    },
  };
  window.rtc = rtc;
}

before(async () => {
  const program = `${process.env.ROOMD_EXAMPLES}/rtc_echo`;
  echo = spawn(program, ["127.0.0.1:0"], { stdio: ["pipe", "pipe", "inherit"] });
  answers = createInterface({ input: echo.stdout })[Symbol.asyncIterator]();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  page = await browser.newPage();
  await page.exposeFunction("server", server);
  await page.evaluate(helpers, WITHIN_MS);
});

after(async () => {
  await browser?.close();
  if (!echo) return;
  echo.stdin.end();
  await once(echo, "exit");
});

test("the browser offers two channels and talks on both", async () => {
  const seen = await page.evaluate(async (sizes) => {
    const pc = new RTCPeerConnection();
    const lossy = pc.createDataChannel("_lossy", { ordered: false, maxRetransmits: 0 });
    const reliable = pc.createDataChannel("_reliable");
    await rtc.offer(pc, "publisher");
    await Promise.all([lossy, reliable].map(rtc.opened));
    Object.assign(rtc.kept, { publisher: pc, reliable });
    const talked = [await rtc.talk(reliable, sizes), await rtc.talk(lossy, [1, 1_000])];
    return { talked, limit: pc.sctp.maxMessageSize, state: pc.connectionState };
  }, SIZES);
  assert.deepEqual(seen, { talked: [SIZES, [1, 1_000]], limit: 65_536, state: "connected" });
});

test("the server offers two channels and the browser talks on both", async () => {
  const seen = await page.evaluate(async (sizes) => {
    const pc = new RTCPeerConnection();
    const channels = {};
    pc.addEventListener("datachannel", ({ channel }) => (channels[channel.label] = channel));
    await rtc.answer(pc, "subscriber");
    await rtc.until("two channels", pc, "datachannel", () => Object.keys(channels).length === 2);
    const { _reliable: reliable, _lossy: lossy } = channels;
    await Promise.all([lossy, reliable].map(rtc.opened));
    Object.assign(rtc.kept, { subscriber: pc, offered: reliable });
    const kinds = [reliable, lossy].map((one) => [one.ordered, one.maxRetransmits]);
    return { kinds, talked: [await rtc.talk(reliable, sizes), await rtc.talk(lossy, [1, 1_000])] };
  }, SIZES);
  assert.deepEqual(seen, { kinds: [[true, null], [false, 0]], talked: [SIZES, [1, 1_000]] });
});

test("a connection that also offers audio and video comes up for data", async () => {
  const seen = await page.evaluate(async () => {
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    for (const kind of ["audio", "audio", "video"]) {
      pc.addTransceiver(kind, { direction: "recvonly" });
    }
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    const [track] = canvas.captureStream(5).getTracks();
    const sendEncodings = [{ rid: "q", scaleResolutionDownBy: 2 }, { rid: "f" }];
    pc.addTransceiver(track, { direction: "sendonly", sendEncodings });
    const channel = pc.createDataChannel("_reliable");
    await rtc.offer(pc, "media");
    await rtc.opened(channel);
    const first = pc.getTransceivers().map((one) => one.currentDirection);
    pc.getTransceivers().at(-1).stop();
    await rtc.offer(pc, "media");
    pc.addTransceiver("video", { direction: "sendonly" });
    await rtc.offer(pc, "media");
    return { first, talked: await rtc.talk(channel, [1_000]) };
  });
  const first = Array(4).fill("inactive");
  assert.deepEqual(seen, { first, talked: [1_000] });
});

test("data may come after media in one connection", async () => {
  const talked = await page.evaluate(async () => {
    const pc = new RTCPeerConnection();
    pc.addTransceiver("audio");
    await rtc.offer(pc, "later");
    await rtc.connected(pc);
    const channel = pc.createDataChannel("_reliable");
    await rtc.offer(pc, "later");
    await rtc.opened(channel);
    return rtc.talk(channel, [1_000]);
  });
  assert.deepEqual(talked, [1_000]);
});

test("ICE restarts from both sides keep the channels", async () => {
  const talked = await page.evaluate(async () => {
    const { publisher, reliable, subscriber, offered } = rtc.kept;
    await rtc.offer(publisher, "publisher", { iceRestart: true });
    await rtc.answer(subscriber, "subscriber");
    await Promise.all([publisher, subscriber].map(rtc.connected));
    return [await rtc.talk(reliable, [64_000]), await rtc.talk(offered, [64_000])];
  });
  assert.deepEqual(talked, [[64_000], [64_000]]);
});

test("thousands of messages at once come back whole and in order", async () => {
  const count = 2_000;
  const came = await page.evaluate(async (count) => {
    const { reliable } = rtc.kept;
    // As SDKs do: what a browser is given faster than it can send, it loses, and then it takes long
    // to catch up.
    reliable.bufferedAmountLowThreshold = 64_000;
    const came = [];
    const all = new Promise((done) => {
      reliable.onmessage = ({ data }) => {
        came.push(new DataView(data).getUint32(0));
        if (came.length === count) done();
      };
    });
    for (let number = 0; number < count; number += 1) {
      const message = new DataView(new ArrayBuffer(1_000));
      message.setUint32(0, number);
      reliable.send(message);
      if (reliable.bufferedAmount > reliable.bufferedAmountLowThreshold) {
        await new Promise((low) => (reliable.onbufferedamountlow = low));
      }
    }
    await all;
    return came;
  }, count);
  assert.deepEqual(came, Array.from({ length: count }, (_, number) => number));
});

// str0m takes an empty message and would lose its channel over sending one: see SendError::Empty.
test("an empty message is taken and is not sent back", async () => {
  const talked = await page.evaluate(async () => {
    rtc.kept.reliable.send(new Uint8Array(0));
    return rtc.talk(rtc.kept.reliable, [10]);
  });
  assert.deepEqual(talked, [10]);
  const events = await server("events", "publisher");
  assert.equal(events.at(-1), "a message must have at least one byte");
});

test("each side hears the other's goodbye", async () => {
  await page.evaluate(async () => {
    const { offered } = rtc.kept;
    await window.server("close", "subscriber");
    await rtc.until("close", offered, "close", () => offered.readyState === "closed");
    rtc.kept.publisher.close();
  });
  let events;
  do {
    events = await server("events", "publisher");
  } while (events.at(-1) !== "gone");
  assert.deepEqual(events.slice(0, 1), ["connected"]);
});
