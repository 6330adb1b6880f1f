"""Load the model of a file: as data, never as code."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge_export import legacy, origin, precision, saved, shapes
from galaxy_edge_export.network import Network
from galaxy_edge_export.origin import ModelFile
from galaxy_edge_export.traced import trace
from galaxy_edge_export.trained import Trained

#: Backends of Keras 1 and 2 whose convolutions store their weights mirrored.
_MIRRORED = ("theano", "cntk")


def load(trained: Trained) -> Network:
    """Load a model from a Keras file or a SavedModel folder.

    Raises:
        UsageError: Keras does not run on TensorFlow, which the conversion needs; or the model takes
            images of any size, and no size was given.
        ModelError: the model cannot be loaded, contains code, or has the wrong input or output.
    """
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"export needs Keras on TensorFlow, but Keras runs on {keras.backend.backend()}; start "
            "again with KERAS_BACKEND=tensorflow, which also loads models trained on another "
            "backend"
        )
    if trained.path.is_dir():
        return saved.load(trained)
    own = read(trained.path)
    image = shapes.of_image(trained, own.input_shape)
    shapes.check_output(trained, own.output_shape)
    model = precision.in_float32(own)
    traced = trace(model, image.size, image.channels)
    kind = precision.computes_in(own)
    own_call = None if own is model else own.predict_on_batch
    return Network(traced, model.predict_on_batch, "Keras", kind, own_call)


def read(path: Path) -> keras.Model:
    """Read the model of a Keras file.

    Raises:
        ModelError: the model cannot be loaded, or contains code.
    """
    file = origin.identify(path)
    _refuse_code(file.architecture)
    if file.keras.startswith(("0.", "1.")) or file.backend in _MIRRORED:
        raise ModelError(
            f"{path} was written by {file.writer}"
            f"{f' on {file.backend}' if file.backend else ''}, whose weights Keras 3 reads "
            "wrongly; load it in Keras 2 on TensorFlow, and save it again"
        )
    return _loaded(path, file)


def _loaded(path: Path, file: ModelFile) -> keras.Model:
    with tempfile.TemporaryDirectory() as folder:
        # Keras goes by the suffix, which may be MODEL.H5, or wrong.
        named = Path(folder, f"model{file.suffix}")
        try:
            named.symlink_to(path.resolve())
        except OSError:  # Windows allows links only to some users
            shutil.copyfile(path, named)
        newer = legacy.modernised(file.architecture)
        try:
            model = _keras(named)
        except Exception as error:  # noqa: BLE001 - Keras raises many classes
            first = error
        else:
            if newer == file.architecture or not isinstance(model.output_shape, list):
                return model
            first = TypeError("it takes or gives a list of tensors")
        if newer != file.architecture:
            rewritten = Path(folder, f"rewritten{file.suffix}")
            legacy.write_modernised(path, newer, rewritten)
            try:
                return _keras(rewritten)
            except Exception as error:  # noqa: BLE001 - Keras raises many classes
                first = error
    raise ModelError(_refusal(path, file, first)) from first


def _keras(path: Path) -> keras.Model:
    with warnings.catch_warnings():
        # Keras warns of what it changed in the style of a model, which its user cannot help.
        warnings.simplefilter("ignore")
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise TypeError(f"the file holds a {type(model).__name__}, not a model")
    return model


def _refusal(path: Path, file: ModelFile, error: BaseException) -> str:
    """One line: what the file is, what wrote it, what Keras says, what to do."""
    start = f"{path} was written by {file.writer}, and Keras {keras.__version__} cannot load it: "
    old = file.keras and int(re.match(r"\d*", file.keras)[0] or 3) < 3  # type: ignore[index]
    operations = sorted(
        {
            str(node["config"].get("function") or node.get("name") or "an operation")
            for node in _walk(file.architecture)
            if node.get("class_name") in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
            and isinstance(node.get("config"), dict)
        }
    )
    if operations:
        return (
            f"{start}it uses TensorFlow operations as layers ({', '.join(operations)}), which only "
            "Keras 2 has; build the model again with layers instead (for example Rescaling), copy "
            "the weights with set_weights, and save that"
        )
    remedy = (
        "load it in the Keras that wrote it (TensorFlow 2.15 or older, or the package tf_keras), "
        "build the model in Keras 3, copy the weights with set_weights, and save that as .keras"
        if old
        else f"load it in {file.writer} and save it again, or install that version"
    )
    return f"{start}{_reason(error)}; {remedy}"


def _reason(error: BaseException) -> str:
    """What Keras says, without the configuration that it prints."""
    text = str(error)
    if "Exception encountered:" in text:
        text = text.rsplit("Exception encountered:", 1)[1]
    lines = text.strip().splitlines() or [type(error).__name__]
    return re.split(r"[.:]? ?(?:Full object config|config=|using config|\{)", lines[0])[0][:160]


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
