from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.errors import GalaxyEdgeError, ModelError, UsageError
from galaxy_edge.manifest import PREFIX, Golden, Manifest, Preprocessing, Stretch

names = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() == text)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
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


@given(st.sampled_from(sorted(Manifest().to_metadata())), json_values)
def test_json_of_another_shape_is_a_model_error_and_nothing_else(key: str, value: object):
    try:
        Manifest.from_metadata(Manifest().to_metadata() | {key: json.dumps(value)})
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
