"""Exports in fp16: half the file size, the same verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge import Predictor
from galaxy_edge.errors import ModelError
from galaxy_edge.inputs.images import decode
from galaxy_edge_export import gates
from galaxy_edge_export.half import rounded, with_half_weights
from tests.conftest import encoded, galaxy
from tests.galaxy_edge_export.test_rewrites import BRIGHT, network

Cli = Callable[..., tuple[int, str, str]]


def scores(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["score"], {"image": BRIGHT})[0]


def test_scores_stay_close_and_the_argument_is_not_changed():
    model = network()
    before = model.SerializeToString()
    np.testing.assert_allclose(scores(with_half_weights(model)), scores(model), atol=2e-3)
    assert model.SerializeToString() == before


def test_everything_but_the_two_ends_is_fp16():
    half = with_half_weights(network())
    kinds = {item.name: item.data_type for item in half.graph.initializer}
    floats = {name for name, kind in kinds.items() if kind == TensorProto.FLOAT}
    assert floats == {"mul_1.constant", "gemm_2.weight", "gemm_2.bias"}
    halves = {name for name, kind in kinds.items() if kind == TensorProto.FLOAT16}
    assert halves == {f"{layer}.{x}" for layer in ("conv_1", "conv_2", "gemm_1")
                      for x in ("weight", "bias")}  # fmt: skip
    (image,), (score,) = half.graph.input, half.graph.output
    assert image.type.tensor_type.elem_type == TensorProto.UINT8
    assert score.type.tensor_type.elem_type == TensorProto.FLOAT


def test_rounding_preserves_the_sums_of_kernels():
    kernels = np.random.default_rng(0).normal(size=(8, 3, 3, 3)).astype(np.float32)
    error = (kernels - rounded(kernels).astype(np.float64)).sum(axis=(2, 3))
    plain_error = (kernels - kernels.astype(np.float16).astype(np.float64)).sum(axis=(2, 3))
    assert np.abs(error).max() < np.abs(plain_error).max() / 5
    np.testing.assert_allclose(rounded(kernels), kernels, atol=5e-3)


def test_a_weight_too_large_for_fp16_is_refused():
    model = network()
    weight = next(item for item in model.graph.initializer if item.name == "conv_2.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0, 0] = 7e4
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(ModelError, match="65,504"):
        with_half_weights(model)


def test_an_operator_that_does_not_support_fp16_is_refused():
    model = network()
    # Resize requires its scales in fp32, whatever the type of its input.
    pool = next(node for node in model.graph.node if node.op_type == "MaxPool")
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array([1, 1, 0.5, 0.5], np.float32), "scales")
    )
    pool.CopyFrom(helper.make_node("Resize", [pool.input[0], "", "scales"], [*pool.output]))
    with pytest.raises(ModelError, match="fp16"):
        with_half_weights(model)


def test_export_verify_predict(run_folder: Path, model_file: Path, tmp_path: Path, cli: Cli):
    path, image = tmp_path / "half.onnx", tmp_path / "image.png"
    image.write_bytes(encoded(galaxy(1)))
    code, out, err = cli("export", run_folder, "--half", "--no-typicality", "-o", path)
    assert (code, out) == (0, f"{path}\n")
    assert "fp16 against Keras" in err
    code, out, _ = cli("verify", path)
    assert (code, "8 of 8 golden examples" in out) == (0, True)
    assert cli("predict", image, "-m", path)[0] == 0

    sizes = [weights(file) for file in (path, model_file)]
    assert sizes[0] < 0.6 * sizes[1]
    predictor = Predictor(path)
    assert predictor.manifest.quantization["precision"] == "fp16"
    steps = predictor.manifest.preprocessing
    images = np.stack([decode(galaxy(seed), steps) for seed in range(9)])
    expected = gates.source_scores(
        keras.saving.load_model(run_folder / "model.keras").predict_on_batch,
        np.stack([decode(galaxy(seed), replace(steps, size=24)) for seed in range(9)]),
    )
    np.testing.assert_allclose(predictor.scores(images)[:, 1:], expected, atol=gates.HALF_PARITY)
    examples = predictor.manifest.golden
    assert [predictor.predict(example.png).score for example in examples] == pytest.approx(
        [example.scores[0] for example in examples], abs=1e-6
    )


@pytest.mark.parametrize(("off", "code"), [(0.004, 0), (0.006, 3)])
def test_an_fp16_file_tolerates_the_rounding_of_other_providers(
    run_folder: Path, tmp_path: Path, cli: Cli, off: float, code: int
):
    path = tmp_path / "half.onnx"
    assert cli("export", run_folder, "--half", "-o", path, "-q")[0] == 0
    model = onnx.load(path)
    manifest = Predictor(path).manifest
    golden = tuple(replace(item, scores=(item.scores[0] - off,)) for item in manifest.golden)
    onnx.helper.set_model_props(model, replace(manifest, golden=golden).to_metadata())
    onnx.save(model, path)
    (tmp_path / "image.png").write_bytes(encoded(galaxy(1)))
    assert cli("verify", path)[0] == code
    assert cli("predict", tmp_path / "image.png", "-m", path)[0] == code


def test_the_gate_uses_the_validation_images_of_the_run(copy: Path, tmp_path: Path, cli: Cli):
    path = tmp_path / "half.onnx"
    code, _, err = cli("export", copy, "--half", "-o", path)
    assert code == 0
    assert "compared on drawn galaxies and 16 validation images" in err
    assert Predictor(path).manifest.quantization["validation"] == {"images": 16}
    # Without them, the drawn galaxies remain.
    document = json.loads((copy / "data.json").read_text())
    (copy / "data.json").write_text(json.dumps(document | {"root": str(tmp_path / "gone")}))
    code, _, err = cli("export", copy, "--half", "-o", path)
    assert code == 0
    assert "drawn galaxies only" in err
    assert Predictor(path).manifest.quantization["validation"] == {"images": 0}


def weights(path: Path) -> int:
    return sum(
        len(item.raw_data)
        for item in onnx.load(path).graph.initializer
        if not item.name.startswith("enlarge.")
    )


def test_the_default_file_name_says_fp16(copy: Path, cli: Cli):
    assert cli("export", copy, "--half", "-q")[1] == f"{copy / 'model-fp16.onnx'}\n"


def test_half_and_quantize_cannot_be_combined(run_folder: Path, cli: Cli):
    code, out, err = cli("export", run_folder, "--half", "--quantize")
    assert (code, out, "--half" in err) == (2, "", True)


def test_a_failing_gate_writes_nothing(
    run_folder: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gates, "HALF_PARITY", 1e-9)
    code, out, err = cli("export", run_folder, "--half", "-o", tmp_path / "x.onnx")
    assert (code, out, "differs from Keras" in err) == (5, "", True)
    assert list(tmp_path.iterdir()) == []
