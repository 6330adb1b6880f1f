"""Model files with a typicality: every form of file, the rows, and what users are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from galaxy_edge import Predictor
from galaxy_edge.golden import verify
from galaxy_edge.inputs.images import decode
from galaxy_edge_export.typicality import graph
from tests.conftest import TINY, encoded, galaxy

Cli = Callable[..., tuple[int, str, str]]
ROOT_OPTIONS = ("--min-speedup", 0, "--max-accuracy-drop", 100, "--max-flips", 100)
INT8 = ("--quantize", *ROOT_OPTIONS, "--max-auc-drop", 1, "--calibration-images", 20)
FORMS = {
    "fp32": (),
    "fp16": ("--half",),
    "int8": INT8,
    "portable": (*INT8, "--portable"),
    "4 bit": (*INT8, "--dense-bits", 4),
}


def smooth(seed: int, size: int = 24, sky: int = 80) -> np.ndarray:
    """A galaxy without noise on a bright sky: a fake that a network knows."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    rng = np.random.default_rng(seed)
    blob = rng.uniform(90, 150) * np.exp(-np.hypot(x, y) / rng.uniform(2, 5))
    return (sky + np.array([0, 3, 6]) + blob[..., None]).astype(np.uint8)


def faint(seed: int, size: int = 24) -> np.ndarray:
    """A galaxy of a second survey, with little noise."""
    noisy = galaxy(seed, size).astype(int)
    return (smooth(seed, size, sky=5) + noisy // 12).astype(np.uint8)


def write(folder: Path, images: list[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        (folder / f"{number:03}.png").write_bytes(encoded(image))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reals of two surveys against smooth fakes, at a working size of 16 enlarged to 40."""
    from tests.conftest import galaxy_edge_in_process

    data = tmp_path_factory.mktemp("typical") / "data"
    first = 0
    for split, count in (("Train", 120), ("Valid", 110)):
        seeds = range(first, first := first + count)
        write(data / split / "Real" / "deep", [galaxy(seed, 24) for seed in seeds])
        write(data / split / "Real" / "wide", [faint(seed) for seed in seeds])
        write(data / split / "Fake", [smooth(seed) for seed in seeds])
    output = data.parent / "run"
    options = [*TINY, "--image-size", "40", "--working-size", "16", "--resize", "lanczos"]
    options += ["--epochs", "5", "--augment", "exact", "--learning-rate", "0.005", "-q"]
    assert galaxy_edge_in_process("train", data, "-o", output, *options) == 0
    return output


@pytest.fixture(scope="module")
def files(run: Path) -> dict[str, Path]:
    from tests.conftest import galaxy_edge_in_process

    found = {}
    for name, options in FORMS.items():
        found[name] = run.parent / f"{name}.onnx"
        assert galaxy_edge_in_process("export", run, "-o", found[name], "-q", *options) == 0
    return found


def batch(predictor: Predictor, images: list[np.ndarray]) -> np.ndarray:
    return np.stack([decode(image, predictor.manifest.preprocessing) for image in images])


ODD = {
    "black": np.zeros((24, 24, 3), np.uint8),
    "white": np.full((24, 24, 3), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8),
    "grey": np.repeat(galaxy(1000, 24)[..., :1], 3, axis=-1),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_has_a_typicality(files: dict[str, Path], form: str):
    predictor = Predictor(files[form], device="cpu")
    known = [galaxy(seed, 24) for seed in range(3000, 3100)]
    verdicts = list(predictor.predict_many([*known, *ODD.values()]))
    flagged = [one.status == "out_of_distribution" for one in verdicts]
    assert np.mean(flagged[:100]) <= 0.06
    assert all(flagged[100:])
    assert all(one.label is None and one.score is not None for one in verdicts[100:])
    assert all(0 <= one.typicality <= 1 for one in verdicts)
    assert np.std([one.typicality for one in verdicts[:100]]) > 0.1


@pytest.mark.parametrize("form", FORMS)
def test_the_typicality_does_not_change_a_score(run: Path, files, tmp_path: Path, cli: Cli, form):
    plain = tmp_path / "plain.onnx"
    assert cli("export", run, "-o", plain, "-q", "--no-typicality", *FORMS[form])[0] == 0
    predictors = Predictor(plain, device="cpu"), Predictor(files[form], device="cpu")
    images = batch(predictors[0], [galaxy(seed, 24, real=seed % 2 == 0) for seed in range(40)])
    one, other = (each.scores(images) for each in predictors)
    np.testing.assert_array_equal(one, other)
    assert predictors[0].scores_and_typicality(images)[1] is None


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_compute_the_same_typicality(files: dict[str, Path], form: str):
    one, other = Predictor(files["fp32"], device="cpu"), Predictor(files[form], device="cpu")
    images = batch(one, [galaxy(seed, 24, real=seed % 4 != 0) for seed in range(60)])
    expected, found = (each.scores_and_typicality(images)[1] for each in (one, other))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_typicality_of_an_image_does_not_depend_on_its_batch(files: dict[str, Path]):
    predictor = Predictor(files["fp32"], device="cpu")
    images = batch(predictor, [galaxy(seed, 24) for seed in range(33)])
    together = predictor.scores_and_typicality(images)[1]
    alone = np.concatenate([predictor.scores_and_typicality(images[[i]])[1] for i in range(33)])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    assert together.dtype == np.float32


def test_the_file_has_standard_operators_and_the_documented_output(files: dict[str, Path]):
    model = onnx.load(files["int8"])
    onnx.checker.check_model(model, full_check=True)
    assert [opset.domain for opset in model.opset_import] == [""]
    score, typicality = model.graph.output
    assert (score.name, typicality.name) == ("score", graph.OUTPUT)
    assert typicality.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [dim.dim_param for dim in typicality.type.tensor_type.shape.dim] == ["N"]


def test_the_manifest_and_the_summary_say_what_it_was_fitted_to(run: Path, tmp_path, cli: Cli):
    code, _, err = cli("export", run, "-o", tmp_path / "m.onnx")
    assert code == 0
    assert "typicality: fitted to Fake (120), Real/deep (120), Real/wide (120)" in err
    assert "of 220 Real validation images" in err
    assert "of the network's time for one image" in err
    manifest = Predictor(tmp_path / "m.onnx").manifest
    assert manifest.decision.ood_limit == 0.01
    assert manifest.training["typicality"] == {
        "sources": {"Fake": 120, "Real/deep": 120, "Real/wide": 120},
        "calibration": {"validation_images": 330},
    }


def test_golden_examples_record_their_typicality(files: dict[str, Path], tmp_path, cli: Cli):
    predictor = Predictor(files["fp32"], device="cpu", check=False)
    recorded = [one.typicality for one in predictor.manifest.golden]
    assert len(recorded) == 10
    assert min(recorded[-2:]) > 0, "an atypical example would not show a wrong typicality"
    found = verify(predictor)
    assert found.largest_typicality_difference <= 1e-5
    code, out, _ = cli("verify", files["fp32"])
    assert (code, ", of a typicality " in out) == (0, True)
    # The slopes of the calibration are damaged.
    model = onnx.load(files["fp32"])
    last = [node for node in model.graph.node if node.op_type == "Mul"][-1]
    slopes = next(item for item in model.graph.initializer if item.name == last.input[1])
    slopes.CopyFrom(
        onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(slopes) / 2 + 0.1, slopes.name)
    )
    onnx.save(model, tmp_path / "damaged.onnx")
    code, _, err = cli("verify", tmp_path / "damaged.onnx")
    assert code == 3
    assert "a typicality differs by" in err


def test_the_limit_is_an_option_of_export_and_of_predict(run: Path, files, tmp_path, cli: Cli):
    image = tmp_path / "noise.png"
    image.write_bytes(encoded(ODD["noise"]))
    command = ("predict", image, "--format", "jsonl", "-q")
    row = json.loads(cli(*command, "-m", files["fp32"])[1])
    assert (row["status"], row["label"], row["typicality"]) == ("out_of_distribution", None, 0.0)
    row = json.loads(cli(*command, "-m", files["fp32"], "--ood-limit", "off")[1])
    assert (row["status"], row["typicality"]) == ("ok", 0.0)
    off = tmp_path / "off.onnx"
    assert cli("export", run, "-o", off, "-q", "--ood-limit", "off")[0] == 0
    row = json.loads(cli(*command, "-m", off)[1])
    assert (row["status"], row["typicality"]) == ("ok", 0.0)
    row = json.loads(cli(*command, "-m", off, "--ood-limit", 0.5)[1])
    assert row["status"] == "out_of_distribution"
    plain = tmp_path / "plain.onnx"
    assert cli("export", run, "-o", plain, "-q", "--no-typicality")[0] == 0
    code, _, err = cli(*command, "-m", plain, "--ood-limit", 0.5)
    assert code == 2
    assert "the model computes no typicality" in err
    assert cli(*command, "-m", off, "--ood-limit", 2)[0] == 2


def test_rows_of_another_limit_are_not_resumed(files: dict[str, Path], tmp_path: Path, cli: Cli):
    image, rows = tmp_path / "noise.png", tmp_path / "rows.csv"
    image.write_bytes(encoded(ODD["noise"]))
    command = ("predict", image, "-m", files["fp32"], "-o", rows)
    assert cli(*command)[0] == 0
    assert cli(*command, "--resume")[0] == 0
    code, _, err = cli(*command, "--resume", "--ood-limit", "off")
    assert code == 2
    assert "another out-of-distribution limit" in err


def test_a_run_of_odd_images_is_explained(files: dict[str, Path], tmp_path: Path, cli: Cli):
    write(tmp_path / "odd", [*ODD.values(), galaxy(1, 24)])
    _, _, err = cli("predict", tmp_path / "odd", "-m", files["fp32"])
    assert "4 out of distribution" in err
    assert "80% of the images are out of distribution: they were made in another way" in err
    write(tmp_path / "usual", [galaxy(seed, 24) for seed in range(10)])
    _, _, err = cli("predict", tmp_path / "usual", "-m", files["fp32"])
    assert "made in another way" not in err


def test_without_its_images_a_run_has_no_typicality(run: Path, tmp_path: Path, cli: Cli):
    import shutil

    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    document = json.loads((moved / "data.json").read_text())
    root = document["root"]
    (moved / "data.json").write_text(json.dumps(document | {"root": str(tmp_path / "gone")}))
    code, _, err = cli("export", moved, "-o", tmp_path / "m.onnx")
    assert code == 0
    assert (
        "no typicality: the training images cannot be read any more; give labelled folders" in err
    )
    assert Predictor(tmp_path / "m.onnx").manifest.outputs.typicality is None
    for option in (("--open-class", "Fake"), ("--abstain-error", 0.1)):
        assert cli("export", moved, "-o", tmp_path / "m.onnx", *option)[0] == 2
    code, _, err = cli("export", moved, "-o", tmp_path / "m.onnx", "--data", root)
    assert code == 0
    assert Predictor(tmp_path / "m.onnx").manifest.outputs.typicality == "typicality"
    (Path(root) / "Valid" / "Fake" / "000.png").rename(tmp_path / "kept.png")
    (tmp_path / "kept.png").rename(Path(root) / "Valid" / "Fake" / "000.png")


def test_few_images_are_warned_of(session_data: Path, run_folder: Path, tmp_path, cli: Cli):
    code, _, err = cli("export", run_folder, "-o", tmp_path / "m.onnx")
    assert code == 0
    assert "the typicality is fitted to 24 training images; with fewer than 200" in err
    found = Predictor(tmp_path / "m.onnx").manifest.training["typicality"]
    assert found["calibration"] == {"method": "cross-validation"}


def test_a_graph_that_computes_something_else_is_not_written(
    run: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(graph, "CLIP", 15.0)
    code, _, err = cli("export", run, "-o", tmp_path / "m.onnx")
    assert code == 5
    assert "computes a typicality that differs by" in err
    assert not (tmp_path / "m.onnx").exists()


@pytest.fixture(scope="module")
def open_file(run: Path) -> Path:
    from tests.conftest import galaxy_edge_in_process

    path = run.parent / "open.onnx"
    command = ("export", run, "-o", path, "-q", "--open-class", "Fake")
    assert galaxy_edge_in_process(*command) == 0
    return path


def test_with_an_open_class_an_unusual_image_is_never_the_other_class(
    open_file: Path, files: dict[str, Path]
):
    predictor = Predictor(open_file, device="cpu")
    assert predictor.manifest.decision.open_class == "Fake"
    rng = np.random.default_rng(0)
    reals = [galaxy(seed, 24) for seed in range(4000, 4060)]
    fakes = [smooth(seed) for seed in range(4000, 4060)]
    # Of a survey and of a generator that nobody has trained on.
    others = [
        np.clip(image.astype(int) + rng.normal(0, 40, image.shape), 0, 255).astype(np.uint8)
        for image in (*reals, *fakes)
    ]
    real, fake, other = (list(predictor.predict_many(images)) for images in (reals, fakes, others))
    assert np.mean([one.label == "Real" for one in real]) >= 0.9
    # The fakes are unlike reals, but the network knows their kind.
    assert np.mean([one.label == "Fake" for one in fake]) >= 0.9
    assert "Real" not in {one.label for one in other}
    known = Predictor(files["fp32"], device="cpu")
    closed = known.predict_many(fakes)
    assert [one.typicality for one in closed] != [one.typicality for one in fake]


def test_an_open_class_must_be_one_of_two(run: Path, cli: Cli):
    code, _, err = cli("export", run, "--open-class", "Star")
    assert code == 2
    assert "--open-class must be one of two classes, and the model has Fake, Real" in err
    code, _, err = cli("export", run, "--open-class", "Fake", "--no-typicality")
    assert code == 2
    assert "leave out --no-typicality" in err


def test_a_wanted_error_leaves_scores_uncertain(run: Path, tmp_path: Path, cli: Cli):
    path = tmp_path / "m.onnx"
    # With such a threshold, many fakes are wrong.
    options = ("--threshold", 0.01, "--abstain-error", 0.02, "--no-typicality")
    code, _, err = cli("export", run, "-o", path, *options)
    assert code == 0
    predictor = Predictor(path, device="cpu")
    band = predictor.manifest.decision.abstain
    if band is None:
        assert "no score is left uncertain: at most 2.00% of the labels" in err
    else:
        assert f"uncertain: scores from {band[0]:.4g} to {band[1]:.4g}" in err
    assert predictor.manifest.outputs.typicality is None
