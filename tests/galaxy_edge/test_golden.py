from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from galaxy_edge import ModelError, Predictor
from galaxy_edge.golden import verify
from galaxy_edge.manifest import Manifest

Cli = Callable[..., tuple[int, str, str]]


def changed(model_file: Path, path: Path, change: Callable[[Manifest], Manifest]) -> Path:
    model = onnx.load(model_file)
    manifest = change(
        Manifest.from_metadata({item.key: item.value for item in model.metadata_props})
    )
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, manifest.to_metadata())
    onnx.save(model, path)
    return path


def test_the_bundled_model_is_verified(cli: Cli):
    code, out, err = cli("verify")
    assert (code, err) == (0, "")
    assert out.startswith("10 of 10 golden examples compared")
    found = verify(Predictor())
    assert (found.examples, found.compared, found.note) == (10, 10, None)
    assert found.largest_difference <= 1e-3


def test_a_damaged_weight_fails_the_verification(model_file: Path, tmp_path: Path, cli: Cli):
    model = onnx.load(model_file)
    weights = next(item for item in model.graph.initializer if item.name == "conv_1.weight")
    values = onnx.numpy_helper.to_array(weights).copy()
    values[0, 0, 0, 0] += 1
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    onnx.save(model, tmp_path / "m.onnx")
    code, out, err = cli("verify", tmp_path / "m.onnx")
    assert code == 3
    assert "largest difference" in out
    assert "do not use" in err


def test_the_tolerance_option_allows_a_larger_difference(
    model_file: Path, tmp_path: Path, cli: Cli
):
    def shift(manifest: Manifest) -> Manifest:
        return replace(
            manifest,
            golden=tuple(replace(g, scores=(g.scores[0] - 0.01,)) for g in manifest.golden),
        )

    path = changed(model_file, tmp_path / "m.onnx", shift)
    assert cli("verify", path, "--tolerance", 0.02)[0] == 0
    assert cli("verify", path)[0] == 3


def other_pixels(count: int, **values: object) -> Callable[[Manifest], Manifest]:
    """Replace the digest of the first examples, as if they had decoded to other pixels."""

    def change(manifest: Manifest) -> Manifest:
        first, rest = manifest.golden[:count], manifest.golden[count:]
        other = tuple(replace(one, input_sha256="00", **values) for one in first)
        return replace(manifest, golden=(*other, *rest))

    return change


def test_examples_that_decode_to_other_pixels_are_reported_and_not_compared(
    model_file: Path, tmp_path: Path, cli: Cli
):
    path = changed(model_file, tmp_path / "m.onnx", other_pixels(3, scores=(0.0,)))
    code, out, err = cli("verify", path)
    assert code == 0
    assert "5 of 8 golden examples compared" in out
    assert "3 of 8 golden examples decode to other pixels" in err
    assert Predictor(path).notes == ()


def test_every_command_reports_that_no_example_could_be_compared(
    model_file: Path, tmp_path: Path, cli: Cli
):
    path = changed(model_file, tmp_path / "m.onnx", other_pixels(8, scores=(0.0,)))
    code, out, err = cli("verify", path)
    assert (code, out) == (3, "0 of 8 golden examples compared (CPUExecutionProvider)\n")
    assert "this machine is not verified" in err
    assert "none could be compared" in err
    (note,) = Predictor(path).notes
    assert "none could be compared" in note
    code, _, err = cli("predict", Path(__file__).parents[2] / "examples", "-m", path)
    assert (code, note in err) == (0, True)


def test_a_file_without_examples_fails_the_verification(model_file: Path, tmp_path: Path, cli: Cli):
    path = changed(model_file, tmp_path / "m.onnx", lambda manifest: replace(manifest, golden=()))
    code, _, err = cli("verify", path)
    assert code == 3
    assert "no golden examples" in err
    (note,) = Predictor(path).notes
    assert "no golden examples" in note


