from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.errors import GalaxyEdgeError, ModelError, UsageError
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.manifest import PREFIX, Golden, Manifest

# What can be printed: no control characters, and of the separators the space alone.
printable = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
names = st.text(printable, min_size=1).filter(lambda text: text.strip() == text)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
documents = st.dictionaries(st.text(), json_values, max_size=3)
manifests = st.builds(
    Manifest,
    labels=st.tuples(names, names).filter(lambda two: two[0].casefold() != two[1].casefold()),
    threshold=st.floats(0, 1),
    preprocessing=st.builds(
        Preprocessing,
        size=st.integers(1, 4096),
        resize=st.sampled_from(["nearest", "bilinear", "lanczos"]),
        working_size=st.none() | st.integers(1, 4096),
        stretch=st.builds(
            Stretch,
            bands=st.none() | st.lists(names, min_size=3, max_size=3, unique=True).map(tuple),
            minimum=st.none() | st.floats(-1e9, 1e9),
            stretch=st.none() | st.floats(1e-9, 1e9),
            q=st.floats(1e-9, 1e9),
        ),
    ),
    training=documents,
    versions=documents,
    metrics=documents,
    quantization=documents,
    golden=st.lists(
        st.builds(Golden, png=st.binary(), input_sha256=st.text(), score=st.floats(0, 1)),
        max_size=2,
    ).map(tuple),
)


#: With something in every section.
FULL = Manifest(
    training={"epochs": [1, 2]}, versions={"numpy": "2"}, metrics={"Test": {"accuracy": 0.9}},
    quantization={"bits": 8}, golden=(Golden(png=b"png", input_sha256="ab", score=0.5),),
).to_metadata()  # fmt: skip


@given(manifests)
def test_round_trip(manifest: Manifest):
    assert Manifest.from_metadata(manifest.to_metadata()) == manifest


@given(st.dictionaries(st.sampled_from(sorted(Manifest().to_metadata())), st.text()))
def test_damage_is_a_model_error_and_nothing_else(damage: dict[str, str]):
    metadata = Manifest().to_metadata() | damage
    try:
        Manifest.from_metadata(metadata)
    except ModelError as error:
        assert str(error)


@given(
    st.dictionaries(
        st.text() | st.sampled_from(sorted(FULL)), st.text() | json_values.map(json.dumps)
    )
)
def test_metadata_of_any_kind_is_a_manifest_or_a_model_error(metadata: dict[str, str]):
    check_manifest_or_model_error(metadata)
    check_manifest_or_model_error(metadata | {PREFIX + "schema": "1"})


def places(value: object, at: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Where there are values in a JSON document, itself first."""
    yield at
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*at, name))


def replaced(document: Any, at: tuple[object, ...], value: object) -> object:
    if not at:
        return value
    document[at[0]] = replaced(document[at[0]], at[1:], value)
    return document


PLACES = [(key, at) for key, text in FULL.items() for at in places(json.loads(text))]
ODD = (None, True, -1, 10**400, math.nan, math.inf, "", "no base64", "\ud800", [], {}, [[]])


@given(st.sampled_from(PLACES), json_values)
def test_one_wrong_value_is_a_model_error_and_nothing_else(
    place: tuple[str, tuple[object, ...]], value: object
):
    key, at = place
    document = replaced(json.loads(FULL[key]), at, value)
    check_manifest_or_model_error(FULL | {key: json.dumps(document)})


def test_odd_values_in_every_place_are_a_model_error_and_nothing_else():
    for (key, at), value in itertools.product(PLACES, ODD):
        document = replaced(json.loads(FULL[key]), at, value)
        check_manifest_or_model_error(FULL | {key: json.dumps(document)})


@pytest.mark.parametrize("threshold", ["1" + "0" * 400, "1e400", "NaN", "-1", "true", '"0.5"'])
def test_a_threshold_that_is_none_is_a_model_error(threshold: str):
    with pytest.raises(ModelError, match="threshold"):
        Manifest.from_metadata(FULL | {PREFIX + "threshold": threshold})


def check_manifest_or_model_error(metadata: dict[str, str]) -> None:
    try:
        assert isinstance(Manifest.from_metadata(metadata), Manifest)
    except ModelError as error:
        assert str(error)


@pytest.mark.parametrize("section", sorted(Manifest().to_metadata()))
def test_a_missing_section_is_refused(section: str):
    metadata = Manifest().to_metadata()
    del metadata[section]
    with pytest.raises(ModelError, match="manifest"):
        Manifest.from_metadata(metadata)


def test_a_newer_schema_is_refused():
    with pytest.raises(ModelError, match="schema '3'"):
        Manifest.from_metadata(Manifest().to_metadata() | {PREFIX + "schema": "3"})


def test_a_file_of_schema_1_has_the_stretch_of_the_defaults():
    metadata = Manifest().to_metadata() | {
        PREFIX + "schema": "1",
        PREFIX + "preprocessing": '{"size": 64, "resize": "lanczos", "working_size": 32, '
        '"colour": "RGB"}',
    }
    steps = Manifest.from_metadata(metadata).preprocessing
    assert steps == Preprocessing(64, "lanczos", 32, stretch=Stretch())


def test_an_unknown_preprocessing_step_is_refused():
    metadata = Manifest().to_metadata()
    steps = json.loads(metadata[PREFIX + "preprocessing"]) | {"sharpen": 1}
    with pytest.raises(ModelError, match="sharpen"):
        Manifest.from_metadata(metadata | {PREFIX + "preprocessing": json.dumps(steps)})


@pytest.mark.parametrize(
    "bad",
    [
        {"labels": ("Real", "real")},
        {"labels": ("", "Real")},
        {"labels": ("Fa\nke", "Real")},
        {"labels": ("Fake", "\ud800")},
        {"threshold": 1.5},
        {"threshold": float("nan")},
    ],
)
def test_invariants_fire(bad: dict[str, object]):
    with pytest.raises(UsageError):
        Manifest(**bad)


@pytest.mark.parametrize(
    "bad",
    [{"size": 0}, {"size": True}, {"resize": "cubic"}, {"working_size": 0}, {"colour": "BGR"}],
)
def test_preprocessing_invariants_fire(bad: dict[str, object]):
    with pytest.raises(GalaxyEdgeError):
        Preprocessing(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"bands": ("i", "r")},
        {"bands": ("i", "r", "r")},
        {"bands": ("i", "r", "")},
        {"bands": (1, 2, 3)},
        {"minimum": float("nan")},
        {"minimum": "sky"},
        {"stretch": 0.0},
        {"stretch": float("inf")},
        {"q": -1.0},
        {"q": True},
    ],
)
def test_stretch_invariants_fire(bad: dict[str, object]):
    with pytest.raises(UsageError):
        Stretch(**bad)


@pytest.mark.parametrize("stretch", ["sky", {"q": 8.0}, {"gamma": 2}, {"bands": "irg"}])
def test_a_damaged_stretch_is_refused(stretch: object):
    document = json.loads(Manifest().to_metadata()[PREFIX + "preprocessing"])
    if isinstance(stretch, dict) and "bands" in stretch:
        stretch = document["stretch"] | stretch
    with pytest.raises(ModelError, match=r"stretch|bands"):
        Manifest.from_metadata(
            Manifest().to_metadata()
            | {PREFIX + "preprocessing": json.dumps(document | {"stretch": stretch})}
        )
