"""``galaxy-edge benchmark``."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.options import Device
from galaxy_edge.errors import UsageError


def benchmark(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGES]...",
            help="Images, folders or patterns to measure with.",
            show_default="drawn ones",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("-m", "--model", help="Model file.", show_default="the bundled one"),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A.onnx B.onnx", help="Measure two files beside each other."),
    ] = None,
    device: Device = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            help="At most so many, for inference and decoding.", show_default="the cores at hand"
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=1024, help="At most so many images scored at once.")
    ] = 32,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=1, max=8192, help="Of drawn images, pixels.", show_default="what the model takes"
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, max=3600, help="For about so long.")] = 20,
    document: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write a JSON document, too; - for stdout."),
    ] = None,
) -> None:
    """Measure how fast a model file is on this machine.

    One image after the other (single-stream), all at once (offline), from a cold start, and how
    much memory it takes. The file proves itself first, as in `verify`; one that scores its own
    examples otherwise here is not measured (exit code 3).
    """
    from dataclasses import asdict

    from galaxy_edge.benchmark.compare import compare as beside
    from galaxy_edge.benchmark.measurement import measure
    from galaxy_edge.benchmark.report import table
    from galaxy_edge.benchmark.subject import Subject
    from galaxy_edge.files import replacing

    if seconds != seconds:  # noqa: PLR0124 - NaN is in every range
        raise UsageError("--seconds takes a number")
    if compare is not None and model is not None:
        raise UsageError("--compare names both files; leave out --model")
    models = compare or (model,)
    subjects = [Subject(path, device, threads, batch_size) for path in models]
    to_stdout = document == Path("-")
    place = None if to_stdout else document
    parsing.check_spares(place, [*(images or []), *(str(path) for path in models if path)])
    if sys.stderr.isatty():
        print(f"galaxy-edge: measuring for about {seconds:.0f} s", file=sys.stderr)
    # Opened first: nobody waits for what cannot be written.
    with replacing(place) if place else nullcontext() as temporary:
        found = (
            measure(subjects[0], images or [], image_size, seconds)
            if compare is None
            else beside((subjects[0], subjects[1]), images or [], image_size, seconds)
        )
        text = json.dumps(asdict(found), indent=2)
        if temporary is not None:
            temporary.write_text(text + "\n", encoding="utf-8")
    typer.echo(text if to_stdout else table(found))
