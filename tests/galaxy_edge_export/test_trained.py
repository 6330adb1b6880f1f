"""What can be exported, and what is refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from galaxy_edge import Predictor
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export.gates import source_scores
from tests.conftest import galaxy

Cli = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_file_inside_a_run_folder_counts_as_that_run(copy: Path, name: str, cli: Cli):
    code, out, _ = cli("export", copy / name, "-q")
    assert (code, out) == (0, f"{copy / 'model.onnx'}\n")
    assert Predictor(copy / "model.onnx").manifest.preprocessing == Preprocessing(
        16, "bilinear", 16
    )


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_bare_model_takes_its_settings_from_the_options(
    bare: Path, tmp_path: Path, suffix: str, cli: Cli
):
    source, path = tmp_path / f"bare{suffix}", tmp_path / "bare.onnx"
    keras.saving.load_model(bare).save(source)
    code, _, _ = cli(
        "export", source, "-o", path, "--image-size", 12, "--resize", "lanczos", "--classes",
        "bogus,real", "--working-size", 9, "--threshold", 0.25, "--input-range", "0..1", "-q",
    )  # fmt: skip
    assert code == 0
    manifest = Predictor(path).manifest
    assert manifest.classes == ("bogus", "real")
    assert manifest.preprocessing == Preprocessing(9, "lanczos", 9)
    assert manifest.decision.threshold == 0.25


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
    assert Predictor(tmp_path / "m.onnx").scores(images)[0, 1] == pytest.approx(expected, abs=1e-5)
    assert source_scores(model.predict_on_batch, images, "0..255")[0, 0] == pytest.approx(
        expected, abs=1e-6
    )


@pytest.mark.parametrize(
    "option",
    [("--resize", "nearest"), ("--classes", "Fake,Real"), ("--input-range", "0..1"),
     ("--activation", "sigmoid")],
)  # fmt: skip
def test_options_cannot_override_what_a_run_records(
    run_folder: Path, option: tuple[str, str], cli: Cli
):
    code, _, err = cli("export", run_folder, *option)
    assert code == 2
    assert option[0] in err


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
def test_a_damaged_run_folder_is_reported(
    copy: Path, cli: Cli, name: str, change: dict[str, object]
):
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


def test_a_source_without_a_model_is_reported(tmp_path: Path, cli: Cli):
    (tmp_path / "broken.keras").write_bytes(b"rubbish")
    (tmp_path / "broken.h5").write_bytes(b"rubbish")
    (tmp_path / "model.pt").write_bytes(b"rubbish")
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "folder").mkdir()
    for source, words in (
        (tmp_path / "absent.keras", "does not exist"),
        (tmp_path / "broken.keras", "not a Keras model"),
        (tmp_path / "broken.h5", "not a Keras model"),
        (tmp_path / "model.pt", "neither"),
        (tmp_path / "run.partial", "--resume"),
        (tmp_path / "folder", "neither a run folder"),
    ):
        code, out, err = cli("export", source)
        assert (code, out) == (3, "")
        assert words in err
        assert "Traceback" not in err
