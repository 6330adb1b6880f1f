"""Every generator learns, samples from a seed, and resumes with the same result."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

keras = pytest.importorskip("keras")

from galaxy_edge.errors import UsageError  # noqa: E402
from galaxy_edge_train.families import Budget  # noqa: E402
from galaxy_edge_train.generators import GENERATORS, Generator  # noqa: E402
from galaxy_edge_train.generators.trainable import to_floats, to_pixels  # noqa: E402
from galaxy_edge_train.generators.training import fit  # noqa: E402
from tests.conftest import galaxy  # noqa: E402
from tests.galaxy_edge_train.rounding import bit_for_bit  # noqa: E402

SIZE = 16


def reals(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Bright galaxies from a first source and dark ones from a second."""
    images = np.stack([galaxy(seed, SIZE) for seed in range(count)])
    kinds = np.arange(count) % 2
    images[kinds == 1] //= 4
    return images, np.eye(2, dtype=np.float32)[kinds]


def trained(family: str, checkpoint: Path, epochs: int, **options) -> tuple[Generator, list[float]]:
    keras.utils.set_random_seed(7)
    generator = GENERATORS[family](SIZE, 2)
    images, sources = reals()
    progress = fit(
        generator, images, sources, checkpoint, Budget(epochs), batch_size=8, seed=7, **options
    )
    return generator, progress.losses


@pytest.mark.parametrize("family", GENERATORS)
def test_samples_are_images_decided_by_the_seed(family: str, tmp_path: Path):
    generator, losses = trained(family, tmp_path / "g.npz", 1)
    wanted = np.eye(2, dtype=np.float32)[[0, 1, 1]]
    first, again, other = (
        generator.sample(wanted, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (3, SIZE, SIZE, 3)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert len(losses) == 1


@pytest.mark.parametrize("family", GENERATORS)
@bit_for_bit
def test_a_resumed_training_gives_the_weights_of_an_uninterrupted_one(family: str, tmp_path: Path):
    whole, losses = trained(family, tmp_path / "whole.npz", 3)
    trained(family, tmp_path / "cut.npz", 1)
    resumed, again = trained(family, tmp_path / "cut.npz", 3)
    assert losses == again
    for weight, same in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert np.array_equal(weight, same)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "epochs"), [("vae", 160), ("gan", 60), ("diffusion", 50)])
def test_samples_come_to_look_like_their_source(family: str, epochs: int, tmp_path: Path):
    images, sources = reals()
    misses = []
    for number in (1, epochs):
        generator, _ = trained(family, tmp_path / f"{number}.npz", number)
        made = to_pixels(generator.sample(sources, np.random.default_rng(0))).astype(float)
        light = [made[sources[:, source] == 1].mean() for source in (0, 1)]
        wanted = [images[sources[:, source] == 1].mean() for source in (0, 1)]
        misses.append(np.abs(np.subtract(light, wanted)).max())
    assert misses[1] < misses[0] / 2
    assert light[0] > 1.2 * light[1]


def test_a_budget_of_minutes_ends_after_the_current_epoch(tmp_path: Path):
    keras.utils.set_random_seed(0)
    images, sources = reals()
    progress = fit(
        GENERATORS["vae"](SIZE, 2), images, sources, tmp_path / "g.npz", Budget(50, minutes=1e-9)
    )
    assert len(progress.losses) == 1


@pytest.mark.parametrize("budget", [(0, 1.0), (1, 0.0), (1, math.nan), (1, -1.0)])
def test_a_budget_that_is_not_positive_is_refused(budget: tuple[int, float]):
    with pytest.raises(UsageError):
        Budget(*budget)


def test_every_step_is_reported(tmp_path: Path):
    steps = []
    trained("vae", tmp_path / "g.npz", 2, on_step=lambda *step: steps.append(step[:3]))
    assert steps == [(epoch, step, 3) for epoch in (1, 2) for step in (1, 2, 3)]


def test_a_diverged_training_is_an_error_and_leaves_no_checkpoint(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(GENERATORS["vae"], "learning_rate", math.nan)
    with pytest.raises(UsageError, match="diverged in epoch 1"):
        trained("vae", tmp_path / "g.npz", 1)
    assert not (tmp_path / "g.npz").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", None])
def test_a_damaged_checkpoint_is_an_error(tmp_path: Path, content: bytes | None):
    path = tmp_path / "g.npz"
    trained("vae", path, 1)
    path.write_bytes(path.read_bytes()[:-100_000] if content is None else content)
    with pytest.raises(UsageError, match="damaged"):
        trained("vae", path, 2)


def test_a_steep_critic_becomes_flatter(tmp_path: Path):
    keras.utils.set_random_seed(7)
    gan = GENERATORS["gan"](SIZE, 2)
    images, sources = reals()
    step = 0.01 * np.random.default_rng(0).standard_normal(images.shape, dtype=np.float32)

    def steepness() -> float:
        here, there = (
            gan.critic.predict_on_batch([to_floats(images) + x, sources]) for x in (0 * step, step)
        )
        return float(np.sqrt(np.mean((there - here) ** 2)))

    gan.critic.set_weights([3 * weight for weight in gan.critic.get_weights()])
    before = steepness()
    fit(gan, images, sources, tmp_path / "g.npz", Budget(40), batch_size=8)
    assert steepness() < before / 2


@given(arrays.arrays(np.uint8, (2, 3, 3, 3), elements=st.integers(0, 255)))
def test_grey_levels_survive_the_conversion_to_floats_and_back(images: np.ndarray):
    assert np.array_equal(to_pixels(to_floats(images)), images)


def test_values_beyond_the_range_are_clipped():
    assert to_pixels(np.array([-3.0, -1.0, 1.0, 3.0], np.float32)).tolist() == [0, 0, 255, 255]
