"""Fits and calibrations on drawn numbers."""

from __future__ import annotations

import numpy as np
import pytest

from galaxy_edge_export.typicality.gaussians import best_density, familiar, fit


def drawn(count: int, seed: int, centre: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(6, 6))
    return centre + rng.normal(size=(count, 6)) @ mix


def test_the_density_is_that_of_a_gaussian():
    samples = drawn(5000, 0)
    fitted = fit(samples)
    covariance = np.cov(samples.T)
    far = samples[:50] - samples.mean(axis=0)
    distance = np.einsum("ni,ij,nj->n", far, np.linalg.inv(covariance), far)
    expected = -0.5 * distance - 0.5 * np.linalg.slogdet(covariance)[1]
    np.testing.assert_allclose(fitted.density(samples[:50]), expected, atol=0.2)


@pytest.mark.parametrize("held_out", [True, False], ids=["validation", "cross-validation"])
def test_the_typicality_is_the_share_of_less_typical_images(held_out: bool):
    sources = [drawn(400, 1), drawn(400, 2, centre=30)]
    other = np.concatenate([drawn(400, 3), drawn(400, 4, centre=30)]) if held_out else None
    known = familiar(sources, other)
    new = np.concatenate([drawn(2000, 5), drawn(2000, 6, centre=30)])
    found = known.typicality(new)
    for share in (0.01, 0.05, 0.25, 0.5, 0.75):
        assert np.mean(found < share) == pytest.approx(share, abs=0.01 + 0.08 * share)
    assert (found >= 0).all()
    assert (found <= 1).all()
    # Between the sources, where one Gaussian for both would have its centre, nothing is usual.
    assert known.typicality(np.full((1, 6), 15.0)) == 0


def test_more_typical_is_more():
    known = familiar([drawn(300, 1)], drawn(300, 2))
    samples = drawn(200, 3)
    order = np.argsort(best_density(known.sources, samples))
    assert (np.diff(known.typicality(samples)[order]) >= 0).all()


def test_statistics_that_never_vary_do_not_divide_by_zero():
    known = familiar([np.ones((20, 6))], None)
    assert 0 < known.typicality(np.ones((1, 6)))[0] <= 1
    assert known.typicality(np.full((1, 6), 2.0)) == 0


def test_fewer_images_than_statistics_can_be_fitted():
    known = familiar([drawn(5, 1)[:, :6]], None)
    assert np.isfinite(known.typicality(drawn(10, 2))).all()


@pytest.mark.parametrize("held_out", [True, False])
def test_a_star_among_the_training_images_does_not_make_everything_usual(held_out: bool):
    samples, others = drawn(80, 1), drawn(80, 2)
    samples[0], others[0] = 300, 500
    known = familiar([samples], others if held_out else None)
    assert known.typicality(np.full((1, 6), 60.0)) == 0
    assert np.mean(known.typicality(drawn(500, 3)) < 0.01) < 0.05
