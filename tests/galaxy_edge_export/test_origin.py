"""Old and foreign files: loaded where Keras 3 can, otherwise refused in one line with a remedy."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from galaxy_edge import Predictor
from galaxy_edge.errors import ModelError
from galaxy_edge_export import legacy, origin
from tests.galaxy_edge_export.networks import IMAGES, SIZE, image, saved, scaling

Cli = Callable[..., tuple[int, str, str]]
OPTIONS = ("--image-size", SIZE, "--input-range", "0..1")


def rewritten(source: Path, target: Path, change: Callable[[Any], Any], keras_version: str) -> Path:
    """A copy of a .h5 or .keras file as an older Keras would have written it."""
    if source.suffix == ".h5":
        target.write_bytes(source.read_bytes())
        with h5py.File(target, "r+") as file:
            file.attrs["model_config"] = json.dumps(change(json.loads(file.attrs["model_config"])))
            file.attrs["keras_version"] = keras_version
        return target
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                content = json.dumps(change(json.loads(content))).encode()
            if name == "metadata.json":
                content = json.dumps({"keras_version": keras_version}).encode()
            new.writestr(name, content)
    return target


def each_layer(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    def apply(model: Any) -> Any:
        for layer in model["config"]["layers"]:
            change(layer)
        return model

    return apply


def as_keras_2(layer: dict[str, Any]) -> None:
    """What Keras 2 writes of a layer and Keras 3 refuses."""
    config = layer["config"]
    if layer["class_name"] == "DepthwiseConv2D":
        config["groups"] = 1
    if layer["class_name"] == "BatchNormalization":
        config["axis"] = [3]
    if layer["class_name"] == "SeparableConv2D":
        config["kernel_initializer"] = {"class_name": "GlorotUniform", "config": {"seed": None}}
        config["groups"] = 1
    for name, value in config.items():
        if name.endswith("_initializer") and isinstance(value, dict):
            value["config"]["dtype"] = "float32"


def old_network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(),
         layers.ReLU(), layers.DepthwiseConv2D(3), layers.SeparableConv2D(4, 3), layers.Flatten(),
         layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_layers_of_keras_2_are_loaded(suffix: str, tmp_path: Path, cli: Cli):
    model = saved(old_network(), tmp_path / f"new{suffix}")
    source = rewritten(
        tmp_path / f"new{suffix}", tmp_path / f"old{suffix}", each_layer(as_keras_2), "2.15.0"
    )
    with pytest.raises((TypeError, ValueError)):
        keras.saving.load_model(source, compile=False)
    code, _, err = cli("export", source, *OPTIONS, "-q")
    assert (code, err) == (0, "")
    expected = model.predict(IMAGES / np.float32(255), verbose=0)[:, 0]
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(
        Predictor(tmp_path / "old.onnx").scores(IMAGES)[:, 1], expected, atol=1e-5
    )


def functional_of_keras_2(model: Any) -> Any:
    """A functional model whose module, operations and calls are written as Keras 2.15 does."""
    model["module"] = "keras.src.engine.functional"
    (start, factor, shift, inner, *rest) = model["config"]["layers"]
    assert factor["class_name"] == shift["class_name"] == "Rescaling"
    names = [item["config"]["name"] for item in (start, factor, shift, inner)]
    for layer, before, function, number in (
        (factor, names[0], "math.truediv", 127.5), (shift, names[1], "math.subtract", 1.0),
    ):  # fmt: skip
        layer["class_name"] = "TFOpLambda"
        layer["config"] = {"name": layer["name"], "dtype": "float32", "function": function}
        layer["inbound_nodes"] = [[before, 0, 0, {"y": number, "name": None}]]
    inner["inbound_nodes"] = [[[names[2], 0, 0, {}]]]
    before, call = names[3], 1
    for layer in rest:
        layer["inbound_nodes"] = [[[before, call, 0, {}]]]
        before, call = layer["config"]["name"], 0
    model["config"]["input_layers"] = [[names[0], 0, 0]]
    model["config"]["output_layers"] = [[before, 0, 0]]
    return model


def test_a_functional_model_of_keras_2_with_preprocess_input_is_loaded(tmp_path: Path, cli: Cli):
    keras.utils.set_random_seed(1)
    start = image()
    inner = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten()]
    )
    tensor = inner(layers.Rescaling(1.0, offset=-1.0)(layers.Rescaling(1 / 127.5)(start)))
    model = keras.Model(start, layers.Dense(1, activation="sigmoid")(tensor))
    model = saved(model, tmp_path / "new.keras")
    source = rewritten(
        tmp_path / "new.keras", tmp_path / "old.keras", functional_of_keras_2, "2.15.0"
    )
    code, _, err = cli("export", source, "--image-size", SIZE)
    assert code == 0, err
    assert "takes pixels of 0..255 (found in the model)" in err
    expected = model.predict(IMAGES.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(
        Predictor(tmp_path / "old.onnx").scores(IMAGES)[:, 1], expected, atol=1e-5
    )


def test_an_operation_of_keras_2_that_cannot_be_replaced_is_named(tmp_path: Path, cli: Cli):
    def change(model: Any) -> Any:
        layer = model["config"]["layers"][1]
        layer["class_name"] = "TFOpLambda"
        layer["config"]["function"] = "image.adjust_contrast"
        return model

    saved(scaling(), tmp_path / "new.keras")
    source = rewritten(tmp_path / "new.keras", tmp_path / "old.keras", change, "2.15.0")
    code, _, err = cli("export", source, *OPTIONS)
    assert code == 3
    for words in ("written by Keras 2.15.0", "image.adjust_contrast", "Rescaling"):
        assert words in err
    assert len(err.splitlines()) == 1


def test_a_configuration_is_never_printed(tmp_path: Path, cli: Cli):
    def change(model: Any) -> Any:
        for layer in model["config"]["layers"]:
            layer["config"]["invented"] = ["x" * 1000] * 100
        return model

    saved(scaling(), tmp_path / "new.keras")
    source = rewritten(tmp_path / "new.keras", tmp_path / "old.keras", change, "2.4.0")
    code, _, err = cli("export", source, *OPTIONS)
    assert code == 3
    assert "written by Keras 2.4.0" in err
    assert "set_weights" in err
    assert len(err) < 700
    assert len(err.splitlines()) == 1


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(
    ("suffix", "name"),
    [(".h5", "MODEL.H5"), (".keras", "Model.KERAS"), (".h5", "wrong.keras"), (".keras", "wrong.h5"),
     (".keras", "model.zip"), (".h5", "model")],
)  # fmt: skip
def test_a_file_is_recognised_by_its_content(suffix: str, name: str, tmp_path: Path, cli: Cli):
    saved(scaling(), tmp_path / f"new{suffix}")
    source = (tmp_path / f"new{suffix}").rename(tmp_path / name)
    code, _, err = cli("export", source, *OPTIONS, "-o", tmp_path / "m.onnx", "-q")
    assert (code, err) == (0, "")


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return content.getvalue()


FOREIGN = {
    "m.pt": (zipped(archive__data__pkl=b"").replace(b"data/pkl", b"data.pkl"), "PyTorch"),
    "old.pt": (pickle.dumps([1], protocol=2), "PyTorch"),
    "m.tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(100), "TensorFlow Lite"),
    "m.onnx": (b"\x08\x08\x12\x05torch", "ONNX"),
    "lfs.h5": (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
    "page.keras": (b"<!DOCTYPE html><html>", "HTML"),
    "arch.json": (b'{"class_name": "Sequential"}', "holds no weights"),
    "empty.keras": (b"", "neither"),
    "data.zip": (zipped(x=b""), "no config.json"),
    "packed.zip": (zipped(a__keras_model__h5=b"").replace(b"l/h5", b"l.h5"), "unpack it"),
    "cut.keras": (b"PK\x03\x04" + bytes(100), "damaged"),
    "cut.h5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_named(name: str, tmp_path: Path, cli: Cli):
    content, words = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    code, out, err = cli("export", tmp_path / name, *OPTIONS)
    assert (code, out) == (3, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_weights_without_a_model_are_named(tmp_path: Path, cli: Cli):
    model = scaling()
    model.save_weights(tmp_path / "new.weights.h5")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["layer_names"] = ["conv2d"]
        file.attrs["keras_version"] = "2.2.4-tf"
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["galaxies"] = np.zeros(3)
    for name, words in (
        ("new.weights.h5", "only the weights"),
        ("old.h5", "only the weights of a model, written by Keras 2.2.4-tf"),
        ("table.h5", "holds no Keras model"),
    ):
        code, _, err = cli("export", tmp_path / name, *OPTIONS)
        assert code == 3
        assert words in err


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(("name", "value"), [("backend", "theano"), ("keras_version", "1.2.2")])
def test_weights_that_keras_3_reads_wrongly_are_refused(
    name: str, value: str, tmp_path: Path, cli: Cli
):
    saved(scaling(), tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.attrs[name] = value
    code, _, err = cli("export", tmp_path / "m.h5", *OPTIONS)
    assert code == 3
    assert value in err
    assert "reads wrongly" in err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["class_name", "config", "module", "layers", "inbound_nodes", "groups", "axis", "name",
             "batch_input_shape", "output_layers", "kernel_initializer"]
        ),
        inner | st.sampled_from(["Sequential", "Functional", "TFOpLambda", "DepthwiseConv2D"]),
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_configuration_can_be_brought_up_to_date(document: Any):
    before = json.dumps(document)
    legacy.modernised(document)
    assert json.dumps(document) == before


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{"]))
def test_any_bytes_are_refused_in_one_line(tmp_path_factory: Any, content: bytes, start: bytes):
    path = tmp_path_factory.mktemp("bytes") / "m.keras"
    path.write_bytes(start + content)
    with pytest.raises(ModelError) as refused:
        origin.identify(path)
    assert len(str(refused.value).splitlines()) == 1
