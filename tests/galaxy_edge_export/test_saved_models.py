"""SavedModel folders score as TensorFlow computes them; others are refused in one line."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from galaxy_edge import Predictor
from tests.conftest import make_data
from tests.galaxy_edge_export.networks import IMAGES, SIZE, dense, saved, scaling, tail
from tests.galaxy_edge_export.test_export import LENIENT

Cli = Callable[..., tuple[int, str, str]]
KERAS_2 = Path(__file__).parents[1] / "data" / "keras-2.zip"
PIXELS = IMAGES.astype(np.float32)


def exported(model: keras.Model, folder: Path) -> Path:
    saved(model, folder.with_suffix(".keras"))
    model.export(folder, verbose=False)
    return folder


class Module(tf.Module):
    """A classifier without Keras: a dense layer after a given first step."""

    def __init__(self, first: Callable[[tf.Tensor], tf.Tensor] = lambda x: x / 255.0) -> None:
        super().__init__()
        self.first = first
        rng = np.random.default_rng(0)
        self.weights = tf.Variable(rng.normal(size=(SIZE * SIZE * 3, 1)).astype(np.float32) / 20)

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(self.first(pixels), (-1, SIZE * SIZE * 3))
        return tf.sigmoid(flat @ self.weights)

    def save(self, folder: Path, kind: tf.DType = tf.float32, batch: int | None = None) -> Path:
        image = tf.TensorSpec((batch, SIZE, SIZE, 3), kind)
        self.call = tf.function(self.__call__).get_concrete_function(image)
        tf.saved_model.save(self, str(folder), signatures={"scores": self.call})
        return folder


def scores_of(folder: Path, pixels: np.ndarray) -> np.ndarray:
    model = tf.saved_model.load(str(folder))
    ((output, _),) = model.signatures["serving_default"].structured_outputs.items()
    ((name, given),) = model.signatures["serving_default"].structured_input_signature[1].items()
    found = model.signatures["serving_default"](**{name: tf.constant(pixels, given.dtype)})
    return np.asarray(found[output])


def test_a_keras_model_that_was_exported_scores_as_the_folder_does(tmp_path: Path, cli: Cli):
    folder = exported(scaling(layers.Rescaling(1 / 255)), tmp_path / "mine.v1")
    code, out, err = cli("export", folder)
    assert (code, out) == (0, f"{tmp_path / 'mine.v1.onnx'}\n"), err
    assert "fp32 against TensorFlow: largest difference" in err
    assert "takes pixels of 0..255 (found in the model)" in err
    expected = scores_of(folder, PIXELS)[:, 0]
    assert np.ptp(expected) > 1e-3
    predictor = Predictor(out.strip())
    assert predictor.preprocessing.size == SIZE
    np.testing.assert_allclose(predictor.scores(IMAGES)[:, 1], expected, atol=1e-5)


@pytest.mark.parametrize("kind", [tf.float32, tf.uint8])
def test_a_computation_without_keras_is_exported(kind: tf.DType, tmp_path: Path, cli: Cli):
    folder = Module(lambda x: tf.cast(x, tf.float32) / 255.0).save(tmp_path / "m", kind)
    # A folder with one signature needs no particular name for it; the file in it means the folder.
    code, out, err = cli("export", folder / "saved_model.pb")
    assert code == 0, err
    assert "takes pixels of 0..255 (found in the model)" in err
    expected = np.asarray(tf.saved_model.load(str(folder)).call(tf.constant(IMAGES, kind)))
    np.testing.assert_allclose(Predictor(out.strip()).scores(IMAGES)[:, 1:], expected, atol=1e-5)


def test_logits_of_three_classes_need_the_activation(tmp_path: Path, cli: Cli):
    start = keras.Input((SIZE, SIZE, 3))
    body = tail(start, "relu")
    folder = exported(keras.Model(start, layers.Dense(3)(body)), tmp_path / "m")
    options = ("--classes", "a,b,c")
    code, _, err = cli("export", folder, *options, "--activation", "softmax")
    assert (code, "--input-range 0..1" in err) == (2, True)
    code, _, err = cli("export", folder, *options, "--input-range", "0..1")
    assert (code, "--activation softmax" in err) == (3, True)
    code, out, err = cli(
        "export", folder, *options, "--input-range", "0..1", "--activation", "softmax", "-q"
    )
    assert (code, err) == (0, "")
    expected = tf.nn.softmax(scores_of(folder, PIXELS / 255))
    np.testing.assert_allclose(Predictor(out.strip()).scores(IMAGES), expected, atol=1e-5)


@pytest.mark.parametrize("options", [(), ("--portable",), ("--half",)])
def test_int8_and_fp16_are_those_of_the_keras_file(
    options: tuple[str, ...], tmp_path: Path, cli: Cli
):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(8, 3, use_bias=False),
         layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(2), layers.Flatten(),
         layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip
    folder = exported(model, tmp_path / "m")
    if options != ("--half",):
        options += ("--quantize", "--data", make_data(tmp_path / "data"), *LENIENT)
    files = []
    for source in (folder, tmp_path / "m.keras"):
        path = tmp_path / f"{len(files)}.onnx"
        code, _, err = cli(
            "export", source, "-o", path, "--input-range", "0..1", *options, "-q"
        )  # fmt: skip
        assert (code, err) == (0, "")
        files.append(Predictor(path))
    np.testing.assert_array_equal(files[0].scores(IMAGES), files[1].scores(IMAGES))
    assert files[0].manifest.quantization.get("float_layers", {}).keys() <= {"gemm_2"}


@pytest.fixture(scope="module")
def keras_2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Keras 2 saved; tests/data/keras_2.py wrote it."""
    folder = tmp_path_factory.mktemp("keras-2")
    with zipfile.ZipFile(KERAS_2) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("name", ["saved", "exported", "model.h5", "model.keras"])
