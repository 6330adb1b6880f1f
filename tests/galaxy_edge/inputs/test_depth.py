"""16-bit images with a small range, and the option for them."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from galaxy_edge import Predictor
from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.images import decode, decoded
from galaxy_edge.inputs.preprocessing import (
    Preprocessing,
    Stretch,
    preprocessing_document,
    preprocessing_from,
)
from tests.galaxy_edge.inputs.test_images import png_16_bits

AS_IS = Preprocessing(size=20)


def grey(largest, form="PNG"):
    values = np.linspace(0, largest, 400).round().astype(np.uint16).reshape(20, 20)
    file = io.BytesIO()
    Image.fromarray(values).save(file, form)
    return file.getvalue(), values


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("largest", "bits", "left"),
    [(1023, 10, "4 of"), (4095, 12, "16 of"), (16383, 14, "64 of"), (200, 10, "black")],
)
def test_a_small_range_is_noted_with_the_remedy(form, largest, bits, left):
    (note,) = decoded(grey(largest, form)[0], AS_IS).notes
    assert f"{largest:,}" in note
    assert f"--bit-depth {bits}" in note
    assert left in note


@pytest.mark.parametrize("largest", [0, 16384, 65535])
def test_other_ranges_have_no_note(largest):
    assert decoded(grey(largest)[0], AS_IS).notes == ()


def test_a_small_range_of_colour_is_noted():
    values = np.full((20, 20, 3), 4000, np.uint16)
    (note,) = decoded(png_16_bits(values, 2), AS_IS).notes
    assert "4,095" in note
    assert decoded(png_16_bits(values * 10, 2), AS_IS).notes == ()


@given(st.integers(8, 16))
def test_the_bit_depth_keeps_the_eight_high_bits(bits):
    content, values = grey(2**bits - 1)
    steps = Preprocessing(size=20, stretch=Stretch(bit_depth=bits))
    done = decoded(content, steps)
    assert np.array_equal(done.pixels[..., 0], values >> (bits - 8))
    assert done.pixels.max() == 255
    assert done.notes == ()


def test_a_value_with_more_bits_is_refused():
    steps = Preprocessing(size=20, stretch=Stretch(bit_depth=12))
    with pytest.raises(ImageError, match=r"4,096 is over 4,095.*--bit-depth"):
        decode(grey(4096)[0], steps)


def test_a_bit_depth_for_16_bit_colour_is_refused():
    steps = Preprocessing(size=20, stretch=Stretch(bit_depth=12))
    with pytest.raises(ImageError, match="16-bit colour"):
        decode(png_16_bits(np.full((20, 20, 3), 4000, np.uint16), 2), steps)


@pytest.mark.parametrize("bad", [7, 17, 12.0, True, "12"])
def test_a_wrong_bit_depth_is_refused(bad):
    with pytest.raises(UsageError, match="bit depth must be 8 to 16"):
        Stretch(bit_depth=bad)


def test_the_manifest_records_only_another_bit_depth():
    assert "bit_depth" not in preprocessing_document(AS_IS)["stretch"]
    for steps in (AS_IS, Preprocessing(stretch=Stretch(bit_depth=12))):
        document = json.loads(json.dumps(preprocessing_document(steps)))
        assert preprocessing_from(document) == steps


def test_a_prediction_has_the_note_and_the_option_removes_it():
    content, _ = grey(4095)
    (before,) = Predictor().predict_many([content])
    (after,) = Predictor(stretch={"bit_depth": 12}).predict_many([content])
    assert len(before.notes) == 1
    assert after.notes == ()
    assert before.score != after.score
