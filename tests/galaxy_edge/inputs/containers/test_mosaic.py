"""Stamps of a mosaic: the pixels of Cutout2D, every layout of FITS, edges, and bad catalogues."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS

from galaxy_edge import ImageError, Predictor, Source, UsageError, inputs
from galaxy_edge.inputs.containers import mosaic
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.results import columns

Cli = Callable[..., tuple[int, str, str]]
STEPS = Preprocessing(size=16)
HEIGHT, WIDTH = 90, 120
POSITIONS = [(20.0, 30.0), (60.4, 44.6), (100.9, 70.2), (31.5, 31.5)]


def sky_header(shift: float = 0.0) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (150.0, 2.0), (60.0 + shift, 45.0)
    # Rotated, so that rows and columns cannot be exchanged.
    wcs.wcs.cd = np.array([[-0.8, 0.6], [0.6, 0.8]]) / 7200
    return wcs.to_header()


def sky(seed: int = 0, *shape: int, dtype: type = np.float32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 3, (*shape, HEIGHT, WIDTH))
    for x, y in POSITIONS:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        image += 400 * np.exp(-np.hypot(columns - x, rows - y) / 3)
    return image.astype(dtype)


def catalogue(path: Path, positions: Sequence[tuple[object, object]] = POSITIONS) -> Path:
    lines = [f"{10**18 + n},{x},{y},{n / 4}" for n, (x, y) in enumerate(positions)]
    path.write_text("\n".join(["id,x,y,mag", *lines]) + "\n")
    return path


def read(path: object, table: Path, size: int = 16, **options) -> list[Source]:
    bands = options.pop("bands", None)
    path = path if isinstance(path, tuple) else str(path)
    return list(members(path, Layout(catalogue=table, size=size, **options), bands))


def pixels(source: Source, steps: Preprocessing = STEPS) -> np.ndarray | ImageError:
    return decoded(source, steps).pixels


def cut(folder: Path, image: np.ndarray, x: float, y: float, size: int = 16) -> np.ndarray:
    """The verdict's pixels of a FITS file that astropy cut."""
    planes = [Cutout2D(one, (x, y), size, mode="strict").data for one in np.atleast_3d(image.T).T]
    fits.writeto(folder / "cut.fits", np.squeeze(planes), overwrite=True)
    return pixels(Source(folder / "cut.fits"))


