"""Dense weights of two to a byte are unpacked to the same integers by every runtime.

The first packing was right in onnxruntime and wrong in OpenVINO, whose BitShift divides without
rounding. The runtimes themselves are compared by tools/other-runtimes, which downloads them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator

from galaxy_edge_export import integer, nibbles, pools
from galaxy_edge_export.quantize import quantize
from tests.conftest import galaxy_edge_in_process
from tests.galaxy_edge_export.test_export import LENIENT
from tests.galaxy_edge_export.test_rewrites import BRIGHT, IMAGES, network, scores

REPACK = Path(__file__).parents[2] / "tools" / "repack"
WEIGHTS = arrays.arrays(
    np.int8,
    st.tuples(st.integers(1, 6).map(lambda half: 2 * half), st.integers(1, 5)),
    elements=st.integers(-7, 7),
)


def layer(values: np.ndarray, dense: int = 1) -> onnx.ModelProto:
    """Dense layers that share a quantised weight, without anything else."""
    inputs, units = values.shape
    nodes = [helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["real"], "dq", axis=1)]
    nodes += [
        helper.make_node("Gemm", ["x", "real"], [f"y{number}"], f"gemm_{number}")
        for number in range(dense)
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", inputs])],
        [helper.make_tensor_value_info(f"y{number}", TensorProto.FLOAT, ["N", units])
         for number in range(dense)],
        [numpy_helper.from_array(values, "w"),
         numpy_helper.from_array(np.ones(units, np.float32), "scale"),
         numpy_helper.from_array(np.zeros(units, values.dtype), "zero")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def unpacked_in_real_numbers(model: onnx.ModelProto) -> np.ndarray:
    """Unpack as OpenVINO does: a shift to the right divides, and nothing is rounded."""
    values: dict[str, np.ndarray] = constants(model)
    for node in model.graph.node:
        if node.op_type in {"DequantizeLinear", "Gemm"}:
            break
        first, *rest = (values[name] for name in node.input)
        match node.op_type:
            case "BitwiseAnd":
                found = first & rest[0]
            case "BitShift":
                found = first / 2.0 ** rest[0]
            case "Concat":
                found = np.concatenate([first, *rest])
            case "Cast":
                found = first
            case "Sub":
                found = first - rest[0]
        values[node.output[0]] = found
    return values["w"] - values["zero"]


def in_reference(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """Score with ONNX's reference evaluator, which has no DequantizeLinear older than opset 19."""
    evaluator = ReferenceEvaluator(version_converter.convert_version(model, 19))
    return np.asarray(evaluator.run(["score"], {"image": images})[0])[:, 0]


def with_first_packing(model: onnx.ModelProto) -> onnx.ModelProto:
    """Pack again as the first edition did: a shift without a mask, and a zero point of 8."""
    old = onnx.ModelProto()
    old.CopyFrom(model)
    (sub,) = (node for node in old.graph.node if node.op_type == "Sub")
    weight = sub.output[0]
    kept = [node for node in old.graph.node if node.name not in (f"{weight}.masked", sub.name)]
    del old.graph.node[:]
    for node in kept:
        if node.op_type == "BitShift":
            node.input[0] = f"{weight}.pairs"
        if node.op_type == "Cast" and node.output[0] == f"{weight}.code":
            node.output[0] = weight
        if node.op_type == "DequantizeLinear" and node.input[0] == weight:
            zero = node.input[2]
        old.graph.node.append(node)
    for item in list(old.graph.initializer):
        if item.name in (f"{weight}.high_bits", f"{weight}.eight"):
            old.graph.initializer.remove(item)
        if item.name == zero:
            eights = np.full(item.dims, 8, np.int8)
            item.CopyFrom(numpy_helper.from_array(eights, zero))
    return old


@pytest.fixture(scope="module", params=["portable", "folded"])
def packed(request: pytest.FixtureRequest) -> onnx.ModelProto:
    model = quantize(network(), IMAGES, dense_bits=4)
    if request.param == "folded":
        model = pools.with_folded_pool(integer.with_integer_input(model))
    return nibbles.with_packed_weights(model)


@given(WEIGHTS)
def test_the_weights_are_the_same_where_a_shift_divides_without_rounding(values: np.ndarray):
    found = unpacked_in_real_numbers(nibbles.with_packed_weights(layer(values)))
    np.testing.assert_array_equal(found, values)


