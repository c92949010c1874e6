# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""The background from single boxes is that of photutils from the whole image."""

import numpy as np
import pytest
from photutils.background import Background2D

from galmorph.images.background import Grid, Mesh


def image_of(shape):
    rng = np.random.default_rng(5)
    y, x = np.indices(shape)
    image = rng.normal(10 + x / 100 + (y / 200) ** 2, 2)
    bright = rng.random(shape) < 0.05
    image[bright] += rng.exponential(20, bright.sum())
    mask = rng.random(shape) < 0.1
    mask[: shape[0] // 3, : shape[1] // 3] = True
    return image.astype(np.float32), mask


def whole(shape):
    return tuple(slice(0, n) for n in shape)


@pytest.mark.parametrize("shape", [(500, 390), (300, 100), (70, 60)])
@pytest.mark.parametrize("filter_size", [1, 3])
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
def test_the_maps_are_those_of_photutils(shape, filter_size):
    image, mask = image_of(shape)
    grid = Grid(shape, 64)
    statistics = grid.measure(image, ~mask, *whole(grid.n_boxes))
    level, rms = Mesh.of(statistics, grid, filter_size=filter_size)
    wanted = Background2D(
        image, grid.box, mask=mask, filter_size=filter_size, exclude_percentile=90
    )
    window = whole(shape)
    np.testing.assert_allclose(level.window(window), wanted.background, rtol=1e-5)
    np.testing.assert_allclose(rms.window(window), wanted.background_rms, rtol=1e-5)


def test_boxes_measured_apart_are_those_measured_together():
    image, mask = image_of((400, 300))
    grid = Grid(image.shape, 64)
    together = grid.measure(image, ~mask, *whole(grid.n_boxes))
    (top, _), (bottom, right) = grid.pixels(2, 0), grid.pixels(4, 3)
    box = slice(top.start, bottom.stop), slice(0, right.stop)
    apart = grid.measure(image[box], ~mask[box], slice(2, 5), slice(0, 4))
    for name, values in vars(apart).items():
        np.testing.assert_array_equal(values, getattr(together, name)[2:5, :4])


def test_a_window_needs_no_more_than_a_part_of_the_mesh():
    mesh = Mesh(np.random.default_rng(1).normal(size=(30, 40)), (13, 10))
    window = np.s_[101:140, 390:400]
    small = mesh.part(window)
    assert small._spline.size < 200
    np.testing.assert_array_equal(
        small.window(window), mesh.window(whole((390, 400)))[window]
    )


def test_boxes_without_pixels_take_the_values_of_those_around():
    image = np.full((300, 300), 7.0)
    used = np.zeros(image.shape, bool)
    used[:60, :60] = True
    grid = Grid(image.shape, 60)
    level, rms = Mesh.of(
        grid.measure(image, used, *whole(grid.n_boxes)), grid, filter_size=3
    )
    assert np.ptp(level.window(whole(image.shape))) == 0
    assert level.window(np.s_[290:291, 290:291]) == 7
    assert rms.window(np.s_[0:1, 0:1]) == 0


def test_sampled_boxes_lie_all_over_the_sky_that_there_is():
    grid = Grid((1000, 2000), 100)
    image = np.random.default_rng(1).normal(size=grid.shape)
    used = np.ones(grid.shape, bool)
    used[:, :1000] = False
    statistics = grid.measure(image, used, *whole(grid.n_boxes))
    boxes = grid.sampled(statistics, 200_000)
    assert len(boxes) == 20
    assert min(columns.start for _, columns in boxes) >= 1000
    first = [[rows.start, columns.start] for rows, columns in boxes]
    assert (np.ptp(first, axis=0) > 600).all()
    assert grid.sampled(statistics, 200_000) == boxes
    small = Grid((50, 40), 128)
    statistics = small.measure(image[:50, :40], image[:50, :40] < 9, *whole((1, 1)))
    assert small.sampled(statistics, 10) == [whole(small.shape)]
