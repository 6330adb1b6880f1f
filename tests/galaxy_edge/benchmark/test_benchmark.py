from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from galaxy_edge.benchmark.machine import machine
from galaxy_edge.benchmark.memory import peak_bytes
from galaxy_edge.benchmark.spread import Interval, Percentiles
from galaxy_edge.engine.turns import in_blocks
from galaxy_edge.manifest import Manifest
from galaxy_edge.predictor import Predictor
from tests.conftest import encoded, galaxy, galaxy_edge_in_process
from tests.galaxy_edge.test_imports import HEAVY

Cli = Callable[..., tuple[int, str, str]]
BRIEF = ("--seconds", "0.2")


@pytest.fixture(scope="module")
def document(model_file: Path) -> dict[str, Any]:
    """The JSON document of a short run."""
    path = model_file.with_name("benchmark.json")
    assert galaxy_edge_in_process("benchmark", "-m", model_file, *BRIEF, "--json", path) == 0
    return dict(json.loads(path.read_text()))


def percentiles(found: object, path: str = "") -> dict[str, dict[str, float]]:
    """All percentiles in a document, by dotted name."""
    if not isinstance(found, dict):
        return {}
    if "p50" in found:
        return {path: found}
    return {k: v for name in found for k, v in percentiles(found[name], f"{path}.{name}").items()}


def golden_off_by(change: float, model_file: Path, path: Path) -> Path:
    model = onnx.load(model_file)
    manifest = Manifest.from_metadata({item.key: item.value for item in model.metadata_props})
    golden = tuple(replace(each, scores=(each.scores[0] + change,)) for each in manifest.golden)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, replace(manifest, golden=golden).to_metadata())
    onnx.save(model, path)
    return path


