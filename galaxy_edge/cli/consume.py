"""``galaxy-edge consume``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import classifying, parsing
from galaxy_edge.cli.notes import Notes, print_note
from galaxy_edge.cli.options import (
    BatchSize,
    BitDepth,
    Cutout,
    Device,
    Digest,
    Format,
    IdColumn,
    Keep,
    Minimum,
    Model,
    OodLimit,
    Percentiles,
    Quiet,
    Softening,
    StretchKind,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.cli.progress import ticking
from galaxy_edge.cli.stopping import stopping
from galaxy_edge.errors import UsageError


def consume(
    bootstrap: Annotated[str, typer.Option(metavar="HOST:PORT,...", help="Some of the brokers.")],
    topic: Annotated[
        list[str],
        typer.Option(help="Topic to read; may be given several times. ^... is a pattern."),
    ],
    group: Annotated[
        str, typer.Option(help="Group of consumers that share the messages and their offsets.")
    ],
    model: Model = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Output file.", show_default=False)
    ] = None,
    to_topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Write the rows to this topic, as JSON.")
    ] = None,
    properties: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Properties of librdkafka, name=value lines: security, auto.offset.reset, ...",
        ),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Avro schema of alerts that come without theirs, as from Rubin.",
            show_default=False,
        ),
    ] = None,
    form: Format = None,
    device: Device = "auto",
    threshold: Threshold = None,
    ood_limit: OodLimit = None,
    digest: Digest = False,
    batch_size: BatchSize = 32,
    threads: Threads = None,
    cutout: Cutout = None,
    id_column: IdColumn = None,
    keep: Keep = None,
    stretch: StretchRange = None,
    q: Softening = None,
    minimum: Minimum = None,
    bit_depth: BitDepth = None,
    stretch_kind: StretchKind = None,
    percentiles: Percentiles = None,
    quiet: Quiet = False,
) -> None:
    """Classify the messages of a Kafka topic: images, and packets of alerts.

    Every message gets at least one row. Its offset is committed when its rows are delivered.
    SIGTERM and Ctrl-C finish what was taken.
    """
    from galaxy_edge import job
    from galaxy_edge.inputs.kafka.connection import Connection, properties_of
    from galaxy_edge.inputs.kafka.messages import Messages
    from galaxy_edge.outputs import output as files
    from galaxy_edge.outputs import topic as topics

    if (output is None) == (to_topic is None):
        raise UsageError("rows go to a file (-o) or to a topic (--to-topic); give one of them")
    if to_topic in topic:
        raise UsageError("the rows would be read as messages; give another topic to --to-topic")
    form = form or files.form_of(output) if to_topic is None else "jsonl"
    classifying.check_columns(form, digest=digest, keep=keep)
    kept = parsing.names(keep)
    more = {} if properties is None else properties_of(properties)
    connection = Connection(bootstrap, more, print_note)
    with stopping() as stop:
        layout = parsing.layout(id_column=id_column, keep=kept, cutout=cutout)
        messages = Messages(connection, topic, group, layout=layout, schema=schema, stopped=stop)
        predictor = classifying.opened_predictor(
            model,
            device=device,
            threads=threads,
            threshold=threshold,
            ood_limit=ood_limit,
            batch_size=batch_size,
            bands=None,
            minimum=minimum,
            stretch=stretch,
            q=q,
            bit_depth=bit_depth,
            stretch_kind=stretch_kind,
            percentiles=percentiles,
            digest=digest,
        )
        origin = job.origin(predictor, kept)
        noted = Notes()
        with (
            topics.opened(connection, to_topic, origin)
            if to_topic is not None
            else files.opened(output, form, origin, resuming=form != "table") as rows,
            ticking(shown=not quiet) as tick,
        ):
            tally = job.run(messages.sources(rows.sync), predictor, rows, progress=tick, note=noted)
            noted.rest()
    classifying.conclude(tally, predictor, quiet=quiet, exit_zero=True)
    stop.exit_if_asked()