LAYOUTS = {
    "plain": (lambda path, image: fits.writeto(path, image), np.float32, ".fits"),
    "double": (lambda path, image: fits.writeto(path, image), np.float64, ".fits"),
    "bytes": (lambda path, image: fits.writeto(path, image), np.uint8, ".fits"),
    "unsigned": (lambda path, image: fits.writeto(path, image), np.uint16, ".fits"),
    "gzip": (lambda path, image: fits.writeto(path, image), np.float32, ".fits.gz"),
    "rice": (
        lambda path, image: fits.CompImageHDU(image, tile_shape=(20, 30)).writeto(path),
        np.int16, ".fits",
    ),
    "rice of unsigned": (
        lambda path, image: fits.CompImageHDU(image, tile_shape=(7, 120)).writeto(path),
        np.uint16, ".fits.fz",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("whole_rows", [True, False])
def test_a_stamp_has_the_pixels_of_a_file_that_astropy_cut(
    tmp_path: Path, name: str, monkeypatch, *, whole_rows: bool
):
    monkeypatch.setattr(mosaic, "_WHOLE_ROWS", 2**21 if whole_rows else 0)
    write, dtype, suffix = LAYOUTS[name]
    image = np.clip(sky(), 0, 255).astype(dtype) if dtype is np.uint8 else sky(dtype=dtype)
    path = tmp_path / f"mosaic{suffix}"
    write(path, image)
    for size in (16, 15):
        sources = read(path, catalogue(tmp_path / "c.csv"), size)
        assert [source.id for source in sources] == [str(10**18 + n) for n in range(4)]
        assert [source.path for source in sources] == [f"{path}#{n}" for n in range(4)]
        for source, (x, y) in zip(sources, POSITIONS, strict=True):
            expected = cut(tmp_path, image.astype(np.float64), x, y, size)
            np.testing.assert_array_equal(pixels(source), expected)


def test_bzip2_scaling_and_blank(tmp_path: Path):
    raw = sky(dtype=np.int16)
    hdu = fits.PrimaryHDU(raw)
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 7.0, int(raw[30, 20])
    hdu.writeto(tmp_path / "x.fits")
    path = tmp_path / "x.fits.bz2"
    path.write_bytes(bz2.compress((tmp_path / "x.fits").read_bytes()))
    values = np.where(raw == raw[30, 20], np.nan, raw * 0.5 + 7)
    for source, (x, y) in zip(read(path, catalogue(tmp_path / "c.csv")), POSITIONS, strict=True):
        np.testing.assert_array_equal(pixels(source), cut(tmp_path, values, x, y))


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


def test_three_bands_are_cut_each_by_its_own_coordinates(tmp_path: Path):
    image = sky(1, 3)
    paths = tuple(str(tmp_path / f"m_{band}.fits") for band in "irg")
    for path, band, shift in zip(paths, image, (0, 2, -3), strict=True):
        fits.writeto(path, np.roll(band, shift, axis=1), sky_header(shift))
    found = WCS(sky_header()).pixel_to_world(*np.transpose(POSITIONS))
    Table([found.ra.deg, found.dec.deg], names=("ra", "dec")).write(tmp_path / "c.csv")
    sources = read(paths, tmp_path / "c.csv")
    assert sources[0].path == f"{tmp_path}/m_{{i,r,g}}.fits#0"
    for source, (x, y) in zip(sources, POSITIONS, strict=True):
        np.testing.assert_array_equal(pixels(source), cut(tmp_path, image, x, y))


def test_a_cube_with_named_bands_and_an_extension(tmp_path: Path):
    image = sky(2, 3)
    header = fits.Header({"BAND0": "g", "BAND1": "r", "BAND2": "i"})
    path = tmp_path / "m.fits"
    weight = fits.ImageHDU(np.ones((HEIGHT, WIDTH), np.float32), name="WHT")
    fits.HDUList([fits.PrimaryHDU(), weight, fits.ImageHDU(image, header, "SCI")]).writeto(path)
    table = catalogue(tmp_path / "c.csv")
    steps = Preprocessing(size=16, stretch=Stretch(bands=("i", "r", "g")))
    for name in (path, f"{path}[SCI]", f"{path}[2]"):
        first, *others = read(name, table, bands=("i", "r", "g"))
        np.testing.assert_array_equal(
            pixels(first, steps), cut(tmp_path, image[::-1], *POSITIONS[0])
        )
        notes = decoded(first, steps).notes
        assert bool(notes) == (name == path)
        assert all(not decoded(one, steps).notes for one in others)
    (absent,) = read(f"{path}[ERR]", table)
    assert "there is no extension ERR" in str(absent.content)


@pytest.mark.parametrize(
    ("x", "y"),
    [(6.9, 40), (113, 40), (60, 7), (60, 83), (-500, 40), (60, 1e6), (1e300, 5), (0, 0)],
)
def test_a_stamp_over_the_edge_is_an_error_row(tmp_path: Path, x: float, y: float):
    fits.writeto(tmp_path / "m.fits", sky())
    good, bad = read(tmp_path / "m.fits", catalogue(tmp_path / "c.csv", [(60, 40), (x, y)]))
    assert not isinstance(good.content, ImageError)
    assert (bad.id, bad.path) == (str(10**18 + 1), f"{tmp_path}/m.fits#1")
    assert "off the edge: a stamp of 16 x 16" in str(bad.content)


def test_the_last_positions_that_fit(tmp_path: Path):
    fits.writeto(tmp_path / "m.fits", sky())
    positions = [(7.5, 7.5), (8, 8), (WIDTH - 8.5, HEIGHT - 8.5), (WIDTH - 8, HEIGHT - 8)]
    sources = read(tmp_path / "m.fits", catalogue(tmp_path / "c.csv", positions))
    assert not [source for source in sources if isinstance(source.content, ImageError)]


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


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("a,b\n1,2\n", {}, "no columns with positions by these names"),
        ("x,y\n1,2\n", {"keep": ("mag",)}, "has no column mag; it has x, y"),
        ("x,y\n1,2\n", {"id_column": "objid"}, "has no column objid"),
        ("x,y\n1,2\n", {"sky_columns": ("ra", "dec")}, "has no column ra"),
        ("", {}, "no columns with positions"),
    ],
)  # fmt: skip
def test_a_bad_catalogue_is_a_usage_error(tmp_path: Path, text: str, options, reason: str):
    fits.writeto(tmp_path / "m.fits", sky())
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(UsageError, match=reason):
        read(tmp_path / "m.fits", tmp_path / "c.csv", **options)


