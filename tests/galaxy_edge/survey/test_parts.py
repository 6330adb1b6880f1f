"""How paths are divided into parts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.paths import from_paths
from galaxy_edge.survey.parts import divide

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0\n"), min_size=1, max_size=12)


@given(names=st.lists(NAMES, max_size=30), size=st.integers(1, 7))
def test_runs_are_complete_and_in_order(names: list[str], size: int):
    paths = [f"{name}.png" for name in names]
    parts = [*divide(paths, size)]
    assert [path for part in parts for path in part.paths] == paths
    assert all(len(part.paths) == size for part in parts[:-1])
    assert [part.key for part in parts] == sorted({part.key for part in parts})


@given(order=st.permutations([f"{name}_{band}.fits" for name in "abc" for band in "irg"]))
@pytest.mark.parametrize("missing", [0, 2])
def test_groups_of_bands_are_those_of_predict(missing: int, order: list[str]):
    paths = order[missing:]
    bands = ("i", "r", "g")
    parts = [*divide(paths, 1, bands=bands)]
    found = [
        source.path
        for part in parts
        for source in from_paths(part.paths, bands=bands)
        if source is not None
    ]
    assert found == [one.path for one in from_paths(paths, bands=bands) if one is not None]


def test_the_key_of_a_container_is_a_safe_name_of_its_own(tmp_path: Path):
    folder = tmp_path / "a b"
    names = ["x y.tar", "x-y.tar", "_é.tar", ".tar", "n" * 200 + ".tar"]
    paths = []
    for name in names:
        for place in (tmp_path, folder):
            place.mkdir(exist_ok=True)
            (place / name).write_bytes(b"123")
            paths.append(str(place / name))
    keys = [part.key for part in divide(paths, 1)]
    assert len({*keys}) == len(paths)
    assert all(re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9.-]{0,120}", key) for key in keys)
    assert [part.key for part in divide([*reversed(paths)], 5)] == keys[::-1]


def test_the_digest_has_the_size_of_a_container(tmp_path: Path):
    path = tmp_path / "cube.h5"
    path.write_bytes(b"123")
    (before,) = divide([f"{path}:images"], 1)
    path.write_bytes(b"1234")
    (after,) = divide([f"{path}:images"], 1)
    assert (before.key, before.digest == after.digest) == (after.key, False)
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        [*divide([f"{path}:images"], 1)]


def test_alerts_are_divided_like_files_and_mosaics_are_parts(tmp_path: Path):
    packets = [f"{number}.avro" for number in range(3)]
    assert [part.paths for part in divide(packets, 2)] == [("0.avro", "1.avro"), ("2.avro",)]
    mosaic = tmp_path / "mosaic.fits"
    mosaic.write_bytes(b"1")
    layout = Layout(catalogue=Path("sources.csv"), size=64)
    (part, other) = divide([str(mosaic), os.fspath(mosaic)], 9, layout)
    assert part == other
