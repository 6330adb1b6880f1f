"""Any layout of a FITS file is read as astropy reads it in double precision."""

from __future__ import annotations

import bz2
import gzip
import io

import numpy as np
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.galaxy_edge.inputs.fits_files import file, frame, planes

KINDS = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


@st.composite
def layouts(draw: st.DrawFn) -> tuple[bytes, np.ndarray, np.ndarray]:
    """A file, its values [1, H, W] in float64, and the size of their rounding, per pixel."""
    kind = np.dtype(draw(st.sampled_from(KINDS)))
    seed, shape = draw(st.integers(0, 99)), draw(st.tuples(*[st.integers(8, 20)] * 2))
    random = np.random.default_rng(seed)
    is_float = kind.kind == "f"
    # Above 2**53, double precision, which is the reference, rounds too.
    most = 10.0 ** draw(st.integers(1, 30)) if is_float else min(np.iinfo(kind).max, 2**52)
    pixels = (random.random(shape) * most).astype(kind)
    if draw(st.booleans()) and (is_float or kind.kind == "i"):
        pixels[random.random(shape) < 0.5] *= -1
    # Unsigned numbers (and signed bytes) use BZERO.
    scaled = draw(st.booleans()) and kind.str[1:] in {"u1", "i2", "i4", "f4", "f8"}
    scale = draw(st.sampled_from([1.0, -2.0, 0.1, 1e-40, 1e35])) if scaled else 1.0
    zero = draw(st.sampled_from([0.0, 1.0, -300.0, 1e9, 1e-20])) if scaled else 0.0
    values = pixels.astype(np.float64) * scale + zero
    holes = random.random(shape) < draw(st.sampled_from([0, 0.2]))
    blank = None
    if holes.any():
        values[holes] = np.nan
        if is_float:
            pixels[holes] = np.nan
        else:
            # The stored number of a blank pixel; zero is one, too.
            signed = kind.kind == "i" and kind.itemsize > 1
            blank = draw(st.sampled_from([0, np.iinfo(kind).max]))
            values[pixels == blank] = np.nan
            pixels[holes] = blank
            offset = 0 if signed or kind == "u1" else -128 if kind == "i1" else None
            blank -= (1 << (8 * kind.itemsize - 1)) if offset is None else offset
    packing = draw(st.sampled_from(["none", "gzip", "bzip2", "tiles"]))
    tiles = packing == "tiles" and not is_float and kind.itemsize <= 4 and not scaled
    hdu = (fits.CompImageHDU if tiles else fits.ImageHDU)(pixels)
    if scaled:
        hdu.header.update(BSCALE=scale, BZERO=zero)
    if blank is not None:
        hdu.header["BLANK"] = int(blank)
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])])
    mask = fits.ImageHDU(np.ones(shape, np.uint8), name="MASK")
    others = draw(st.lists(st.sampled_from(["table", "mask", "small"]), max_size=3, unique=True))
    extra = {"table": table, "mask": mask, "small": fits.ImageHDU(frame(1, 5))}
    hdus = draw(st.permutations([hdu, *(extra[name] for name in others)]))
    content = {"gzip": gzip.compress, "bzip2": bz2.compress}.get(packing, bytes)(
        written(hdus, raw=hdu if scaled else None)
    )
    # A float32 holds 24 bits of the product and of the sum.
    rounding = 2.0**-22 * (np.abs(pixels.astype(np.float64) * scale) + abs(zero))
    return content, values[None], rounding[None]


def written(hdus: list[fits.ImageHDU], raw: fits.ImageHDU | None) -> bytes:
    """The file; of ``raw``, the pixels are the stored numbers, whatever its header says."""
    if raw is None:
        return file(fits.PrimaryHDU(), *hdus)
    content = file(fits.PrimaryHDU(), *hdus)
    with fits.open(io.BytesIO(content), do_not_scale_image_data=True) as again:
        place = [*hdus].index(raw) + 1
        assert again[place].header["BSCALE"] == raw.header["BSCALE"]
        np.testing.assert_array_equal(again[place].data, raw.data)
    return content


@settings(deadline=None, max_examples=150)
@given(layouts())
def test_any_layout_is_read_exactly(layout: tuple[bytes, np.ndarray, np.ndarray]):
    content, values, rounding = layout
    found = planes(content)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    valid = np.isfinite(values)
    error = np.abs(found.astype(np.float64) - values)[valid]
    assert (error <= rounding[valid]).all()
