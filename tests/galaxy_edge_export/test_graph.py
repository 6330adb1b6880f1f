"""Each graph rewrite keeps every score and makes the change that it documents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge_export import folding, graph


def constant(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def dense_after_flatten() -> onnx.ModelProto:
    """The graph that tf2onnx writes for Keras's Flatten and Dense, built by hand; a dead branch."""
    nodes = [
        helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Shape", ["cast"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["batch"]),
        helper.make_node("Concat", ["batch", "minus_one"], ["target"], axis=0),
        helper.make_node("Reshape", ["cast", "target"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
        helper.make_node("Relu", ["cast"], ["unread"]),
    ]
    inner = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["unk__1", 4, 4, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["unk__2", 1])],
        [
            constant("zero", np.array([0])),
            constant("one", np.array([1])),
            constant("minus_one", np.array([-1])),
            constant("w", np.random.default_rng(0).normal(size=(48, 1)).astype(np.float32) / 1000),
            constant("b", np.array([0.25], np.float32)),
            constant("unused", np.zeros(5, np.float32)),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(inner, opset_imports=opsets, ir_version=8)


def scores(model: onnx.ModelProto, batch: int) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    images = np.random.default_rng(batch).integers(0, 256, (batch, 4, 4, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["score"], {"image": images})[0]


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize(
    "rewrite",
    [
        graph.with_static_reshapes,
        graph.with_transposes,
        graph.without_identities,
        folding.with_gemms,
        graph.without_dead_nodes,
        graph.with_plain_names,
        graph.tidy,
    ],
)
def test_scores_stay_equal_and_the_argument_is_not_changed(
    rewrite: Callable[[onnx.ModelProto], onnx.ModelProto], batch: int
):
    model = dense_after_flatten()
    before = model.SerializeToString()
    np.testing.assert_array_equal(scores(rewrite(model), batch), scores(model, batch))
    assert model.SerializeToString() == before


def test_tidy_leaves_only_the_arithmetic():
    tidy = graph.tidy(dense_after_flatten())
    assert operators(tidy) == ["Cast", "Reshape", "Gemm", "Sigmoid"]
    assert {item.name for item in tidy.graph.initializer} == {
        "reshape_1.shape", "gemm_1.weight", "gemm_1.bias",
    }  # fmt: skip
    assert [opset.domain for opset in tidy.opset_import] == [""]
    assert tidy.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_a_product_with_another_reader_is_not_merged():
    model = dense_after_flatten()
    model.graph.output.append(helper.make_tensor_value_info("product", TensorProto.FLOAT, ["M", 1]))
    model.graph.node.append(helper.make_node("Identity", ["product"], ["copy"]))
    # Merged with the addition, the product would be computed twice.
    assert operators(folding.with_gemms(model)).count("Gemm") == 1
    assert "Add" in operators(folding.with_gemms(model))


def test_names_do_not_depend_on_the_process():
    one, other = dense_after_flatten(), dense_after_flatten()
    for node in other.graph.node:
        node.name = f"layer_17_{node.op_type}"
    assert graph.tidy(one).SerializeToString(deterministic=True) == graph.tidy(
        other
    ).SerializeToString(deterministic=True)


def around_one_channel() -> onnx.ModelProto:
    """A network of one channel that takes bytes and adds 0, as tf2onnx writes it."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["float"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("Cast", ["bytes"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
        helper.make_node("Add", ["zero", "scaled"], ["shifted"]),
        helper.make_node("Reshape", ["shifted", "first"], ["moved"]),
        helper.make_node("Conv", ["moved", "w"], ["conv"]),
        helper.make_node(
            "BatchNormalization", ["conv", "scales", "b", "means", "variances"], ["even"],
            epsilon=0.01,
        ),
        helper.make_node("Transpose", ["even"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["last", "flat"], ["features"]),
        helper.make_node("MatMul", ["features", "dense"], ["one"]),
        helper.make_node("MatMul", ["features", "other"], ["two"]),
        helper.make_node("Add", ["one", "two"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    floats = {
        "scale": np.array([1 / 255]), "zero": np.zeros(1), "w": rng.normal(size=(2, 1, 3, 3)),
        "scales": rng.uniform(1, 2, 2), "b": rng.normal(size=2), "means": rng.normal(size=2),
        "variances": rng.uniform(1, 2, 2), "dense": rng.normal(size=(8, 1)) / 10,
        "other": rng.normal(size=(8, 1)) / 10,
    }  # fmt: skip
    constants = [constant(name, values.astype(np.float32)) for name, values in floats.items()]
    shapes = {"first": [-1, 1, 4, 4], "flat": [-1, 8]}
    inner = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 4, 4, 1])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        [*constants, *(constant(name, np.array(values)) for name, values in shapes.items())],
    )
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_what_changes_no_number_goes_and_the_channel_moves_as_in_other_networks():
    model = around_one_channel()
    tidy = graph.tidy(model)
    assert operators(tidy) == [
        "Cast", "Mul", "Transpose", "Conv", "Transpose", "Reshape", "Gemm", "Gemm", "Add",
        "Sigmoid",
    ]  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1), dtype=np.uint8)
    before, after = (
        onnxruntime.InferenceSession(item.SerializeToString()).run(None, {"image": images})[0]
        for item in (model, tidy)
    )
    assert np.ptp(before) > 0.01
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_adding_zeros_of_a_larger_shape_stays():
    model = around_one_channel()
    zeros = constant("zero", np.zeros((1, 1, 1, 1, 1), np.float32))
    kept = [item for item in model.graph.initializer if item.name != "zero"]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, zeros])
    assert operators(graph.without_identities(model)).count("Add") == 2


def test_the_tail_is_what_reaches_no_other_layer():
    names = [node.op_type for node in graph.tail(graph.tidy(around_one_channel()))]
    assert names == ["Gemm", "Gemm", "Add", "Sigmoid"]
    chain = graph.tidy(dense_after_flatten())
    assert [node.op_type for node in graph.tail(chain)] == ["Gemm", "Sigmoid"]
