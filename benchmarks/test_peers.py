"""The exported int8 file against the same network in other runtimes, on one machine, in one run.

    pip install -e '.[bench]'
    GALAXY_EDGE_RUN=runs/mine pytest benchmarks/test_peers.py -s

``runs/mine`` is a run folder whose images have not been moved. Each peer has its own process and
the same number of threads. They take turns, in blocks, so that a slow moment affects them all.
Their scores of the validation images are compared with Keras's, within the limits of `agreement`,
and the result is printed next to the times. A peer with wrong scores fails the benchmark.

onnxruntime-openvino replaces onnxruntime, so it needs a separate environment with
onnxruntime-openvino and numpy. GALAXY_EDGE_OPENVINO=ov/bin/python names that environment's
interpreter. The ``--portable`` file is then timed on OpenVINO's provider, against OpenVINO itself.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from galaxy_edge.engine.session import Session
from galaxy_edge.engine.threads import threads
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.manifest import GOLDEN_TOLERANCE

RUN = os.environ.get("GALAXY_EDGE_RUN")
OPENVINO = os.environ.get("GALAXY_EDGE_OPENVINO")
if RUN is None:
    pytest.skip("GALAXY_EDGE_RUN is not set; it names a run folder", allow_module_level=True)
pytest.importorskip("nncf", reason="the extra `bench` is not installed")

# These import packages of the extra.
from benchmarks import agreement, conversions, peers  # noqa: E402
from benchmarks.process import Process  # noqa: E402
from galaxy_edge_export import images, material  # noqa: E402
from galaxy_edge_export.trained import Trained, find  # noqa: E402

# Warnings of other projects are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore")
ROUNDS = 3
#: At most this many validation images tell whether a peer agrees.
IMAGES = 1500
SECONDS = 0.5
#: Largest allowed time of our file, as a multiple of the peer's.
GOALS = {"LiteRT int8": 1.0, "onnxruntime fp32": 1 / 2.2, "onnxruntime static": 1 / 1.15}


def has_amx() -> bool:
    """Whether the processor has AMX, which OpenVINO uses and onnxruntime's convolutions do not."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_int8" in cpuinfo.read_text()


@pytest.fixture(scope="module")
def trained() -> Trained:
    return find(Path(str(RUN)), ("Fake", "Real"), Preprocessing())


@pytest.fixture(scope="module")
def folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("peers")
    conversions.write(trained, root)
    return root


