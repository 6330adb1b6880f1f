"""Fixtures: tabs of a real Chromium, which note what a page must never do.

They need the package playwright, Debian's chromium, and the packages of package.json in the folder
that NODE_PACKAGES names. `.ci/run` has all of them; elsewhere the tests skip:

    python3 -m pip install playwright
    cp tests/browser/package.json FOLDER && npm install --prefix FOLDER --ignore-scripts
    NODE_PACKAGES=FOLDER pytest tests/browser
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
#: A root user has no sandbox. The rest keeps the browser from calling its maker.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_OWN = ("about", "blob", "data")
_FINDINGS = """async (selector) => {
  const found = await axe.run(selector ?? document, {resultTypes: ["violations"]});
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.impact}: ${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
}"""


@dataclass
class Tab:
    """A tab of its own browser profile.

    To wait, use `expect` of Playwright, or a selector: a page with a Content-Security-Policy does
    not run the text that `wait_for_function` is given.

    The fixture fails the test at its end if ``errors`` or ``outside`` holds anything; a test that
    expects an error checks it and removes it.

    Attributes:
        page: Playwright's page.
        errors: errors on the console, and exceptions that nothing caught.
        outside: addresses on other hosts (or ports) than those opened, which the page asked for.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    _hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda socket: self._asked(socket.url))

    def open(self, url: str) -> Page:
        """Go to a page, whose host is then known."""
        self._hosts.add(urlsplit(url).netloc)
        self.page.goto(url)
        return self.page

    def accessibility(self, selector: str | None = None) -> list[str]:
        """Return the serious and critical findings of axe-core on the page as it is now."""
        return self.page.evaluate(_FINDINGS, selector)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _OWN and parts.netloc not in self._hosts:
            self.outside.append(url)


@pytest.fixture(scope="session")
def node_packages() -> Path:
    """The folder with the packages of package.json."""
    folder = Path(os.environ.get("NODE_PACKAGES", ""), "node_modules")
    if not os.environ.get("NODE_PACKAGES"):
        pytest.skip("NODE_PACKAGES names no folder with the packages of tests/browser/package.json")
    if not (folder / "axe-core" / "axe.min.js").is_file():
        pytest.skip(f"{folder} has no axe-core")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        yield browser
        browser.close()


@pytest.fixture
def new_tab(chromium: Browser, node_packages: Path) -> Iterator[Callable[..., Tab]]:
    """Open tabs; keywords are those of Playwright's `new_context`, such as `viewport`."""
    axe = (node_packages / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    tabs: list[Tab] = []

    def new(**options: Any) -> Tab:
        context = chromium.new_context(**options)
        # Not a script of the page, so that the page's Content-Security-Policy does not stop it.
        context.add_init_script(axe)
        context.set_default_timeout(20_000)
        tabs.append(Tab(context.new_page()))
        return tabs[-1]

    yield new
    for tab in tabs:
        tab.page.context.close()
    assert [tab.errors for tab in tabs if tab.errors] == []
    assert [tab.outside for tab in tabs if tab.outside] == []


@pytest.fixture
def tab(new_tab: Callable[..., Tab]) -> Tab:
    """One tab, 1280 x 800 pixels, in the light scheme."""
    return new_tab(viewport={"width": 1280, "height": 800}, color_scheme="light")
