"""`predict_many` on streams: pauses, errors, and memory."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from galaxy_edge import Predictor
from galaxy_edge.inputs.images import decode
from tests.conftest import encoded, galaxy


@pytest.fixture(scope="module", params=["tiny", "bundled"])
def model(request: pytest.FixtureRequest, model_file: Path) -> Path | None:
    return model_file if request.param == "tiny" else None


def test_a_score_is_identical_in_any_batch_and_on_any_number_of_threads(model: Path | None):
    # The golden examples cover the whole range of scores.
    sources = [example.png for example in Predictor(model).manifest.golden]
    sources += [encoded(galaxy(seed, 64, real=bool(seed % 3))) for seed in range(15)]
    alone = [Predictor(model, device="cpu", threads=1).predict(source).score for source in sources]
    assert len(set(alone)) > 5
    for threads, batch_size in ((1, 32), (2, 1), (2, 7), (4, 32)):
        predictor = Predictor(model, device="cpu", threads=threads, batch_size=batch_size)
        assert [p.score for p in predictor.predict_many(sources)] == alone
        backwards = [p.score for p in predictor.predict_many(sources[::-1])]
        assert backwards[::-1] == alone
    steps = predictor.manifest.preprocessing
    batch = np.stack([decode(source, steps) for source in sources])
    assert [float(str(score)) for score in predictor.scores(batch)[:, 1]] == alone


def test_none_in_a_stream_finishes_the_images_before_it(model_file: Path):
    predictor = Predictor(model_file)
    given = 0

    def live() -> Iterator[np.ndarray | None]:
        nonlocal given
        for seed in range(9):
            given += 1
            yield galaxy(seed)
            if seed % 3 == 2:
                yield None
                yield None

    # Without the pauses, more images would be taken before the first three predictions come.
    seen = [given for _ in predictor.predict_many(live())]
    assert seen[-1] == 9
    assert seen[2] == 3
    assert seen[5] == 6
    assert [p.status for p in predictor.predict_many([None, galaxy(1), None])] == ["ok"]


def test_the_first_verdict_does_not_wait_for_full_batches(model_file: Path):
    predictor = Predictor(model_file, batch_size=256, threads=1)
    taken = itertools.count()
    next(predictor.predict_many(galaxy(seed) for seed in taken))
    assert next(taken) <= 1 + 2 + 1


def test_an_error_of_the_stream_comes_after_the_predictions_before_it(model_file: Path):
    def broken() -> Iterator[np.ndarray]:
        yield from map(galaxy, range(5))
        raise ConnectionResetError("the camera went away")

    rows = Predictor(model_file).predict_many(broken())
    assert [next(rows).status for _ in range(5)] == ["ok"] * 5
    with pytest.raises(ConnectionResetError, match="camera"):
        next(rows)


def test_closing_the_predictions_ends_the_threads(model_file: Path):
    import threading

    before = threading.active_count()
    rows = Predictor(model_file).predict_many(galaxy(seed) for seed in itertools.count())
    next(rows)
    rows.close()
    assert threading.active_count() <= before


MEMORY = """
import resource, sys
from galaxy_edge import Predictor
from tests.conftest import encoded, galaxy

images = [encoded(galaxy(seed)) for seed in range(8)]
def stream():
    for number in range(100_000):
        yield images[number % 8] if number % 50 else b"no image"
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
for number, _ in enumerate(Predictor(sys.argv[1], device="cpu").predict_many(stream())):
    if number == 10_000:
        early = peak()
print(number + 1, peak() - early)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_memory_does_not_grow_over_100_000_images(model_file: Path):
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, model_file],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    count, grown = map(int, done.stdout.split())
    assert count == 100_000
    # MiB. Keeping a hundred bytes of each image would take 9.
    assert grown < 8
