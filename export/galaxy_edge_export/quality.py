"""What a training measured, in sentences: its accuracy, and what its scores are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scipy.stats import binomtest

#: A network at chance seems to be better than chance in one of so many exports.
_ONE_IN = 20


def described(
    metrics: Mapping[str, Mapping[str, Any]], training: Mapping[str, Any]
) -> tuple[str, ...]:
    """Describe how well a network did in its training.

    Args:
        metrics: of the manifest: split name to metrics.
        training: of the manifest.

    Returns:
        One sentence for each split, and a warning if the network has learnt nothing or its scores
        were not calibrated; nothing if no training is recorded.
    """
    sentences = [
        sentence for split, measured in metrics.items() for sentence in _split(split, measured)
    ]
    if metrics and not training.get("config", {}).get("calibrate"):
        sentences.append(
            "the scores are not calibrated: of the images with a score of 0.9, fewer or more than "
            "nine in ten may be right; `train --calibrate` makes them probabilities"
        )
    return tuple(sentences)


def _split(split: str, measured: Mapping[str, Any]) -> list[str]:
    # Runs of earlier versions have no confusion table.
    if "confusion" not in measured:
        return []
    counts = {name: sum(row.values()) for name, row in measured["confusion"].items()}
    images = sum(counts.values())
    commonest = max(counts, key=lambda name: counts[name])
    chance = counts[commonest] / images
    error = measured.get("expected_calibration_error")
    sentences = [
        f"{split}, {images:,} images, as `train` measured: accuracy {measured['accuracy']:.2%} "
        f"(the answer {commonest} for every image: {chance:.2%})"
        + ("" if error is None else f", calibration error {error:.3f}")
    ]
    right = sum(row.get(name, 0) for name, row in measured["confusion"].items())
    if binomtest(right, images, chance, alternative="greater").pvalue > 1 / _ONE_IN:
        sentences.append(
            f"careful: on {split} this is not shown to be better than the answer {commonest} for "
            "every image; train longer or on more images, or look for wrong labels"
        )
    return sentences
