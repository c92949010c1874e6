# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Many segments are cut as photutils cuts each of them."""

import warnings
from inspect import signature

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from photutils.segmentation import SegmentationImage, deblend_sources
from scipy import ndimage

from galmorph.images.deblending import deblend_many, deblend_segments

SETTINGS = {"n_pixels": 5, "n_levels": 16}


def blend(seed, shape=(60, 70), n=4, threshold=1.5, noise=1.0):
    """The largest segment of a crowd of galaxies."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    image = random.normal(scale=noise, size=shape)
    for _ in range(n):
        y, x = random.normal(np.array(shape) / 2, 8)
        flux, length = random.lognormal(3, 1), random.uniform(1, 5)
        image += flux * np.exp(-np.hypot(rows - y, columns - x) / length)
    image = ndimage.gaussian_filter(image.astype(np.float32), 1.3)
    pieces, number = ndimage.label(image > threshold, np.ones((3, 3)))
    assert number
    mask = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    (box,) = ndimage.find_objects(mask.astype(int))
    return image[box], mask[box]


def by_photutils(image, segmentation, contrast):
    # photutils 2 calls the number of levels otherwise
    levels = (
        "n_levels" if "n_levels" in signature(deblend_sources).parameters else "nlevels"
    )
    segments = SegmentationImage(segmentation.astype(np.int32))
    options = {"contrast": contrast, "progress_bar": False, levels: 16}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        return deblend_sources(image, segments, 5, **options).data


def one_by_one(images, masks, contrast):
    pairs = zip(images, masks, strict=True)
    return [by_photutils(image, mask, contrast) for image, mask in pairs]


def same_partition(one, other):
    """Whether two maps of labels have the same pieces, whatever their numbers."""
    pairs = len({*zip(one.ravel(), other.ravel(), strict=True)})
    return pairs == np.unique(one).size == np.unique(other).size


@pytest.mark.parametrize("contrast", [0.001, 0.05, 0.3])
@pytest.mark.parametrize("kind", ["few", "crowd", "below zero"])
def test_the_parts_are_those_of_photutils(kind, contrast):
    options = {
        "few": {},
        "crowd": {"n": 12, "shape": (110, 90)},
        # photutils takes levels of equal distance there
        "below zero": {"threshold": -0.3},
    }[kind]
    images, masks = zip(*(blend(seed, **options) for seed in range(12)), strict=True)
    wanted = one_by_one(images, masks, contrast)
    found = deblend_many(images, masks, contrast=contrast, **SETTINGS)
    assert sum(np.unique(parts).size > 2 for parts in wanted) > 4
    for mask, one, other in zip(masks, wanted, found, strict=True):
        assert np.array_equal(other != 0, mask)
        assert same_partition(one, other)


def test_too_many_peaks_are_taken_with_levels_of_equal_distance():
    random = np.random.default_rng(3)
    image = np.ones((200, 200), np.float32)
    image += ndimage.gaussian_filter(random.random(image.shape), 1.2).astype("f4")
    image[100, 100] = 2.5
    mask = np.ones(image.shape, bool)
    (wanted,) = one_by_one([image], [mask], 0.0001)
    (found,) = deblend_many([image], [mask], contrast=0.0001, **SETTINGS)
    assert same_partition(wanted, found) and np.unique(found).size > 1


def test_a_single_peak_stays_whole_whatever_lies_beside():
    rows, columns = np.indices((21, 21))
    image = np.exp(-np.hypot(rows - 10, columns - 10) / 4).astype(np.float32)
    flat = np.ones((4, 3), np.float32)
    other, mask = blend(1)
    images, masks = [image, flat, other], [image > 0.1, flat > 0, mask]
    one, level, _ = deblend_many(images, masks, contrast=0.01, **SETTINGS)
    assert np.unique(one[masks[0]]).size == np.unique(level).size == 1


def test_the_parts_do_not_depend_on_the_company(monkeypatch):
    blends = [blend(seed) for seed in range(8)]
    images, masks = zip(*blends, strict=True)
    together = deblend_many(images, masks, contrast=0.02, **SETTINGS)
    # one segment on each sheet
    monkeypatch.setattr("galmorph.images.deblending._ON_A_SHEET", 1)
    alone = deblend_many(images, masks, contrast=0.02, **SETTINGS)
    assert all(map(same_partition, together, alone))


def test_nothing_is_cut_into_nothing():
    assert deblend_many([], [], contrast=0.05, **SETTINGS) == []


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_a_whole_segmentation_gets_the_labels_that_photutils_gives(kind):
    random = np.random.default_rng(8)
    rows, columns = np.indices((260, 240))
    image = random.normal(size=rows.shape)
    for y, x in random.uniform(0, 240, (70, 2)):
        distance = np.hypot(rows - y, columns - x)
        image += random.lognormal(3, 1) * np.exp(-distance / random.uniform(1, 4))
    image = ndimage.gaussian_filter(image, 1.3).astype(kind)
    segmentation = ndimage.label(image > 1.5, np.ones((3, 3)))[0]
    segmentation[segmentation == 5] = 0  # a gap in the numbers
    wanted = by_photutils(image, segmentation, 0.01)
    found = deblend_segments(image, segmentation, contrast=0.01, **SETTINGS)
    assert found.max() > segmentation.max() and found.dtype == np.int32
    np.testing.assert_array_equal(found, wanted)


def test_an_empty_segmentation_stays_empty():
    empty = np.zeros((9, 9), int)
    assert not deblend_segments(empty + 1.0, empty, contrast=0.01, **SETTINGS).any()
