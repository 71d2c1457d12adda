"""@liveblocks/react 3.24.2 in a real browser: two windows on one page, and what they show."""

from __future__ import annotations

import pytest
from harness import eventually
from realtime import Browser


@pytest.fixture(scope="module")
def browser(server):
    browser = Browser(server)
    yield browser
    browser.close()


@pytest.fixture
def windows(browser, server, prefix, artifacts, request):
    anna, ben = (browser.open(f"{prefix}{user}", prefix, user) for user in ("anna", "ben"))
    eventually("anna sees ben", lambda: anna.text("#others") == "ben")
    eventually("ben sees anna", lambda: ben.text("#others") == "anna")
    yield anna, ben
    for user, window in (("anna", anna), ("ben", ben)):
        name = f"browser-{server.database.kind}-{request.node.originalname}-{user}.png"
        window.screenshot(str(artifacts.path(name)))
    assert anna.problems() == ben.problems() == []


def items(window) -> list[str]:
    return window.texts("#items span")


def add(window, text: str) -> None:
    window.fill("#draft", text)
    window.click("#add")


def test_cursors(windows):
    anna, ben = windows
    anna.point("#board", 120, 40)
    ben.point("#board", 30, 60)
    cursor = ("data-user", "data-x", "data-y")
    for window, other, x, y in ((ben, "anna", 120, 40), (anna, "ben", 30, 60)):
        eventually(
            f"{other}'s cursor is shown",
            lambda window=window, expected=[other, str(x), str(y)]: (
                window.attributes(".cursor", *cursor) == [expected]
            ),
        )
    ben.click("#wave")
    eventually("anna hears it", lambda: anna.text("#heard") == '{"wave":"ben"}')


def test_a_shared_list(windows):
    anna, ben = windows
    add(anna, "milk")
    eventually("ben sees it", lambda: items(ben) == ["milk"])
    add(ben, "bread")
    add(anna, "salt")
    eventually("anna has all", lambda: sorted(items(anna)) == ["bread", "milk", "salt"])
    eventually("in the same order", lambda: items(ben) == items(anna))
    ben.click("#items li:first-child button")
    eventually("it is gone", lambda: "milk" not in items(anna) and "milk" not in items(ben))
    ben.click("#undo")
    eventually("it is back", lambda: items(anna)[:1] == ["milk"] == items(ben)[:1])


def test_a_shared_editor(windows):
    anna, ben = windows
    anna.type("#editor .cm-content", "Hello world")
    eventually("ben reads it", lambda: ben.written() == "Hello world")
    ben.type("#editor .cm-content", "Oh! ", "Control+Home")
    anna.type("#editor .cm-content", "!", "Control+End")
    for window in windows:
        eventually("both are in", lambda window=window: window.written() == "Oh! Hello world!")
    eventually(
        "anna sees where ben is", lambda: anna.texts("#editor .cm-ySelectionInfo") == ["ben"]
    )


def test_a_window_that_loses_its_connection(windows):
    anna, ben = windows
    add(anna, "before")
    eventually("ben sees it", lambda: items(ben) == ["before"])
    ben.cut()
    add(ben, "cut")
    ben.type("#editor .cm-content", "cut")
    add(anna, "others go on")
    for window in windows:
        eventually(
            "nothing is lost",
            lambda window=window: sorted(items(window)) == ["before", "cut", "others go on"],
        )
        eventually("nor typed text", lambda window=window: window.written() == "cut")
        eventually("all is stored", lambda window=window: window.text("#sync") == "synchronized")
