"""The page of `galaxy-edge serve` in a real Chromium."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.browser.conftest import Tab
from tests.galaxy_edge.serve.servers import EXAMPLES, Server, counted, starting

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: A file name that would run if it became markup.
EVIL = "<img src=x onerror=alert(1)>.png"
SIZES = {"wide": (1280, 800), "narrow": (360, 740)}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    started = Server()
    yield started
    assert started.end(signal.SIGTERM) == 0


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    with starting() as new:
        yield new


@pytest.fixture
def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three fakes, noise that is out of distribution, a FITS image, and what is no image."""
    from astropy.io import fits
    from PIL import Image

    place = tmp_path / "night"
    (place / "deep").mkdir(parents=True)
    for path in EXAMPLES[:3]:
        shutil.copyfile(path, place / path.name)
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(place / "noise.png")
    (place / EVIL.replace("/", "")).write_bytes(b"no image")
    fits.PrimaryHDU(np.random.default_rng(2).normal(size=(40, 40)).astype("f4")).writeto(
        place / "deep" / "m51.fits"
    )
    (place / "notes.txt").write_text("not sent")
    return place


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders from the desktop."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 200, "data": data})


def opened(tab: Tab, address: str) -> Page:
    page = tab.open(address)
    page.locator("#model:not(:empty)").wait_for()
    return page


def wait_for(page: Page, count: int) -> None:
    page.get_by_text(f"{count} images classified", exact=True).wait_for()


def verdicts(page: Page) -> dict[str, str]:
    lines = page.locator("#rows li")
    return dict(
        zip(
            lines.locator(".name").all_text_contents(),
            lines.locator(".verdict").all_text_contents(),
            strict=True,
        )
    )


def test_a_dropped_folder_shows_its_verdicts(tab: Tab, address: str, folder: Path):
    page = opened(tab, address)
    drop(page, folder)
    wait_for(page, 6)
    assert verdicts(page) == {
        f"night/{EVIL}": "Cannot be read",
        "night/deep/m51.fits": "Out of distribution",
        **{f"night/{path.name}": "Fake" for path in EXAMPLES[:3]},
        "night/noise.png": "Out of distribution",
    }
    assert "not an image" in page.locator("li", has_text="onerror").inner_text()
    assert page.locator("#live").inner_text() == (
        "6 images classified: 1 Cannot be read, 2 Out of distribution, 3 Fake"
    )
    # A FITS image is shown as the network sees it.
    fits = page.locator("li", has_text="m51.fits").locator("img")
    fits.wait_for()
    assert fits.evaluate("one => one.decode().then(() => one.naturalWidth)") == 64
    first = page.locator("li", has_text=EXAMPLES[0].name)
    first.locator("img").wait_for()
    assert re.search(
        r"Fake\s+> 99.9 %\s+Real\s+< 0.1 %\s+Typicality\s+0\.\d{3}", first.inner_text()
    )


def test_chosen_files_and_what_can_be_done_with_them(tab: Tab, address: str, folder: Path):
    page = opened(tab, address)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").press("Enter")
    chooser.value.set_files(sorted(path for path in folder.iterdir() if path.suffix == ".png"))
    wait_for(page, 5)
    chip = page.get_by_role("button", name="Out of distribution")
    chip.press("Space")
    assert chip.get_attribute("aria-pressed") == "true"
    assert verdicts(page) == {"noise.png": "Out of distribution"}
    page.get_by_role("button", name="All").click()
    page.get_by_label("Find a name").fill("DIFF")
    assert len(verdicts(page)) == 3
    page.get_by_label("Find a name").fill("nothing")
    assert page.get_by_text("No image matches.").is_visible()
    page.get_by_label("Find a name").fill("")
    page.get_by_label("Sort by").select_option("Real score, lowest first")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "verdicts.csv"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["id"] for row in rows] == list(verdicts(page))
    scores = [float(row["score"]) for row in rows if row["score"]]
    assert scores == sorted(scores)
    assert rows[-1]["status"] == "error"
    assert rows[0]["model"] == "galaxy-edge.onnx"
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#rows li").count() == 0
    assert page.get_by_role("button", name="Choose files").evaluate(
        "one => one === document.activeElement"
    )


