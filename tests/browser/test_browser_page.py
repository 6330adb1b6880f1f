"""The page that runs a model file in the visitor's browser: the verdicts are those of `predict`."""

from __future__ import annotations

import base64
import csv
import functools
import http.server
import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import Predictor
from galaxy_edge.inputs.images import FILTERS, Pixels, decode, read
from tests.browser.conftest import Tab
from tests.conftest import encoded, galaxy

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.png"))
#: Set up in each page: text of base64 to bytes, and back.
_BYTES = """
globalThis.bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
globalThis.text = (bytes) => {
  let all = "";
  for (let from = 0; from < bytes.length; from += 8192)
    all += String.fromCharCode(...bytes.subarray(from, from + 8192));
  return btoa(all);
};
"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - shared on purpose

    def log_message(self, *arguments: object) -> None:
        self.asked.append(self.requestline)


@pytest.fixture(scope="module")
def site(
    chromium: object, node_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The assembled page on a web server; nothing is downloaded where no browser can open it."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, ROOT / "tools" / "browser-page", folder], check=True)
    handler = functools.partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def opened(tab: Tab, site: str) -> Tab:
    tab.page.add_init_script(_BYTES)
    tab.open(site)
    tab.page.wait_for_selector("#choose:not(:disabled)", timeout=60_000)
    return tab


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(device="cpu")


def verdict(tab: Tab, file: bytes) -> tuple[Pixels, dict[str, Any]]:
    """The network's input and the verdict that the page gives for a file."""
    pixels, found = tab.page.evaluate(
        """async (file) => {
          const model = galaxyEdge.model;
          return [text(await model.pixels(bytes(file))), await model.verdict(bytes(file))];
        }""",
        base64.b64encode(file).decode(),
    )
    return np.frombuffer(base64.b64decode(pixels), np.uint8), found


def test_the_recorded_examples_give_the_recorded_scores(opened: Tab, predictor: Predictor) -> None:
    found = opened.page.evaluate("() => galaxyEdge.model.check()")
    assert found["examples"] == found["same"] == len(predictor.manifest.golden)
    assert found["score"] < 1e-3
    assert found["typicality"] < 1e-3


def test_the_same_pixels_give_the_same_scores(opened: Tab, predictor: Predictor) -> None:
    rng = np.random.default_rng(1)
    drawn = np.stack([galaxy(seed, 64, real=seed % 2 == 0) for seed in range(6)])
    images = np.concatenate([drawn, rng.integers(0, 256, (2, 64, 64, 3), np.uint8)])
    scores, typicality = predictor.scores_and_typicality(images)
    found = opened.page.evaluate(
        """async (all) => {
          const size = 64 * 64 * 3, data = bytes(all);
          return galaxyEdge.model.run(Array.from({length: data.length / size},
            (_, one) => data.subarray(one * size, (one + 1) * size)));
        }""",
        base64.b64encode(images.tobytes()).decode(),
    )
    assert np.abs([one["scores"][0] for one in found] - scores[:, 1]).max() < 1e-3
    assert typicality is not None
    assert np.abs([one["typicality"] for one in found] - typicality).max() < 1e-3


def test_resizing_is_that_of_pillow_to_the_bit(opened: Tab) -> None:
    rng = np.random.default_rng(7)
    for case in range(40):
        width, height, to_width, to_height = rng.integers(1, 180, 4).tolist()
        name = ["nearest", "bilinear", "lanczos"][case % 3]
        gap = [None, 1.0, 2.0, 3.0][case % 4]
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        image[rng.random((height, width)) < 0.3] = rng.choice([0, 255])
        expected = Image.fromarray(image).resize(
            (to_width, to_height), FILTERS[name], reducing_gap=gap
        )
        found = opened.page.evaluate(
            """async ([data, width, height, toWidth, toHeight, name, gap]) => {
              const {resized} = await import("./resize.js");
              const image = {width, height, data: bytes(data)};
              return text(resized(image, toWidth, toHeight, name, gap).data);
            }""",
            [
                *(base64.b64encode(image.tobytes()).decode(), width, height),
                *(to_width, to_height, name, gap),
            ],
        )
        pixels = np.frombuffer(base64.b64decode(found), np.uint8)
        assert np.array_equal(pixels, np.asarray(expected).ravel()), (width, height, name, gap)


def _files() -> dict[str, bytes]:
    big = Image.fromarray(galaxy(3, 424))
    files = {path.name: path.read_bytes() for path in EXAMPLES}
    turned = Image.Exif()
    turned[0x0112] = 6
    options: dict[str, Any]
    for name, image, options in (
        ("420.jpg", big, {"quality": 90, "subsampling": 2}),
        ("444.jpg", big, {"quality": 75, "subsampling": 0}),
        ("progressive.jpg", big, {"progressive": True}),
        ("grey.jpg", big.convert("L"), {}),
        ("turned.jpg", big.crop((0, 0, 300, 217)), {"exif": turned}),
    ):
        file = io.BytesIO()
        image.save(file, "JPEG", **options)
        files[name] = file.getvalue()
    for name, image in {
        "grey.png": big.convert("L"), "palette.png": big.quantize(64),
        "odd.png": big.resize((97, 61)),
    }.items():  # fmt: skip
        file = io.BytesIO()
        image.save(file, "PNG", gamma=0.3)
        files[name] = file.getvalue()
    return files


