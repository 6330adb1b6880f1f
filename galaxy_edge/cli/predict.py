"""``galaxy-edge predict``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TextIO

import typer

from galaxy_edge.cli.options import Device
from galaxy_edge.errors import UsageError


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS",
            help="Images, folders, patterns, or - for a list of paths on stdin.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option("-m", "--model", help="Model file.", show_default="the bundled one"),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Take the folders below a folder, too.")
    ] = False,
    device: Device = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(help="A score above it is the positive class.", show_default="the model's"),
    ] = None,
    form: Annotated[
        Literal["table", "jsonl", "csv"] | None,
        typer.Option(
            "--format", help="Of the rows.", show_default="by OUTPUT's suffix, else table"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to.", show_default="stdout")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images scored at once.")] = 32,
    threads: Annotated[
        int | None,
        typer.Option(
            help="At most so many, for inference and decoding.", show_default="the cores at hand"
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Classify galaxy cutouts.

    Every input gets a row, in order; one that cannot be read gets its reason and no score, and
    makes the exit code 1. Rows go to stdout, everything else to stderr.
    """
    from galaxy_edge.predictor import Predictor
    from galaxy_edge.results import writer
    from galaxy_edge.sources import expand

    form = form or _format_of(output)
    _check_spares(output, [*paths, *([str(model)] if model else [])])
    predictor = Predictor(
        model, device=device, threads=threads, threshold=threshold, batch_size=batch_size
    )
    total = failed = positive = 0
    with _opened(output) as stream, _ticking(stream, quiet=quiet) as tick:
        rows = writer(form, stream, predictor.manifest.labels, colour=_colourful(stream))
        inputs = expand(paths, sys.stdin.buffer, recursive=recursive)
        for prediction in predictor.predict_many(inputs):
            rows.write(prediction)
            total += 1
            failed += prediction.status == "error"
            positive += prediction.label == predictor.manifest.labels[1]
            tick()
    if not quiet:
        negative_name, positive_name = predictor.manifest.labels
        print(
            f"{total} images: {total - failed - positive} {negative_name}, {positive} "
            f"{positive_name}, {failed} failed ({predictor.provider})",
            file=sys.stderr,
        )
    if failed:
        raise typer.Exit(1)


def _format_of(output: Path | None) -> Literal["table", "jsonl", "csv"]:
    match output.suffix.lower() if output else "":
        case "" | ".txt":
            return "table"
        case ".jsonl":
            return "jsonl"
        case ".csv":
            return "csv"
    raise UsageError(f"the suffix of {output} names no format; use .jsonl, .csv, or --format")


def _check_spares(output: Path | None, paths: list[str]) -> None:
    """Refuse an output that is one of the inputs: opening it would empty it."""
    if output is None or not output.exists():
        return
    for path in paths:
        if os.path.exists(path) and output.samefile(path):  # noqa: PTH110 - never raises
            raise UsageError(f"the output {output} is an input, too, and would be lost")


def _colourful(stream: TextIO) -> bool:
    # https://no-color.org
    return stream.isatty() and not os.environ.get("NO_COLOR")


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        # File names leave as the bytes they came in as, whatever the locale; a row leaves when it
        # is known, whoever reads.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", line_buffering=True)
        yield sys.stdout
        return
    try:
        stream = output.open(
            "w", buffering=1, encoding="utf-8", errors="surrogateescape", newline=""
        )
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    try:
        with stream:
            yield stream
    except OSError as error:
        # A full disk does not say whose.
        error.filename = error.filename or str(output)
        raise


@contextmanager
def _ticking(stream: TextIO, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Count images on stderr, when a person watches there and the rows go elsewhere."""
    if quiet or not sys.stderr.isatty() or stream.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.completed} images"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda: bar.advance(task)
