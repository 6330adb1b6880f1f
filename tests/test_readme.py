"""The README and the pages in docs/ agree with the repository."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.pages import steps

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INDEX = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
CODE_MAP = (ROOT / "docs" / "code-map.md").read_text(encoding="utf-8")
LONGEST_README = 700


def line(number: int) -> str:
    """The command in the code block under ``<!-- line N -->``, as .ci/run finds it."""
    lines = README.splitlines()
    place = lines.index(f"<!-- line {number} -->")
    assert lines[place + 1].startswith("```")
    assert lines[place + 3] == "```", "the block must have exactly one line"
    return lines[place + 2]


def links(page: str) -> list[str]:
    """The targets of the links in a page, without anchors."""
    return re.findall(r"\]\(([^)#]+)[^)]*\)", page)


def run_python(snippet: str) -> list[str]:
    """The lines that a Python snippet prints, run in the root of the repository."""
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.splitlines()


def test_line_1_installs_the_runtime_and_predicts():
    assert line(1).endswith("galaxy-edge predict examples/*.png")
    assert "[" not in line(1), "no extra"


def test_line_2_installs_everything_and_tests():
    assert "[dev]" in line(2)
    assert line(2).endswith("pytest")


def test_the_readme_has_at_most_700_words():
    assert len(README.split()) <= LONGEST_README


def test_every_link_leads_somewhere():
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("galaxy_edge/models/*.md")]
    assert len(documents) >= 4
    for document in documents:
        for target in links(document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document}: {target}"


def test_the_index_lists_every_page():
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"index.md"}
    assert not pages - set(links(INDEX))


def test_every_folder_has_its_line():
    folders = {
        path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")
    } - {"runs", "dist", "build"}
    missing = [name for name in sorted(folders) if f"`{name}/" not in CODE_MAP]
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


def test_the_verdicts_of_the_python_page():
    (verdicts,) = steps("docs/python.md", "Python library")
    first, second, third = run_python(verdicts.text)
    assert re.fullmatch(r"Fake \d\S*", first)
    assert re.fullmatch(r"ok \d\S* None", second)
    assert third.startswith("error None not an image")


def test_the_row_of_the_python_page():
    (row,) = steps("docs/python.md", "Results")
    first, second = run_python(row.text)
    assert first.startswith("M51 {'Fake': ")
    assert second.startswith("{'id': 'M51', 'path': 'examples/gan_0.png', 'status': 'ok', ")
