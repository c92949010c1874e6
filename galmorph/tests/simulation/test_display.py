# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images as people save them: what the stretch, the frame and the file do.
"""

import numpy as np
import pytest
from astropy.stats import mad_std

from galmorph.core import ConfigurationError
from galmorph.simulation import DISPLAYS, Display, draw_display, simulate_galaxies
from galmorph.simulation.display import STRETCHES


@pytest.fixture
def galaxy():
    y, x = np.mgrid[:80, :80] - 39.5
    noise = np.random.default_rng(0).normal(size=(80, 80))
    return 300 * np.exp(-np.hypot(x, y) / 5) + noise


@pytest.mark.parametrize("stretch", STRETCHES)
def test_brighter_pixels_stay_brighter(galaxy, stretch):
    picture, zoom = Display(stretch=stretch).save(galaxy, 1.0)
    order = np.argsort(galaxy.ravel())
    assert (np.diff(picture.ravel()[order].astype(int)) >= 0).all()
    assert picture.min() == 0 and picture.max() == 255 and zoom == 1


def test_percentiles_become_black_and_white(galaxy):
    picture, _ = Display(low=10, high=99).save(galaxy, 1.0)
    assert (picture == 0).mean() == pytest.approx(0.10, abs=0.01)
    assert (picture == 255).mean() == pytest.approx(0.01, abs=0.003)


def test_same_levels_leave_faint_galaxies_faint(galaxy):
    display = Display(levels=(2.0, 3.0), ceiling=200, softening=20)
    bright, _ = display.save(galaxy, 1.0)
    noise = np.random.default_rng(1).normal(size=galaxy.shape)
    faint, _ = display.save(galaxy / 20 + noise, 1.0)
    assert np.median(bright[:8]) == pytest.approx(3, abs=1.5)
    assert faint.max() < 0.5 * bright.max() and bright.max() <= 200


def test_frame_is_cut_and_enlarged(galaxy):
    picture, zoom = Display(frame=8, side=106).save(galaxy, 1.0, radius=8.4)
    assert picture.shape == (106, 106)
    assert zoom == pytest.approx(106 / 67)


def test_enlarging_correlates_the_noise():
    noise = np.random.default_rng(1).normal(size=(53, 53))
    picture, _ = Display(stretch="linear", side=106).save(noise, 1.0)
    picture = picture - picture.mean()
    beside = (picture[:, 1:] * picture[:, :-1]).mean() / picture.var()
    assert 0.6 < beside < 0.95


def test_compression_leaves_its_blocks(galaxy):
    plain, _ = Display().save(galaxy, 1.0)
    fine, _ = Display(quality=95).save(galaxy, 1.0)
    coarse, _ = Display(quality=10).save(galaxy, 1.0)
    errors = [np.abs(made.astype(int) - plain).mean() for made in (fine, coarse)]
    assert errors[0] < 3 < errors[1]
    steps = np.abs(np.diff(coarse.astype(int), axis=1)).mean(axis=0)
    assert steps[7::8].mean() > 1.3 * steps[3::8].mean()


def test_compression_is_that_of_jpeg_files(galaxy):
    image = pytest.importorskip("PIL.Image")
    from io import BytesIO

    plain, _ = Display().save(galaxy, 1.0)
    file = BytesIO()
    image.fromarray(plain).save(file, "JPEG", quality=60)
    expected = np.asarray(image.open(file)).astype(int)
    made, _ = Display(quality=60).save(galaxy, 1.0)
    # the standard rounds where it works with whole numbers
    assert np.abs(made - expected).mean() < 1.5
    assert np.abs(plain - expected).mean() > 2 * np.abs(made - expected).mean()


@pytest.mark.parametrize("name", DISPLAYS)
def test_every_display_makes_pictures(name, galaxy):
    random = np.random.default_rng(4)
    for _ in range(20):
        picture, _ = draw_display(random, name).save(galaxy, 1.0, radius=8.0)
        assert picture.dtype == np.uint8 and np.ptp(picture) > 20


def test_share_of_the_galaxies_is_displayed():
    whole = simulate_galaxies(30, seed=6)
    some = simulate_galaxies(30, seed=6, display="any", display_share=0.5)
    shown = some.table["display"] == "any"
    assert 8 <= shown.sum() <= 22
    for i in range(30):
        data = some.cutouts[i].data
        if shown[i]:
            assert np.array_equal(data, np.clip(np.rint(data), 0, 255))
        else:
            assert np.array_equal(data, whole.cutouts[i].data)
    assert (some.table["f_disk"] == whole.table["f_disk"]).all()


def edges(picture):
    edge = len(picture) // 10
    return np.concatenate([picture[:edge].ravel(), picture[-edge:].ravel()])


@pytest.mark.parametrize(
    ("folder", "domain", "display"),
    [("gz_ceers_f200w", "jwst", "extremes"), ("sdss_gz1", "nearby", "composite")],
)
def test_skies_of_pictures_are_those_of_real_ones(real_data, folder, domain, display):
    with np.load(real_data / folder / "images.npz") as file:
        real = file["images"][::40].astype(float)
    made = simulate_galaxies(80, seed=9, instrument=domain, display=display)
    made = [np.asarray(cutout.data, float) for cutout in made.cutouts]
    for statistic, factor in ((np.median, 1.7), (mad_std, 2.1)):
        found = np.median([statistic(edges(picture)) for picture in made])
        expected = np.median([statistic(edges(picture)) for picture in real])
        assert 1 / factor < found / expected < factor


def test_wrong_setting_is_named():
    with pytest.raises(ConfigurationError, match="stretch:"):
        Display(stretch="cube")
    with pytest.raises(ConfigurationError, match="low, high:"):
        Display(low=50, high=40)
    with pytest.raises(ConfigurationError, match="display:"):
        draw_display(np.random.default_rng(0), "poster")
