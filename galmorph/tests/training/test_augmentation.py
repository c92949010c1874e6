# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph.core import ConfigurationError
from galmorph.training import Augmentation, augment

NOTHING = {
    "rotation": False,
    "flip": False,
    "shift": 0.0,
    "zoom": 1.0,
    "noise": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "blur": 0.0,
    "neighbours": 0.0,
}


def only(**parts):
    return Augmentation(**{**NOTHING, **parts})


def blob(n=200, side=64, x=4.0, y=0.0, sigma=3.0):
    """Stamps with a Gaussian at an offset from the middle."""
    grid = np.arange(side) - (side - 1) / 2
    image = np.exp(-0.5 * ((grid - x) ** 2 + (grid[:, None] - y) ** 2) / sigma**2)
    return np.repeat(image[None, :, :, None], n, axis=0).astype(np.float32)


def centroids(views):
    grid = np.arange(views.shape[1]) - (views.shape[1] - 1) / 2
    total = views.sum(axis=(1, 2, 3))
    x = (views[..., 0] * grid).sum(axis=(1, 2)) / total
    y = (views[..., 0] * grid[:, None]).sum(axis=(1, 2)) / total
    return x, y


def random():
    return np.random.default_rng(1)


def test_without_augmentation_the_middle_is_cut_out():
    stamps = blob(3)
    assert np.array_equal(augment(stamps, 46, None, random()), stamps[:, 9:55, 9:55])


def test_all_switched_off_is_the_middle_too():
    stamps = blob(3)
    views = augment(stamps, 46, only(), random())
    assert views == pytest.approx(stamps[:, 9:55, 9:55], abs=1e-5)


def test_stamps_without_margin_can_be_augmented():
    views = augment(blob(5, side=45), 45, Augmentation(), random())
    assert views.shape == (5, 45, 45, 1)
    assert np.isfinite(views).all()


def test_rotation_keeps_the_distance_and_takes_any_angle():
    x, y = centroids(augment(blob(), 45, only(rotation=True), random()))
    assert np.hypot(x, y) == pytest.approx(np.full(200, 4.0), abs=0.02)
    angles = np.sort(np.arctan2(y, x))
    assert np.diff(angles).max() < 0.3


def test_rotation_leaves_no_empty_corners():
    stamps = np.ones((50, 64, 64, 1), np.float32)
    views = augment(stamps, 45, only(rotation=True), random())
    assert views == pytest.approx(np.ones_like(views), abs=1e-5)


def test_beyond_the_stamp_noise_goes_on_as_noise():
    stamps = random().normal(size=(20, 45, 45, 1)).astype(np.float32)
    views = augment(stamps, 45, only(rotation=True), random())
    corners = views[:, :5, :5]
    assert corners.std() > 0.5
    # a continued edge would repeat itself along the lines that lead inwards
    assert abs(np.diff(corners, axis=1)).mean() > 0.2


def test_flip_mirrors_half_of_the_stamps():
    x, y = centroids(augment(blob(), 45, only(flip=True), random()))
    assert abs(x) == pytest.approx(np.full(200, 4.0), abs=0.01)
    assert y == pytest.approx(np.zeros(200), abs=0.01)
    assert 70 < (x < 0).sum() < 130


def test_shift_stays_within_its_limit_on_both_axes():
    x, y = centroids(augment(blob(), 45, only(shift=2.0), random()))
    for offset in (x - 4, y):
        assert abs(offset).max() < 2.01
        assert offset.max() > 1.5
        assert offset.min() < -1.5


def test_zoom_is_log_uniform_between_its_limit_and_the_inverse():
    x, _ = centroids(augment(blob(x=8), 45, only(zoom=1.3), random()))
    factors = np.log(x / 8) / np.log(1.3)
    assert abs(factors).max() < 1.02
    assert factors.max() > 0.9
    assert factors.min() < -0.9
    assert abs(factors.mean()) < 0.1


