"""``galaxy-edge predict``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.options import (
    Bands,
    BatchSize,
    Device,
    Minimum,
    Model,
    Softening,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.cli.ticking import ticking
from galaxy_edge.errors import UsageError

if TYPE_CHECKING:
    from galaxy_edge.inputs.shards import Shard
    from galaxy_edge.outputs.resume import Earlier

_LARGE = "Large and long jobs"


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS",
            help="Images, folders, patterns, or - for a list of paths on stdin.",
        ),
    ],
    model: Model = None,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Take the folders below a folder, too.")
    ] = False,
    device: Device = "auto",
    threshold: Threshold = None,
    form: Annotated[
        Literal["table", "jsonl", "csv", "parquet", "fits"] | None,
        typer.Option(
            "--format", help="Of the rows.", show_default="by OUTPUT's suffix, else table"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to.", show_default="stdout")
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Give each row the SHA-256 of its input.")
    ] = False,
    batch_size: BatchSize = 32,
    threads: Threads = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep the rows that OUTPUT has, and add those missing.",
            rich_help_panel=_LARGE,
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER/COUNT",
            help="Take one of COUNT disjoint shares of the inputs, 1/COUNT to COUNT/COUNT.",
            rich_help_panel=_LARGE,
        ),
    ] = None,
    bands: Bands = None,
    stretch: StretchRange = None,
    q: Softening = None,
    minimum: Minimum = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Classify galaxy cutouts.

    Every input gets a row, in order; one that cannot be read gets its reason and no score, and
    makes the exit code 1. Rows go to stdout, everything else to stderr. FITS images are stretched
    as the model says, unless an option says otherwise.
    """
    from galaxy_edge.inputs.paths import expand
    from galaxy_edge.inputs.shards import Shard
    from galaxy_edge.outputs.output import form_of, opened
    from galaxy_edge.outputs.resume import Origin
    from galaxy_edge.predictor import Predictor

    form = form or form_of(output)
    if digest and form == "table":
        raise UsageError("a table has no column for --digest; take --format jsonl or csv, or -o")
    share = None if shard is None else Shard.parse(shard)
    parsing.check_spares(output, [*paths, *([str(model)] if model else [])])
    predictor = Predictor(
        model,
        device=device,
        threads=threads,
        threshold=threshold,
        batch_size=batch_size,
        stretch=parsing.stretch(bands, minimum, stretch, q),
        digest=digest,
    )
    for note in predictor.notes:
        print(f"galaxy-edge: {note}", file=sys.stderr)
    negative_name, positive_name = predictor.manifest.labels
    origin = Origin(predictor.manifest.labels, predictor.sha256, predictor.threshold, digest)
    # Rows on a terminal are progress enough.
    shown = not quiet and not (output is None and sys.stdout.isatty())
    with opened(output, form, origin, resuming=resume) as rows, ticking(shown=shown) as tick:
        earlier = rows.earlier
        total, failed, positive = earlier.total, earlier.failed, earlier.positive
        found = expand(paths, sys.stdin.buffer, recursive=recursive)
        found = (path for path in found if not _is_output(path, output))
        inputs = _inputs(found, predictor.preprocessing.stretch.bands, share, rows.earlier)
        for prediction in predictor.predict_many(inputs):
            rows.writer.write(prediction)
            total += 1
            failed += prediction.status == "error"
            positive += prediction.label == positive_name
            tick()
    if not quiet:
        before = f"{earlier.total} of them earlier, " if earlier.total else ""
        print(
            f"{total} images: {before}{total - failed - positive} {negative_name}, {positive} "
            f"{positive_name}, {failed} failed ({predictor.provider})",
            file=sys.stderr,
        )
    if failed:
        raise typer.Exit(1)


def _inputs(
    paths: Iterable[str | None],
    bands: tuple[str, str, str] | None,
    share: Shard | None,
    earlier: Earlier,
) -> Iterator[str | tuple[str, str, str] | None]:
    """The inputs to be scored: bands put together, of our share, and without a row so far."""
    from galaxy_edge.inputs.bands import braced, grouped

    for source in paths if bands is None else grouped(paths, bands):
        if source is not None:
            path = source if isinstance(source, str) else braced(source)
            if (share is not None and not share.has(path)) or earlier.has(path):
                continue
        yield source


def _is_output(path: str | None, output: Path | None) -> bool:
    """Whether a path, of a folder say, is where the rows go."""
    if path is None or output is None or Path(path).name != output.name:
        return False
    return os.path.exists(path) and output.exists() and output.samefile(path)  # noqa: PTH110
