"""Folders that hold no usable SavedModel are refused in one line, and nothing in them runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.galaxy_edge_export.networks import SIZE, Module, tail

Cli = Callable[..., tuple[int, str, str]]


def python_function(folder: Path) -> None:
    Module(lambda x: tf.numpy_function(np.square, [x], tf.float32)).save(folder)


def writes_a_file(folder: Path) -> None:
    def first(pixels: tf.Tensor) -> tf.Tensor:
        tf.io.write_file(str(folder.parent / "written"), "x")
        return pixels / 255.0

    Module(first).save(folder)


def reads_a_file(folder: Path) -> None:
    def first(pixels: tf.Tensor) -> tf.Tensor:
        size = tf.strings.length(tf.io.read_file(str(folder / "saved_model.pb")))
        return pixels / 255.0 + tf.cast(size, tf.float32)

    Module(first).save(folder)


def with_a_table(folder: Path) -> None:
    module = Module()
    values = tf.lookup.KeyValueTensorInitializer([1], [2.0])
    module.table = tf.lookup.StaticHashTable(values, 0.0)
    module.first = lambda x: x / (254.0 + module.table.lookup(tf.constant(1)))
    module.save(folder)


def half(folder: Path) -> None:
    Module(lambda x: tf.cast(tf.cast(x, tf.float16) / 255, tf.float32)).save(folder)


def strings(folder: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec((None,), tf.string)
    module.call = tf.function(tf.strings.to_number).get_concrete_function(spec)
    tf.saved_model.save(module, str(folder), signatures=module.call)


def without_a_signature(folder: Path) -> None:
    module = tf.Module()
    module.variable = tf.Variable(1.0)
    tf.saved_model.save(module, str(folder))


def several_signatures(folder: Path) -> None:
    module = Module()
    spec = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32)
    module.call = tf.function(module.__call__).get_concrete_function(spec)
    tf.saved_model.save(module, str(folder), signatures={"a": module.call, "b": module.call})


def two_outputs(folder: Path) -> None:
    module = Module()
    spec = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32)
    module.call = tf.function(
        lambda x: {"one": module(x), "two": module(x)}
    ).get_concrete_function(spec)  # fmt: skip
    tf.saved_model.save(module, str(folder), signatures=module.call)


def of_tensorflow_1(folder: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3))
        score = tf.sigmoid(tf.reduce_mean(image, (1, 2, 3)))[:, None]
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.predict_signature_def({"image": image}, {"score": score})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()


def with_two_channels(folder: Path) -> None:
    start = keras.Input((SIZE, SIZE, 2))
    keras.Model(start, tail(start)).export(folder, verbose=False)


def channels_first(folder: Path) -> None:
    start = keras.Input((3, SIZE, SIZE))
    model = keras.Model(start, layers.Dense(1, "sigmoid")(layers.Flatten()(start)))
    model.export(folder, verbose=False)


def not_square(folder: Path) -> None:
    start = keras.Input((SIZE, SIZE + 1, 3))
    keras.Model(start, tail(start)).export(folder, verbose=False)


def one_image_only(folder: Path) -> None:
    Module().save(folder, batch=1)


def without_its_variables(folder: Path) -> None:
    Module().save(folder)
    shutil.rmtree(folder / "variables")


def damaged(folder: Path) -> None:
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"rubbish")


def empty(folder: Path) -> None:
    folder.mkdir()


def around_another(folder: Path) -> None:
    Module().save(folder / "1")


REFUSED = {
    python_function: "calls Python functions (PyFunc)",
    writes_a_file: "does more than compute scores, or was compiled: WriteFile",
    reads_a_file: "does more than compute scores, or was compiled: ReadFile",
    with_a_table: "holds tables or other resources",
    half: "computes in float16, and export needs float32",
    strings: "takes string, for example encoded images",
    without_a_signature: "has no serving signature",
    several_signatures: "has the signatures a, b, and none of them is called serving_default",
    two_outputs: "has 2 outputs (one, two)",
    of_tensorflow_1: "in the format of TensorFlow 1, written by TensorFlow",
    with_two_channels: "three channels (RGB) or one (grey)",
    channels_first: "with the channels first; build it with the channels last",
    not_square: "export needs a model of square images",
    one_image_only: "takes only batches of 1; build it with the input (None, 12, 12, 3)",
    without_its_variables: "cannot be loaded as a SavedModel; is it complete?",
    damaged: "is a damaged SavedModel",
    empty: "neither a run folder, because it has no config.json, nor a SavedModel",
    around_another: "it contains the SavedModel",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_other_folders_are_refused_in_one_line(
    make: Callable[[Path], None], tmp_path: Path, cli: Cli
):
    make(tmp_path / "m")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = cli("export", tmp_path / "m", "--input-range", "0..1")
    assert (code, out) == (3, "")
    assert REFUSED[make] in err
    assert len(err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_an_operator_that_is_not_tensorflows_own_is_named(tmp_path: Path, cli: Cli):
    from tensorflow.core.protobuf import saved_model_pb2

    path = Module().save(tmp_path / "m") / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for function in content.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            node.op = "Addons>Gelu" if node.op == "Sigmoid" else node.op
    path.write_bytes(content.SerializeToString())
    code, _, err = cli("export", tmp_path / "m")
    assert code == 3
    assert "operators that are not TensorFlow's own: Addons>Gelu" in err
