"""What is known about a trained model: from its run folder, or from the user for a bare file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from galaxy_edge.errors import ModelError
from galaxy_edge.inputs.class_names import check_classes
from galaxy_edge.inputs.containers.labelled import LabelledContainer
from galaxy_edge.inputs.containers.layout import Layout, layout_from
from galaxy_edge.inputs.containers.mixed import MixedImages
from galaxy_edge.inputs.labelled import LabelledFile, Split
from galaxy_edge.inputs.preprocessing import Preprocessing, preprocessing_from
from galaxy_edge.inputs.tables import Columns
from galaxy_edge_export import origin
from galaxy_edge_export.config import Activation, InputRange


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and what is known about its training.

    Attributes:
        path: the Keras file, or the SavedModel folder.
        classes: in the order of the outputs; of two, the negative and the positive one.
        preprocessing: the steps from an image to the input of the network.
        input_range: the pixel values that the model takes; None to derive them from the model.
        activation: what makes a probability of the model's output; None for nothing.
        sized: whether ``preprocessing`` has the size of the images; else the model says it.
        training: for the manifest: configuration, data digest and counts, epochs, versions.
        metrics: for the manifest: split name to metrics.
        files: the images of the run by split; empty for a bare model.
        digests: SHA-256 of each image at the time of the training.
        container: holds the images of the run, or some of them; None for files.
    """

    path: Path
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    input_range: InputRange | None = None
    activation: Activation | None = None
    sized: bool = True
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[Split, tuple[LabelledFile, ...]] = field(default_factory=dict)
    digests: Mapping[Path, str] = field(default_factory=dict)
    container: LabelledContainer | MixedImages | None = None

    @property
    def bare(self) -> bool:
        """Whether the model has no run folder."""
        return not self.files

    @property
    def size(self) -> int | None:
        """Height and width of the images, pixels; None if only the model says it."""
        return self.preprocessing.size if self.sized else None


def find(
    source: Path,
    classes: tuple[str, ...],
    preprocessing: Preprocessing,
    input_range: InputRange | None = None,
    activation: Activation | None = None,
    *,
    sized: bool = True,
) -> Trained:
    """Read what is known about the model at a path.

    Args:
        source: a run folder, a Keras file or a SavedModel folder. A file inside a run folder counts
            as that run, because its images must be prepared as in the training.
        classes: the classes of a bare model, which does not record them.
        preprocessing: the preprocessing of a bare model, which does not record it.
        input_range: the pixel values that a bare model takes; None to derive them from the model.
        activation: what makes a probability of the output of a bare model.
        sized: whether ``preprocessing`` has the size of the images of a bare model.

    Raises:
        UsageError: the names of the classes are not different and printable.
        ModelError: the path has no model, or the run folder is damaged.
    """
    check_classes(classes)
    if source.name == origin.GRAPH and source.is_file():
        source = source.parent
    bare = Trained(source, classes, preprocessing, input_range, activation, sized)
    if source.is_dir():
        if source.name.endswith(".partial"):
            raise ModelError(f"{source} is an unfinished run; finish it with `train --resume`")
        if not (source / "config.json").exists():
            origin.check_folder(source)
            return bare
        return _from_run(source, source / "model.keras")
    if not source.exists():
        raise ModelError(f"{source} does not exist")
    if (source.parent / "config.json").exists() and (source.parent / "data.json").exists():
        return _from_run(source.parent, source)
    return bare


def _from_run(run: Path, model: Path) -> Trained:
    try:
        config, data, metrics = (
            json.loads((run / name).read_text(encoding="utf-8"))
            for name in ("config.json", "data.json", "metrics.json")
        )
        root = Path(data["root"])
        check_classes(config["classes"])
        if not data["files"]["Train"] or not data["files"]["Valid"]:
            raise ValueError("data.json lists no images")  # noqa: TRY301 - handled like the others
        summary = ("epochs", "best_epoch", "stopped", "backend", "versions")
        return Trained(
            path=model,
            classes=tuple(config["classes"]),
            preprocessing=preprocessing_from(config["preprocessing"]),
            # The trainer divides by 255.
            input_range="0..1",
            training={
                "config": config,
                "data_digest": data["digest"],
                "counts": data["counts"],
                **{name: metrics[name] for name in summary},
            },
            metrics={split: metrics[split] for split in ("Valid", "Test") if split in metrics},
            files={
                split: tuple(
                    LabelledFile(root / item["path"], item["label"], item.get("source", ""))
                    for item in items
                )
                for split, items in data["files"].items()
            },
            digests={
                root / item["path"]: item["sha256"]
                for items in data["files"].values()
                for item in items
            },
            container=_container(config, data),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{run} is a damaged run folder: {error!r}") from error


def _container(
    config: Mapping[str, Any], data: Mapping[str, Any]
) -> LabelledContainer | MixedImages | None:
    """What reads the images of a run that are in containers; None if it has files only."""
    bands = preprocessing_from(config["preprocessing"]).stretch.bands
    if "container" in data:
        layout = layout_from(config["container"])
        return LabelledContainer(data["container"], layout, Columns(**config["catalogue"]), bands)
    if "added" not in config:
        return None
    given = config.get("added_layout")
    return MixedImages(Layout() if given is None else layout_from(given), bands)
