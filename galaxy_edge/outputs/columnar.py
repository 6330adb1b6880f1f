"""Tables that are written whole: Parquet (the extra ``parquet``) and FITS (the extra ``fits``).

Rows come from a journal on disk and go in blocks, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from galaxy_edge.errors import UsageError
from galaxy_edge.files import replacing
from galaxy_edge.results import COLUMNS

Form: TypeAlias = Literal["parquet", "fits"]
Row: TypeAlias = dict[str, Any]
#: Makes a new pass over the rows.
Rows: TypeAlias = Callable[[], Iterator[Row]]

_BLOCK = 10_000
#: Columns that are no text: their NumPy type, big-endian as FITS has it, and FITS's name for it.
_NUMBERS = {"score": (">f4", "E"), "threshold": (">f8", "D")}


def check(form: Form) -> None:
    """Refuse a format whose library is missing, before hours of work depend on it.

    Raises:
        UsageError: it is not installed.
    """
    with _installed(form):
        if form == "parquet":
            import pyarrow.parquet  # noqa: F401
        else:
            import astropy.io.fits  # noqa: F401


def stored(text: str, form: Form) -> str:
    r"""Text as the format can hold it; what it cannot is escaped (``\xff``, ``\udcff``).

    Parquet takes any Unicode, but file names may be none. FITS takes printable ASCII, and drops
    spaces at the end. Escaping what is escaped changes nothing.
    """
    if form == "parquet":
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    ascii_only = text.encode("ascii", "backslashreplace").decode("ascii")
    kept = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in ascii_only)
    return kept[:-1] + "\\x20" if kept.endswith(" ") else kept


def is_table(path: Path) -> bool:
    """Whether a FITS file is a table of ours, as its second header says."""
    with path.open("rb") as file:
        return b"EXTNAME = 'RESULTS " in file.read(4 * 2880)


def write(path: Path, form: Form, rows: Rows) -> None:
    """Write a table, whole or not at all."""
    with replacing(path) as temporary:
        (_write_parquet if form == "parquet" else _write_fits)(temporary, rows)


def read(path: Path, form: Form) -> Iterator[Row]:
    """The rows of a table.

    Raises:
        UsageError: it is no such table.
    """
    try:
        yield from (_read_parquet if form == "parquet" else _read_fits)(path)
    # Both libraries raise nearly anything for a file that is something else.
    except Exception as error:
        raise UsageError(f"it is no {form} table of results: {error}") from error


def _write_parquet(path: Path, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"score": pa.float32(), "threshold": pa.float64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for block in _blocks(rows()):
            texts = [
                {name: _text(value, "parquet") for name, value in row.items()} for row in block
            ]
            file.write_table(pa.Table.from_pylist(texts, schema))


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BLOCK, columns=list(COLUMNS)):
            for row in batch.to_pylist():
                # The shortest decimal of a float32, as everywhere.
                score = row["score"]
                yield row | {"score": None if score is None else float(str(np.float32(score)))}


def _write_fits(path: Path, rows: Rows) -> None:
    from astropy.io import fits

    # Text has a fixed width in FITS, and the number of rows comes first.
    widths = dict.fromkeys((name for name in COLUMNS if name not in _NUMBERS), 1)
    count = 0
    for row in rows():
        count += 1
        for name in widths:
            widths[name] = max(widths[name], len(_text(row[name], "fits") or ""))
    kinds = [
        (name, *_NUMBERS.get(name, (f"S{widths.get(name)}", f"{widths.get(name)}A")))
        for name in COLUMNS
    ]
    dtype = np.dtype([(name, kind) for name, kind, _ in kinds])
    columns = [fits.Column(name=name, format=form) for name, _, form in kinds]
    header = fits.BinTableHDU.from_columns(columns, name="RESULTS").header
    header["NAXIS2"] = count
    path.unlink()
    stream = fits.StreamingHDU(path, header)
    for block in _blocks(rows()):
        table = np.zeros(len(block), dtype)
        for place, row in enumerate(block):
            for name in COLUMNS:
                value = row[name]
                if name in _NUMBERS:
                    table[name][place] = np.nan if value is None else value
                else:
                    table[name][place] = (_text(value, "fits") or "").encode("ascii")
        stream.write(table.view(np.uint8))
    stream.close()


def _read_fits(path: Path) -> Iterator[Row]:
    from astropy.io import fits

    with fits.open(path, memmap=True) as hdus:
        table = hdus["RESULTS"].data
        for start in range(0, len(table), _BLOCK):
            columns = {name: table[name][start : start + _BLOCK].tolist() for name in COLUMNS}
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(COLUMNS, values, strict=True))
                score = np.float32(row["score"])
                row["score"] = None if np.isnan(score) else float(str(score))
                yield {name: None if value == "" else value for name, value in row.items()}


def _text(value: Any, form: Form) -> Any:
    return stored(value, form) if isinstance(value, str) else value


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    todo = iter(rows)
    while block := list(islice(todo, _BLOCK)):
        yield block


@contextmanager
def _installed(form: Form) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a {form} table needs {error.name}, which is not installed: "
            f"pip install 'galaxy-edge[{form}]'"
        ) from error
    except OSError as error:
        # Astropy reads a configuration, and without a home it may enter it fails.
        raise UsageError(
            f"a {form} table cannot be written: its library does not start here: {error}; set HOME "
            "to a folder that can be written to"
        ) from error
