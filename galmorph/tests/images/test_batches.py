# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""What is done with many objects at once is what is done with each."""

import numpy as np
import pytest

from galmorph.core import MorphFlag
from galmorph.images import as_nddata, extract_cutouts, petrosian_radius, resample
from galmorph.images.petrosian import petrosian_radii
from galmorph.images.resampling import resample_many
from galmorph.images.sky import clipped_sky
from galmorph.tests.images.galaxies import PREPROCESS, galaxy, noise


@pytest.fixture(scope="module")
def field():
    """A crowded mosaic with bad pixels, its segmentation, and positions."""
    random = np.random.default_rng(5)
    shape = (420, 380)
    data = noise(1, shape)
    x, y = random.uniform(0, 379, 30), random.uniform(0, 419, 30)
    segmentation = np.zeros(shape, np.int32)
    for label, place in enumerate(zip(x, y, strict=True), start=1):
        flux, length = 10 * random.lognormal(1, 1), random.uniform(1, 5)
        light = galaxy(*place, flux, length, random.uniform(0.4, 1), shape)
        segmentation[light > 2] = label
        data += light
    data[:, 200] = np.nan
    data[random.random(shape) < 0.001] = np.inf
    data[:60, :60] = np.nan
    return data.astype(np.float32), segmentation, x, y


@pytest.mark.parametrize("given", ["nothing", "segmentation", "rms"])
def test_rows_do_not_depend_on_the_batch(field, given, monkeypatch):
    data, segmentation, x, y = field
    rms = np.ones(data.shape) if given == "rms" else None
    segmentation = segmentation if given == "segmentation" else None
    image = as_nddata(data, uncertainty=rms)
    sizes = np.resize([96, 96, 64, 80], len(x))

    def cutouts(rows):
        return extract_cutouts(
            image, x[rows], y[rows], size=sizes[rows], segmentation=segmentation
        )

    every = np.arange(len(x))
    together = PREPROCESS(cutouts(every))
    backwards = PREPROCESS(cutouts(every[::-1]))
    monkeypatch.setattr("galmorph.images.preprocessing._MOST_PIXELS", 30_000)
    monkeypatch.setattr("galmorph.images.preprocessing._STACKED", 10_000)
    portions = PREPROCESS(cutouts(every))
    for row in every:
        alone = PREPROCESS(cutouts(every[row : row + 1]))
        for other, i in ((alone, 0), (portions, row), (backwards, -1 - row)):
            np.testing.assert_array_equal(other.data[i], together.data[row])
            assert other.flags[i] == together.flags[row]
            for name, column in together.measurements.items():
                np.testing.assert_array_equal(other.measurements[name][i], column[row])


def test_one_bad_object_in_a_batch_leaves_the_others_what_they_are(field):
    data, _, x, y = field
    good = list(PREPROCESS.cutouts(as_nddata(data), x, y))
    wanted = PREPROCESS(good)
    bad = list(good)
    bad[7].x = 1e9  # as no window has it
    bad[20].mask = np.zeros((3, 4), bool)
    found = PREPROCESS(bad)
    assert sorted(found.failures) == [7, 20]
    rest = np.setdiff1d(np.arange(len(x)), [7, 20])
    np.testing.assert_array_equal(found.data[rest], wanted.data[rest])
    assert np.all(found.flags[[7, 20]] & int(MorphFlag.FAILED))


def test_labels_mean_nothing_without_a_segmentation(field):
    data, _, x, y = field
    image = as_nddata(data)
    wanted = PREPROCESS(PREPROCESS.cutouts(image, x, y))
    found = PREPROCESS(PREPROCESS.cutouts(image, x, y, labels=np.arange(len(x)) + 1))
    np.testing.assert_array_equal(found.data, wanted.data)


def test_the_sky_of_each_image_is_its_own():
    images = np.stack([noise(i, (40, 50)) * (i + 1) + 10 * i for i in range(5)])
    images[3, :20] += 500
    used = np.random.default_rng(0).random(images.shape) < 0.8
    used[4] = False
    level, rms = clipped_sky(images, used)
    for i in range(5):
        one = clipped_sky(images[i : i + 1], used[i : i + 1])
        assert (one[0][0], one[1][0]) == (level[i], rms[i])
    assert level[:3] == pytest.approx([0, 10, 20], abs=0.3)
    assert rms[:3] == pytest.approx([1, 2, 3], rel=0.1)
    assert level[4] == rms[4] == 0


def test_radii_of_many_are_those_of_each_whatever_the_guess():
    lengths = [1.0, 3.0, 8.0, 14.0, 60.0]
    shape = (181, 161)
    images = np.stack([galaxy(80.3, 91.6, 9, h, 1.0, shape) for h in lengths])
    x, y = np.full(5, 80.3), np.full(5, 91.6)
    used = np.ones(images.shape, bool)
    used[:, 100:110, 80:] = False
    wanted = [petrosian_radius(image, 80.3, 91.6, ~used[0]) for image in images]
    assert np.isnan(wanted[-1]) and np.isfinite(wanted[:-1]).all()
    for guess in (None, np.full(5, 1e3), np.zeros(5), np.array(lengths)):
        found = petrosian_radii(images, x, y, used, guess=guess)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    some = petrosian_radii(images, x, y, used, rows=np.array([1, 3]))
    assert np.isnan(some[[0, 2, 4]]).all() and np.isfinite(some[[1, 3]]).all()


def test_stamps_of_many_are_those_of_each():
    images = np.stack([noise(i, (70, 90)) for i in range(6)]).astype(np.float32)
    x = np.array([45.0, 3.2, 88.0, 40.5, 200.0, 44.9])
    y, side = np.full(6, 33.3), np.array([20.0, 44.0, 61.0, 300.0, 50.0, 1.0])
    together = resample_many(images, x, y, side, 45)
    for i in range(6):
        alone = resample(images[i], x[i], y[i], side[i], 45)
        np.testing.assert_array_equal(together[i], alone)
    assert not together[4].any()