@pytest.fixture(scope="module")
def valid(trained: Trained) -> tuple[Any, Any]:
    """Validation images of the run, and their labels."""
    labelled = material.find(trained, None)
    files = labelled.files["Valid"]
    found = images.load(files[:: -(-len(files) // IMAGES)], labelled)
    return found.pixels, found.labels


@pytest.fixture(scope="module", params=[1, threads().count], ids=["1 thread", "all threads"])
def cores(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def processes(folder: Path, cores: int) -> Iterator[dict[str, Process]]:
    found = peers.processes(folder, cores)
    yield found
    for each in found.values():
        each.close()


@pytest.fixture(scope="module")
def quality(processes: dict[str, Process], valid: tuple[Any, Any]) -> dict[str, str]:
    """Each peer's agreement with Keras, in words. Fails if a peer disagrees."""
    pixels, labels = valid
    batches = np.array_split(pixels, -(-len(pixels) // 50))
    scores = {
        name: np.concatenate([process(batch) for batch in batches])
        for name, process in processes.items()
    }
    reference = scores["Keras predict"]
    wrong = {
        name: problem
        for name, each in scores.items()
        if (problem := agreement.disagreement(each, reference, labels, exact=name in peers.FLOAT))
    }
    assert not wrong, wrong
    return {
        name: f"accuracy {agreement.accuracy(each, labels):.4f}, scores within "
        f"{np.max(np.abs(each - reference)):.1e} of Keras's"
        for name, each in scores.items()
    }


def in_turn(
    processes: dict[str, Process], argument: Any, *, timed: bool = True
) -> dict[str, list[float]]:
    """Time blocks of calls, one process after the other, a few times over; return ms per call."""
    taken: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(ROUNDS if timed else 1):
        for name, process in processes.items():
            taken[name] += process.milliseconds(argument, SECONDS if timed else 0)
    return taken


@pytest.mark.benchmark(group="peers")
@pytest.mark.parametrize("batch", [1, 32])
def test_ours_against_each(
    benchmark: Any,
    folder: Path,
    cores: int,
    processes: dict[str, Process],
    valid: tuple[Any, Any],
    quality: dict[str, str],
    batch: int,
):
    pixels = valid[0][:batch]
    taken = in_turn(processes, pixels, timed=benchmark.enabled)
    medians = {name: statistics.median(values) / batch for name, values in taken.items()}
    print(f"\n{cores} threads, batch of {batch}")
    for name, each in medians.items():
        print(
            f"{name:<20} {each:8.3f} ms  ours is {each / medians['ours']:6.2f} times as fast  "
            f"{quality[name]}"
        )
    benchmark.extra_info.update(medians)
    benchmark(Session((folder / "ours.onnx").read_bytes(), device="cpu", threads=cores).run, pixels)
    if not benchmark.enabled:
        return
    assert medians["ours fp32"] <= 1.05 * medians["onnxruntime fp32"]
    goals = GOALS if has_amx() else GOALS | {"OpenVINO int8": 1.0}
    if batch == 1 and cores > 1:
        # One image of a small network is done before a second thread is awake. Our threads sleep;
        # those of the others spin.
        goals = goals | {"onnxruntime fp32": 1.0}
    for name, goal in goals.items():
        assert medians["ours"] <= goal * medians[name], name


@pytest.mark.benchmark(group="one file to its verdict")
def test_one_file_against_the_documented_way(benchmark: Any, trained: Trained, folder: Path):
    """One file at a time, against ``load_img`` and ``model.predict``, as in the course."""
    steps = trained.preprocessing
    processes = {
        "Keras": Process(peers.documented, folder / "model.keras", steps.size, steps.resize),
        "ours": Process(peers.ours_by_path, folder / "ours.onnx"),
    }
    path = material.find(trained, None).files["Valid"][0].path
    scores = {name: process(path) for name, process in processes.items()}
    assert (scores["Keras"] > 0.5) == (scores["ours"] > 0.5), scores
    taken = in_turn(processes, path, timed=benchmark.enabled)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    for process in processes.values():
        process.close()
    print(
        f"\nKeras, load_img and predict: {medians['Keras']:.2f} ms; ours {medians['ours']:.2f} ms, "
        f"{medians['Keras'] / medians['ours']:.1f} times as fast"
    )
    benchmark.extra_info.update(medians)
    benchmark(peers.ours_by_path(folder / "ours.onnx"), path)
    if benchmark.enabled:
        assert medians["ours"] < medians["Keras"]


#: Scores a saved batch on the OpenVINO provider. Prints the scores of one batch on a line, then the
#: median time of a batch, ms.
PROVIDER = """
import statistics, sys, time
import numpy, onnxruntime

model, pixels, threads, seconds = sys.argv[1:]
name = "OpenVINOExecutionProvider"
options = {"device_type": "CPU", "num_of_threads": threads}
session = onnxruntime.InferenceSession(model, providers=[(name, options)])
assert session.get_providers()[0] == name
batch = {"image": numpy.load(pixels)}
for _ in range(3):
    (scores,) = session.run(["score"], batch)
taken = []
end = time.perf_counter() + float(seconds)
while time.perf_counter() < end:
    start = time.perf_counter()
    session.run(["score"], batch)
    taken.append(time.perf_counter() - start)
print(*scores[:, 0])
print(1e3 * statistics.median(taken))
"""


@pytest.mark.skipif(OPENVINO is None, reason="GALAXY_EDGE_OPENVINO is not set")
@pytest.mark.benchmark(group="OpenVINO provider")
@pytest.mark.parametrize("batch", [1, 32])
def test_the_portable_file_on_the_openvino_provider(
    benchmark: Any,
    folder: Path,
    cores: int,
    processes: dict[str, Process],
    valid: tuple[Any, Any],
    batch: int,
):
    pixels = valid[0][:batch]
    np.save(folder / "batch.npy", pixels)
    command = [str(OPENVINO), "-c", PROVIDER, folder / "ours-portable.onnx", folder / "batch.npy"]
    openvino = processes["OpenVINO int8"]
    theirs: list[float] = []
    ours: list[float] = []
    for _ in range(ROUNDS):
        theirs += (taken / batch for taken in openvino.milliseconds(pixels, SECONDS))
        run = subprocess.run(
            [*command, str(cores), str(SECONDS)], check=True, capture_output=True, text=True
        )
        scores, median = run.stdout.splitlines()
        ours.append(float(median) / batch)
    expected = Session((folder / "ours.onnx").read_bytes(), device="cpu").run(pixels).scores[:, 1]
    np.testing.assert_allclose(np.array(scores.split(), float), expected, atol=GOLDEN_TOLERANCE)
    medians = statistics.median(theirs), statistics.median(ours)
    print(
        f"\n{cores} threads, batch of {batch}: OpenVINO int8 {medians[0]:.3f} ms, ours on its "
        f"provider {medians[1]:.3f} ms, {medians[1] / medians[0]:.2f} of it"
    )
    benchmark.extra_info.update(zip(("OpenVINO int8", "ours"), medians, strict=True))
    benchmark(openvino, pixels)  # includes the pipe to the process; the medians above do not
    if benchmark.enabled:
        assert medians[1] <= 1.1 * medians[0]


#: Loads a file from bytes, as the runtime does, eight times. Prints for each load the time, ms, and
#: the number of memory pages touched for the first time.
LOADS = """
import resource, sys, time
import galaxy_edge, onnxruntime

model = open(sys.argv[1], "rb").read()
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    before, start = pages(), time.perf_counter()
    onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    print(1e3 * (time.perf_counter() - start), pages() - before)
"""


@pytest.mark.benchmark(group="session load")
def test_load(benchmark: Any, folder: Path):
    """A process loads its model once, so the first load counts. The files take turns, each in its
    own process.
    """
    files = [folder / "static.onnx", folder / "ours.onnx"]
    found: dict[Path, list[Any]] = {path: [] for path in files}
    for _ in range(11):
        for path in files:
            command = [sys.executable, "-c", LOADS, path]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[path].append(np.array(printed.split(), float).reshape(-1, 2))
    for when, which in (("first", 0), ("eighth", -1)):
        plain, ours = (np.median([each[which] for each in found[path]], axis=0) for path in files)
        print(
            f"\n{when} load: plain static {plain[0]:.1f} ms, {plain[1]:.0f} new pages; ours "
            f"{ours[0]:.1f} ms, {ours[1]:.0f} new pages; {ours[0] / plain[0]:.2f} of its time"
        )
        benchmark.extra_info[f"{when}_load_ratio"] = ours[0] / plain[0]
    model = files[1].read_bytes()
    benchmark(onnxruntime.InferenceSession, model, providers=["CPUExecutionProvider"])
    assert len(model) <= 6e6
    if benchmark.enabled:
        assert benchmark.extra_info["first_load_ratio"] <= 1