def test_info_prints_the_manifest(model_file: Path, cli: Cli):
    code, out, err = cli("info", model_file)
    assert (code, err) == (0, "")
    document = json.loads(out)
    manifest = Predictor(model_file).manifest
    assert document["classes"] == ["Fake", "Real"]
    assert document["schema"] == 3
    assert document["outputs"] == {"scores": "score", "typicality": None}
    assert document["decision"] == {"threshold": 0.5, "abstain": None, "ood_limit": None}
    assert document["preprocessing"]["working_size"] == 16
    assert document["training"] == manifest.training
    assert document["golden"] == [list(example.scores) for example in manifest.golden]
    assert cli("info", "absent.onnx")[0] == 3


def test_weights_in_another_file_are_refused(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "m.onnx"
    onnx.save(
        onnx.load(model_file), path, save_as_external_data=True, location="weights.bin",
        size_threshold=0,
    )  # fmt: skip
    assert (tmp_path / "weights.bin").exists()
    monkeypatch.chdir(tmp_path)  # onnxruntime would look for the weights here
    with pytest.raises(ModelError, match="external"):
        Predictor(path)


def test_the_largest_difference_is_found(model_file: Path, tmp_path: Path):
    def shift_one(manifest: Manifest) -> Manifest:
        first, *others = manifest.golden
        return replace(
            manifest, golden=(replace(first, scores=(first.scores[0] + 0.125,)), *others)
        )

    path = changed(model_file, tmp_path / "m.onnx", shift_one)
    assert verify(Predictor(path, check=False)).largest_difference == pytest.approx(0.125, abs=1e-5)
    assert np.isfinite(verify(Predictor(model_file, check=False)).largest_difference)


@pytest.mark.parametrize("shift", [0.01, -0.01])
def test_a_model_whose_scores_differ_from_the_recorded_ones_gives_no_verdicts(
    model_file: Path, tmp_path: Path, cli: Cli, shift: float
):
    def shifted(manifest: Manifest) -> Manifest:
        return replace(
            manifest,
            golden=tuple(replace(g, scores=(g.scores[0] + shift,)) for g in manifest.golden),
        )

    path = changed(model_file, tmp_path / "m.onnx", shifted)
    with pytest.raises(ModelError, match="failed its self-check"):
        Predictor(path)
    code, out, err = cli("predict", path, "-m", path)
    assert (code, out, "differs by 1.0e-02" in err) == (3, "", True)
    assert Predictor(path, check=False).manifest.golden


def test_a_golden_example_that_is_not_an_image_is_a_model_error(
    model_file: Path, tmp_path: Path, cli: Cli
):
    def junk(manifest: Manifest) -> Manifest:
        return replace(manifest, golden=tuple(replace(g, png=b"junk") for g in manifest.golden))

    path = changed(model_file, tmp_path / "m.onnx", junk)
    for command in (["verify", path], ["predict", path, "-m", path]):
        code, _, err = cli(*command)
        assert (code, "m.onnx" in err) == (3, True)


def test_a_tolerance_of_nan_is_refused(cli: Cli):
    assert cli("verify", "--tolerance", "nan")[0] != 0


def test_the_self_check_looks_further_if_its_own_examples_cannot_be_compared(
    model_file: Path, tmp_path: Path
):
    """It scores every third example; here these decode to other pixels, and the rest are wrong."""

    def hidden(manifest: Manifest) -> Manifest:
        golden = tuple(
            replace(one, input_sha256="00")
            if number % 3 == 0
            else replace(one, scores=(1 - one.scores[0],))
            for number, one in enumerate(manifest.golden)
        )
        return replace(manifest, golden=golden)

    with pytest.raises(ModelError, match="failed its self-check"):
        Predictor(changed(model_file, tmp_path / "m.onnx", hidden))


def test_the_name_of_a_model_cannot_control_the_terminal(
    model_file: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "e\x1b[31mX.onnx"
    changed(model_file, path, lambda manifest: replace(manifest, golden=()))
    _, _, err = cli("predict", Path(__file__).parents[2] / "examples", "-m", path.name)
    assert "carries no golden examples" in err
    assert "\x1b" not in err
