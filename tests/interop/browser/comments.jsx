// Comments as an application would show them: a room's threads, two composers, and an inbox.
import {
  ClientSideSuspense,
  LiveblocksProvider,
  RoomProvider,
  useErrorListener,
  useInboxNotifications,
  useMarkAllInboxNotificationsAsRead,
  useStatus,
  useThreads,
  useUnreadInboxNotificationsCount,
} from "@liveblocks/react/suspense";
import {
  Composer,
  InboxNotification,
  InboxNotificationList,
  LiveblocksUiConfig,
  Thread,
} from "@liveblocks/react-ui";
import "@liveblocks/react-ui/styles.css";
import { useState } from "react";
import { createRoot } from "react-dom/client";

const params = new URLSearchParams(location.search);
const user = params.get("user");
const NAMES = { ann: "Ann", bob: "Bob", eve: "Eve" };

const resolveUsers = ({ userIds }) => userIds.map((id) => ({ name: NAMES[id] ?? id }));
const resolveMentionSuggestions = ({ text }) =>
  Object.keys(NAMES).filter((id) => id.startsWith(text.toLowerCase()));

function Threads() {
  const { threads } = useThreads();
  return (
    <section id="threads">
      {threads.map((thread) => (
        <article
          key={thread.id}
          className="thread"
          data-id={thread.id}
          data-visibility={thread.visibility}
          data-resolved={thread.resolved}
          data-metadata={JSON.stringify(thread.metadata)}
        >
          <Thread thread={thread} showActions={true} showComposer={true} />
        </article>
      ))}
    </section>
  );
}

function Inbox() {
  const { inboxNotifications } = useInboxNotifications();
  return (
    <section id="notifications">
      <InboxNotificationList>
        {inboxNotifications.map((notification) => (
          <InboxNotification
            key={notification.id}
            inboxNotification={notification}
            showActions={true}
          />
        ))}
      </InboxNotificationList>
    </section>
  );
}

function Unread() {
  const { count } = useUnreadInboxNotificationsCount();
  return <b id="unread">{count}</b>;
}

// Threads that are on the screen count as read, so the inbox is a place of its own.
function Page() {
  const status = useStatus();
  const markAllAsRead = useMarkAllInboxNotificationsAsRead();
  const [place, setPlace] = useState(params.get("place") ?? "room");
  useErrorListener((error) => window.reportError(error));
  return (
    <main>
      <header>
        {NAMES[user]} · <span id="status">{status}</span>{" "}
        <button id="go-room" onClick={() => setPlace("room")}>
          Room
        </button>
        <button id="go-inbox" onClick={() => setPlace("inbox")}>
          Inbox
        </button>{" "}
        unread: <Unread />{" "}
        <button id="read-all" onClick={markAllAsRead}>
          Mark all as read
        </button>
      </header>
      {place === "inbox" ? (
        <Inbox />
      ) : (
        <>
          <Threads />
          <h4>Everybody</h4>
          <Composer id="public" />
          <h4>Reviewers only</h4>
          <Composer id="private" visibility="private" />
        </>
      )}
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <LiveblocksProvider
    authEndpoint={`/auth?${params}`}
    baseUrl={params.get("base")}
    throttle={16}
    resolveUsers={resolveUsers}
    resolveMentionSuggestions={resolveMentionSuggestions}
    resolveRoomsInfo={({ roomIds }) => roomIds.map(() => ({ name: "the room" }))}
  >
    <LiveblocksUiConfig emojibaseUrl="/emoji">
      <RoomProvider id={params.get("room")}>
        <ClientSideSuspense fallback={<p>Loading…</p>}>
          <Page />
        </ClientSideSuspense>
      </RoomProvider>
    </LiveblocksUiConfig>
  </LiveblocksProvider>,
);
