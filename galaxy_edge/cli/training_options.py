"""The options of ``galaxy-edge train`` that describe the network and how it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from galaxy_edge.inputs.preprocessing import Resize
from galaxy_edge_train.config import (
    Augment,
    ClassWeights,
    NetworkKind,
    Schedule,
    TrainConfig,
)
from galaxy_edge_train.recipes import RECIPES

_IMAGES = "Images"
_AUGMENTATION = "Augmentation"
_DEGRADATION = "Degradation against shortcuts: half of the training images of both classes"
_NETWORK = "Network"
_OPTIMISATION = "Optimisation"


def _defaults(value: Callable[[TrainConfig], object]) -> str:
    """The default of the documented network, and those of the others that differ."""
    documented = _word(value(RECIPES["documented"]))
    others = [(name, _word(value(recipe))) for name, recipe in RECIPES.items()]
    return "; ".join(
        [documented, *(f"{name}: {word}" for name, word in others if word != documented)]
    )


def _word(value: object) -> str:
    return "off" if value is None else str(value)


ImageSize = Annotated[
    int | None,
    typer.Option(
        help="Height and width of the input, pixels.",
        rich_help_panel=_IMAGES,
        show_default=_defaults(lambda config: config.preprocessing.size),
    ),
]
ResizeFilter = Annotated[
    Resize | None,
    typer.Option(
        help="Resize filter.",
        rich_help_panel=_IMAGES,
        show_default=_defaults(lambda config: config.preprocessing.resize),
    ),
]
WorkingSize = Annotated[
    int | None,
    typer.Option(
        help="Reduce larger images to this size first, pixels, with a Lanczos filter.",
        show_default="off",
        rich_help_panel=_IMAGES,
    ),
]
ReducingGap = Annotated[
    str | None,
    typer.Option(
        metavar="X|off",
        help="Reduce images faster: average whole pixels first, down to this many times the size "
        "needed.",
        show_default=_defaults(lambda config: config.preprocessing.reducing_gap),
        rich_help_panel=_IMAGES,
    ),
]
Augmentation = Annotated[
    Augment | None,
    typer.Option(
        help="documented: all of the below except --pixel-shift; exact: flips, quarter turns "
        "and --pixel-shift; none: off.",
        rich_help_panel=_AUGMENTATION,
        show_default=_defaults(lambda config: config.augment.kind),
    ),
]
Rotation = Annotated[
    float,
    typer.Option(help="Largest rotation to either side, degrees.", rich_help_panel=_AUGMENTATION),
]
WidthShift = Annotated[
    float,
    typer.Option(help="Largest shift, as a fraction of the width.", rich_help_panel=_AUGMENTATION),
]
HeightShift = Annotated[
    float,
    typer.Option(help="Largest shift, as a fraction of the height.", rich_help_panel=_AUGMENTATION),
]
Shear = Annotated[
    float,
    typer.Option(
        help="Largest shear angle to either side, degrees.",
        rich_help_panel=_AUGMENTATION,
    ),
]
Zoom = Annotated[
    float,
    typer.Option(
        help="Scale each axis by a factor from 1 - ZOOM to 1 + ZOOM.",
        rich_help_panel=_AUGMENTATION,
    ),
]
Flip = Annotated[
    bool,
    typer.Option(help="Mirror left and right half of the time.", rich_help_panel=_AUGMENTATION),
]
PixelShift = Annotated[
    int | None,
    typer.Option(
        help="Largest shift of exact, whole pixels.",
        rich_help_panel=_AUGMENTATION,
        show_default=_defaults(lambda config: config.augment.pixel_shift),
    ),
]
JpegQuality = Annotated[
    int | None,
    typer.Option(
        help="Compress with a JPEG quality from this to 100; 100 is off.",
        show_default=_defaults(lambda config: config.augment.jpeg_quality),
        rich_help_panel=_DEGRADATION,
    ),
]
Resample = Annotated[
    float,
    typer.Option(
        help="Reduce the size by up to this fraction, then enlarge again.",
        show_default="off",
        rich_help_panel=_DEGRADATION,
    ),
]
Noise = Annotated[
    float,
    typer.Option(
        help="Add noise with a standard deviation of up to this, grey levels.",
        show_default="off",
        rich_help_panel=_DEGRADATION,
    ),
]
Restretch = Annotated[
    float | None,
    typer.Option(
        help="Raise the brightness to a power of up to 1 + this, or its inverse.",
        show_default=_defaults(lambda config: config.augment.restretch),
        rich_help_panel=_DEGRADATION,
    ),
]
Gain = Annotated[
    float | None,
    typer.Option(
        help="Multiply the brightness by up to 1 + this, or divide it.",
        rich_help_panel=_DEGRADATION,
        show_default=_defaults(lambda config: config.augment.gain),
    ),
]
SkyLevel = Annotated[
    float | None,
    typer.Option(
        help="Raise black by up to this; 1 is white.",
        rich_help_panel=_DEGRADATION,
        show_default=_defaults(lambda config: config.augment.sky_level),
    ),
]
Oversample = Annotated[
    float | None,
    typer.Option(
        help="Enlarge by up to this factor, compress, and reduce again.",
        rich_help_panel=_DEGRADATION,
        show_default=_defaults(lambda config: config.augment.oversample),
    ),
]
Network = Annotated[
    NetworkKind,
    typer.Option(
        help="documented: as in the documented set-up; compact: a small one for small cutouts; "
        "residual: one that finds synthetic images by their noise. Some defaults depend on it.",
        rich_help_panel=_NETWORK,
    ),
]
Filters = Annotated[
    str, typer.Option(help="Channels of each convolution (documented).", rich_help_panel=_NETWORK)
]
KernelSize = Annotated[
    int,
    typer.Option(
        help="Kernel size of each convolution, pixels (documented).", rich_help_panel=_NETWORK
    ),
]
PoolSize = Annotated[
    int, typer.Option(help="Size of each max pool, pixels (documented).", rich_help_panel=_NETWORK)
]
DenseUnits = Annotated[
    int, typer.Option(help="Units of the dense layer (documented).", rich_help_panel=_NETWORK)
]
Dropout = Annotated[
    float,
    typer.Option(help="Fraction of dense units dropped (documented).", rich_help_panel=_NETWORK),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        help="Learning rate; with one-cycle, the largest.",
        rich_help_panel=_OPTIMISATION,
        show_default=_defaults(lambda config: config.learning_rate),
    ),
]
LearningSchedule = Annotated[
    Schedule | None,
    typer.Option(
        "--schedule",
        help="constant: Adam at the learning rate; one-cycle: AdamW, whose rate rises to it and "
        "falls to zero at the last epoch.",
        rich_help_panel=_OPTIMISATION,
        show_default=_defaults(lambda config: config.schedule),
    ),
]
AverageWeights = Annotated[
    str | None,
    typer.Option(
        metavar="X|off",
        help="Keep a running average of the weights with this decay, such as 0.99.",
        rich_help_panel=_OPTIMISATION,
        show_default=_defaults(lambda config: config.average_weights),
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        help="Images per training step.",
        rich_help_panel=_OPTIMISATION,
        show_default=_defaults(lambda config: config.batch_size),
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        help="Maximum number of epochs.",
        rich_help_panel=_OPTIMISATION,
        show_default=_defaults(lambda config: config.epochs),
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop after this many epochs without a better validation loss.",
        rich_help_panel=_OPTIMISATION,
        show_default=_defaults(lambda config: config.patience),
    ),
]
StopAtAccuracy = Annotated[
    str | None,
    typer.Option(
        help="Stop at this validation accuracy, or `off`.",
        metavar="X|off",
        rich_help_panel=_OPTIMISATION,
        show_default=_defaults(lambda config: config.stop_at_accuracy),
    ),
]
Calibrate = Annotated[
    bool,
    typer.Option(
        "--calibrate",
        help="Make the scores probabilities: fit a temperature on Valid/ and fold it into the "
        "last layer.",
        rich_help_panel=_OPTIMISATION,
    ),
]
#: Percentage points of validation accuracy that slimming may cost.
SLIM_DROP = 0.1
Slim = Annotated[
    bool,
    typer.Option(
        "--slim",
        help="Afterwards remove the least useful filters and units, in rounds with a few more "
        "epochs each.",
        rich_help_panel=_OPTIMISATION,
    ),
]
SlimDrop = Annotated[
    float | None,
    typer.Option(
        help="Percentage points of validation accuracy that --slim may cost.",
        rich_help_panel=_OPTIMISATION,
        show_default=str(SLIM_DROP),
    ),
]
Seed = Annotated[
    int, typer.Option(help="Seed of all random numbers.", rich_help_panel=_OPTIMISATION)
]
ClassWeighting = Annotated[
    ClassWeights,
    typer.Option(
        help="balanced: every class counts the same, whatever its number of images.",
        rich_help_panel=_OPTIMISATION,
    ),
]
