"""Classify a dataset of Ray (the extra ``ray``).

    from galaxy_edge.adapters.ray import classify

    rows = classify(ray.data.read_parquet("cutouts/"), id_column="object_id")

Each worker holds one predictor. The rows are those of `galaxy_edge.Predictor.predict_many`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import ray.data

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.containers.cells import Contents, contents
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.parquet import sources
from galaxy_edge.inputs.source import Source, Stamp
from galaxy_edge.outputs import columnar
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import columns

#: Rows that a worker takes at once.
_ROWS = 256


def classify(
    dataset: ray.data.Dataset,
    model: str | os.PathLike[str] | None = None,
    *,
    image_column: str = "image",
    id_column: str | None = None,
    keep: Sequence[str] = (),
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1,
    num_gpus: float = 0,
    **options: Any,
) -> ray.data.Dataset:
    """Classify the images of a dataset, lazily.

    Args:
        dataset: has a column of images: bytes of image files, structures with ``bytes``, arrays
            (``ray.data.read_images``), or structures of named bands.
        model: as for `galaxy_edge.Predictor`. All machines need it at the same path.
        image_column: the column of the images.
        id_column: the column of the identifiers.
        keep: columns that are copied to the rows, in their own types.
        concurrency: number of workers, or the smallest and the largest number; by default, Ray
            chooses it.
        num_cpus: cores of a worker, and its threads.
        num_gpus: GPUs of a worker.
        options: more arguments of `galaxy_edge.Predictor`, such as ``threshold``.

    Returns:
        A dataset with the columns of a row (docs/rows.md), then those in ``keep``. An image that
        cannot be read gives a row with ``status="error"`` and no score. ``path`` is None. The order
        of the rows is Ray's.

    Raises:
        UsageError: a column does not exist or cannot be kept, or an argument is out of its range.
        ModelError, DeviceError: as for `galaxy_edge.Predictor`.
    """
    predictor = Predictor(model, threads=max(1, int(num_cpus)), **options)
    layout = Layout(image_column=image_column, id_column=id_column, keep=tuple(keep))
    columns(predictor.decision.classes, keep)
    schema = dataset.schema(fetch_if_missing=False)
    if schema is not None:
        _check(schema.names, layout)
    fewest, most = concurrency if isinstance(concurrency, tuple) else (concurrency, concurrency)
    return dataset.map_batches(
        _Classifier,
        # A pickle of the predictor: each worker opens the model again.
        fn_constructor_args=(predictor, layout),
        batch_format="pyarrow",
        batch_size=_ROWS,
        compute=ray.data.ActorPoolStrategy(min_size=fewest, max_size=most),
        num_cpus=num_cpus,
        num_gpus=num_gpus,
    )


class _Classifier:
    """What an actor holds: a predictor, for all of its batches."""

    def __init__(self, predictor: Predictor, layout: Layout) -> None:
        self._predictor = predictor
        self._layout = layout
        self._names = columns(predictor.decision.classes)

    def __call__(self, table: Any) -> Any:
        """Rows of images -> rows of verdicts, in the same order."""
        _check(table.column_names, self._layout)
        batches = table.combine_chunks().to_batches()
        inputs = (source for batch in batches for source in self._sources(batch))
        rows = [prediction.row() for prediction in self._predictor.predict_many(inputs)]
        verdicts = columnar.arrow(self._names, rows, {})
        for name in self._layout.keep:
            verdicts = verdicts.append_column(table.field(name), table.column(name))
        return verdicts

    def _sources(self, batch: Any) -> Iterator[Source]:
        column = batch.column(self._layout.image_column)
        try:
            images = _tensors(column) if _is_tensor(column) else contents(column)
        except ImageError as error:
            raise UsageError(f"{self._layout.image_column}: {error}") from None
        # The kept columns go to the rows as they are.
        yield from sources(batch, images, replace(self._layout, keep=()), repeat(None))


def _check(names: Sequence[str], layout: Layout) -> None:
    wanted = (layout.image_column, *layout.columns)
    if missing := [name for name in wanted if name not in names]:
        raise UsageError(
            f"the dataset has no column {', '.join(map(str, missing))}; it has {', '.join(names)}"
        )


def _is_tensor(column: Any) -> bool:
    """Whether a column has Ray's own type of arrays, which is none of Arrow's."""
    return str(getattr(column.type, "extension_name", "")).startswith("ray.data.")


def _tensors(column: Any) -> Contents:
    arrays = column.to_numpy(zero_copy_only=False)

    def image(place: int) -> Stamp:
        if not column[place].is_valid:
            raise ImageError("empty: this row has no image")
        return Stamp(arrays[place])

    return image
