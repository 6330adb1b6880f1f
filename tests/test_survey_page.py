"""The page "Surveys": its commands run, on drawn and on real images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.following import follow
from tests.pages import ROOT, steps

pa = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
import pyarrow.parquet as pq  # noqa: E402

Cli = Callable[..., tuple[int, str, str]]
PAGE = (ROOT / "docs" / "survey.md").read_text(encoding="utf-8")
COUNT = 12


@pytest.fixture(params=["drawn", "real"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    if request.param == "real":
        found = request.getfixturevalue("shared") / "galaxies64" / "Valid" / "Real"
        images = [path.read_bytes() for path in sorted(found.iterdir())[:COUNT]]
    else:
        images = [encoded(galaxy(seed, 64)) for seed in range(COUNT)]
    (tmp_path / "cutouts").mkdir()
    for part in range(3):
        some = images[part::3]
        table = pa.table({"image": some, "object_id": [10 * part + n for n in range(len(some))]})
        pq.write_table(table, tmp_path / "cutouts" / f"{part}.parquet")
    return tmp_path


def test_the_commands_of_the_page_run(folder: Path, cli: Cli, capfd: pytest.CaptureFixture[str]):
    """The tests of buckets and of Ray run those of the other sections."""
    _, status, verify = follow(steps("docs/survey.md", "Surveys"), cli)
    assert "finished parts: 3\nrows: 12\nfailures: 0\n" in status.out
    assert verify.out.startswith("12 rows compared: ")
    follow(steps("docs/survey.md", "Destination"), cli)
    assert capfd.readouterr().out == "12\n"
    files = {str(path.relative_to("verdicts")) for path in Path("verdicts").rglob("*.*")}
    for name in re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE):
        assert any(Path(file).match(name.replace("PART", "*")) for file in files), name
