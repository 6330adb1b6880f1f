from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge_export.bias import with_corrected_biases, with_own_biases
from galaxy_edge_export.quantize import quantize

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
CONV = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
DENSE = RNG.normal(size=(64, 5)).astype(np.float32)
LAST = RNG.normal(size=(5, 1)).astype(np.float32)


def network(*, bias: bool) -> onnx.ModelProto:
    """A network with names as `graph.with_plain_names` gives them, with or without biases."""
    extra = [["conv_1.bias"], ["gemm_1.bias"], ["gemm_2.bias"]] if bias else [[], [], []]
    nodes = [
        helper.make_node("Cast", ["image"], ["cast"], "cast_1", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "scale"], ["mul"], "mul_1"),
        helper.make_node("Transpose", ["mul"], ["nchw"], "transpose_1", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "conv_1.weight", *extra[0]], ["conv"], "conv_1"),
        helper.make_node("Relu", ["conv"], ["relu"], "relu_1"),
        helper.make_node("Reshape", ["relu", "shape"], ["flat"], "reshape_1"),
        helper.make_node("Gemm", ["flat", "gemm_1.weight", *extra[1]], ["hidden"], "gemm_1"),
        helper.make_node("Relu", ["hidden"], ["hidden_relu"], "relu_2"),
        helper.make_node("Gemm", ["hidden_relu", "gemm_2.weight", *extra[2]], ["score"], "gemm_2"),
    ]
    constants = {
        "scale": np.float32(1 / 255), "shape": np.array([-1, 64]), "conv_1.weight": CONV,
        "gemm_1.weight": DENSE, "gemm_2.weight": LAST,
    }  # fmt: skip
    if bias:
        constants |= {
            "conv_1.bias": np.arange(4, dtype=np.float32),
            "gemm_1.bias": np.arange(5, dtype=np.float32),
            "gemm_2.bias": np.ones(1, np.float32),
        }
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 6, 6, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def scores(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["score"], {"image": IMAGES})[0][:, 0]


@pytest.mark.parametrize("bias", [True, False])
def test_a_bias_for_each_layer_changes_no_score(bias: bool):
    model = network(bias=bias)
    own = with_own_biases(model)
    np.testing.assert_array_equal(scores(own), scores(model))
    assert {"conv_1.bias", "gemm_1.bias", "gemm_2.bias"} <= {
        item.name for item in own.graph.initializer
    }


@pytest.mark.parametrize("bias", [True, False])
def test_a_shift_of_every_layer_is_corrected(bias: bool):
    good = with_own_biases(network(bias=bias))
    shifted = onnx.ModelProto()
    shifted.CopyFrom(good)
    for item in shifted.graph.initializer:
        if item.name.endswith(".bias"):
            values = numpy_helper.to_array(item) + np.float32(0.5)
            item.CopyFrom(numpy_helper.from_array(values, item.name))
    assert np.abs(scores(shifted) - scores(good)).min() > 0.1
    corrected = with_corrected_biases(shifted, good, IMAGES)
    np.testing.assert_allclose(scores(corrected), scores(good), atol=1e-4)


def test_quantised_scores_are_correct_on_average(monkeypatch: pytest.MonkeyPatch):
    model = network(bias=True)
    corrected = scores(quantize(model, IMAGES)) - scores(model)
    monkeypatch.setattr(
        "galaxy_edge_export.quantize.with_corrected_biases",
        lambda quantized, fp32, images: quantized,
    )
    plain = scores(quantize(model, IMAGES)) - scores(model)
    assert abs(corrected.mean()) < 0.2 * abs(plain.mean())
