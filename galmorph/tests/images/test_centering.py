# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Centroids, to a fraction of a pixel."""

import numpy as np
import pytest

from galmorph.images import centroid, centroid_batch


def gaussian(x, y, shape=(31, 41)):
    rows, columns = np.indices(shape)
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)


@pytest.mark.parametrize(("x", "y"), [(20.0, 15.0), (19.3, 16.8), (12.5, 12.25)])
def test_the_centre_is_found_between_pixels(x, y):
    assert centroid(gaussian(x, y)) == pytest.approx((x, y), abs=0.01)


def test_masked_and_negative_pixels_do_not_count():
    data = gaussian(20, 15)
    data[2, 2], data[28, 38] = 1e9, -1e9
    mask = data > 1e6
    assert centroid(data, mask) == pytest.approx((20, 15), abs=0.01)
    assert data[2, 2] == 1e9


@pytest.mark.parametrize("data", [np.zeros((9, 9)), np.full((9, 9), np.nan)])
def test_without_flux_there_is_no_centre(data):
    assert np.isnan(centroid(data)).all()


def test_a_batch_is_the_same_as_one_by_one():
    places = [(20.0, 15.0), (12.2, 9.7), (30.1, 20.4)]
    stamps = [gaussian(x, y) for x, y in places]
    found = centroid_batch(stamps)
    assert found.shape == (3, 2)
    np.testing.assert_array_equal(found, [centroid(stamp) for stamp in stamps])
    assert centroid_batch([]).shape == (0, 2)


def test_the_centre_is_the_centre_of_mass_of_photutils():
    from photutils.centroids import centroid_com

    random = np.random.default_rng(2)
    for _ in range(5):
        data = random.normal(size=(13, 21))
        mask = random.random(data.shape) < 0.3
        wanted = centroid_com(np.maximum(data, 0), mask=mask)
        np.testing.assert_allclose(centroid(data, mask), wanted, rtol=1e-12)
