"""The tutorials: their scripts and commands run in the order of the page, in a short form."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy

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


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of every block of code of a page, in order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a clone, as far as the tutorials use it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "realism.png", tmp_path / "docs")
    return tmp_path


def expanded(words: list[str]) -> list[str]:
    """The words with their patterns replaced by names, as a shell does."""
    return [
        name
        for word in words
        for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]


def follow(page: str, cli: Cli, replaced: Callable[[str], str] = str) -> list[str]:
    """Run a page, and return the names of its commands and what they printed."""
    ran = []
    for language, text in blocks(page):
        if language == "python":
            exec(compile(replaced(text), page, "exec"), {})  # noqa: S102 - our own page
            continue
        for line in text.splitlines():
            words = expanded(shlex.split(line, comments=True))
            if words[:1] == ["galaxy-edge"]:
                code, out, err = cli(*words[1:], *SHORT.get(words[1], []))
                assert code == 0, f"{line}: {err}"
                ran += [words[1], out]
            elif words and words[0] not in {"pip", ".", "python3"}:
                raise AssertionError(f"the test cannot run {line!r}")
    return ran


def test_first_verdicts(folder: Path, cli: Cli, capfd: pytest.CaptureFixture[str]):
    ran = follow("tutorial-verdicts.md", cli)
    assert ran[::2] == ["predict", "predict", "predict"]
    head, *lines = ran[1].splitlines()
    assert head.split() == ["verdict", "score", "path"]
    assert [line.split()[0] for line in lines] == ["Fake"] * 12
    assert len((folder / "verdicts.csv").read_text().splitlines()) == 13
    # "The status is `out_of_distribution`, and there is no label."
    assert ran[5].splitlines()[1].startswith("out_of_distribution")
    status, label, score = capfd.readouterr().out.split()
    assert (status, label) == ("ok", "Fake")
    assert 0 <= float(score) < 0.5


def test_a_classifier_in_ten_minutes(folder: Path, cli: Cli):
    whole, fewer = '"Train": 200, "Valid": 60, "Test": 60', '"Train": 30, "Valid": 20, "Test": 20'
    ran = follow("tutorial-classes.md", cli, lambda text: text.replace(whole, fewer))
    assert ran[::2] == ["train", "export", "evaluate", "predict", "predict"]
    assert json.loads((folder / "runs/sky/config.json").read_text())["classes"] == [
        "galaxy", "star", "trail",
    ]  # fmt: skip
    assert len(ran[7].splitlines()) == 1 + 20
    assert (folder / "report" / "report.html").exists()
    assert len((folder / "others.csv").read_text().splitlines()) == 13


def test_from_real_images_alone(folder: Path, cli: Cli):
    (folder / "reals").mkdir()
    for seed in range(120):
        (folder / "reals" / f"{seed}.png").write_bytes(encoded(galaxy(seed, 24)))
    ran = follow("tutorial-reals.md", cli)
    assert ran[::2] == ["synthesize", "train", "export", "evaluate", "verify", "predict"]
    # What the page says that it makes.
    assert (folder / "dataset" / "contact_sheet.png").exists()
    assert (folder / "dataset" / "realism.json").exists()
    assert len((folder / "verdicts.csv").read_text().splitlines()) == 121


def test_a_night_at_the_telescope(folder: Path, cli: Cli, capfd: pytest.CaptureFixture[str]):
    (_, first), (_, arrival), (_, once), (_, morning) = blocks("tutorial-night.md")
    prepare, watch = first.splitlines()
    assert prepare == "mkdir -p incoming"
    (folder / "incoming").mkdir()
    # With `--once` it does not wait for Ctrl-C.
    copy, *names, _ = expanded(shlex.split(arrival))
    assert (copy, len(names)) == ("cp", 12)
    for name in names:
        shutil.copy(name, "incoming")
    words = shlex.split(watch)[1:]
    code, _, err = cli(*words, "--once", "--settle", "0.1")
    assert code == 0
    assert err.count("ok Fake incoming/") == 12
    assert len([*Path("done").iterdir()]) == 12
    assert cli(*shlex.split(once)[1:], "--settle", "0.1")[0] == 0
    capfd.readouterr()
    exec(compile(morning, "tutorial-night.md", "exec"), {})  # noqa: S102 - our own page
    assert capfd.readouterr().out == "Counter({'ok': 12})\n"


def test_the_slurm_job_runs_with_its_variables(
    folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    (_, script), *_ = blocks("slurm.md")
    (line,) = (line for line in script.splitlines() if line.startswith("galaxy-edge"))
    (folder / "examples").rename(folder / "cutouts")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    for task in range(1, 17):
        words = shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", str(task)))
        assert cli(*words[1:])[0] == 0
    rows = [
        json.loads(row) for part in folder.glob("part-*") for row in part.read_text().splitlines()
    ]
    assert sorted(row["path"] for row in rows) == sorted(
        str(path.relative_to(folder)) for path in (folder / "cutouts").iterdir()
    )


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
