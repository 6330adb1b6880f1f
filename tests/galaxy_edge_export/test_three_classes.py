"""Models for three or more classes, in a bare file: converted, checked, quantised, described."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from galaxy_edge import Predictor, verify
from galaxy_edge.inputs.images import decode
from galaxy_edge_export.gates import measure_cost
from tests.conftest import encoded, galaxy

Cli = Callable[..., tuple[int, str, str]]

NAMES = ("spiral", "elliptical", "merger")
SIZE = 16
OPTIONS = ("--image-size", SIZE, "--classes", ",".join(NAMES), "--input-range", "0..1", "-q")


def network(last: str | None, units: int = 3) -> keras.Model:
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), keras.layers.Conv2D(8, 3, activation="relu"),
         keras.layers.MaxPooling2D(2), keras.layers.Flatten(),
         keras.layers.Dense(12, activation="relu"), keras.layers.Dense(units, activation=last)]
    )  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    network("softmax").save(tmp_path / "types.keras")
    return tmp_path / "types.keras"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("types")
    for split, first, count in (("Train", 0, 8), ("Valid", 1000, 40)):
        for label, name in enumerate(NAMES):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = galaxy(first + 100 * label + number, 24)
                (root / split / name / f"{number}.png").write_bytes(encoded(image))
    return root


def test_every_score_is_that_of_keras(model: Path, cli: Cli):
    code, out, err = cli("export", model, *OPTIONS)
    assert (code, err) == (0, "")
    predictor = Predictor(out.strip())
    assert predictor.manifest.classes == NAMES
    assert predictor.manifest.outputs.scores == "scores"
    assert predictor.manifest.decision.threshold is None
    png = encoded(galaxy(3, 40))
    pixels = decode(png, predictor.preprocessing)[None] / np.float32(255)
    expected = network("softmax").predict(pixels, verbose=0)[0]
    verdict = predictor.predict(png)
    assert list(verdict.scores) == list(NAMES)
    assert list(verdict.scores.values()) == pytest.approx(expected, abs=1e-5)
    assert verdict.label == NAMES[expected.argmax()]


def test_the_examples_hold_every_score_and_are_checked(model: Path, cli: Cli):
    _, out, _ = cli("export", model, *OPTIONS)
    predictor = Predictor(out.strip())
    examples = predictor.manifest.golden
    assert len(examples) == 9
    assert len({example.png for example in examples}) == 9
    assert all(len(example.scores) == 3 for example in examples)
    found = verify(predictor)
    assert (found.compared, found.examples) == (9, 9)
    assert found.largest_difference < 1e-5


def test_a_threshold_leaves_doubtful_images_uncertain(model: Path, cli: Cli):
    _, out, _ = cli("export", model, *OPTIONS, "--threshold", 0.99)
    predictor = Predictor(out.strip())
    assert predictor.manifest.decision.threshold == 0.99
    verdict = predictor.predict(encoded(galaxy(3, 40)))
    assert (verdict.status, verdict.label) == ("uncertain", None)


def test_softmax_can_be_added_to_logits(tmp_path: Path, cli: Cli):
    network(None).save(tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", *OPTIONS)
    assert code == 3
    assert "--activation softmax" in err
    code, out, _ = cli("export", tmp_path / "m.keras", *OPTIONS, "--activation", "softmax")
    assert code == 0
    scores = Predictor(out.strip()).predict(encoded(galaxy(3, 40))).scores
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("last", "units", "options", "code", "words"),
    [
        ("sigmoid", 3, (), 3, "need not add up to 1"),
        ("softmax", 4, (), 3, "gives 4 numbers per image, and there are 3 classes"),
        ("softmax", 2, (), 3, "for 3 classes; end the model in Dense(3"),
        (None, 3, ("--activation", "sigmoid"), 2, "use --activation softmax"),
        ("softmax", 3, ("--activation", "softmax"), 2, "gives probabilities already"),
    ],
)
def test_other_outputs_are_refused(
    tmp_path: Path, cli: Cli, last: str | None, units: int, options: tuple[str, ...], code: int,
    words: str,
):  # fmt: skip
    network(last, units).save(tmp_path / "m.keras")
    found, out, err = cli("export", tmp_path / "m.keras", *OPTIONS, *options)
    assert (found, out) == (code, "")
    assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


@pytest.mark.parametrize("options", [(), ("--half",)])
@pytest.mark.parametrize("last", ["softmax", None])
def test_two_units_give_the_probability_of_the_second_class(
    tmp_path: Path, cli: Cli, last: str | None, options: tuple[str, ...]
):
    network(last, 2).save(tmp_path / "m.keras")
    given = ("--image-size", SIZE, "--classes", "bogus,real", "--input-range", "0..1", "-q")
    added = ("--activation", "softmax") if last is None else ()
    code, out, err = cli("export", tmp_path / "m.keras", *given, *added, *options)
    assert (code, err) == (0, "")
    predictor = Predictor(out.strip())
    assert predictor.manifest.outputs.scores == "score"
    assert predictor.manifest.decision.threshold == 0.5
    png = encoded(galaxy(3, 40))
    pixels = decode(png, predictor.preprocessing)[None] / np.float32(255)
    expected = network("softmax", 2).predict(pixels, verbose=0)[0]
    scores = predictor.predict(png).scores
    assert [*scores.values()] == pytest.approx(expected, abs=1e-3 if options else 1e-5)


def test_names_of_classes_are_checked_first(model: Path, cli: Cli):
    code, _, err = cli("export", model, "--image-size", SIZE, "--classes", "a,b,A", "-q")
    assert code == 2
    assert "different, printable class names" in err


@pytest.mark.parametrize("options", [(), ("--portable",), ("--dense-bits", "4")])
def test_the_quantised_file_agrees(model: Path, data: Path, cli: Cli, options: tuple[str, ...]):
    _, out, _ = cli("export", model, *OPTIONS)
    exact = Predictor(out.strip())
    loose = ("--max-flips", 30, "--max-accuracy-drop", 30, "--max-auc-drop", 0.5)
    code, out, err = cli(
        "export", model, *OPTIONS, "--quantize", "--data", data, "--min-speedup", 0, *loose,
        *options,
    )  # fmt: skip
    assert (code, err) == (0, "")
    small = Predictor(out.strip())
    assert small.manifest.quantization["validation"]["images"] == 120
    assert small.manifest.quantization["calibration"]["images"] == 24
    files = sorted(data.glob("Valid/*/*.png"))
    pixels = np.stack([decode(path, exact.preprocessing) for path in files])
    differences = np.abs(exact.scores(pixels) - small.scores(pixels))
    assert differences.mean() < (0.05 if "4" in options else 0.01)


def test_the_half_file_agrees(model: Path, cli: Cli):
    code, out, err = cli("export", model, *OPTIONS, "--half")
    assert (code, err) == (0, "")
    assert verify(Predictor(out.strip())).largest_difference < 1e-3


def test_the_cost_counts_all_classes(model: Path, cli: Cli):
    from galaxy_edge.decision import Decision

    _, out, _ = cli("export", model, *OPTIONS)
    decision = Decision(Predictor(out.strip()).manifest)
    labels = np.array([0, 1, 2, 2], np.uint8)
    right = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.2, 0.3, 0.5]],
                     np.float32)  # fmt: skip
    swapped = right[:, [0, 2, 1]]
    cost = measure_cost(labels, right, swapped, decision)
    assert (cost.fp32_accuracy, cost.int8_accuracy, cost.flips) == (100, 25, 75)
    assert cost.fp32_auc == 1
    # Class 0 is still apart: 1. Class 1 wins half of three comparisons, and class 2 1.5 of four.
    assert cost.int8_auc == pytest.approx((1 + 1 / 6 + 3 / 8) / 3)
