# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The noise of the simulated camera is that of real mosaics.
"""

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import binary_dilation

from galmorph.simulation import WFC3_F160W


def correlation(image, good, dy, dx):
    """Correlation of pixels (dy, dx) apart where both are good."""
    ny, nx = image.shape
    first, second = np.s_[dy:, dx:], np.s_[: ny - dy, : nx - dx]
    both = good[first] & good[second]
    return (image[first] * image[second])[both].mean() / image[good].var()


OFFSETS = {(0, 1): 0.55, (1, 1): 0.28, (0, 2): 0.10}


def test_noise_has_the_spread_asked_for_and_correlates_as_drizzled_images_do():
    noise = WFC3_F160W.noise((400, 400), 0.01, np.random.default_rng(1))
    assert noise.std() == pytest.approx(0.01, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=2e-4)
    good = np.ones(noise.shape, bool)
    for offset, expected in OFFSETS.items():
        assert correlation(noise, good, *offset) == pytest.approx(expected, abs=0.04)


def test_noise_of_large_areas_is_larger_than_that_of_pixels_tells():
    noise = WFC3_F160W.noise((800, 800), 1.0, np.random.default_rng(2))
    blocks = noise.reshape(40, 20, 40, 20).mean(axis=(1, 3))
    expected = WFC3_F160W.noise_correlation / 20
    assert blocks.std() == pytest.approx(expected, rel=0.1)


def test_longer_exposures_have_less_noise():
    assert WFC3_F160W.sky_rms(4000) == pytest.approx(WFC3_F160W.sky_rms(1000) / 2)
    assert WFC3_F160W.exposure_time(WFC3_F160W.sky_rms(1234)) == pytest.approx(1234)


def test_empty_sky_of_the_xdf_is_like_the_simulated(real_data):
    path = real_data / "xdf_f160w" / "xdf_hst_wfc3ir_60mas_f160w_sci.fits"
    image = fits.getdata(path).astype(float)
    spread = 1.4826 * np.median(np.abs(image - np.median(image)))
    empty = ~binary_dilation(np.abs(image) > 4 * spread, iterations=6)
    image = image - np.median(image[empty])
    for offset, expected in OFFSETS.items():
        assert correlation(image, empty, *offset) == pytest.approx(expected, abs=0.12)
    # the exposure time of the XDF (Illingworth et al. 2013)
    assert image[empty].std() == pytest.approx(WFC3_F160W.sky_rms(236e3), rel=0.25)
