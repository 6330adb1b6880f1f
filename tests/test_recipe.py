"""The draft for conda-forge, as rattler-build reads it. conda-forge's own linter is not on PyPI."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from galaxy_edge.versions import VERSION

rattler_build = pytest.importorskip(
    "rattler_build", reason="py-rattler-build is not installed; .ci/run has it"
)
ROOT = Path(__file__).parents[1]
FILE = ROOT / "recipe" / "recipe.yaml"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def recipe() -> dict:
    parsed = rattler_build.Stage0Recipe.from_file(FILE)
    (rendered,) = parsed.render(rattler_build.VariantConfig())
    return rendered.recipe.to_dict()


def test_an_unknown_key_is_an_error():
    # So the other tests show that the recipe has none.
    text = FILE.read_text(encoding="utf-8").replace("license_file:", "licence_file:")
    with pytest.raises(rattler_build.RattlerBuildError, match="licence_file"):
        rattler_build.Stage0Recipe.from_yaml(text)


def test_it_is_one_package_for_every_system(recipe: dict):
    assert recipe["package"] == {"name": "galaxy-edge", "version": VERSION}
    assert recipe["build"]["noarch"] == "python"
    (program,) = PYPROJECT["project"]["scripts"].items()
    assert recipe["build"]["python"]["entry_points"] == [" = ".join(program)]
    (backend,) = PYPROJECT["build-system"]["requires"]
    assert backend in [one.replace(" ", "") for one in recipe["requirements"]["host"]]


def test_it_is_built_and_tested_with_the_lowest_python(recipe: dict):
    # conda-forge wants this of every package for all systems.
    lowest = PYPROJECT["project"]["requires-python"].strip(">=")
    assert f"python {lowest}.*" in recipe["requirements"]["host"]
    assert f"python >={lowest}" in recipe["requirements"]["run"]
    imports, commands = recipe["tests"]
    assert imports["python"]["python_version"] == f"{lowest}.*"
    assert commands["requirements"]["run"] == [f"python {lowest}.*"]


def test_the_sections_have_the_order_of_conda_forge():
    assert list(yaml.safe_load(FILE.read_text(encoding="utf-8"))) == [
        "schema_version", "context", "package", "source", "build", "requirements", "tests",
        "about", "extra",
    ]  # fmt: skip
