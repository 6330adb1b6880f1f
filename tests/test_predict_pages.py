"""The pages about `predict` and checks: their commands run, and do what the pages say."""

from __future__ import annotations

import ast
import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import encoded, galaxy
from tests.following import follow, really, run
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]
#: What is added to show the scores, which the table leaves out for images without a label.
CSV = {"predict": ["--format", "csv"]}


@pytest.fixture
def folder(tmp_path: Path, typical_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cutouts, of which two are in a subfolder, and a model file.

    The bundled model gives noise in a JPEG file a score above 0.9, but no label.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cutouts" / "more").mkdir(parents=True)
    for seed in range(6):
        (tmp_path / "cutouts" / f"{seed}.png").write_bytes(encoded(galaxy(seed, 64)))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    (tmp_path / "cutouts" / "noise.jpg").write_bytes(encoded(noise, "JPEG"))
    for seed in range(2):
        content = encoded(galaxy(seed + 20, 64), "JPEG")
        (tmp_path / "cutouts" / "more" / f"{seed}.jpg").write_bytes(content)
    shutil.copy(typical_file, "mine.onnx")
    return tmp_path


def rows_in(path: str) -> list[dict]:
    text = Path(path).read_text()
    if path.endswith(".csv"):
        return list(csv.DictReader(text.splitlines()))
    return [json.loads(line) for line in text.splitlines()]


def test_classification(folder: Path, cli: Cli):
    for night in ("night-1", "night-2"):
        shutil.copytree("cutouts", night)
    whole, pattern, mine, _ = steps("docs/classify.md", "Classification")
    (done,) = follow([whole], cli)
    assert len(done.out.splitlines()) == 1 + 9, "the folder and its subfolder"
    (done,) = follow([pattern], cli)
    assert done.words[1] == "night-*/*.png", "the program resolves the pattern, not the shell"
    assert [row["path"] for row in rows_in("verdicts.csv")] == [
        f"night-{night}/{seed}.png" for night in (1, 2) for seed in range(6)
    ]
    (done,) = follow([mine], cli)
    assert len(done.out.splitlines()) == 1 + 7


def test_a_list_of_paths_and_a_filter_of_rows(folder: Path, cli: Cli):
    if shutil.which("jq") is None:
        pytest.skip("this machine has no jq")
    *_, listed = steps("docs/classify.md", "Classification")
    done = really(listed.text)
    # Noise has a high score and no label, so the filter must not find it.
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    follow([replace(listed, text="galaxy-edge predict cutouts/noise.jpg -o noise.jsonl")], cli)
    assert rows_in("noise.jsonl")[0]["score"] > 0.9


def test_a_list_of_paths_on_real_galaxies(shared: Path, folder: Path):
    if shutil.which("jq") is None:
        pytest.skip("this machine has no jq")
    *_, listed = steps("docs/classify.md", "Classification")
    for number, path in enumerate(sorted((shared / "skyserver").iterdir())[:9]):
        shutil.copy(path, folder / f"{number}.jpg")
    done = really(listed.text)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) > 5
    assert {*found} <= {f"./{number}.jpg" for number in range(9)}


def test_large_and_long_jobs(folder: Path, cli: Cli):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    shutil.copytree("cutouts", "survey")
    whole, part = steps("docs/classify.md", "Large and long jobs")
    follow([whole], cli)
    first = Path("verdicts.parquet").read_bytes()
    (again,) = follow([whole], cli)
    assert "9 of them earlier" in again.err
    assert Path("verdicts.parquet").read_bytes() == first
    follow([part], cli)
    assert len(rows_in("part-3.jsonl")) < 9


def test_the_bundled_models(folder: Path, cli: Cli):
    found = follow(steps("MODELS.md", "The bundled models"), cli, CSV)
    rows = [[*csv.DictReader(done.out.splitlines())] for done in found]
    assert [len(one) for one in rows] == [7, 7]
    assert [{row["model"] for row in one} for one in rows] == [
        {"galaxy-edge.onnx"}, {"documented.onnx"},
    ]  # fmt: skip


def test_fits_images(folder: Path, cli: Cli):
    fits = pytest.importorskip("astropy.io.fits", reason="the extra `fits` is not installed")
    image = galaxy(1, 64)[..., 0].astype(np.float32)
    Path("stamps").mkdir()
    Path("frames").mkdir()
    for name in ("a", "b"):
        fits.writeto(f"stamps/{name}.fits", image)
    for band in "gri":
        fits.writeto(f"frames/x-{band}.fits", image)
    fits.writeto("cube.fits.gz", np.stack([image] * 3))
    science = fits.ImageHDU(image, name="SCI")
    weight = fits.ImageHDU(np.ones((64, 64), np.float32), name="WHT")
    fits.HDUList([fits.PrimaryHDU(), weight, science]).writeto("mosaic.fits")
    files, bands, fixed = [
        {row["path"]: row["score"] for row in csv.DictReader(done.out.splitlines())}
        for done in follow(steps("docs/fits.md"), cli, CSV)
    ]
    assert [*files] == ["stamps/a.fits", "stamps/b.fits", "mosaic.fits[SCI]", "cube.fits.gz"]
    assert [*bands] == ["frames/x-{i,r,g}.fits"]
    assert [*fixed] == ["stamps/a.fits", "stamps/b.fits"]
    assert fixed["stamps/a.fits"] != files["stamps/a.fits"], "another stretch"


