"""Inputs -> predictor -> output: the one loop behind `predict` and everything like it.

It skips inputs of other shards, inputs that have a row already, and the output file itself, and
counts what it writes. A new kind of input is an iterator of sources; a new kind of output is a
writer of rows; neither needs a loop of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from galaxy_edge.inputs.formats import split_extension
from galaxy_edge.inputs.source import Source
from galaxy_edge.outputs.output import Output
from galaxy_edge.outputs.resume import Origin
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Prediction, Tally

if TYPE_CHECKING:
    from galaxy_edge.inputs.shards import Shard


#: Largest share of images out of distribution that needs no explanation.
_MANY_ODD = 0.2


def origin(predictor: Predictor, kept: Sequence[str] = ()) -> Origin:
    """What the rows of a predictor have in common; an output is opened for it.

    Args:
        predictor: gives the verdicts.
        kept: names of the columns that every source brings with it, in order.
    """
    decision = predictor.decision
    return Origin(
        decision.classes,
        predictor.sha256,
        decision.threshold,
        predictor.digest,
        decision.statuses,
        tuple(kept),
        decision.ood_limit,
    )


def run(
    inputs: Iterable[Source | None],
    predictor: Predictor,
    output: Output,
    *,
    shard: Shard | None = None,
    progress: Callable[[], None] = lambda: None,
    note: Callable[[str], None] = lambda text: None,
    accept: Callable[[Prediction], bool] = lambda prediction: True,
) -> Tally:
    """Classify inputs and write a row for each, in order.

    Args:
        inputs: sources; None means that no other is available now, so that what was taken is
            finished first.
        predictor: gives the verdicts.
        output: takes the rows. Inputs whose rows it has already are skipped.
        shard: take only the inputs of this share.
        progress: called after each row.
        note: called with a sentence for the user, about how an input was read.
        accept: whether a prediction becomes a row. A live source refuses what it will give again.

    Returns:
        Counts of all rows of the output, those of an earlier run included.
    """
    tally = output.earlier.tally
    for prediction in predictor.predict_many(_wanted(inputs, output, shard)):
        if not accept(prediction):
            continue
        output.writer.write(prediction)
        tally.add(prediction.status, prediction.label)
        for text in prediction.notes:
            note(f"{prediction.id or prediction.path or 'an input'}: {text}")
        progress()
    return tally


def summary(tally: Tally, predictor: Predictor) -> str:
    """One line about a run, for people."""
    counts = [f"{tally.labels[name]} {name}" for name in predictor.decision.classes]
    counts += [
        f"{count} {status.replace('_', ' ')}"
        for status in ("uncertain", "out_of_distribution")
        if (count := tally.statuses[status])
    ]
    before = f"{tally.earlier} of them earlier, " if tally.earlier else ""
    return (
        f"{tally.total} images: {before}{', '.join(counts)}, {tally.failed} failed "
        f"({predictor.provider})"
    )


def warning(tally: Tally) -> str | None:
    """A sentence about a run in which many images are unlike the training images, or None."""
    odd, readable = tally.statuses["out_of_distribution"], tally.total - tally.failed
    if odd <= _MANY_ODD * readable:
        return None
    return (
        f"{odd / readable:.0%} of the images are out of distribution: they were made in another "
        "way than the training images (another survey, stretch, size or compression), so the "
        "model has no verdict on them; train it on images of this kind"
    )


def _wanted(
    inputs: Iterable[Source | None], output: Output, shard: Shard | None
) -> Iterator[Source | None]:
    for source in inputs:
        if source is not None and (
            _is_output(source, output.path)
            or (shard is not None and not shard.has(source.path or source.id or ""))
            or output.earlier.take(source.id, source.path)
        ):
            continue
        yield source


def _is_output(source: Source, output: Path | None) -> bool:
    """Whether a source, from a folder for example, is the file that the rows go to."""
    if output is None:
        return False
    for file in source.files:
        if not isinstance(file, (str, os.PathLike)):
            continue
        path = split_extension(os.fspath(file))[0]
        # Few paths end like the output's; a Path of each would cost as much as writing its row.
        if path.endswith(output.name) and os.path.exists(path):  # noqa: PTH110
            return output.exists() and output.samefile(path)
    return False
