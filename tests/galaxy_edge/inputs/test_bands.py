from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.inputs.bands import braced, grouped

IRG = ("i", "r", "g")


@pytest.mark.parametrize(
    ("red", "green", "blue"),
    [
        ("m51_i.fits", "m51_r.fits", "m51_g.fits"),
        ("frame-i-0017.fits.bz2", "frame-r-0017.fits.bz2", "frame-g-0017.fits.bz2"),
        ("r-band/x.i.fit[SCI]", "r-band/x.r.fit[SCI]", "r-band/x.g.fit[SCI]"),
    ],
)
def test_files_that_differ_in_their_band_belong_together(red: str, green: str, blue: str):
    for order in ([red, green, blue], [blue, green, red], [green], [blue, None, red]):
        found = [one for one in grouped(order, IRG) if one is not None]
        assert found == [(red, green, blue)]


def test_what_has_no_band_in_its_name_passes():
    paths = ["i.png", "cube.fits", "big.fits", None, "m51_z.fits"]
    assert list(grouped(paths, IRG)) == paths


def test_folders_named_by_bands_belong_together_if_they_are_there(tmp_path: Path):
    paths = [str(tmp_path / band / "001.fits") for band in IRG]
    # Someone called g keeps files in a folder of that name.
    assert list(grouped(paths[2:], IRG)) == paths[2:]
    for path in map(Path, paths):
        path.parent.mkdir()
        path.touch()
    assert list(grouped(paths, IRG)) == [tuple(paths)]


def test_a_set_comes_when_it_is_complete_and_what_is_left_at_the_end():
    paths = ["b_g.fits", "a_g.fits", "x.png", "a_i.fits", None, "a_r.fits", "b_r.fits", "b_r.fits"]
    found = [one if not isinstance(one, tuple) else braced(one) for one in grouped(paths, IRG)]
    assert found == ["x.png", None, "a_{i,r,g}.fits", "b_{i,r,g}.fits"]


def test_longer_names_of_bands():
    bands = ("F814W", "F606W", "HSC-G")
    assert next(grouped(["x_F606W.fits"], bands)) == (
        "x_F814W.fits",
        "x_F606W.fits",
        "x_HSC-G.fits",
    )


names = st.text("abc_.-/0é", min_size=1, max_size=9).filter(lambda name: not name.startswith("-"))


@given(names, names, names)
def test_a_shell_takes_the_braced_name_apart(red: str, green: str, blue: str):
    middle = braced([red, green, blue])
    start, _, rest = middle.partition("{")
    parts, _, end = rest.rpartition("}")
    assert [start + part + end for part in parts.split(",")] == [red, green, blue]


def test_bash_agrees(tmp_path: Path):
    done = subprocess.run(
        ["bash", "-c", f"echo {braced(['m51_i.fits', 'm51_r.fits', 'm51_g.fits'])}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["m51_i.fits", "m51_r.fits", "m51_g.fits"]
