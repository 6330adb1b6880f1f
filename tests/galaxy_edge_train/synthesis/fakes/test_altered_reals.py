"""Data sets whose fakes are altered reals: which real, which split, seeds, resuming."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.generators import autoencoder, training
from galaxy_edge_train.generators.autoencoder import UPSAMPLINGS
from galaxy_edge_train.progress import Bar
from galaxy_edge_train.synthesis import synthesize as synthesis
from galaxy_edge_train.synthesis.config import SynthesisConfig
from galaxy_edge_train.synthesis.fakes import FAMILIES, Reals, reconstruction
from galaxy_edge_train.synthesis.fakes.disturbance import Disturbance
from galaxy_edge_train.synthesis.fakes.reconstruction import Reconstruction
from galaxy_edge_train.synthesis.reals import SPLITS
from tests.conftest import galaxy
from tests.galaxy_edge_train.rounding import bit_for_bit
from tests.galaxy_edge_train.synthesis.cutouts import opened, reals

Cli = Callable[..., tuple[int, str, str]]
SIZE = 16
OPTIONS = ("--generator", "reconstruction,disturbance", "--size", SIZE, "--quiet")


@pytest.fixture(autouse=True, scope="module")
def few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstruction, "AUTOENCODERS", 2)
        patch.setattr(autoencoder, "STEPS", (8, 12))
        yield


def images(folder: Path) -> dict[str, Pixels]:
    return {
        path.relative_to(folder).as_posix(): np.asarray(opened(path))
        for path in sorted(folder.glob("*/*/**/*.png"))
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A data set of two sources, and all images that an autoencoder was trained on."""
    root = tmp_path_factory.mktemp("altered")
    seen: list[bytes] = []

    def watching(network, pixels, *rest, **options):
        seen.extend(image.tobytes() for image in pixels)
        return training.fit(network, pixels, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstruction, "fit", watching)
        out = synthesis.synthesize(
            [reals(root / "near", 50), reals(root / "far", 30, first=500)],
            root / "out",
            SynthesisConfig(families=("reconstruction", "disturbance"), size=SIZE),
            quiet=True,
        )
    return out, seen


def test_each_real_gets_one_fake_and_none_equals_a_real(made: tuple[Path, list[bytes]]):
    written = images(made[0])
    for split in SPLITS:
        for source in ("near", "far"):
            count = {
                kind: sum(name.startswith(f"{split}/{kind}/") for name in written)
                for kind in (
                    f"Real/{source}", f"Fake/reconstruction/{source}", f"Fake/disturbance/{source}",
                )
            }  # fmt: skip
            whole, half, rest = count.values()
            assert half + rest == whole
            assert 0 <= half - rest <= 1
    assert len({image.tobytes() for image in written.values()}) == len(written)


def test_autoencoders_learn_from_training_reals_only(made: tuple[Path, list[bytes]]):
    out, seen = made
    written = images(out)
    real = {
        split: {pixels.tobytes() for name, pixels in written.items() if f"{split}/Real" in name}
        for split in SPLITS
    }
    assert set(seen) == real["Train"]
    assert not set(seen) & real["Valid"]


class Inverted(Disturbance):
    """A family whose fakes show from which reals they were made."""

    def fakes(self, reals):
        yield from 255 - reals.pixels


def test_fakes_are_made_from_reals_of_their_own_split_and_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("gan", "disturbance"):
        monkeypatch.setitem(FAMILIES, name, Inverted)
    out = synthesis.synthesize(
        [reals(tmp_path / "near", 50), reals(tmp_path / "far", 30, first=500)],
        tmp_path / "out",
        SynthesisConfig(families=("gan", "disturbance"), size=SIZE),
        quiet=True,
    )
    written = images(out)
    for split in SPLITS:
        for source in ("near", "far"):
            real, gan, disturbance = (
                [pixels for name, pixels in written.items() if f"{split}/{kind}/{source}/" in name]
                for kind in ("Real", "Fake/gan", "Fake/disturbance")
            )
            # The families share the reals between them.
            assert np.array_equal(np.stack(gan), 255 - np.stack(real[::2]))
            assert np.array_equal(np.stack(disturbance), 255 - np.stack(real[1::2]))


