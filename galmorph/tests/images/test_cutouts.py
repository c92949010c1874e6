# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Windows around positions: every position gets one, in order."""

import numpy as np
import pytest

from galmorph.core import ImageError, MorphFlag
from galmorph.images import as_nddata, cutout_from_image, extract_cutouts


@pytest.fixture
def pixels():
    return np.arange(50.0 * 60).reshape(50, 60)


def test_windows_show_the_pixels_around_the_position(pixels):
    image = as_nddata(pixels, uncertainty=pixels + 1, pixel_scale=0.06)
    for size in (8, 9):
        (cutout,) = extract_cutouts(image, [20.3], [30.8], size=size)
        assert cutout.data.shape == cutout.mask.shape == cutout.rms.shape == (size,) * 2
        y0, x0 = cutout.origin
        np.testing.assert_array_equal(
            cutout.data, pixels[y0 : y0 + size, x0 : x0 + size]
        )
        assert cutout.x + x0 == pytest.approx(20.3)
        assert cutout.y + y0 == pytest.approx(30.8)
        assert abs(cutout.x - (size - 1) / 2) <= 0.5
        assert cutout.pixel_scale == pytest.approx(0.06)
        assert cutout.flags == 0


@pytest.mark.parametrize("x", [-0.5, 0.0, 0.5, 3.5, 59.0, 59.49])
@pytest.mark.parametrize("size", [1, 2, 7, 10])
def test_windows_end_at_the_edge_of_the_image(pixels, x, size):
    (cutout,) = extract_cutouts(as_nddata(pixels), [x], [25], size=size)
    ny, nx = cutout.data.shape
    assert 0 < nx <= size and ny == size
    assert -0.5 <= cutout.x <= nx - 0.5
    y0, x0 = cutout.origin
    assert cutout.data[0, 0] == pixels[y0, x0]


def test_positions_that_cannot_be_used_get_a_flag_and_a_masked_cutout(pixels):
    x = [10, np.nan, 10, 60, -0.6, 1e30, np.inf, 20]
    y = [10, 10, np.nan, 10, 10, 10, 10, 20]
    cutouts = list(extract_cutouts(as_nddata(pixels), x, y, size=5))
    bad, outside = MorphFlag.BAD_POSITION, MorphFlag.OUTSIDE_IMAGE
    wanted = [0, bad, bad, outside, outside, outside, bad, 0]
    assert [c.flags for c in cutouts] == wanted
    assert all(c.mask.all() for c in cutouts if c.flags)


def test_every_source_can_have_its_own_size(pixels):
    sizes = [3, 8, 5]
    cutouts = extract_cutouts(as_nddata(pixels), [20] * 3, [20] * 3, size=sizes)
    assert [c.data.shape[0] for c in cutouts] == sizes


@pytest.mark.parametrize("kind", ["i4", ">i2", "u8", "f4"])
def test_the_label_at_the_position_is_the_target(pixels, kind):
    segmentation = np.zeros(pixels.shape, kind)
    segmentation[18:23, 18:23] = 7
    image = as_nddata(pixels)
    x, y = [20, 40], [20, 40]
    found = list(extract_cutouts(image, x, y, size=9, segmentation=segmentation))
    assert [c.label for c in found] == [7, 0]
    assert found[0].segmentation[4, 4] == 7
    given = extract_cutouts(
        image, x, y, size=9, segmentation=segmentation, labels=[3, 4]
    )
    assert [c.label for c in given] == [3, 4]


def test_a_segmentation_of_another_shape_is_refused(pixels):
    with pytest.raises(ImageError, match="segmentation: its shape"):
        next(
            extract_cutouts(
                as_nddata(pixels), [1], [1], size=9, segmentation=np.zeros((9, 9))
            )
        )
    with pytest.raises(ValueError, match="x, y"):
        next(extract_cutouts(as_nddata(pixels), [1, 2], [1], size=9))


@pytest.mark.parametrize("shape", [(50, 60), (1, 1), (3, 3), (1, 40), (301, 20)])
def test_a_whole_image_is_one_cutout_about_its_middle(shape):
    cutout = cutout_from_image(as_nddata(np.ones(shape)))
    assert cutout.data.shape == shape
    assert (cutout.y, cutout.x) == ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    assert cutout.is_whole


def test_a_whole_image_keeps_its_pixels_wherever_the_position_is(pixels):
    cutout = cutout_from_image(as_nddata(pixels), position=(2, 47))
    assert cutout.data.shape == (50, 60)
    assert (cutout.x, cutout.y) == (2, 47)


def test_enlarging_keeps_the_position(pixels):
    (cutout,) = extract_cutouts(as_nddata(pixels), [20.25], [30], size=6)
    larger = cutout.enlarged()
    assert larger.data.shape == (12, 12)
    assert larger.x + larger.origin[1] == cutout.x + cutout.origin[1] == 20.25


def test_bands_are_cut_together():
    image = as_nddata(
        np.zeros((40, 40, 3)), band_axis=-1, uncertainty=np.ones((40, 40))
    )
    (cutout,) = extract_cutouts(image, [20], [20], size=10)
    assert cutout.data.shape == (10, 10, 3)
    assert cutout.mask.shape == cutout.rms.shape == (10, 10)
