"""Write and read tables: Parquet (the extra ``parquet``) and FITS (the extra ``fits``).

A table is written at once, from a journal on disk and in blocks of rows, so that memory does not
grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from galaxy_edge.errors import UsageError
from galaxy_edge.files import replacing
from galaxy_edge.outputs.kept import MISSING, Kind, as_kind, kinds_of
from galaxy_edge.results import Row, is_number

Form: TypeAlias = Literal["parquet", "fits"]
#: Starts a new pass over the rows.
Rows: TypeAlias = Callable[[], Iterator[Row]]

_BLOCK = 10_000
_FITS_BLOCK = 2880
#: Of a FITS table: the most columns, and the longest name that fits a header card.
_FITS_COLUMNS, _FITS_NAME = 999, 66
#: The only column in double precision: users give a threshold in decimals.
_DOUBLE = "threshold"


def check(form: Form, names: Sequence[str]) -> None:
    """Check that a format can be written, before hours of work depend on it.

    Args:
        form: the format.
        names: of the columns.

    Raises:
        UsageError: its library is not installed or cannot start, or it cannot hold the columns.
    """
    if form == "fits":
        _check_columns([stored(name, form) for name in names])
    with _installed(form):
        if form == "parquet":
            import pyarrow.parquet  # noqa: F401
        else:
            import astropy.io.fits  # noqa: F401


def _check_columns(names: Sequence[str]) -> None:
    remedy = "choose another format, such as Parquet"
    if len(names) > _FITS_COLUMNS:
        raise UsageError(
            f"a FITS table has at most {_FITS_COLUMNS} columns, not {len(names)}; {remedy}"
        )
    for name in names:
        if len(name) > _FITS_NAME:
            raise UsageError(f"the column {name} is too long a name for a FITS table; {remedy}")
    # Readers of FITS do not tell upper from lower case.
    if len({name.casefold() for name in names}) < len(names):
        raise UsageError(
            "a FITS table cannot tell these columns apart, which differ in case or in letters "
            f"beyond ASCII: {', '.join(names)}; {remedy}"
        )


def stored(text: str, form: Form) -> str:
    r"""Escape the characters that a format cannot hold (``\xff``, ``\udcff``).

    Parquet holds any Unicode, but a file name may not be valid Unicode. FITS holds printable ASCII
    and drops spaces at the end. Escaping twice changes nothing.
    """
    if form == "parquet":
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    ascii_only = text.encode("ascii", "backslashreplace").decode("ascii")
    kept = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in ascii_only)
    return kept[:-1] + "\\x20" if kept.endswith(" ") else kept


def is_table(path: Path) -> bool:
    """Whether a FITS file is a table written here, according to its second header."""
    with path.open("rb") as file:
        file.seek(_FITS_BLOCK)  # the first header is one block
        # Two cards a column come before the name, and 999 columns are the most.
        for _ in range(2 * _FITS_COLUMNS * 80 // _FITS_BLOCK + 2):
            block = file.read(_FITS_BLOCK)
            cards = [block[start : start + 80] for start in range(0, len(block), 80)]
            if any(card.startswith(b"EXTNAME = 'RESULTS ") for card in cards):
                return True
            if not block or any(card.startswith(b"END ") for card in cards):
                return False
    return False


def write(
    path: Path, form: Form, names: Sequence[str], rows: Rows, kept: Sequence[str] = ()
) -> None:
    """Write a table, whole or not at all.

    Args:
        path: the file.
        form: its format.
        names: names of the columns, in order.
        rows: starts a pass over the rows; FITS needs more than one, and so do kept columns.
        kept: which of the columns are the user's own; their values decide their types.
    """
    kinds = kinds_of(rows(), kept) if kept else {}
    with replacing(path) as temporary:
        (_write_parquet if form == "parquet" else _write_fits)(temporary, names, rows, kinds)


def read(path: Path, form: Form, names: Sequence[str], kept: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the rows of a table.

    Raises:
        UsageError: the file is not such a table.
    """
    try:
        yield from (_read_parquet if form == "parquet" else _read_fits)(path, names, kept)
    # Both libraries raise nearly anything for a file of another kind.
    except Exception as error:
        raise UsageError(
            f"it is not a {form} table of these results ({error}); choose another output, or leave "
            "out --resume to overwrite it"
        ) from error


def arrow(names: Sequence[str], rows: Iterable[Row], kinds: Mapping[str, Kind]) -> Any:
    """Rows as a pyarrow.Table, whose types depend on the names and the kinds only.

    Args:
        names: names of the columns, in order.
        rows: the rows.
        kinds: the types of the user's own columns.
    """
    import pyarrow as pa

    own = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}

    def kind(name: str) -> Any:
        if name in kinds:
            return own[kinds[name]]
        if not is_number(name):
            return pa.string()
        return pa.float64() if name == _DOUBLE else pa.float32()

    texts = [
        {name: _text(as_kind(row[name], kinds.get(name)), "parquet") for name in names}
        for row in rows
    ]
    return pa.Table.from_pylist(texts, pa.schema([(name, kind(name)) for name in names]))


def kept_kinds(path: Path, kept: Sequence[str]) -> dict[str, Kind | None]:
    """The types of the user's own columns in a Parquet table; None for one without any value."""
    import pyarrow.parquet as pq

    found: dict[str, Kind | None] = {}
    for name in kept:
        values = pq.read_table(path, columns=[name], partitioning=None).column(0)
        found[name] = None if values.null_count == len(values) else _kind_of(values.type)
    return found


