"""`galaxy-edge review` in a real browser: keys, clicks, pages, and what the disk has afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from galaxy_edge.inputs.label_file import labels_in
from tests.browser.conftest import Tab
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.packing import tarred
from tests.galaxy_edge.review.serving import Served, reviewing

if TYPE_CHECKING:
    from playwright.sync_api import Route

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
COUNT = 130
#: A name that would run if the page parsed it.
HOSTILE = "<img src=x onerror=alert(1)>&\"'.png"

#: The colour in the middle of an image.
MIDDLE = """async (image) => {
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [...context.getImageData(4, 4, 1, 1).data.slice(0, 3)];
}"""


def rows(*, seed: int = 0) -> list[dict[str, object]]:
    scores = np.random.default_rng(seed).uniform(0, 1, COUNT).round(4).tolist()
    scores[0] = 0.5 - seed / 10  # the most uncertain one
    return [
        {
            "id": HOSTILE if number == 0 else f"{number}.png",
            "path": "bad.png" if number == 1 else f"{number}.png",
            "status": "ok",
            "label": "Real" if score > 0.5 else "Fake",
            "score": score,
            "typicality": number / COUNT,
            "threshold": 0.5,
            "model": f"model-{seed}.onnx",
        }
        for number, score in enumerate(scores)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    png = encoded(galaxy(1, 40))
    for number in range(COUNT):
        (tmp_path / f"{number}.png").write_bytes(png)
    (tmp_path / "bad.png").write_text("not an image")
    for seed, name in enumerate(("a.jsonl", "b.jsonl")):
        lines = "".join(json.dumps(row) + "\n" for row in rows(seed=seed))
        (tmp_path / name).write_text(lines)
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with reviewing("a.jsonl", cwd=folder) as running:
        yield running


def opened(tab: Tab, served: Served) -> None:
    tab.open(served.address)
    tab.page.wait_for_selector(".card img")


def shows(tab: Tab, selector: str, text: str) -> None:
    expect(tab.page.locator(selector)).to_have_text(text)


def test_keys_label_and_each_label_is_on_the_disk(tab: Tab, served: Served, folder: Path) -> None:
    opened(tab, served)
    press = tab.page.keyboard.press
    # The first card is the most uncertain one; its name is text.
    assert tab.page.locator("#card-0 .name").text_content() == HOSTILE
    assert tab.page.locator("#card-0 img[src^=blob]").count() == 1
    press("2")
    shows(tab, "#count", "1 of 130 labelled, 1 changed")
    assert labels_in(folder / "labels.csv") == {"0.png": "Real"}
    # The mark has moved on.
    assert tab.page.locator("#card-1.here").count() == 1
    press("ArrowLeft")
    press("1")
    shows(tab, "#count", "1 of 130 labelled, 0 changed")
    press("u")
    press("Control+z")
    shows(tab, "#count", "0 of 130 labelled, 0 changed")
    assert labels_in(folder / "labels.csv") == {}
    assert len((folder / "labels.csv").read_text().splitlines()) == 5


def test_several_images_are_labelled_at_once(tab: Tab, served: Served, folder: Path) -> None:
    opened(tab, served)
    page = tab.page
    page.locator("#card-2").click()
    page.locator("#card-4").click(modifiers=["Shift"])
    assert page.locator(".card[aria-selected=true]").count() == 3
    assert page.locator("#for").text_content() == "3 selected"
    page.get_by_role("button", name="Fake").click()
    page.wait_for_selector("#card-4 .badge")
    chosen = [page.locator(f"#card-{place} .name").text_content() for place in (2, 3, 4)]
    assert labels_in(folder / "labels.csv") == dict.fromkeys(chosen, "Fake")
    page.keyboard.press("a")
    assert page.locator(".card[aria-selected=true]").count() == 60
    page.keyboard.press("Enter")
    expect(page.locator(".badge")).to_have_count(60)
    labels = labels_in(folder / "labels.csv")
    verdicts = {row["path"]: row["label"] for row in rows()}
    assert labels == {path: verdicts[path] for path in labels}
    page.keyboard.press("u")
    expect(page.locator(".badge")).to_have_count(3)
    assert labels_in(folder / "labels.csv") == dict.fromkeys(chosen, "Fake")


def test_pages_filters_and_orders(tab: Tab, served: Served) -> None:
    opened(tab, served)
    page = tab.page
    assert page.locator("#where").text_content() == "1 to 60 of 130"
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    shows(tab, "#where", "121 to 130 of 130")
    page.select_option("#sort", "typicality")
    shows(tab, "#where", "1 to 60 of 130")
    assert "typicality 0.000" in (page.locator("#card-0").text_content() or "")
    # The second one cannot be read, and says so.
    page.wait_for_selector("#card-1 .sky p")
    assert "not an image" in (page.locator("#card-1 .sky").text_content() or "")
    page.fill("#text", "129")
    expect(page.locator(".card")).to_have_count(1)
    page.fill("#text", "nothing")
    page.wait_for_selector("#nothing:not([hidden])")
    assert tab.accessibility() == []


def test_a_review_shows_earlier_labels_and_an_enlarged_image(
    tab: Tab, served: Served, folder: Path
) -> None:
    opened(tab, served)
    tab.page.keyboard.press("1")
    tab.page.wait_for_selector("#card-0 .badge")
    tab.page.reload()
    tab.page.wait_for_selector("#card-0 .badge")
    tab.page.keyboard.press("z")
    tab.page.wait_for_selector("#zoom[open] img")
    assert tab.page.locator("#zoom-name").text_content() == HOSTILE
    tab.page.keyboard.press("2")
    expect(tab.page.locator("#zoom-name")).not_to_have_text(HOSTILE)
    shows(tab, "#count", "1 of 130 labelled, 1 changed")
    tab.page.keyboard.press("Escape")
    assert tab.page.locator("#zoom[open]").count() == 0
    assert labels_in(folder / "labels.csv") == {"0.png": "Real"}


def test_a_label_that_is_not_saved_is_not_shown(tab: Tab, served: Served) -> None:
    opened(tab, served)
    served.process.kill()
    served.process.wait()
    tab.page.keyboard.press("1")
    tab.page.wait_for_selector("#toast.bad")
    assert "Not saved" in (tab.page.locator("#toast").text_content() or "")
    assert tab.page.locator(".badge").count() == 0
    assert tab.errors
    assert all("Failed to load resource" in error for error in tab.errors)
    tab.errors.clear()


def test_two_models_are_compared(tab: Tab, folder: Path) -> None:
    with reviewing("--compare", "a.jsonl", "b.jsonl", cwd=folder) as served:
        opened(tab, served)
        assert tab.page.locator("#sort").input_value() == "difference"
        assert tab.page.locator("#card-0 .verdict").count() == 2
        shown = [float(one.split()[-1]) for one in tab.page.locator(".more").all_text_contents()]
        assert shown == sorted(shown, reverse=True)
        second = tab.page.locator("#card-0 .verdict .what").nth(1).text_content()
        tab.page.keyboard.press("Shift+Enter")
        tab.page.wait_for_selector("#card-0 .badge")
        assert second in (tab.page.locator("#card-0 .badge").text_content() or "")
        assert tab.accessibility() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_is_accessible_and_fits(
    new_tab: Callable[..., Tab], served: Served, scheme: str, width: int
) -> None:
    tab = new_tab(viewport={"width": width, "height": 740}, color_scheme=scheme)
    opened(tab, served)
    page = tab.page
    page.keyboard.press("1")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector(".badge")
    page.wait_for_timeout(200)  # the transitions, whose colours would be measured
    assert tab.accessibility() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for key, dialog in (("z", "#zoom"), ("?", "#keys")):
        page.keyboard.press(key)
        page.wait_for_selector(f"{dialog}[open]")
        assert tab.accessibility() == []
        page.keyboard.press("Escape")


def test_images_of_a_container_are_shown_beside_their_rows(tab: Tab, tmp_path: Path) -> None:
    colours = {f"g{number}": (40 * number, 255 - 40 * number, 90) for number in range(6)}
    files = {
        f"{name}.png": encoded(np.full((9, 9, 3), colour, np.uint8))
        for name, colour in colours.items()
    }
    (tmp_path / "night.tar.gz").write_bytes(tarred(files, "w:gz"))
    lines = [
        rows()[number]
        | {"id": name, "path": f"night.tar.gz#{name}.png", "score": 0.5 + number / 20}
        for number, name in enumerate(["g3", "g0", "g5", "gone", "g1", "g4", "g2"])
    ]
    # As if the archive had been packed again since the run.
    lines[5]["id"] = "another"
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with reviewing("a.jsonl", cwd=tmp_path) as served:
        opened(tab, served)
        expect(tab.page.locator(".card img")).to_have_count(5)
        found = {
            card.locator(".name").text_content(): card.locator("img").evaluate(MIDDLE)
            for card in tab.page.locator(".card:has(img)").all()
        }
        assert found == {name: [*colours[name]] for name in ("g3", "g0", "g5", "g1", "g2")}
        texts = tab.page.locator(".card .sky p").all_text_contents()
        assert [text.partition(":")[0] for text in texts] == ["No picture"] * 2
        assert "not found in the container" in texts[0]
        assert "the row has the identifier another, and the container" in texts[1]
        tab.page.keyboard.press("2")
        shows(tab, "#count", "1 of 7 labelled, 1 changed")
        assert labels_in(tmp_path / "labels.csv") == {"night.tar.gz#g3.png": "Real"}
        assert tab.accessibility() == []
        # An enlarged picture that comes late is not shown for the next row.
        late: list[Route] = []
        tab.page.route("**/picture/0?side=1024", lambda route: late.append(route))
        tab.page.keyboard.press("Home")
        tab.page.keyboard.press("z")
        tab.page.wait_for_selector("#zoom-sky .wait")
        tab.page.keyboard.press("ArrowRight")
        tab.page.wait_for_selector("#zoom-sky img")
        with tab.page.expect_response("**/picture/0?side=1024"):
            late[0].continue_()
        tab.page.wait_for_timeout(300)
        assert tab.page.locator("#zoom-name").text_content() == "g0"
        assert tab.page.locator("#zoom-sky img").evaluate(MIDDLE) == [*colours["g0"]]


def test_a_picture_that_takes_long_is_announced(tab: Tab, served: Served) -> None:
    tab.page.route("**/picture/**", lambda route: None)
    tab.open(served.address)
    tab.page.wait_for_selector(".sky .wait")
    assert tab.page.locator("#card-0 .wait").text_content() == "Reading …"
    assert tab.accessibility() == []
