"""The paths in the name of three band files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.inputs.bands import braced, unbraced

PART = st.text("ab_./\u00e9", max_size=5)


@given(PART, st.lists(PART, min_size=3, max_size=3, unique=True), PART)
def test_it_is_the_inverse_of_braced(start: str, bands: list[str], end: str) -> None:
    paths = [start + band + end for band in bands]
    assert unbraced(braced(paths)) == tuple(paths)


def test_other_paths_are_no_bands() -> None:
    for path in ("m51.fits", "m51_{i,r}.fits", "{a,b,c,d}.fits", "{a}"):
        assert unbraced(path) is None
