"""A file that enlarges images itself scores as with Pillow's enlargement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from PIL import Image

from galaxy_edge.errors import GateError
from galaxy_edge.inputs.images import FILTERS, Pixels
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.predictor import Predictor
from galaxy_edge_export import enlarging
from tests.conftest import galaxy


def echo(size: int) -> onnx.ModelProto:
    """A model whose score is its input."""
    network = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["score"])], "echo",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3])],
        [helper.make_tensor_value_info("score", TensorProto.UINT8, ["N", size, size, 3])],
    )  # fmt: skip
    return helper.make_model(network, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def enlarged(model: onnx.ModelProto, images: Pixels) -> Pixels:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["score"], {"image": images})[0]


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 40), st.integers(1, 60), st.sampled_from(sorted(FILTERS)),
    st.integers(0, 2**32 - 1), st.booleans(),
)  # fmt: skip
def test_the_pixels_are_pillows(side: int, more: int, resize: str, seed: int, hard: bool):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (5, side, side, 3)).astype(np.uint8)
    if hard:  # the filter then goes below black and above white
        images = (images > 127).astype(np.uint8) * 255
    size = side + more
    steps = Preprocessing(size, resize, side)
    model, after = enlarging.inside(echo(size), steps, images)
    assert after == Preprocessing(side, resize, side)
    found = enlarged(model, images)
    pillow = [np.asarray(Image.fromarray(x).resize((size, size), FILTERS[resize])) for x in images]
    steps_apart = np.abs(found.astype(int) - np.stack(pillow))
    assert steps_apart.max() <= 2
    if resize == "nearest":
        assert steps_apart.max() == 0


@pytest.mark.parametrize(("resize", "most"), [("bilinear", 0.03), ("lanczos", 1e-3)])
def test_of_the_documented_sizes_few_pixels_differ(resize: str, most: float):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 64, 64, 3)).astype(np.uint8)
    model, _ = enlarging.inside(echo(150), Preprocessing(150, resize, 64), images)
    pillow = [np.asarray(Image.fromarray(x).resize((150, 150), FILTERS[resize])) for x in images]
    assert np.mean(enlarged(model, images) != np.stack(pillow)) < most


@pytest.mark.parametrize("working", [None, 24, 30])
def test_images_that_are_not_enlarged_stay_outside(working: int | None):
    steps = Preprocessing(24, "lanczos", working)
    assert enlarging.inside(model := echo(24), steps, galaxies(24)) == (model, steps)


def test_another_enlargement_is_refused(monkeypatch: pytest.MonkeyPatch):
    other = enlarging.enlargement
    monkeypatch.setattr(
        enlarging, "enlargement", lambda side, size, _: other(side, size, "bilinear")
    )
    with pytest.raises(GateError, match=r"another way than Pillow: .* of the pixels"):
        enlarging.inside(echo(24), Preprocessing(24, "lanczos", 16), galaxies(16))


def galaxies(size: int) -> Pixels:
    return np.stack([galaxy(seed, size) for seed in range(8)])


def test_an_exported_file_takes_the_working_size(model_file: Path, run_folder: Path):
    import keras

    predictor = Predictor(model_file, device="cpu")
    steps = predictor.manifest.preprocessing
    assert (steps.size, steps.working_size) == (16, 16)
    trained = Preprocessing(24, steps.resize, 16)
    from galaxy_edge.inputs.images import decode

    images = [galaxy(seed, side) for seed, side in enumerate((16, 40, 100, 16))]
    source = keras.models.load_model(run_folder / "model.keras")
    expected = np.asarray(source(np.stack([decode(one, trained) for one in images]) / 255.0))
    found = [predictor.predict(one).score for one in images]
    np.testing.assert_allclose(found, expected[:, 0], atol=2e-3)