def test_files_have_the_verdicts_of_predict(opened: Tab, predictor: Predictor) -> None:
    files = _files()
    # Not a skip, which `.ci/run` takes for a missing browser.
    real = ROOT.parent / "shared" / "data" / "galaxyzoo_sdss"
    files |= {path.name: path.read_bytes() for path in sorted(real.glob("*.jpg"))[:20]}
    for name, file in files.items():
        expected = predictor.predict(file)
        pixels, found = verdict(opened, file)
        assert abs(found["score"] - (expected.score or 0)) < 0.01, name
        assert abs(found["typicality"] - (expected.typicality or 0)) < 0.01, name
        assert (found["status"], found["label"]) == (expected.status, expected.label), name
        # In Chromium even the pixels are the same.
        assert np.array_equal(pixels, decode(file, predictor.preprocessing).ravel()), name
    # A transparent image lies over black, where browsers may round differently.
    image = Image.fromarray(galaxy(5, 64)).convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.arange(0, 256, 4, np.uint8), (64, 1))))
    file = io.BytesIO()
    image.save(file, "PNG")
    pixels, _ = verdict(opened, file.getvalue())
    expected = np.asarray(read(file.getvalue())).ravel()
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def _bad_files(folder: Path) -> dict[str, bytes]:
    deep = io.BytesIO()
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(deep, "PNG")
    four = io.BytesIO()
    Image.new("CMYK", (32, 32)).save(four, "JPEG")
    return {
        "text.png": b"no image", "cut.png": encoded(galaxy(1, 64))[:300],
        "deep.png": deep.getvalue(), "four.jpg": four.getvalue(), "empty.png": b"",
        "m51.fits": b"SIMPLE  =" + b" " * 100,
    }  # fmt: skip


def test_files_are_dropped_and_bad_ones_say_why(opened: Tab, site: str, tmp_path: Path) -> None:
    page = opened.page
    _Handler.asked.clear()
    files = {"=good.png": encoded(galaxy(1, 64)), "<b>.png": encoded(galaxy(2, 90))}
    files |= _bad_files(tmp_path)
    page.set_input_files(
        "#files",
        [{"name": name, "mimeType": "image/png", "buffer": file} for name, file in files.items()],
    )
    page.wait_for_selector(f"#cards li:nth-child({len(files)})")
    assert page.locator("#cards .name").all_text_contents() == [*files]
    texts = dict(zip(files, page.locator("#cards li").all_text_contents(), strict=True))
    assert "typicality" in texts["=good.png"]
    for name, reason in {
        "text.png": "not a PNG or JPEG file", "cut.png": "damaged or truncated", "four.jpg": "CMYK",
        "deep.png": "16-bit", "empty.png": "not a PNG", "m51.fits": "predict reads FITS",
    }.items():  # fmt: skip
        assert reason in texts[name]
        assert "typicality" not in texts[name]
    with page.expect_download() as download:
        page.click("#download")
    rows = [*csv.DictReader(download.value.path().read_text().splitlines())]
    assert [row["status"] == "error" for row in rows] == [False, False, *[True] * 6]
    assert rows[0]["id"] == "'=good.png"
    assert rows[0]["model_sha256"] == Predictor(device="cpu").sha256
    assert all(row["score"] == "" for row in rows[2:])
    assert opened.accessibility() == []
    # The images stay here.
    assert _Handler.asked == []


def test_a_model_of_the_visitor_is_used(opened: Tab) -> None:
    page = opened.page
    page.set_input_files("#model", str(ROOT / "galaxy_edge" / "models" / "documented.onnx"))
    page.wait_for_function("() => galaxyEdge.model.name === 'documented.onnx'")
    predictor = Predictor("documented", device="cpu")
    for path in EXAMPLES[:3]:
        pixels, found = verdict(opened, path.read_bytes())
        assert np.array_equal(pixels, decode(path, predictor.preprocessing).ravel())
        assert abs(found["score"] - (predictor.predict(path).score or 0)) < 1e-3
    page.set_input_files("#model", {"name": "x.onnx", "mimeType": "", "buffer": b""})
    page.wait_for_selector("#state.bad")
    assert "no galaxy-edge manifest" in (page.text_content("#state") or "")
    assert page.evaluate("() => galaxyEdge.model.name") == "documented.onnx"


def test_a_file_that_is_not_the_recorded_one_is_not_run(tab: Tab, site: str) -> None:
    tab.page.route("**/*.wasm", lambda route: route.fulfill(body=b"\0asm\1\0\0\0"))
    tab.open(site)
    tab.page.wait_for_selector("#state.bad")
    assert "cannot be used" in (tab.page.text_content("#state") or "")
    assert tab.errors
    assert all("integrity" in error for error in tab.errors)
    tab.errors.clear()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_page_is_accessible_and_fits(
    new_tab: Callable[..., Tab], site: str, scheme: str, width: int
) -> None:
    tab = new_tab(viewport={"width": width, "height": 740}, color_scheme=scheme)
    tab.open(site)
    tab.page.wait_for_selector("#choose:not(:disabled)", timeout=60_000)
    tab.page.click("#examples")
    tab.page.wait_for_selector(f"#cards li:nth-child({len(EXAMPLES)})")
    assert tab.accessibility() == []
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") <= width
