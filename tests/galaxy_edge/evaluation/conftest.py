"""Labelled folders of small images, and a predictor with known scores."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from galaxy_edge.decision import Decision, Scores
from galaxy_edge.manifest import Manifest
from galaxy_edge.results import Prediction
from tests.conftest import encoded, galaxy

Cli = Callable[..., tuple[int, str, str]]
CLASSES = ("Fake", "Real")


def fill(folder: Path, count: int, *, real: bool, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = galaxy(seed + number, 64, real=real)
        (folder / f"{number:02}.png").write_bytes(encoded(image))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Two sources of fakes and two of reals, one of these directly in the class folder."""
    root = tmp_path / "sources"
    fill(root / "Fake" / "noise", 5, real=False)
    fill(root / "Fake" / "blobs", 4, real=True, seed=50)
    fill(root / "Real", 3, real=True, seed=100)
    fill(root / "Real" / "survey", 6, real=True, seed=150)
    return root


def evaluated(cli: Cli, *arguments: object) -> dict:
    """Run the command and return its JSON document."""
    code, out, _ = cli("evaluate", *arguments, "--format", "json", "-q", "--bootstrap", 50)
    assert code == 0
    return json.loads(out)


def rows_of(report: Path) -> list[dict[str, str]]:
    with (report / "scores.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def stub(scores: dict[str, float | None], threshold: float = 0.5) -> SimpleNamespace:
    """A predictor with known scores; images with the score None cannot be read."""

    def prediction(path: str) -> Prediction:
        score = scores[path]
        failed = score is None
        return Prediction(
            id=path, path=path, status="error" if failed else "ok",
            error="damaged" if failed else None,
            label=None if failed else CLASSES[score > threshold], score=score,
            scores=Scores(CLASSES, None if failed else [1 - score, score]), typicality=None,
            threshold=threshold, model="m.onnx", model_sha256="00",
            provider="CPUExecutionProvider",
        )  # fmt: skip

    return SimpleNamespace(
        predict_many=lambda paths: map(prediction, paths), name="m.onnx",
        sha256="00", provider="CPUExecutionProvider", decision=Decision(Manifest(), threshold),
    )  # fmt: skip
