# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Any camera: its point spread function, and galaxies of any size in it.
"""

import galsim
import numpy as np
import pytest

from galmorph.core import CANDELS, ConfigurationError
from galmorph.images import Preprocessor
from galmorph.simulation import (
    WFC3_F160W,
    Optics,
    simulate_galaxies,
    simulate_stamps,
)
from galmorph.simulation.domains import (
    _standing,
    draw_camera,
    draw_target,
    noise_for,
)
from galmorph.simulation.optics import PUPILS
from galmorph.simulation.population import draw_galaxy
from galmorph.simulation.rendering import render


@pytest.fixture(scope="module")
def galaxies():
    return simulate_galaxies(96, seed=8, instrument="random")


def psf_image(optics, n=128, scale=0.05):
    drawn = np.fft.irfft2(optics.transform(n, scale), (n, n))
    return np.fft.fftshift(drawn)


def test_round_psf_is_what_galsim_draws():
    made = psf_image(Optics("round", resolution=0.2, bandwidth=0, boxes=(0.05,)))
    airy = galsim.Airy(lam_over_diam=0.2, obscuration=0.33)
    airy = galsim.Convolve(airy, galsim.Pixel(0.05))
    expected = airy.drawImage(
        nx=128, ny=128, scale=0.05, offset=(0.5, 0.5), method="no_pixel"
    ).array
    assert made[60:69, 60:69] == pytest.approx(
        expected[60:69, 60:69], abs=0.02 * expected.max()
    )


def test_seeing_is_a_moffat_profile():
    optics = Optics("round", resolution=1e-3, seeing=0.6, beta=3.0, boxes=(0.05,))
    moffat = galsim.Convolve(galsim.Moffat(beta=3, fwhm=0.6), galsim.Pixel(0.05))
    expected = moffat.drawImage(
        nx=128, ny=128, scale=0.05, offset=(0.5, 0.5), method="no_pixel"
    ).array
    assert psf_image(optics) == pytest.approx(expected, abs=0.01 * expected.max())
    assert optics.fwhm(0.15) == pytest.approx(0.6, rel=0.04)


@pytest.mark.parametrize(("pupil", "spikes"), [("vanes4", 4), ("hexagons", 6)])
def test_vanes_and_hexagons_make_spikes(pupil, spikes):
    image = psf_image(Optics(pupil, resolution=0.1, bandwidth=0.4), n=192)
    angle = np.radians(np.arange(0, 360, 1))
    along = np.zeros(360)
    for radius in np.arange(30, 80):
        rows = np.rint(96 + radius * np.sin(angle)).astype(int)
        columns = np.rint(96 + radius * np.cos(angle)).astype(int)
        along += image[rows, columns] * radius**2
    harmonics = np.abs(np.fft.rfft(along))[1:13]
    assert np.argmax(harmonics) + 1 in (spikes, 2 * spikes)


@pytest.mark.parametrize("pupil", PUPILS)
def test_no_light_is_lost(pupil):
    optics = Optics(pupil, resolution=0.1, blur=0.02, halo=0.1, boxes=(0.05, 0.05))
    assert psf_image(optics).sum() == pytest.approx(1, abs=1e-5)


def test_cameras_cover_the_useful_range():
    random = np.random.default_rng(1)
    cameras = [draw_camera(random) for _ in range(300)]
    scales = np.array([camera.pixel_scale for camera in cameras])
    assert scales.min() < 0.025 and scales.max() > 0.4
    widths = np.array([camera.psf_fwhm for camera in cameras]) / scales
    assert 1.1 < widths.min() < 1.4 and 5 < widths.max() < 7
    weights = np.array([camera.neighbour_weight for camera in cameras])
    assert (weights == 0).any() and weights.max() > 0.4


def test_noise_gives_the_signal_to_noise_ratio_asked_for():
    random = np.random.default_rng(3)
    camera = draw_camera(random)
    truth = draw_target(random, camera, "spheroid")
    rms = noise_for(truth, camera)
    flux = 10 ** (-0.4 * (truth["magnitude"] - camera.zero_point))
    radius = np.hypot(truth["half_light_radius"], camera.psf_fwhm / 2)
    radius /= camera.pixel_scale
    side = int(2 * radius) + 40
    near = np.hypot(*(np.indices((side, side)) - (side - 1) / 2)) < radius
    sums = [camera.noise(near.shape, rms, random)[near].sum() for _ in range(200)]
    assert 0.5 * flux / np.std(sums) == pytest.approx(truth["snr"], rel=0.25)


def test_galaxies_stand_evenly_among_all_others():
    random = np.random.default_rng(7)
    drawn = (draw_galaxy(random) for _ in range(5000))
    standings = [tuple(_standing(t, random)) for t in drawn if t["half_light_radius"]]
    np.testing.assert_allclose(np.mean(standings, axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(np.std(standings, axis=0), 12**-0.5, atol=0.03)


def test_early_types_are_small_and_bright_in_any_camera():
    random = np.random.default_rng(6)
    cameras = [draw_camera(random) for _ in range(20)]
    size, signal = {}, {}
    for kind in ("spheroid", "disk"):
        drawn = [(draw_target(random, c, kind), c) for c in cameras * 50]
        radius = np.array([t["half_light_radius"] / c.pixel_scale for t, c in drawn])
        width = np.array([c.psf_fwhm / c.pixel_scale for _, c in drawn])
        snr = np.array([t["snr"] for t, _ in drawn])
        size[kind] = np.median(radius)
        signal[kind] = np.median(snr / np.hypot(1, 2 * radius / width))
    assert size["spheroid"] < 0.85 * size["disk"]
    assert signal["spheroid"] > 2 * signal["disk"]


def test_sharp_stars_of_coarse_pixels_do_not_ring():
    random = np.random.default_rng(1)
    cameras = (draw_camera(random) for _ in range(1000))
    camera = next(c for c in cameras if c.psf_fwhm < 1.4 * c.pixel_scale)
    star = draw_target(random, camera, "star") | {"saturation": 0.0, "companion": 0.0}
    image = render(star, camera, 64, 31.8, 32.1, random)
    assert image.min() > -2e-3 * image.max()
    flux = 10 ** (-0.4 * (star["magnitude"] - camera.zero_point))
    assert image.sum() == pytest.approx(flux, rel=0.1)


def test_galaxies_of_any_size_and_brightness_are_drawn(galaxies):
    table = galaxies.table
    radius = (table["half_light_radius"] / table["pixel_scale"]).value
    radius = radius[~np.isin(table["kind"], ["star", "compact"])]
    assert np.percentile(radius, 5) < 4 and radius.max() > 25
    assert table["snr"].min() < 12 and table["snr"].max() > 1000
    labels = CANDELS.labels(table)
    assert np.all((labels >= 0) & (labels <= 1))
    for image, row in zip(galaxies.cutouts, table, strict=True):
        assert np.isfinite(image.data).all()
        assert image.meta["pixel_scale"].value == row["pixel_scale"].value


def test_what_cannot_be_resolved_is_a_point_source_to_all():
    table = simulate_galaxies(
        60, seed=3, instrument="random", kinds={"star": 1, "compact": 1, "disk": 1}
    ).table
    votes = {kind: np.mean(table["f_point_source"][table["kind"] == kind])
             for kind in ("star", "compact", "disk")}  # fmt: skip
    assert votes["star"] > 0.6
    assert votes["star"] > votes["compact"] > votes["disk"]


def test_galaxy_in_any_camera_is_the_same_wherever_a_run_starts(galaxies):
    later = simulate_galaxies(3, seed=8, instrument="random", first=70)
    for i in range(3):
        assert np.array_equal(later.cutouts[i].data, galaxies.cutouts[70 + i].data)
    stamps, table = simulate_stamps(
        70, seed=8, instrument="random", preprocessor=Preprocessor(), n_workers=2
    )
    assert np.isfinite(stamps).all()
    assert (table["camera"] == galaxies.table["camera"][:70]).all()


def test_each_galaxy_gets_one_of_several_cameras():
    names = ["nircam_f200w", "random", WFC3_F160W]
    cameras = simulate_galaxies(24, seed=4, instrument=names).table["camera"]
    assert {"NIRCam F200W", "WFC3/IR F160W"} < set(cameras)
    assert any(name.startswith("random") for name in cameras)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"instrument": []}, "instrument:"),
        ({"instrument": ["random", "hubble"]}, "instrument:"),
        ({"kinds": {"quasar": 1}}, "kinds:"),
        ({"kinds": {"star": -1, "disk": 2}}, "kinds:"),
        ({"display": "poster"}, "display:"),
        ({"display": "any", "display_share": 2}, "display_share:"),
    ],
)
def test_wrong_argument_is_named(arguments, named):
    with pytest.raises(ConfigurationError, match=named):
        simulate_galaxies(1, seed=1, **arguments)