def test_what_keras_2_saved_scores_as_keras_2_did(
    name: str, keras_2: Path, tmp_path: Path, cli: Cli
):
    expected = np.load(keras_2 / "expected.npz")
    assert np.ptp(expected["scores"]) > 0.03
    code, _, err = cli("export", keras_2 / name, "-o", tmp_path / "m.onnx")
    assert code == 0, err
    assert "takes pixels of 0..255 (found in the model)" in err
    found = Predictor(tmp_path / "m.onnx").scores(expected["images"])[:, 1]
    np.testing.assert_allclose(found, expected["scores"], atol=1e-5)


def test_a_normalisation_of_keras_2_goes_into_its_layer(keras_2: Path, tmp_path: Path, cli: Cli):
    path = tmp_path / "m.onnx"
    data = make_data(tmp_path / "data")
    code, _, err = cli(
        "export", keras_2 / "saved", "-o", path, "--quantize", "--data", data, *LENIENT
    )
    assert code == 0, err
    import onnx

    operators = {node.op_type for node in onnx.load(path).graph.node}
    # The second one follows an activation, so it cannot go into a layer.
    assert "Cast" not in operators
    expected = np.load(keras_2 / "expected.npz")
    found = Predictor(path).scores(expected["images"])[:, 1]
    np.testing.assert_allclose(found, expected["scores"], atol=0.02)


def of_any_size() -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((None, None, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3),
         layers.GlobalMaxPooling2D(), layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip


@pytest.mark.parametrize("name", ["m", "m.keras"])
def test_a_model_of_any_size_needs_the_size(name: str, tmp_path: Path, cli: Cli):
    exported(of_any_size(), tmp_path / "m")
    code, out, err = cli("export", tmp_path / name)
    assert (code, out) == (2, "")
    assert "images of any size" in err
    assert "--image-size" in err
    code, out, err = cli("export", tmp_path / name, "--image-size", SIZE, "-q")
    assert (code, err) == (0, "")
    expected = scores_of(tmp_path / "m", PIXELS)[:, 0]
    np.testing.assert_allclose(Predictor(out.strip()).scores(IMAGES)[:, 1], expected, atol=1e-5)


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


def test_a_size_that_contradicts_the_model_is_refused(tmp_path: Path, cli: Cli):
    saved(dense(), tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", "--image-size", 13)
    assert code == 3
    assert "leave out --image-size" in err


def test_the_folder_may_be_the_current_one(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(Module().save(tmp_path / "m"))
    code, out, err = cli("export", ".", "-q")
    assert (code, out, err) == (0, f"{tmp_path / 'm.onnx'}\n", "")
