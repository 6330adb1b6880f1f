"""Threads and processes share a predictor."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from galaxy_edge import ModelError, Predictor
from tests.conftest import galaxy

#: Runs as a script, because a spawned process imports the main script.
POOL = """
import multiprocessing, sys
from pathlib import Path
from galaxy_edge import Predictor

def score(predictor, path):
    return predictor.predict(path).score

def score_inherited(path):
    return score(predictor, path)

if __name__ == "__main__":
    method, model, *paths = sys.argv[1:]
    predictor = Predictor(model, threads=2)
    expected = [predictor.predict(path).score for path in paths]
    if method == "fork":
        # The child inherits the predictor without pickling, but not the threads of its session.
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = pool.map(score_inherited, paths)
    else:
        with multiprocessing.get_context(method).Pool(2) as pool:
            found = pool.starmap(score, [(predictor, path) for path in paths])
    assert found == expected, (found, expected)
    print("equal")
"""
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.png"))[:4]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_can_share_a_predictor(model_file: Path, tmp_path: Path, method: str):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    done = subprocess.run(
        [sys.executable, script, method, model_file, *EXAMPLES],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "equal\n", done.stderr


def test_threads_can_share_a_predictor(model_file: Path):
    predictor = Predictor(model_file)
    images = [galaxy(seed) for seed in range(60)]
    expected = [predictor.predict(image).score for image in images]
    with ThreadPoolExecutor(8) as pool:
        assert [p.score for p in pool.map(predictor.predict, images)] == expected


def test_a_pickle_holds_the_path_and_not_the_model(model_file: Path, monkeypatch, tmp_path: Path):
    shutil.copy(model_file, tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    predictor = Predictor("m.onnx", threshold=0.25, batch_size=3)
    content = pickle.dumps(predictor)
    assert len(content) < 1000
    monkeypatch.chdir("/")
    again = pickle.loads(content)
    assert again.threshold == 0.25
    assert again.sha256 == predictor.sha256
    assert again.predict(galaxy(1)) == predictor.predict(galaxy(1))


def test_a_model_file_changed_after_pickling_is_refused(model_file: Path, tmp_path: Path):
    path = tmp_path / "m.onnx"
    shutil.copy(model_file, path)
    content = pickle.dumps(Predictor(path))
    with path.open("ab") as file:
        file.write(b"\x72\x00")  # an empty metadata entry: another digest, the same network
    with pytest.raises(ModelError, match="has changed"):
        pickle.loads(content)
    path.unlink()
    with pytest.raises(ModelError, match="does not exist"):
        pickle.loads(content)
