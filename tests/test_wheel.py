"""The wheel: its content, its size, and that it works on its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_contains_the_three_packages_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {"galaxy_edge", "galaxy_edge_train", "galaxy_edge_export"} < tops
    assert len(tops) == 4
    for name in ("galaxy_edge/models/galaxy-edge.onnx", "galaxy_edge/py.typed"):
        assert name in names
    assert not [name for name in names if name.endswith((".pyc", ".keras", ".h5"))]


def test_the_wheel_has_at_most_12_mb(wheel: Path):
    assert wheel.stat().st_size <= 12_000_000


def test_predict_runs_from_the_unpacked_wheel(wheel: Path, tmp_path: Path):
    """The wheel is unpacked outside the checkout. .ci/run also installs it in a new environment."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    example = next((ROOT / "examples").glob("*.png"))
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import galaxy_edge.cli as c"
    )
    code += f"; print(c.__file__); c.main(['predict', {str(example)!r}])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    origin, header, row = done.stdout.splitlines()
    assert origin.startswith(str(tmp_path))
    assert header.startswith("verdict")
    assert row.startswith("Fake")
