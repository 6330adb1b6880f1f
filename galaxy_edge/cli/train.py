"""``galaxy-edge train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.options import Bands, BitDepth, Minimum, Quiet, Softening, StretchRange
from galaxy_edge.cli.resume_hint import resume_hint
from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.preprocessing import Preprocessing, Resize, Stretch
from galaxy_edge.inputs.tables import Columns
from galaxy_edge_train.config import (
    Augment,
    AugmentConfig,
    ClassWeights,
    NetworkConfig,
    TrainConfig,
)

_DEFAULT = TrainConfig()
_PREPROCESSING = _DEFAULT.preprocessing
_STRETCH = _PREPROCESSING.stretch
_AUGMENT = _DEFAULT.augment
_NET = _DEFAULT.network

_CATALOGUE_PANEL = "A catalogue instead of folders"
_IMAGES_PANEL = "Images"
_AUGMENTATION_PANEL = "Augmentation"
_DEGRADATION_PANEL = "Degradation against shortcuts: half of the training images of both classes"
_NETWORK_PANEL = "Network"
_OPTIMISATION_PANEL = "Optimisation"


def _columns(
    data: Path, path: str | None, label: str | None, split: str | None, valid: float | None
) -> Columns | None:
    """The columns of a catalogue; None for a folder."""
    given = [value for value in (path, label, split, valid) if value is not None]
    if data.is_dir() or (not given and not data.is_file()):
        if given:
            raise UsageError(f"{data} is a folder; the options of a catalogue are for a table")
        return None
    if path is None or label is None:
        raise UsageError(
            f"{data} is a table; name its columns with --path-column and --label-column"
        )
    if split is not None and valid is not None:
        raise UsageError("--split-column and --valid exclude each other; leave one out")
    return Columns(path, label, split, *([] if valid is None else [valid]))


def _classes(data: Path, catalogue: Columns | None, given: str | None) -> tuple[str, ...]:
    from galaxy_edge.inputs.catalogue import read
    from galaxy_edge.inputs.labelled import classes_in

    if given is not None:
        return parsing.class_names(given)
    return classes_in(data) if catalogue is None else read(data, catalogue).classes


def _number_or(word: str, number: float | None) -> str:
    """A default as its option is written; the inverse of `parsing.number_or`."""
    return word if number is None else str(number)


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder with Train/, Valid/ and optionally Test/; each has one folder per class. "
            "Or a catalogue: a CSV, Parquet or FITS table, with --path-column and --label-column.",
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
        typer.Option(help="Column with the classes.", rich_help_panel=_CATALOGUE_PANEL),
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
    image_size: Annotated[
        int,
        typer.Option(help="Height and width of the input, pixels.", rich_help_panel=_IMAGES_PANEL),
    ] = _PREPROCESSING.size,
    resize: Annotated[
        Resize, typer.Option(help="Resize filter.", rich_help_panel=_IMAGES_PANEL)
    ] = _PREPROCESSING.resize,
    working_size: Annotated[
        int | None,
        typer.Option(
            help="Reduce larger images to this size first, pixels, with a Lanczos filter.",
            show_default="off",
            rich_help_panel=_IMAGES_PANEL,
        ),
    ] = _PREPROCESSING.working_size,
    augment: Annotated[
        Augment,
        typer.Option(
            help="documented: all of the below; exact: only flips and quarter turns; none: off.",
            rich_help_panel=_AUGMENTATION_PANEL,
        ),
    ] = _AUGMENT.kind,
    rotation: Annotated[
        float,
        typer.Option(
            help="Largest rotation to either side, degrees.", rich_help_panel=_AUGMENTATION_PANEL
        ),
    ] = _AUGMENT.rotation,
    width_shift: Annotated[
        float,
        typer.Option(
            help="Largest shift, as a fraction of the width.", rich_help_panel=_AUGMENTATION_PANEL
        ),
    ] = _AUGMENT.width_shift,
    height_shift: Annotated[
        float,
        typer.Option(
            help="Largest shift, as a fraction of the height.", rich_help_panel=_AUGMENTATION_PANEL
        ),
    ] = _AUGMENT.height_shift,
    shear: Annotated[
        float,
        typer.Option(
            help="Largest shear angle to either side, degrees.",
            rich_help_panel=_AUGMENTATION_PANEL,
        ),
    ] = _AUGMENT.shear,
    zoom: Annotated[
        float,
        typer.Option(
            help="Scale each axis by a factor from 1 - ZOOM to 1 + ZOOM.",
            rich_help_panel=_AUGMENTATION_PANEL,
        ),
    ] = _AUGMENT.zoom,
    flip: Annotated[
        bool,
        typer.Option(
            help="Mirror left and right half of the time.", rich_help_panel=_AUGMENTATION_PANEL
        ),
    ] = _AUGMENT.horizontal_flip,
    jpeg_quality: Annotated[
        int,
        typer.Option(
            help="Compress with a JPEG quality from this to 100.",
            show_default="100, off",
            rich_help_panel=_DEGRADATION_PANEL,
        ),
    ] = _AUGMENT.jpeg_quality,
    resample: Annotated[
        float,
        typer.Option(
            help="Reduce the size by up to this fraction, then enlarge again.",
            show_default="off",
            rich_help_panel=_DEGRADATION_PANEL,
        ),
    ] = _AUGMENT.resample,
    noise: Annotated[
        float,
        typer.Option(
            help="Add noise with a standard deviation of up to this, grey levels.",
            show_default="off",
            rich_help_panel=_DEGRADATION_PANEL,
        ),
    ] = _AUGMENT.noise,
    restretch: Annotated[
        float,
        typer.Option(
            help="Raise the brightness to a power of up to 1 + this, or its inverse.",
            show_default="off",
            rich_help_panel=_DEGRADATION_PANEL,
        ),
    ] = _AUGMENT.restretch,
    filters: Annotated[
        str, typer.Option(help="Channels of each convolution.", rich_help_panel=_NETWORK_PANEL)
    ] = ",".join(map(str, _NET.filters)),
    kernel_size: Annotated[
        int,
        typer.Option(
            help="Kernel size of each convolution, pixels.", rich_help_panel=_NETWORK_PANEL
        ),
    ] = _NET.kernel_size,
    pool_size: Annotated[
        int, typer.Option(help="Size of each max pool, pixels.", rich_help_panel=_NETWORK_PANEL)
    ] = _NET.pool_size,
    dense_units: Annotated[
        int, typer.Option(help="Units of the dense layer.", rich_help_panel=_NETWORK_PANEL)
    ] = _NET.dense_units,
    dropout: Annotated[
        float, typer.Option(help="Fraction of dense units dropped.", rich_help_panel=_NETWORK_PANEL)
    ] = _NET.dropout,
    learning_rate: Annotated[
        float, typer.Option(help="Learning rate of Adam.", rich_help_panel=_OPTIMISATION_PANEL)
    ] = _DEFAULT.learning_rate,
    batch_size: Annotated[
        int, typer.Option(help="Images per training step.", rich_help_panel=_OPTIMISATION_PANEL)
    ] = _DEFAULT.batch_size,
    epochs: Annotated[
        int, typer.Option(help="Maximum number of epochs.", rich_help_panel=_OPTIMISATION_PANEL)
    ] = _DEFAULT.epochs,
    patience: Annotated[
        int,
        typer.Option(
            help="Stop after this many epochs without a better validation loss.",
            rich_help_panel=_OPTIMISATION_PANEL,
        ),
    ] = _DEFAULT.patience,
    stop_at_accuracy: Annotated[
        str,
        typer.Option(
            help="Stop at this validation accuracy, or `off`.",
            metavar="X|off",
            rich_help_panel=_OPTIMISATION_PANEL,
        ),
    ] = _number_or("off", _DEFAULT.stop_at_accuracy),
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Make the scores probabilities: fit a temperature on Valid/ and fold it into the "
            "last layer.",
            rich_help_panel=_OPTIMISATION_PANEL,
        ),
    ] = _DEFAULT.calibrate,
    seed: Annotated[
        int, typer.Option(help="Seed of all random numbers.", rich_help_panel=_OPTIMISATION_PANEL)
    ] = _DEFAULT.seed,
    class_weights: Annotated[
        ClassWeights,
        typer.Option(
            help="balanced: every class counts the same, whatever its number of images.",
            rich_help_panel=_OPTIMISATION_PANEL,
        ),
    ] = _DEFAULT.class_weights,
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Skip unreadable images and list them."),
    ] = _DEFAULT.skip_unreadable,
    bands: Bands = None,
    stretch: StretchRange = _number_or("auto", _STRETCH.stretch),
    q: Softening = _STRETCH.q,
    minimum: Minimum = _number_or("auto", _STRETCH.minimum),
    bit_depth: BitDepth = _STRETCH.bit_depth,
    quiet: Quiet = False,
) -> None:
    """Train the documented network on labelled folders of cutouts, or on a catalogue.

    Creates a run folder with the model (model.keras, model.h5), the configuration, the digests of
    the data, the history, the metrics and four figures. The defaults are the documented set-up.
    """
    output = output or Path("runs", data.resolve().stem if data.is_file() else data.resolve().name)
    with importing("train"):
        from galaxy_edge_train.fit import train as fit

    catalogue = _columns(data, path_column, label_column, split_column, valid)
    config = TrainConfig(
        classes=_classes(data, catalogue, classes),
        catalogue=catalogue,
        preprocessing=Preprocessing(
            size=image_size,
            resize=resize,
            working_size=working_size,
            stretch=Stretch(**parsing.stretch(bands, minimum, stretch, q, bit_depth)),
        ),
        network=NetworkConfig(
            filters=parsing.whole_numbers(filters, "--filters"),
            kernel_size=kernel_size,
            pool_size=pool_size,
            dense_units=dense_units,
            dropout=dropout,
        ),
        augment=AugmentConfig(
            kind=augment,
            rotation=rotation,
            width_shift=width_shift,
            height_shift=height_shift,
            shear=shear,
            zoom=zoom,
            horizontal_flip=flip,
            jpeg_quality=jpeg_quality,
            resample=resample,
            noise=noise,
            restretch=restretch,
        ),
        learning_rate=learning_rate,
        batch_size=batch_size,
        epochs=epochs,
        patience=patience,
        stop_at_accuracy=parsing.number_or("off", stop_at_accuracy, "--stop-at-accuracy"),
        calibrate=calibrate,
        class_weights=class_weights,
        seed=seed,
        skip_unreadable=skip_unreadable,
    )
    with resume_hint(output):
        run = fit(data, output, config, resume=resume, quiet=quiet)
    typer.echo(run)
