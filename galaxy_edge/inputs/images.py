"""Decode a source to uint8 RGB: the only decoder of the project.

Training, calibration and prediction all decode here, so that a network is used on images that
went through the same steps as its training images.

Every input becomes 8-bit RGB in the same way:

- The EXIF orientation is applied.
- 16-bit grey keeps its high byte, as Pillow does for 16-bit colour; or the high bits of the bit
  depth in the manifest.
- A colour profile is converted to sRGB (`galaxy_edge.inputs.icc`).
- TIFF layouts that Pillow misreads are decoded here or refused (`galaxy_edge.inputs.tiff`).
- Pillow converts grey, palette, CMYK, YCbCr and LAB.
- Transparency is laid over black, the colour of the sky.
- An animation gives its first frame.
- FITS is stretched as the manifest says (`galaxy_edge.inputs.stretch`).

Modules for rare inputs are imported when the first one comes: each would make every start slower.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.content import Opened
from galaxy_edge.inputs.formats import PILLOW, TIFF_STARTS
from galaxy_edge.inputs.limits import check_size
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.inputs.source import Content, Source, Stamp, Stamps

Pixels: TypeAlias = npt.NDArray[np.uint8]

#: A content that is ready to be read.
_Open: TypeAlias = Opened | Image.Image | npt.NDArray[np.generic] | Stamp

#: Pillow's filters by the names of `Preprocessing.resize`.
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """The result of decoding a source.

    Attributes:
        pixels: uint8 (size, size, 3), RGB, 0 to 255; or the error if it could not be decoded.
        sha256: digest of its bytes, or of the pixels of an array or PIL image, in C order; None
            if it was not requested, or if the bytes could not be read.
        notes: sentences for the user about how it was read.
    """

    pixels: Pixels | ImageError
    sha256: str | None = None
    notes: tuple[str, ...] = ()


def decode(source: Source | Content, preprocessing: Preprocessing) -> Pixels:
    """Turn a source into the network's input.

    Args:
        source: a `Source`, or the content of one.
        preprocessing: the steps, from a model's manifest or a training configuration.

    Returns:
        uint8 (size, size, 3), RGB, 0 to 255.

    Raises:
        ImageError: the source is missing, unreadable, truncated, too large or not an image.
    """
    pixels = decoded(source, preprocessing).pixels
    if isinstance(pixels, ImageError):
        raise pixels
    return pixels


def decoded(
    source: Source | Content, preprocessing: Preprocessing, *, digest: bool = False
) -> Decoded:
    """Turn a source into the network's input, and return an error instead of raising it.

    Args:
        source: as for `decode`.
        preprocessing: as for `decode`.
        digest: compute the SHA-256 of the decoded bytes.
    """
    sha256 = None
    try:
        with _faults_as_image_errors(), _open(source) as content:
            if digest:
                sha256 = _sha256(content)
            notes: list[str] = content.notes if isinstance(content, Opened) else []
            pixels = fit(_rgb(content, preprocessing.stretch, notes), preprocessing)
            return Decoded(pixels, sha256, tuple(notes))
    except ImageError as error:
        return Decoded(error, sha256)


def read(source: Source | Content, stretch: Stretch | None = None) -> Image.Image:
    """Read a source as an 8-bit RGB image of its own size.

    Args:
        source: as for `decode`.
        stretch: how FITS images become RGB; by default `Stretch()`.

    Raises:
        ImageError: as for `decode`.
    """
    with _faults_as_image_errors(), _open(source) as content:
        return _rgb(content, stretch or Stretch(), [])


def fit(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """Bring an RGB image to the network's size.

    Returns:
        uint8 (size, size, 3), RGB.
    """
    gap = preprocessing.reducing_gap
    if (limit := preprocessing.working_size) is not None:
        working = (min(image.width, limit), min(image.height, limit))
        if working != image.size:
            image = image.resize(working, Image.Resampling.LANCZOS, reducing_gap=gap)
    size = (preprocessing.size, preprocessing.size)
    if image.size != size:
        image = image.resize(size, FILTERS[preprocessing.resize], reducing_gap=gap)
    return np.array(image, dtype=np.uint8)


@contextmanager
def _open(given: Source | Content) -> Iterator[_Open]:
    source = Source.of(given)
    if isinstance(source.content, ImageError):
        raise source.content
    if isinstance(source.content, (np.ndarray, Image.Image, Stamp)):
        yield source.content
    else:
        stamps = isinstance(source.content, Stamps)
        banded = isinstance(source.content, tuple) and not (stamps and len(source.files) == 1)
        with Opened(source.files, banded=banded, stamps=stamps) as opened:
            yield opened


def _sha256(content: _Open) -> str:
    if isinstance(content, Opened):
        return content.sha256()
    if isinstance(content, (np.ndarray, Stamp)):
        array = content.pixels if isinstance(content, Stamp) else content
        return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return hashlib.sha256(content.tobytes()).hexdigest()


def _rgb(content: _Open, stretch: Stretch, notes: list[str]) -> Image.Image:
    if isinstance(content, np.ndarray):
        return _from_array(content)
    if isinstance(content, Stamp):
        from galaxy_edge.inputs import stamp

        return stamp.rgb(content, stretch, notes)
    if isinstance(content, Image.Image):
        return _from_image(content, stretch.bit_depth, notes)
    if content.banded or content.stamps:
        _check_bands(content)
    if content.fits[0]:
        return _from_fits(content, stretch)
    return _from_file(content.streams[0], stretch.bit_depth, notes)


def _from_file(file: BinaryIO, bit_depth: int, notes: list[str]) -> Image.Image:
    start = file.read(4)
    file.seek(0)
    if start in TIFF_STARTS:
        from galaxy_edge.inputs import tiff

        with tiff.read(file, bit_depth, notes) as image:
            return _to_rgb(image, bit_depth, notes)
    try:
        opened = Image.open(file, formats=PILLOW)
    except UnidentifiedImageError as error:
        from galaxy_edge.inputs.unidentified import unidentified

        raise unidentified(file) from error
    with opened as image:
        return _to_rgb(image, bit_depth, notes)


def _from_image(image: Image.Image, bit_depth: int, notes: list[str]) -> Image.Image:
    if image.format == "TIFF":
        from galaxy_edge.inputs import tiff

        tiff.check_given(image)
    return _to_rgb(image, bit_depth, notes)


def _from_array(array: npt.NDArray[np.generic]) -> Image.Image:
    grey = array.ndim == 2
    colour = array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (grey or colour) or array.size == 0:
        raise ImageError(
            f"not an image: an array must be uint8 (H, W, 3) or (H, W), not {array.dtype} "
            f"{array.shape}"
        )
    check_size(array.shape[1], array.shape[0])
    image = Image.fromarray(np.ascontiguousarray(array))
    return image if colour else image.convert("RGB")


def _check_bands(content: Opened) -> None:
    if content.banded and len(content.streams) != 3:
        raise ImageError(f"not an image: three bands are needed, not {len(content.streams)}")
    for place, fits in enumerate(content.fits):
        if not fits and content.banded:
            raise ImageError(
                f"not an image: each of three files must be FITS; the {content.names[place]} one "
                "is not"
            )
        if not fits:
            raise ImageError("not an image: a stamp must be FITS")


def _from_fits(content: Opened, stretch: Stretch) -> Image.Image:
    from galaxy_edge.inputs.fits_import import fits_reader

    return Image.fromarray(fits_reader().rgb(content, stretch))


def _to_rgb(image: Image.Image, bit_depth: int, notes: list[str]) -> Image.Image:
    check_size(image.width, image.height)
    raw_mode = _raw_mode(image)
    # Load the pixels before the EXIF data, whose errors are ignored: Pillow reports damaged pixels
    # of a TIFF only once, and then returns what it could read.
    image.load()
    if "transparency" in image.info:
        from galaxy_edge.inputs.colour_key import correct_key

        correct_key(image, raw_mode)
    oriented = _upright(image)
    if ";16" in raw_mode and oriented.mode in ("RGB", "RGBA"):
        _check_colour_depth(oriented, bit_depth, notes)
    if oriented.mode.startswith("I;16"):
        oriented = _from_16_bits(oriented, 12 if raw_mode == "I;12" else bit_depth, notes)
    if oriented.mode in ("I", "F"):
        raise ImageError(
            "not an 8- or 16-bit image: 32-bit pixels have no agreed range, so stretch it to "
            "8 bits first"
        )
    if isinstance(profile := image.info.get("icc_profile"), bytes) and profile:
        from galaxy_edge.inputs.icc import to_srgb

        oriented = to_srgb(oriented, profile, notes)
    if oriented.has_transparency_data:
        colour = oriented.convert("RGBA")
        sky = Image.new("RGBA", colour.size, (0, 0, 0, 255))
        return Image.alpha_composite(sky, colour).convert("RGB")
    # Pillow would copy an image that is RGB already.
    return oriented if oriented.mode == "RGB" else oriented.convert("RGB")


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name for the layout of the pixels in the file; empty if they are loaded."""
    for tile in getattr(image, "tile", ()):
        args = tile[3]
        name = args[0] if isinstance(args, tuple) and args else args
        return name if isinstance(name, str) else ""
    return ""


