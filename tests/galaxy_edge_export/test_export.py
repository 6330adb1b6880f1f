"""Exports of the tiny network, through the command line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import onnx
import pytest

from galaxy_edge import Predictor
from galaxy_edge.images import decode
from galaxy_edge.manifest import Preprocessing
from galaxy_edge_export import gates, golden, quantize
from galaxy_edge_export.convert import OPSET
from galaxy_edge_export.gates import keras_scores
from galaxy_edge_export.images import calibration_sample
from galaxy_edge_export.trained import find
from tests.conftest import encoded, galaxy, make_data

Cli = Callable[..., tuple[int, str, str]]
#: The tiny network barely knows anything: let int8 differ from it.
LENIENT = ("--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1")


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


@pytest.fixture(scope="session")
def int8_file(run_folder: Path) -> Path:
    from tests.conftest import galaxy_edge_in_process

    path = run_folder.parent / "int8.onnx"
    code = galaxy_edge_in_process(
        "export", run_folder, "-o", path, "--quantize", "--calibration-images", 10, *LENIENT, "-q"
    )
    assert code == 0
    return path


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras file from elsewhere: no run folder around it."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(),
         keras.layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip
    path = tmp_path_factory.mktemp("bare") / "bare.keras"
    model.save(path)
    return path


@pytest.mark.parametrize("batch", [1, 7, 32])
def test_the_float_file_scores_as_keras_does(run_folder: Path, model_file: Path, batch: int):
    predictor = Predictor(model_file)
    steps = predictor.manifest.preprocessing
    images = np.stack([decode(galaxy(seed), steps) for seed in range(batch)])
    model = keras.saving.load_model(run_folder / "model.keras")
    expected = model.predict(images.astype(np.float32) / 255, verbose=0)[:, 0]
    np.testing.assert_allclose(predictor.score(images), expected, atol=1e-5)


def test_the_file_is_as_designed(model_file: Path):
    model = onnx.load(model_file)
    onnx.checker.check_model(model, full_check=True)
    (image,), (score,) = model.graph.input, model.graph.output
    assert (image.name, score.name) == ("image", "score")
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert score.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    dims = image.type.tensor_type.shape.dim
    assert (dims[0].dim_param, [dim.dim_value for dim in dims[1:]]) == ("N", [24, 24, 3])
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert not {node.op_type for node in model.graph.node} & {"Shape", "Gather", "Slice", "Concat"}


def test_the_manifest_travels(model_file: Path, run_folder: Path):
    manifest = Predictor(model_file).manifest
    data = json.loads((run_folder / "data.json").read_text())
    assert manifest.labels == ("Fake", "Real")
    assert manifest.preprocessing == Preprocessing(24, "bilinear", 16)
    assert manifest.training["data_digest"] == data["digest"]
    assert manifest.training["counts"]["Train"] == {"Fake": 12, "Real": 12}
    assert manifest.training["config"]["augment"]["kind"] == "exact"
    assert manifest.metrics["Valid"]["images"] == 16
    assert {"onnxruntime", "keras", "galaxy-edge"} <= manifest.versions.keys()
    assert manifest.quantization == {}


def test_no_path_of_the_training_machine_travels(model_file: Path, session_data: Path):
    assert str(session_data).encode() not in model_file.read_bytes()


def test_golden_examples_score_as_recorded(int8_file: Path, model_file: Path):
    for path in (int8_file, model_file):
        predictor = Predictor(path)
        examples = predictor.manifest.golden
        assert len(examples) == 8
        for example in examples:
            score = predictor.predict(example.png).score
            assert score == pytest.approx(example.score, abs=1e-6)


def test_golden_examples_span_the_scores_and_come_of_a_seed():
    assert np.array_equal(golden.galaxy(3), golden.galaxy(3))

    def by_rank(images: np.ndarray) -> np.ndarray:
        return (images.mean((1, 2, 3)).argsort().argsort() / len(images)).astype(np.float32)

    examples = golden.examples(by_rank, Preprocessing(size=24))
    assert len({example.png for example in examples}) == 8
    values = [example.score for example in examples]
    np.testing.assert_allclose(values, np.linspace(0.1, 0.9, 8), atol=0.01)


def test_golden_examples_are_eight_even_of_a_network_that_says_one_thing():
    examples = golden.examples(lambda images: np.ones(len(images), np.float32), Preprocessing(24))
    assert len({example.png for example in examples}) == 8


def test_two_exports_of_one_run_are_equal(run_folder: Path, model_file: Path, cli: Cli, tmp_path):
    assert cli("export", run_folder, "-o", tmp_path / "again.onnx", "-q")[0] == 0
    assert (tmp_path / "again.onnx").read_bytes() == model_file.read_bytes()


def test_int8_is_static_qdq_per_channel_in_seven_bits(int8_file: Path):
    model = onnx.load(int8_file)
    operators = [node.op_type for node in model.graph.node]
    assert "DynamicQuantizeLinear" not in operators
    assert operators.count("Conv") == 2
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(operators)
    constants = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    for name, channels in (("conv_1.weight", 4), ("conv_2.weight", 8)):
        weights = constants[f"{name}_quantized"]
        assert weights.dtype == np.int8
        assert np.abs(weights.astype(int)).max() <= 64
        assert constants[f"{name}_scale"].shape == (channels,)


def test_int8_writes_its_report(int8_file: Path):
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
    assert "int8" in err, "the table says why"
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
        golden, "examples", lambda score, steps: examples(lambda x: score(x) / 2, steps)
    )
    code, _, err = cli("export", run_folder, "-o", tmp_path / "x.onnx", "-q")
    assert code == 5
    assert "golden" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_file_inside_a_run_is_that_run(copy: Path, name: str, cli: Cli):
    code, out, _ = cli("export", copy / name, "-q")
    assert (code, out) == (0, f"{copy / 'model.onnx'}\n")
    assert Predictor(copy / "model.onnx").manifest.preprocessing == Preprocessing(
        24, "bilinear", 16
    )


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_bare_model_takes_its_settings_from_the_options(
    bare: Path, tmp_path: Path, suffix: str, cli: Cli
):
    source, path = tmp_path / f"bare{suffix}", tmp_path / "bare.onnx"
    keras.saving.load_model(bare).save(source)
    code, _, _ = cli(
        "export", source, "-o", path, "--image-size", 12, "--resize", "lanczos", "--classes",
        "bogus,real", "--working-size", 9, "--threshold", 0.25, "-q",
    )  # fmt: skip
    assert code == 0
    manifest = Predictor(path).manifest
    assert manifest.labels == ("bogus", "real")
    assert manifest.preprocessing == Preprocessing(12, "lanczos", 9)
    assert manifest.threshold == 0.25


@pytest.mark.parametrize("nested", [False, True])
def test_a_model_that_rescales_itself_is_not_rescaled_again(tmp_path: Path, cli: Cli, nested: bool):
    rescaling = keras.layers.Rescaling(1 / 255)
    first = keras.Sequential([keras.Input((12, 12, 3)), rescaling]) if nested else rescaling
    model = keras.Sequential(
        [keras.Input((12, 12, 3)), first, keras.layers.Flatten(),
         keras.layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip
    model.save(tmp_path / "m.keras")
    code, _, _ = cli("export", tmp_path / "m.keras", "--image-size", 12, "-q")
    assert code == 0
    images = np.stack([galaxy(1, 12)])
    expected = model.predict(images.astype(np.float32), verbose=0)[0, 0]
    assert Predictor(tmp_path / "m.onnx").score(images)[0] == pytest.approx(expected, abs=1e-5)
    assert keras_scores(model, images)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("option", [("--resize", "nearest"), ("--classes", "Fake,Real")])
def test_a_run_is_not_contradicted(run_folder: Path, option: tuple[str, str], cli: Cli):
    code, _, err = cli("export", run_folder, *option)
    assert code == 2
    assert option[0] in err


def test_quantising_a_bare_model_needs_data(bare: Path, tmp_path: Path, cli: Cli):
    path = tmp_path / "q.onnx"
    options = ("-o", path, "--image-size", 12, "--quantize", *LENIENT, "-q")
    code, _, err = cli("export", bare, *options)
    assert code == 2
    assert "--data" in err
    assert cli("export", bare, *options, "--data", make_data(tmp_path / "data"))[0] == 0
    assert path.exists()


def test_the_calibration_sample_is_balanced_and_seeded(data: Path):
    from galaxy_edge import folders

    splits, problems = folders.scan(data, ("Fake", "Real"))
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

    def spy(model: onnx.ModelProto, calibration: np.ndarray) -> onnx.ModelProto:
        seen.extend(image.tobytes() for image in calibration)
        return quantize.quantize(model, calibration)

    monkeypatch.setattr("galaxy_edge_export.export.quantize", spy)
    assert (
        cli("export", run_folder, "-o", tmp_path / "q.onnx", "--quantize", *LENIENT, "-q")[0] == 0
    )
    trained = find(run_folder, ("Fake", "Real"), Preprocessing())
    training = {
        decode(file.path, trained.preprocessing).tobytes() for file in trained.files["Train"]
    }
    assert len(seen) == 24
    assert set(seen) <= training


def test_data_that_changed_since_the_training_are_refused(tmp_path: Path, cli: Cli, copy: Path):
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


def test_data_that_are_given_are_the_users_choice(tmp_path: Path, cli: Cli, copy: Path):
    moved = tmp_path / "data"
    shutil.copytree(json.loads((copy / "data.json").read_text())["root"], moved)
    (moved / "Valid" / "Real" / "000.png").write_bytes(encoded(galaxy(999)))
    assert cli("export", copy, "--quantize", "--data", moved, *LENIENT, "-q")[0] == 0


def test_the_seed_of_the_calibration_travels(run_folder: Path, tmp_path: Path, cli: Cli):
    path = tmp_path / "q.onnx"
    options = ("--quantize", "--seed", 7, "--calibration-images", 4, *LENIENT, "-q")
    assert cli("export", run_folder, "-o", path, *options)[0] == 0
    assert Predictor(path).manifest.quantization["calibration"]["seed"] == 7
    assert cli("export", run_folder, "-o", path, "--quantize", "--seed", -1)[0] == 2


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", {"preprocessing": [1]}),
        ("config.json", {"classes": [1, 2]}),
        ("config.json", {"classes": ["Fake ", "Real"]}),
        ("data.json", {"files": []}),
        ("data.json", {"files": {"Valid": []}}),
        ("metrics.json", {"best_epoch": None, "Valid": 1}),
    ],
)
def test_a_damaged_run_folder_says_so(copy: Path, cli: Cli, name: str, change: dict[str, object]):
    document = json.loads((copy / name).read_text()) | change
    if name == "metrics.json":
        del document["best_epoch"]
    (copy / name).write_text(json.dumps(document))
    code, _, err = cli("export", copy, "-q")
    assert code == 3
    assert "damaged run folder" in err


def with_config(path: Path, change: Callable[[str], str]) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = change(file.attrs["model_config"])


def test_code_in_a_model_file_is_refused(bare: Path, tmp_path: Path, cli: Cli):
    path = tmp_path / "m.h5"
    keras.saving.load_model(bare).save(path)
    with_config(path, lambda text: text.replace('"Flatten"', '"Lambda"'))
    code, _, err = cli("export", path, "--image-size", 12)
    assert code == 3
    assert "Lambda" in err
    with_config(path, lambda text: text.replace('"Lambda"', '"Flatten"'))
    with_config(path, lambda text: text.replace('"module": "keras"', '"module": "os.path"'))
    code, _, err = cli("export", path, "--image-size", 12)
    assert code == 3
    assert "os.path" in err


def test_code_in_a_keras_archive_is_refused(tmp_path: Path, cli: Cli):
    model = keras.Sequential(
        [keras.Input((12, 12, 3)), keras.layers.Lambda(lambda x: x), keras.layers.Flatten(),
         keras.layers.Dense(1)]
    )  # fmt: skip
    model.save(tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", "--image-size", 12)
    assert code == 3
    assert "Lambda" in err


def test_what_is_no_model_says_so(tmp_path: Path, bare: Path, cli: Cli):
    (tmp_path / "broken.keras").write_bytes(b"rubbish")
    (tmp_path / "broken.h5").write_bytes(b"rubbish")
    (tmp_path / "model.pt").write_bytes(b"rubbish")
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "folder").mkdir()
    for source, words in (
        (tmp_path / "absent.keras", "there is no"),
        (tmp_path / "broken.keras", "no Keras model"),
        (tmp_path / "broken.h5", "no Keras model"),
        (tmp_path / "model.pt", "neither"),
        (tmp_path / "run.partial", "--resume"),
        (tmp_path / "folder", "no run folder"),
        (bare, "--image-size"),
    ):
        code, out, err = cli("export", source)
        assert (code, out) == (3, "")
        assert words in err
        assert "Traceback" not in err


def test_an_output_that_cannot_be_written_is_known_at_once(run_folder: Path, tmp_path, cli: Cli):
    code, _, err = cli("export", run_folder, "-o", tmp_path / "absent" / "x.onnx")
    assert code == 2
    assert "no folder" in err


def test_an_older_file_stands_when_the_new_one_fails(
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
