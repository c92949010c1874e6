# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""The Petrosian radius of profiles for which it is known."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from galmorph.images import petrosian_radius

PROFILES = {
    "exponential": lambda r: np.exp(-r / 8),
    "gaussian": lambda r: np.exp(-((r / 10) ** 2) / 2),
    "beta": lambda r: (1 + (r / 6) ** 2) ** -2.0,
}


def known_radius(profile):
    def flux(a, b):
        return quad(lambda r: r * profile(r), a, b)[0]

    def excess(r):
        local = flux(0.8 * r, 1.25 * r) / (1.25**2 - 0.8**2)
        return local / flux(0, r) - 0.2

    return brentq(excess, 1, 100)


def image(profile, x=90.0, y=90.0, n=181):
    rows, columns = np.indices((n, n))
    return profile(np.hypot(columns - x, rows - y))


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("x", [90.0, 90.3, 89.5])
def test_the_radius_follows_its_definition(name, x):
    profile = PROFILES[name]
    radius = petrosian_radius(image(profile, x=x), x, 90)
    assert radius == pytest.approx(known_radius(profile), rel=0.04)


def test_flux_scale_does_not_matter():
    data = image(PROFILES["exponential"])
    assert petrosian_radius(data * 1e6, 90, 90) == pytest.approx(
        petrosian_radius(data, 90, 90)
    )


def test_masked_pixels_are_left_out():
    data = image(PROFILES["exponential"])
    clean = petrosian_radius(data, 90, 90)
    data[100:120, 100:120] = 50
    assert petrosian_radius(data, 90, 90, data == 50) == pytest.approx(clean, rel=0.04)


@pytest.mark.parametrize(
    "data", [np.ones((40, 40)), np.zeros((40, 40)), np.ones((3, 3)), np.ones((1, 9))]
)
def test_where_the_ratio_is_not_reached_the_radius_is_nan(data):
    ny, nx = data.shape
    assert np.isnan(petrosian_radius(data, (nx - 1) / 2, (ny - 1) / 2))
