"""The measures, on images for which the result is known."""

from __future__ import annotations

import numpy as np
import pytest

from galaxy_edge_train.synthesis import measures


def radius(size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(x, y)


@pytest.mark.parametrize("cycles", [4, 9, 20])
def test_a_sine_wave_has_its_power_at_its_frequency(cycles: int):
    wave = np.sin(2 * np.pi * cycles * np.arange(64) / 64) * np.ones((64, 1))
    spectrum = measures.power_spectra(wave[None])[0]
    # The window spreads the power to the next frequency on either side.
    assert abs(np.argmax(spectrum) + 1 - cycles) <= 1
    assert spectrum[cycles + 3 :].max(initial=0) < 1e-6 * spectrum.max()


def test_white_noise_has_a_flat_spectrum():
    noise = np.random.default_rng(0).standard_normal((400, 32, 32))
    spectrum = measures.power_spectra(noise).mean(axis=0)
    assert spectrum[2:].std() < 0.05 * spectrum.mean()


def test_a_profile_is_the_light_at_each_radius():
    profile = measures.radial_profiles(radius(32)[None])[0]
    assert profile == pytest.approx(np.arange(16) + 0.5, abs=0.25)


def test_colours_are_differences_of_magnitudes_above_the_sky():
    disc = (radius(32) < 8)[..., None] * np.array([100, 40, 40]) + np.array([10, 50, 0])
    red_green, green_blue = measures.colours(disc[None].astype(np.uint8))[0]
    assert red_green == pytest.approx(-2.5 * np.log10(100 / 40), abs=1e-6)
    assert green_blue == pytest.approx(0, abs=1e-6)


def test_the_concentration_of_a_gaussian_is_known():
    """r80 / r20 is sqrt(ln 5 / ln 1.25) for any width."""
    expected = 5 * np.log10(np.sqrt(np.log(5) / np.log(1.25)))
    wide, narrow = (np.exp(-((radius(128) / width) ** 2) / 2) for width in (16, 10))
    found = measures.concentrations(np.stack([wide, narrow]) * 0.8 + 0.1)
    assert found == pytest.approx([expected, expected], abs=0.1)


def test_an_image_without_light_has_no_concentration():
    found = measures.concentrations(np.full((1, 16, 16), 0.3))
    assert np.isnan(found).all()
    assert np.isfinite(measures.colours(np.full((1, 16, 16, 3), 77, np.uint8))).all()