def test_the_seed_decides_the_autoencoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reconstruction, "fit", lambda *_, **__: training.Progress([0.0], 0.0))
    pixels = np.stack([galaxy(seed, SIZE) for seed in range(8)])
    given = Reals(pixels, np.ones((8, 1), np.float32))

    def fakes(seed: int) -> Pixels:
        config = SynthesisConfig(seed=seed, size=SIZE)
        family = Reconstruction("reconstruction", config, tmp_path, Bar(quiet=True))
        family.train(given)
        return np.stack(list(family.fakes(given)))

    assert np.array_equal(fakes(1), fakes(1))
    assert not np.array_equal(fakes(1), fakes(2))


def test_the_designs_are_recorded(made: tuple[Path, list[bytes]]):
    record = json.loads((made[0] / "generators.json").read_text())
    assert list(record) == ["reconstruction", "disturbance"]
    first, second = record["reconstruction"]["autoencoders"]
    assert (first["upsampling"], second["upsampling"]) == UPSAMPLINGS[:2]
    for each in (first, second):
        assert 8 <= each["steps"] <= 12
        assert len(each["losses"]) == 1
        assert each["seconds"] > 0
    assert len(record["disturbance"]["kinds"]) == 8


@bit_for_bit
def test_a_resumed_synthesis_gives_the_same_images_and_trains_no_autoencoder_twice(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    folder = reals(tmp_path / "reals", 30)
    assert cli("synthesize", folder, "-o", tmp_path / "whole", *OPTIONS)[0] == 0

    def killed(network, pixels, sources, checkpoint, *rest, **options):
        if checkpoint.name == "reconstruction-1.npz":
            raise KeyboardInterrupt
        return training.fit(network, pixels, sources, checkpoint, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(reconstruction, "fit", killed)
        assert cli("synthesize", folder, "-o", tmp_path / "cut", *OPTIONS)[0] == 130
    epochs: list[str] = []

    def counting(network, pixels, sources, checkpoint, *rest, **options):
        options["on_step"] = lambda *_: epochs.append(checkpoint.name)
        return training.fit(network, pixels, sources, checkpoint, *rest, **options)

    monkeypatch.setattr(reconstruction, "fit", counting)
    code, _, err = cli("synthesize", folder, "-o", tmp_path / "cut", "--resume", *OPTIONS)
    assert (code, err) == (0, "")
    assert set(epochs) == {"reconstruction-1.npz"}
    whole, cut = images(tmp_path / "whole"), images(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    for name, pixels in whole.items():
        assert np.array_equal(pixels, cut[name]), name


class Copies(Disturbance):
    """A family that forgets to alter its reals."""

    def fakes(self, reals):
        yield from reals.pixels


def test_a_fake_that_equals_a_real_is_an_error(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(FAMILIES, "disturbance", Copies)
    code, _, err = cli(
        "synthesize", reals(tmp_path / "reals", 30), "-o", tmp_path / "out",
        "--generator", "disturbance", "--size", SIZE,
    )  # fmt: skip
    assert code == UsageError.exit_code
    assert "disturbance made a fake that equals the real image" in err
    assert str(tmp_path / "reals") in err
    assert not (tmp_path / "out").exists()


class Fixed:
    """In place of an autoencoder: adds a constant to bright images only."""

    def __init__(self, change: float) -> None:
        self.change = change

    def reconstruct(self, pixels, rng):
        return pixels + np.where(pixels > 0, 0.5, self.change).astype(np.float32)


def test_an_exact_reconstruction_is_left_to_the_next_autoencoder(tmp_path: Path):
    family = Reconstruction("reconstruction", SynthesisConfig(), tmp_path, Bar(quiet=True))
    family.autoencoders = [Fixed(0.0), Fixed(0.0), Fixed(0.1)]
    pixels = np.full((6, SIZE, SIZE, 3), 200, np.uint8)
    pixels[3] = 0
    fakes = np.stack(list(family.fakes(Reals(pixels, np.ones((6, 1), np.float32)))))
    assert not (fakes == pixels).all(axis=(1, 2, 3)).any()
    assert fakes[3, 0, 0, 0] == 13
