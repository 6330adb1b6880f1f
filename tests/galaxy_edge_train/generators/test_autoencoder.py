"""Autoencoders of every design reconstruct, learn, and resume with the same result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from galaxy_edge_train.families import Budget  # noqa: E402
from galaxy_edge_train.generators.autoencoder import (  # noqa: E402
    LOSSES,
    UPSAMPLINGS,
    Autoencoder,
    Design,
)
from galaxy_edge_train.generators.trainable import to_floats  # noqa: E402
from galaxy_edge_train.generators.training import fit  # noqa: E402
from tests.conftest import galaxy  # noqa: E402
from tests.galaxy_edge_train.rounding import bit_for_bit  # noqa: E402

SIZE = 16
IMAGES = np.stack([galaxy(seed, SIZE) for seed in range(24)])
DESIGN = Design("nearest", 1, 8, batch_normalisation=False, latent_noise=0.0, loss="L1", steps=1)


def trained(design: Design, checkpoint: Path, epochs: int) -> tuple[Autoencoder, list[float]]:
    keras.utils.set_random_seed(3)
    autoencoder = Autoencoder(SIZE, design)
    sources = np.ones((len(IMAGES), 1), np.float32)
    progress = fit(autoencoder, IMAGES, sources, checkpoint, Budget(epochs), batch_size=8, seed=3)
    return autoencoder, progress.losses


@given(st.integers(0, 2**32 - 1))
def test_designs_lie_in_their_ranges_and_cover_all_upsamplings(seed: int):
    rng = np.random.default_rng(seed)
    drawn = [Design.draw(index, rng) for index in range(len(UPSAMPLINGS))]
    assert {design.upsampling for design in drawn} == set(UPSAMPLINGS)
    for design in drawn:
        assert 1 <= design.depth <= 3
        assert 8 <= design.width <= 16
        assert 100 <= design.steps <= 300
        assert design.latent_noise == 0 or 0.05 <= design.latent_noise <= 0.3
        assert design.loss in LOSSES


def test_all_choices_are_drawn():
    rng = np.random.default_rng(0)
    drawn = [Design.draw(0, rng) for _ in range(100)]
    for name, values in (
        ("depth", {1, 2, 3}),
        ("width", set(range(8, 17))),
        ("batch_normalisation", {False, True}),
        ("loss", set(LOSSES)),
    ):
        assert {getattr(design, name) for design in drawn} == values
    assert {design.latent_noise > 0 for design in drawn} == {False, True}


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("depth", [1, 3])
def test_a_reconstruction_has_the_size_of_the_image(upsampling: str, depth: int):
    autoencoder = Autoencoder(SIZE, replace(DESIGN, upsampling=upsampling, depth=depth))
    made = autoencoder.reconstruct(to_floats(IMAGES[:3]), np.random.default_rng(0))
    assert made.shape == (3, SIZE, SIZE, 3)
    assert made.dtype == np.float32


def test_pixel_shuffling_puts_the_numbers_of_a_pixel_next_to_each_other():
    """From a flat image, all blocks of 2 x 2 pixels are alike far from the edge; pixels differ."""
    keras.utils.set_random_seed(0)
    autoencoder = Autoencoder(SIZE, replace(DESIGN, upsampling="pixel shuffle"))
    flat = np.full((1, SIZE, SIZE, 3), 0.5, np.float32)
    made = autoencoder.reconstruct(flat, np.random.default_rng(0))[0, 6:-6, 6:-6]
    assert np.allclose(made[2:], made[:-2], atol=1e-5)
    assert np.allclose(made[:, 2:], made[:, :-2], atol=1e-5)
    assert not np.allclose(made[1:], made[:-1], atol=1e-3)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_only_latent_noise_makes_reconstructions_random(noise: float):
    autoencoder = Autoencoder(SIZE, replace(DESIGN, latent_noise=noise))
    first, again, other = (
        autoencoder.reconstruct(to_floats(IMAGES), np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert np.array_equal(first, other) == (noise == 0)


@pytest.mark.parametrize(
    ("loss", "normalised"), [*((loss, False) for loss in LOSSES), ("L1", True)]
)
def test_reconstructions_come_closer_to_their_images(loss: str, normalised: bool, tmp_path: Path):
    design = replace(DESIGN, loss=loss, batch_normalisation=normalised)
    misfits = []
    for epochs in (1, 8):
        autoencoder, losses = trained(design, tmp_path / f"{epochs}.npz", epochs)
        made = autoencoder.reconstruct(to_floats(IMAGES), np.random.default_rng(0))
        misfits.append(np.abs(made - to_floats(IMAGES)).mean())
    assert misfits[1] < 0.8 * misfits[0]
    assert losses[-1] < losses[0]


@bit_for_bit
def test_a_resumed_training_restores_the_statistics_of_batch_normalisation(tmp_path: Path):
    design = replace(DESIGN, batch_normalisation=True)
    # The average over the steps is updated in the fourth epoch.
    whole, losses = trained(design, tmp_path / "whole.npz", 4)
    trained(design, tmp_path / "cut.npz", 1)
    resumed, again = trained(design, tmp_path / "cut.npz", 4)
    assert losses == again
    for weight, same in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert np.array_equal(weight, same)
