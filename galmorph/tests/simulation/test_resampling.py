# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Images that are put together from few exposures with larger pixels."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from scipy import ndimage

from galmorph.simulation import WFC3_F160W
from galmorph.simulation.population import draw_galaxy
from galmorph.simulation.rendering import render
from galmorph.simulation.resampling import drizzle, smooth
from galmorph.simulation.scenes import make_scene, resample

galsim = pytest.importorskip("galsim")

STEP = WFC3_F160W.detector_step
PIXFRAC = WFC3_F160W.pixfrac
FOURTH_DIFFERENCE = np.array([1.0, -4, 6, -4, 1])


def small_galaxy(random, radius=0.13):
    galaxy = draw_galaxy(random, "spheroid") | {
        "magnitude": 20.0,
        "half_light_radius": radius,
        "bulge_to_total": 1.0,
        "sersic_n": 2.0,
        "axis_ratio": 0.85,
    }
    x, y = 31.5 + random.uniform(-0.5, 0.5, size=2)
    return render(galaxy, WFC3_F160W.before_drizzling(), 64, x, y, random)


def roughness(image):
    """What no smooth profile has, in the middle of the galaxy, over its peak."""
    y, x = np.unravel_index(np.argmax(ndimage.gaussian_filter(image, 1.0)), image.shape)
    differences = [
        ndimage.correlate1d(image, FOURTH_DIFFERENCE, axis=axis) for axis in (0, 1)
    ]
    rows, columns = np.indices(image.shape)
    middle = np.hypot(rows - y, columns - x) < 3.5
    return np.sqrt(np.mean(np.hypot(*differences)[middle] ** 2)) / image.max()


def test_drizzled_image_is_the_smooth_one_on_average():
    random = np.random.default_rng(1)
    galaxy = small_galaxy(random)
    expected = smooth(galaxy, STEP, PIXFRAC)
    drawn = np.array([drizzle(galaxy, STEP, PIXFRAC, 4, random) for _ in range(300)])
    light = drawn.sum(axis=(1, 2)) / galaxy.sum()
    assert light == pytest.approx(1, abs=0.05)
    assert light.mean() == pytest.approx(1, abs=0.002)
    assert expected.sum() == pytest.approx(galaxy.sum(), rel=1e-3)
    error = drawn.std(axis=0).max() / np.sqrt(len(drawn))
    assert drawn.mean(axis=0) == pytest.approx(
        expected, abs=4 * error + 0.01 * expected.max()
    )


def test_smooth_image_is_that_of_galsim():
    profile = galsim.Gaussian(fwhm=0.17)
    scale = WFC3_F160W.pixel_scale
    boxes = [galsim.Pixel(scale), galsim.Pixel(PIXFRAC * STEP * scale)]

    def draw(shape):
        image = galsim.ImageD(41, 41, scale=scale)
        return shape.drawImage(image, method="no_pixel").array

    expected = draw(galsim.Convolve([profile, *boxes]))
    made = smooth(draw(profile), STEP, PIXFRAC)
    assert made == pytest.approx(expected, abs=0.01 * expected.max())


@pytest.mark.parametrize("step", [1.0, 1.6, STEP])
@pytest.mark.parametrize("pixfrac", [0.6, 1.0])
def test_even_light_stays_even(step, pixfrac):
    random = np.random.default_rng(2)
    for exposures in (2, 5):
        made = drizzle(np.full((30, 41), 3.0), step, pixfrac, exposures, random)
        assert made == pytest.approx(3.0, rel=1e-9)


def scatter_about_smooth(galaxy, draw):
    """Mean over images of their standard deviation about the smooth one."""
    expected = smooth(galaxy, STEP, PIXFRAC)
    return np.mean([(draw(galaxy) - expected).std() for _ in range(20)])


def test_more_exposures_are_smoother():
    random = np.random.default_rng(3)
    galaxy = small_galaxy(random)
    left = [
        scatter_about_smooth(
            galaxy, lambda x, n=n: drizzle(x, STEP, PIXFRAC, n, random)
        )
        for n in (3, 12, 48)
    ]
    assert left[0] > 1.6 * left[1] > 1.6**2 * left[2]


def test_exposures_follow_from_the_depth():
    random = np.random.default_rng(4)
    galaxy = small_galaxy(random)
    rough = [
        scatter_about_smooth(
            galaxy, lambda x, rms=rms: resample(x, WFC3_F160W, rms, random)
        )
        for rms in map(WFC3_F160W.sky_rms, (1600.0, 5000.0, 1.2e5))
    ]
    assert rough[0] > rough[1] > rough[2] == 0


def test_scenes_are_drizzled_and_a_given_psf_is_final():
    def rough(camera):
        scenes = [
            make_scene(np.random.default_rng(seed), camera, {"spheroid": 1})
            for seed in range(30)
        ]
        bright = [s.image for s in scenes if s.truth["magnitude"] < 21.5]
        assert len(bright) > 5
        return np.median([roughness(image) for image in bright])

    smoothed = WFC3_F160W.with_psf(fwhm=WFC3_F160W.psf_fwhm)
    assert not smoothed.pixfrac
    assert rough(WFC3_F160W) > 1.5 * rough(smoothed)


def test_real_spheroids_are_as_jagged_as_drizzled_ones(real_data):
    folder = real_data / "candels_f160w"
    found = []
    for row in Table.read(folder / "labels.ecsv"):
        image = fits.getdata(folder / row["file"]).astype(float)
        segments = fits.getdata(folder / row["segmap_file"])
        noise = 1.48 * np.median(np.abs(image[segments == 0]))
        y, x = (int(np.mean(i)) for i in np.nonzero(segments == row["segment_id"]))
        cutout = image[y - 16 : y + 17, x - 16 : x + 17]
        if cutout.max() > 60 * noise:
            found.append(roughness(cutout))
    assert len(found) == 5
    random = np.random.default_rng(6)
    galaxies = [small_galaxy(random, random.uniform(0.1, 0.3)) for _ in range(60)]
    drizzled = [
        roughness(drizzle(galaxy, STEP, PIXFRAC, random.integers(4, 11), random))
        for galaxy in galaxies
    ]
    smoothed = [roughness(smooth(galaxy, STEP, PIXFRAC)) for galaxy in galaxies]
    assert np.median(found) == pytest.approx(np.median(drizzled), rel=0.35)
    assert min(found) > 2 * max(smoothed)
