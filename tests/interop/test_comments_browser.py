"""@liveblocks/react-ui 3.24.2 in a real browser: three people with ID tokens, one of whom may not
see private threads, and a back end in Python that moderates what they say."""

from __future__ import annotations

import base64
import json
import secrets
import struct
import zlib
from dataclasses import dataclass

import httpx
import pytest
from comments import Moderator
from harness import eventually
from liveblocks import Liveblocks
from realtime import Browser, Client

WITHIN_SECONDS = 30.0
VIEWPORT = {"width": 560, "height": 1100}
GROUPS = {"ann": "reviewers", "bob": "reviewers", "eve": ""}


@dataclass
class Window:
    """What one person sees and does."""

    page: Client

    def texts(self, selector: str) -> list[str]:
        return self.page.texts(selector)

    def threads(self) -> list[dict]:
        keys = ("data-id", "data-visibility", "data-resolved", "data-metadata")
        found = self.page.attributes(".thread", *keys)
        return [
            {
                "id": thread,
                "visibility": visibility,
                "resolved": resolved == "true",
                "metadata": json.loads(metadata),
            }
            for thread, visibility, resolved, metadata in found
        ]

    def bodies(self, thread: str) -> list[str]:
        return self.texts(f"{of(thread)} .lb-comment-body")

    def write(self, composer: str, text: str, *mentions: str) -> None:
        """Types into a composer as a person does, picking each mention from the suggestions."""
        self.page.type(f"{composer} .lb-composer-editor", text)
        for name in mentions:
            self.page.type_on(f" @{name}")
            self.page.see(f".lb-composer-mention-suggestion:has-text('{name}')")
            self.page.press("Enter")

    def send(self, composer: str) -> None:
        self.page.click(f"{composer} .lb-composer-actions button")

    def say(self, composer: str, text: str, *mentions: str) -> None:
        self.write(composer, text, *mentions)
        self.send(composer)


def of(thread: str) -> str:
    return f'.thread[data-id="{thread}"]'


def within(what: str, check):
    return eventually(what, check, WITHIN_SECONDS)


@pytest.fixture(scope="module")
def browser(server):
    browser = Browser(server)
    yield browser
    browser.close()


@pytest.fixture
def moderator(server, prefix):
    moderator = Moderator(Liveblocks(secret=server.secret_key, base_url=server.url), prefix)
    moderator.make_room()
    return moderator


@pytest.fixture
def people(browser, server, moderator, artifacts, request):
    """A window for each of the three; nothing in them may go wrong."""
    windows = {
        user: Window(
            browser.open(
                f"{moderator.room}{user}",
                moderator.room,
                user,
                page="comments",
                groups=groups,
                viewport=VIEWPORT,
            )
        )
        for user, groups in GROUPS.items()
    }
    for window in windows.values():
        within("it is connected", lambda page=window.page: page.text("#status") == "connected")
    yield windows["ann"], windows["bob"], windows["eve"]
    for user, window in windows.items():
        name = f"comments-{server.database.kind}-{request.node.originalname}-{user}.png"
        window.page.screenshot(str(artifacts.path(name)))
    for window in windows.values():
        assert window.page.problems() == []
        window.page.close()


def count(window: Window) -> int:
    return int(window.page.text("#unread"))


def returning(what: str, window: Window, check):
    """As `within`, for what the client asks for anew when its user comes back to the window."""

    def looked():
        window.page.look()
        return check()

    return within(what, looked)


def only_thread(window: Window) -> str:
    def one():
        threads = window.threads()
        return len(threads) == 1 and threads[0]["id"]

    return within("there is one thread", one)


