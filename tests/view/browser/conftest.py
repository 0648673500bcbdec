"""One browser for the tests of a module and one server for all; each test has a window of its own.

Whatever a test does: no script of a trajectory may run, nothing may be asked of anyone but the
server, and the page may break neither its own policy nor down.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gallery
import pytest
from viewers import viewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
_WATCH = """
window.addEventListener("securitypolicyviolation", (event) => {
  (window.violations ??= []).push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


# Not for the session: while playwright is there a loop of asyncio runs, and other tests run theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium: `sudo apt-get install chromium` installs it")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("no playwright: `pip install playwright` installs it")
    # The sandbox of Chromium does not start for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as player:
        started = player.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """That of a viewer of the whole gallery."""
    root = tmp_path_factory.mktemp("gallery") / "runs"
    gallery.lay_all(root)
    with viewing(root) as viewer:
        yield viewer.address


@dataclass
class Window:
    """A page, and all that it asked for and complained of."""

    page: Page
    address: str
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def home(self) -> str:
        return self.address.partition("?")[0]

    def go(self, hash_: str) -> None:
        self.page.goto(self.home + hash_)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def check(self) -> None:
        """Raises AssertionError where the page did what no trajectory may make it do."""
        assert self.page.evaluate("[window.pwned ?? null, window.violations ?? []]") == [None, []]
        own = (self.home, "data:")
        assert not [each for each in self.asked if not each.startswith(own)]
        assert not self.wrong


def open_window(browser: Browser, address: str, **options: Any) -> Window:
    """A window of a profile of its own, with nothing in it yet."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, reduced_motion="reduce", **options
    )
    context.set_default_timeout(10_000)
    context.add_init_script(_WATCH)
    page = context.new_page()
    window = Window(page, address)
    page.on("request", lambda request: window.asked.append(request.url))
    page.on("pageerror", lambda error: window.wrong.append(str(error)))
    page.on("dialog", lambda box: (window.wrong.append(f"dialog {box.message}"), box.dismiss()))
    page.on("popup", lambda other: window.wrong.append(f"window {other.url}"))
    return window


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Window]]:
    """Opens windows; what they did is looked at when the test is over."""
    windows: list[Window] = []

    def open_(address: str, *, go: bool = True, **options: Any) -> Window:
        windows.append(open_window(browser, address, **options))
        if go:
            windows[-1].page.goto(address)
        return windows[-1]

    yield open_
    try:
        for window in windows:
            window.check()
    finally:
        for window in windows:
            window.page.context.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, address: str) -> Iterator[Window]:
    window = open_window(browser, address)
    window.page.goto(address)
    yield window
    window.page.context.close()


@pytest.fixture
def window(shared: Window) -> Iterator[Window]:
    """The table of all runs, as it is when it has just been opened: opening one costs seconds."""
    shared.go("#/?anew")
    shared.page.evaluate("document.querySelectorAll('dialog').forEach((box) => box.close())")
    yield shared
    shared.check()
