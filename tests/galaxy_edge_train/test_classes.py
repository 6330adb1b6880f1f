"""Training for three classes, from folders and from a catalogue."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train import networks
from galaxy_edge_train.batches import Batches
from galaxy_edge_train.calibration import class_temperature, cross_calibrate_classes
from galaxy_edge_train.config import NetworkConfig
from tests.conftest import encoded

Cli = Callable[..., tuple[int, str, str]]
NAMES = ("blue", "green", "red")
TINY = (
    "--image-size", "16", "--filters", "4,8", "--dense-units", "16", "--batch-size", "8",
    "--learning-rate", "0.01", "--epochs", "6", "--augment", "exact", "--stop-at-accuracy", "off",
)  # fmt: skip


def coloured(seed: int, name: str) -> bytes:
    """Noise with a brighter channel."""
    image = np.random.default_rng(seed).integers(0, 120, (16, 16, 3))
    image[..., 2 - NAMES.index(name)] += 100
    return encoded(image.astype(np.uint8))


def folders(root: Path, train: int = 24, valid: int = 8) -> Path:
    seed = 0
    for split, count in (("Train", train), ("Valid", valid)):
        for name in NAMES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                seed += 1
                (folder / f"{number}.png").write_bytes(coloured(seed, name))
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders(tmp_path_factory.mktemp("colours") / "data")


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    from tests.conftest import galaxy_edge_in_process

    output = data.parent / "run"
    assert galaxy_edge_in_process("train", data, "-o", output, *TINY, "--calibrate", "-q") == 0
    return output


def test_the_folders_are_the_classes_and_the_network_learns_them(run: Path, data: Path):
    config = json.loads((run / "config.json").read_text())
    assert config["classes"] == list(NAMES)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["Valid"]["accuracy"] > 0.9
    assert metrics["Valid"]["confusion"].keys() == set(NAMES)
    assert metrics["Valid"]["by_class"]["red"]["images"] == 8
    assert "accuracy_interval" not in metrics["Valid"]
    assert metrics["temperature"] > 0
    assert 0 <= metrics["held_out_calibration_error"] <= 1
    assert (run / "confusion.png").read_bytes().startswith(b"\x89PNG")
    model = keras.saving.load_model(run / "model.keras")
    assert model.output_shape == (None, 3)
    red = decode(data / "Valid/red/0.png", Preprocessing(size=16))
    scores = model.predict(red[None] / np.float32(255), verbose=0)[0]
    assert scores.argmax() == NAMES.index("red")
    assert scores.sum() == pytest.approx(1, abs=1e-5)


def test_the_counts_are_printed_and_small_classes_are_named(tmp_path: Path, cli: Cli):
    data = folders(tmp_path / "data", train=20, valid=4)
    for path in sorted((data / "Train" / "green").iterdir())[3:]:
        path.unlink()
    options = [*TINY, "--epochs", "1", "--class-weights", "balanced"]
    code, _, err = cli("train", data, "-o", tmp_path / "run", *options)
    assert code == 0
    assert "Train: 20 blue, 3 green, 20 red" in err
    assert "fewer than 20 training images of green;" in err
    assert err.index("Train: 20 blue") < err.index("epoch 1/1")
    assert json.loads((tmp_path / "run/config.json").read_text())["class_weights"] == "balanced"


def test_balanced_weights_give_a_rare_class_its_weight():
    from galaxy_edge_train.config import TrainConfig
    from galaxy_edge_train.learning import class_weights

    class Data:
        def counts(self, split: str) -> dict[str, int]:
            return {"a": 30, "b": 10, "c": 20}

    config = TrainConfig(classes=("a", "b", "c"), class_weights="balanced")
    weights = class_weights(Data(), config)
    assert weights == pytest.approx({0: 2 / 3, 1: 2.0, 2: 1.0})
    assert class_weights(Data(), TrainConfig()) is None


def test_a_catalogue_trains_like_folders(tmp_path: Path, cli: Cli):
    (tmp_path / "stamps").mkdir()
    with (tmp_path / "types.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("name", "colour", "survey"))
        for seed in range(120):
            name = NAMES[seed % 3]
            (tmp_path / "stamps" / f"{seed}.png").write_bytes(coloured(seed, name))
            writer.writerow((f"stamps/{seed}.png", name, ("north", "")[seed % 2]))
        writer.writerow(("stamps/absent.png", "red", "north"))
    columns = ("--path-column", "name", "--label-column", "colour", "--source-column", "survey")
    output = tmp_path / "run"
    code, out, err = cli("train", tmp_path / "types.csv", *columns, "-o", output, *TINY)
    assert (code, out) == (2, "")
    assert "row 121: stamps/absent.png: there is no such file" in err
    assert not output.exists()
    code, _, err = cli(
        "train", tmp_path / "types.csv", *columns, "-o", output, *TINY, "--skip-unreadable"
    )
    assert code == 0, err
    assert "left out: row 121" in err
    recorded = json.loads((output / "data.json").read_text())
    assert recorded["root"] == str(tmp_path)
    assert sum(sum(counts.values()) for counts in recorded["counts"].values()) == 120
    assert json.loads((output / "config.json").read_text())["catalogue"] == {
        "path": "name", "label": "colour", "split": None, "valid": 0.2, "source": "survey",
    }  # fmt: skip
    for item in recorded["files"]["Train"]:
        assert ("source" in item) == (int(Path(item["path"]).stem) % 2 == 0)
    assert json.loads((output / "metrics.json").read_text())["Valid"]["accuracy"] > 1 / 3
    labelled = folders(tmp_path / "other", train=1, valid=8) / "Valid"
    rows, metrics = measured(output, tmp_path / "stamps", labelled, cli)
    right = [row["label"] == NAMES[int(Path(row["path"]).stem) % 3] for row in rows]
    assert len(right) == 120
    assert np.mean(right) > 1 / 3
    assert metrics["overall"]["images"] == 24


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--path-column and --label-column"),
        (["--path-column", "a"], "--path-column and --label-column"),
        (["--path-column", "a", "--label-column", "b"], "no column a"),
        (
            ["--path-column", "a", "--label-column", "b", "--split-column", "s", "--valid", "0.3"],
            "exclude each other",
        ),
    ],
)
def test_a_catalogue_needs_its_columns(tmp_path: Path, cli: Cli, options: list[str], words: str):
    (tmp_path / "x.csv").write_text("file,type\na.png,b\n")
    code, _, err = cli("train", tmp_path / "x.csv", *options)
    assert (code, words in err, "Traceback" in err) == (2, True, False)


def test_a_folder_takes_no_columns_and_needs_two_classes(data: Path, tmp_path: Path, cli: Cli):
    code, _, err = cli("train", data, "--path-column", "a")
    assert (code, "is a folder" in err) == (2, True)
    (tmp_path / "Train" / "only").mkdir(parents=True)
    code, _, err = cli("train", tmp_path)
    assert (code, "only a folder only" in err) == (2, True)


def test_two_classes_keep_the_documented_head_and_three_get_a_softmax():
    config = NetworkConfig()
    assert networks.build(config, 150).count_params() == 10_636_481
    three = networks.build(config, 150, 3)
    assert three.count_params() == 10_636_481 + 2 * 129
    assert three.layers[-1].activation.__name__ == "softmax"


def test_targets_have_one_column_for_two_classes_and_one_per_class_for_more():
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 2, 1, 2], np.uint8)
    steps = Preprocessing(size=8)
    three = Batches(images, labels, 4, steps, classes=3)[0][1]
    np.testing.assert_array_equal(three, np.eye(3, dtype=np.float32)[labels])
    two = Batches(images, labels % 2, 4, steps)[0][1]
    np.testing.assert_array_equal(two, np.array([[0], [0], [1], [0]], np.float32))


def test_the_temperature_of_classes_undoes_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (4000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in honest], np.uint8)
    sure = honest**3 / (honest**3).sum(axis=1, keepdims=True)
    assert class_temperature(sure.astype(np.float32), labels) == pytest.approx(3, rel=0.1)
    fair = cross_calibrate_classes(sure.astype(np.float32), labels)
    assert np.abs(fair - honest).mean() < 0.02
    right = np.eye(3, dtype=np.float32)[labels]
    assert class_temperature(right, labels) == 1.0


def measured(run: Path, images: Path, labelled: Path, cli: Cli) -> tuple[list[dict], dict]:
    """Export --quantize, predict to Parquet and evaluate: the rows and the metrics."""
    import pyarrow.parquet

    model, rows, report = (run.parent / name for name in ("m.onnx", "v.parquet", "report"))
    limits = (
        "--min-speedup",
        0,
        "--max-flips",
        10,
        "--max-accuracy-drop",
        10,
        "--max-auc-drop",
        0.1,
    )
    code, _, err = cli("export", run, "--quantize", *limits, "-o", model)
    assert code == 0, err
    code, _, err = cli("predict", images, "-m", model, "-o", rows)
    assert code == 0, err
    code, _, err = cli("evaluate", labelled, "-m", model, "-o", report, "-q")
    assert code == 0, err
    assert (report / "report.html").exists()
    return (
        pyarrow.parquet.read_table(rows).to_pylist(),
        json.loads((report / "metrics.json").read_text()),
    )


def test_a_run_is_exported_used_and_measured(run: Path, data: Path, cli: Cli):
    rows, metrics = measured(run, data / "Valid" / "red", data / "Valid", cli)
    assert [row["label"] for row in rows].count("red") >= 6
    assert sum(rows[0][f"p_{name}"] for name in NAMES) == pytest.approx(1, abs=1e-5)
    assert rows[0]["score"] == max(rows[0][f"p_{name}"] for name in NAMES)
    assert metrics["overall"]["accuracy"] > 0.8
