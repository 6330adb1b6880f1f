from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from galaxy_edge import Predictor, Source
from tests.conftest import encoded, galaxy


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("a/b.png", "a/b.png"),
        (Path("a/b.fits"), "a/b.fits"),
        ("a/b.fits[SCI]", "a/b.fits[SCI]"),
        (("m_i.fits", Path("m_r.fits"), "m_g.fits"), "m_{i,r,g}.fits"),
        (("m_i.fits", b"bytes", "m_g.fits"), None),
        (b"bytes", None),
        (np.zeros((2, 2), np.uint8), None),
        ((), None),
        (5, None),
    ],
)
def test_the_identifier_defaults_to_the_path(content: object, path: str | None):
    assert (Source(content).id, Source(content).path) == (path, path)
    assert (Source(content, id="M 51").id, Source(content, id="M 51").path) == ("M 51", path)
    inside = Source(content, id="1", path="stamps.tar/1.png")
    assert (inside.id, inside.path) == ("1", "stamps.tar/1.png")
    assert Source.of(inside) is inside
    assert Source.of(content).path == path


def test_predictions_have_the_identifier_of_their_source(model_file: Path, tmp_path: Path):
    path = tmp_path / "x.png"
    path.write_bytes(encoded(galaxy(1)))
    predictor = Predictor(model_file)
    given = [
        Source(path, id="M 51"), path, galaxy(1), Source(galaxy(1), id="array"),
        Source(b"", id="no"),
    ]  # fmt: skip
    rows = list(predictor.predict_many(given))
    assert [row.id for row in rows] == ["M 51", str(path), None, "array", "no"]
    assert [row.path for row in rows] == [str(path), str(path), None, None, None]
    assert [row.status for row in rows] == ["ok"] * 4 + ["error"]
    assert len({row.score for row in rows[:4]}) == 1
    assert predictor.predict(given[0]).id == "M 51"


@pytest.mark.parametrize(
    ("given_", "text"),
    [(587722, "587722"), (np.int64(587722), "587722"), (0, "0"), ("\ud800", "\\ud800"),
     ("\udcff", "\udcff"), ("\u00e9", "\u00e9")],
)  # fmt: skip
def test_identifiers_are_text_that_every_output_can_hold(given_: object, text: str):
    assert Source(b"", id=given_).id == text


def test_sources_of_arrays_can_be_compared_and_hashed():
    one, other = (Source(np.zeros((2, 2), np.uint8)) for _ in range(2))
    assert one != other
    assert len({one, other, one}) == 2
