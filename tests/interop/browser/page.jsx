// A small page as an application would write it: cursors, a shared list, an editor, versions.
import { LiveList } from "@liveblocks/client";
import {
  ClientSideSuspense,
  LiveblocksProvider,
  RoomProvider,
  useBroadcastEvent,
  useCanUndo,
  useEventListener,
  useMutation,
  useMyPresence,
  useOthers,
  useRoom,
  useSelf,
  useStatus,
  useStorage,
  useSyncStatus,
  useUndo,
} from "@liveblocks/react/suspense";
import { getYjsProviderForRoom } from "@liveblocks/yjs";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { yCollab } from "y-codemirror.next";

const params = new URLSearchParams(location.search);
const user = params.get("user");
const COLORS = { anna: "#c0392b", ben: "#2471a3" };

function Cursors() {
  const [, update] = useMyPresence();
  const others = useOthers();
  return (
    <section
      id="board"
      onPointerMove={({ nativeEvent: { offsetX: x, offsetY: y } }) => update({ cursor: { x, y } })}
      onPointerLeave={() => update({ cursor: null })}
    >
      {others.map(({ connectionId, id, info, presence: { cursor } }) =>
        cursor ? (
          <div
            key={connectionId}
            className="cursor"
            data-user={id}
            data-x={cursor.x}
            data-y={cursor.y}
            style={{ left: cursor.x, top: cursor.y, background: COLORS[id] ?? "#555" }}
          >
            {info.name}
          </div>
        ) : null,
      )}
    </section>
  );
}

function List() {
  const items = useStorage((root) => root.items);
  const [draft, setDraft] = useState("");
  const add = useMutation(({ storage }, text) => storage.get("items").push(text), []);
  const remove = useMutation(({ storage }, index) => storage.get("items").delete(index), []);
  const undo = useUndo();
  const canUndo = useCanUndo();
  const submit = (event) => {
    event.preventDefault();
    add(draft);
    setDraft("");
  };
  return (
    <section>
      <form onSubmit={submit}>
        <input id="draft" value={draft} onChange={({ target }) => setDraft(target.value)} />
        <button id="add">Add</button>
        <button id="undo" type="button" disabled={!canUndo} onClick={undo}>
          Undo
        </button>
      </form>
      <ol id="items">
        {items.map((text, index) => (
          <li key={`${index}-${text}`}>
            <span>{text}</span> <button onClick={() => remove(index)}>Remove</button>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Editor() {
  const room = useRoom();
  const place = useRef(null);
  useEffect(() => {
    const provider = getYjsProviderForRoom(room);
    const text = provider.getYDoc().getText("text");
    provider.awareness.setLocalStateField("user", { name: user, color: COLORS[user] ?? "#555" });
    const state = EditorState.create({
      doc: text.toString(),
      extensions: [EditorView.lineWrapping, yCollab(text, provider.awareness)],
    });
    const view = new EditorView({ state, parent: place.current });
    return () => view.destroy();
  }, [room]);
  return <section id="editor" ref={place} />;
}

function Page() {
  const others = useOthers();
  const self = useSelf();
  const status = useStatus();
  const sync = useSyncStatus();
  const broadcast = useBroadcastEvent();
  const [heard, setHeard] = useState("");
  useEventListener(({ event }) => setHeard(JSON.stringify(event)));
  return (
    <main>
      <header>
        <b id="self">{self.info.name}</b> · <span id="status">{status}</span> ·{" "}
        <span id="sync">{sync}</span> · <span id="others">{others.map(({ id }) => id).join(" ")}</span>
        <button id="wave" onClick={() => broadcast({ wave: user })}>
          Wave
        </button>
        <span id="heard">{heard}</span>
      </header>
      <Cursors />
      <List />
      <Editor />
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <LiveblocksProvider
    authEndpoint={`/auth?user=${encodeURIComponent(user)}`}
    baseUrl={params.get("base")}
    throttle={16}
  >
    <RoomProvider
      id={params.get("room")}
      initialPresence={{ cursor: null }}
      initialStorage={() => ({ items: new LiveList([]) })}
    >
      <ClientSideSuspense fallback={<p>Loading…</p>}>
        <Page />
      </ClientSideSuspense>
    </RoomProvider>
  </LiveblocksProvider>,
);
