// What an application's own server does: the pages, and tokens for who is logged in.
import { createServer } from "node:http";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { accessToken, idToken, require } from "../node/realtime/lib.mjs";
import { EMOJI_FILES } from "./emoji.mjs";

const { build } = require("esbuild");

const PAGES = ["page", "comments", "livekit"];
const STYLE = `
  body { font: 14px sans-serif; margin: 1em }
  section { border: 1px solid #aaa; margin: 0.5em 0; padding: 0.5em; position: relative }
  h4 { margin: 0.5em 0 }
  #board { height: 100px; overflow: hidden }
  #editor { min-height: 60px }
  .cursor { position: absolute; color: white; padding: 0 4px; pointer-events: none }
`;
const TYPES = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8" };

// The scripts of all pages, and the styles that they import, by path.
async function bundle() {
  const { outputFiles } = await build({
    entryPoints: PAGES.map((page) => fileURLToPath(new URL(`${page}.jsx`, import.meta.url))),
    outdir: "/",
    bundle: true,
    write: false,
    jsx: "automatic",
    nodePaths: [`${process.env.INTEROP_ENV}/node/node_modules`],
    define: { "process.env.NODE_ENV": '"development"' },
    logLevel: "error",
  });
  return new Map(outputFiles.map(({ path, text }) => [`/${basename(path)}`, text]));
}

const html = (page, files) => `<!doctype html><meta charset="utf-8"><title>roomd</title>
${files.has(`/${page}.css`) ? `<link rel="stylesheet" href="/${page}.css">` : ""}
<style>${STYLE}</style><div id="root"></div><script src="/${page}.js"></script>`;

// Whoever says which groups they are in gets an ID token, everybody else one with all rights.
async function authorize(request, query) {
  let body = "";
  for await (const chunk of request) body += chunk;
  const user = query.get("user");
  const groups = query.get("groups");
  if (groups !== null) return idToken(user, groups.split(",").filter(Boolean));
  return accessToken(user, JSON.parse(body).room ?? "*");
}

export async function serve() {
  const files = await bundle();
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://page");
    const say = (type, body) => {
      response.setHeader("Content-Type", type);
      response.end(body);
    };
    if (pathname === "/auth") {
      const token = await authorize(request, searchParams);
      say("application/json", JSON.stringify({ token }));
    } else if (pathname in EMOJI_FILES) {
      say("application/json", JSON.stringify(EMOJI_FILES[pathname]));
    } else if (files.has(pathname)) {
      say(TYPES[pathname.split(".").at(-1)], files.get(pathname));
    } else if (PAGES.includes(pathname.slice(1))) {
      say("text/html", html(pathname.slice(1), files));
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
