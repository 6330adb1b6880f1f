"""Each rewrite of a quantised network keeps every score to the bit, and does what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge_export import dead, integer, pools
from galaxy_edge_export.quantize import quantize

RNG = np.random.default_rng(0)
#: Eleven pixels: the convolution leaves nine, of which the pool drops a row and a column.
SIZE = 11
IMAGES = RNG.integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
BRIGHT = np.concatenate([IMAGES, np.full((1, SIZE, SIZE, 3), 255, np.uint8)])


def network(
    *, dead_filters: int = 0, silent_units: int = 0, pool: int = 2, colours: int = 3
) -> onnx.ModelProto:
    """A chain as `convert` writes it: two convolutions, two pools, two dense layers.

    Args:
        dead_filters: of the first six, how many no image can make positive.
        silent_units: of the first eight, how many no image makes positive, though some could.
    """
    conv_1 = RNG.normal(size=(6, colours, 3, 3)).astype(np.float32)
    conv_1[:dead_filters] = -np.abs(conv_1[:dead_filters])
    side = (SIZE - 2) // pool - 1
    dense = RNG.normal(size=(side // 2 * (side // 2) * 8, 8)).astype(np.float32) / 3
    bias = np.zeros(8, np.float32)
    bias[:silent_units] = -50.0
    constants = {
        "mul_1.constant": np.float32(1 / 255), "conv_1.weight": conv_1,
        "conv_2.weight": RNG.normal(size=(8, 6, 2, 2)).astype(np.float32) / 5,
        "conv_2.bias": RNG.normal(size=8).astype(np.float32) / 10,
        "reshape_1.shape": np.array([-1, len(dense)]), "gemm_1.weight": dense, "gemm_1.bias": bias,
        "gemm_2.weight": RNG.normal(size=(8, 1)).astype(np.float32),
        "gemm_2.bias": np.zeros(1, np.float32),
    }  # fmt: skip
    steps: list[tuple[str, list[str], dict[str, object]]] = [
        ("Cast", [], {"to": TensorProto.FLOAT}),
        ("Mul", ["mul_1.constant"], {}),
        ("Transpose", [], {"perm": [0, 3, 1, 2]}),
        ("Conv", ["conv_1.weight"], {"kernel_shape": [3, 3]}),
        ("Relu", [], {}),
        ("MaxPool", [], {"kernel_shape": [pool, pool], "strides": [pool, pool]}),
        ("Conv", ["conv_2.weight", "conv_2.bias"], {"kernel_shape": [2, 2]}),
        ("Relu", [], {}),
        ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        ("Reshape", ["reshape_1.shape"], {}),
        ("Gemm", ["gemm_1.weight", "gemm_1.bias"], {}),
        ("Relu", [], {}),
        ("Gemm", ["gemm_2.weight", "gemm_2.bias"], {}),
        ("Sigmoid", [], {}),
    ]
    nodes, tensor, seen = [], "image", dict.fromkeys((step[0] for step in steps), 0)
    for place, (operator, inputs, attributes) in enumerate(steps):
        seen[operator] += 1
        name = f"{operator.lower()}_{seen[operator]}"
        result = "score" if place == len(steps) - 1 else f"{name}.out"
        nodes.append(helper.make_node(operator, [tensor, *inputs], [result], name, **attributes))
        tensor = result
    inner = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE, colours])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def scores(model: onnx.ModelProto, images: np.ndarray = BRIGHT) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    alone = [session.run(["score"], {"image": image[None]})[0] for image in images]
    together = session.run(["score"], {"image": images})[0]
    np.testing.assert_array_equal(np.concatenate(alone), together)
    return together[:, 0]


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.fixture(scope="module")
def qdq() -> onnx.ModelProto:
    """Calibrated on images none of which has a white pixel; scored on one that is all white."""
    return quantize(network(), IMAGES // 2)


def fused(model: onnx.ModelProto) -> onnx.ModelProto:
    found = integer.with_integer_operators(integer.with_integer_input(model))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "rewrite",
    [integer.with_integer_input, fused, lambda model: pools.with_folded_pool(fused(model))],
    ids=["integer input", "integer operators", "folded pool"],
)
def test_scores_stay_to_the_bit_and_the_argument_is_left_alone(
    rewrite: Callable[[onnx.ModelProto], onnx.ModelProto], qdq: onnx.ModelProto
):
    before = qdq.SerializeToString()
    found = scores(rewrite(qdq))
    np.testing.assert_array_equal(found, scores(qdq))
    assert len(set(found)) > 20
    assert qdq.SerializeToString() == before


def test_the_image_goes_straight_into_the_first_layer(qdq: onnx.ModelProto):
    rewritten = integer.with_integer_input(qdq)
    assert not {"Cast", "Mul"} & set(operators(rewritten))
    assert (
        operators(rewritten).count("QuantizeLinear") == operators(qdq).count("QuantizeLinear") - 1
    )
    fused_nodes = fused(qdq).graph.node
    assert (fused_nodes[0].op_type, fused_nodes[0].input[0]) == ("QLinearConv", "image")


def test_an_image_that_is_quantised_otherwise_is_not_taken_as_it_comes(qdq: onnx.ModelProto):
    other = onnx.ModelProto()
    other.CopyFrom(qdq)
    for item in other.graph.initializer:
        if item.name == "transpose_1.out_scale":
            item.CopyFrom(numpy_helper.from_array(np.float32(1 / 250), item.name))
    assert "Cast" in operators(integer.with_integer_input(other))
    np.testing.assert_array_equal(scores(integer.with_integer_input(other)), scores(other))
    assert integer.with_integer_operators(integer.with_integer_input(other)) is None


def test_nothing_is_left_to_fuse_or_to_transpose(qdq: onnx.ModelProto):
    assert operators(fused(qdq)) == [
        "QLinearConv", "NhwcMaxPool", "QLinearConv", "NhwcMaxPool", "Reshape", "QGemm",
        "DequantizeLinear", "Gemm", "Sigmoid",
    ]  # fmt: skip


@pytest.mark.parametrize("operator", ["Clip", "Abs"])
def test_a_network_with_something_else_keeps_its_standard_operators(operator: str):
    model = network()
    place = operators(model).index("Reshape")
    tensor = model.graph.node[place].input[0]
    model.graph.node.insert(place, helper.make_node(operator, [tensor], ["else"], "else_1"))
    model.graph.node[place + 1].input[0] = "else"
    quantised = integer.with_integer_input(quantize(model, IMAGES))
    assert integer.with_integer_operators(quantised) is None
    assert dead.alive_on(model, IMAGES) == dead.provably_alive(model) == {}


def test_the_folded_pool_has_a_channel_for_each_offset(qdq: onnx.ModelProto):
    model = pools.with_folded_pool(fused(qdq))
    first = model.graph.node[0]
    weights = {item.name: item.dims for item in model.graph.initializer}[first.input[3]]
    assert [*weights] == [24, 3, 4, 4]
    assert operators(model)[:4] == ["QLinearConv", "Reshape", "NhwcMaxPool", "Reshape"]


def test_a_pool_of_another_size_is_not_folded():
    model = fused(quantize(network(pool=3), IMAGES))
    assert pools.with_folded_pool(model) is model


def test_channels_that_no_image_can_make_positive_are_proved_and_taken_out():
    model = network(dead_filters=2)
    alive = dead.provably_alive(model)
    assert alive["conv_1"].tolist() == [False] * 2 + [True] * 4
    slim = dead.without_channels(model, alive)
    shapes = {item.name: [*item.dims] for item in slim.graph.initializer}
    assert shapes["conv_1.weight"] == [4, 3, 3, 3]
    assert shapes["conv_2.weight"] == [8, 4, 2, 2]
    np.testing.assert_allclose(scores(slim), scores(model), atol=1e-6)


def test_silent_channels_are_those_of_the_images_seen():
    model = network(dead_filters=1, silent_units=3)
    alive = dead.alive_on(model, IMAGES)
    assert not alive["conv_1"][0]
    assert not alive["gemm_1"][:3].any()
    slim = dead.without_channels(model, alive)
    shapes = {item.name: [*item.dims] for item in slim.graph.initializer}
    assert shapes["gemm_1.weight"][1] == alive["gemm_1"].sum() == shapes["gemm_2.weight"][0]
    assert shapes["gemm_1.weight"][0] % alive["conv_2"].sum() == 0
    np.testing.assert_allclose(scores(slim, IMAGES), scores(model, IMAGES), atol=1e-6)


def test_a_layer_that_is_all_dead_keeps_one_channel():
    model = network(dead_filters=6)
    slim = dead.without_channels(model, dead.provably_alive(model))
    np.testing.assert_allclose(scores(slim), scores(model), atol=1e-6)


@pytest.mark.parametrize(
    ("alive", "of", "kept"),
    [(5, 9, 8), (6, 6, 6), (16, 40, 16), (17, 40, 32), (24, 40, 32), (24, 30, 30), (33, 64, 36)],
)
def test_layers_are_filled_up_to_what_kernels_take_together(alive: int, of: int, kept: int):
    mask = np.arange(of) >= of - alive
    (filled,) = dead.in_blocks({"conv_1": mask}).values()
    assert filled.sum() == kept
    assert (filled >= mask).all()


def test_flattened_channels_first_are_not_told_apart():
    model = network()
    place = operators(model).index("Transpose", 3)
    del model.graph.node[place]
    model.graph.node[place].input[0] = model.graph.node[place - 1].output[0]
    assert dead.alive_on(model, IMAGES) == {}
