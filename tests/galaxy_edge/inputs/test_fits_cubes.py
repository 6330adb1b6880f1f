from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from galaxy_edge import ImageError
from galaxy_edge.inputs.images import read
from tests.galaxy_edge.inputs.fits_files import file, frame, pixels, planes, read_with_notes

BANDS = np.stack([frame(seed) for seed in (1, 2, 3)])


def cube(data: np.ndarray = BANDS, **cards: object) -> bytes:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(cards)
    return file(hdu)


@pytest.mark.parametrize(
    "names", ["gri", "ugr", ["SDSS-g", "SDSS r", "i'"], ["B", "V", "R"], ["J", "H", "Ks"]]
)
@pytest.mark.parametrize("first", [0, 1])
def test_red_is_the_longest_wavelength(names: list[str], first: int):
    keys = [f"BAND{first + place}" for place in range(3)]
    image, notes = read_with_notes(cube(**dict(zip(keys, names, strict=True))))
    np.testing.assert_array_equal(image, pixels(cube(BANDS[::-1])))
    assert len(notes) == 1
    assert "in the order" in notes[0]
    # In this order already: nothing to say.
    image, notes = read_with_notes(cube(BANDS[::-1], **dict(zip(keys, names[::-1], strict=True))))
    np.testing.assert_array_equal(image, pixels(cube(BANDS[::-1])))
    assert notes == []


@pytest.mark.parametrize("names", [["F814W", "F606W", "F475W"], ["g", "g", "r"], ["g", "", "r"]])
def test_unknown_bands_keep_their_order_with_a_note(names: list[str]):
    image, notes = read_with_notes(cube(BAND0=names[0], BAND1=names[1], BAND2=names[2]))
    np.testing.assert_array_equal(image, pixels(cube()))
    assert "order in wavelength" in notes[0]


def test_stokes_i_is_grey():
    grey = pixels(file(fits.PrimaryHDU(BANDS[0])))
    for data in (BANDS, BANDS[:, None], np.concatenate([BANDS, BANDS[:1]])):
        axis = 3 if data.ndim == 3 else 4
        image, notes = read_with_notes(cube(data, **{f"CTYPE{axis}": "STOKES"}))
        np.testing.assert_array_equal(image, grey)
        assert notes == ["its planes are Stokes parameters; I is read, as grey"]
    backwards = cube(BANDS[::-1], CTYPE3="STOKES", CRVAL3=1.0, CRPIX3=3.0, CDELT3=-1.0)
    np.testing.assert_array_equal(read_with_notes(backwards)[0], grey)
    with pytest.raises(ImageError, match="without I"):
        read(cube(CTYPE3="STOKES", CRVAL3=2.0, CRPIX3=1.0, CDELT3=1.0))


@pytest.mark.parametrize("cards", [
    {"CTYPE3": "FREQ"}, {"CTYPE3": "VELO-LSR"}, {"CTYPE3": "WAVE"}, {"CTYPE3": "wave-log"},
    {"CTYPE3": "TIME"}, {"CTYPE3": "RA---TAN"}, {"CUNIT3": "GHz"}, {"CUNIT3": "km/s"},
])  # fmt: skip
def test_a_spectrum_is_not_colour(cards: dict[str, str]):
    with pytest.raises(ImageError, match="so its 3 planes are not colours; cut one plane"):
        read(cube(**cards))
    # The filters say that it is colour.
    np.testing.assert_array_equal(planes(cube(**cards, BAND0="i", BAND1="r", BAND2="g")), BANDS)


@pytest.mark.parametrize("kind", ["", "BAND", "RGB", "FILTER", "LINEAR"])
def test_other_axes_of_three_planes_are_colour(kind: str):
    np.testing.assert_array_equal(planes(cube(CTYPE3=kind)), BANDS)


def test_each_other_shape_has_its_advice():
    colours_last = np.moveaxis(BANDS, 0, -1)
    with pytest.raises(ImageError, match=r"20 x 20 x 3 the last axis has only 3.*moveaxis"):
        read(cube(colours_last))
    with pytest.raises(ImageError, match="cube of 4 bands needs BAND0"):
        read(cube(np.concatenate([BANDS, BANDS[:1]])))
    with pytest.raises(ImageError, match="3 x 3 x 20 x 20; cut one image"):
        read(cube(np.stack([BANDS] * 3)))
