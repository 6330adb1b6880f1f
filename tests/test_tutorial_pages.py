"""The tutorials: their scripts and commands run in the order of the page, in a short form."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.following import commands_in, follow
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[1]
#: What is added to a command, so that it takes seconds and passes after so little training.
SHORT = {
    "synthesize": ["--size", "16", "--generator", "disturbance"],
    "train": ["--epochs", "1", "--image-size", "16", "--batch-size", "16"],
    "export": ["--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1",
               "--min-speedup", "0"],
    "evaluate": ["--bootstrap", "20"],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a clone, as far as the tutorials use it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "realism.png", tmp_path / "docs")
    return tmp_path


def test_first_verdicts(folder: Path, cli: Cli, capfd: pytest.CaptureFixture[str]):
    ran = follow(steps("docs/tutorial-verdicts.md"), cli)
    assert [done.name for done in ran] == ["predict", "predict", "predict"]
    head, *lines = ran[0].out.splitlines()
    assert head.split() == ["verdict", "score", "path"]
    assert [line.split()[0] for line in lines] == ["Fake"] * 12
    assert len((folder / "verdicts.csv").read_text().splitlines()) == 13
    # "The status is `out_of_distribution`, and there is no label."
    assert ran[2].out.splitlines()[1].startswith("out_of_distribution")
    status, label, score = capfd.readouterr().out.split()
    assert (status, label) == ("ok", "Fake")
    assert 0 <= float(score) < 0.5


def test_a_classifier_in_ten_minutes(folder: Path, cli: Cli):
    draw, *commands = steps("docs/tutorial-classes.md")
    whole, fewer = '"Train": 200, "Valid": 60, "Test": 60', '"Train": 30, "Valid": 20, "Test": 20'
    assert whole in draw.text
    ran = follow([replace(draw, text=draw.text.replace(whole, fewer)), *commands], cli, SHORT)
    assert [done.name for done in ran] == ["train", "export", "evaluate", "predict", "predict"]
    assert json.loads((folder / "runs/sky/config.json").read_text())["classes"] == [
        "galaxy", "star", "trail",
    ]  # fmt: skip
    assert len(ran[3].out.splitlines()) == 1 + 20
    assert (folder / "report" / "report.html").exists()
    assert len((folder / "others.csv").read_text().splitlines()) == 13
    # The front page has the first three commands, too; its last one classifies all of Test/.
    *same, last = steps("docs/site/front.md", "2. Your own classes (10 minutes)")
    assert [step.key for step in same] == [step.key for step in commands[:3]]
    follow([last], cli)
    assert len((folder / "verdicts.csv").read_text().splitlines()) == 1 + 60
    # "`galaxy-edge info sky.onnx` shows `"calibrate": true`"
    assert '"calibrate": true' in cli("info", "sky.onnx")[1]


def test_the_first_command_of_the_front_page(folder: Path, cli: Cli):
    (done,) = follow(steps("docs/site/front.md", "1. A verdict (3 minutes)"), cli)
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == ["Fake"] * 12


def test_from_real_images_alone(folder: Path, cli: Cli):
    (folder / "reals").mkdir()
    for seed in range(120):
        (folder / "reals" / f"{seed}.png").write_bytes(encoded(galaxy(seed, 24)))
    ran = follow(steps("docs/tutorial-reals.md"), cli, SHORT)
    assert [done.name for done in ran] == [
        "synthesize", "train", "export", "evaluate", "verify", "predict",
    ]  # fmt: skip
    # What the page says that it makes.
    assert (folder / "dataset" / "contact_sheet.png").exists()
    assert (folder / "dataset" / "realism.json").exists()
    assert len((folder / "verdicts.csv").read_text().splitlines()) == 121


def test_a_night_at_the_telescope(folder: Path, cli: Cli, capfd: pytest.CaptureFixture[str]):
    prepare, watch, arrival, once, morning = steps("docs/tutorial-night.md")
    # With `--once` it does not wait for Ctrl-C.
    ending = {"watch": ["--once", "--settle", "0.1"]}
    assert not follow([prepare, arrival], cli)
    (done,) = follow([watch], cli, ending)
    assert done.err.count("ok Fake incoming/") == 12
    assert len([*Path("done").iterdir()]) == 12
    follow([once], cli, ending)
    capfd.readouterr()
    follow([morning], cli)
    assert capfd.readouterr().out == "Counter({'ok': 12})\n"


def test_the_slurm_jobs_run_with_its_variables(
    folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    job, survey = steps("docs/slurm.md")
    (folder / "examples").rename(folder / "cutouts")
    for task in range(1, 17):
        (words,) = commands_in(job.text, SLURM_ARRAY_TASK_ID=str(task))
        assert cli(*words)[0] == 0
    rows = [
        json.loads(row) for part in folder.glob("part-*") for row in part.read_text().splitlines()
    ]
    paths = sorted(str(path.relative_to(folder)) for path in (folder / "cutouts").iterdir())
    assert sorted(row["path"] for row in rows) == paths
    # "a task that finds no work left ends"
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
    first, second = follow([survey, survey], cli)
    assert "12 of them earlier" not in first.err
    assert "12 of them earlier" in second.err
    assert sorted(pq.read_table("verdicts/rows")["path"].to_pylist()) == paths


def test_the_table_of_exit_codes_is_that_of_the_errors():
    from galaxy_edge import errors

    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert {kind.exit_code for kind in kinds if hasattr(kind, "exit_code")} <= codes
    assert {0, 70, 130, 141, 143} <= codes


def test_the_navigation_lists_the_pages_of_today():
    """A new page is found without it, but its place is last."""
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    try:
        import staging
    finally:
        sys.path.pop(0)
    names = {page.relative_to(ROOT).with_suffix("").as_posix() for page in staging.pages()}
    found = staging.sections(names | {"docs/brand-new"})
    assert "docs/brand-new" in found[staging.MORE]
    listed = [page for entries in found.values() for page in entries]
    assert sorted(listed) == sorted(names | {"docs/brand-new"})
    assert not set(listed) - names - {"docs/brand-new"}
