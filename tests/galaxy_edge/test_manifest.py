from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge import Predictor
from galaxy_edge.errors import GalaxyEdgeError, ModelError, UsageError
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.manifest import PREFIX, SCHEMA, DecisionRule, Golden, Manifest, Outputs

# Printable characters: no control characters, and no separator but the space.
printable = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
names = st.text(printable, min_size=1).filter(lambda text: text.strip() == text)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
documents = st.dictionaries(st.text(), json_values, max_size=3)
shares = st.floats(0, 1)
classes = st.lists(names, min_size=2, max_size=4, unique_by=str.casefold).map(tuple)
bands = st.tuples(shares, shares).map(lambda two: tuple(sorted(two)))


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    chosen = draw(classes)
    two = len(chosen) == 2
    typicality = draw(st.none() | st.just("typicality"))
    width = 1 if two else len(chosen)
    return Manifest(
        classes=chosen,
        outputs=Outputs("score" if two else "scores", typicality),
        decision=DecisionRule(
            threshold=draw(shares if two else st.none() | shares),
            abstain=draw(st.none() | bands) if two else None,
            ood_limit=draw(st.none() | shares) if typicality else None,
            open_class=draw(st.none() | st.sampled_from(chosen)) if two and typicality else None,
        ),
        golden=tuple(
            Golden(
                draw(st.binary()),
                draw(st.text()),
                tuple(draw(shares) for _ in range(width)),
                draw(st.none() | shares),
            )
            for _ in range(draw(st.integers(0, 2)))
        ),
        preprocessing=draw(steps),
        **{name: draw(documents) for name in ("training", "versions", "metrics", "quantization")},
    )


steps = st.builds(
    Preprocessing,
    size=st.integers(1, 4096),
    resize=st.sampled_from(["nearest", "bilinear", "lanczos"]),
    working_size=st.none() | st.integers(1, 4096),
    reducing_gap=st.none() | st.floats(1, 100),
    stretch=st.builds(
        Stretch,
        bands=st.none() | st.lists(names, min_size=3, max_size=3, unique=True).map(tuple),
        minimum=st.none() | st.floats(-1e9, 1e9),
        stretch=st.none() | st.floats(1e-9, 1e9),
        q=st.floats(1e-9, 1e9),
    ),
)

COMMON = {
    "training": {"epochs": [1, 2]}, "versions": {"numpy": "2"},
    "metrics": {"Test": {"accuracy": 0.9}}, "quantization": {"bits": 8},
}  # fmt: skip
#: Metadata with a value in every section: FULL has two classes, THREE has three.
FULL = Manifest(
    decision=DecisionRule(0.5, (0.4, 0.6), 0.01, "Fake"), outputs=Outputs("score", "typicality"),
    golden=(Golden(png=b"png", input_sha256="ab", scores=(0.5,), typicality=0.3),), **COMMON,
).to_metadata()  # fmt: skip
THREE = Manifest(
    classes=("elliptical", "spiral", "irregular"), outputs=Outputs("scores"),
    decision=DecisionRule(None),
    golden=(Golden(png=b"png", input_sha256="ab", scores=(0.5, 0.25, 0.25)),), **COMMON,
).to_metadata()  # fmt: skip
DATA = Path(__file__).parents[1] / "data"
#: The examples of the version that wrote the files.
EXAMPLES = sorted((Path(__file__).parents[1] / "data" / "examples").glob("*.png"))


@given(manifests())
def test_a_manifest_is_read_back_unchanged(manifest: Manifest):
    assert Manifest.from_metadata(manifest.to_metadata()) == manifest


@given(st.dictionaries(st.sampled_from(sorted(Manifest().to_metadata())), st.text()))
def test_damaged_metadata_are_always_a_model_error(damage: dict[str, str]):
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
def test_any_metadata_are_a_manifest_or_a_model_error(metadata: dict[str, str]):
    check_manifest_or_model_error(metadata)
    check_manifest_or_model_error(THREE | metadata)
    check_manifest_or_model_error(metadata | {PREFIX + "schema": "1"})


