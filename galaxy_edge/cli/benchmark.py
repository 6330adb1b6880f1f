"""``galaxy-edge benchmark``."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.options import BatchSize, Device, Model, Threads
from galaxy_edge.errors import UsageError

#: Maximum of --batch-size.
_LARGEST_BATCH = 1024


def benchmark(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGES]...",
            help="Images, folders or patterns to measure with.",
            show_default="images drawn by the program",
        ),
    ] = None,
    model: Model = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A.onnx B.onnx", help="Compare the speed of two model files."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    batch_size: BatchSize = 32,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=8192,
            help="Width and height of drawn images, pixels.",
            show_default="the model's input size",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, max=3600, help="Approximate duration, seconds.")
    ] = 20,
    document: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Also write a JSON document to this file; - for stdout."
        ),
    ] = None,
) -> None:
    """Measure how fast a model file runs on this machine.

    Measures one image after another (single-stream), all images at once (offline), a cold start,
    and the memory used. The file is checked first, as in `verify`. If scores differ from those
    recorded at export, it is not measured (exit code 3).
    """
    from dataclasses import asdict

    from galaxy_edge.benchmark.compare import compare as compare_files
    from galaxy_edge.benchmark.measurement import measure
    from galaxy_edge.benchmark.report import table
    from galaxy_edge.benchmark.subject import Subject
    from galaxy_edge.files import replacing
    from galaxy_edge.outputs.text import printable

    def note(text: str) -> None:
        print(f"galaxy-edge: {printable(text)}", file=sys.stderr)

    if not 1 <= batch_size <= _LARGEST_BATCH:
        raise UsageError(f"--batch-size must be 1 to {_LARGEST_BATCH}, not {batch_size}")
    if seconds != seconds:  # noqa: PLR0124 - NaN passes every range check
        raise UsageError("--seconds must be a number, not NaN")
    if compare is not None and model is not None:
        raise UsageError("--compare already names both model files; omit --model")
    models = compare or (model,)
    subjects = [Subject(path, device, threads, batch_size) for path in models]
    to_stdout = document == Path("-")
    place = None if to_stdout else document
    parsing.check_not_an_input(place, [*(images or []), *(str(path) for path in models if path)])
    if sys.stderr.isatty():
        print(f"galaxy-edge: measuring for about {seconds:.0f} s", file=sys.stderr)
    # Open the output first, so that one that cannot be written fails before the measurement.
    with replacing(place) if place else nullcontext() as temporary:
        found = (
            measure(subjects[0], images or [], image_size, seconds, note)
            if compare is None
            else compare_files((subjects[0], subjects[1]), images or [], image_size, seconds, note)
        )
        text = json.dumps(asdict(found), indent=2)
        if temporary is not None:
            temporary.write_text(text + "\n", encoding="utf-8")
    typer.echo(text if to_stdout else table(found))
