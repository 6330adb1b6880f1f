"""Each rewrite of a quantised network keeps every score to the bit and does what it documents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge_export import dead, integer, nibbles, pools
from galaxy_edge_export.quantize import quantize

RNG = np.random.default_rng(0)
SIZE = 12
IMAGES = RNG.integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
BRIGHT = np.concatenate([IMAGES, np.full((1, SIZE, SIZE, 3), 255, np.uint8)])


def network(
    *,
    dead_filters: int = 0,
    silent_units: int = 0,
    faint: bool = False,
    pool: int = 2,
    kernel: int = 3,
    size: int = SIZE,
) -> onnx.ModelProto:
    """A chain as `convert` writes it: two convolutions, two pools, two dense layers.

    Args:
        dead_filters: number of the six filters in the first layer that no image can make positive.
        silent_units: number of the eight units in the first dense layer that none of the images
            makes positive, although another image could.
        faint: make the last filter of the first layer almost constant.
        pool, kernel: sizes in the first layer, pixels.
        size: height and width of the image, pixels.
    """
    rng = np.random.default_rng(1)  # the same network regardless of the tests before
    conv_1 = rng.normal(size=(6, 3, kernel, kernel)).astype(np.float32)
    conv_1[:dead_filters] = -np.abs(conv_1[:dead_filters])
    bias_1 = np.zeros(6, np.float32)
    if faint:
        conv_1[5] *= 1e-4
        bias_1[5] = 0.5
    side = (size - kernel + 1) // pool - 1
    dense = rng.normal(size=(side // 2 * (side // 2) * 8, 8)).astype(np.float32) / 3
    bias = np.zeros(8, np.float32)
    bias[:silent_units] = -50.0
    constants = {
        "mul_1.constant": np.float32(1 / 255), "conv_1.weight": conv_1,
        "conv_1.bias": bias_1,
        "conv_2.weight": rng.normal(size=(8, 6, 2, 2)).astype(np.float32) / 5,
        "conv_2.bias": rng.normal(size=8).astype(np.float32) / 10,
        "reshape_1.shape": np.array([-1, len(dense)]), "gemm_1.weight": dense, "gemm_1.bias": bias,
        "gemm_2.weight": rng.normal(size=(8, 1)).astype(np.float32),
        "gemm_2.bias": np.zeros(1, np.float32),
    }  # fmt: skip
    steps: list[tuple[str, list[str], dict[str, object]]] = [
        ("Cast", [], {"to": TensorProto.FLOAT}),
        ("Mul", ["mul_1.constant"], {}),
        ("Transpose", [], {"perm": [0, 3, 1, 2]}),
        ("Conv", ["conv_1.weight", "conv_1.bias"], {"kernel_shape": [kernel, kernel]}),
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
    for index, (operator, inputs, attributes) in enumerate(steps):
        seen[operator] += 1
        name = f"{operator.lower()}_{seen[operator]}"
        result = "score" if index == len(steps) - 1 else f"{name}.out"
        nodes.append(helper.make_node(operator, [tensor, *inputs], [result], name, **attributes))
        tensor = result
    inner = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3])],
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
    """Calibrated on images without white pixels. The images to score include a white one."""
    return quantize(network(), IMAGES // 2)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    return pools.with_folded_pool(integer.with_integer_input(model))


@pytest.mark.parametrize("rewrite", [integer.with_integer_input, folded])
def test_scores_stay_equal_to_the_bit_and_the_argument_is_not_changed(
    rewrite: Callable[[onnx.ModelProto], onnx.ModelProto], qdq: onnx.ModelProto
):
    before = qdq.SerializeToString()
    found = scores(rewrite(qdq))
    np.testing.assert_array_equal(found, scores(qdq))
    assert len(set(found)) > 20
    assert qdq.SerializeToString() == before


def test_the_bytes_of_the_image_enter_the_first_layer_unconverted(qdq: onnx.ModelProto):
    rewritten = integer.with_integer_input(qdq)
    assert not {"Cast", "Mul"} & set(operators(rewritten))
    assert (
        operators(rewritten).count("QuantizeLinear") == operators(qdq).count("QuantizeLinear") - 1
    )
    constants = {item.name for item in rewritten.graph.initializer}
    assert constants <= {name for node in rewritten.graph.node for name in node.input}


def test_an_image_that_is_quantised_differently_is_still_converted(qdq: onnx.ModelProto):
    other = onnx.ModelProto()
    other.CopyFrom(qdq)
    for item in other.graph.initializer:
        if item.name == "transpose_1.out_scale":
            item.CopyFrom(numpy_helper.from_array(np.float32(1 / 250), item.name))
    assert "Cast" in operators(integer.with_integer_input(other))
    np.testing.assert_array_equal(scores(integer.with_integer_input(other)), scores(other))
    assert pools.with_folded_pool(other) is other


def test_onnxruntime_runs_the_file_without_transposes_and_in_integers_until_the_last_layer(
    qdq: onnx.ModelProto, tmp_path
):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        folded(qdq).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    assert operators(onnx.load(tmp_path / "optimized.onnx")) == [
        "Reshape", "Split", "Reshape", "Reshape", "Concat",
        "QLinearConv", "Reshape", "NhwcMaxPool", "Reshape",
        "QLinearConv", "NhwcMaxPool", "Reshape", "QGemm", "DequantizeLinear", "FusedGemm",
    ]  # fmt: skip


@pytest.mark.parametrize("operator", ["Clip", "Abs"])
def test_a_network_with_another_operator_keeps_its_channels(operator: str):
    model = network()
    index = operators(model).index("Reshape")
    tensor = model.graph.node[index].input[0]
    model.graph.node.insert(index, helper.make_node(operator, [tensor], ["other"], "other_1"))
    model.graph.node[index + 1].input[0] = "other"
    assert dead.activity(model, IMAGES) == dead.provably_alive(model) == {}


def test_the_folded_pool_has_a_channel_for_each_offset(qdq: onnx.ModelProto):
    model = folded(qdq)
    (first,) = (node for node in model.graph.node if node.name == "conv_1")
    (dequantize,) = (node for node in model.graph.node if first.input[1] in node.output)
    weights = {item.name: item.dims for item in model.graph.initializer}[dequantize.input[0]]
    assert [*weights] == [24, 12, 2, 2]


@pytest.mark.parametrize("kernel", [1, 2, 4, 5])
@pytest.mark.parametrize("size", [12, 14])
def test_a_pool_after_any_kernel_size_is_folded_without_changing_a_score(kernel: int, size: int):
    images = RNG.integers(0, 256, (24, size, size, 3), dtype=np.uint8)
    model = quantize(network(kernel=kernel, size=size), images)
    assert "Concat" in operators(folded(model))
    np.testing.assert_array_equal(scores(folded(model), images), scores(model, images))


@pytest.mark.parametrize("network_", [network(pool=3), network(size=13)], ids=["pool", "odd side"])
def test_a_pool_that_cannot_be_folded_is_left_alone(network_: onnx.ModelProto):
    size = network_.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    images = RNG.integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    model = integer.with_integer_input(quantize(network_, images))
    assert pools.with_folded_pool(model) is model


def test_packing_four_bits_changes_no_score(tmp_path):
    eight = quantize(network(), IMAGES)
    four = quantize(network(), IMAGES, dense_bits=4)
    packed = nibbles.with_packed_weights(folded(four))
    np.testing.assert_array_equal(scores(packed), scores(four))
    (pairs,) = (item for item in packed.graph.initializer if item.name.endswith(".pairs"))
    constants = {item.name: item for item in four.graph.initializer}
    whole = numpy_helper.to_array(constants["gemm_1.weight_quantized"])
    assert [*pairs.dims] == [len(whole) // 2, whole.shape[1]]
    assert np.abs(whole.astype(int)).max() == 7
    # Weights in seven bits do not fit and are left alone.
    assert nibbles.with_packed_weights(eight) == eight
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(packed.SerializeToString(), options)
    unpacked = operators(onnx.load(tmp_path / "optimized.onnx"))
    assert "QGemm" in unpacked
    assert not {"BitShift", "BitwiseAnd", "Cast"} & set(unpacked)


def test_rounding_clips_rare_large_weights():
    weights = np.random.default_rng(2).normal(size=(500, 3)).astype(np.float32)
    weights[0] = 30
    integers, scales = nibbles.rounded(weights)
    assert (scales.shape, integers.dtype) == ((3,), np.int8)
    error = ((integers * scales - weights)[1:] ** 2).mean(axis=0)
    plain = np.abs(weights).max(axis=0) / 7
    assert (error < ((np.rint(weights / plain) * plain - weights)[1:] ** 2).mean(axis=0)).all()
    zero, scale = nibbles.rounded(np.zeros((4, 2), np.float32))
    assert not zero.any()
    assert (scale > 0).all()


def test_channels_that_no_image_can_make_positive_are_found_and_removed():
    model = network(dead_filters=2)
    alive = dead.provably_alive(model)
    assert alive["conv_1"].tolist() == [False] * 2 + [True] * 4
    slim = dead.without_channels(model, alive)
    shapes = {item.name: [*item.dims] for item in slim.graph.initializer}
    assert shapes["conv_1.weight"] == [4, 3, 3, 3]
    assert shapes["conv_2.weight"] == [8, 4, 2, 2]
    np.testing.assert_allclose(scores(slim), scores(model), atol=1e-6)


def exceeding_rounding(model: onnx.ModelProto) -> tuple[dead.Masks, dict[str, dead.Activity]]:
    active = dead.activity(model, IMAGES)
    return {name: layer.exceeds_rounding for name, layer in active.items()}, active


def test_no_channel_is_proved_dead_if_the_bounds_do_not_hold():
    """With pixels up to 255 or negative inputs, a sum may exceed that of the positive weights."""
    unscaled = network(dead_filters=2)
    factor = next(i for i in unscaled.graph.initializer if i.name == "mul_1.constant")
    factor.CopyFrom(numpy_helper.from_array(np.float32(1), factor.name))
    unrectified = network(dead_filters=2)
    relu = next(node for node in unrectified.graph.node if node.op_type == "Relu")
    for node in unrectified.graph.node:
        for slot, name in enumerate(node.input):
            if name == relu.output[0]:
                node.input[slot] = relu.input[0]
    unrectified.graph.node.remove(relu)
    assert dead.provably_alive(network(dead_filters=2))
    assert not dead.provably_alive(unscaled)
    assert not dead.provably_alive(unrectified)


def test_silent_channels_are_found_from_the_calibration_images():
    model = network(dead_filters=1, silent_units=3)
    alive, active = exceeding_rounding(model)
    assert not alive["conv_1"][0]
    assert not alive["gemm_1"][:3].any()
    slim = dead.without_channels(model, alive, active)
    shapes = {item.name: [*item.dims] for item in slim.graph.initializer}
    assert shapes["gemm_1.weight"][1] == alive["gemm_1"].sum() == shapes["gemm_2.weight"][0]
    assert shapes["gemm_1.weight"][0] % alive["conv_2"].sum() == 0
    np.testing.assert_allclose(scores(slim, IMAGES), scores(model, IMAGES), atol=0.01)


def test_the_mean_of_a_channel_lost_in_rounding_goes_into_the_next_bias():
    model = network(faint=True)
    alive, active = exceeding_rounding(model)
    assert alive["conv_1"].tolist() == [True] * 5 + [False]
    assert active["conv_1"].mean[5] == pytest.approx(0.5, abs=1e-3)
    only = {"conv_1": alive["conv_1"]}
    expected = scores(model, IMAGES)
    with_mean = np.abs(scores(dead.without_channels(model, only, active), IMAGES) - expected)
    without = np.abs(scores(dead.without_channels(model, only), IMAGES) - expected)
    assert with_mean.max() < 1e-3 < without.max() / 10


@pytest.mark.parametrize("layer", ["conv_2", "gemm_1"])
def test_a_mean_goes_into_the_bias_of_convolutions_and_dense_layers(layer: str):
    model = network()
    active = dead.activity(model, IMAGES)
    alive = {layer: np.arange(8) > 1}
    slim = dead.without_channels(model, alive, active)
    # The sums are correct on average, before a ReLU or the sigmoid, which are not linear.
    np.testing.assert_allclose(
        _sums(slim, layer).mean(axis=0), _sums(model, layer).mean(axis=0), rtol=1e-3, atol=1e-3
    )


def _sums(model: onnx.ModelProto, layer: str) -> np.ndarray:
    """The sums of the dense layer that follows a layer, [N, units]."""
    following = {"conv_2": "gemm_1.out", "gemm_1": "gemm_2.out"}[layer]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.append(helper.make_empty_tensor_value_info(following))
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    return np.asarray(session.run([following], {"image": IMAGES})[0])


def test_a_layer_whose_channels_are_all_dead_keeps_one():
    model = network(dead_filters=6)
    slim = dead.without_channels(model, dead.provably_alive(model))
    np.testing.assert_allclose(scores(slim), scores(model), atol=1e-6)


@pytest.mark.parametrize(
    ("alive", "total", "first", "second"),
    [
        (5, 9, 8, 8), (6, 6, 6, 6), (9, 40, 16, 12), (16, 40, 16, 16), (17, 40, 32, 32),
        (24, 40, 32, 32), (24, 30, 30, 30), (33, 64, 40, 36),
    ],
)  # fmt: skip
def test_the_number_of_channels_is_filled_up_to_blocks_of_the_kernels(
    alive: int, total: int, first: int, second: int
):
    mask = np.arange(total) >= total - alive
    layer = dead.Activity(np.zeros(total), mask.astype(float), np.ones(total))
    kept = dead.channels_to_keep({"conv_1": layer, "conv_2": layer})
    assert [each.sum() for each in kept.values()] == [first, second]
    assert all((each >= mask).all() for each in kept.values())


def test_the_strongest_of_the_other_channels_fill_up_the_number():
    loud, faint, silent = 1.0, 1e-4, 0.0
    deviation = np.array([silent, loud, faint, silent, loud, loud, silent, loud, loud, faint])
    layer = dead.Activity(np.zeros(10), deviation, np.ones(10))
    (kept,) = dead.channels_to_keep({"conv_1": layer}).values()
    assert kept.tolist() == [True, True, True, False, True, True, False, True, True, True]


def test_a_network_flattened_with_channels_first_is_not_measured():
    model = network()
    index = operators(model).index("Transpose", 3)
    del model.graph.node[index]
    model.graph.node[index].input[0] = model.graph.node[index - 1].output[0]
    assert dead.activity(model, IMAGES) == {}
