// A real browser with windows on the pages, for the tests in Python: the same protocol of one JSON
// line for each request and each answer as ../node/realtime/agent.mjs.
import { createInterface } from "node:readline";
import { closeAll, require } from "../node/realtime/lib.mjs";
import { Relay } from "../node/realtime/relay.mjs";
import { serve } from "./server.mjs";

const { chromium } = require("playwright-core");

const WINDOW = { width: 640, height: 560 };

const server = await serve();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Its sandbox does not start for root, which is who runs tests in containers.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
const windows = new Map();

const ACTIONS = {
  // Each window has a context of its own, so nobody shares cookies or caches with another. The rest
  // of the options goes to the page.
  async open(name, room, user, { page: which = "page", viewport = WINDOW, ...more } = {}) {
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    const relay = await Relay.start();
    relay.record();
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    windows.set(name, { page, relay, problems });
    const query = new URLSearchParams({ room, user, base: relay.url, ...more });
    await page.goto(`http://127.0.0.1:${server.address().port}/${which}?${query}`);
    await page.waitForSelector("#status").catch((error) => {
      throw new Error([error.message, ...problems].join("\n"));
    });
  },
  text: (name, selector) => windows.get(name).page.textContent(selector),
  texts: (name, selector) => windows.get(name).page.locator(selector).allTextContents(),
  attributes: (name, selector, ...keys) =>
    windows.get(name).page.locator(selector).evaluateAll(
      (found, wanted) => found.map((one) => wanted.map((key) => one.getAttribute(key))),
      keys,
    ),
  // What is in the editor, without the other people's cursors and their labels.
  written: (name) =>
    windows.get(name).page.locator("#editor .cm-line").evaluateAll((lines) =>
      lines.map((line) => {
        const copy = line.cloneNode(true);
        for (const caret of copy.querySelectorAll(".cm-ySelectionCaret")) caret.remove();
        return copy.textContent;
      }).join("\n"),
    ),
  fill: (name, selector, text) => windows.get(name).page.fill(selector, text),
  click: (name, selector) => windows.get(name).page.click(selector),
  async type(name, selector, text, key) {
    const { page } = windows.get(name);
    await page.click(selector);
    if (key) await page.keyboard.press(key);
    await page.keyboard.type(text);
  },
  async point(name, selector, x, y) {
    const { page } = windows.get(name);
    await page.hover(selector, { position: { x, y } });
  },
  type_on: (name, text) => windows.get(name).page.keyboard.type(text),
  see: async (name, selector) => void (await windows.get(name).page.waitForSelector(selector)),
  press: (name, key) => windows.get(name).page.keyboard.press(key),
  attach: (name, selector, file, base64) =>
    windows.get(name).page.setInputFiles(selector, {
      name: file,
      mimeType: "",
      buffer: Buffer.from(base64, "base64"),
    }),
  // The person comes back to the window: what is older than some seconds is asked for again.
  look: (name) => windows.get(name).page.evaluate(() => void dispatchEvent(new Event("focus"))),
  // The sizes of images that the browser could load and decode.
  pictures: (name, selector) =>
    windows.get(name).page.locator(selector).evaluateAll((images) =>
      images.map((image) => [image.naturalWidth, image.naturalHeight])),
  html: (name) => windows.get(name).page.content(),
  // Whether the server ever sent this text to the window, by whatever way.
  heard: (name, text) => windows.get(name).relay.heard(text),
  cut: (name) => windows.get(name).relay.cut(),
  // What the page itself offers to tests.
  act: (name, action, ...words) =>
    windows.get(name).page.evaluate(
      ([which, given]) => window.actions[which](...given),
      [action, words],
    ),
  screenshot: async (name, path) => void (await windows.get(name).page.screenshot({ path })),
  problems: (name) => windows.get(name).problems,
  async close(name) {
    const { page, relay } = windows.get(name);
    windows.delete(name);
    await page.context().close();
    await relay.close();
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
await browser.close();
server.close();
await closeAll();
process.exit(0);
