"""What the documents say is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def line(number: int) -> str:
    """The command in the code block under ``<!-- line N -->``, as .ci/run finds it."""
    lines = README.splitlines()
    place = lines.index(f"<!-- line {number} -->")
    assert lines[place + 1].startswith("```")
    assert lines[place + 3] == "```", "one line, and one only"
    return lines[place + 2]


def test_line_1_installs_the_runtime_and_predicts():
    assert line(1).endswith("galaxy-edge predict examples/*.png")
    assert "[" not in line(1), "no extra"


def test_line_2_installs_everything_and_tests():
    assert "[dev]" in line(2)
    assert line(2).endswith("pytest")


def test_every_link_leads_somewhere():
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("galaxy_edge/models/*.md")]
    assert len(documents) >= 4
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document}: {target}"


def test_every_folder_has_its_line():
    folders = {
        path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")
    } - {"runs", "dist", "build"}
    missing = [name for name in sorted(folders) if f"`{name}/" not in README]
    assert not missing


def test_the_runtime_needs_four_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", item)[0] for item in project["dependencies"]}
    assert names == {"numpy", "onnxruntime", "pillow", "typer"}


def test_the_examples_are_a_dozen_small_fakes():
    examples = list((ROOT / "examples").glob("*.png"))
    assert len(examples) == 12
    families = {path.stem.rpartition("_")[0] for path in examples}
    assert families == {"vae", "gan", "diffusion"}
    assert sum(path.stat().st_size for path in examples) < 200_000


def test_the_python_of_the_readme_runs():
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, check=True, cwd=ROOT
    )
    first, second, third = done.stdout.splitlines()
    assert first.startswith("Fake 0.")
    assert second.startswith("ok 0.")
    assert third.startswith("error None not an image")
