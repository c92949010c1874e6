# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Resampling keeps the surface brightness, the centre and the symmetry."""

import numpy as np
import pytest

from galmorph.images import resample
from galmorph.images.resampling import resampling_weights

SIDES = [10.0, 20.0, 45.0, 61.7, 90.0]


def gaussian(x, y, sigma, shape=(120, 120)):
    rows, columns = np.indices(shape)
    radius = np.hypot(columns - x, rows - y)
    return np.exp(-((radius / sigma) ** 2) / 2)


@pytest.mark.parametrize("side", SIDES)
def test_a_constant_stays_what_it_is(side):
    stamp = resample(np.full((120, 120), 7.0), 60.2, 59.6, side, 45)
    np.testing.assert_allclose(stamp, 7.0, rtol=1e-5)


@pytest.mark.parametrize("side", SIDES)
def test_surface_brightness_and_flux_are_conserved(side):
    sigma = side / 12
    stamp = resample(gaussian(60.3, 58.8, sigma), 60.3, 58.8, side, 45)
    flux = stamp.sum() * (side / 45) ** 2
    assert flux == pytest.approx(2 * np.pi * sigma**2, rel=0.01)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", [44, 45])
def test_the_position_becomes_the_middle(side, shape):
    sigma = max(side / 10, 2)  # what a detector samples well
    stamp = resample(gaussian(60.3, 58.8, sigma), 60.3, 58.8, side, shape)
    middle = (np.arange(shape) * stamp.sum(0)).sum() / stamp.sum()
    assert middle == pytest.approx((shape - 1) / 2, abs=0.01)
    np.testing.assert_allclose(stamp, stamp[::-1, ::-1], atol=0.05)


def test_coarser_pixels_skip_nothing():
    weights = resampling_weights(100, 49.5, 100, 25)
    np.testing.assert_allclose(weights[:, 10:-10].sum(0), 0.25, rtol=1e-5)


def test_what_lies_beyond_the_image_counts_as_zero():
    stamp = resample(np.ones((40, 40)), 0, 20, 40, 20)
    assert np.all(stamp[:, :8] == 0)
    np.testing.assert_allclose(stamp[2:-2, 12:], 1, rtol=1e-5)


def test_bands_are_resampled_alike():
    image = gaussian(60, 60, 5)
    stamp = resample(np.stack([image, 2 * image], -1), 60, 60, 40, 20)
    np.testing.assert_allclose(stamp[..., 1], 2 * stamp[..., 0], rtol=1e-5)
