"""Hypothesis strategies: rows of every status, for two classes and for three."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from galaxy_edge.decision import Scores, decimals
from galaxy_edge.results import Prediction

PAIR = ("Fake", "Real")
#: Class names with characters that formats must quote or escape.
MANY = ("S0/a", 'E, "cD"', "\u03b1-type")

texts = st.text(st.characters(exclude_categories=()), min_size=1)
#: Numbers 0 to 1 as in a row: the shortest decimal of a float32.
shares = st.floats(0, 1, width=32).map(lambda value: float(_short(value)))


def _short(value: float) -> float:
    return float(decimals(np.array([value], np.float32))[0])


@st.composite
def prediction(draw: st.DrawFn, classes: tuple[str, ...]) -> Prediction:
    status = draw(st.sampled_from(("ok", "uncertain", "out_of_distribution", "error")))
    failed = status == "error"
    values = None if failed else [draw(shares) for _ in classes]
    scores = Scores(classes, values)
    return Prediction(
        id=draw(st.none() | texts),
        path=draw(st.none() | texts),
        status=status,
        error=draw(texts) if failed else None,
        label=draw(st.sampled_from(classes)) if status == "ok" else None,
        score=None if values is None else values[1] if len(classes) == 2 else max(values),
        scores=scores,
        typicality=None if failed else draw(st.none() | shares),
        threshold=draw(st.just(0.5) if len(classes) == 2 else st.none() | st.just(0.3)),
        model="m.onnx",
        model_sha256="ab" * 32,
        provider="CPUExecutionProvider",
        sha256=draw(st.none() | st.just("cd" * 32)),
    )


def predictions(classes: tuple[str, ...] | None = None) -> st.SearchStrategy[list[Prediction]]:
    """Lists of rows of the same model."""
    chosen = st.sampled_from((PAIR, MANY)) if classes is None else st.just(classes)
    return chosen.flatmap(lambda names: st.lists(prediction(names), max_size=5))
