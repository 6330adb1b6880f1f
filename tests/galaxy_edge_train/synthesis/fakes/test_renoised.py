"""The diffusion model changes reals: the more noise it adds, the more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from galaxy_edge_train.generators import Diffusion, training  # noqa: E402
from galaxy_edge_train.generators.diffusion import STEPS  # noqa: E402
from galaxy_edge_train.generators.trainable import to_floats  # noqa: E402
from galaxy_edge_train.progress import Bar  # noqa: E402
from galaxy_edge_train.synthesis.config import SynthesisConfig  # noqa: E402
from galaxy_edge_train.synthesis.fakes import FAMILIES, Reals, samples  # noqa: E402
from tests.conftest import galaxy  # noqa: E402

SIZE = 16
IMAGES = np.stack([galaxy(seed, SIZE) for seed in range(8)])
SOURCES = np.ones((8, 1), np.float32)


@pytest.fixture(scope="module")
def diffusion() -> Diffusion:
    """An untrained model that does not predict zero."""
    keras.utils.set_random_seed(0)
    model = Diffusion(SIZE, 1)
    rng = np.random.default_rng(0)
    weights = model.network.get_weights()
    model.network.set_weights([w + 0.02 * rng.standard_normal(w.shape) for w in weights])
    return model


def test_more_noise_leaves_less_of_the_image(diffusion: Diffusion):
    pixels = to_floats(IMAGES)
    changes = []
    for steps in (1, STEPS // 3, STEPS):
        made = diffusion.renoise(pixels, np.full(8, steps), SOURCES, np.random.default_rng(1))
        changes.append(np.abs(made - pixels).mean())
    assert changes[0] < 0.5 * changes[1] < 0.5 * changes[2]


def test_with_all_noise_nothing_is_left_but_a_sample(diffusion: Diffusion):
    made, sample = (
        diffusion.renoise(to_floats(IMAGES), np.full(8, STEPS), SOURCES, np.random.default_rng(1)),
        diffusion.sample(SOURCES, np.random.default_rng(1)),
    )
    assert np.allclose(made, sample, atol=1e-4)


def test_each_image_of_a_batch_takes_its_own_steps(diffusion: Diffusion):
    steps = np.array([1, 4, 9, 2, 1, 6, 3, 3])
    rng = np.random.default_rng
    mixed = diffusion.renoise(to_floats(IMAGES), steps, SOURCES, rng(1))
    for row, own in enumerate(steps):
        alike = diffusion.renoise(to_floats(IMAGES), np.full(8, own), SOURCES, rng(1))
        assert np.allclose(mixed[row], alike[row], atol=1e-5)


def test_the_diffusion_model_is_trained_once_for_both_families(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    steps = []

    def counting(*arguments, **options):
        options["on_step"] = lambda *_: steps.append(1)
        return training.fit(*arguments, **options)

    monkeypatch.setattr(samples, "fit", counting)
    monkeypatch.setattr(samples, "_BATCH", 8)
    config = SynthesisConfig(size=SIZE, epochs=1, batch_size=4)
    made = {}
    for name in ("diffusion", "renoised"):
        family = FAMILIES[name](name, config, tmp_path, Bar(quiet=True))
        family.train(Reals(IMAGES, SOURCES))
        made[name] = np.stack(list(family.fakes(Reals(IMAGES, SOURCES))))
    assert len(steps) == 2
    assert made["renoised"].shape == IMAGES.shape
    assert not (made["renoised"] == IMAGES).all(axis=(1, 2, 3)).any()
    light = [values.mean(axis=(1, 2, 3)) for values in (IMAGES, *made.values())]
    # Renoised images have the brightness of their reals, samples do not.
    real, sampled, renoised = light
    assert np.abs(renoised - real).mean() < np.abs(sampled - real).mean()