def _from_16_bits(image: Image.Image, bit_depth: int, notes: list[str]) -> Image.Image:
    """16-bit grey as 8-bit grey, black where it is transparent."""
    from galaxy_edge.inputs.depth import eight_bits

    values = np.asarray(image).astype(np.uint16)
    pixels = eight_bits(values, bit_depth, notes)
    if isinstance(key := image.info.get("transparency"), int):
        pixels[values == key] = 0
    return Image.fromarray(pixels)


def _check_colour_depth(image: Image.Image, bit_depth: int, notes: list[str]) -> None:
    """Pillow has kept the high bytes of 16-bit colour; the low ones are gone."""
    if bit_depth != 16:
        raise ImageError(
            f"not supported: 16-bit colour with a bit depth of {bit_depth} (--bit-depth), which "
            "is for 16-bit grey; use 16, or save the image with 8 bits"
        )
    from galaxy_edge.inputs.depth import note_small_range

    brightest = int(np.asarray(image)[..., :3].max())
    note_small_range(brightest << 8 | 255 if brightest else 0, notes)


def _upright(image: Image.Image) -> Image.Image:
    try:
        # Most images are upright, and transposing would copy them.
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    # Damaged EXIF data do not affect the pixels; an image of unknown orientation is left unchanged.
    except Exception:  # noqa: BLE001 - Pillow raises nearly anything for damaged data
        return image


@contextmanager
def _faults_as_image_errors() -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError("missing: the file does not exist") from error
    except PermissionError as error:
        raise ImageError("not readable: permission denied") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"too large: {error}") from error
    except MemoryError as error:
        raise ImageError("too large: it does not fit into memory") from error
    except OSError as error:
        # Pillow's words for what libtiff reports; older versions give only the number.
        if re.fullmatch(r"(decoder error )?-\d+", str(error)):
            raise ImageError(
                "damaged or truncated: the compressed pixels cannot be decoded"
            ) from error
        if error.errno is None:  # Pillow's own: the data end too soon
            raise ImageError(f"damaged or truncated: {error}") from error
        raise ImageError(f"not readable: {error.strerror}") from error
    # Pillow's plugins raise nearly anything for damaged data (OSError, SyntaxError, ValueError,
    # struct.error, zlib.error, ...), and one damaged file must not stop the others.
    except Exception as error:
        raise ImageError(f"damaged or truncated: {error}") from error
