# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph.core import ConfigurationError
from galmorph.models import (
    GroupConv2D,
    GroupNormalization,
    GroupPooling,
    JoinedParts,
    Parts,
    architectures,
    build,
    is_symmetric,
    views,
)
from galmorph.models.symmetry import turned


def images(n=3, side=21, bands=1, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, side, side, bands)).astype(np.float32)


def views_of(array):
    return np.asarray(views(array))


@pytest.mark.parametrize("side, size, strides", [(21, 3, 1), (21, 5, 2), (20, 4, 2)])
def test_maps_turn_with_the_image_and_orientations_change_places(side, size, strides):
    lift = GroupConv2D(2, size, strides, lift=True)
    second = GroupConv2D(3, 3)
    pictures = images(side=side, bands=2)
    maps = np.asarray(second(lift(pictures)))
    assert maps.std() > 0.1
    turned_maps = views_of(maps)
    for number, view in enumerate(views_of(pictures)):
        found = np.asarray(second(lift(view)))
        found = found.reshape(*found.shape[:3], 8, 3)
        expected = turned_maps[number].reshape(found.shape)
        # each orientation of the one is some orientation of the other
        places = [
            [np.allclose(found[..., g, :], expected[..., h, :], atol=1e-5)]
            for g in range(8)
            for h in range(8)
        ]
        assert np.reshape(places, (8, 8)).sum(axis=1).tolist() == [1] * 8


def test_the_expanded_kernel_is_that_of_a_plain_convolution():
    from galmorph.models._keras import keras

    layer = GroupConv2D(2, 3, padding="same")
    inputs = images(bands=16)
    outputs = layer(inputs)
    plain = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)
    plain.build(inputs.shape)
    plain.kernel.assign(layer.expanded_kernel())
    assert np.asarray(plain(inputs)) == pytest.approx(np.asarray(outputs), abs=1e-4)
    # an eighth of the weights
    assert np.prod(plain.kernel.shape) == 8 * np.prod(layer.kernel.shape)


@pytest.mark.parametrize("side", [45, 48, 64, 69])
def test_the_fractions_do_not_change_when_the_stamp_is_turned(side):
    model = build("p4m_resnet", n_outputs=4, input_shape=(side, side, 1))
    random = np.random.default_rng(1)
    for weight in model.weights:  # as after training: nothing is 0 or 1
        weight.assign(weight.numpy() * random.uniform(0.5, 1.5, weight.shape))
    fractions = np.stack([np.asarray(model(v)) for v in views_of(images(side=side))])
    assert np.abs(fractions - fractions[0]).max() < 1e-5
    assert fractions[0].std() > 1e-4


@pytest.mark.parametrize("side", [20, 21])
def test_quarters_of_a_turn_are_those_of_the_square(side):
    pictures = images(side=side, bands=2)
    for quarter in range(5):
        expected = np.rot90(pictures, quarter, axes=(1, 2))
        found = np.asarray(turned(pictures, 90 * quarter))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_turned_image_keeps_its_light_and_mirrors_what_lies_beyond():
    y, x = np.mgrid[-15:16, -15:16]
    bar = np.exp(-(x**2) / 12 - y**2 / 4).astype(np.float32)[None, ..., None]
    found = np.asarray(turned(bar, 45))
    # the bar lies along one of the diagonals
    diagonals = found[0, 19, 19, 0], found[0, 19, 11, 0]
    assert max(diagonals) > 3 * min(diagonals)
    assert found.sum() == pytest.approx(bar.sum(), rel=0.01)
    level = np.asarray(turned(np.ones_like(bar), 30))
    assert level == pytest.approx(np.ones_like(level), abs=1e-5)


@pytest.mark.parametrize("architecture", architectures())
def test_symmetric_networks_are_those_that_see_all_eight_views_alike(architecture):
    model = build(architecture, n_outputs=2, input_shape=(69, 69, 1))
    random = np.random.default_rng(1)
    for weights in model.trainable_weights:
        weights.assign(0.05 * random.normal(size=weights.shape))
    fractions = np.stack([model(view) for view in views_of(images(2, 69))])
    alike = np.ptp(fractions, axis=0).max() < 1e-4 * np.ptp(fractions)
    assert alike == is_symmetric(architecture) == is_symmetric(model)


def test_the_compact_network_has_less_than_a_tenth_of_a_million_weights():
    assert build("p4m_resnet", n_outputs=5).count_params() < 100_000


def test_channels_must_be_those_of_eight_orientations():
    with pytest.raises(ConfigurationError, match="8 orientations"):
        GroupConv2D(2, 3)(images(bands=3))
    with pytest.raises(ConfigurationError, match="at least 1"):
        GroupConv2D(0, 3)


