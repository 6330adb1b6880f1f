"""What the commands that classify have in common: the predictor, the rows, and the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.notes import Notes, print_note
from galaxy_edge.cli.progress import ticking
from galaxy_edge.errors import UsageError

if TYPE_CHECKING:
    from galaxy_edge.outputs.output import Form, Output
    from galaxy_edge.predictor import Predictor
    from galaxy_edge.results import Tally


def check_columns(form: str, *, digest: bool, keep: str | None) -> None:
    """Refuse columns that a table for people does not have."""
    for option, is_given in (("--digest", digest), ("--keep", keep is not None)):
        if is_given and form == "table":
            raise UsageError(
                f"a table has no column for {option}; use --format jsonl or csv, or -o FILE.csv"
            )


def opened_predictor(
    model: Path | None,
    *,
    device: str,
    threads: int | None,
    threshold: float | None,
    ood_limit: str | None,
    batch_size: int,
    bands: str | None,
    minimum: str | None,
    stretch: str | None,
    q: float | None,
    bit_depth: int | None,
    stretch_kind: str | None,
    percentiles: str | None,
    digest: bool,
) -> Predictor:
    """Make a predictor of the options as the user wrote them, and print its notes."""
    from galaxy_edge.predictor import Predictor

    predictor = Predictor(
        model,
        device=device,
        threads=threads,
        threshold=threshold,
        ood_limit=parsing.ood_limit(ood_limit),
        batch_size=batch_size,
        stretch=parsing.stretch(bands, minimum, stretch, q, bit_depth, stretch_kind, percentiles),
        digest=digest,
    )
    for note in predictor.notes:
        print_note(note)
    return predictor


class Rows(NamedTuple):
    """Where the rows of a run go.

    Attributes:
        output: takes the rows.
        progress: called after each row.
        note: takes sentences for the user.
    """

    output: Output
    progress: Callable[[], None]
    note: Notes


@contextmanager
def opened_rows(
    path: Path | None,
    form: Form,
    predictor: Predictor,
    *,
    kept: tuple[str, ...] = (),
    resuming: bool,
    quiet: bool,
) -> Iterator[Rows]:
    """Open the output of a run, and show its progress.

    Args:
        path: the file; None for stdout.
        form: the format.
        predictor: gives the verdicts.
        kept: names of the columns that every input brings with it.
        resuming: keep the rows in the output.
        quiet: show no progress.
    """
    from galaxy_edge.job import origin
    from galaxy_edge.outputs.output import opened

    noted = Notes()
    # Rows on a terminal already show the progress.
    shown = not quiet and not (path is None and sys.stdout.isatty())
    with (
        opened(path, form, origin(predictor, kept), resuming=resuming) as output,
        ticking(shown=shown) as tick,
    ):
        yield Rows(output, tick, noted)
        noted.rest()


def conclude(tally: Tally, predictor: Predictor, *, quiet: bool, exit_zero: bool) -> None:
    """Print the summary, and exit with 1 if an input failed."""
    from galaxy_edge import job

    if not quiet:
        print(job.summary(tally, predictor), file=sys.stderr)
        if (warning := job.warning(tally)) is not None:
            print_note(warning)
    if tally.failed and not exit_zero:
        raise typer.Exit(1)
