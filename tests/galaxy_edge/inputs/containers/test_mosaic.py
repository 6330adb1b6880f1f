"""Stamps of a mosaic: the pixels of Cutout2D, every layout of FITS, edges, and bad catalogues."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from galaxy_edge import ImageError, Predictor, UsageError, inputs
from galaxy_edge.inputs.containers import mosaic
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.results import columns
from tests.galaxy_edge.inputs.containers.skies import (
    HEIGHT,
    POSITIONS,
    WIDTH,
    catalogue,
    cut,
    pixels,
    read,
    sky,
    sky_header,
)

Cli = Callable[..., tuple[int, str, str]]


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
