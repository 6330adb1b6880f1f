"""Fixtures: small images, small data folders, and one small model for the whole session."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

# Set before the first import of TensorFlow, which would log a page.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from PIL import Image

from galaxy_edge.inputs.images import Pixels
from tests.without_extras import (  # noqa: F401 - pytest finds the hooks here
    applies,
    pytest_addoption,
    pytest_make_collect_report,
    pytest_runtest_makereport,
)

# A suite that a shell runs in the background ignores Ctrl-C, and so would the commands it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Use two workers for folders, and none for named files, which are faster without them."""
    named = any(".py" in argument for argument in config.args)
    return 0 if named else min(os.cpu_count() or 1, 2)


SHARED = Path(__file__).parents[2] / "shared" / "data"
#: Options of `train` for a network small enough to train in seconds.
TINY = ("--image-size", "24", "--filters", "4,8", "--dense-units", "8", "--batch-size", "8")


def galaxy(seed: int, size: int = 20, *, real: bool = True) -> Pixels:
    """Draw a bright blob on a dark sky, or noise if not `real`; a tiny network can learn this."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 60, (size, size, 3))
    if not real:
        return noise.astype(np.uint8)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    blob = rng.uniform(120, 195) * np.exp(-np.hypot(x, y) / rng.uniform(2, 5))
    return (noise + blob[..., None]).astype(np.uint8)


def encoded(image: Pixels, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, form)
    return file.getvalue()


def make_data(root: Path, train: int = 12, valid: int = 8, test: int = 0) -> Path:
    """Create labelled folders with the same number of images in each class."""
    seed = 0
    for split, count in (("Train", train), ("Valid", valid), ("Test", test)):
        for name in ("Fake", "Real") if count else ():
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                seed += 1
                image = galaxy(seed, real=name == "Real")
                (folder / f"{number:03}.png").write_bytes(encoded(image))
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data")


@pytest.fixture(scope="session")
def session_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("session") / "data", test=4)


@pytest.fixture(scope="session")
def run_folder(request: pytest.FixtureRequest, session_data: Path) -> Path:
    """A finished run of the tiny network."""
    if applies(request.config, "tensorflow"):
        pytest.skip("tensorflow is not installed")
    output = session_data.parent / "run"
    result = galaxy_edge_in_process(
        "train", session_data, "-o", output, *TINY, "--epochs", "4", "--resize", "bilinear",
        "--working-size", "16", "--augment", "exact", "--stop-at-accuracy", "off", "--quiet",
    )  # fmt: skip
    assert result == 0
    return output


@pytest.fixture(scope="session")
def model_file(request: pytest.FixtureRequest) -> Path:
    """The tiny network, exported as a float file without a typicality.

    Without TensorFlow, it is a copy of this fixture's file that was kept on 2026-11-26.
    """
    if applies(request.config, "tensorflow"):
        return Path(__file__).parent / "data" / "tiny.onnx"
    run_folder: Path = request.getfixturevalue("run_folder")
    output = run_folder.parent / "tiny.onnx"
    options = ("--no-typicality", "--quiet")
    assert galaxy_edge_in_process("export", run_folder, "-o", output, *options) == 0
    return output


@pytest.fixture(scope="session")
def typical_file(run_folder: Path) -> Path:
    """The tiny network, exported as a float file with a typicality."""
    output = run_folder.parent / "typical.onnx"
    assert galaxy_edge_in_process("export", run_folder, "-o", output, "--quiet") == 0
    return output


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconstructions by two autoencoders of a few steps each: no option makes it shorter."""
    from galaxy_edge_train.generators import autoencoder
    from galaxy_edge_train.synthesis.fakes import reconstruction

    monkeypatch.setattr(reconstruction, "AUTOENCODERS", 2)
    monkeypatch.setattr(autoencoder, "STEPS", (8, 12))


def galaxy_edge_in_process(*arguments: object) -> int:
    """Run the command line in this process and return its exit code."""
    from galaxy_edge.cli import main

    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    code = exit_.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line: arguments -> exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = galaxy_edge_in_process(*arguments)
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real galaxies, which only the development machines of the project have."""
    if not SHARED.is_dir():
        pytest.skip("the real galaxies are not on this machine")
    return SHARED
