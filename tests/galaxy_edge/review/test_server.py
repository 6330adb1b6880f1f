"""The server answers its own page only, and gives nothing but the images of the rows."""

from __future__ import annotations

import io
import json
import signal
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from galaxy_edge.inputs.label_file import labels_in
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.kinds import KINDS
from tests.galaxy_edge.review.serving import Served, reviewing

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
fits = pytest.importorskip("astropy.io.fits", reason="the extra `fits` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of several kinds and rows that name them."""
    folder = tmp_path_factory.mktemp("review")
    png = encoded(galaxy(1, 300))
    (folder / "a.png").write_bytes(png)
    (folder / "=b.png").write_bytes(encoded(galaxy(2)))
    (folder / "secret.png").write_bytes(png)
    (folder / "text.png").write_text("not an image")
    with tarfile.open(folder / "c.tar", "w") as archive:
        archive.add(folder / "a.png", "in/a.png")
    with zipfile.ZipFile(folder / "d.zip", "w") as zipped:
        zipped.write(folder / "=b.png", "b.png")
    for band in "irg":
        fits.writeto(folder / f"m51_{band}.fits", np.random.default_rng(3).normal(9, 2, (30, 40)))
    paths = ["a.png", "=b.png", "text.png", "gone.png", "c.tar#in/a.png", "d.zip#b.png", "e.h5:x#1"]
    paths += ["m51_r.fits", "m51_{i,r,g}.fits"]
    values = {"status": "ok", "label": "Real", "typicality": 0.5, "threshold": 0.5, "model": "m"}
    rows = [values | {"id": one, "path": one, "score": 0.9} for one in paths]
    rows += [values | {"id": "array", "path": None, "score": 0.2, "label": "Fake"}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with reviewing("rows.jsonl", "--labels", "labels.csv", cwd=folder) as running:
        yield running


def test_the_page_has_a_strict_policy_and_no_outside_address(served: Served) -> None:
    status, headers, page = served.ask("")
    assert status == 200
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert b"http" not in page.replace(b"http-equiv", b"").lower()
    assert b"innerHTML" not in page


def test_rows_and_their_order(served: Served) -> None:
    summary = served.get("run")
    assert (summary["total"], summary["classes"]) == (10, ["Fake", "Real"])
    order = served.get("order?sort=score&descending=no")["rows"]
    assert order[0] == 9
    (row,) = served.get("rows?numbers=1")["rows"]
    assert row["id"] == "=b.png"
    assert row["verdicts"][0]["label"] == "Real"


@pytest.mark.parametrize(
    ("number", "size"),
    [(0, (256, 256)), (1, (20, 20)), (4, (256, 256)), (5, (20, 20)), (7, (40, 30)), (8, (40, 30))],
)
def test_pictures_are_made_by_the_projects_decoder(
    served: Served, folder: Path, number: int, size: tuple[int, int]
) -> None:
    before = {path: path.read_bytes() for path in folder.glob("*.png")}
    status, headers, content = served.ask(f"picture/{number}?side=256")
    assert (status, headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == size
        if size == (20, 20):
            assert np.array_equal(np.asarray(image), galaxy(2))
    assert {path: path.read_bytes() for path in folder.glob("*.png")} == before


@pytest.mark.parametrize(
    ("number", "reason"),
    [(2, "not an image"), (3, "missing"), (6, "container"), (9, "no path")],
)
def test_an_image_without_a_picture_says_why(served: Served, number: int, reason: str) -> None:
    assert reason in served.get(f"picture/{number}")["error"]


def test_labels_are_on_the_disk_when_they_are_answered(served: Served, folder: Path) -> None:
    assert served.label((0, "Fake"), (1, "Real")) == {"labelled": 2, "changed": 1}
    assert labels_in(folder / "labels.csv") == {"a.png": "Fake", "./=b.png": "Real"}
    assert served.get("rows?numbers=0,2")["rows"][0]["label"] == "Fake"
    assert served.get("order?labelled=changed")["rows"] == [0]
    assert served.label((0, ""), (1, "")) == {"labelled": 0, "changed": 0}
    assert labels_in(folder / "labels.csv") == {}


@pytest.mark.parametrize(
    "changes", [[[99, "Real"]], [[0, "Star"]], [[9, "Real"]], [[0]], "x", [["a", "Real"]]]
)
def test_wrong_labels_are_refused_and_change_nothing(
    served: Served, folder: Path, changes: object
) -> None:
    before = (folder / "labels.csv").read_bytes()
    assert served.ask("labels", {"changes": changes})[0] == 400
    assert served.ask("labels", [1])[0] == 400
    assert (folder / "labels.csv").read_bytes() == before


def test_other_pages_cannot_label(served: Served, folder: Path) -> None:
    before = (folder / "labels.csv").read_bytes()
    body = {"changes": [[0, "Fake"]]}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{served.port + 1}"},
        {"Host": f"evil.example:{served.port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert served.ask("labels", body, **headers)[0] == 403, headers
    assert served.ask("labels", body, token=False)[0] == 403
    # What a form of another page can send, if its author knew the address.
    assert served.ask("labels", body, Content_Type="text/plain")[0] == 400
    assert (folder / "labels.csv").read_bytes() == before
    own = f"http://127.0.0.1:{served.port}"
    assert served.ask("run", Origin=own, Sec_Fetch_Site="same-origin")[0] == 200
    # A link in a terminal that is a web page leads to the page, and to nothing else.
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert served.ask("", **link)[0] == 200
    assert served.ask("run", **link)[0] == 403
    assert served.ask("", **link, Host="evil.example")[0] == 403
    assert served.ask("", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403


@pytest.mark.parametrize(
    "path",
    ["picture/secret.png", "picture/../secret.png", "picture/%2e%2e/secret.png", "secret.png",
     "picture/99", "picture/-1", "rows?numbers=99", "rows?numbers=x", "order?sort=path",
     "picture/0?side=0", "../run"],
)  # fmt: skip
def test_nothing_else_is_served(served: Served, path: str) -> None:
    status, _, content = served.ask(path)
    assert status in (400, 403, 404)
    assert b"PNG" not in content
    assert b"Traceback" not in content


def test_a_second_review_of_the_same_labels_is_refused(
    served: Served, folder: Path, cli: Cli
) -> None:
    code, out, err = cli("review", folder / "rows.jsonl", "--labels", folder / "labels.csv")
    assert (code, out) == (2, "")
    assert "open in another review" in err


def test_a_review_goes_on_where_it_ended_and_takes_images_from_a_folder(
    folder: Path, tmp_path: Path
) -> None:
    options = ("--images", folder, "--labels", tmp_path / "l.csv", "--classes", "Fake,Real,Star")
    with reviewing(folder / "rows.jsonl", *options, cwd=tmp_path) as running:
        assert running.ask("picture/0")[1]["content-type"] == "image/png"
        running.label((0, "Star"))
        running.process.kill()
        running.process.wait()
    with reviewing(folder / "rows.jsonl", *options[:4], cwd=tmp_path) as running:
        # The class that only the labels have is offered again.
        assert running.get("run")["classes"] == ["Fake", "Real", "Star"]
        assert running.get("run")["counts"] == {"labelled": 1, "changed": 1}
    assert labels_in(tmp_path / "l.csv") == {(folder / "a.png").as_posix(): "Star"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_code(
    folder: Path, tmp_path: Path, number: int, code: int
) -> None:
    labels = tmp_path / "l.csv"
    with reviewing(folder / "rows.jsonl", "--images", folder, "--labels", labels) as running:
        running.label((0, "Fake"))
        running.process.send_signal(number)
        assert running.process.wait(timeout=20) == code
        assert running.process.stderr is not None
        err = running.process.stderr.read()
    assert "Traceback" not in err
    assert err.endswith("l.csv has 1 label\n")


def test_a_mosaic_needs_the_options_of_predict(tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "sky"
    folder.mkdir()
    packed = KINDS["mosaic"](folder, ["a", "b", "c"])
    line = {"status": "ok", "label": "Real", "score": 0.9, "threshold": 0.5, "model": "m"}
    rows = [line | {"id": one, "path": f"a.fits#{n}"} for n, one in enumerate("abc")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("rows.jsonl", "--images", "sky", "--classes", "Fake,Real")
    options = ("--catalogue", "sky/positions.csv", "--size", 12, "--id-column", "name")
    with reviewing(*words, *options, cwd=tmp_path) as running:
        for number, expected in enumerate(packed.looks):
            content = running.ask(f"picture/{number}")[2]
            with Image.open(io.BytesIO(content)) as image:
                assert np.array_equal(np.asarray(image), expected)
    with reviewing(*words, cwd=tmp_path) as running:
        assert "--catalogue" in running.get("picture/0")["error"]
    code, _, err = cli("review", tmp_path / "rows.jsonl", "--size", "12")
    assert code == 2
    assert "--catalogue" in err


def test_a_browser_is_given_an_address_that_works_once(folder: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/given\n')
    browser.chmod(0o755)
    options = ("--open", "--labels", tmp_path / "l.csv")
    with reviewing(folder / "rows.jsonl", *options, env={"BROWSER": str(browser)}) as running:
        running.get("run")  # the server runs, and so the browser was started
        given = (tmp_path / "given").read_text().strip()
        path = urlsplit(given).path
        assert urlsplit(running.address).path not in path
        status, headers, _ = running.ask(path.removeprefix("/"), token=False)
        assert (status, headers["location"]) == (303, urlsplit(running.address).path)
        assert running.ask(path.removeprefix("/"), token=False)[0] == 403


def test_a_port_in_use_is_refused(served: Served, folder: Path, tmp_path: Path, cli: Cli) -> None:
    options = ("--port", served.port, "--labels", tmp_path / "l.csv")
    code, out, err = cli("review", folder / "rows.jsonl", *options)
    assert (code, out) == (2, "")
    assert f"port {served.port} cannot be used: address already in use" in err


def test_two_runs_are_compared(folder: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    other = [
        row | {"score": 0.4, "label": "Fake"} if row["id"] == "=b.png" else row for row in rows
    ]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other[:-1]))
    options = ("--compare", folder / "rows.jsonl", tmp_path / "b.jsonl", "--images", folder)
    with reviewing(*options, "--labels", tmp_path / "l.csv") as running:
        assert running.get("run")["only_in_one"] == 1
        first = running.get("order?sort=difference")["rows"][0]
        (row,) = running.get(f"rows?numbers={first}")["rows"]
        assert row["difference"] == pytest.approx(0.5)
        assert [one["label"] for one in row["verdicts"]] == ["Real", "Fake"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rows.jsonl", "rows.jsonl"], "name one file"),
        (["--compare", "rows.jsonl"], "needs two files"),
        (["rows.jsonl", "--images", "gone"], "not a folder"),
        (["rows.jsonl", "--labels", "labels.txt"], "must end in .csv"),
        (["rows.jsonl", "--classes", "Fake"], "--classes A,B"),
        (["one.jsonl"], "--classes A,B"),
        (["gone.csv"], "does not exist"),
    ],
)
def test_wrong_usage_is_explained(
    folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    first = (folder / "rows.jsonl").read_text().splitlines()[0]
    (folder / "one.jsonl").write_text(first + "\n")
    if "--labels" not in arguments:
        arguments = [*arguments, "--labels", "other.csv"]
    code, out, err = cli("review", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
