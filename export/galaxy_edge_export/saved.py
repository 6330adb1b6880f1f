"""Load a SavedModel folder: a TensorFlow computation with its variables, whatever wrote it.

A SavedModel holds no Keras model and no Python code, but its operators could do more than compute:
read and write files, or call Python functions. Such operators are refused, as are tables and other
resources, because TensorFlow fills them when it loads a folder, before anybody calls the model.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from galaxy_edge.errors import ModelError
from galaxy_edge_export import origin, shapes
from galaxy_edge_export.network import Network, Numbers
from galaxy_edge_export.traced import Traced, freeze
from galaxy_edge_export.trained import Trained

#: The name under which TensorFlow and Keras save what a served model computes.
_SERVED = "serving_default"
_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
#: Operators that read files; TensorFlow counts them as free of side effects.
_FILES = frozenset({"ReadFile", "MatchingFiles"})
_SMALL = (tf.float16, tf.bfloat16)
_KERAS = "save the Keras model with model.save('model.keras') instead, and export that"


def load(trained: Trained) -> Network:
    """Load the serving signature of a SavedModel folder.

    Raises:
        UsageError: the model takes images of any size, and no size was given.
        ModelError: the folder cannot be loaded, its operators do more than compute, or its
            signature is not that of a classifier of one image.
    """
    folder = trained.path
    _check_graph(folder, _graph(folder))
    model = _loaded(folder)
    served = _served(folder, model)
    name, given = _only(folder, "input", served.structured_input_signature[1])
    output, _ = _only(folder, "output", served.structured_outputs)
    if not (given.dtype.is_floating or given.dtype.is_integer):
        raise ModelError(
            f"{folder} takes {given.dtype.name}, for example encoded images; export needs a "
            "signature that takes pixels, as float32 or uint8"
        )
    takes = None if given.shape.rank is None else tuple(given.shape.as_list())
    image = shapes.of_image(trained, takes)

    def call(pixels: tf.Tensor) -> tf.Tensor:
        return served(**{name: tf.cast(pixels, given.dtype)})[output]

    # A signature does not keep the variables of its model.
    call.model = model  # type: ignore[attr-defined]
    function = freeze(call, image.size, image.channels)
    _check_operators(folder, function.graph)
    gives = function.outputs[0].shape
    shapes.check_output(trained, None if gives.rank is None else tuple(gives.as_list()))
    return Network(
        Traced(image.size, image.channels, function), _called(folder, call), "TensorFlow"
    )


def _called(folder: Path, call: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[Numbers], Numbers]:
    def scores(pixels: Numbers) -> Numbers:
        try:
            return np.asarray(call(tf.constant(pixels)), np.float32)
        except tf.errors.OpError as error:
            raise ModelError(f"{folder} cannot be called on images: {_line(error)}") from error

    return scores


def _graph(folder: Path) -> Any:
    """The graph of a folder, which is not loaded yet."""
    path = folder / origin.GRAPH
    try:
        content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise ModelError(f"{folder} is a damaged SavedModel: {_line(error)}") from error
    graphs = content.meta_graphs
    if not graphs:
        raise ModelError(f"{folder} is a damaged SavedModel: it holds no graph")
    if len(graphs) > 1 or not graphs[0].HasField("object_graph_def"):
        version = graphs[0].meta_info_def.tensorflow_version
        raise ModelError(
            f"{folder} is a SavedModel in the format of TensorFlow 1"
            f"{f', written by TensorFlow {version}' if version else ''}; load it in TensorFlow 2, "
            "and save what it computes with tf.saved_model.save(module, folder, signatures=...)"
        )
    return graphs[0]


def _check_graph(folder: Path, graph: Any) -> None:
    """Refuse what would run while TensorFlow loads a folder, or cannot be loaded."""
    operators = {node.op for node in _nodes(graph.graph_def)}
    if found := sorted(operators & _PYTHON):
        raise ModelError(
            f"{folder} calls Python functions ({', '.join(found)}), and code in model files is not "
            "loaded; write that part in TensorFlow or Keras, and save the model again"
        )
    if found := sorted(name for name in operators if op_def_registry.get(name) is None):
        raise ModelError(
            f"{folder} uses operators that are not TensorFlow's own: {', '.join(found)}; build the "
            "model without them, and save it again"
        )
    nodes = graph.object_graph_def.nodes
    if any(node.WhichOneof("kind") == "resource" or node.saveable_objects for node in nodes):
        raise ModelError(
            f"{folder} holds tables or other resources besides its variables, which a classifier "
            f"of images does not need; {_KERAS}"
        )


def _check_operators(folder: Path, graph: tf.Graph) -> None:
    """Refuse operators that do more than compute, and numbers of fewer bits."""
    nodes = [*_nodes(graph.as_graph_def())]
    effects = sorted(
        {
            node.op
            for node in nodes
            if node.op in _FILES or getattr(op_def_registry.get(node.op), "is_stateful", False)
        }
    )
    if effects:
        raise ModelError(
            f"{folder} does more than compute scores, or was compiled: {', '.join(effects)}; save "
            "a model without these operators, or, if it is a Keras model, as .keras"
        )
    small = {
        tensor.dtype
        for operator in graph.get_operations()
        for tensor in operator.outputs
        if tensor.dtype in _SMALL
    }
    if small:
        raise ModelError(
            f"{folder} computes in {min(kind.name for kind in small)}, and export needs "
            f"float32; {_KERAS}, which computes it in float32"
        )


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a graph and of its functions."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _loaded(folder: Path) -> Any:
    try:
        with _silent():
            return tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises many classes for a damaged folder
        raise ModelError(
            f"{folder} cannot be loaded as a SavedModel; is it complete? {_line(error)}"
        ) from error


def _served(folder: Path, model: Any) -> Any:
    signatures = model.signatures
    if _SERVED in signatures:
        return signatures[_SERVED]
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    if signatures:
        raise ModelError(
            f"{folder} has the signatures {', '.join(sorted(signatures))}, and none of them is "
            f"called {_SERVED}; save it with only the one to export"
        )
    raise ModelError(
        f"{folder} has no serving signature, so nothing says what it computes; save it with "
        "model.export(folder) if it is a Keras model, else with "
        "tf.saved_model.save(module, folder, signatures=...)"
    )


def _only(folder: Path, kind: str, tensors: dict[str, Any]) -> tuple[str, Any]:
    if len(tensors) != 1:
        names = ", ".join(sorted(tensors)) or "none"
        raise ModelError(
            f"the serving signature of {folder} has {len(tensors)} {kind}s ({names}); export needs "
            f"one {kind}"
        )
    return next(iter(tensors.items()))


@contextmanager
def _silent() -> Iterator[None]:
    """Silence TensorFlow's remarks on folders of other versions; we refuse what is wrong."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
