"""The headers of the model cards say what the cards' own tables and MODELS.md say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CARDS = ("galaxy-edge", "documented")
MODELS = (ROOT / "MODELS.md").read_text(encoding="utf-8")


def parts(name: str) -> tuple[dict, str]:
    """The header of a card as Hugging Face reads it, and the text."""
    text = (ROOT / "galaxy_edge" / "models" / f"{name}.md").read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


def metrics(name: str) -> dict[str, float]:
    (entry,) = parts(name)[0]["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == name
    return {metric["type"]: metric["value"] for metric in result["metrics"]}


@pytest.mark.parametrize("name", CARDS)
def test_the_metrics_are_those_of_the_int8_column(name: str):
    _, body = parts(name)
    for kind, row in (("accuracy", "accuracy, every image by its score"), ("roc_auc", "AUC")):
        (value,) = re.findall(rf"^\| {row} \| [\d.]+ \| ([\d.]+) \|$", body, re.MULTILINE)
        assert metrics(name)[kind] == float(value)


def test_models_md_has_the_same_values_rounded():
    """For the bundled model it gives a range over three seeds, of which the file is one."""
    known, documented = MODELS.split("### The documented network")
    for kind, row in (("accuracy", "accuracy, every image"), ("roc_auc", "AUC")):
        low, high = re.findall(rf"\| {row} \| [\d.]+ \(([\d.]+) to ([\d.]+)\) \|", known)[0]
        assert float(low) <= round(metrics("galaxy-edge")[kind], 3) <= float(high)
        (value,) = re.findall(rf"\| {row} \| ([\d.]+) \|", documented)
        assert round(metrics("documented")[kind], 3) == float(value)


@pytest.mark.parametrize("name", CARDS)
def test_the_licence_and_the_number_of_kinds(name: str):
    header, body = parts(name)
    assert header["license"] == "bsd-3-clause"
    assert header["pipeline_tag"] == "image-classification"
    kinds = "six" if name == "documented" else "five"
    assert f"{kinds} kinds of fakes" in str(header["model-index"])
    assert {"five": "fakes of five kinds", "six": "a sixth family"}[kinds] in " ".join(body.split())
