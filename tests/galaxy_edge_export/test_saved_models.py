"""SavedModel folders score as TensorFlow computes them."""

from __future__ import annotations

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
from tests.galaxy_edge_export.networks import IMAGES, SIZE, Module, dense, saved, scaling, tail
from tests.galaxy_edge_export.test_export import LENIENT

Cli = Callable[..., tuple[int, str, str]]
KERAS_2 = Path(__file__).parents[1] / "data" / "keras-2.zip"
PIXELS = IMAGES.astype(np.float32)


def exported(model: keras.Model, folder: Path) -> Path:
    saved(model, folder.with_suffix(".keras"))
    model.export(folder, verbose=False)
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