def test_five_hundred_files(tab: Tab, address: str, tmp_path: Path, server: Server):
    for number in range(500):
        shutil.copyfile(EXAMPLES[number % 12], tmp_path / f"{number:03}.png")
    before = counted(server, 'galaxy_edge_requests_total{path="/v1/predict",status="200"}')
    page = opened(tab, address)
    drop(page, tmp_path)
    wait_for(page, 500)
    assert page.locator("#rows li").count() == 500
    assert [*verdicts(page)][:2] == [f"{tmp_path.name}/{number:03}.png" for number in range(2)]
    after = counted(server, 'galaxy_edge_requests_total{path="/v1/predict",status="200"}')
    assert after - before < 50
    # Only what is in view has a picture.
    assert 0 < page.locator("#rows img").count() < 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everyone_can_use_it(
    new_tab: Callable[..., Tab], address: str, folder: Path, scheme: str, size: str
):
    width, height = SIZES[size]
    tab = new_tab(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = opened(tab, address)
    assert tab.accessibility() == []
    drop(page, folder)
    wait_for(page, 6)
    assert tab.accessibility() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_everything(tab: Tab, address: str, folder: Path):
    page = opened(tab, address)
    drop(page, folder)
    wait_for(page, 6)
    reached = []
    page.locator("#choose").focus()
    while True:
        reached.append(
            page.evaluate("document.activeElement.textContent || document.activeElement.id")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
    assert reached[0] == "Choose files"
    assert {"Choose a folder", "All6", "Fake3", "find", "Download CSV", "Clear"} <= set(reached)


def test_a_token_is_asked_for_and_kept(
    new_tab: Callable[..., Tab], tmp_path: Path, start: Callable[..., Server]
):
    (tmp_path / "token").write_text("0123456789abcdef")
    server = start("--token-file", tmp_path / "token")
    tab = new_tab()
    page = tab.open(f"http://127.0.0.1:{server.port}/")
    assert tab.accessibility() == []
    page.get_by_role("textbox", name="Token").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("The server does not accept this token.").wait_for()
    assert len(tab.errors) == 1
    assert "401" in tab.errors.pop()
    page.get_by_role("textbox", name="Token").fill("0123456789abcdef")
    page.keyboard.press("Enter")
    page.locator("#model:not(:empty)").wait_for()
    page.set_input_files("#files", EXAMPLES[:2])
    wait_for(page, 2)
    page.reload()
    page.locator("#model:not(:empty)").wait_for()
    assert page.get_by_role("button", name="Choose files").is_visible()


def test_what_was_not_answered_is_sent_again(tab: Tab, address: str):
    page = opened(tab, address)
    page.route("**/v1/predict", lambda route: route.abort())
    page.set_input_files("#files", EXAMPLES[:3])
    again = page.get_by_role("button", name="Send 3 again")
    again.wait_for()
    assert set(verdicts(page).values()) == {"Not answered"}
    tab.errors.clear()
    page.unroute("**/v1/predict")
    again.click()
    wait_for(page, 3)
    assert set(verdicts(page).values()) == {"Fake"}


def test_a_busy_server_is_asked_again(tab: Tab, address: str):
    page = opened(tab, address)
    busy = [1, 1]

    def answer(route):
        if busy:
            busy.pop()
            route.fulfill(status=503, headers={"Retry-After": "0.1"}, json={"error": "busy"})
        else:
            route.continue_()

    page.route("**/v1/predict", answer)
    page.set_input_files("#files", EXAMPLES[:1])
    page.get_by_text("1 image classified", exact=True).wait_for()
    assert len(tab.errors) == 2
    assert all("503" in tab.errors.pop() for _ in range(2))


def test_a_file_that_is_too_large_is_not_sent(tab: Tab, address: str, tmp_path: Path):
    with (tmp_path / "large.tif").open("wb") as file:
        file.truncate(32_000_000)
    page = opened(tab, address)
    drop(page, tmp_path / "large.tif")
    wait_for_one = page.get_by_text("too large: 32.0 MB is over this server's 32.0 MB")
    wait_for_one.wait_for()


def test_the_picture_of_the_documentation(tab: Tab, address: str, tmp_path: Path):
    """PICTURES=docs writes it there."""
    from PIL import Image

    noise = np.random.default_rng(1).normal(90, 40, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    (tmp_path / "half.png").write_bytes(EXAMPLES[1].read_bytes()[:3000])
    page = opened(tab, address)
    page.set_viewport_size({"width": 1040, "height": 820})
    files = [EXAMPLES[1], EXAMPLES[4], EXAMPLES[9], tmp_path / "noise.png", tmp_path / "half.png"]
    page.set_input_files("#files", [*files, *(one for one in EXAMPLES if one not in files)])
    wait_for(page, 14)
    page.locator("li", has_text="noise.png").locator("img").wait_for()
    path = Path(os.environ.get("PICTURES", tmp_path)) / "serve.png"
    Image.open(io.BytesIO(page.screenshot())).quantize(256).save(path, optimize=True)
    assert path.stat().st_size < 200_000


def test_three_classes(tab: Tab, tmp_path: Path, start: Callable[..., Server]):
    from galaxy_edge.manifest import DecisionRule
    from tests.galaxy_edge.test_classes import IMAGES, encoded, file, flat

    rule = DecisionRule(0.9, None, 0.01)
    server = start("-m", file(tmp_path / "colours.onnx", rule))
    page = opened(tab, f"http://127.0.0.1:{server.port}/")
    for name, image in [*IMAGES.items(), ("grey.png", flat(99, 99, 99))]:
        (tmp_path / name).write_bytes(encoded(image))
    page.set_input_files("#files", sorted(tmp_path.glob("*.png")))
    wait_for(page, 5)
    assert verdicts(page) == {
        "a.png": "red", "b.png": "green", "c.png": "S0/a blue", "dark.png": "Out of distribution",
        "grey.png": "Uncertain",
    }  # fmt: skip
    bars = page.locator("li", has_text="c.png").locator(".bar")
    assert bars.locator(".class").all_text_contents()[0] == "S0/a blue"
    assert bars.count() == 3
    page.get_by_label("Sort by").select_option("Least certain first")
    assert {*[*verdicts(page)][:2]} == {"dark.png", "grey.png"}
    page.get_by_label("Sort by").select_option("Least typical first")
    assert [*verdicts(page)][:2] == ["dark.png", "grey.png"]
    assert tab.accessibility() == []