def test_the_document_is_complete(document: dict[str, Any], model_file: Path):
    import hashlib

    assert set(percentiles(document)) == {
        ".cold.process_seconds",
        ".warm.load_seconds",
        ".single_stream.latency_seconds",
        ".single_stream.decode_seconds",
        ".single_stream.run_seconds",
        ".single_stream.write_seconds",
        ".offline.decode_seconds",
        ".offline.run_seconds",
        ".offline.write_seconds",
    }
    assert document["model"]["sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert document["model"]["golden"]["examples"] == 8
    assert document["model"]["provider"] == "CPUExecutionProvider"
    assert document["images"]["widths_px"] == [16, 16]
    assert document["offline"]["batch_size"] == 32
    assert {"numpy", "pillow", "galaxy-edge"} < set(document["machine"]["packages"])


def test_percentiles_are_ordered_and_need_enough_samples(document: dict[str, Any]):
    for name, found in percentiles(document).items():
        known = [found[key] for key in ("p50", "p90", "p99") if found[key] is not None]
        assert known == sorted(known), name
        assert known[0] > 0, name
        assert (found["p90"] is None) == (found["samples"] < 10), name
        assert (found["p99"] is None) == (found["samples"] < 100), name


def test_rates_and_memory_are_plausible(document: dict[str, Any]):
    rate, cold, memory = (document[k] for k in ("offline", "cold", "memory"))
    assert 0 < rate["images_per_second"]["low"] <= rate["images_per_second"]["median"]
    assert rate["images_per_second"]["median"] <= rate["images_per_second"]["high"]
    assert rate["images"] >= 6 * 32
    assert document["single_stream"]["images_per_second"] > 0
    # A process starts Python and imports everything; a load imports nothing.
    assert cold["process_seconds"]["p50"] > document["warm"]["load_seconds"]["p50"]
    assert cold["first_process_seconds"] > 0
    if sys.platform != "win32":
        assert 0 <= memory["model_bytes"] < memory["peak_bytes"] <= (peak_bytes() or 0)


def test_the_default_output_is_a_table(cli: Cli, model_file: Path, tmp_path: Path):
    code, out, err = cli("benchmark", "-m", model_file, *BRIEF, "--image-size", 30)
    assert (code, err) == (0, "")
    assert "tiny.onnx" in out
    assert "30 x 30 px" in out
    for word in ("single-stream", "offline", "cold", "warm", "p99", "decode", "memory"):
        assert word in out


def test_json_on_stdout_is_the_only_output(cli: Cli, model_file: Path):
    code, out, err = cli("benchmark", "-m", model_file, "--seconds", 0, "--json", "-")
    assert (code, err) == (0, "")
    assert json.loads(out)["single_stream"]["latency_seconds"]["samples"] >= 10


def test_the_user_can_name_images(cli: Cli, model_file: Path, tmp_path: Path):
    for seed, size in enumerate((20, 40)):
        (tmp_path / f"{seed}.jpg").write_bytes(encoded(galaxy(seed, size), "JPEG"))
    run = ("benchmark", tmp_path, "-m", model_file, *BRIEF)
    code, out, _ = cli(*run)
    assert code == 0
    assert "2 given, 20-40 x 20-40 px" in out
    code, _, err = cli(*run, "--image-size", 30)
    assert (code, "omit one of the two" in err) == (2, True)
    (tmp_path / "2.png").write_bytes(b"no image")
    code, out, err = cli(*run)
    assert (code, out) == (1, "")
    assert "2.png" in err


def test_a_file_that_fails_its_self_check_is_not_measured(
    cli: Cli, model_file: Path, tmp_path: Path
):
    path = golden_off_by(0.01, model_file, tmp_path / "m.onnx")
    earlier = tmp_path / "b.json"
    earlier.write_text("earlier")
    code, out, err = cli("benchmark", "-m", path, *BRIEF, "--json", earlier)
    assert (code, out) == (3, "")
    assert "m.onnx was not measured" in err
    assert "differs by 1.0e-02" in err
    assert earlier.read_text() == "earlier"
    assert cli("benchmark", "--compare", model_file, path, *BRIEF)[0] == 3
    assert sorted(item.name for item in tmp_path.iterdir()) == ["b.json", "m.onnx"]


def test_a_file_that_is_not_a_model_is_an_error(cli: Cli, tmp_path: Path):
    (tmp_path / "m.onnx").write_bytes(b"rubbish")
    for path in (tmp_path / "m.onnx", tmp_path / "absent.onnx"):
        code, out, err = cli("benchmark", "-m", path)
        assert (code, out) == (3, "")
        assert path.name in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--compare", "MODEL", "MODEL", "-m", "MODEL"],
        ["-m", "MODEL", "--json", "MODEL"],
        ["-m", "MODEL", "--json", "absent/b.json"],
        ["--seconds", "-1"],
        ["--seconds", "nan"],
        ["--batch-size", "1000000"],
        ["--threads", "0"],
        ["--batch-size", "0"],
        ["--device", "abacus"],
    ],
    ids=" ".join,
)
def test_invalid_arguments_are_reported_at_once(cli: Cli, model_file: Path, arguments: list[str]):
    before = model_file.read_bytes()
    code, out, err = cli("benchmark", *(model_file if a == "MODEL" else a for a in arguments))
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err
    assert model_file.read_bytes() == before


def test_a_file_compared_with_itself(cli: Cli, model_file: Path):
    run = ("benchmark", "--compare", model_file, model_file, "--seconds", 0.3)
    code, out, err = cli(*run)
    assert (code, err) == (0, "")
    assert out.count("  A takes ") == 2
    code, out, err = cli(*run, "--json", "-")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["a"] == found["b"]
    assert found["differing_verdicts"] == 0
    for scenario in ("single_stream", "offline"):
        ratio = found[scenario]["ratio"]
        assert ratio["low"] <= ratio["median"] <= ratio["high"]
        assert ratio["samples"] >= 6
        assert found[scenario]["a_seconds"]["samples"] >= 12


def test_notes_are_printed_for_each_file(cli: Cli, model_file: Path, monkeypatch):
    monkeypatch.setattr(Predictor, "notes", ("cuda is not used: the reason",))
    for command, names in (
        (("-m", model_file), ("",)), (("--compare", model_file, model_file), ("A: ", "B: ")),
    ):  # fmt: skip
        code, out, err = cli("benchmark", *command, "--seconds", 0, "--json", "-")
        assert (code, bool(json.loads(out))) == (0, True)
        assert err.splitlines() == [
            f"galaxy-edge: {name}cuda is not used: the reason" for name in names
        ]


