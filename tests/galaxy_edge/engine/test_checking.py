"""``galaxy-edge info --check``: the schema accepts what we write, and every fault has its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from galaxy_edge.engine.checking import faults, schema
from galaxy_edge.engine.opening import MODELS
from galaxy_edge.errors import ModelError
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.manifest import PREFIX, DecisionRule, Golden, Manifest, Outputs

Cli = Callable[..., tuple[int, str, str]]
shares = st.floats(0, 1)
manifests = st.builds(
    Manifest,
    classes=st.sampled_from([("Fake", "Real"), ("A", "B")]),
    outputs=st.just(Outputs("score", "typicality")),
    decision=st.builds(
        DecisionRule,
        threshold=shares,
        abstain=st.none() | st.just((0.25, 0.75)),
        ood_limit=st.none() | shares,
    ),
    preprocessing=st.builds(
        Preprocessing,
        size=st.integers(1, 4096),
        working_size=st.none() | st.integers(1, 4096),
        reducing_gap=st.none() | st.floats(1, 9),
        stretch=st.builds(
            Stretch,
            bands=st.none() | st.just(("i", "r", "g")),
            minimum=st.none() | st.floats(-1e9, 1e9),
            bit_depth=st.integers(8, 16),
            kind=st.sampled_from(["lupton", "asinh", "linear"]),
        ),
    ),
    golden=st.lists(
        st.builds(Golden, st.binary(), st.text(), st.tuples(shares), st.none() | shares)
    ).map(tuple),
)
#: A section, a wrong value of it, and the place that the message names.
WRONG: list[tuple[str, Any, str]] = [
    ("decision", {"threshold": 1.5, "abstain": None, "ood_limit": None}, "decision.threshold: "),
    ("decision", {"threshold": 0.5, "abstain": [0.1], "ood_limit": None}, "decision.abstain: "),
    ("decision", {"threshold": 0.5, "ood_limit": None}, "decision: 'abstain' is a required"),
    ("outputs", {"scores": "score", "typicality": None, "colour": "c"}, "outputs: "),
    ("classes", ["Fake"], "classes: "),
    ("classes", ["Fake", 2], "classes[1]: "),
    ("preprocessing", {"size": 0, "resize": "cubic", "working_size": None, "colour": "BGR"},
     "preprocessing.resize: "),
    ("golden", [{"png": "", "input_sha256": "", "scores": [2]}], "golden[0].scores[0]: "),
    ("metrics", [], "metrics: "),
]  # fmt: skip


def test_the_schema_is_one():
    Draft202012Validator.check_schema(schema())


# Drawing may be slow on a busy machine, and that is no fault.
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(manifests)
def test_every_manifest_that_we_write_is_valid(manifest: Manifest):
    assert faults(manifest.to_metadata()) == []


@pytest.mark.parametrize(("section", "value", "place"), WRONG)
def test_a_fault_has_its_place_and_the_reader_refuses_it_too(section: str, value: Any, place: str):
    damaged = Manifest().to_metadata() | {PREFIX + section: json.dumps(value)}
    assert any(fault.startswith(place) for fault in faults(damaged)), faults(damaged)
    with pytest.raises(ModelError):
        Manifest.from_metadata(damaged)


def test_every_fault_is_listed():
    section, value, _ = WRONG[6]
    damaged = Manifest().to_metadata() | {PREFIX + section: json.dumps(value)}
    places = [fault.partition(":")[0] for fault in faults(damaged)]
    assert places == ["preprocessing.colour", "preprocessing.resize", "preprocessing.size"]


@pytest.mark.parametrize("number", [1, 2])
def test_the_manifests_of_earlier_schemas_are_valid(number: int):
    document = Manifest().to_metadata()
    for section in ("classes", "outputs", "decision"):
        del document[PREFIX + section]
    document |= {PREFIX + "schema": str(number), PREFIX + "labels": '["Fake", "Real"]'}
    assert faults(document) == ["the manifest: 'threshold' is a required property"]
    assert faults(document | {PREFIX + "threshold": "0.5"}) == []
    Manifest.from_metadata(document | {PREFIX + "threshold": "0.5"})


def damaged(path: Path, section: str, value: str) -> Path:
    model = onnx.load(MODELS / "galaxy-edge.onnx")
    (entry,) = (entry for entry in model.metadata_props if entry.key == PREFIX + section)
    entry.value = value
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", [None, "documented"])
def test_the_bundled_files_are_valid(cli: Cli, name: str | None):
    code, out, _ = cli("info", "--check", *([name] if name else []))
    assert code == 0
    file = f"{name or 'galaxy-edge'}.onnx"
    assert out == f"{file}: a valid manifest of schema 3; Fake, Real; 10 recorded examples\n"


def test_a_damaged_file_is_refused_with_all_its_faults(cli: Cli, tmp_path: Path):
    _, value, _ = WRONG[6]
    path = damaged(tmp_path / "bad.onnx", "preprocessing", json.dumps(value))
    code, out, err = cli("info", "--check", path)
    assert (code, out) == (3, "")
    assert f"{path} cannot be used" in err
    assert "preprocessing.size: 0 is less than" in err
    assert "preprocessing.colour: " in err


@pytest.mark.parametrize(
    ("section", "value", "words"),
    [
        ("metrics", "{", "metrics: it is not JSON"),
        ("schema", "4", "install a galaxy-edge at least as new"),
        # Agrees with the schema, and not with the tensors.
        ("outputs", '{"scores": "other", "typicality": "typicality"}', "its output must be other"),
    ],
)
def test_other_faults_are_refused(cli: Cli, tmp_path: Path, section: str, value: str, words: str):
    code, _, err = cli("info", "--check", damaged(tmp_path / "bad.onnx", section, value))
    assert code == 3
    assert words in err


def test_an_image_in_base64_does_not_fill_the_screen():
    golden = json.dumps([{"png": ["A" * 9000], "input_sha256": "", "scores": [0.5]}])
    (fault,) = faults(Manifest().to_metadata() | {PREFIX + "golden": golden})
    assert fault.startswith("golden[0].png: ")
    assert len(fault) < 300


def test_the_extra_is_named_if_it_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    code, _, err = cli("info", "--check")
    assert code == 2
    assert "galaxy-edge[schema]" in err