def test_pooling_over_orientations_forgets_their_order():
    maps = images(side=5, bands=24)
    shuffled = maps.reshape(3, 5, 5, 8, 3)[:, :, :, ::-1].reshape(maps.shape)
    pool = GroupPooling()
    assert np.asarray(pool(maps)) == pytest.approx(np.asarray(pool(shuffled)), abs=1e-6)


def test_sixteen_parts_have_the_middle_in_the_same_corner():
    # light at the very middle only
    stamps = np.zeros((2, 99, 99, 1), np.float32)
    stamps[:, 49, 49] = 1
    parts = np.asarray(Parts(45, 69)(stamps))
    assert parts.shape == (32, 45, 45, 1)
    brightest = parts.reshape(32, -1).argmax(axis=1)
    assert {(i // 45, i % 45) for i in brightest} == {(34, 34)}


def test_the_first_parts_are_corners_of_the_image_and_of_its_mirror_image():
    stamps = images(2, 98)
    crop = stamps[:, 14:84, 14:84]
    parts = np.asarray(Parts(45, 70)(stamps)).reshape(2, 16, 45, 45, 1)
    for quarter in range(4):
        corner = np.rot90(crop, quarter, axes=(1, 2))[:, :45, :45]
        assert parts[:, quarter] == pytest.approx(corner, abs=1e-5)
        mirrored = np.rot90(crop[:, :, ::-1], quarter, axes=(1, 2))[:, :45, :45]
        assert parts[:, 4 + quarter] == pytest.approx(mirrored, abs=1e-5)


def test_parts_of_a_disk_are_the_same_for_all_views():
    y, x = np.mgrid[:98, :98] - 48.5
    disk = np.exp(-np.hypot(x, y) / 12)[None, ..., None].astype(np.float32)
    parts = np.asarray(Parts(45, 69)(disk))
    assert np.abs(parts - parts[0]).max() < 0.02


def test_parts_are_joined_image_by_image():
    features = np.arange(32 * 3, dtype=np.float32).reshape(32, 3)
    joined = np.asarray(JoinedParts()(features))
    assert np.array_equal(joined, features.reshape(2, 48))


@pytest.mark.parametrize("n_outputs, scheme", [(5, "candels"), (37, "galaxy_zoo_2")])
def test_the_network_of_dieleman_sees_all_parts(n_outputs, scheme):
    model = build("dieleman15", input_shape=(69, 69, 1), scheme=scheme)
    # 16 parts of 512 features into 2048 maxout units of two pieces
    assert model.get_layer("dense1").weights[0].shape == (16 * 512, 4096)
    assert model(images(2, 69)).shape == (2, n_outputs)


def test_parts_must_fit():
    with pytest.raises(ConfigurationError, match="must fit"):
        Parts(45, 40)
    with pytest.raises(ConfigurationError, match="at least 69"):
        Parts(45, 69)(images(1, 60))


@pytest.mark.filterwarnings("ignore:precision")
@pytest.mark.parametrize("architecture", ["hc15", "p4m_resnet"])
def test_mixed_precision_changes_the_fractions_by_little(architecture):
    from galmorph.models._keras import keras

    usual = keras.config.dtype_policy()
    plain = build(architecture, n_outputs=5)
    mixed = build(architecture, n_outputs=5, precision="mixed_bfloat16")
    assert keras.config.dtype_policy() == usual
    mixed.set_weights(plain.get_weights())
    stamps = 5 * images(4, 45)
    assert np.asarray(mixed(stamps)) == pytest.approx(
        np.asarray(plain(stamps)), abs=0.02
    )
    assert all(str(w.dtype) == "float32" for w in mixed.trainable_weights)
    with pytest.raises(ConfigurationError, match="precision"):
        build(architecture, n_outputs=5, precision="float8")


def test_normalisation_has_one_scale_for_the_orientations_of_a_channel():
    random = np.random.default_rng(1)
    maps = (3 * random.normal(size=(20, 7, 7, 24)) + 5).astype(np.float32)
    layer = GroupNormalization(momentum=0.9)
    split = np.moveaxis(maps.reshape(20, 7, 7, 8, 3), 3, 1).reshape(-1, 3)
    found = np.asarray(layer(maps, training=True))
    expected = (maps - np.tile(split.mean(axis=0), 8)) / np.tile(split.std(axis=0), 8)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    # what is seen later is the running average, a tenth of it new
    np.testing.assert_allclose(layer.moving_mean, 0.1 * split.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(
        layer.moving_variance, 0.9 + 0.1 * split.var(axis=0), rtol=1e-3
    )
    later = (maps - np.tile(layer.moving_mean, 8)) / np.sqrt(
        np.tile(layer.moving_variance, 8) + 1e-3
    )
    np.testing.assert_allclose(layer(maps), later, atol=1e-4)
