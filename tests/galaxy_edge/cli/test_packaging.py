"""The program as a zip file (zipapp) and for PyInstaller; docs/packaging.md says how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipapp
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

import galaxy_edge
from galaxy_edge import versions
from galaxy_edge.cli.commands import commands, name_of
from galaxy_edge.errors import UsageError

PACKAGE = Path(galaxy_edge.__file__).parent
ROOT = PACKAGE.parent
COMMANDS = (
    "predict", "watch", "consume", "serve", "survey", "synthesize", "train", "export", "evaluate",
    "review", "info", "verify", "benchmark", "doctor",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed packages without galaxy-edge and its metadata."""
    folder = tmp_path_factory.mktemp("site")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "galaxy_edge" not in path.name:
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the runtime alone as one zip file."""
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(
        PACKAGE, folder / "app" / "galaxy_edge", ignore=shutil.ignore_patterns("__pycache__")
    )
    zipapp.create_archive(folder / "app", folder / "galaxy-edge.pyz", main="galaxy_edge.cli:script")
    return folder / "galaxy-edge.pyz"


def run(site: Path, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run Python without the site of this environment, in which galaxy-edge is installed."""
    return subprocess.run(
        [sys.executable, "-S", *map(str, arguments)], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(site)}, **options,
    )  # fmt: skip


def test_a_zip_file_predicts_with_the_bundled_model(site: Path, archive: Path):
    done = run(site, archive, "predict", ROOT / "examples" / "gan_0.png", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("Fake")


def test_a_zip_file_knows_its_version_and_its_commands(site: Path, archive: Path):
    done = run(site, archive, "--version")
    assert (done.returncode, done.stdout) == (0, f"galaxy-edge {versions.VERSION}\n")
    done = run(site, archive, "--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert (f" {name} " in done.stdout) == (name not in ("train", "synthesize", "export"))
    done = run(site, archive, "train", "data")
    assert done.returncode == 2
    assert "built without galaxy_edge_train" in done.stderr
    # A folder may have the name of a command.
    done = run(site, archive, "predict", "train")
    assert done.returncode == 1


def test_a_zip_file_checks_the_machine_and_measures_itself(site: Path, archive: Path):
    done = run(site, archive, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"galaxy-edge  {versions.VERSION}" in done.stdout
    assert "cpu          yes: 10 of 10" in done.stdout
    example = ROOT / "examples" / "gan_0.png"
    code = f"import sys; sys.path.insert(0, {str(archive)!r})\n"
    code += f"from galaxy_edge.benchmark.cold import predict; predict({str(example)!r}, [])"
    done = run(site, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_frozen_program_starts_itself_again(monkeypatch: pytest.MonkeyPatch):
    from galaxy_edge.benchmark.cold import _program

    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert _program() == [sys.executable]


def test_import_statements_lead_to_every_command():
    """PyInstaller follows them, as this finder of the standard library does."""
    finder = ModuleFinder(
        [str(ROOT)],
        excludes=["numpy", "onnxruntime", "PIL", "typer", "rich", "astropy", "pyarrow"],
    )
    finder.run_script(str(PACKAGE / "__main__.py"))
    found = {name.removeprefix("galaxy_edge.cli.") for name in finder.modules}
    assert found >= set(COMMANDS)
    assert {"galaxy_edge.inputs.fits", "galaxy_edge.predictor", "galaxy_edge.job"} <= found


def test_each_command_has_its_function():
    assert [name_of(command) for command in commands([])] == list(COMMANDS)
    assert [name_of(command) for command in commands(["predict", "a.png"])] == ["predict"]


def test_a_command_with_a_missing_package_is_a_usage_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "galaxy_edge.cli.train", None)
    # An import that fails for another reason is a bug.
    with pytest.raises(ModuleNotFoundError):
        commands(["train", "data"])
    monkeypatch.delitem(sys.modules, "galaxy_edge.cli.train")
    monkeypatch.setitem(sys.modules, "galaxy_edge_train.config", None)
    with pytest.raises(UsageError, match="built without galaxy_edge_train"):
        commands(["train", "data"])
    assert [name_of(command) for command in commands(["predict", "train"])] == ["predict"]


def test_a_missing_bundled_model_is_reported_with_its_place(tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "galaxy_edge", ignore=shutil.ignore_patterns("*.onnx"))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from galaxy_edge.cli import main; "
    code += "main(['predict', 'a.png'])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    place = tmp_path / "galaxy_edge" / "models" / "galaxy-edge.onnx"
    assert f"lacks the bundled model ({place} cannot be read); install" in done.stderr


def test_a_zip_file_without_the_model_is_reported(site: Path, tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "app" / "galaxy_edge", ignore=lambda *_: ["models"])
    target = tmp_path / "x.pyz"
    zipapp.create_archive(tmp_path / "app", target, main="galaxy_edge.cli:script")
    done = run(site, target, "verify")
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert "lacks the bundled model" in done.stderr


def test_the_version_of_the_source_is_that_of_the_distribution():
    from importlib.metadata import version

    assert version("galaxy-edge") == versions.VERSION
    assert versions.installed("galaxy-edge") == versions.VERSION
    assert versions.installed("no-such-distribution") is None