def test_a_conversation(people, moderator):
    ann, bob, eve = people
    ann.say("#public", "Shall we ship it?")
    thread = only_thread(ann)
    for window in (bob, eve):
        within(
            "it is seen live",
            lambda window=window: window.bodies(thread) == ["Shall we ship it?"],
        )
    bob.say(of(thread), "Yes, at once")
    for window in people:
        within(
            "the reply is seen",
            lambda window=window: window.bodies(thread) == ["Shall we ship it?", "Yes, at once"],
        )
    assert [c["userId"] for c in moderator.thread(thread)["comments"]] == ["ann", "bob"]

    first = f"{of(thread)} .lb-thread-comment >> nth=0"
    bob.page.click(f"{first} >> [aria-label='Add reaction'] >> nth=0")
    bob.page.click(".lb-emoji-picker-emoji:has-text('👍')")
    reactions = f"{of(thread)} .lb-comment-reaction:not(.lb-comment-reaction-add)"
    for window in people:
        within("bob's reaction is seen", lambda w=window: w.texts(reactions) == ["👍1"])
    eve.page.click(reactions)
    within("eve joins it", lambda: ann.texts(reactions) == ["👍2"])
    bob.page.click(reactions)
    within("bob takes his back", lambda: ann.texts(reactions) == ["👍1"])

    ann.page.click(f"{of(thread)} [aria-label='Resolve thread']")
    for window in people:
        within("it is resolved", lambda window=window: window.threads()[0]["resolved"])
    bob.page.click(f"{of(thread)} [aria-label='Re-open thread']")
    within("it is open again", lambda: not ann.threads()[0]["resolved"])

    ann.page.click(f"{first} >> [aria-label='More']")
    ann.page.click("text=Edit comment")
    ann.page.press("End")
    ann.page.type_on(" Today?")
    ann.page.click(f"{of(thread)} [aria-label='Save']")
    within(
        "the edit is seen",
        lambda: eve.bodies(thread) == ["Shall we ship it? Today?", "Yes, at once"],
    )
    second = f"{of(thread)} .lb-thread-comment >> nth=1"
    bob.page.click(f"{second} >> [aria-label='More']")
    bob.page.click("text=Delete comment")
    within("it is gone", lambda: eve.bodies(thread) == ["Shall we ship it? Today?"])
    ann.page.click(f"{first} >> [aria-label='More']")
    ann.page.click("text=Delete comment")
    for window in people:
        within("so is the thread", lambda window=window: window.threads() == [])
    assert moderator.threads() == []


def test_an_inbox(people, moderator):
    ann, bob, eve = people
    ann.page.click("#go-inbox")
    within("the inbox is shown", lambda: ann.page.attributes("#notifications", "id"))
    unread = count(ann)
    bob.say("#public", "What do you say,", "Ann")
    thread = only_thread(bob)
    within("eve sees the mention", lambda: eve.texts(".lb-comment-mention") == ["@Ann"])

    news = "#notifications .lb-inbox-notification[data-unread]"
    returning("ann's count rises", ann, lambda: count(ann) == unread + 1)
    title = "Bob mentioned you in the room"
    titles = f"{news} .lb-inbox-notification-title"
    returning("and she sees of what", ann, lambda: title in ann.texts(titles))
    bodies = ann.texts(f"{news} .lb-comment-body")
    assert any("What do you say, @Ann" in body for body in bodies), bodies
    # Whoever sees the thread has read it.
    ann.page.click("#go-room")
    within("ann reads it", lambda: ann.bodies(thread))
    returning("so it is unread no more", ann, lambda: count(ann) == unread)
    ann.page.click("#go-inbox")
    moderator.reply(thread, "bob", "Well?")
    returning("an answer counts again", ann, lambda: count(ann) == unread + 1)
    ann.page.click("#read-all")
    within("until all is read", lambda: count(ann) == 0)


