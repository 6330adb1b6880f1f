"""Load the Keras model of a file: as data, never as code."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.manifest import score_width
from galaxy_edge_export import legacy, origin
from galaxy_edge_export.origin import ModelFile
from galaxy_edge_export.trained import Trained

#: Backends of Keras 1 and 2 whose convolutions store their weights mirrored.
_MIRRORED = ("theano", "cntk")


def load(trained: Trained) -> keras.Model:
    """Load the Keras model.

    Returns:
        A model that maps float32 [N, size, size, 3] to [N, 1] or [N, C].

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
    file = origin.identify(trained.path)
    _refuse_code(file.architecture)
    if file.keras.startswith(("0.", "1.")) or file.backend in _MIRRORED:
        raise ModelError(
            f"{trained.path} was written by {file.writer}"
            f"{f' on {file.backend}' if file.backend else ''}, whose weights Keras 3 reads "
            "wrongly; load it in Keras 2 on TensorFlow, and save it again"
        )
    model = _loaded(trained.path, file)
    _check_shapes(model, trained)
    return model


def _loaded(path: Path, file: ModelFile) -> keras.Model:
    with tempfile.TemporaryDirectory() as folder:
        # Keras goes by the suffix, which may be MODEL.H5, or wrong.
        named = Path(folder, f"model{file.suffix}")
        named.symlink_to(path.resolve())
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


def _check_shapes(model: keras.Model, trained: Trained) -> None:
    size = trained.preprocessing.size
    takes, gives = model.input_shape, model.output_shape
    if takes != (None, size, size, 3):
        if takes == (None, None, None, 3) or (
            isinstance(takes, tuple) and len(takes) == 4 and takes[1:] == (size, size, 3)
        ):
            advice = (
                f"build it with the input (None, {size}, {size}, 3), copy the weights, and save it"
            )
        elif isinstance(takes, tuple) and len(takes) == 4 and takes[3] == 3:
            advice = "set the size of a model without its run folder with --image-size"
        else:
            advice = "export needs a model of one RGB image (--image-size sets its size)"
        raise ModelError(
            f"{trained.path} takes input of shape {takes}, not (None, {size}, {size}, 3); {advice}"
        )
    width = score_width(trained.classes)
    if gives == (None, width) or (width == 1 and gives == (None, 2)):
        return
    if isinstance(gives, tuple) and len(gives) == 2 and (gives[1] or 0) > 2:
        raise ModelError(
            f"{trained.path} gives {gives[1]} numbers per image, and there are "
            f"{len(trained.classes)} classes; give one name for each number with --classes, in "
            "their order"
        )
    if width > 1:
        raise ModelError(
            f"{trained.path} gives output of shape {gives}, not (None, {width}) for "
            f'{width} classes; end the model in Dense({width}, activation="softmax")'
        )
    raise ModelError(
        f"{trained.path} gives output of shape {gives}, not (None, 1); export needs a model "
        "with one score per image or one per class"
    )


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
