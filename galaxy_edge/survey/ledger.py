"""The parts that are finished: for each a table of rows and a ledger entry, both written once."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.outputs import columnar
from galaxy_edge.outputs.kept import Kind
from galaxy_edge.outputs.resume import Earlier, Origin
from galaxy_edge.results import Tally
from galaxy_edge.survey.columns import unify
from galaxy_edge.survey.identity import Identity, begin
from galaxy_edge.survey.parts import Part
from galaxy_edge.survey.store import Store
from galaxy_edge.versions import VERSION

_ROWS, _LEDGER = "rows", "ledger"
#: Entries that are read at the same time.
CONCURRENCY = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished part.

    Attributes:
        key: the part's.
        part: its name, for people.
        paths_sha256: the part's digest.
        rows_sha256: digest of the table of its rows.
        model_sha256: digest of the model.
        statuses: number of rows by status.
        labels: number of rows by label.
        version: of galaxy-edge.
    """

    key: str
    part: str
    paths_sha256: str
    rows_sha256: str
    model_sha256: str
    statuses: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    version: str = VERSION

    @property
    def tally(self) -> Tally:
        """The counts of its rows."""
        return Tally(Counter(self.statuses), Counter(self.labels))


class Ledger:
    """The finished parts in a store.

    A table of rows is written first, then the entry. If a run is killed between the two, or another
    run has finished the same part, the table that exists counts.

    Args:
        store: keeps the files.
        origin: what all rows have in common.
        identity: what all parts have in common; the first finished part writes it.
    """

    def __init__(self, store: Store, origin: Origin, identity: Identity) -> None:
        self._store = store
        self._origin = origin
        self._identity = identity
        self._begun = False

    def entry(self, part: Part) -> Entry | None:
        """The entry of a part; None if it is not finished.

        Raises:
            UsageError: the entry is of another model, or the part has changed.
        """
        content = self._store.read(_entry_name(part.key))
        if content is None:
            return None
        entry = _parsed(content, part.key, self._store)
        if entry.model_sha256 != self._origin.model_sha256:
            raise UsageError(
                f"{self._store} has rows of {part.name} from another model (SHA-256 "
                f"{entry.model_sha256[:12]}); choose another destination"
            )
        if entry.paths_sha256 != part.digest:
            raise UsageError(
                f"the source has changed since {part.key} was finished: then it was {entry.part}, "
                f"now it is {part.name} or has another size; choose another destination"
            )
        return entry

    def finish(
        self, part: Part, rows: Path, tally: Tally, declared: Mapping[str, Kind] | None = None
    ) -> Entry:
        """Keep the rows of a part, unless another run was first.

        Args:
            part: the part.
            rows: the table of its rows.
            tally: their counts.
            declared: types of kept columns in the source, for those without any value.

        Returns:
            The entry that counts.

        Raises:
            UsageError: another survey has begun in this store, or a kept column has another type.
        """
        if not self._begun:
            begin(self._store, self._identity)
            self._begun = True
        if self._origin.kept:
            unify(rows, part.name, self._store, self._origin, declared or {})
        name = _rows_name(part.key)
        if self._store.create(name, rows):
            digest = _sha256(rows)
        else:
            with self._store.local(name) as found:
                digest, tally = _sha256(found), self._counted(found)
        entry = Entry(
            part.key,
            part.name,
            part.digest,
            digest,
            self._origin.model_sha256,
            dict(tally.statuses),
            dict(tally.labels),
        )
        content = json.dumps(asdict(entry), indent=1) + "\n"
        self._store.create(_entry_name(part.key), content.encode())
        return self.entry(part) or entry

    def rows(self, entry: Entry) -> Iterator[dict[str, Any]]:
        """The rows of a finished part.

        Raises:
            UsageError: its table is missing, or has changed.
        """
        with self._store.local(_rows_name(entry.key)) as path:
            try:
                digest = _sha256(path)
            except FileNotFoundError as error:
                raise UsageError(f"{_rows_name(entry.key)} is missing in {self._store}") from error
            if digest != entry.rows_sha256:
                raise UsageError(
                    f"{_rows_name(entry.key)} in {self._store} is damaged: its SHA-256 is not that "
                    "of its ledger entry; delete both, and run the survey again"
                )
            yield from columnar.read(path, "parquet", self._origin.columns, self._origin.kept)

    def _counted(self, path: Path) -> Tally:
        earlier = Earlier(self._origin)
        for row in columnar.read(path, "parquet", self._origin.columns, self._origin.kept):
            earlier.add(row)
        earlier.tally.earlier = 0
        return earlier.tally


def entries(store: Store) -> Iterator[Entry]:
    """All entries in a store.

    Raises:
        UsageError: one is damaged.
    """
    names = [*store.names(_LEDGER)]
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        contents = pool.map(lambda name: store.read(f"{_LEDGER}/{name}"), names)
        for name, content in zip(names, contents, strict=True):
            if content is not None:
                yield _parsed(content, name.removesuffix(".json"), store)


def _parsed(content: bytes, key: str, store: Store) -> Entry:
    try:
        return Entry(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{_entry_name(key)} in {store} is damaged: {error}; delete it") from error


def _rows_name(key: str) -> str:
    return f"{_ROWS}/{key}.parquet"


def _entry_name(key: str) -> str:
    return f"{_LEDGER}/{key}.json"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
