"""What all containers have in common: extras, the output among the inputs, odd text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from galaxy_edge import Predictor, Source, inputs
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.shapes import SHAPES

Cli = Callable[..., tuple[int, str, str]]
#: Kind of container: the package that it needs, and the extra that has it.
EXTRAS = {
    "parquet": ("pyarrow", "parquet"), "hdf5": ("h5py", "hdf5"), "zarr": ("zarr", "zarr"),
    "mosaic": ("astropy", "fits"),
}  # fmt: skip


@pytest.mark.parametrize("kind", EXTRAS)
def test_a_missing_extra_is_named(kind: str, tmp_path: Path, cli: Cli, monkeypatch):
    package, extra = EXTRAS[kind]
    if kind == "zarr":
        (tmp_path / "x.zarr").mkdir()
        path, options = f"{tmp_path}/x.zarr", ()
    else:
        shape = SHAPES[kind](tmp_path, 8)
        path, options = shape.path, shape.options
    for name in [*sys.modules]:
        if name.partition(".")[0] == package or name.startswith("galaxy_edge.inputs.containers."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = cli("predict", path, *options, "--format", "jsonl")
    assert (code, out) == (2, "")
    assert f"pip install 'galaxy-edge[{extra}]'" in err


@pytest.mark.parametrize("kind", ["parquet", "mosaic"])
def test_an_output_that_is_an_input_is_refused(kind: str, tmp_path: Path, cli: Cli):
    shape = SHAPES[kind](tmp_path, 8)
    given = tmp_path / {"parquet": "x.parquet", "mosaic": "c.csv"}[kind]
    before = given.read_bytes()
    code, _, err = cli("predict", shape.path, *shape.options, "-o", given)
    assert code == 2
    assert "is also an input" in err
    assert given.read_bytes() == before


def test_an_output_in_a_folder_of_partitions_is_not_read(
    tmp_path: Path, model_file: Path, cli: Cli
):
    SHAPES["parquet"](tmp_path, 3)
    for _ in range(2):
        code, _, err = cli(
            "predict", tmp_path, "--image-column", "image", "-m", model_file,
            "-o", tmp_path / "rows.parquet", "-q",
        )  # fmt: skip
        assert code == 0, err
    assert err == ""


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "fits"])
def test_text_that_no_encoding_has_is_escaped(
    form: str, tmp_path: Path, model_file: Path, cli: Cli
):
    import tarfile
    from io import BytesIO

    sidecar = {"name": "\ud800x", "deep": {"a": ["\udfff"]}, "id": "\udc00"}
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, content in (
            ("a.png", encoded(galaxy(1))), ("a.json", json.dumps(sidecar).encode()),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    for more in ((), ("--resume",)):
        code, _, err = cli(
            "predict", tmp_path / "x.tar", "--id-column", "id", "--keep", "name,deep", "-q",
            "-m", model_file, "-o", tmp_path / f"rows.{form}", *more,
        )  # fmt: skip
        assert code == 0, err


def test_containers_and_files_together(tmp_path: Path, model_file: Path, cli: Cli):
    shape = SHAPES["zip"](tmp_path, 3)
    (tmp_path / "a.png").write_bytes(encoded(galaxy(1)))
    code, out, _ = cli(
        "predict", tmp_path / "a.png", shape.path, *shape.options, "-m", model_file,
        "--format", "jsonl", "-q",
    )  # fmt: skip
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["mag"] for row in rows] == [None, 0, 1, 2]
    assert rows[0]["id"] == f"{tmp_path}/a.png"


def test_open_takes_files_and_folders_too(tmp_path: Path, model_file: Path):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(encoded(galaxy(1)))
    found = list(inputs.open(tmp_path))
    assert [source.path for source in found] == [f"{tmp_path}/a.png", f"{tmp_path}/b.png"]
    assert all(isinstance(source, Source) for source in found)
    assert [row.status for row in Predictor(model_file).predict_many(inputs.open(tmp_path))] == [
        "ok", "ok",
    ]  # fmt: skip