def test_options_that_contradict_each_other_are_usage_errors(tmp_path: Path, cli: Cli):
    table = catalogue(tmp_path / "c.csv")
    for options, reason in (
        (["--catalogue", table], "needs the size"),
        (["--catalogue", table, "--size", "0"], "needs the size"),
        (["--size", "9"], "give its catalogue"),
        (["--catalogue", table, "--size", "9", "--sky-columns", "ra"], "takes two names"),
        (
            ["--catalogue", table, "--size", "9", "--sky-columns", "a,b", "--pixel-columns", "x,y"],
            "give one pair",
        ),
        (["--catalogue", tmp_path / "absent.csv", "--size", "9"], "cannot be read: No such file"),
    ):
        code, out, err = cli("predict", "m.fits", *options, "--format", "csv")
        assert code == 2
        assert out in ("", f"{','.join(columns(('Fake', 'Real')))}\n")
        assert reason in err


def test_a_mosaic_that_cannot_be_read_is_one_row(tmp_path: Path):
    table = catalogue(tmp_path / "c.csv")
    fits.writeto(tmp_path / "m.fits", sky())
    whole = (tmp_path / "m.fits").read_bytes()
    files = {
        "absent.fits": None, "empty.fits": b"", "text.fits": b"x" * 5000,
        "header.fits": whole[:100], "packed.fits.gz": gzip.compress(whole)[:-100],
        "not.fits.gz": gzip.compress(b"x" * 99),
    }  # fmt: skip
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        (source,) = read(tmp_path / name, table)
        assert source.id == source.path == str(tmp_path / name)
        assert isinstance(source.content, ImageError), name
    (tmp_path / "sky.csv").write_text("ra,dec\n150,2\n")
    (source,) = read(tmp_path / "m.fits", tmp_path / "sky.csv")
    assert "no sky coordinates (WCS)" in str(source.content)


def test_stamps_where_the_file_ends_are_rows(tmp_path: Path):
    fits.writeto(tmp_path / "m.fits", sky())
    whole = (tmp_path / "m.fits").read_bytes()
    (tmp_path / "m.fits").write_bytes(whole[: 2880 + 4 * WIDTH * 60])
    with pytest.warns(match="truncated"):
        sources = read(tmp_path / "m.fits", catalogue(tmp_path / "c.csv"))
    bad = [source.id for source in sources if isinstance(source.content, ImageError)]
    assert bad == [str(10**18 + 2)]


def test_the_command_line_and_python(tmp_path: Path, model_file: Path, cli: Cli):
    fits.writeto(tmp_path / "m.fits", sky())
    table = catalogue(tmp_path / "c.csv", [*POSITIONS, (0, 0)])
    code, out, _ = cli(
        "predict", tmp_path / "m.fits", "--catalogue", table, "--size", "16", "--keep", "mag",
        "-m", model_file, "--format", "jsonl", "-q",
    )  # fmt: skip
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [row["mag"] for row in rows] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [row["status"] == "error" for row in rows] == [False] * 4 + [True]
    found = Predictor(model_file).predict_many(
        inputs.open(tmp_path / "m.fits", catalogue=table, size=16, keep=["mag"])
    )
    assert [row.row() for row in found] == rows


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
