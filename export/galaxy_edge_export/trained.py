"""Read a run folder or a bare Keras file: as data, never as code."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.inputs.class_names import check_classes
from galaxy_edge.inputs.labelled import LabelledFile, Split
from galaxy_edge.inputs.preprocessing import Preprocessing, preprocessing_from


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and what is known about its training.

    Attributes:
        path: the Keras file.
        classes: the negative and the positive class.
        preprocessing: the steps from an image to the input of the network.
        training: for the manifest: configuration, data digest and counts, epochs, versions.
        metrics: for the manifest: split name to metrics.
        files: the images of the run by split; empty for a bare model.
        digests: SHA-256 of each image at the time of the training.
    """

    path: Path
    classes: tuple[str, str]
    preprocessing: Preprocessing
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[Split, tuple[LabelledFile, ...]] = field(default_factory=dict)
    digests: Mapping[Path, str] = field(default_factory=dict)


def find(source: Path, classes: tuple[str, str], preprocessing: Preprocessing) -> Trained:
    """Read what is known about the model at a path.

    Args:
        source: a run folder, or a ``.keras`` or ``.h5`` file. A file inside a run folder counts
            as that run, because its images must be prepared as in the training.
        classes: the classes of a bare model, which does not record them.
        preprocessing: the preprocessing of a bare model, which does not record it.

    Raises:
        ModelError: the path has no model, or the run folder is damaged.
    """
    if source.is_dir():
        if source.name.endswith(".partial"):
            raise ModelError(f"{source} is an unfinished run; finish it with `train --resume`")
        if not (source / "config.json").exists():
            raise ModelError(f"{source} is not a run folder: it has no config.json")
        return _from_run(source, source / "model.keras")
    if not source.exists():
        raise ModelError(f"{source} does not exist")
    if source.suffix.lower() not in (".keras", ".h5", ".hdf5"):
        raise ModelError(f"{source} is neither a run folder nor a .keras or .h5 file")
    if (source.parent / "config.json").exists() and (source.parent / "data.json").exists():
        return _from_run(source.parent, source)
    return Trained(source, classes, preprocessing)


def load(trained: Trained) -> keras.Model:
    """Load the Keras model.

    Returns:
        A model that maps float32 [N, size, size, 3] to [N, 1].

    Raises:
        UsageError: Keras does not run on TensorFlow, which the conversion needs.
        ModelError: the model cannot be loaded, contains code, or has the wrong input or output.
    """
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"export needs Keras on TensorFlow, but Keras runs on {keras.backend.backend()}; start "
            "again with KERAS_BACKEND=tensorflow, which also loads models trained on another "
            "backend"
        )
    try:
        architecture = _architecture(trained.path)
    except Exception as error:  # zipfile, h5py and json raise many classes for a damaged file
        raise ModelError(f"{trained.path} is not a Keras model: {error!r}") from error
    _refuse_code(architecture)
    try:
        model = keras.saving.load_model(trained.path, compile=False, safe_mode=True)
    except Exception as error:  # Keras, too, raises many classes
        raise ModelError(f"{trained.path} cannot be loaded: {error}") from error
    size = trained.preprocessing.size
    if model.input_shape != (None, size, size, 3):
        raise ModelError(
            f"{trained.path} takes input of shape {model.input_shape}, not (None, {size}, {size}, "
            "3); set the size of a model without its run folder with --image-size"
        )
    if model.output_shape != (None, 1):
        raise ModelError(
            f"{trained.path} gives output of shape {model.output_shape}, not (None, 1); export "
            "needs a model with one score per image"
        )
    return model


def rescales_itself(model: keras.Model) -> bool:
    """Whether the model takes pixels of 0 to 255 and rescales them itself, at any depth."""
    return any(
        isinstance(layer, keras.layers.Rescaling)
        or (isinstance(layer, keras.Model) and rescales_itself(layer))
        for layer in model.layers
    )


def _from_run(run: Path, model: Path) -> Trained:
    try:
        config, data, metrics = (
            json.loads((run / name).read_text(encoding="utf-8"))
            for name in ("config.json", "data.json", "metrics.json")
        )
        root = Path(data["root"])
        negative, positive = config["classes"]
        check_classes((negative, positive))
        if not data["files"]["Train"] or not data["files"]["Valid"]:
            raise ValueError("data.json lists no images")  # noqa: TRY301 - handled like the others
        summary = ("epochs", "best_epoch", "stopped", "backend", "versions")
        return Trained(
            path=model,
            classes=(negative, positive),
            preprocessing=preprocessing_from(config["preprocessing"]),
            training={
                "config": config,
                "data_digest": data["digest"],
                "counts": data["counts"],
                **{name: metrics[name] for name in summary},
            },
            metrics={split: metrics[split] for split in ("Valid", "Test") if split in metrics},
            files={
                split: tuple(LabelledFile(root / item["path"], item["label"]) for item in items)
                for split, items in data["files"].items()
            },
            digests={
                root / item["path"]: item["sha256"]
                for items in data["files"].values()
                for item in items
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{run} is a damaged run folder: {error!r}") from error


def _architecture(path: Path) -> object:
    if path.suffix.lower() == ".keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    with h5py.File(path, "r") as archive:
        # A file that holds only weights lacks this attribute.
        return json.loads(archive.attrs["model_config"])


def _refuse_code(architecture: object) -> None:
    """Refuse layers that contain Python code: Keras's own check does not cover every format."""
    for node in _walk(architecture):
        if node.get("class_name") in ("Lambda", "__lambda__", "TorchModuleWrapper"):
            raise ModelError(
                f"the model has a {node['class_name']} layer, which contains code, and code in "
                "model files is not loaded; rebuild the model from ordinary layers"
            )
        module = node.get("module")
        if isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins"):
            raise ModelError(
                f"the model needs {node.get('class_name')} from {module}, but only Keras's own "
                "layers are loaded; rebuild the model from those"
            )


def _walk(node: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _walk(item)
