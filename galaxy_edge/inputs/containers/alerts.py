"""Alert packets of ZTF and Rubin in Avro files (the extra ``alerts``).

An alert has three stamps, each the bytes of a FITS file, perhaps compressed with gzip: the science
image, the template, and their difference. ZTF has them in ``cutoutScience.stampData``, Rubin in
``cutoutScience``, and so on.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import fastavro

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.containers.layout import Layout, Only
from galaxy_edge.inputs.content import check_file
from galaxy_edge.inputs.kept import identifier
from galaxy_edge.inputs.source import Source, Stamps

#: The stamps of a triplet, in the order of its channels.
TRIPLET = ("science", "template", "difference")
#: Where an alert has its identifier: that of ZTF, and that of Rubin.
_IDENTIFIERS = ("candid", "diaSourceId")

Alert = Mapping[str, Any]


def packets(
    path: str,
    layout: Layout,
    bands: Bands | None = None,  # noqa: ARG001
    only: Only = None,
) -> Iterator[Source]:
    """The alerts of an Avro file, in its order.

    Args:
        path: the file.
        layout: which stamps are taken; columns are fields, such as ``candidate.magpsf``.
        bands: unused; a stamp has one band.
        only: the alerts to return.

    Raises:
        ImageError: the file has no bytes, or contains no alert.
        Exception: the file is damaged; the alerts before the damage come first.
    """
    check_file(Path(path))
    with Path(path).open("rb") as file:
        yield from alerts(file, path, layout, only)


def alerts(
    file: IO[bytes] | bytes, path: str, layout: Layout, only: Only = None
) -> Iterator[Source]:
    """The alerts in an Avro file that is open or in memory, as `packets`."""
    stream = io.BytesIO(file) if isinstance(file, bytes) else file
    place = -1
    for place, alert in enumerate(fastavro.reader(stream)):
        if only is None or place in only:
            yield _source(alert, f"{path}#{place}", layout)
    if place < 0:
        raise ImageError("no alert is in it")


def bare_alert(content: bytes, schema: Any, path: str, layout: Layout) -> Source:
    """The alert in a record without its schema.

    Args:
        content: the record, in Avro's binary encoding.
        schema: the one that it was written with, from `read_schema`.
        path: where the record is.
        layout: as for `packets`.

    Raises:
        Exception: the record was written with another schema.
    """
    stream = io.BytesIO(content)
    alert = fastavro.schemaless_reader(stream, schema, None)
    if stream.read(1):
        raise ImageError("damaged, or written with another schema: bytes are left after its end")
    return _source(alert, path, layout)


def read_schema(path: Path) -> Any:
    """Read a schema; types that it only names are in files beside it (``lsst.v7_4.alert.avsc``).

    Raises:
        UsageError: it cannot be read, or is no schema.
    """
    try:
        return fastavro.schema.load_schema(str(path))
    except OSError:
        raise
    # fastavro raises nearly anything.
    except Exception as error:
        raise UsageError(f"{path} cannot be read as an Avro schema: {error}") from error


def _source(alert: Any, path: str, layout: Layout) -> Source:
    key: str | None = None
    kept: dict[str, Any] = dict.fromkeys(layout.keep)
    try:
        if not isinstance(alert, Mapping):
            raise ImageError("not an alert: its record has no fields")  # noqa: TRY301
        key = _identifier(alert, layout.id_column)
        kept = {name: _field(alert, name) for name in layout.keep}
        names = TRIPLET if layout.cutout == "triplet" else (layout.cutout or TRIPLET[0],)
        return Source(Stamps(_stamp(alert, name) for name in names), key, path, kept)
    except ImageError as error:
        return Source(error, key, path, kept)


def _identifier(alert: Alert, column: str | None) -> str | None:
    if column is not None:
        return identifier(_field(alert, column))
    for name in _IDENTIFIERS:
        if alert.get(name) is not None:
            return identifier(alert[name])
    raise ImageError(
        f"not an alert of ZTF or Rubin: it has neither {' nor '.join(_IDENTIFIERS)}; it has "
        f"{', '.join(alert)}"
    )


def _stamp(alert: Alert, name: str) -> bytes:
    field = f"cutout{name.capitalize()}"
    stamp = alert.get(field)
    if isinstance(stamp, Mapping):
        stamp = stamp.get("stampData")
    if not isinstance(stamp, bytes) or not stamp:
        raise ImageError(f"no stamp: the alert has no {field}")
    return stamp


def _field(alert: Alert, name: str) -> Any:
    """A field by its name, with dots between a record and its fields."""
    value: Any = alert
    for part in name.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping) or part not in value:
            has = ", ".join(value) if isinstance(value, Mapping) else "no fields"
            raise ImageError(f"there is no field {name}: at {part}, it has {has}")
        value = value[part]
    return value
