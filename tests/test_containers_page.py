"""The page "Containers and catalogues": its scripts and commands run, on drawn and real images."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from tests.conftest import encoded, galaxy
from tests.following import follow, run
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]
#: What is added to a command of the page, so that it takes seconds.
SHORT = {
    "predict": ["--quiet"],
    "train": [
        "--image-size",
        "16",
        "--epochs",
        "1",
        "--filters",
        "4,4",
        "--dense-units",
        "4",
        "-q",
    ],
    "evaluate": ["--bootstrap", "20", "--quiet"],
}
COUNT = 60


def write_table(folder: Path, names: list[str], types: list[str]) -> None:
    rng = np.random.default_rng(1)
    with (folder / "sources.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "object_id", "ra", "dec", "type"])
        for number, (name, kind) in enumerate(zip(names, types, strict=True)):
            ra, dec = rng.uniform(0, 90, 2).round(4)
            writer.writerow([name, 10**18 + number, ra, dec, kind])


def drawn(folder: Path) -> None:
    (folder / "cutouts").mkdir()
    names, types = [], []
    for number in range(COUNT):
        names.append(f"{number:03}.jpg")
        types.append("Real" if number % 2 else "Fake")
        image = galaxy(number, 40, real=types[-1] == "Real")
        (folder / "cutouts" / names[-1]).write_bytes(encoded(image, "JPEG"))
    write_table(folder, names, types)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ("RA---TAN", "DEC--TAN"), (150, 2), (150, 100)
    wcs.wcs.cdelt = -1e-4, 1e-4
    rng = np.random.default_rng(0)
    image = rng.normal(5, 1, (200, 300)).astype(np.float32)
    fits.writeto(folder / "mosaic.fits", image, wcs.to_header())


def real(folder: Path, shared: Path) -> None:
    (folder / "cutouts").mkdir()
    names, types = [], []
    for kind in ("Fake", "Real"):
        found = sorted((shared / "galaxies64" / "Valid" / kind).iterdir())[: COUNT // 2]
        for path in found:
            # The page calls them .jpg; a file's format is recognised by its bytes.
            names.append(f"{len(names):03}.jpg")
            types.append(kind)
            shutil.copyfile(path, folder / "cutouts" / names[-1])
    write_table(folder, names, types)
    with fits.open(shared / "fits" / "ngc6976_r.fits.bz2") as hdus:
        hdus.writeto(folder / "mosaic.fits")


@pytest.fixture(params=["drawn", "real"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    if request.param == "real":
        real(tmp_path, request.getfixturevalue("shared"))
    else:
        drawn(tmp_path)
    return tmp_path


def rows_in(out: str) -> list[dict[str, str]]:
    if out.startswith("{"):
        return [json.loads(line) for line in out.splitlines()]
    return list(csv.DictReader(out.splitlines()))


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_the_scripts_and_commands_of_the_page_run(folder: Path, cli: Cli):
    table = rows_in((folder / "sources.csv").read_text())
    ids = [row["object_id"] for row in table]
    names = [f"cutouts/{Path(row['file']).stem}" for row in table]
    has_zarr = importlib.util.find_spec("zarr") is not None
    page = steps("docs/containers.md")
    introduction = [step for step in page if step.section == "Containers and catalogues"]
    ran = []
    for step in page[len(introduction) :]:
        if "zarr" in step.text and not has_zarr:
            continue
        for done in run(step, cli, SHORT):
            name, source, *_ = done.words
            ran.append((name, source))
            if source == "mosaic.fits":
                assert done.code == 1, "one position is at the edge"
                rows = rows_in(done.out)
                assert [row["id"] for row in rows] == ["G0", "G1", "G2", "G3"]
                failed = [row["status"] == "error" for row in rows]
                assert failed == [False, False, False, True]
                assert "off the edge" in rows[3]["error"]
                continue
            assert done.code == 0, f"{step.text}: {done.err}"
            if source == "cutouts.zip":
                assert [row["id"] for row in rows_in(done.out)] == names
            elif name == "predict":
                rows = rows_in(done.out)
                assert [row["id"] for row in rows] == ids
                assert all(float(row["ra"]) < 90 for row in rows)
    zarr = [("predict", "cube.zarr:images")] * has_zarr
    assert ran == [
        ("predict", "cutouts.parquet"), ("predict", "shard.tar"), ("predict", "cutouts.zip"),
        ("predict", "cube.h5:images"), *zarr, ("predict", "mosaic.fits"),
        ("train", "cutouts.parquet"), ("train", "cube.h5:images"), ("evaluate", "shard.tar"),
    ]  # fmt: skip
    assert (folder / "runs" / "cube" / "model.keras").exists()
    # The introduction has the sources of the sections, and writes files.
    *containers, mosaic = introduction
    follow(containers, cli, SHORT)
    for name in ("rows.csv", "rows.jsonl"):
        assert [row["id"] for row in rows_in((folder / name).read_text())] == ids
    assert (folder / "verdicts.parquet").exists()
    (done,) = run(mosaic, cli, SHORT)
    stamps = rows_in((folder / "stamps.csv").read_text())
    # These positions are elsewhere on the sky.
    assert (done.code, [row["status"] for row in stamps]) == (1, ["error"] * COUNT)


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_three_real_bands_are_one_mosaic(
    shared: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for band in "irg":
        shutil.copyfile(shared / "fits" / f"ngc6976_{band}.fits.bz2", f"field_{band}.fits.bz2")
    with fits.open("field_r.fits.bz2") as hdus:
        ra, dec = WCS(hdus[0].header).pixel_to_world_values(340, 250)
    Path("c.csv").write_text(f"id,ra,dec\nNGC,{ra},{dec}\nout,{ra},{dec + 5}\n")
    code, out, _ = cli(
        "predict", "field_i.fits.bz2", "field_r.fits.bz2", "field_g.fits.bz2", "--bands", "i,r,g",
        "--catalogue", "c.csv", "--size", "100", "--format", "jsonl", "-q",
    )  # fmt: skip
    inside, outside = rows_in(out)
    assert code == 1
    assert (inside["id"], inside["path"]) == ("NGC", "field_{i,r,g}.fits.bz2#0")
    # The bundled model knows no stretched FITS images.
    assert inside["status"] == "out_of_distribution"
    assert inside["score"] is not None
    assert "off the edge" in outside["error"] or "not on the image" in outside["error"]
