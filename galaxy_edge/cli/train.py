"""``galaxy-edge train``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli import training_options as options
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.options import (
    Bands,
    BitDepth,
    Catalogue,
    Cutout,
    IdColumn,
    ImageColumn,
    Minimum,
    Percentiles,
    PixelColumns,
    Quiet,
    Size,
    SkyColumns,
    Softening,
    StretchKind,
    StretchRange,
)
from galaxy_edge.cli.resume_hint import resume_hint
from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.containers.layout import Layout, is_container, label_columns
from galaxy_edge.inputs.formats import container_kind, split_dataset
from galaxy_edge.inputs.label_file import LABEL, PATH, is_label_file
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.inputs.tables import Columns
from galaxy_edge_train.config import AugmentConfig, NetworkConfig, TrainConfig
from galaxy_edge_train.recipes import RECIPES

_DEFAULT = TrainConfig()
_PREPROCESSING = _DEFAULT.preprocessing
_STRETCH = _PREPROCESSING.stretch
_PERCENTILES = ",".join(map(str, _STRETCH.percentiles))
_AUGMENT = _DEFAULT.augment
_NET = _DEFAULT.network

T = TypeVar("T")

_CATALOGUE_PANEL = "A catalogue or a container instead of folders"


def _columns(
    data: Path,
    layout: Layout | None,
    path: str | None,
    label: str | None,
    split: str | None,
    valid: float | None,
    source: str | None,
) -> Columns | None:
    """The columns of a catalogue or a container; None for a folder."""
    if split is not None and valid is not None:
        raise UsageError("--split-column and --valid exclude each other; leave one out")
    if layout is not None:
        if path is not None:
            raise UsageError("--path-column is for a table of paths; these images are in DATA")
        return label_columns(str(data), label, split, valid, source)
    given = [value for value in (path, label, split, valid, source) if value is not None]
    if data.is_dir() or (not given and not data.is_file()):
        if given:
            raise UsageError(f"{data} is a folder; the options of a catalogue are for a table")
        return None
    if path is None or label is None:
        raise UsageError(
            f"{data} is a table; name its columns with --path-column and --label-column"
        )
    columns = Columns(path, label, split, source=source)
    return columns if valid is None else replace(columns, valid=valid)


def _classes(
    data: Path, layout: Layout | None, catalogue: Columns | None, given: str | None
) -> tuple[str, ...]:
    from galaxy_edge.inputs.catalogue import read
    from galaxy_edge.inputs.labelled import classes_in

    if given is not None:
        return parsing.class_names(given)
    if catalogue is None:
        return classes_in(data)
    if layout is None:
        return read(data, catalogue).classes
    from galaxy_edge.inputs.containers.labelled import LabelledContainer

    return LabelledContainer(str(data), layout, catalogue).catalogue().classes


def _is_of_files(data: Path) -> bool:
    """Whether DATA names files, so that options for containers are for the added labels."""
    return is_label_file(data) or (data.is_dir() and container_kind(str(data)) is None)


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def _number(text: str | None, default: float | None, option: str) -> float | None:
    return default if text is None else parsing.number_or("off", text, option)


def _slim(slim: bool, drop: float | None) -> float | None:
    if drop is not None and not slim:
        raise UsageError("--slim-drop needs --slim")
    return _given(drop, options.SLIM_DROP) if slim else None


def _number_or(word: str, number: float | None) -> str:
    """A default as its option is written; the inverse of `parsing.number_or`."""
    return word if number is None else str(number)


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder with Train/, Valid/ and optionally Test/; each has one folder per class. "
            "Or a catalogue: a CSV, Parquet or FITS table, with --path-column and --label-column; "
            "a file of labels of `review` needs neither. "
            "Or a container, as for predict, with --label-column.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The run folder to create.", show_default="runs/DATA"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the interrupted run of this output.")
    ] = False,
    classes: Annotated[
        str | None,
        typer.Option(
            help="The classes, in the order of the scores. Of two, the score is the probability of "
            "the second.",
            metavar="A,B,...",
            show_default="the folders in Train/, sorted",
        ),
    ] = None,
    path_column: Annotated[
        str | None,
        typer.Option(
            help="Column with the paths of the images, relative to the catalogue.",
            rich_help_panel=_CATALOGUE_PANEL,
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Column with the classes.",
            show_default="`labels` beside an array",
            rich_help_panel=_CATALOGUE_PANEL,
        ),
    ] = None,
    source_column: Annotated[
        str | None,
        typer.Option(
            help="Column with the source of each image, such as its survey, for the typicality.",
            show_default="off",
            rich_help_panel=_CATALOGUE_PANEL,
        ),
    ] = None,
    split_column: Annotated[
        str | None,
        typer.Option(
            help="Column with Train, Valid or Test.",
            show_default="split by content",
            rich_help_panel=_CATALOGUE_PANEL,
        ),
    ] = None,
    valid: Annotated[
        float | None,
        typer.Option(
            help="Share of the images for validation, without --split-column.",
            show_default="0.2",
            rich_help_panel=_CATALOGUE_PANEL,
        ),
    ] = None,
    add: Annotated[
        list[Path] | None,
        typer.Option(
            "--add",
            metavar="LABELS.csv",
            help="Add images: a file of `review`, or a table with the columns path and label. Its "
            "label replaces that of an image in DATA, which keeps its split; new images join "
            "Train. Images in containers need the options of `predict`. Repeatable.",
            show_default="none",
        ),
    ] = None,
    image_column: ImageColumn = None,
    id_column: IdColumn = None,
    catalogue: Catalogue = None,
    size: Size = None,
    sky_columns: SkyColumns = None,
    pixel_columns: PixelColumns = None,
    image_size: options.ImageSize = None,
    resize: options.ResizeFilter = None,
    working_size: options.WorkingSize = _PREPROCESSING.working_size,
    reducing_gap: options.ReducingGap = None,
    augment: options.Augmentation = None,
    rotation: options.Rotation = _AUGMENT.rotation,
    width_shift: options.WidthShift = _AUGMENT.width_shift,
    height_shift: options.HeightShift = _AUGMENT.height_shift,
    shear: options.Shear = _AUGMENT.shear,
    zoom: options.Zoom = _AUGMENT.zoom,
    flip: options.Flip = _AUGMENT.horizontal_flip,
    pixel_shift: options.PixelShift = None,
    jpeg_quality: options.JpegQuality = None,
    resample: options.Resample = _AUGMENT.resample,
    noise: options.Noise = _AUGMENT.noise,
    restretch: options.Restretch = None,
    gain: options.Gain = None,
    sky_level: options.SkyLevel = None,
    oversample: options.Oversample = None,
    network: options.Network = "documented",
    filters: options.Filters = ",".join(map(str, _NET.filters)),
    kernel_size: options.KernelSize = _NET.kernel_size,
    pool_size: options.PoolSize = _NET.pool_size,
    dense_units: options.DenseUnits = _NET.dense_units,
    dropout: options.Dropout = _NET.dropout,
    learning_rate: options.LearningRate = None,
    schedule: options.LearningSchedule = None,
    average_weights: options.AverageWeights = None,
    batch_size: options.BatchSize = None,
    epochs: options.Epochs = None,
    patience: options.Patience = None,
    stop_at_accuracy: options.StopAtAccuracy = None,
    calibrate: options.Calibrate = _DEFAULT.calibrate,
    slim: options.Slim = False,
    slim_drop: options.SlimDrop = None,
    seed: options.Seed = _DEFAULT.seed,
    class_weights: options.ClassWeighting = _DEFAULT.class_weights,
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Skip unreadable images and list them."),
    ] = _DEFAULT.skip_unreadable,
    cutout: Cutout = None,
    bands: Bands = None,
    stretch: StretchRange = _number_or("auto", _STRETCH.stretch),
    q: Softening = _STRETCH.q,
    minimum: Minimum = _number_or("auto", _STRETCH.minimum),
    bit_depth: BitDepth = _STRETCH.bit_depth,
    stretch_kind: StretchKind = _STRETCH.kind,
    percentiles: Percentiles = _PERCENTILES,
    quiet: Quiet = False,
) -> None:
    """Train a network on labelled folders of cutouts, a catalogue, or a container.

    Creates a run folder with the model (model.keras, model.h5), the configuration, the digests of
    the data, the history, the metrics and four figures. The defaults are the documented set-up.
    """
    whole = Path(split_dataset(str(data))[0]).resolve()
    output = output or Path("runs", whole.stem if whole.is_file() else whole.name)
    with importing("train"):
        from galaxy_edge_train.fit import train as fit

    given = parsing.layout(
        image_column, id_column, (), catalogue, size, sky_columns, pixel_columns, cutout
    )
    layout = given or Layout()
    has_files = bool(add) and (path_column is not None or _is_of_files(data))
    container = layout if is_container(str(data), layout) and not has_files else None
    if container is None and is_label_file(data):
        path_column, label_column = path_column or PATH, label_column or LABEL
    columns = _columns(
        data, container, path_column, label_column, split_column, valid, source_column
    )
    recipe = RECIPES[network]
    config = TrainConfig(
        classes=_classes(data, container, columns, classes),
        catalogue=columns,
        container=container,
        added=tuple(str(path.absolute()) for path in add or ()),
        added_layout=given if add and container is None else None,
        preprocessing=Preprocessing(
            size=_given(image_size, recipe.preprocessing.size),
            resize=_given(resize, recipe.preprocessing.resize),
            working_size=working_size,
            reducing_gap=_number(reducing_gap, recipe.preprocessing.reducing_gap, "--reducing-gap"),
            stretch=Stretch(
                **parsing.stretch(bands, minimum, stretch, q, bit_depth, stretch_kind, percentiles)
            ),
        ),
        network=NetworkConfig(
            kind=network,
            filters=parsing.whole_numbers(filters, "--filters"),
            kernel_size=kernel_size,
            pool_size=pool_size,
            dense_units=dense_units,
            dropout=dropout,
        ),
        augment=AugmentConfig(
            kind=_given(augment, recipe.augment.kind),
            rotation=rotation,
            width_shift=width_shift,
            height_shift=height_shift,
            shear=shear,
            zoom=zoom,
            horizontal_flip=flip,
            pixel_shift=_given(pixel_shift, recipe.augment.pixel_shift),
            jpeg_quality=_given(jpeg_quality, recipe.augment.jpeg_quality),
            resample=resample,
            noise=noise,
            restretch=_given(restretch, recipe.augment.restretch),
            gain=_given(gain, recipe.augment.gain),
            sky_level=_given(sky_level, recipe.augment.sky_level),
            oversample=_given(oversample, recipe.augment.oversample),
        ),
        learning_rate=_given(learning_rate, recipe.learning_rate),
        schedule=_given(schedule, recipe.schedule),
        average_weights=_number(average_weights, recipe.average_weights, "--average-weights"),
        batch_size=_given(batch_size, recipe.batch_size),
        epochs=_given(epochs, recipe.epochs),
        patience=_given(patience, recipe.patience),
        stop_at_accuracy=_number(stop_at_accuracy, recipe.stop_at_accuracy, "--stop-at-accuracy"),
        calibrate=calibrate,
        class_weights=class_weights,
        slim=_slim(slim, slim_drop),
        seed=seed,
        skip_unreadable=skip_unreadable,
    )
    with resume_hint(output):
        run = fit(data, output, config, resume=resume, quiet=quiet)
    typer.echo(run)
