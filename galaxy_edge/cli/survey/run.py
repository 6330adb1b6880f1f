"""``galaxy-edge survey run``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from galaxy_edge.cli import classifying, parsing
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.options import (
    Bands,
    BatchSize,
    BitDepth,
    Catalogue,
    Cutout,
    Device,
    Digest,
    ExitZero,
    IdColumn,
    ImageColumn,
    Keep,
    Minimum,
    Model,
    OodLimit,
    Percentiles,
    PixelColumns,
    Quiet,
    Recursive,
    Size,
    SkyColumns,
    Softening,
    StretchKind,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.errors import UsageError

if TYPE_CHECKING:
    from galaxy_edge.predictor import Predictor
    from galaxy_edge.survey.identity import Identity
    from galaxy_edge.survey.ledger import Entry
    from galaxy_edge.survey.parts import Part


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, pattern or container, as for predict, or its s3://, gs://, az:// or "
            "https:// URL; or - for a list of paths on stdin.",
        ),
    ],
    destination: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="DESTINATION",
            help="Folder of the rows, or its URL in a bucket; created if needed.",
        ),
    ],
    model: Model = None,
    part_size: Annotated[
        int, typer.Option(help="Images of a part, if they are files. A container is one part.")
    ] = 100_000,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Classify the parts in this process, or as tasks of Ray."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of a running Ray cluster, or auto.",
            show_default="a cluster is started on this machine",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER/COUNT", help="Classify one of COUNT disjoint shares of the parts."
        ),
    ] = None,
    recursive: Recursive = False,
    device: Device = "auto",
    threshold: Threshold = None,
    ood_limit: OodLimit = None,
    digest: Digest = False,
    batch_size: BatchSize = 32,
    threads: Threads = None,
    image_column: ImageColumn = None,
    id_column: IdColumn = None,
    keep: Keep = None,
    catalogue: Catalogue = None,
    size: Size = None,
    sky_columns: SkyColumns = None,
    pixel_columns: PixelColumns = None,
    cutout: Cutout = None,
    bands: Bands = None,
    stretch: StretchRange = None,
    q: Softening = None,
    minimum: Minimum = None,
    bit_depth: BitDepth = None,
    stretch_kind: StretchKind = None,
    percentiles: Percentiles = None,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
) -> None:
    """Classify a large source in parts, once each.

    Each part becomes one Parquet file of rows and one ledger entry in DESTINATION. Repeat the
    command after a kill: finished parts are not classified again. Several runs, also on several
    machines that share DESTINATION, divide the parts among themselves.
    """
    from galaxy_edge import job
    from galaxy_edge.cli.notes import Notes
    from galaxy_edge.cli.progress import ticking
    from galaxy_edge.outputs import columnar
    from galaxy_edge.results import Tally
    from galaxy_edge.survey import identity, parts, places, running
    from galaxy_edge.survey.ledger import Ledger

    layout = parsing.layout(
        image_column,
        id_column,
        parsing.names(keep),
        catalogue,
        size,
        sky_columns,
        pixel_columns,
        cutout,
    )
    if address is not None and engine != "ray":
        raise UsageError("--address belongs to --engine ray")
    share = None
    if shard is not None:
        from galaxy_edge.inputs.shards import Shard

        share = Shard.parse(shard)
    places.check_apart(source, destination)
    store = places.store(destination)
    predictor = classifying.opened_predictor(
        model,
        device=device,
        threads=threads,
        threshold=threshold,
        ood_limit=ood_limit,
        batch_size=batch_size,
        bands=bands,
        minimum=minimum,
        stretch=stretch,
        q=q,
        bit_depth=bit_depth,
        stretch_kind=stretch_kind,
        percentiles=percentiles,
        digest=digest,
    )
    mine = identity.Identity.of(source, predictor, layout, recursive=recursive, part_size=part_size)
    origin = job.origin(predictor, mine.layout.keep)
    columnar.check("parquet", origin.columns)
    paths = places.expand(source, sys.stdin.buffer, recursive=recursive, layout=mine.layout)
    found = parts.divide(paths, part_size, mine.layout, predictor.preprocessing.stretch.bands)
    identity.check(store, mine)
    ledger = Ledger(store, origin, mine)
    tally, noted = Tally(), Notes()
    with ticking(shown=not quiet) as tick:
        todo = running.unfinished(found, ledger, tally, share)
        entries: Iterator[Entry]
        if engine == "ray":
            entries = _on_ray(todo, predictor, mine, destination, address, tick)
        else:
            entries = (
                running.classify(part, predictor, mine.layout, ledger, progress=tick, note=noted)
                for part in todo
            )
        for entry in entries:
            running.add(tally, entry)
        noted.rest()
    classifying.conclude(tally, predictor, quiet=quiet, exit_zero=exit_zero)


def _on_ray(
    parts: Iterable[Part],
    predictor: Predictor,
    identity: Identity,
    destination: str,
    address: str | None,
    tick: Callable[[], None],
) -> Iterator[Entry]:
    with importing("ray"):
        from galaxy_edge.survey import ray
    for entry in ray.entries(parts, predictor, identity, destination, address):
        for _ in range(entry.tally.total):
            tick()
        yield entry
