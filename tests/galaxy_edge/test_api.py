"""The public names: in the package, on the reference page, and in all documentation."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import galaxy_edge

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "MODELS.md", *sorted((ROOT / "docs").glob("*.md"))]
REFERENCE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_reference_page_has_every_public_name_and_no_other():
    on_page = re.findall(r"^## `(\w+)`", REFERENCE, re.MULTILINE)
    on_page += re.findall(r"^\| `(\w+)` \|", REFERENCE.partition("## Errors")[2], re.MULTILINE)
    assert sorted(on_page) == sorted(galaxy_edge.__all__)


def test_the_documentation_imports_only_public_names():
    found = set()
    for page in PAGES:
        for snippet in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            names = re.findall(r"^\s*from galaxy_edge import (.+)$", snippet, re.MULTILINE)
            found |= {name.strip() for line in names for name in line.split(",")}
            # An adapter imports its engine, so that it has a module of its own.
            assert not re.search(r"(from|import) galaxy_edge\.(?!adapters\.ray\b)\w", snippet), page
    assert found <= {*galaxy_edge.__all__}
    assert {"Predictor", "Source", "verify", "colour"} <= found


@pytest.mark.parametrize("name", galaxy_edge.__all__)
def test_every_public_name_can_be_imported_and_has_a_docstring(name: str):
    assert inspect.getdoc(getattr(galaxy_edge, name))


def test_the_reference_page_has_every_public_method_and_attribute():
    for name in galaxy_edge.__all__:
        thing = getattr(galaxy_edge, name)
        if not inspect.isclass(thing) or issubclass(thing, Exception):
            continue
        section = REFERENCE.partition(f"## `{name}`")[2].partition("\n## ")[0]
        members = [member for member in vars(thing) if not member.startswith("_")]
        missing = [member for member in members if f"`{member}" not in section]
        assert not missing, name


@pytest.mark.parametrize("module", ["galaxy_edge", "galaxy_edge.inputs.source"])
def test_the_examples_in_docstrings_run(module: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted >= 2
    assert found.failed == 0
