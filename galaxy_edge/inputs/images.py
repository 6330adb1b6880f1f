"""Path, bytes, PIL image, array or three FITS bands -> uint8 RGB: the project's one decoder.

Training, calibration and prediction all call `decode`, so that what a network was trained on and
what it is asked about go through the same steps.

Every input becomes 8-bit RGB in one way: EXIF orientation applied; 16-bit grey keeps its high
byte (as Pillow does for 16-bit colour); grey, palette, CMYK, YCbCr and LAB are converted by
Pillow; transparency is laid over black, the sky; of several frames the first is taken. FITS is
stretched as the manifest says (`galaxy_edge.inputs.fits`).
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.formats import PILLOW, File, is_fits, split_extension
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch

Pixels: TypeAlias = npt.NDArray[np.uint8]
Source: TypeAlias = File | tuple[File, File, File] | Image.Image | npt.NDArray[np.generic]

#: Larger images are refused before their pixels are decoded: the size at which Pillow starts to
#: warn of decompression bombs, 256 MiB of RGB.
MAX_PIXELS = 89_478_485
#: Nor may a side be longer than JPEG's and GIF's longest: the weights of a resizing filter grow
#: with it, to gigabytes for a file of kilobytes that is one pixel high.
MAX_SIDE = 65_535
#: Larger files are refused unread: eight bytes a pixel, 16-bit RGBA, is the most that Pillow takes.
MAX_BYTES = 8 * MAX_PIXELS
#: Most cutouts are read at once: each further call would let go of the interpreter.
_BLOCK = 2**18

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


def decode(source: Source, preprocessing: Preprocessing) -> Pixels:
    """Turn a source into the network's input.

    Args:
        source: path of an image file, its bytes, three FITS files of one band each (red, green,
            blue), a PIL image, or an array uint8 (H, W, 3) RGB or (H, W) grey.
        preprocessing: the steps, from a model's manifest or a training configuration.

    Returns:
        uint8 (size, size, 3), RGB, 0 to 255.

    Raises:
        ImageError: the source is missing, unreadable, truncated, too large or no image.
    """
    with _faults_as_image_errors():
        return fit(read(source, preprocessing.stretch), preprocessing)


def read(source: Source, stretch: Stretch | None = None) -> Image.Image:
    """Read a source as an 8-bit RGB image of its own size.

    Args:
        source: as for `decode`.
        stretch: for FITS; by default `Stretch`'s own.

    Raises:
        ImageError: as for `decode`.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    with _faults_as_image_errors():
        if isinstance(source, Image.Image):
            return _to_rgb(source)
        if isinstance(source, tuple) or is_fits(source):
            return _from_fits(source, stretch or Stretch())
        if isinstance(source, bytes):
            _check_bytes(source)
            file: io.BytesIO | io.BufferedReader = io.BytesIO(source)
        else:
            path = Path(source)
            check_file(path, MAX_BYTES)
            file = io.BufferedReader(_Unmapped(path), _BLOCK)
        with file, Image.open(file, formats=PILLOW) as image:
            return _to_rgb(image)