def test_a_comparison_finds_the_slower_file(cli: Cli, model_file: Path):
    """The bundled network needs a thousand times the arithmetic of the tiny one."""
    bundled = Path(__file__).parents[3] / "galaxy_edge" / "models" / "galaxy-edge.onnx"
    run = ("benchmark", "--compare", bundled, model_file, "--seconds", 1, "--batch-size", 4)
    code, out, _ = cli(*run, "--image-size", 24, "--json", "-")
    assert code == 0
    found = json.loads(out)
    assert found["a"]["name"] == "galaxy-edge.onnx"
    assert found["b"]["name"] == "tiny.onnx"
    # In every round, whichever file was loaded first.
    assert found["single_stream"]["ratio"]["low"] > 1


def test_functions_take_turns_forwards_and_backwards():
    calls: list[str] = []
    works = [lambda: calls.append("A"), lambda: calls.append("B")]
    times = in_blocks(works, rounds=2, runs=2, warm_up=1)
    assert "".join(calls) == 2 * "AAABBBBBBAAA"
    assert [[len(one) for one in each] for each in times] == [[4, 4], [4, 4]]


def test_percentiles_need_enough_values():
    values = list(np.random.default_rng(0).permutation(101) * 1.0)
    assert Percentiles.of(values) == Percentiles(50, 90, 99, 101)
    assert Percentiles.of(values[:99]).p99 is None
    assert Percentiles.of([2, 1]) == Percentiles(1.5, None, None, 2)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(1, 0, 0), (5, 0, 4), (6, 0, 5), (9, 1, 7), (25, 7, 17)]
)
def test_the_interval_of_a_median_follows_the_sign_test(count: int, low: int, high: int):
    """For 25 values see the example in Conover, Practical Nonparametric Statistics."""
    values = np.random.default_rng(0).permutation(count)
    found = Interval.of(list(values))
    assert (found.low, found.median, found.high) == (low, (count - 1) / 2, high)


def test_the_interval_of_many_values_follows_the_normal_approximation():
    found = Interval.of(list(range(2001)))
    # Normal approximation: 1,000 plus or minus 1.96 standard deviations of sqrt(2001) / 2.
    assert found.low == pytest.approx(1000 - 1.96 * 2001**0.5 / 2, abs=2)
    assert found.high == pytest.approx(1000 + 1.96 * 2001**0.5 / 2, abs=2)


def test_the_interval_contains_the_true_median_in_95_percent_of_cases():
    rng = np.random.default_rng(0)
    hits = [Interval.of(list(rng.lognormal(size=20))).contains(1) for _ in range(1000)]
    assert 0.94 <= np.mean(hits) <= 0.98


def test_the_processor_name_is_found(tmp_path: Path):
    (tmp_path / "proc").mkdir()
    info = tmp_path / "proc" / "cpuinfo"
    info.write_text("processor\t: 0\nmodel\t\t: 85\nmodel name\t: Good CPU @ 2 GHz\n")
    assert machine(root=tmp_path).cpu == "Good CPU @ 2 GHz"
    info.write_text("processor\t: 0\nCPU part\t: 0xd0b\n\nModel\t\t: Raspberry Pi 5\n")
    assert machine(root=tmp_path).cpu == "Raspberry Pi 5"
    assert machine(1).threads == 1
    assert machine(root=tmp_path / "nothing").cpu


@pytest.mark.skipif(sys.platform == "win32", reason="not measured on Windows")
def test_the_memory_peak_is_in_bytes():
    held = np.ones(64 * 2**20, np.uint8)
    assert held.nbytes <= (peak_bytes() or 0) < 2**40


def test_no_heavy_packages_are_imported(model_file: Path):
    code = (
        "import sys\nfrom galaxy_edge.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print('loaded:', *sys.modules)"
    )
    run = [sys.executable, "-c", code, "benchmark", "-m", model_file, "--seconds", "0"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert "onnxruntime" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_an_interrupt_ends_the_command_without_a_traceback(tmp_path: Path):
    command = [sys.executable, "-m", "galaxy_edge", "benchmark", "--json", tmp_path / "b.json"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as run:
        # This file exists once the measurement has started.
        while not list(tmp_path.glob("galaxy-edge-*/rows.jsonl")):
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate()
    assert run.returncode == 130
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
