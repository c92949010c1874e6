# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Stamps do not depend on what says nothing about the galaxy."""

import numpy as np
import pytest

from galmorph.images import as_nddata, cutout_from_image, extract_cutouts
from galmorph.tests.images.galaxies import (
    PREPROCESS,
    flags_of,
    galaxy,
    measured,
    noise,
    stamps_of,
)


@pytest.mark.parametrize("scale", [1e-33, 1e-20, 0.01, 1e6, 1e20])
@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("with_uncertainty", [False, True])
def test_the_flux_scale_does_not_matter(image, scale, kind, with_uncertainty):
    first = second = None
    if with_uncertainty:
        first = np.ones(image.shape, kind)
        second = (first * scale).astype(kind)
    wanted = stamps_of(image.astype(kind), uncertainty=first)
    found = stamps_of((image * scale).astype(kind), uncertainty=second)
    np.testing.assert_allclose(found.data, wanted.data, atol=1e-4)
    assert found.flags.tolist() == wanted.flags.tolist()
    for name in ("x_centroid", "y_centroid", "stamp_side", "snr"):
        assert measured(found, name) == pytest.approx(measured(wanted, name), rel=1e-4)
    assert measured(found, "sky_rms") == pytest.approx(
        scale * measured(wanted, "sky_rms"), rel=1e-4
    )


@pytest.mark.parametrize("level", [-300.0, 1e-3, 1000.0])
def test_an_added_constant_does_not_matter(image, reference, level):
    found = stamps_of(image + level)
    np.testing.assert_allclose(found.data, reference.data, atol=1e-4)
    assert measured(found, "sky") == pytest.approx(
        level + measured(reference, "sky"), abs=1e-6
    )


def test_byte_order_does_not_matter(image, reference):
    np.testing.assert_array_equal(stamps_of(image.astype(">f8")).data, reference.data)


def test_whole_numbers_serve_as_well(image, reference):
    found = stamps_of(np.round(image * 100).astype(">i4"))
    np.testing.assert_allclose(found.data, reference.data, atol=0.05 * PREPROCESS.peak)
    assert measured(found, "stamp_side") == pytest.approx(
        measured(reference, "stamp_side"), rel=0.01
    )


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_image_gives_a_turned_stamp(image, reference, turns):
    found = stamps_of(np.rot90(image, turns))
    wanted = np.rot90(reference.data[0], turns)
    np.testing.assert_allclose(found.data[0], wanted, atol=2e-3)
    found = stamps_of(image[:, ::-1])
    np.testing.assert_allclose(found.data[0], reference.data[0][:, ::-1], atol=2e-3)


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (-13, 7), (20, 31)])
def test_a_shift_by_whole_pixels_shifts_the_position_alone(dx, dy):
    mosaic = noise(shape=(300, 300)) + galaxy(140.3, 150.8, shape=(300, 300))
    shifted = np.roll(mosaic, (dy, dx), (0, 1))
    first = PREPROCESS(PREPROCESS.cutouts(as_nddata(mosaic), [140], [151]))
    second = PREPROCESS(PREPROCESS.cutouts(as_nddata(shifted), [140 + dx], [151 + dy]))
    np.testing.assert_array_equal(first.data, second.data)
    assert measured(second, "x_centroid") - measured(first, "x_centroid") == (
        pytest.approx(dx)
    )
    assert measured(second, "y_centroid") - measured(first, "y_centroid") == (
        pytest.approx(dy)
    )


def test_a_wrong_position_within_the_limit_is_corrected(image, reference):
    cutout = cutout_from_image(as_nddata(image), position=(47, 52))
    stamps = PREPROCESS([cutout])
    np.testing.assert_allclose(stamps.data, reference.data, atol=1e-5)
    assert flags_of(stamps) == set()


def test_rows_depend_neither_on_their_order_nor_on_each_other():
    images = [
        galaxy(50, 50, seed * 20, 2 + seed) + galaxy(75, 60, 60, 2) + noise(seed)
        for seed in range(1, 7)
    ]
    together = stamps_of(*images)
    backwards = stamps_of(*images[::-1])
    np.testing.assert_array_equal(together.data, backwards.data[::-1])
    for row, one in enumerate(images):
        alone = stamps_of(one)
        np.testing.assert_array_equal(alone.data[0], together.data[row])
        assert alone.measurements[0]["snr"] == together.measurements[row]["snr"]


def test_inputs_are_never_changed(image):
    image[20, 20] = np.nan
    nddata = as_nddata(image, uncertainty=np.ones(image.shape))
    segmentation = (image > 5).astype(np.int32)
    before = [a.copy() for a in (nddata.data, nddata.mask, segmentation)]
    for given in (None, segmentation):
        PREPROCESS(PREPROCESS.cutouts(nddata, [50], [50], segmentation=given))
    after = (nddata.data, nddata.mask, segmentation)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_cutouts_of_a_size_of_ones_own_serve_as_well(image, reference):
    cutouts = extract_cutouts(as_nddata(image), [50], [50], size=90)
    found = PREPROCESS(cutouts)
    np.testing.assert_allclose(found.data, reference.data, atol=0.15)
