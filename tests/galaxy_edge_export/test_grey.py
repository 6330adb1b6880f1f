"""Models of one channel: the file takes RGB, and makes the grey image as Pillow does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import layers
from onnx import TensorProto, helper
from PIL import Image

from galaxy_edge import Predictor, verify
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export import grey
from tests.conftest import encoded, make_data
from tests.galaxy_edge_export.networks import IMAGES, SIZE, saved
from tests.galaxy_edge_export.test_export import LENIENT

Cli = Callable[..., tuple[int, str, str]]
#: As a user would make them.
GREY = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in IMAGES])[..., None]


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 1)), layers.Rescaling(1 / 255),
         layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
         layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip


def repeated() -> keras.Model:
    """Three equal channels, as for a network that was trained on photographs."""
    keras.utils.set_random_seed(1)
    start = keras.Input((SIZE, SIZE, 1))
    body = layers.Conv2D(4, 3, activation="relu")(layers.Concatenate()([start / 255.0] * 3))
    return keras.Model(start, layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling2D()(body)))


def dense_only() -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 1)), layers.Rescaling(1 / 255), layers.Flatten(),
         layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip


def labelled(root: Path) -> Path:
    """The images of the tests as data: other images could have other grey levels."""
    for split in ("Train", "Valid"):
        for label, name in enumerate(("Fake", "Real")):
            (root / split / name).mkdir(parents=True)
            for number, image in enumerate(IMAGES[label::2]):
                (root / split / name / f"{number}.png").write_bytes(encoded(image))
    return root


def identity() -> onnx.ModelProto:
    """A file that gives the grey image that it takes."""
    shape = ["N", 4, 4, 1]
    value = helper.make_tensor_value_info("image", TensorProto.UINT8, shape)
    result = helper.make_tensor_value_info("result", TensorProto.UINT8, shape)
    node = helper.make_node("Identity", ["image"], ["result"], "identity_1")
    inner = helper.make_graph([node], "g", [value], [result])
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


SESSION = onnxruntime.InferenceSession(grey.with_rgb_input(identity()).SerializeToString())


@settings(max_examples=100, deadline=None)
@given(arrays(np.uint8, (5, 4, 4, 3), elements=st.integers(0, 255)))
def test_grey_levels_are_those_of_pillow_to_the_bit(images: Pixels):
    (found,) = SESSION.run(None, {"image": images})
    np.testing.assert_array_equal(found, grey.for_channels(images, 1))
    single = np.asarray(Image.fromarray(images[2]).convert("L"))
    np.testing.assert_array_equal(found[2, ..., 0], single)


def test_a_grey_image_keeps_its_bytes():
    levels = np.arange(256, dtype=np.uint8).reshape(-1, 4, 4, 1)
    (found,) = SESSION.run(None, {"image": levels.repeat(3, axis=3)})
    np.testing.assert_array_equal(found, levels)


@pytest.mark.parametrize("suffix", ["", ".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_model_of_one_channel_scores_as_its_author_calls_it(
    suffix: str, tmp_path: Path, cli: Cli
):
    model = saved(network(), tmp_path / f"m{suffix or '.keras'}")
    if not suffix:
        model.export(tmp_path / "m", verbose=False)
    code, out, err = cli("export", tmp_path / f"m{suffix}")
    assert code == 0, err
    assert "the network takes grey images; the file makes them" in err
    predictor = Predictor(out.strip())
    assert predictor.manifest.training["grey"] == grey.DESCRIPTION
    (image,) = onnx.load(out.strip()).graph.input
    sizes = [side.dim_value for side in image.type.tensor_type.shape.dim[1:]]
    assert sizes == [SIZE, SIZE, 3]
    expected = model.predict(GREY.astype(np.float32), verbose=0)[:, 0]
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(predictor.scores(IMAGES)[:, 1], expected, atol=1e-5)
    assert verify(predictor).compared == 8


def test_grey_files_score_as_the_model_does_on_their_bytes(tmp_path: Path, cli: Cli):
    from astropy.io import fits

    model = saved(network(), tmp_path / "m.keras")
    _, out, _ = cli("export", tmp_path / "m.keras", "-q")
    predictor = Predictor(out.strip())
    expected = model.predict(GREY[:1].astype(np.float32), verbose=0)[0, 0]
    (tmp_path / "a.png").write_bytes(encoded(GREY[0, ..., 0]))
    assert predictor.predict(tmp_path / "a.png").score == pytest.approx(expected, abs=1e-5)
    # FITS is stretched first; the network gets the one band.
    fits.writeto(tmp_path / "a.fits", GREY[0, ..., 0].astype(np.float32))
    from galaxy_edge.inputs.images import decode

    pixels = decode(tmp_path / "a.fits", predictor.preprocessing)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])
    expected = model.predict(pixels[None, ..., :1].astype(np.float32), verbose=0)[0, 0]
    assert predictor.predict(tmp_path / "a.fits").score == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("build", "options", "limit"),
    [
        (network, ("--half",), 5e-3),
        (network, ("--quantize",), 0.01),
        (network, ("--quantize", "--portable"), 0.01),
        (network, ("--quantize", "--dense-bits", 4), 0.03),
        (repeated, ("--half",), 5e-3),
        (repeated, ("--quantize",), 0.01),
        (dense_only, ("--quantize",), 0.01),
    ],
)
def test_every_kind_of_file_takes_grey(
    build: Callable[[], keras.Model], options: tuple[str, ...], limit: float, tmp_path: Path,
    cli: Cli,
):  # fmt: skip
    model = saved(build(), tmp_path / "m.keras")
    if "--quantize" in options:
        options += ("--data", labelled(tmp_path / "data"), *LENIENT)
    path = tmp_path / "m.onnx"
    code, _, err = cli(
        "export", tmp_path / "m.keras", "-o", path, "--input-range", "0..255", *options, "-q"
    )
    assert (code, err) == (0, "")
    expected = model.predict(GREY.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(Predictor(path).scores(IMAGES)[:, 1], expected, atol=limit)


def test_int8_computes_in_integers_from_the_grey_image_on(tmp_path: Path, cli: Cli):
    saved(network(), tmp_path / "m.keras")
    data = make_data(tmp_path / "data")
    path = tmp_path / "m.onnx"
    options = ("-o", path, "--quantize", "--data", data, *LENIENT, "-q")
    assert cli("export", tmp_path / "m.keras", *options)[0] == 0
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators[:8] == [
        "Transpose", "Cast", "Mul", "ReduceSum", "Add", "Floor", "Cast", "Reshape",
    ]  # fmt: skip
    assert not {"Cast", "Mul", "Add"} & set(operators[8:])
    assert "Split" in operators, "the first convolution and its pool are one operation"
