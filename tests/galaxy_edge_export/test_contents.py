"""Every layer is quantised, and the manifest says what the file contains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge import Predictor
from galaxy_edge_export import contents, folding
from galaxy_edge_export.convert import convert
from galaxy_edge_export.traced import trace
from tests.conftest import make_data
from tests.galaxy_edge_export.networks import IMAGES, SIZE, dense, saved
from tests.galaxy_edge_export.test_export import LENIENT

Cli = Callable[..., tuple[int, str, str]]


def last_without_bias() -> keras.Model:
    model = dense(layers.Dense(16, activation="relu"))
    start = keras.Input((SIZE, SIZE, 3))
    tensor = start
    for layer in [*model.layers[:-1], layers.Dense(1, activation="sigmoid", use_bias=False)]:
        tensor = layer(tensor)
    return keras.Model(start, tensor)


HEADS: dict[str, Callable[[], keras.Model]] = {
    "with bias": lambda: dense(layers.Dense(16, activation="relu")),
    "without bias": lambda: dense(layers.Dense(16, activation="relu", use_bias=False)),
    "last without bias": last_without_bias,
    "before normalisation": lambda: dense(
        layers.Dense(16, use_bias=False), layers.BatchNormalization(), layers.ReLU()
    ),
    "with bias, before normalisation": lambda: dense(
        layers.Dense(16), layers.BatchNormalization(), layers.ReLU()
    ),
    "gelu": lambda: dense(layers.Dense(16, activation="gelu")),
}


def integers(model: onnx.ModelProto) -> dict[str, int]:
    """Number of weights in integers, and in float, of 16 or more."""
    sizes = {"int": 0, "float": 0}
    for item in model.graph.initializer:
        count = int(np.prod(item.dims))
        if len(item.dims) > 1 and count >= 16:
            sizes["float" if item.data_type == TensorProto.FLOAT else "int"] += count
    return sizes


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("bits", [8, 4])
def test_every_dense_layer_but_the_last_is_quantised(
    head: str, bits: int, tmp_path: Path, cli: Cli
):
    model = saved(HEADS[head](), tmp_path / "m.keras")
    data = make_data(tmp_path / "data")
    code, _, err = cli(
        "export", tmp_path / "m.keras", "-o", tmp_path / "m.onnx", "--image-size", SIZE,
        "--input-range", "0..1", "--quantize", "--dense-bits", bits, "--data", data, *LENIENT,
    )  # fmt: skip
    assert code == 0, err
    predictor = Predictor(tmp_path / "m.onnx")
    found = predictor.manifest.quantization
    assert found["dense_bits"] == bits
    assert found["layers"]["gemm_1"] == (4 if bits == 4 else 7)
    assert found["float_layers"] == {"gemm_2": "last layer, on purpose"}
    assert "layers in float: gemm_2 (last layer, on purpose)" in err
    # The last layer has 16 weights.
    assert integers(onnx.load(tmp_path / "m.onnx"))["float"] <= 16
    expected = model.predict(IMAGES / np.float32(255), verbose=0)[:, 0]
    np.testing.assert_allclose(predictor.scores(IMAGES)[:, 1], expected, atol=0.05)


def test_four_bits_without_a_dense_layer_to_quantise_are_refused(tmp_path: Path, cli: Cli):
    saved(dense(), tmp_path / "m.keras")
    data = make_data(tmp_path / "data")
    options = ("--image-size", SIZE, "--input-range", "0..1", "--quantize", "--data", data)
    code, _, err = cli("export", tmp_path / "m.keras", *options, "--dense-bits", 4, *LENIENT)
    assert code == 2
    assert "no dense layer except the last" in err
    path = tmp_path / "m.onnx"
    assert cli("export", tmp_path / "m.keras", "-o", path, *options, *LENIENT)[0] == 0
    assert Predictor(path).manifest.quantization["dense_bits"] is None


def test_a_depthwise_convolution_and_its_normalisation_are_quantised(tmp_path: Path, cli: Cli):
    model = dense(layers.Dense(8, activation="relu"))
    stack = [
        keras.Input((SIZE, SIZE, 3)), layers.Conv2D(8, 3, padding="same", use_bias=False),
        layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(3),
        layers.BatchNormalization(), layers.ReLU(), layers.Flatten(),
        layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid"),
    ]  # fmt: skip
    model = saved(keras.Sequential(stack), tmp_path / "m.keras")
    code, _, err = cli(
        "export", tmp_path / "m.keras", "-o", tmp_path / "m.onnx", "--image-size", SIZE,
        "--input-range", "0..1", "--quantize", "--data", make_data(tmp_path / "data"), *LENIENT,
    )  # fmt: skip
    assert code == 0, err
    found = Predictor(tmp_path / "m.onnx").manifest.quantization
    assert found["layers"].keys() == {"conv_1", "conv_2", "gemm_1"}
    operators = {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    assert not operators & {"Mul", "Add", "Sub", "Div"}
    expected = model.predict(IMAGES / np.float32(255), verbose=0)[:, 0]
    np.testing.assert_allclose(
        Predictor(tmp_path / "m.onnx").scores(IMAGES)[:, 1], expected, atol=0.05
    )


def test_a_layer_that_is_not_quantised_is_listed_with_the_reason():
    weights = numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "matmul_1")
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4, size])
        for name, size in (("x", 2), ("y", 3))
    ]
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:], [weights]))
    found = contents.read(model, [])
    assert found.bits == {}
    assert found.floats == {"matmul_1": "MatMul of this form is not quantised"}
    # A product of more than two dimensions is no Gemm.
    assert [item.op_type for item in folding.with_gemms(model).graph.node] == ["MatMul"]


@pytest.mark.parametrize("operator", ["Mul", "Div", "Add", "Sub"])
@pytest.mark.parametrize("first", [True, False])
def test_folding_changes_no_score(operator: str, first: bool):
    rng = np.random.default_rng(3)
    constants = {
        "w": rng.normal(size=(4, 3, 2, 2)), "c": rng.uniform(0.5, 2, (1, 4, 1, 1)),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv"], "conv"),
        helper.make_node(operator, ["conv", "c"] if first else ["c", "conv"], ["y"], "step"),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes, "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 5, 5])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4, 4, 4])],
            [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=8,
    )  # fmt: skip
    folded = folding.with_folded_scales(model)
    kept = operator == "Div" and not first
    assert len(folded.graph.node) == (2 if kept else 1)
    import onnxruntime

    images = rng.normal(size=(2, 3, 5, 5)).astype(np.float32)
    results = [
        onnxruntime.InferenceSession(item.SerializeToString()).run(None, {"x": images})[0]
        for item in (model, folded)
    ]
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_a_result_with_two_readers_is_not_folded():
    model = dense(layers.Dense(8, activation="gelu"))
    onnx.checker.check_model(convert(trace(model, SIZE)), full_check=True)
