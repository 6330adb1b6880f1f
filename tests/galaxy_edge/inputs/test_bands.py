from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.inputs.bands import braced, grouped
from tests.systems import linux

IRG = ("i", "r", "g")


@pytest.mark.parametrize(
    ("red", "green", "blue"),
    [
        ("m51_i.fits", "m51_r.fits", "m51_g.fits"),
        ("frame-i-0017.fits.bz2", "frame-r-0017.fits.bz2", "frame-g-0017.fits.bz2"),
        ("r-band/x.i.fit[SCI]", "r-band/x.r.fit[SCI]", "r-band/x.g.fit[SCI]"),
    ],
)
def test_files_that_differ_only_in_the_band_are_grouped(red: str, green: str, blue: str):
    for order in ([red, green, blue], [blue, green, red], [green], [blue, None, red]):
        found = [one for one in grouped(order, IRG) if one is not None]
        assert found == [(red, green, blue)]


def test_paths_without_a_band_are_unchanged():
    paths = ["i.png", "cube.fits", "big.fits", None, "m51_z.fits"]
    assert list(grouped(paths, IRG)) == paths


def test_folders_named_after_bands_are_grouped_if_all_files_exist(tmp_path: Path):
    paths = [str(tmp_path / band / "001.fits") for band in IRG]
    # The folder g may have its name from something other than a band.
    assert list(grouped(paths[2:], IRG)) == paths[2:]
    for path in map(Path, paths):
        path.parent.mkdir()
        path.touch()
    assert list(grouped(paths, IRG)) == [tuple(paths)]


def test_complete_groups_come_at_once_and_incomplete_ones_at_the_end():
    paths = ["b_g.fits", "a_g.fits", "x.png", "a_i.fits", None, "a_r.fits", "b_r.fits", "b_r.fits"]
    found = [one if not isinstance(one, tuple) else braced(one) for one in grouped(paths, IRG)]
    assert found == ["x.png", None, "a_{i,r,g}.fits", "b_{i,r,g}.fits"]


def test_the_name_of_a_band_may_have_several_characters():
    bands = ("F814W", "F606W", "HSC-G")
    assert next(grouped(["x_F606W.fits"], bands)) == (
        "x_F814W.fits",
        "x_F606W.fits",
        "x_HSC-G.fits",
    )


names = st.text("abc_.-/0é", min_size=1, max_size=9).filter(lambda name: not name.startswith("-"))


@given(names, names, names)
def test_a_braced_name_contains_every_path(red: str, green: str, blue: str):
    middle = braced([red, green, blue])
    start, _, rest = middle.partition("{")
    parts, _, end = rest.rpartition("}")
    assert [start + part + end for part in parts.split(",")] == [red, green, blue]


@linux
def test_bash_expands_a_braced_name_to_the_paths(tmp_path: Path):
    done = subprocess.run(
        ["bash", "-c", f"echo {braced(['m51_i.fits', 'm51_r.fits', 'm51_g.fits'])}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["m51_i.fits", "m51_r.fits", "m51_g.fits"]
