"""Draw alert packets as ZTF and Rubin have them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

NAMES = ("Science", "Template", "Difference")
_STAMP = {
    "type": "record", "name": "cutout",
    "fields": [{"name": "fileName", "type": "string"}, {"name": "stampData", "type": "bytes"}],
}  # fmt: skip
ZTF = {
    "type": "record", "name": "alert", "namespace": "ztf",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "candid", "type": "long"},
        {"name": "label", "type": ["null", "string"], "default": None},
        {"name": "candidate", "type": {
            "type": "record", "name": "candidate",
            "fields": [{"name": "magpsf", "type": "float"}],
        }},
        {"name": "cutoutScience", "type": ["null", _STAMP], "default": None},
        {"name": "cutoutTemplate", "type": ["null", "cutout"], "default": None},
        {"name": "cutoutDifference", "type": ["null", "cutout"], "default": None},
    ],
}  # fmt: skip
RUBIN = {
    "type": "record", "name": "alert", "namespace": "lsst.v11_0",
    "fields": [
        {"name": "diaSourceId", "type": "long"},
        *[{"name": f"cutout{name}", "type": ["null", "bytes"], "default": None} for name in NAMES],
    ],
}  # fmt: skip


def pixels(seed: int, size: int = 63) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    blob = rng.uniform(100, 900) * np.exp(-np.hypot(x, y) / 2)
    return (rng.normal(200, 5, (size, size)) + blob).astype(np.float32)


def stamp(seed: int, size: int = 63, *, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    primary = fits.PrimaryHDU(pixels(seed, size))
    # Beside its stamps, Rubin has their uncertainty.
    more = [] if zipped else [fits.ImageHDU(pixels(seed + 1, size), name="UNCERT")]
    fits.HDUList([primary, *more]).writeto(file)
    return gzip.compress(file.getvalue(), mtime=0) if zipped else file.getvalue()


def ztf(number: int, *, label: str | None = None, stamps: bool = True) -> dict[str, Any]:
    alert: dict[str, Any] = {
        "objectId": f"ZTF{number}", "candid": 10**18 + number, "label": label,
        "candidate": {"magpsf": 18.5},
    }  # fmt: skip
    for place, name in enumerate(NAMES if stamps else ()):
        content = stamp(10 * number + place)
        alert[f"cutout{name}"] = {"fileName": "x.fits.gz", "stampData": content}
    return alert


def rubin(number: int, *, stamps: bool = True) -> dict[str, Any]:
    alert: dict[str, Any] = {"diaSourceId": 2 * 10**17 + number}
    for place, name in enumerate(NAMES if stamps else ()):
        alert[f"cutout{name}"] = stamp(10 * number + place, 30, zipped=False)
    return alert


def write(path: Path, schema: dict[str, Any], alerts: list[dict[str, Any]]) -> Path:
    path.write_bytes(packed(schema, alerts))
    return path


def packed(schema: dict[str, Any], alerts: list[dict[str, Any]]) -> bytes:
    import fastavro

    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(schema), alerts)
    return file.getvalue()
