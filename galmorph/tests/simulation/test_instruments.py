# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The noise of the simulated camera is that of real mosaics.
"""

import numpy as np
import pytest
from astropy.io import fits
from photutils.aperture import CircularAperture
from scipy.ndimage import binary_dilation

from galmorph.core import ConfigurationError
from galmorph.images import detect_sources
from galmorph.images.centering import centroid
from galmorph.simulation import (
    INSTRUMENTS,
    WFC3_F160W,
    get_instrument,
    simulate_galaxies,
)
from galmorph.simulation.population import draw_galaxy
from galmorph.simulation.rendering import render
from galmorph.simulation.scenes import add_noise


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


def test_photons_of_a_bright_galaxy_scatter_as_those_of_the_sky():
    # where a galaxy is as bright as the sky with all else that makes noise
    time = 2000.0
    sky = WFC3_F160W.sky + WFC3_F160W.read_noise**2 / WFC3_F160W.readout
    sky *= (WFC3_F160W.pixel_scale / WFC3_F160W.detector_scale) ** 2
    rms = WFC3_F160W.sky_rms(time)
    flat = np.full((400, 400), sky, np.float32)
    noise = add_noise(flat, WFC3_F160W, rms, np.random.default_rng(5)) - flat
    assert noise.std() == pytest.approx(np.sqrt(2) * rms, rel=0.02)
    # large areas lose nothing by the resampling: their photons scatter as they are
    blocks = noise.reshape(20, 20, 20, 20).sum(axis=(1, 3))
    assert blocks.std() == pytest.approx(np.sqrt(2 * 400 * sky / time), rel=0.1)
    good = np.ones(noise.shape, bool)
    for offset, expected in OFFSETS.items():
        assert correlation(noise, good, *offset) == pytest.approx(expected, abs=0.04)


def test_longer_exposures_have_less_noise():
    assert WFC3_F160W.sky_rms(4000) == pytest.approx(WFC3_F160W.sky_rms(1000) / 2)
    assert WFC3_F160W.exposure_time(WFC3_F160W.sky_rms(1234)) == pytest.approx(1234)


def empty_sky(path):
    """Pixels without a source in units of their noise, and where they are."""
    image = fits.getdata(path).astype(float)
    found = detect_sources(image)
    sky = (image - found.background) / found.rms
    good = ~binary_dilation(found.segmentation > 0, iterations=8) & (np.abs(sky) < 4)
    return sky - sky[good].mean(), good, np.median(found.rms)


@pytest.mark.parametrize(
    "name",
    [
        "xdf_f160w/xdf_hst_wfc3ir_60mas_f160w_sci.fits",
        "hst_deep_500/f160w_sci.fits.gz",
        "candels_f160w/GDS_deep2_6739_h.fits",
        "candels_f160w/GDS_ers2_12930_h.fits",
        "candels_f160w/GDS_wide2_208_h.fits",
        "candels_f160w/GDS_wide2_3550_h.fits",
    ],
)
def test_noise_of_empty_real_sky_correlates_like_the_simulated(real_data, name):
    sky, good, rms = empty_sky(real_data / name)
    assert good.mean() > 0.4
    noise = WFC3_F160W.noise((600, 600), 1.0, np.random.default_rng(3))
    everywhere = np.ones(noise.shape, bool)
    for offset in [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (0, 3), (0, 6)]:
        found = correlation(sky, good, *offset)
        simulated = correlation(noise, everywhere, *offset)
        assert found == pytest.approx(simulated, abs=0.08), offset
    # the exposure time of the XDF (Illingworth et al. 2013)
    if name.startswith("xdf"):
        assert rms == pytest.approx(WFC3_F160W.sky_rms(236e3), rel=0.1)


def test_psf_is_that_of_a_real_star(real_data):
    image = fits.getdata(real_data / "hst_deep_500" / "f160w_sci.fits.gz")
    star = image[335:426, 70:161].astype(float)
    x, y = centroid(star)
    truth = draw_galaxy(np.random.default_rng(1), "star")
    truth.update(magnitude=WFC3_F160W.zero_point, saturation=0.0)
    made = render(truth, WFC3_F160W, 91, x, y, None)
    rows, columns = np.indices(star.shape)
    radius = np.hypot(rows - y, columns - x)
    star /= star[radius < 4].sum() / made[radius < 4].sum()
    for low, high in [(2, 4), (4, 6), (6, 10), (10, 18), (18, 30), (30, 40)]:
        ring = (radius >= low) & (radius < high)
        assert made[ring].mean() == pytest.approx(star[ring].mean(), rel=0.3), low
    # its core too: the light within half and one and a half FWHM
    for within in (1.6, 2.5, 4.8):
        light = [CircularAperture((x, y), within).do_photometry(i)[0][0]
                 / CircularAperture((x, y), 10).do_photometry(i)[0][0]
                 for i in (made, star)]  # fmt: skip
        assert light[0] == pytest.approx(light[1], rel=0.05), within


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_camera_makes_galaxies(name):
    camera = get_instrument(name.upper())
    galaxies = simulate_galaxies(3, seed=5, instrument=name)
    image = galaxies.cutouts[0]
    assert image.meta["pixel_scale"].value == camera.pixel_scale
    assert set(galaxies.table["depth"]) <= {depth for depth, *_ in camera.depths}
    assert sum(share for *_, share in camera.depths) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "fwhm"),
    [
        ("wfc3_f160w", 0.19),
        ("acs_f814w", 0.10),
        ("nircam_f200w", 0.07),
        ("euclid_vis", 0.16),
        ("lsst_r", 0.75),
        ("sdss_r", 1.3),
    ],
)
def test_cameras_are_as_sharp_as_they_should_be(name, fwhm):
    assert get_instrument(name).psf_fwhm == pytest.approx(fwhm, rel=0.1)


def test_unknown_camera_is_named_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"'hubble'.*wfc3_f160w"):
        get_instrument("hubble")


def test_psf_can_be_of_any_width_or_an_image():
    assert WFC3_F160W.with_psf(fwhm=0.5).psf_fwhm == pytest.approx(0.5, rel=0.02)
    side = np.arange(41) - 20
    blurred = np.exp(-0.5 * (side**2 + side[:, None] ** 2) / 2.5**2)
    camera = WFC3_F160W.with_psf(image=blurred)
    assert camera.psf_fwhm == pytest.approx(2.355 * 2.5 * 0.06, rel=0.02)
    assert camera == WFC3_F160W.with_psf(image=blurred)
    fine = WFC3_F160W.with_psf(image=blurred, scale=0.03)
    assert fine.psf_fwhm == pytest.approx(2.355 * 2.5 * 0.03, rel=0.02)
    alone = simulate_galaxies(66, seed=3, instrument=camera)
    shared = simulate_galaxies(66, seed=3, instrument=camera, n_workers=2)
    assert np.array_equal(alone.cutouts[65].data, shared.cutouts[65].data)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "fwhm, image:"),
        ({"fwhm": 0.1, "image": np.ones((3, 3))}, "fwhm, image:"),
        ({"fwhm": -1}, "fwhm:"),
        ({"image": np.ones(3)}, "image:"),
        ({"image": np.full((3, 3), np.nan)}, "image:"),
    ],
)
def test_what_is_no_psf_is_refused(arguments, named):
    with pytest.raises(ConfigurationError, match=named):
        WFC3_F160W.with_psf(**arguments)
