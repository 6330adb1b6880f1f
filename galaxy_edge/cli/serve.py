"""``galaxy-edge serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import classifying
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.notes import Notes, print_note
from galaxy_edge.cli.options import (
    Bands,
    BatchSize,
    BitDepth,
    Device,
    Digest,
    Minimum,
    Model,
    OodLimit,
    Percentiles,
    Softening,
    StretchKind,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.errors import UsageError


def serve(
    model: Model = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Others than this machine's own need a token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File with the token that clients must send.", show_default=False
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let other machines in without a token.")
    ] = False,
    max_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Largest request, such as 500KB or 32MB.")
    ] = "32MB",
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="Longest time for a request to arrive, and to be answered."
        ),
    ] = 60.0,
    device: Device = "auto",
    threshold: Threshold = None,
    ood_limit: OodLimit = None,
    digest: Digest = False,
    batch_size: BatchSize = 32,
    threads: Threads = None,
    bands: Bands = None,
    stretch: StretchRange = None,
    q: Softening = None,
    minimum: Minimum = None,
    bit_depth: BitDepth = None,
    stretch_kind: StretchKind = None,
    percentiles: Percentiles = None,
) -> None:
    """Classify images over HTTP, and on a page in the browser.

    Open the address that is printed. Programs send images to /v1/predict, or use the Open
    Inference Protocol (KServe, Triton) below /v2. SIGTERM and Ctrl-C answer what was accepted, then
    exit with 0.
    """
    with importing("serve"):
        from galaxy_edge.serve import running
        from galaxy_edge.serve.limits import Limits, size
        from galaxy_edge.serve.memory import use_one_arena

    if not 0 < timeout <= 86_400:
        raise UsageError(f"--timeout must be more than 0 and at most 86400 s, not {timeout:g}")
    most = size(max_size)
    limits = Limits(body=most, bodies=8 * most, timeout=timeout)
    token = None if token_file is None else running.read_token(token_file)
    place = running.Place(host, port, token, insecure)
    use_one_arena()
    # An address in use is reported before the model is loaded.
    with running.listening(place) as opened:
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

        name = f"{predictor.name} ({predictor.provider})"
        notes = Notes()
        running.serve(
            predictor,
            opened,
            place,
            limits,
            threads=threads,
            batch_size=batch_size,
            note=notes,
            ready=lambda address: print_note(f"{name} is at {address} until Ctrl-C"),
        )
        notes.rest()
        print_note("answered everything that was accepted")
