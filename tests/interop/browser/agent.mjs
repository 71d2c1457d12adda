// A real browser with windows on the page, for the tests in Python: the same protocol of one JSON
// line for each request and each answer as ../node/realtime/agent.mjs.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { accessToken, closeAll } from "../node/realtime/lib.mjs";
import { Relay } from "../node/realtime/relay.mjs";

const modules = `${process.env.INTEROP_ENV}/node/node_modules`;
const require = createRequire(`${modules}/../package.json`);
const { build } = require("esbuild");
const { chromium } = require("playwright-core");

const WINDOW = { width: 640, height: 560 };
const HTML = `<!doctype html><meta charset="utf-8"><title>roomd</title><style>
  body { font: 14px sans-serif; margin: 1em }
  section { border: 1px solid #aaa; margin: 0.5em 0; padding: 0.5em; position: relative }
  #board { height: 100px; overflow: hidden }
  #editor { min-height: 60px }
  .cursor { position: absolute; color: white; padding: 0 4px; pointer-events: none }
</style><div id="root"></div><script src="/page.js"></script>`;

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("page.jsx", import.meta.url))],
    bundle: true,
    write: false,
    jsx: "automatic",
    nodePaths: [modules],
    define: { "process.env.NODE_ENV": '"development"' },
    logLevel: "error",
  });
  return outputFiles[0].text;
}

// What an application's own server does: the page, and tokens for who is logged in.
async function serve() {
  const script = await bundle();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://page");
    if (url.pathname === "/auth") {
      let body = "";
      for await (const chunk of request) body += chunk;
      const user = url.searchParams.get("user");
      const { room } = JSON.parse(body);
      const token = await accessToken(user, room ?? "*");
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ token }));
    } else if (url.pathname === "/page.js") {
      response.setHeader("Content-Type", "text/javascript; charset=utf-8");
      response.end(script);
    } else {
      response.setHeader("Content-Type", "text/html");
      response.end(HTML);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const server = await serve();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Its sandbox does not start for root, which is who runs tests in containers.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
const windows = new Map();

const ACTIONS = {
  async open(name, room, user) {
    const context = await browser.newContext({ viewport: WINDOW });
    const page = await context.newPage();
    const relay = await Relay.start();
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    windows.set(name, { page, relay, problems });
    const query = new URLSearchParams({ room, user, base: relay.url });
    await page.goto(`http://127.0.0.1:${server.address().port}/?${query}`);
    await page.waitForSelector("#status");
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
  cut: (name) => windows.get(name).relay.cut(),
  screenshot: async (name, path) => void (await windows.get(name).page.screenshot({ path })),
  problems: (name) => windows.get(name).problems,
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
