"""Positions in a mosaic: the sky in any orientation, and catalogues of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS

from galaxy_edge import ImageError, UsageError
from galaxy_edge.inputs.images import decoded
from tests.galaxy_edge.inputs.containers.skies import (
    POSITIONS,
    STEPS,
    catalogue,
    cut,
    pixels,
    read,
    sky,
    sky_header,
)

Cli = Callable[..., tuple[int, str, str]]


def test_positions_on_the_sky(tmp_path: Path):
    fits.writeto(tmp_path / "m.fits", sky(), sky_header())
    found = WCS(sky_header()).pixel_to_world(*np.transpose(POSITIONS))
    expected = [
        pixels(one) for one in read(tmp_path / "m.fits", catalogue(tmp_path / "pixels.csv"))
    ]
    for names in (("ra", "dec"), ("RAJ2000", "DEJ2000")):
        table = Table([found.ra.deg, found.dec.deg], names=names)
        for suffix in ("csv", "fits", "parquet"):
            path = tmp_path / f"{names[0]}.{suffix}"
            if suffix == "parquet":
                table.to_pandas().to_parquet(path)
            else:
                table.write(path)
            sources = read(tmp_path / "m.fits", path)
            assert [source.id for source in sources] == [source.path for source in sources]
            np.testing.assert_array_equal([pixels(source) for source in sources], expected)


def test_a_galactic_mosaic_takes_icrs_positions(tmp_path: Path):
    header = sky_header()
    header["CTYPE1"], header["CTYPE2"] = "GLON-TAN", "GLAT-TAN"
    del header["RADESYS"]
    fits.writeto(tmp_path / "m.fits", sky(), header)
    place = WCS(header).pixel_to_world(60.4, 44.6)
    icrs = SkyCoord(place).icrs
    (tmp_path / "c.csv").write_text(f"ra,dec\n{icrs.ra.deg},{icrs.dec.deg}\n")
    (source,) = read(tmp_path / "m.fits", tmp_path / "c.csv")
    np.testing.assert_array_equal(pixels(source), cut(tmp_path, sky(), 60.4, 44.6))


@pytest.mark.parametrize("x", ["", "nan", "inf", "12:30:49.4"])
def test_a_position_that_is_no_number_is_an_error_row(tmp_path: Path, x: str):
    fits.writeto(tmp_path / "m.fits", sky(), sky_header())
    (tmp_path / "c.csv").write_text(f"x,y\n60,40\n{x},40\n")
    good, bad = read(tmp_path / "m.fits", tmp_path / "c.csv")
    assert not isinstance(good.content, ImageError)
    assert "its position is not a number" in str(bad.content)
    (tmp_path / "sky.csv").write_text(f"ra,dec\n150,2\n{x},2\n330,-2\n150,91\n150,\n")
    good, *bads = read(tmp_path / "m.fits", tmp_path / "sky.csv")
    assert not isinstance(good.content, ImageError)
    for bad in bads:
        assert str(bad.content).startswith(("its position is not a number", "off the edge"))


def test_pixels_of_sextractor_count_from_one(tmp_path: Path):
    fits.writeto(tmp_path / "m.fits", sky())
    (tmp_path / "c.csv").write_text("NUMBER,X_IMAGE,Y_IMAGE\n1,61,41\n")
    (source,) = read(tmp_path / "m.fits", tmp_path / "c.csv", id_column="NUMBER")
    assert source.id == "1"
    np.testing.assert_array_equal(pixels(source), cut(tmp_path, sky(), 60, 40))


def test_columns_by_name(tmp_path: Path):
    fits.writeto(tmp_path / "m.fits", sky(), sky_header())
    ra, dec = WCS(sky_header()).pixel_to_world_values(60, 40)
    (tmp_path / "c.csv").write_text(f"x,y,alpha,delta,u,v\n20,20,{ra},{dec},60,40\n")
    expected = cut(tmp_path, sky(), 60, 40)
    for options in ({"sky_columns": ("alpha", "delta")}, {"pixel_columns": ("u", "v")}):
        (source,) = read(tmp_path / "m.fits", tmp_path / "c.csv", **options)
        np.testing.assert_array_equal(pixels(source), expected)


@pytest.mark.parametrize("angle", [0, 37, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_any_orientation_of_the_sky(tmp_path: Path, angle: float, *, mirrored: bool):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ("RA---TAN", "DEC--TAN"), (359.999, 60), (9, 70)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    sign = 1 if mirrored else -1
    wcs.wcs.cd = np.array([[sign * cos, -sin], [sign * sin, cos]]) / 7200
    image = sky()
    fits.writeto(tmp_path / "m.fits", image, wcs.to_header())
    # The meridian of 0 degrees crosses the image. A whole pixel would be a matter of rounding.
    places = wcs.pixel_to_world(*(np.transpose(POSITIONS) + 0.2))
    lines = [f"{ra},{dec}" for ra, dec in zip(places.ra.deg, places.dec.deg, strict=True)]
    lines += [f"{places[0].ra.deg - 360},{places[0].dec.deg}", "0,95", "180,-60"]
    (tmp_path / "c.csv").write_text("\n".join(["ra,dec", *lines]) + "\n")
    *found, wrapped, no_declination, behind = read(tmp_path / "m.fits", tmp_path / "c.csv")
    for source, place in zip(found, places, strict=True):
        expected = Cutout2D(image, place, 16, wcs=wcs, mode="strict").data
        np.testing.assert_array_equal(source.content.pixels, expected[None])
    np.testing.assert_array_equal(wrapped.content.pixels, found[0].content.pixels)
    assert isinstance(no_declination.content, ImageError)
    assert isinstance(behind.content, ImageError)


def test_masked_values_of_a_fits_catalogue(tmp_path: Path):
    table = Table(
        {
            "id": MaskedColumn([10**18 + 1, 2, 3], mask=[False, True, False]),
            "x": MaskedColumn([20, 60, 30], mask=[False, False, True]), "y": [30, 44, 30],
            "mag": MaskedColumn([1.5, 2.5, 3.5], mask=[True, False, False]),
            "n": MaskedColumn([1, 2, 3], mask=[False, True, False]),
            "name": np.array([b"NGC 1 ", b"\xc3\xbc", b""]),
        }
    )  # fmt: skip
    table.write(tmp_path / "c.fits")
    fits.writeto(tmp_path / "m.fits", sky())
    path = tmp_path / "m.fits"
    first, second, third = read(path, tmp_path / "c.fits", keep=("mag", "n", "name"))
    assert [one.id for one in (first, second, third)] == [str(10**18 + 1), f"{path}#1", "3"]
    assert first.kept == {"mag": None, "n": 1, "name": "NGC 1"}
    assert second.kept == {"mag": 2.5, "n": None, "name": "\u00fc"}
    assert "not a number" in str(third.content)
    assert not isinstance(second.content, ImageError)


def test_missing_parts_of_a_stamp_are_noted(tmp_path: Path):
    image = sky()
    image[:, :20] = np.nan
    image[:, 90:] = 0
    fits.writeto(tmp_path / "m.fits", image)
    table = catalogue(tmp_path / "c.csv", [(22, 30), (27, 30), (60, 40), (105, 40), (10, 40)])
    notes = [decoded(one, STEPS).notes for one in read(tmp_path / "m.fits", table)]
    assert notes[:3] == [("38% of its pixels have no value",), (), ()]
    assert notes[3] == ("all its pixels are 0, as where there are no data",)
    last = read(tmp_path / "m.fits", table)[-1]
    assert "no pixel has a value" in str(pixels(last))


def test_columns_of_one_name_are_refused(tmp_path: Path):
    """The last one would be read without a word."""
    (tmp_path / "c.csv").write_text("id,x,y,x\na,20,30,60\n")
    fits.writeto(tmp_path / "m.fits", sky())
    with pytest.raises(UsageError, match="several columns called x"):
        read(tmp_path / "m.fits", tmp_path / "c.csv")


def test_far_positions_have_short_messages(tmp_path: Path):
    fits.writeto(tmp_path / "m.fits", sky())
    for source in read(tmp_path / "m.fits", catalogue(tmp_path / "c.csv", [(1e300, 3), (-1e9, 3)])):
        assert "off the edge" in str(source.content)
        assert len(str(source.content)) < 150