@given(WEIGHTS)
def test_packing_can_be_undone(values: np.ndarray):
    whole = nibbles.with_whole_weights(nibbles.with_packed_weights(layer(values)))
    np.testing.assert_array_equal(constants(whole)["w"], values)
    assert constants(whole)["w"].dtype == np.int8
    assert list(whole.graph.node) == list(layer(values).graph.node)
    assert set(constants(whole)) == {"w", "scale", "zero"}


def test_the_dequantised_layer_keeps_its_zero_point_of_zero(packed: onnx.ModelProto):
    """A provider such as TensorRT accepts no other for weights."""
    for node in packed.graph.node:
        if node.op_type == "DequantizeLinear" and "weight" in node.input[0]:
            assert not constants(packed)[node.input[2]].any()


@pytest.mark.parametrize("dense", [1, 2])
def test_a_weight_is_packed_once_even_if_two_layers_share_it(dense: int):
    values = np.arange(-7, 7, dtype=np.int8).reshape(7, 2).repeat(2, axis=0)
    once = nibbles.with_packed_weights(layer(values, dense))
    assert [node.op_type for node in once.graph.node].count("BitShift") == 1
    assert nibbles.with_packed_weights(once) == once
    image = np.eye(14, dtype=np.float32)
    for found in onnxruntime.InferenceSession(once.SerializeToString()).run(None, {"x": image}):
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    "values",
    [np.full((3, 2), 7, np.int8), np.full((4, 2), 8, np.int8), np.full((4, 2), 7, np.uint8)],
    ids=["odd", "large", "unsigned"],
)
def test_weights_that_do_not_fit_are_left_alone(values: np.ndarray):
    assert nibbles.with_packed_weights(layer(values)) == layer(values)


def test_the_reference_evaluator_scores_packed_weights_as_onnxruntime_does(
    packed: onnx.ModelProto,
):
    np.testing.assert_allclose(in_reference(packed, BRIGHT), scores(packed), atol=1e-6)


def test_the_first_packing_becomes_the_present_one_without_changing_a_score(
    packed: onnx.ModelProto,
):
    old = with_first_packing(packed)
    np.testing.assert_array_equal(scores(old), scores(packed))
    new = nibbles.with_packed_weights(nibbles.with_whole_weights(old))
    np.testing.assert_array_equal(scores(new), scores(packed))
    assert [node.name for node in new.graph.node] == [node.name for node in packed.graph.node]


@pytest.fixture(scope="module")
def packed_file(run_folder: Path) -> Path:
    path = run_folder.parent / "four-bits.onnx"
    options = ("--quantize", "--dense-bits", 4, "--calibration-images", 10, *LENIENT, "-q")
    assert galaxy_edge_in_process("export", run_folder, "-o", path, *options) == 0
    return path


def test_an_exported_file_has_the_present_packing(packed_file: Path):
    model = onnx.load(packed_file)
    whole = nibbles.with_whole_weights(model)
    assert whole != model
    assert parts(nibbles.with_packed_weights(whole)) == parts(model)


def parts(model: onnx.ModelProto) -> tuple[list[bytes], list[tuple[str, bytes]]]:
    """Its operators and constants, in no order: the file's enlargement came after the packing."""
    return (
        sorted(node.SerializeToString() for node in model.graph.node),
        sorted(
            (item.name, numpy_helper.to_array(item).tobytes()) for item in model.graph.initializer
        ),
    )


def repack(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, REPACK, *map(str, arguments)], check=False, capture_output=True, text=True
    )


def test_a_file_of_the_first_packing_can_be_repacked(packed_file: Path, tmp_path: Path):
    old, new = tmp_path / "old.onnx", tmp_path / "new.onnx"
    old.write_bytes(with_first_packing(onnx.load(packed_file)).SerializeToString())
    done = repack(old, "-o", new)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert parts(onnx.load(new)) == parts(onnx.load(packed_file))


def test_a_file_that_cannot_be_repacked_is_refused_without_a_traceback(
    packed_file: Path, tmp_path: Path
):
    plain = Path(__file__).parents[1] / "data" / "schema-2.onnx"
    (tmp_path / "no.onnx").write_bytes(b"no")
    absent = tmp_path / "absent"
    for old, new, code, reason in (
        (plain, tmp_path / "new.onnx", 3, "has no packed weights"),
        (tmp_path / "no.onnx", tmp_path / "new.onnx", 3, "cannot be used"),
        (absent, tmp_path / "new.onnx", 2, "does not exist"),
        (packed_file, absent / "new.onnx", 2, "cannot be written"),
    ):
        done = repack(old, "-o", new)
        assert (done.returncode, done.stdout) == (code, "")
        assert reason in done.stderr
        assert "Traceback" not in done.stderr
        assert not new.exists()