def places(value: object, at: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The place of every value in a JSON document, starting with the document itself."""
    yield at
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*at, name))


def replaced(document: Any, at: tuple[object, ...], value: object) -> object:
    if not at:
        return value
    document[at[0]] = replaced(document[at[0]], at[1:], value)
    return document


PLACES = [
    (full, key, at)
    for full in (FULL, THREE)
    for key, text in full.items()
    for at in places(json.loads(text))
]
ODD = (None, True, -1, 10**400, math.nan, math.inf, "", "no base64", "\ud800", [], {}, [[]])


@given(st.sampled_from(PLACES), json_values)
def test_one_wrong_value_is_always_a_model_error(
    place: tuple[dict[str, str], str, tuple[object, ...]], value: object
):
    full, key, at = place
    document = replaced(json.loads(full[key]), at, value)
    check_manifest_or_model_error(full | {key: json.dumps(document)})


def test_odd_values_in_any_place_are_always_a_model_error():
    for (full, key, at), value in itertools.product(PLACES, ODD):
        document = replaced(json.loads(full[key]), at, value)
        check_manifest_or_model_error(full | {key: json.dumps(document)})


@pytest.mark.parametrize("threshold", ["1" + "0" * 400, "1e400", "NaN", "-1", "true", '"0.5"'])
def test_a_wrong_threshold_is_a_model_error(threshold: str):
    rule = f'{{"threshold": {threshold}, "abstain": null, "ood_limit": null}}'
    for metadata in (
        FULL | {PREFIX + "decision": rule},
        old("2") | {PREFIX + "threshold": threshold},
    ):
        with pytest.raises(ModelError, match="threshold"):
            Manifest.from_metadata(metadata)


def old(schema: str) -> dict[str, str]:
    """The metadata of a real file of an earlier schema."""
    model = onnx.load(DATA / f"schema-{schema}.onnx")
    return {item.key: item.value for item in model.metadata_props}


@pytest.mark.parametrize("schema", ["1", "2"])
def test_a_file_of_an_earlier_schema_is_read_as_one_for_two_classes(schema: str):
    assert old(schema)[PREFIX + "schema"] == schema
    manifest = Manifest.from_metadata(old(schema))
    assert manifest.schema == int(schema)
    assert manifest.classes == ("Fake", "Real")
    assert manifest.outputs == Outputs("score", None)
    assert manifest.decision == DecisionRule(0.5, None, None)
    assert manifest.preprocessing == Preprocessing(24, "bilinear", 16, stretch=Stretch())
    assert len(manifest.golden) == 8
    # Written again, it has the current schema and the same content.
    again = Manifest.from_metadata(manifest.to_metadata())
    assert again == replace(manifest, schema=SCHEMA)


@pytest.mark.parametrize("schema", ["1", "2"])
def test_a_file_of_an_earlier_schema_gives_the_same_scores_to_the_bit(schema: str):
    """Compare with onnxruntime alone, and with the scores of the version that wrote the file."""
    path = DATA / f"schema-{schema}.onnx"
    predictor = Predictor(path, device="cpu")
    images = np.stack([decode(example, predictor.preprocessing) for example in EXAMPLES])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["score"], {"image": images})
    np.testing.assert_array_equal(predictor.scores(images)[:, 1], expected[:, 0])
    recorded = json.loads(path.with_suffix(".json").read_text())
    for row in predictor.predict_many(EXAMPLES):
        name = Path(row.path).name
        assert row.label == recorded["labels"][name]
        # Processors differ in the last bits of the float layers.
        assert row.score == pytest.approx(recorded["scores"][name], abs=1e-5)


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
    with pytest.raises(ModelError, match="schema '4'"):
        Manifest.from_metadata(Manifest().to_metadata() | {PREFIX + "schema": "4"})


@pytest.mark.parametrize(("section", "extra"), [("decision", "veto"), ("outputs", "heatmap")])
def test_a_part_that_this_version_does_not_know_is_refused(section: str, extra: str):
    document = json.loads(FULL[PREFIX + section]) | {extra: None}
    with pytest.raises(ModelError, match=extra):
        Manifest.from_metadata(FULL | {PREFIX + section: json.dumps(document)})


def test_files_without_an_open_class_or_recorded_typicalities_do_not_name_them():
    """Versions that do not know them must read these files."""
    metadata = Manifest(golden=(Golden(b"", "", (0.5,)),)).to_metadata()
    assert "open_class" not in json.loads(metadata[PREFIX + "decision"])
    assert "typicality" not in json.loads(metadata[PREFIX + "golden"])[0]


def test_an_unknown_preprocessing_step_is_refused():
    metadata = Manifest().to_metadata()
    steps = json.loads(metadata[PREFIX + "preprocessing"]) | {"sharpen": 1}
    with pytest.raises(ModelError, match="sharpen"):
        Manifest.from_metadata(metadata | {PREFIX + "preprocessing": json.dumps(steps)})


@pytest.mark.parametrize(
    "bad",
    [
        {"classes": ("Real", "real")},
        {"classes": ("", "Real")},
        {"classes": ("Fa\nke", "Real")},
        {"classes": ("Fake", "\ud800")},
        {"classes": ("Real",)},
        {"classes": ("a", "b", "A")},
        {"decision": DecisionRule(None)},
        {"decision": DecisionRule(0.5, ood_limit=0.01)},
        {"classes": ("a", "b", "c"), "decision": DecisionRule(0.5, (0.4, 0.6))},
        {"golden": (Golden(b"", "", (0.5, 0.5)),)},
        {"decision": DecisionRule(0.5, open_class="Fake")},
        {
            "decision": DecisionRule(0.5, open_class="Star"),
            "outputs": Outputs("score", "typicality"),
        },
        {
            "classes": ("a", "b", "c"),
            "decision": DecisionRule(None, open_class="a"),
            "outputs": Outputs("scores", "typicality"),
        },
    ],
)
def test_an_invalid_manifest_is_refused(bad: dict[str, object]):
    with pytest.raises(UsageError):
        Manifest(**bad)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DecisionRule(1.5),
        lambda: DecisionRule(float("nan")),
        lambda: DecisionRule(0.5, (0.6, 0.4)),
        lambda: DecisionRule(0.5, (-0.1, 0.4)),
        lambda: DecisionRule(0.5, None, 2.0),
        lambda: Outputs(""),
        lambda: Outputs("a", "a"),
        lambda: Golden(b"", "", (1.5,)),
        lambda: Golden(b"", "", (0.5,), -0.1),
    ],
)
def test_an_invalid_part_of_a_manifest_is_refused(make: Callable[[], object]):
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 0},
        {"size": True},
        {"resize": "cubic"},
        {"working_size": 0},
        {"reducing_gap": 0.5},
        {"reducing_gap": True},
        {"colour": "BGR"},
    ],
)
def test_invalid_preprocessing_is_refused(bad: dict[str, object]):
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
def test_an_invalid_stretch_is_refused(bad: dict[str, object]):
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
