"""Coverage, the risk-coverage curve, and images of no class."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.decision import Decision
from galaxy_edge.errors import DatasetError
from galaxy_edge.evaluation.combined import measure_combined
from galaxy_edge.evaluation.coverage import Coverage, measure_coverage
from galaxy_edge.evaluation.sources import LabelledSource, find
from galaxy_edge.manifest import DecisionRule, Manifest, Outputs
from galaxy_edge.results import Prediction
from tests.conftest import encoded
from tests.galaxy_edge.evaluation.conftest import Cli, evaluated, fill, rows_of
from tests.galaxy_edge.test_classes import file, flat

RULE = DecisionRule(0.5, (0.45, 0.55), 0.1)


def decided(*sources: tuple[int, list[tuple[float, float]]], rule=RULE) -> tuple:
    """Sources of a class, and predictions from pairs of score and typicality."""
    manifest = Manifest(outputs=Outputs(typicality="typicality"), decision=rule)
    decision = Decision(manifest)
    labelled, predictions = [], []
    for label, pairs in sources:
        scores = np.array([[score] for score, _ in pairs], np.float32).reshape(-1, 1)
        typicality = np.array([each for _, each in pairs], np.float32)
        verdicts = decision.verdicts(decision.probabilities(scores), typicality)
        predictions.append(
            tuple(
                Prediction(
                    None, None, one.status, None, one.label, one.score, one.scores, one.typicality,
                    0.5, "m", "00", "cpu",
                )
                for one in verdicts
            )
        )  # fmt: skip
        labelled.append(LabelledSource(str(len(labelled)), label, ("x",) * len(pairs)))
    return decision, labelled, predictions


def measured(*sources: tuple[int, list[tuple[float, float]]], rule=RULE) -> Coverage:
    """Measure the coverage of sources of a class with pairs of score and typicality."""
    return measure_coverage(*decided(*sources, rule=rule))


def test_a_small_case_computed_by_hand():
    found = measured(
        (0, [(0.1, 0.9), (0.5, 0.9), (0.9, 0.9)]),  # right, uncertain, wrong
        (1, [(0.99, 0.9), (0.8, 0.05)]),  # right, out of distribution
    )
    whole, fakes, reals = found.overall, *found.sources
    assert (whole.images, whole.labelled, whole.accuracy) == (5, 0.6, pytest.approx(2 / 3))
    assert (whole.out_of_distribution, whole.uncertain) == (0.2, 0.2)
    assert (fakes.labelled, fakes.accuracy) == (pytest.approx(2 / 3), 0.5)
    assert (reals.labelled, reals.accuracy, reals.uncertain) == (0.5, 1.0, 0.0)
    # The surest first: 0.99 right; 0.1 and 0.9 equally sure, one of them wrong; 0.5; then the odd.
    assert [(one.coverage, one.risk) for one in found.curve] == [
        (0.2, 0), (pytest.approx(0.6), pytest.approx(1 / 3)), (0.8, 0.25), (1.0, 0.2),
    ]  # fmt: skip
    assert found.area == pytest.approx(np.mean([0, 0.25, 1 / 3, 0.25, 0.2]))


def test_without_images_everything_is_none():
    found = measured((0, []))
    assert (found.overall.labelled, found.overall.accuracy, found.area) == (None, None, None)
    assert found.curve == ()


pairs = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4)), min_size=1, max_size=60)


@given(pairs, pairs)
def test_the_curve_ends_at_the_error_of_all_images(one, other):
    sources = [
        (label, [(score / 20, odd / 4) for score, odd in some])
        for label, some in ((0, one), (1, other))
    ]
    found = measured(*sources)
    wrong = [(score > 0.5) != label for label, some in sources for score, _ in some]
    assert found.curve[-1].coverage == 1
    assert found.curve[-1].risk == pytest.approx(np.mean(wrong))
    coverages = [point.coverage for point in found.curve]
    assert coverages == sorted(set(coverages))
    assert 0 <= found.area <= 1
    # The order of the images does not matter.
    turned = measured(*[(label, some[::-1]) for label, some in sources])
    assert (turned.curve, turned.area) == (found.curve, pytest.approx(found.area))


FAKE_OPEN = DecisionRule(0.5, None, 0.1, open_class="Fake")


def test_score_and_typicality_together_rank_the_unusual_below():
    # Alone, the score ranks two of six pairs wrongly: the first fake above both reals.
    fakes, reals = [(0.99, 0.0), (0.2, 0.9), (0.1, 0.9)], [(0.9, 0.5), (0.8, 0.05)]
    found = measure_combined(*decided((0, fakes), (1, reals[:1]), (1, reals[1:]), rule=FAKE_OPEN))
    assert found.auc == 1
    assert found.sources == (1, 1, 1)
    # Half the limit halves the score, and no more.
    found = measure_combined(*decided((0, [(0.39, 0.9)]), (1, reals), rule=FAKE_OPEN))
    assert found.sources == (1, 1)
    found = measure_combined(*decided((0, [(0.41, 0.9)]), (1, reals), rule=FAKE_OPEN))
    assert found.sources == (0.5, 0.5)
    assert found.document([("Fake", "gan"), ("Real", "sdss")])["sources"][1] == {
        "class": "Real", "source": "sdss", "auc": 0.5,
    }  # fmt: skip


def test_an_open_positive_class_is_ranked_from_the_other_end():
    rule = DecisionRule(0.5, None, 0.1, open_class="Real")
    found = measure_combined(*decided((0, [(0.1, 0.5)]), (1, [(0.0, 0.0)]), rule=rule))
    assert found.auc == 1


def test_without_an_open_class_or_a_limit_nothing_is_combined():
    assert measure_combined(*decided((0, [(0.1, 0.9)]))) is None
    assert measure_combined(*decided((0, [(0.1, 0.9)]), rule=DecisionRule(0.5))) is None
    alone = measure_combined(*decided((0, [(0.1, 0.9)]), rule=FAKE_OPEN))
    assert alone.auc is None


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose typicality is the brightness, with dark outliers."""
    for name, colour in (("red", (250, 9, 9)), ("green", (9, 250, 9)), ("blue", (9, 9, 250))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            image = flat(*colour) // (1 if number else 50)
            (tmp_path / f"data/{name}/{number}.png").write_bytes(encoded(image))
    for name, levels in (("dark", (0, 1, 2)), ("dim", (1, 100)), ("", (0,))):
        place = tmp_path / "data" / "outliers" / name
        place.mkdir(parents=True, exist_ok=True)
        for number, level in enumerate(levels):
            (place / f"{number}.png").write_bytes(encoded(flat(level, 0, 0)))
    (tmp_path / "data/outliers/dim/bad.png").write_text("no image")
    file(tmp_path / "m.onnx", DecisionRule(None, None, 0.1), classes=("red", "green", "blue"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_outliers_and_coverage_are_in_every_output(colours: Path, cli: Cli):
    code, out, err = cli("evaluate", "data", "-m", "m.onnx", "-o", "report", "--format", "table")
    assert code == 1
    assert "bad.png: not an image" in err
    lines = [line.split() for line in out.splitlines()]
    assert ["dark", "3", "0", "1.0000", "0.0000", "0", "0", "0"] in lines
    assert ["dim", "2", "1", "0.5000", "0.0000", "1", "0", "0"] in lines
    assert ["Outliers", "1", "0", "1.0000", "0.0000", "0", "0", "0"] in lines
    assert ["all", "9", "0.6667", "1.0000", "0.3333", "0.0000"] in lines
    found = json.loads(Path("report/metrics.json").read_text())
    assert [(one["source"], one["flagged"]) for one in found["outliers"]] == [
        ("Outliers", 1.0), ("dark", 1.0), ("dim", 0.5),
    ]  # fmt: skip
    assert found["outliers"][2]["unreadable"][0]["path"].endswith("bad.png")
    # Outliers count nowhere else.
    assert (found["data"]["images"], found["data"]["unreadable"]) == (9, [])
    assert found["overall"]["images"] == 9
    assert found["coverage"]["overall"]["labelled"] == pytest.approx(2 / 3)
    assert found["coverage"]["risk_coverage"][-1]["coverage"] == 1
    html = Path("report/report.html").read_text()
    assert "Outliers" in html
    assert "Risk and coverage" in html
    rows = rows_of(Path("report"))
    assert {(row["source"], row["status"]) for row in rows if row["class"] == "Outliers"} == {
        ("dark", "out_of_distribution"), ("dim", "out_of_distribution"), ("dim", "ok"),
        ("dim", "error"), ("Outliers", "out_of_distribution"),
    }  # fmt: skip
    assert float(rows[0]["typicality"]) < 0.1


def test_the_limit_is_an_option(colours: Path, cli: Cli):
    command = ("evaluate", "data", "-m", "m.onnx", "--format", "json", "-q", "--bootstrap", 0)
    off = json.loads(cli(*command, "--ood-limit", "off")[1])
    assert [one["flagged"] for one in off["outliers"]] == [0, 0, 0]
    assert off["coverage"]["overall"]["labelled"] == 1


def test_outliers_lie_in_the_data_folder_or_in_its_split(tmp_path: Path):
    for place in ("Valid/Fake", "Valid/Real", "Valid/Outliers/near", "Outliers/far"):
        fill(tmp_path / place, 1, real=True)
    found = find(tmp_path, ("Fake", "Real"))
    assert [one.name for one in found.outliers] == ["far", "near"]
    assert [len(some) for some in found.images] == [1, 1, 1, 1]
    assert find(tmp_path, ("Outliers", "Real")).outliers == ()


def test_outliers_alone_are_not_enough(tmp_path: Path):
    fill(tmp_path / "Outliers" / "far", 1, real=True)
    with pytest.raises(DatasetError):
        find(tmp_path, ("Fake", "Real"))


def test_without_outliers_the_tables_are_as_before(sources: Path, model_file: Path, cli: Cli):
    found = evaluated(cli, sources, "-m", model_file)
    assert found["outliers"] == []
    _, out, _ = cli("evaluate", sources, "-m", model_file)
    assert "Outliers" not in out
    assert "with a label" not in out