def test_a_private_thread(people, moderator):
    ann, bob, eve = people
    word = f"treasure{secrets.token_hex(6)}"
    editor = ("#private .lb-composer-editor", "contenteditable")
    assert ann.page.attributes(*editor) == [["true"]]
    assert eve.page.attributes(*editor) == [["false"]]
    ann.say("#private", f"the {word} is here", "Bob")
    thread = only_thread(ann)
    assert ann.threads()[0]["visibility"] == "private"
    within("bob sees it", lambda: bob.bodies(thread))
    bob.say(of(thread), f"so that is the {word}")
    within("ann sees the answer", lambda: len(ann.bodies(thread)) == 2)
    comments = [comment["id"] for comment in moderator.thread(thread)["comments"]]
    moderator.react(thread, comments[0], "bob", "🎉")
    moderator.label(thread, topic=word)
    within("ann sees its label", lambda: ann.threads()[0]["metadata"] == {"topic": word})
    bob.page.click(f"{of(thread)} [aria-label='Resolve thread']")
    within("it is resolved", lambda: ann.threads()[0]["resolved"])
    eve.say("#public", "is there anything?")
    public = only_thread(eve)
    within("ann sees both", lambda: {t["id"] for t in ann.threads()} == {thread, public})
    # Eve looks at everything that there is to look at.
    eve.page.click("#go-inbox")
    eve.page.look()
    eve.page.click("#go-room")
    within("she sees her thread", lambda: eve.bodies(public) == ["is there anything?"])
    moderator.delete_thread(thread)
    within("the thread is gone", lambda: [t["id"] for t in ann.threads()] == [public])
    moderator.reply(public, "ann", "nothing at all")
    within("and eve sees an answer", lambda: len(eve.bodies(public)) == 2)
    assert eve.page.heard(public) and eve.page.heard("nothing at all")
    for secret in (word, thread, *comments):
        assert ann.page.heard(secret), "what is there is recorded"
        assert not eve.page.heard(secret), "nothing of it came to eve"
        assert secret not in eve.page.html()


def png(size: int) -> bytes:
    """A picture of one colour, so that it can be seen whether it is shown."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    rows = (b"\0" + b"\xc0\x39\x2b" * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_attachments(people, moderator):
    ann, bob, eve = people
    picture = base64.b64encode(png(40)).decode()
    ann.write("#public", "a picture and a note")
    ann.page.attach("#public input[type=file]", "red picture.png", picture)
    ann.page.attach("#public input[type=file]", "note.txt", base64.b64encode(b"a note").decode())
    uploaded = "#public .lb-attachment:not(:has(.lb-icon-spinner)):not([data-error])"
    within("both are uploaded", lambda: len(ann.page.attributes(uploaded, "class")) == 2)
    ann.send("#public")
    thread = only_thread(ann)
    for window in people:
        within(
            "the names are seen",
            lambda w=window: w.texts(f"{of(thread)} .lb-attachment-name")
            == ["red picture.png", "note.txt"],
        )
    image = f"{of(thread)} .lb-attachment-preview-media:not([data-hidden]) img"
    for window in (bob, eve):
        within("the picture is loaded", lambda w=window: w.page.pictures(image) == [[40, 40]])
    attachments = moderator.thread(thread)["comments"][0]["attachments"]
    assert [(a["name"], a["mimeType"]) for a in attachments] == [
        ("red picture.png", "image/png"),
        ("note.txt", "text/plain"),
    ]
    note = moderator.liveblocks.get_attachment(moderator.room, attachments[1]["id"])
    assert httpx.get(note.url).content == b"a note"


def test_a_back_end_that_moderates(people, moderator):
    ann, bob, eve = people
    ann.say("#public", "Something polite")
    thread = only_thread(ann)
    within("eve sees it", lambda: eve.bodies(thread))
    eve.say(of(thread), "Something rude")
    within("all see it", lambda: len(ann.bodies(thread)) == len(bob.bodies(thread)) == 2)
    rude = moderator.thread(thread)["comments"][1]["id"]
    moderator.delete(thread, rude)
    for window in people:
        within("it is gone", lambda w=window: w.bodies(thread) == ["Something polite"])
    moderator.label(thread, state="reviewed", strikes=1)
    for window in people:
        within(
            "the label is seen",
            lambda w=window: w.threads()[0]["metadata"] == {"state": "reviewed", "strikes": 1},
        )
    moderator.resolve(thread)
    for window in people:
        within("it is closed", lambda window=window: window.threads()[0]["resolved"])
    said = moderator.create("moderator", "Please read the rules")
    for window in people:
        within(
            "a thread of the back end is seen",
            lambda w=window: w.bodies(said["id"]) == ["Please read the rules"],
        )
    # Somebody who was away while it happened finds all of it on coming back.
    bob.page.cut()
    moderator.reply(said["id"], "moderator", "And keep to them")
    moderator.delete_thread(thread)
    for window in people:
        returning(
            "all are told",
            window,
            lambda w=window: [t["id"] for t in w.threads()] == [said["id"]]
            and len(w.bodies(said["id"])) == 2,
        )
