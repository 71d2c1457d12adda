// Verifies webhooks with livekit-server-sdk: a JSON list of [body, authorization] on standard
// input, and the names and ids of the events as a JSON list on standard output.
import { text } from "node:stream/consumers";
import { key, sdk, secret } from "./lib.mjs";

const receiver = new sdk.WebhookReceiver(key, secret);
const calls = JSON.parse(await text(process.stdin));
const events = [];
for (const [body, authorization] of calls) {
  const { event, id } = await receiver.receive(body, authorization);
  events.push([event, id]);
}
process.stdout.write(JSON.stringify(events));
