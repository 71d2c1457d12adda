// A page with LiveKit's own client in it, which does what the test tells it to.
import { Room, RoomEvent, RpcError } from "livekit-client";

const params = new URLSearchParams(location.search);
const server = params.get("base").replace("http", "ws");
const text = new TextDecoder();
const RELIABLE = 0;

const room = new Room();
const heard = {
  data: [],
  calls: [],
  texts: [],
  left: [],
  states: [],
  moved: [],
  metadata: [],
  attributes: [],
};

const status = document.createElement("p");
status.id = "status";
document.getElementById("root").append(status);

function show() {
  const others = [...room.remoteParticipants.values()].map(({ identity }) => identity);
  status.textContent = [room.state, room.name, ...others].join(" ");
}

room
  .on(RoomEvent.ConnectionStateChanged, (state) => heard.states.push(state))
  .on(RoomEvent.DataReceived, (payload, from, kind, topic) =>
    heard.data.push({ text: text.decode(payload), from: from?.identity ?? null, kind, topic }))
  .on(RoomEvent.Disconnected, (reason) => heard.left.push(reason ?? null))
  .on(RoomEvent.Moved, (name) => heard.moved.push(name))
  .on(RoomEvent.RoomMetadataChanged, (metadata) => heard.metadata.push(metadata))
  .on(RoomEvent.ParticipantAttributesChanged, (changed, { identity }) =>
    heard.attributes.push({ identity, changed }));
for (const event of Object.values(RoomEvent)) room.on(event, show);

const person = ({ identity, sid, name, metadata, attributes, permissions }) => ({
  identity,
  sid,
  name,
  metadata,
  attributes,
  canPublishData: permissions?.canPublishData,
});

window.actions = {
  // Resolves when the WebRTC connection is up, and rejects if it does not come up.
  connect: async (token) => void (await room.connect(server, token)),
  disconnect: () => room.disconnect(),
  heard: () => heard,
  state: async () => ({
    state: room.state,
    name: room.name,
    sid: room.state === "connected" ? await room.getSid() : null,
    metadata: room.metadata,
    me: person(room.localParticipant),
    others: [...room.remoteParticipants.values()].map(person),
  }),
  publish: (words, options) =>
    room.localParticipant.publishData(new TextEncoder().encode(words), options),
  // Data of this size past the client's own check: a DataPacket with a UserPacket with a payload.
  force: async (size) => {
    const field = (bytes) => {
      const length = bytes.length;
      const header = [0x12, (length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14];
      return Uint8Array.from([...header, ...bytes]);
    };
    room.engine.dataChannelForKind(RELIABLE).send(field(field(new Uint8Array(size))));
  },
  // Calls of the method are answered with "hello" and what came, or with an error.
  answer: (method, error) =>
    room.registerRpcMethod(method, async ({ callerIdentity, payload, responseTimeout }) => {
      heard.calls.push({ callerIdentity, payload, responseTimeout });
      if (error) throw new RpcError(error.code, error.message);
      return `hello ${payload}`;
    }),
  call: (destinationIdentity, method, payload) =>
    room.localParticipant.performRpc({ destinationIdentity, method, payload }),
  // Texts of any length travel in pieces.
  write: async (words, topic) => void (await room.localParticipant.sendText(words, { topic })),
  read: (topic) =>
    room.registerTextStreamHandler(topic, async (reader, { identity }) =>
      heard.texts.push({ text: await reader.readAll(), from: identity })),
  change: async ({ name, metadata, attributes }) => {
    const me = room.localParticipant;
    if (name !== undefined) await me.setName(name);
    if (metadata !== undefined) await me.setMetadata(metadata);
    if (attributes !== undefined) await me.setAttributes(attributes);
  },
  // A picture that nobody sees: media is not passed on, and must do no harm.
  film: async () => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 10, 10);
    const [track] = canvas.captureStream(5).getVideoTracks();
    const publication = await room.localParticipant.publishTrack(track, { source: "camera" });
    return publication.trackSid;
  },
};
show();
