# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Galaxies nearby as another camera would see them far away.
"""

import galsim
import numpy as np
import pytest

from galmorph.core import ConfigurationError, ImageError
from galmorph.images import Preprocessor, cutout_from_image
from galmorph.simulation import (
    WFC3_F160W,
    draw_redshifted,
    redshifted,
    unstretched,
)

SIDE = 128


def nearby(random, radius=14.0, noise=1.0, flux=3e5, x=63.5, y=63.5):
    """An exponential disk through a Gaussian PSF of 3.3 pixels."""
    disk = galsim.Exponential(half_light_radius=radius, flux=flux)
    disk = galsim.Convolve(disk.shear(q=0.6, beta=0.5 * galsim.radians),
                           galsim.Gaussian(fwhm=3.3))  # fmt: skip
    image = disk.drawImage(
        nx=SIDE, ny=SIDE, scale=1, offset=(x - 63.5, y - 63.5), method="no_pixel"
    ).array
    return image + noise * random.normal(size=image.shape) + 20.0


def test_far_galaxy_is_what_galsim_draws_of_it():
    random = np.random.default_rng(1)
    image = nearby(random, noise=0.01)
    far = redshifted(image, half_light_radius=5, snr=1e4, random=random, magnitude=20.0)
    zoom = 5 / _radius(image)
    disk = galsim.Exponential(half_light_radius=14 * zoom * 0.06, flux=1.0)
    disk = galsim.Convolve(disk.shear(q=0.6, beta=0.5 * galsim.radians),
                           WFC3_F160W.psf())  # fmt: skip
    expected = disk.drawImage(
        nx=64, ny=64, scale=0.06, method="no_pixel", dtype=float
    ).array * 10 ** (-0.4 * (20 - WFC3_F160W.zero_point))
    assert far.data == pytest.approx(expected, abs=0.05 * expected.max())
    assert far.data.sum() == pytest.approx(expected.sum(), rel=0.05)


def _radius(image):
    from galmorph.simulation.redshifting import _source

    return _source(image, None, "keep").radius


@pytest.mark.parametrize("snr", [15.0, 80.0])
def test_noise_is_that_asked_for_and_that_of_the_camera(snr):
    random = np.random.default_rng(2)
    far = redshifted(
        nearby(random), half_light_radius=5, snr=snr, random=random, magnitude=24
    )
    rms = float(far.uncertainty.array[0, 0])
    sky = np.concatenate([far.data[:9].ravel(), far.data[-9:].ravel()])
    assert sky.std() == pytest.approx(rms, rel=0.2)
    beside = (far.data[:9, 1:] * far.data[:9, :-1]).mean() / sky.var()
    assert beside == pytest.approx(0.54, abs=0.2)
    flux = 10 ** (-0.4 * (24 - WFC3_F160W.zero_point))
    correlated = WFC3_F160W.noise_correlation * np.sqrt(np.pi) * 5
    assert 0.5 * flux / (rms * correlated) == pytest.approx(snr, rel=0.1)


def test_size_is_that_asked_for():
    random = np.random.default_rng(3)
    radii = []
    for size in (4, 8):
        far = redshifted(nearby(random), half_light_radius=size, snr=300, random=random)
        stamps = Preprocessor()([cutout_from_image(far)])
        radii.append(stamps.measurements["petrosian_radius"][0].value)
    assert radii[1] / radii[0] == pytest.approx(2, rel=0.2)


def test_nothing_is_enlarged():
    random = np.random.default_rng(4)
    image = nearby(random, radius=6)
    far = redshifted(image, half_light_radius=50, snr=100, random=random)
    assert far.data.shape == (SIDE, SIDE)


def test_neighbours_stay_or_go():
    random = np.random.default_rng(5)
    image = nearby(random, radius=8, flux=1e5)
    image[100:104, 100:104] += 300
    sums = []
    for neighbours in ("keep", "remove"):
        far = redshifted(
            image, half_light_radius=5, snr=200, random=random, neighbours=neighbours
        )
        quarter = far.data[len(far.data) * 2 // 3 :, len(far.data) * 2 // 3 :]
        sums.append(quarter.max() / far.uncertainty.array[0, 0])
    assert sums[0] > 8 and sums[1] < 6


def test_pictures_are_unstretched():
    flux = np.linspace(0, 30, 50)
    assert unstretched(50 * np.arcsinh(flux)) == pytest.approx(flux, rel=1e-4, abs=1e-4)


def test_draws_are_of_any_camera_and_repeatable():
    image = nearby(np.random.default_rng(6))
    scales = set()
    for seed in range(6):
        first, again = (
            draw_redshifted(image, np.random.default_rng(seed)) for _ in range(2)
        )
        assert np.array_equal(first.data, again.data)
        assert np.isfinite(first.data).all()
        scales.add(first.meta["pixel_scale"].value)
    assert len(scales) == 6


def test_real_galaxies_are_found_and_made_far(real_data):
    with np.load(real_data / "sdss_gz1" / "images.npz") as file:
        images = file["images"][::250]
    random = np.random.default_rng(7)
    made = [draw_redshifted(image, random, levels=50.0) for image in images]
    stamps = Preprocessor()([cutout_from_image(image) for image in made])
    assert stamps.usable.mean() > 0.9
    assert np.nanmedian(stamps.measurements["snr"]) > 10


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"half_light_radius": 0}, ConfigurationError, "half_light_radius:"),
        ({"snr": -1}, ConfigurationError, "snr:"),
        ({"neighbours": "sell"}, ConfigurationError, "neighbours:"),
        ({"image": np.zeros((64, 50))}, ImageError, "shape"),
        ({"image": np.zeros((64, 64))}, ImageError, "no source"),
        ({"image": np.full((64, 64), np.nan)}, ImageError, "finite"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, error, named):
    random = np.random.default_rng(8)
    given = {"image": nearby(random), "half_light_radius": 5, "snr": 50} | arguments
    with pytest.raises(error, match=named):
        redshifted(given.pop("image"), random=random, **given)
