"""What there is to export: a run folder or a bare Keras file, read as data and never as code."""

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
from galaxy_edge.inputs.labelled import LabelledFile, Split
from galaxy_edge.inputs.preprocessing import Preprocessing, preprocessing_from
from galaxy_edge.manifest import check_labels


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and what is known of how it was made.

    Attributes:
        path: the Keras file.
        labels: the negative and the positive class.
        preprocessing: from an image to the network's input.
        training: for the manifest: configuration, data digest and counts, epochs, versions.
        metrics: for the manifest: split name to metrics.
        files: the run's images by split; empty for a bare model.
        digests: SHA-256 of each of them, as they were when the model was trained.
    """

    path: Path
    labels: tuple[str, str]
    preprocessing: Preprocessing
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[Split, tuple[LabelledFile, ...]] = field(default_factory=dict)
    digests: Mapping[Path, str] = field(default_factory=dict)


def find(source: Path, labels: tuple[str, str], preprocessing: Preprocessing) -> Trained:
    """Find out what a path holds.

    Args:
        source: a run folder, or a ``.keras`` or ``.h5`` file. A file inside a run folder counts
            as that run: its images must not be prepared in another way than in training.
        labels: the classes, for a bare model, which does not carry them.
        preprocessing: likewise.

    Raises:
        ModelError: there is no model, or the run folder is damaged.
    """
    if source.is_dir():
        if source.name.endswith(".partial"):
            raise ModelError(f"{source} is an unfinished run; finish it with `train --resume`")
        if not (source / "config.json").exists():
            raise ModelError(f"{source} is no run folder: it has no config.json")
        return _from_run(source, source / "model.keras")
    if not source.exists():
        raise ModelError(f"there is no {source}")
    if source.suffix.lower() not in (".keras", ".h5", ".hdf5"):
        raise ModelError(f"{source} is neither a run folder nor a .keras or .h5 file")
    if (source.parent / "config.json").exists() and (source.parent / "data.json").exists():
        return _from_run(source.parent, source)
    return Trained(source, labels, preprocessing)


def load(trained: Trained) -> keras.Model:
    """Load the Keras model of a trained model.

    Returns:
        A model from float32 [N, size, size, 3] to [N, 1].

    Raises:
        UsageError: Keras runs on another backend than TensorFlow, which the conversion reads.
        ModelError: it cannot be loaded, holds code, or has another input or output.
    """
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"export reads models with TensorFlow, and Keras runs on {keras.backend.backend()} "
            "here; start again with KERAS_BACKEND=tensorflow (a model trained on another backend "
            "loads)"
        )
    try:
        architecture = _architecture(trained.path)
    except Exception as error:  # zipfile, h5py and json raise many kinds for a damaged file
        raise ModelError(f"{trained.path} is no Keras model: {error!r}") from error
    _refuse_code(architecture)
    try:
        model = keras.saving.load_model(trained.path, compile=False, safe_mode=True)
    except Exception as error:  # so does Keras
        raise ModelError(f"{trained.path} cannot be loaded: {error}") from error
    size = trained.preprocessing.size
    if model.input_shape != (None, size, size, 3):
        raise ModelError(
            f"{trained.path} takes {model.input_shape}, not (None, {size}, {size}, 3); "
            "--image-size tells the size of a bare model"
        )
    if model.output_shape != (None, 1):
        raise ModelError(
            f"{trained.path} gives {model.output_shape}; one score an image, (None, 1), is needed"
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
        check_labels((negative, positive))
        if not data["files"]["Train"] or not data["files"]["Valid"]:
            raise ValueError("it names no images")  # noqa: TRY301 - one fault among the others
        summary = ("epochs", "best_epoch", "stopped", "backend", "versions")
        return Trained(
            path=model,
            labels=(negative, positive),
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
        # A file of weights alone has no such attribute.
        return json.loads(archive.attrs["model_config"])


def _refuse_code(architecture: object) -> None:
    """Refuse layers that carry Python code; Keras's own guard does not cover every format."""
    for node in _walk(architecture):
        if node.get("class_name") in ("Lambda", "__lambda__", "TorchModuleWrapper"):
            raise ModelError(
                f"the model has a {node['class_name']} layer, which is code, and model files are "
                "data here; rebuild it from ordinary layers"
            )
        module = node.get("module")
        if isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins"):
            raise ModelError(
                f"the model needs {node.get('class_name')} from {module}; only Keras's own layers "
                "are loaded"
            )


def _walk(node: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _walk(item)
