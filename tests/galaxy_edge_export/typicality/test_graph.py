"""The graph computes what the reference in NumPy does."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export.typicality.description import Description, OpenClass, seen_statistics
from galaxy_edge_export.typicality.gaussians import Familiar, familiar
from galaxy_edge_export.typicality.graph import with_typicality
from galaxy_edge_export.typicality.view import View, view


def brightness(size: int) -> onnx.ModelProto:
    """A model whose score is the mean brightness."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["share"]),
        helper.make_node("Reshape", ["share", "column"], ["score"]),
    ]
    constants = {
        "axes": np.array([1, 2, 3]),
        "white": np.array(255, np.float32),
        "column": np.array([-1, 1]),
    }
    network = helper.make_graph(
        nodes, "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(network, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def noise(count: int, size: int, spread: float, seed: int, level: float | None = None) -> Pixels:
    """Noise that is alike in the bands in part; without a level, of any brightness."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(15, 225, (count, 1, 1, 1)) if level is None else level
    common = rng.normal(0, spread / 2, (count, size, size, 1))
    own = rng.normal(0, spread, (count, size, size, 3))
    return np.clip(levels + common + own, 0, 255).astype(np.uint8)


def known(seen: View, *spreads: float) -> Familiar:
    parts = [
        [seen_statistics(seen, noise(80, seen.size, spread, seed)) for seed in (1, 2)]
        for spread in spreads
    ]
    return familiar([one for one, _ in parts], np.concatenate([other for _, other in parts]))


def computed(description: Description, images: Pixels) -> tuple[np.ndarray, np.ndarray]:
    model = with_typicality(brightness(description.view.size), description, "score")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    score, typicality = session.run(["score", "typicality"], {"image": images})
    return score[:, 0], typicality


def seen_by(size: int) -> View:
    found = view(size)
    assert found is not None
    return found


def various(size: int) -> Pixels:
    parts = [noise(12, size, spread, 9) for spread in (0, 3, 4, 6, 9, 12, 60)]
    grey = np.repeat(parts[2][..., :1], 3, axis=-1)
    return np.concatenate([*parts, grey, np.zeros_like(grey), np.full_like(grey, 255)])


@pytest.mark.parametrize("size", [8, 21, 64, 140])
@pytest.mark.parametrize("spreads", [(4,), (4, 9, 30)], ids=["one source", "three"])
def test_the_graph_agrees_with_the_reference(size: int, spreads: tuple[float, ...]):
    seen = seen_by(size)
    description = Description(seen, known(seen, *spreads))
    images = np.concatenate([various(size), noise(40, size, 4, 77)])
    score, found = computed(description, images)
    assert found.dtype == np.float32
    assert found.shape == (len(images),)
    expected = description.typicality(images, score)
    np.testing.assert_allclose(found, expected, atol=5e-4)
    assert 0 < np.mean(found == 0) < 1
    assert found[-40:].mean() > 0.1


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("threshold", [0.5, 0.1, 0.7])
def test_the_score_decides_whether_the_open_class_counts(label: int, threshold: float):
    seen = seen_by(16)
    closed, other = known(seen, 4), known(seen, 9)
    description = Description(seen, closed, OpenClass(label, other, threshold))
    images = np.concatenate(
        [noise(10, 16, spread, 3, level) for spread in (4, 9, 40) for level in (20, 128, 150, 215)]
    )
    score, found = computed(description, images)
    statistics = seen_statistics(seen, images)
    own, both = closed.typicality(statistics), other.typicality(statistics)
    called_open = (score > threshold) == bool(label)
    expected = np.where(called_open, np.maximum(own, both), own)
    np.testing.assert_allclose(found, expected, atol=5e-4)
    assert 0 < called_open.mean() < 1
    assert np.abs(own - both).max() > 0.5
    # Of an unusual kind, nothing is usual; of the open class's, only what is called so.
    assert found[-40:].max() == 0
    assert found[40:80][~called_open[40:80]].max() < 0.01 < found[40:80][called_open[40:80]].mean()


@pytest.mark.parametrize("threshold", [0.1, 0.1000000001, 0.0999999999, 0.5, 1 / 3])
def test_scores_are_compared_with_the_threshold_as_rows_compare_them(threshold: float):
    seen = seen_by(16)
    opened = OpenClass(0, known(seen, 4), threshold)
    largest = opened.largest_below
    following = np.nextafter(largest, np.float32(2))
    assert float(str(largest)) <= threshold < float(str(following))


def test_the_network_is_left_as_it_is():
    seen = seen_by(16)
    model = brightness(16)
    whole = with_typicality(model, Description(seen, known(seen, 4)), "score")
    count = len(model.graph.node)
    assert [*whole.graph.node][:count] == [*model.graph.node]
    assert [*whole.graph.output][:1] == [*model.graph.output]
    assert {node.domain for node in whole.graph.node} == {""}
