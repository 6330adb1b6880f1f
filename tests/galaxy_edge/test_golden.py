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


def test_the_bundled_model_proves_itself(cli: Cli):
    code, out, err = cli("verify")
    assert (code, err) == (0, "")
    assert out.startswith("8 examples")
    found = verify(Predictor())
    assert found.examples == 8
    assert found.worst <= 1e-3
    assert found.decoded_otherwise == 0


def test_a_damaged_weight_shows_up(model_file: Path, tmp_path: Path, cli: Cli):
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


def test_the_tolerance_decides(model_file: Path, tmp_path: Path, cli: Cli):
    def shift(manifest: Manifest) -> Manifest:
        return replace(
            manifest, golden=tuple(replace(g, score=g.score - 0.01) for g in manifest.golden)
        )

    path = changed(model_file, tmp_path / "m.onnx", shift)
    assert cli("verify", path, "--tolerance", 0.02)[0] == 0
    assert cli("verify", path)[0] == 3


def test_another_decoder_is_told_from_other_arithmetic(model_file: Path, tmp_path: Path, cli: Cli):
    def other_pixels(manifest: Manifest) -> Manifest:
        return replace(
            manifest, golden=tuple(replace(g, input_sha256="00") for g in manifest.golden)
        )

    code, _, err = cli("verify", changed(model_file, tmp_path / "m.onnx", other_pixels))
    assert code == 3
    assert "8 of 8 examples decode to other pixels" in err


def test_a_file_without_examples_proves_nothing(model_file: Path, tmp_path: Path, cli: Cli):
    path = changed(model_file, tmp_path / "m.onnx", lambda manifest: replace(manifest, golden=()))
    code, _, err = cli("verify", path)
    assert code == 3
    assert "no golden examples" in err


def test_info_prints_the_manifest(model_file: Path, cli: Cli):
    code, out, err = cli("info", model_file)
    assert (code, err) == (0, "")
    document = json.loads(out)
    manifest = Predictor(model_file).manifest
    assert document["labels"] == ["Fake", "Real"]
    assert document["preprocessing"]["working_size"] == 16
    assert document["training"] == manifest.training
    assert document["golden"] == [example.score for example in manifest.golden]
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
    monkeypatch.chdir(tmp_path)  # where onnxruntime would find them
    with pytest.raises(ModelError, match="external"):
        Predictor(path)


def test_difference_is_the_largest_one(model_file: Path, tmp_path: Path):
    def shift_one(manifest: Manifest) -> Manifest:
        first, *others = manifest.golden
        return replace(manifest, golden=(replace(first, score=first.score + 0.125), *others))

    path = changed(model_file, tmp_path / "m.onnx", shift_one)
    assert verify(Predictor(path, check=False)).worst == pytest.approx(0.125, abs=1e-5)
    assert np.isfinite(verify(Predictor(model_file, check=False)).worst)


@pytest.mark.parametrize("shift", [0.01, -0.01])
def test_a_model_that_scores_otherwise_here_gives_no_verdicts(
    model_file: Path, tmp_path: Path, cli: Cli, shift: float
):
    def shifted(manifest: Manifest) -> Manifest:
        return replace(
            manifest, golden=tuple(replace(g, score=g.score + shift) for g in manifest.golden)
        )

    path = changed(model_file, tmp_path / "m.onnx", shifted)
    with pytest.raises(ModelError, match="scores its own examples otherwise"):
        Predictor(path)
    code, out, err = cli("predict", path, "-m", path)
    assert (code, out, "by 1.0e-02" in err) == (3, "", True)
    assert Predictor(path, check=False).manifest.golden


def test_pixels_that_another_pillow_resizes_otherwise_prove_nothing(
    model_file: Path, tmp_path: Path
):
    def other(manifest: Manifest) -> Manifest:
        golden = tuple(replace(g, score=0.0, input_sha256="ab") for g in manifest.golden)
        return replace(manifest, golden=golden)

    assert Predictor(changed(model_file, tmp_path / "m.onnx", other)).manifest.golden


def test_a_golden_example_that_is_no_image_is_a_damaged_file(
    model_file: Path, tmp_path: Path, cli: Cli
):
    def junk(manifest: Manifest) -> Manifest:
        return replace(manifest, golden=tuple(replace(g, png=b"junk") for g in manifest.golden))

    path = changed(model_file, tmp_path / "m.onnx", junk)
    for command in (["verify", path], ["predict", path, "-m", path]):
        code, _, err = cli(*command)
        assert (code, "m.onnx" in err) == (3, True)


def test_a_tolerance_that_is_no_number_allows_nothing(cli: Cli):
    assert cli("verify", "--tolerance", "nan")[0] != 0
