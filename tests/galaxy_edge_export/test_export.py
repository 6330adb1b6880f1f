"""Exports of the tiny network through the command line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from galaxy_edge import Predictor
from galaxy_edge.engine.session import Result
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export import gates, golden, quantize
from galaxy_edge_export.convert import OPSET
from galaxy_edge_export.images import calibration_sample
from galaxy_edge_export.trained import find
from tests.conftest import encoded, galaxy, galaxy_edge_in_process, make_data

Cli = Callable[..., tuple[int, str, str]]
#: The tiny network has hardly learned anything, so int8 may differ from it. It is also no faster in
#: int8. These tests are about the network alone.
LENIENT = (
    "--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1", "--min-speedup", "0",
    "--no-typicality",
)  # fmt: skip


@pytest.fixture(scope="session")
def int8_file(run_folder: Path) -> Path:
    path = run_folder.parent / "int8.onnx"
    code = galaxy_edge_in_process(
        "export", run_folder, "-o", path, "--quantize", "--calibration-images", 10, *LENIENT, "-q"
    )
    assert code == 0
    return path


@pytest.mark.parametrize("batch", [1, 7, 32])
def test_the_float_file_scores_as_keras_does(run_folder: Path, model_file: Path, batch: int):
    predictor = Predictor(model_file)
    steps = predictor.manifest.preprocessing
    images = np.stack([decode(galaxy(seed), steps) for seed in range(batch)])
    # Keras does not enlarge images itself, and Pillow rounds some pixels to the next grey level.
    large = np.stack([decode(galaxy(seed), replace(steps, size=24)) for seed in range(batch)])
    model = keras.saving.load_model(run_folder / "model.keras")
    expected = model.predict(large.astype(np.float32) / 255, verbose=0)[:, 0]
    np.testing.assert_allclose(predictor.scores(images)[:, 1], expected, atol=2e-3)


def test_the_float_file_has_the_documented_signature(model_file: Path):
    model = onnx.load(model_file)
    onnx.checker.check_model(model, full_check=True)
    (image,), (score,) = model.graph.input, model.graph.output
    assert (image.name, score.name) == ("image", "score")
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert score.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    dims = image.type.tensor_type.shape.dim
    assert (dims[0].dim_param, [dim.dim_value for dim in dims[1:]]) == ("N", [16, 16, 3])
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert not {node.op_type for node in model.graph.node} & {"Shape", "Gather", "Slice", "Concat"}


def test_the_manifest_records_the_run(model_file: Path, run_folder: Path):
    manifest = Predictor(model_file).manifest
    data = json.loads((run_folder / "data.json").read_text())
    assert manifest.classes == ("Fake", "Real")
    assert manifest.preprocessing == Preprocessing(16, "bilinear", 16)
    assert manifest.training["data_digest"] == data["digest"]
    assert manifest.training["counts"]["Train"] == {"Fake": 12, "Real": 12}
    assert manifest.training["config"]["augment"]["kind"] == "exact"
    assert manifest.metrics["Valid"]["images"] == 16
    assert {"onnxruntime", "keras", "galaxy-edge"} <= manifest.versions.keys()
    assert manifest.quantization == {}


def test_the_file_contains_no_path_of_the_training_machine(model_file: Path, session_data: Path):
    assert str(session_data).encode() not in model_file.read_bytes()


def test_golden_examples_score_as_recorded(int8_file: Path, model_file: Path):
    for path in (int8_file, model_file):
        predictor = Predictor(path)
        examples = predictor.manifest.golden
        assert len(examples) == 8
        for example in examples:
            score = predictor.predict(example.png).score
            assert score == pytest.approx(example.scores[0], abs=1e-6)


def test_two_exports_of_one_run_are_identical(
    run_folder: Path, typical_file: Path, cli: Cli, tmp_path
):
    assert cli("export", run_folder, "-o", tmp_path / "again.onnx", "-q")[0] == 0
    assert (tmp_path / "again.onnx").read_bytes() == typical_file.read_bytes()


def largest_weight(path: Path) -> int:
    constants = [onnx.numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer]
    return max(np.abs(item.astype(int)).max() for item in constants if item.dtype == np.int8)


def quantized(run_folder: Path, path: Path, *options: str) -> Path:
    code = galaxy_edge_in_process(
        "export", run_folder, "-o", path, "--quantize", "--calibration-images", 10, *LENIENT, "-q",
        *options,
    )  # fmt: skip
    assert code == 0
    return path


def test_int8_computes_in_integers_from_the_image_on_with_seven_bit_weights(int8_file: Path):
    model = onnx.load(int8_file)
    after = [node.op_type for node in model.graph.node if not node.name.startswith("enlarge.")]
    assert not {"Cast", "Mul"} & {*after}
    assert [opset.domain for opset in model.opset_import] == [""], "only ONNX's own operators"
    assert largest_weight(int8_file) <= 64
    report = Predictor(int8_file).manifest.quantization
    assert report["layout"] == "for onnxruntime's CPU kernels"
    assert (report["target"], "7 bits" in report["scheme"]) == ("any", True)


def test_a_portable_file_has_the_plain_layout_and_the_same_scores(
    run_folder: Path, int8_file: Path, tmp_path: Path
):
    portable = quantized(run_folder, tmp_path / "q.onnx", "--portable")
    model = onnx.load(portable)
    operators = [node.op_type for node in model.graph.node if not node.name.startswith("enlarge.")]
    assert "Split" not in operators
    assert operators.index("Cast") < operators.index("Conv")
    assert Predictor(portable).manifest.quantization["layout"] == "portable"
    images = [galaxy(seed) for seed in range(20)]
    expected = [row.score for row in Predictor(int8_file).predict_many(images)]
    assert [row.score for row in Predictor(portable).predict_many(images)] == expected


@pytest.mark.parametrize(("target", "bits"), [("vnni", 8), ("avx2", 7), ("arm64", 8)])
def test_a_target_gets_weights_that_its_processors_add_correctly(
    run_folder: Path, tmp_path: Path, target: str, bits: int
):
    path = quantized(run_folder, tmp_path / "q.onnx", "--target", target)
    assert (largest_weight(path) > 64) == (bits == 8)
    assert f"{bits} bits" in Predictor(path).manifest.quantization["scheme"]


def test_a_file_below_the_minimum_speedup_is_not_written(
    run_folder: Path, tmp_path: Path, cli: Cli
):
    path = tmp_path / "q.onnx"
    code, out, err = cli(
        "export", run_folder, "-o", path, "--quantize", *LENIENT, "--min-speedup", 1000
    )
    assert (code, out, path.exists()) == (5, "", False)
    assert "times as fast as the float file on this machine (the minimum is 1000)" in err


def test_dense_weights_in_four_bits_are_stored_two_per_byte(
    run_folder: Path, tmp_path: Path, cli: Cli
):
    path = quantized(run_folder, tmp_path / "q.onnx", "--dense-bits", "4")
    kinds = {item.name: item.data_type for item in onnx.load(path).graph.initializer}
    assert kinds["gemm_1.weight_quantized.pairs"] == onnx.TensorProto.UINT8
    assert "gemm_1.weight_quantized" not in kinds
    assert Predictor(path).manifest.quantization["dense_bits"] == 4
    code, _, err = cli("export", run_folder, "--quantize", "--dense-bits", 5)
    assert (code, "8 or 4" in err) == (2, True)


@pytest.mark.parametrize("option", [("--target", "vnni"), ("--portable",), ("--dense-bits", "4")])
def test_options_for_quantising_need_quantize(run_folder: Path, cli: Cli, option: tuple[str, ...]):
    code, _, err = cli("export", run_folder, *option)
    assert (code, "--quantize" in err) == (2, True)


def test_the_int8_manifest_records_calibration_and_validation(int8_file: Path):
    report = Predictor(int8_file).manifest.quantization
    assert report["calibration"] == {"images": 10, "seed": 0, "method": "minmax"}
    assert report["validation"]["images"] == 16


def test_the_table_shows_size_speed_and_quality(run_folder: Path, tmp_path: Path, cli: Cli):
    code, out, err = cli(
        "export", run_folder, "-o", tmp_path / "q.onnx", "--quantize", *LENIENT
    )  # fmt: skip
    assert code == 0
    assert out == f"{tmp_path / 'q.onnx'}\n"
    for words in ("fp32", "int8", "kB", "ms", "accuracy", "AUC", "verdicts flip"):
        assert words in err


def test_a_failing_gate_writes_nothing(
    run_folder: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "q.onnx"
    code, out, err = cli("export", run_folder, "-o", path, "--quantize", "--max-flips", "-1")
    assert (code, out) == (5, "")
    assert "verdicts that flip" in err
    assert "int8" in err, "the table is printed before the error"
    monkeypatch.setattr(gates, "PARITY", -1.0)
    code, out, err = cli("export", run_folder, "-o", path)
    assert (code, out) == (5, "")
    assert "differs from Keras" in err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_score_as_recorded_is_not_written(
    run_folder: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    examples = golden.examples
    monkeypatch.setattr(
        golden,
        "examples",
        lambda run, manifest, _: examples(lambda x: Result(run(x).scores / 2), manifest),
    )
    code, _, err = cli("export", run_folder, "-o", tmp_path / "x.onnx", "-q")
    assert code == 5
    assert "golden" in err
    assert list(tmp_path.iterdir()) == []


def test_quantising_a_bare_model_needs_data(bare: Path, tmp_path: Path, cli: Cli):
    path = tmp_path / "q.onnx"
    options = (
        "-o",
        path,
        "--image-size",
        12,
        "--input-range",
        "0..1",
        "--quantize",
        *LENIENT,
        "-q",
    )
    code, _, err = cli("export", bare, *options)
    assert code == 2
    assert "--data" in err
    assert cli("export", bare, *options, "--data", make_data(tmp_path / "data"))[0] == 0
    assert path.exists()


def test_the_calibration_sample_is_balanced_and_seeded(data: Path):
    from galaxy_edge.inputs import labelled

    splits, problems = labelled.scan(data, ("Fake", "Real"))
    assert problems == []
    files = splits["Train"][3:]  # 9 Fake, 12 Real
    sample = calibration_sample(files, 12, seed=1)
    assert [file.label for file in sample] == [0] * 6 + [1] * 6
    assert len(set(sample)) == 12
    assert sample == calibration_sample(files, 12, seed=1)
    assert sample != calibration_sample(files, 12, seed=2)
    assert len(calibration_sample(files, 100, seed=1)) == 18


def test_only_training_images_calibrate(
    run_folder: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    seen = []

    def spy(model: onnx.ModelProto, calibration: np.ndarray, **how: bool) -> onnx.ModelProto:
        seen.extend(image.tobytes() for image in calibration)
        return quantize.quantize(model, calibration, **how)

    monkeypatch.setattr("galaxy_edge_export.int8.quantize", spy)
    assert (
        cli("export", run_folder, "-o", tmp_path / "q.onnx", "--quantize", *LENIENT, "-q")[0] == 0
    )
    trained = find(run_folder, ("Fake", "Real"), Preprocessing())
    training = {
        decode(file.path, trained.preprocessing).tobytes() for file in trained.files["Train"]
    }
    assert len(seen) == 24
    assert set(seen) <= training


def test_data_changed_since_the_training_are_refused(tmp_path: Path, cli: Cli, copy: Path):
    moved = tmp_path / "data"
    document = json.loads((copy / "data.json").read_text())
    shutil.copytree(document["root"], moved)
    (copy / "data.json").write_text(json.dumps(document | {"root": str(moved)}))
    (moved / "Valid" / "Real" / "000.png").write_bytes(encoded(galaxy(999)))
    code, _, err = cli("export", copy, "--quantize", *LENIENT)
    assert code == 2
    assert "changed since the training" in err
    shutil.rmtree(moved / "Train")
    code, _, err = cli("export", copy, "--quantize", *LENIENT)
    assert code == 2
    assert "--data" in err
    assert not (copy / "model-int8.onnx").exists()


def test_data_given_by_the_user_may_differ_from_the_training(tmp_path: Path, cli: Cli, copy: Path):
    moved = tmp_path / "data"
    shutil.copytree(json.loads((copy / "data.json").read_text())["root"], moved)
    (moved / "Valid" / "Real" / "000.png").write_bytes(encoded(galaxy(999)))
    assert cli("export", copy, "--quantize", "--data", moved, *LENIENT, "-q")[0] == 0


def test_the_manifest_records_the_seed_of_the_calibration(
    run_folder: Path, tmp_path: Path, cli: Cli
):
    path = tmp_path / "q.onnx"
    options = ("--quantize", "--seed", 7, "--calibration-images", 4, *LENIENT, "-q")
    assert cli("export", run_folder, "-o", path, *options)[0] == 0
    assert Predictor(path).manifest.quantization["calibration"]["seed"] == 7
    assert cli("export", run_folder, "-o", path, "--quantize", "--seed", -1)[0] == 2


def test_an_output_in_a_missing_folder_is_refused(run_folder: Path, tmp_path, cli: Cli):
    code, _, err = cli("export", run_folder, "-o", tmp_path / "absent" / "x.onnx")
    assert code == 2
    assert f"the folder {tmp_path / 'absent'} does not exist" in err


def test_an_older_file_is_kept_if_the_new_one_cannot_be_written(
    run_folder: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"older")

    def full_disk(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    code, _, err = cli("export", run_folder, "-o", path, "-q")
    assert code == 2
    assert "No space left" in err
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]