def test_devices(folder: Path, cli: Cli):
    doctor, cuda = steps("docs/devices.md", "Devices")
    (done,) = follow([doctor], cli)
    assert "cuda" in done.out
    (done,) = run(cuda, cli)
    # "A device that does not work is an error that gives the reason."
    assert done.code in (0, 4)
    assert (done.out == "") == (done.code == 4)
    assert done.code == 0 or "cuda" in done.err


def test_self_checks(folder: Path, cli: Cli):
    verify, info, doctor = follow(steps("docs/verify.md"), cli)
    assert "10 of 10" in verify.out, "eight galaxies, and two images for the typicality"
    assert {"classes", "preprocessing", "training", "metrics"} <= json.loads(info.out).keys()
    for word in ("threads", "onnxruntime", "cpu", "10 of 10"):
        assert word in doctor.out


def test_model_file(folder: Path, cli: Cli, capfd: pytest.CaptureFixture[str]):
    pytest.importorskip("jsonschema", reason="the extra `schema` is not installed")
    info, check, verify = follow(steps("docs/model-file.md", "Model file"), cli)
    assert json.loads(info.out)["schema"] == 3
    assert check.words == ["info", "--check", "mine.onnx"]
    assert verify.out
    follow(steps("docs/model-file.md", "Validation"), cli)
    follow(steps("docs/rows.md"), cli)
    assert len(capfd.readouterr().out.splitlines()) == 2, "the titles of two schemas"


def test_a_board(folder: Path, cli: Cli):
    doctor, verify = follow(steps("docs/raspberry-pi.md"), cli)
    assert "cpu" in doctor.out
    assert "10 of 10" in verify.out


def test_benchmark(folder: Path, cli: Cli):
    shutil.copy("mine.onnx", "old.onnx")
    shutil.copy("mine.onnx", "new.onnx")
    short = {"benchmark": ["--seconds", 0.1]}
    drawn, mine, compared = follow(steps("docs/benchmark.md"), cli, short)
    for word in ("single-stream", "offline", "cold", "load", "memory"):
        assert word in drawn.out
    found = json.loads(Path("mine.json").read_text())
    assert found["single_stream"]["latency_seconds"]["p50"] > 0
    assert mine.out
    assert re.search(r"times as long as B \(\S+ to \S+\)?", compared.out), "with an interval"


def test_evaluation(folder: Path, cli: Cli):
    pytest.importorskip("sklearn", reason="the extra `evaluate` is not installed")
    sources = ("Fake/diffusion", "Fake/gan", "Real/sdss", "Outliers/noise", "Outliers/other-survey")
    places = [f"labelled/{name}" for name in sources] + ["dataset/Test/Fake", "dataset/Test/Real"]
    for place in places:
        Path(place).mkdir(parents=True)
        for seed in range(4):
            image = galaxy(seed + 10 * places.index(place), real="Fake" not in place)
            Path(place, f"{seed}.png").write_bytes(encoded(image))
    whole, split = follow(steps("docs/evaluate.md"), cli, {"evaluate": ["--bootstrap", 20]})
    assert whole.out == "report\n"
    names = {path.name for path in Path("report").iterdir()}
    assert names == {
        "metrics.json", "scores.csv", "roc.png", "reliability.png", "histogram.png",
        "most_wrong.png", "risk_coverage.png", "report.html",
    }  # fmt: skip
    metrics = json.loads(Path("report/metrics.json").read_text())
    assert {(one["class"], one["source"]) for one in metrics["sources"]} == {
        ("Fake", "diffusion"), ("Fake", "gan"), ("Real", "sdss"),
    }  # fmt: skip
    assert {one["source"] for one in metrics["outliers"]} == {"noise", "other-survey"}
    assert json.loads(split.out)["overall"]["images"] == 8


def test_noise_in_a_jpeg_is_called_real_as_the_page_says(
    cli: Cli, capfd: pytest.CaptureFixture[str]
):
    """When a model mends it, this fails: then the pages that name the fault must change."""
    follow(steps("docs/typicality.md", "A known fault: noise in a JPEG"), cli)
    lines = [line.partition(" ") for line in capfd.readouterr().out.splitlines()]
    seen = {int(quality): ast.literal_eval(counts) for quality, _, counts in lines}
    assert seen[60] == {"out_of_distribution": 100}
    assert seen[85]["Real"] > 90
    assert seen[97]["Fake"] > 90
