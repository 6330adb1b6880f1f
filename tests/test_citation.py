"""The files that describe the project agree with pyproject.toml, and with one version."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from galaxy_edge.versions import VERSION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
AUTHOR = PROJECT["authors"][0]["name"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
ZENODO = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
CODEMETA = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
RECIPE = (ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8")


def test_one_version():
    recipe = re.findall(r'^  version: "(.*)"$', RECIPE, re.MULTILINE)
    found = [CITATION["version"], ZENODO["version"], CODEMETA["version"], *recipe]
    assert found == [VERSION] * 4


def test_names_licence_and_keywords():
    assert [one["name"] for one in CITATION["authors"]] == [AUTHOR]
    assert [one["name"] for one in ZENODO["creators"]] == [AUTHOR]
    assert [one["name"] for one in CODEMETA["author"]] == [AUTHOR]
    assert {CITATION["license"], ZENODO["license"], PROJECT["license"]} == {"BSD-3-Clause"}
    assert CODEMETA["license"].endswith("/BSD-3-Clause")
    for document in (CITATION, ZENODO, CODEMETA):
        assert document["keywords"] == PROJECT["keywords"]


def test_the_recipe_has_the_dependencies_of_the_runtime():
    run = RECIPE.partition("  run:\n")[2].partition("\n\n")[0]
    packages = dict(line.strip("- ").split(" ", 1) for line in run.splitlines())
    assert packages.pop("python") == ">=${{ python_min }}"
    assert f'python_min: "{PROJECT["requires-python"].strip(">=")}"' in RECIPE
    # These four have the same names on conda-forge.
    assert [name + bounds for name, bounds in packages.items()] == PROJECT["dependencies"]
    assert {name.split(">")[0] for name in CODEMETA["softwareRequirements"]} == {*packages}


def test_no_file_has_an_address_that_nobody_gave():
    assert "urls" not in PROJECT
    for text in (json.dumps(ZENODO), json.dumps(CITATION), RECIPE):
        assert "@" not in text
        assert "doi" not in text.lower()


def test_the_fragments_make_a_section_of_the_changelog():
    done = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9",
         "--date", "2030-01-02"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if "No module named towncrier" in done.stderr:
        pytest.skip("towncrier is not installed")
    assert done.returncode == 0, done.stderr
    if [*ROOT.glob("changes/*.*.md")]:
        assert "## 9.9.9 - 2030-01-02" in done.stdout
    names = {path.name for path in ROOT.glob("changes/*")} - {"README.md"}
    kinds = re.compile(r"(\d+|\+\w+)\.(added|changed|fixed|removed)\.md")
    assert not [name for name in names if not kinds.fullmatch(name)]