def test_zoom_keeps_the_surface_brightness():
    stamps = blob(x=0, sigma=5.0, side=65)
    views = augment(stamps, 45, only(zoom=1.3), random())
    assert views[:, 22, 22, 0] == pytest.approx(np.ones(200), abs=1e-3)


def test_noise_has_up_to_its_strength():
    views = augment(
        np.zeros((200, 45, 45, 1), np.float32), 45, only(noise=0.1), random()
    )
    scatter = views.std(axis=(1, 2, 3))
    assert scatter.max() < 0.105
    assert scatter.max() > 0.09
    assert scatter.min() < 0.01


def test_brightness_changes_the_level():
    stamps = np.ones((200, 45, 45, 1), np.float32)
    levels = augment(stamps, 45, only(brightness=0.2), random())[:, 22, 22, 0]
    assert levels.min() == pytest.approx(0.8, abs=0.02)
    assert levels.max() == pytest.approx(1.2, abs=0.02)


def test_all_bands_are_changed_alike():
    stamps = np.concatenate([blob(20), 2 * blob(20)], axis=3)
    views = augment(stamps, 45, Augmentation(noise=0), random())
    assert views[..., 1] == pytest.approx(2 * views[..., 0], rel=1e-5, abs=1e-6)


def test_the_same_seed_gives_the_same_views_and_leaves_the_stamps_alone():
    stamps = blob(10)
    before = stamps.copy()
    first = augment(stamps, 45, Augmentation(), random())
    assert np.array_equal(first, augment(stamps, 45, Augmentation(), random()))
    assert np.array_equal(stamps, before)
    assert first.dtype == np.float32


@pytest.mark.parametrize("name, value", [("zoom", 0.9), ("shift", -1), ("noise", -1)])
def test_ranges_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        Augmentation(**{name: value})


def test_contrast_keeps_the_mean_and_scales_the_differences():
    plain = augment(blob(), 45, only(), random())
    views = augment(blob(), 45, only(contrast=0.5), random())
    assert views.mean(axis=(1, 2, 3)) == pytest.approx(plain.mean(axis=(1, 2, 3)))
    ratio = views.std(axis=(1, 2, 3)) / plain.std(axis=(1, 2, 3))
    assert 0.5 < ratio.min() < 0.6 and 1.4 < ratio.max() < 1.5


def test_blur_widens_half_of_the_stamps_and_keeps_the_flux():
    plain = augment(blob(), 45, only(), random())
    views = augment(blob(), 45, only(blur=2.0), random())
    # a Gaussian of sigma 3 gets one of up to sqrt(3^2 + 2^2)
    peaks = views.max(axis=(1, 2, 3)) / plain.max(axis=(1, 2, 3))
    assert np.mean(peaks < 0.999) == pytest.approx(0.5, abs=0.1)
    assert peaks.min() == pytest.approx(9 / 13, abs=0.03)
    assert views.sum(axis=(1, 2)) == pytest.approx(plain.sum(axis=(1, 2)), rel=1e-3)


def test_neighbours_come_to_a_share_of_the_stamps_and_leave_the_target():
    stamps = blob(x=0.0)
    plain = augment(stamps, 45, only(), random())
    views = augment(stamps, 45, only(neighbours=0.4), random())
    changed = (views != plain).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.4, abs=0.1)
    assert (views >= plain).all()
    middle = np.s_[:, 22, 22, 0]
    assert views[middle] == pytest.approx(plain[middle])
    # somewhere away from the middle there is a second peak
    assert (views[changed] - plain[changed]).max(axis=(1, 2, 3)).min() > 0.1


@pytest.mark.parametrize(
    "part", [{"neighbours": 1.5}, {"blur": -1.0}, {"contrast": -0.1}, {"zoom": 0.5}]
)
def test_values_out_of_range_are_named(part):
    with pytest.raises(ConfigurationError, match=next(iter(part))):
        only(**part)
