"""The SHA-256 of a source, so that a row can say what exactly it is a verdict on."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from PIL import Image

from galaxy_edge.inputs.formats import split_extension
from galaxy_edge.inputs.images import Source, check_file


def sha256(source: Source) -> str | None:
    """The digest of a file's bytes; of three bands, of their bytes one after the other.

    Of an array or a PIL image, which are no file, it is that of the pixels in C order. None when
    the file cannot be read: decoding it says why.
    """
    total = hashlib.sha256()
    try:
        if isinstance(source, np.ndarray):
            total.update(np.ascontiguousarray(source).tobytes())
        elif isinstance(source, Image.Image):
            total.update(source.tobytes())
        else:
            for one in source if isinstance(source, tuple) else (source,):
                if isinstance(one, bytes):
                    total.update(one)
                else:
                    _add(one, total)
    # Whatever is wrong with the source, it is the decoder that tells.
    except Exception:  # noqa: BLE001
        return None
    return total.hexdigest()


def _add(source: str | os.PathLike[str], total: hashlib._Hash) -> None:
    path = Path(split_extension(os.fspath(source))[0])
    check_file(path)
    with path.open("rb") as file:
        hashlib.file_digest(file, lambda: total)
