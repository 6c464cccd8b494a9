"""What twice the data would bring: the true gain lies within the band, which tells when it is a guess."""

from __future__ import annotations

import numpy as np
import pytest

from embedtune_nb.experiments.growth import gain_of_doubling

ROWS = np.repeat([250, 500, 1000], 3)


def curve(rows, exponent, drop=0.2, top=0.9):
    return top - drop * (rows / 1000.0) ** -exponent


@pytest.mark.parametrize("exponent", [0.1, 0.5, 1.0])
def test_of_a_curve_without_noise_the_gain_is_exact(exponent):
    gain, low, high = gain_of_doubling(ROWS, curve(ROWS, exponent))
    truth = curve(2000, exponent) - curve(1000, exponent)
    assert gain == pytest.approx(truth, abs=1e-6)
    assert low <= truth + 1e-6 and high >= truth - 1e-6


def test_logarithmic_growth_brings_the_same_again():
    gain, low, high = gain_of_doubling(ROWS, 0.5 + 0.03 * np.log2(ROWS))
    assert gain == pytest.approx(0.03) and low == pytest.approx(0.03) == high


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [0.1, 0.4, 0.9])
def test_the_band_holds_the_true_gain_nineteen_times_of_twenty(exponent):
    rng = np.random.default_rng(0)
    truth = curve(2000, exponent) - curve(1000, exponent)
    held = 0
    for _ in range(400):
        _, low, high = gain_of_doubling(ROWS, curve(ROWS, exponent) + rng.normal(0, 0.01, len(ROWS)))
        held += low <= truth <= high
    assert held >= 0.93 * 400  # three standard errors below 95 %


def test_a_flat_curve_with_noise_shows_no_gain():
    rng = np.random.default_rng(1)
    shown = 0
    for _ in range(200):
        _, low, high = gain_of_doubling(ROWS, 0.7 + rng.normal(0, 0.01, len(ROWS)))
        shown += not low <= 0 <= high
    assert shown <= 0.1 * 200


def test_two_runs_give_a_guess_without_a_band():
    gain, low, high = gain_of_doubling(np.array([500, 1000]), np.array([0.6, 0.65]))
    assert gain > 0 and low is None and high is None
