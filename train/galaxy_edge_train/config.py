"""All parameters of a training, as frozen dataclasses that convert to JSON.

The defaults are the documented set-up. Importing this module does not import Keras.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.class_names import check_classes
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.preprocessing import Preprocessing, preprocessing_document
from galaxy_edge.inputs.tables import Columns

if TYPE_CHECKING:
    from galaxy_edge.inputs.containers.labelled import LabelledContainer
    from galaxy_edge.inputs.containers.mixed import MixedImages

NetworkKind: TypeAlias = Literal["documented", "compact", "residual"]
Augment: TypeAlias = Literal["documented", "exact", "none"]
Schedule: TypeAlias = Literal["constant", "one-cycle"]
#: Smallest image of the compact and the residual network, pixels.
_SMALLEST = 8
ClassWeights: TypeAlias = Literal["balanced", "off"]


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Which network, and the sizes of the documented one; those of the others are fixed.

    Attributes:
        kind: the name of the network: of a module in `galaxy_edge_train.networks`.
        filters: channels of each convolution.
        kernel_size: kernel size of each convolution, pixels.
        pool_size: size of each max pool, pixels.
        dense_units: units of the dense layer.
        dropout: fraction of the dense units that is dropped.
    """

    kind: NetworkKind = "documented"
    filters: tuple[int, ...] = (32, 64)
    kernel_size: int = 3
    pool_size: int = 2
    dense_units: int = 128
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in get_args(NetworkKind):
            raise UsageError(f"network must be one of {', '.join(get_args(NetworkKind))}")
        if self.kind != "documented" and replace(self, kind="documented") != NetworkConfig():
            sizes = ", ".join(item.name.replace("_", "-") for item in fields(self)[1:])
            raise UsageError(
                f"the sizes of the {self.kind} network are fixed; leave out {sizes}, or use the "
                "documented network"
            )
        for name in ("kernel_size", "pool_size", "dense_units"):
            _positive(name, getattr(self, name))
        for count in self.filters:
            _positive("filters", count)
        _within("dropout", self.dropout, 0.0, 0.999)

    def check_fits(self, size: int) -> None:
        """Check that an image of ``size`` pixels is large enough for the convolutions.

        Raises:
            UsageError: it is not.
        """
        if self.kind != "documented":
            if size < _SMALLEST:
                raise UsageError(f"an image of {size} px is too small; use at least {_SMALLEST} px")
            return
        side = size
        for _ in self.filters:
            side = (side - self.kernel_size + 1) // self.pool_size
        if side < 1:
            raise UsageError(
                f"an image of {size} px is too small for {len(self.filters)} convolutions of "
                f"{self.kernel_size} px and pools of {self.pool_size} px; use larger images or a "
                "smaller network"
            )


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Ranges of the augmentation, with the meaning they have in Keras's ``ImageDataGenerator``.

    Attributes:
        kind: "documented" uses all ranges below up to ``horizontal_flip``; "exact" uses only flips
            and quarter turns, and whole-pixel shifts if there are any, which move pixels without
            interpolation; "none" leaves the images unchanged.
        rotation: largest rotation to either side, degrees.
        width_shift, height_shift: largest shift to either side, as a fraction of the size.
        shear: largest shear angle to either side, degrees.
        zoom: each axis is scaled by a factor drawn from 1 - zoom to 1 + zoom.
        horizontal_flip: mirror left and right half of the time.
        pixel_shift: largest shift of "exact" along each axis, whole pixels; the edge is repeated.
        jpeg_quality: compress with a JPEG quality drawn from this to 100; 100 switches it off.
        resample: reduce to a fraction of the size drawn from 1 - resample to 1, then enlarge again.
        noise: add normal noise with a standard deviation drawn from 0 to this, in grey levels (0
            to 255).
        restretch: raise the brightness, 0 to 1, to a power drawn from 1 / (1 + restretch) to
            1 + restretch, uniformly in its logarithm.
        gain: multiply the brightness by a factor from 1 / (1 + gain) to 1 + gain, half of the time
            a different one in each band.
        sky_level: raise black to a level drawn from -sky_level / 4 to this, 0 to 1; white stays.
        oversample: enlarge by a factor drawn from 1 to this, compress with ``jpeg_quality``, then
            reduce again, as cutouts of a survey are made; 1 compresses at the size of the image.

    The last seven degrade half of the images of both classes, whatever ``kind`` is, so that these
    properties do not reveal the class. See `galaxy_edge_train.degradation`.
    """

    kind: Augment = "documented"
    rotation: float = 40.0
    width_shift: float = 0.2
    height_shift: float = 0.2
    shear: float = 0.2
    zoom: float = 0.2
    horizontal_flip: bool = True
    pixel_shift: int = 0
    jpeg_quality: int = 100
    resample: float = 0.0
    noise: float = 0.0
    restretch: float = 0.0
    gain: float = 0.0
    sky_level: float = 0.0
    oversample: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Augment):
            raise UsageError(f"augment must be one of {', '.join(get_args(Augment))}")
        _within("rotation", self.rotation, 0.0, 180.0)
        _within("width_shift", self.width_shift, 0.0, 1.0)
        _within("height_shift", self.height_shift, 0.0, 1.0)
        _within("shear", self.shear, 0.0, 89.0)
        _within("zoom", self.zoom, 0.0, 0.99)
        _within("pixel_shift", self.pixel_shift, 0, 1000)
        _within("jpeg_quality", self.jpeg_quality, 1, 100)
        _within("resample", self.resample, 0.0, 0.9)
        _within("noise", self.noise, 0.0, 255.0)
        _within("restretch", self.restretch, 0.0, 10.0)
        _within("gain", self.gain, 0.0, 10.0)
        _within("sky_level", self.sky_level, 0.0, 1.0)
        _within("oversample", self.oversample, 1.0, 10.0)

    @property
    def degrades(self) -> bool:
        """Whether any degradation is switched on."""
        return (
            self.jpeg_quality < 100
            or self.oversample > 1
            or max(self.resample, self.noise, self.restretch, self.gain, self.sky_level) > 0
        )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The resolved configuration of a run.

    Attributes:
        classes: names of the classes; of two, the negative and the positive one.
        preprocessing: the steps from an image to the network's input; also stored in the model
            file.
        network: the sizes of the network.
        augment: the augmentation of the training images.
        learning_rate: learning rate; the largest one if there is a schedule.
        schedule: "constant" is Adam at the learning rate; "one-cycle" is AdamW, whose rate rises to
            the learning rate and then falls to zero at the last epoch.
        average_weights: decay of the running average of the weights, which is what is validated
            and kept; None keeps the weights themselves.
        batch_size: images per training step.
        epochs: maximum number of epochs.
        patience: training stops after this many epochs without a better validation loss; None
            trains all epochs.
        stop_at_accuracy: validation accuracy at which training stops, or None.
        calibrate: fit a temperature on the validation images and fold it into the last layer.
        class_weights: "balanced" weights the images so that every class counts the same.
        slim: make the trained network smaller until its validation accuracy is this many percentage
            points lower; None leaves it as it is.
        seed: seed of weights, shuffling, augmentation and dropout.
        skip_unreadable: skip unreadable images instead of refusing the data.
        catalogue: columns of the catalogue that names the images, or of the container that holds
            them; None for labelled folders.
        container: how the container is read; None for a catalogue or folders.
        added: catalogues whose images are added, absolute paths; see `galaxy_edge.inputs.added`.
        added_layout: how the containers are read that the catalogues name; None without options.
    """

    classes: tuple[str, ...] = ("Fake", "Real")
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    learning_rate: float = 0.001
    schedule: Schedule = "constant"
    average_weights: float | None = None
    batch_size: int = 32
    epochs: int = 50
    patience: int | None = 5
    stop_at_accuracy: float | None = 0.99
    calibrate: bool = False
    class_weights: ClassWeights = "off"
    slim: float | None = None
    seed: int = 0
    skip_unreadable: bool = False
    catalogue: Columns | None = None
    container: Layout | None = None
    added: tuple[str, ...] = ()
    added_layout: Layout | None = None

    def __post_init__(self) -> None:
        check_classes(self.classes)
        if self.added and self.container is not None:
            raise UsageError(
                "--add is for folders and catalogues of files; write the labels into the container"
            )
        for name in ("batch_size", "epochs"):
            _positive(name, getattr(self, name))
        if self.patience is not None:
            _positive("patience", self.patience)
        if self.schedule not in get_args(Schedule):
            raise UsageError(f"schedule must be one of {', '.join(get_args(Schedule))}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UsageError(f"learning_rate must be positive, not {self.learning_rate}")
        if self.class_weights not in get_args(ClassWeights):
            raise UsageError(f"class_weights must be one of {', '.join(get_args(ClassWeights))}")
        if self.average_weights is not None:
            _within("average_weights", self.average_weights, 0.0, 0.9999)
        if self.stop_at_accuracy is not None:
            _within("stop_at_accuracy", self.stop_at_accuracy, 0.0, 1.0)
        if self.slim is not None:
            _within("slim", self.slim, 0.0, 100.0)
        _within("seed", self.seed, 0, 2**32 - 1)  # the range that NumPy and Keras accept
        self.network.check_fits(self.preprocessing.size)

    def labelled_container(self, path: Path) -> LabelledContainer | None:
        """The container that holds the images; None for a catalogue or folders."""
        if self.container is None or self.catalogue is None:
            return None
        # Imported here, because `train --help` must load no NumPy.
        from galaxy_edge.inputs.containers.labelled import LabelledContainer  # noqa: PLC0415

        bands = self.preprocessing.stretch.bands
        return LabelledContainer(str(path), self.container, self.catalogue, bands)

    def mixed_images(self) -> MixedImages | None:
        """Reads the images of files and of added containers; None if there are no added labels."""
        if not self.added:
            return None
        from galaxy_edge.inputs.containers.mixed import MixedImages  # noqa: PLC0415

        return MixedImages(self.added_layout or Layout(), self.preprocessing.stretch.bands)

    def document(self) -> dict[str, Any]:
        """The configuration as JSON-ready values."""
        document = asdict(self) | {"preprocessing": preprocessing_document(self.preprocessing)}
        if self.slim is None:
            del document["slim"]
        if self.container is None:
            del document["container"]
        else:
            document["container"] = self.container.document()
        # A run without them has the document that earlier versions wrote, and can be resumed.
        if self.added:
            document["added"] = list(self.added)
        else:
            del document["added"]
        if self.added_layout is None:
            del document["added_layout"]
        else:
            document["added_layout"] = self.added_layout.document()
        document["classes"] = list(self.classes)
        if self.network.kind == "documented":
            document["network"]["filters"] = list(self.network.filters)
        else:
            document["network"] = {"kind": self.network.kind}
        return document


def _positive(name: str, value: int) -> None:
    if value < 1:
        raise UsageError(f"{name} must be at least 1, not {value}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} must lie between {low} and {high}, not {value}")