def fit(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """Bring an RGB image to the network's size.

    Returns:
        uint8 (size, size, 3), RGB.
    """
    if (limit := preprocessing.working_size) is not None:
        working = (min(image.width, limit), min(image.height, limit))
        if working != image.size:
            image = image.resize(working, Image.Resampling.LANCZOS)
    size = (preprocessing.size, preprocessing.size)
    if image.size != size:
        image = image.resize(size, _FILTERS[preprocessing.resize])
    return np.array(image, dtype=np.uint8)


class _Unmapped(io.FileIO):
    """A file that is read, never mapped into memory.

    Pillow maps raw pixels and libtiff whole files. One that shrinks under the map, as on a disk
    that others write to, ends the process.
    """

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def _from_array(array: npt.NDArray[np.generic]) -> Image.Image:
    grey = array.ndim == 2
    colour = array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (grey or colour) or array.size == 0:
        raise ImageError(
            f"not an image: an array must be uint8 (H, W, 3) or (H, W), not {array.dtype} "
            f"{array.shape}"
        )
    _check_size(array.shape[1], array.shape[0])
    image = Image.fromarray(np.ascontiguousarray(array))
    return image if colour else image.convert("RGB")


def _from_fits(source: File | tuple[File, ...], stretch: Stretch) -> Image.Image:
    try:
        # Astropy takes longer to import than all else here, and many never meet FITS.
        from galaxy_edge.inputs import fits  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImageError(
            f"FITS needs {error.name}, which is not installed: pip install 'galaxy-edge[fits]'"
        ) from error
    except OSError as error:
        # It reads a configuration, and without a home that it may enter (a daemon's user) it fails.
        raise ImageError(
            f"FITS needs astropy, which does not start here: {error}; set HOME to a folder that "
            "can be written to"
        ) from error
    if isinstance(source, tuple) and len(source) != 3:
        raise ImageError(f"not an image: three bands are needed, not {len(source)}")
    for file in source if isinstance(source, tuple) else (source,):
        if isinstance(file, bytes):
            _check_bytes(file)
        else:
            check_file(Path(split_extension(os.fspath(file))[0]))
    return Image.fromarray(fits.rgb(source, stretch))


def _to_rgb(image: Image.Image) -> Image.Image:
    _check_size(image.width, image.height)
    # Before the EXIF, whose faults are passed over: Pillow says once that a TIFF's pixels are
    # damaged, and the next who asks gets what there was.
    image.load()
    oriented = _upright(image)
    if oriented.mode.startswith("I;16"):
        high_byte = np.asarray(oriented).astype(np.uint16) >> 8
        return Image.fromarray(high_byte.astype(np.uint8)).convert("RGB")
    if oriented.mode in ("I", "F"):
        raise ImageError(
            "not an 8- or 16-bit image: 32-bit pixels have no agreed range, so stretch it to "
            "8 bits first"
        )
    if oriented.has_transparency_data:
        colour = oriented.convert("RGBA")
        sky = Image.new("RGBA", colour.size, (0, 0, 0, 255))
        return Image.alpha_composite(sky, colour).convert("RGB")
    # Pillow would copy what is RGB already.
    return oriented if oriented.mode == "RGB" else oriented.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        # Most images are upright, and transposing would copy them.
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    # Damaged EXIF says nothing about the pixels: an image whose orientation cannot be known is
    # taken as it lies.
    except Exception:  # noqa: BLE001 - Pillow raises nearly anything for damaged data
        return image


def _check_bytes(content: bytes) -> None:
    if not content:
        raise ImageError("empty: there are no bytes")


def check_file(path: Path, largest: int | None = None) -> None:
    """Refuse what is no regular file with content, before anything waits for its bytes.

    Args:
        path: the file.
        largest: bytes; a file of FITS extensions may be of any size.

    Raises:
        ImageError: it is a folder, a pipe, a device, empty or too large.
        OSError: it cannot be looked at.
    """
    try:
        status = path.stat()
    except ValueError as error:
        raise ImageError(f"missing: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        with os.scandir(path):  # says whether it can be listed
            pass
        raise ImageError("not an image: a folder; give the images in it (-r looks below it)")
    # A pipe would be waited for without end.
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not an image: no regular file")
    # Pillow takes an empty file for one of an unknown format: its user wants to know.
    if status.st_size == 0:
        raise ImageError("empty: the file has no bytes")
    if largest is not None and status.st_size > largest:
        raise ImageError(
            f"too large: {status.st_size:,} bytes is over {largest:,}; cut or reduce it first"
        )


def _check_size(width: int, height: int) -> None:
    if not width * height:
        raise ImageError(f"empty: {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"too large: {width} x {height} is over {MAX_PIXELS:,} pixels; cut or reduce it first"
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"too large: {width} x {height} has a side over {MAX_SIDE:,}; cut or reduce it first"
        )


@contextmanager
def _faults_as_image_errors() -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError("missing: there is no such file") from error
    except PermissionError as error:
        raise ImageError("not readable: permission denied") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image: none of {', '.join(PILLOW)}, FITS") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"too large: {error}") from error
    except MemoryError as error:
        raise ImageError("too large: it does not fit into memory") from error
    except OSError as error:
        if error.errno is None:  # Pillow's own: the data end too soon
            raise ImageError(f"damaged or truncated: {error}") from error
        raise ImageError(f"not readable: {error.strerror}") from error
    # Pillow's plugins raise nearly anything for damaged data (OSError, SyntaxError, ValueError,
    # struct.error, zlib.error, ...), and one damaged file must not stop the others.
    except Exception as error:
        raise ImageError(f"damaged or truncated: {error}") from error
