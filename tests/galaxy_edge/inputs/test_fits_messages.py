"""The reason why a FITS file cannot be read, in the user's words."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.io import fits

from galaxy_edge import ImageError
from galaxy_edge.inputs.images import read
from tests.galaxy_edge.inputs.fits_files import file, frame, pixels, planes, with_cards

WHOLE = file(fits.PrimaryHDU(np.round(frame()).astype(np.int16)))
FLOAT = file(fits.PrimaryHDU(frame()))


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (with_cards(WHOLE, BSCALE="'two     '"), "^damaged: BSCALE in the header is 'two', not"),
        (with_cards(WHOLE, BSCALE="T"), "^damaged: BSCALE in the header is True, not a number"),
        (with_cards(WHOLE, BSCALE="NaN"), "^damaged: BSCALE in the header is NaN, not a number"),
        (with_cards(WHOLE, BSCALE="1E500"), "^damaged: BSCALE in the header is inf, not a number"),
        (with_cards(WHOLE, BSCALE="0"), "^damaged: BSCALE in the header is 0, which"),
        (with_cards(WHOLE, BZERO="(1, 2)"), "^damaged: BZERO in the header is .*, not a number"),
        (with_cards(WHOLE, BLANK="NaN"), "^damaged: BLANK in the header is NaN, not a number"),
        (with_cards(FLOAT, BLANK="NaN"), "^damaged: BLANK in the header is NaN, not a number"),
        (with_cards(WHOLE, BLANK="'x       '"), "^damaged: BLANK in the header is 'x', not a"),
        (WHOLE.replace(b"    16 /", b"    17 /", 1), "^damaged: BITPIX in the header is 17, not"),
        (WHOLE.replace(b"NAXIS1  =                   20", b"NAXIS1  =                  -20"),
         "^damaged: NAXIS1 in the header is -20, not a whole number"),
        (WHOLE[:3000], "^damaged or truncated: the file ends before its last pixel"),
        (WHOLE[:320], "^damaged or truncated: the header does not end"),
        (b"SIMPLE  = <html>".ljust(9000), "^not FITS, or damaged"),
        (gzip.compress(b"<html></html>" * 500, mtime=0), "^not FITS: the compressed file contains"),
        (gzip.compress(WHOLE, mtime=0)[:200], "^damaged or truncated: the compressed data"),
    ],
    ids=range(16),
)  # fmt: skip
def test_the_header_is_blamed_in_plain_words(content: bytes, words: str):
    with pytest.raises(ImageError, match=words):
        read(content)


@pytest.mark.parametrize("cards", [{"BSCALE": ""}, {"BZERO": ""}, {"BLANK": ""}])
def test_a_keyword_without_a_value_is_absent(cards: dict[str, str]):
    np.testing.assert_array_equal(pixels(with_cards(WHOLE, **cards)), pixels(WHOLE))


def test_a_blank_written_as_a_float_is_applied():
    value = planes(WHOLE)[0, 0, 0]
    found = planes(with_cards(WHOLE, BLANK=f"{value:.1f}"))
    assert np.isnan(found[0, 0, 0])


def test_the_blank_of_floats_is_ignored():
    np.testing.assert_array_equal(planes(with_cards(FLOAT, BLANK="3")), planes(FLOAT))