def has_long(path: Path, name: str) -> bool:
    """Whether a column of whole numbers has some that double precision cannot hold."""
    import pyarrow.parquet as pq

    values = pq.read_table(path, columns=[name], partitioning=None).column(0).drop_null()
    return any(abs(value.as_py()) > 2**53 for value in values)


def declared_kinds(path: Path, kept: Sequence[str]) -> dict[str, Kind]:
    """The types that columns of any Parquet file have; without those that it has no type for."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    found = {name: schema.field(name).type for name in kept if schema.names.count(name) == 1}
    return {name: _kind_of(one) for name, one in found.items() if str(one) != "null"}


def _kind_of(found: Any) -> Kind:
    from pyarrow import types

    if types.is_boolean(found):
        return "bool"
    if types.is_integer(found):
        return "int"
    return "float" if types.is_floating(found) else "text"


def retype(
    path: Path, names: Sequence[str], kept: Sequence[str], kinds: Mapping[str, Kind]
) -> None:
    """Write a Parquet table again, with other types of the user's own columns.

    Args:
        path: the table.
        names: names of its columns, in order.
        kept: which of them are the user's own.
        kinds: their new types, which hold their values.
    """
    with replacing(path) as temporary:
        _write_parquet(temporary, names, lambda: _read_parquet(path, names, kept), kinds)


def _write_parquet(path: Path, names: Sequence[str], rows: Rows, kinds: Mapping[str, Kind]) -> None:
    import pyarrow.parquet as pq

    schema = arrow(names, [], kinds).schema
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for block in _blocks(rows()):
            file.write_table(arrow(names, block, kinds))


def _read_parquet(path: Path, names: Sequence[str], kept: Sequence[str]) -> Iterator[Row]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        _check_same(names, file.schema_arrow.names)
        for batch in file.iter_batches(_BLOCK):
            for row in batch.to_pylist():
                yield {
                    name: row[name] if name in kept else _read_back(name, row[name])
                    for name in names
                }


def _check_same(names: Sequence[str], found: Sequence[str]) -> None:
    if [*names] != [*found]:
        raise ValueError(f"its columns are {', '.join(found)}, not {', '.join(names)}")


def _write_fits(path: Path, names: Sequence[str], rows: Rows, kinds: Mapping[str, Kind]) -> None:
    from astropy.io import fits

    # FITS has a byte for truth values, but none for their absence.
    kinds = {name: "text" if kind == "bool" else kind for name, kind in kinds.items()}
    # In FITS, text columns have a fixed width, and the header gives the number of rows.
    widths = {
        name: 1 for name in names if not is_number(name) and kinds.get(name, "text") == "text"
    }
    count = 0
    for row in rows():
        count += 1
        for name, width in widths.items():
            widths[name] = max(width, len(_text(as_kind(row[name], kinds.get(name)), "fits") or ""))

    # NumPy's type (big-endian) and the FITS format code.
    def kind(name: str) -> tuple[str, str]:
        if name in widths:
            return f"S{widths[name]}", f"{widths[name]}A"
        if kinds.get(name) == "int":
            return ">i8", "K"
        return (">f8", "D") if name == _DOUBLE or name in kinds else (">f4", "E")

    dtype = np.dtype([(name, kind(name)[0]) for name in names])
    columns = [
        fits.Column(
            name=stored(name, "fits"),
            format=kind(name)[1],
            null=MISSING if kinds.get(name) == "int" else None,
        )
        for name in names
    ]
    header = fits.BinTableHDU.from_columns(columns, name="RESULTS").header
    header["NAXIS2"] = count
    path.unlink()
    stream = fits.StreamingHDU(path, header)
    for block in _blocks(rows()):
        table = np.zeros(len(block), dtype)
        for place, row in enumerate(block):
            for name in names:
                value = as_kind(row[name], kinds.get(name))
                if name in widths:
                    table[name][place] = (_text(value, "fits") or "").encode("ascii")
                elif kinds.get(name) == "int":
                    table[name][place] = MISSING if value is None else value
                else:
                    table[name][place] = np.nan if value is None else value
        stream.write(table.view(np.uint8))
    stream.close()


def _read_fits(path: Path, names: Sequence[str], kept: Sequence[str]) -> Iterator[Row]:
    from astropy.io import fits

    with fits.open(path, memmap=True) as hdus:
        table = hdus["RESULTS"].data
        _check_same([stored(name, "fits") for name in names], hdus["RESULTS"].columns.names)
        for start in range(0, len(table), _BLOCK):
            columns = [table[stored(name, "fits")][start : start + _BLOCK] for name in names]
            for values in zip(*(column.tolist() for column in columns), strict=True):
                yield {
                    name: _kept_back(value) if name in kept else _read_back(name, value)
                    for name, value in zip(names, values, strict=True)
                }


def _kept_back(value: Any) -> Any:
    """Undo the storage of a value of a user's own column in FITS."""
    missing = value in ("", MISSING) or value != value  # noqa: PLR0124 - NaN
    return None if missing else value


def _read_back(name: str, value: Any) -> Any:
    """Undo the storage of a value: an empty text or NaN becomes None."""
    if value is None or value == "" or (is_number(name) and np.isnan(value)):
        return None
    # The shortest decimal of the float32, as in the other formats.
    return float(str(np.float32(value))) if is_number(name) and name != _DOUBLE else value


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
        # Astropy reads its configuration from the home folder, and fails if it may not enter it.
        raise UsageError(
            f"a {form} table cannot be written, because its library cannot start: {error}; set "
            "HOME to a folder that can be written to"
        ) from error
