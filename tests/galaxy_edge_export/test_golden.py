"""Which examples a file keeps for its self-check."""

from __future__ import annotations

import numpy as np

from galaxy_edge.engine.session import Result
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.manifest import Manifest
from galaxy_edge_export import golden


def test_golden_examples_span_the_scores_and_are_seeded():
    def by_rank(images: np.ndarray) -> Result:
        rank = images.mean((1, 2, 3)).argsort().argsort() / len(images)
        return Result(np.stack([1 - rank, rank], axis=1).astype(np.float32))

    manifest = Manifest(preprocessing=Preprocessing(size=24))
    examples = golden.examples(by_rank, manifest)
    assert golden.examples(by_rank, manifest) == examples
    assert len({example.png for example in examples}) == 8
    values = [example.scores[0] for example in examples]
    np.testing.assert_allclose(values, np.linspace(0.1, 0.9, 8), atol=0.01)


def test_a_network_with_constant_scores_still_has_eight_golden_examples():
    manifest = Manifest(preprocessing=Preprocessing(size=24))
    examples = golden.examples(
        lambda images: Result(np.ones((len(images), 2), np.float32)), manifest
    )
    assert len({example.png for example in examples}) == 8
