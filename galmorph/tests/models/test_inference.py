# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import os
import subprocess
import sys

import numpy as np
import pytest

from galmorph.core import CANDELS, GALAXY_ZOO_2, BundleError, ConfigurationError
from galmorph.models import Predictor, build, load_bundle, save_bundle, views
from galmorph.models.inference import BATCH
from galmorph.tests.models.conftest import OPTIONS, SHAPE, save_small_bundle

# what may change where a row stands elsewhere in a batch
ROUNDING = 1e-6


def direct(bundle, stamps, n_views=1):
    """Predictions of each member and view, by the plain networks."""
    return np.stack(
        [
            np.asarray(model(view, training=False))
            for model in bundle.models()
            for view in views(stamps, n_views)
        ]
    )


@pytest.mark.parametrize(("members", "n_views"), [(1, 1), (3, 1), (1, 8), (2, 5)])
def test_members_and_views_are_averaged(make_bundle, stamps, members, n_views):
    bundle = make_bundle(members=members, weights_dtype="float32")
    fractions, errors, _ = Predictor(bundle, views=n_views).predict(stamps)
    expected = direct(bundle, stamps, n_views)
    assert fractions.shape == errors.shape == (70, 5)
    assert fractions.dtype == errors.dtype == np.float32
    np.testing.assert_allclose(fractions, expected.mean(axis=0), atol=ROUNDING)
    if members * n_views == 1:
        assert np.isnan(errors).all()
    else:
        np.testing.assert_allclose(errors, expected.std(axis=0), atol=ROUNDING)
        assert errors.min() > 0


def test_number_of_views_is_the_bundles_unless_given(make_bundle, stamps):
    bundle = make_bundle(views=8)
    fractions, _, _ = Predictor(bundle).predict(stamps)
    np.testing.assert_array_equal(
        fractions, Predictor(bundle, views=8).predict(stamps)[0]
    )
    assert np.abs(fractions - Predictor(bundle, views=1).predict(stamps)[0]).max() > 0.1


def test_eight_views_make_the_result_independent_of_orientation(make_bundle, stamps):
    predictor = Predictor(make_bundle(), views=8)
    expected, errors, _ = predictor.predict(stamps)
    for turned in (np.rot90(stamps, axes=(1, 2)), stamps[:, ::-1]):
        found = predictor.predict(turned)
        np.testing.assert_allclose(found[0], expected, atol=ROUNDING)
        np.testing.assert_allclose(found[1], errors, atol=ROUNDING)


def test_views_of_a_symmetric_network_are_turned_by_parts_of_a_quarter(
    tmp_path, stamps
):
    options = {"widths": [2, 4], "features": 8}
    model = build("p4m_resnet", scheme=CANDELS, input_shape=SHAPE, **options)
    rng = np.random.default_rng(1)
    for weights in model.trainable_weights:
        weights.assign(rng.normal(scale=0.3, size=weights.shape))
    bundle = load_bundle(
        save_small_bundle(
            tmp_path / "p4m.zip",
            models=[model],
            architecture="p4m_resnet",
            options=options,
            weights_dtype="float32",
            views=2,
        )
    )
    fractions, errors, _ = Predictor(bundle).predict(stamps)
    halves = np.stack([model(v) for v in views(stamps, 2, symmetric=True)])
    np.testing.assert_allclose(fractions, halves.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(errors, halves.std(axis=0), atol=2e-6)
    assert errors.mean() > 1e-4


def test_calibration_is_added_to_the_spread(make_bundle, stamps):
    scatter = {name: [0.1, 0.1 + 0.1 * i] for i, name in enumerate(CANDELS.outputs)}
    calibration = {"fraction": [0.2, 0.8], "error": scatter}
    bundle = make_bundle(members=2, calibration=calibration, weights_dtype="float32")
    fractions, errors, _ = Predictor(bundle).predict(stamps)
    part = np.clip((fractions - 0.2) / 0.6, 0, 1)
    residuals = 0.1 + 0.1 * np.arange(5) * part
    spread = direct(bundle, stamps).std(axis=0)
    np.testing.assert_allclose(errors, np.hypot(spread, residuals), atol=ROUNDING)


def test_calibration_alone_gives_errors(make_bundle, stamps):
    calibration = {"fraction": [0.0], "error": dict.fromkeys(CANDELS.outputs, [0.25])}
    _, errors, _ = Predictor(make_bundle(calibration=calibration)).predict(stamps)
    np.testing.assert_array_equal(errors, np.float32(0.25))


@pytest.fixture(scope="module")
def hc15(tmp_path_factory):
    path = save_bundle(
        tmp_path_factory.mktemp("hc15") / "hc15.zip",
        [build("hc15", scheme=CANDELS)],
        name="hc15",
        scheme=CANDELS,
        preprocessor={},
        architecture="hc15",
        input_shape=(45, 45, 1),
    )
    bundle = load_bundle(path)
    # weights of the size that keeps the signal through the layers
    rng = np.random.default_rng(4)
    for weight in bundle.models()[0].weights:
        if len(weight.shape) > 1:
            scale = np.sqrt(2 / np.prod(weight.shape[:-1]))
            weight.assign(rng.normal(scale=scale, size=weight.shape))
    return bundle


@pytest.mark.parametrize("n_views", [1, 8])
def test_a_row_does_not_depend_on_its_batch(hc15, n_views):
    rng = np.random.default_rng(6)
    images = rng.normal(size=(BATCH + 9, 45, 45, 1)).astype(np.float32)
    predictor = Predictor(hc15, views=n_views)
    expected, _, _ = predictor.predict(images)
    assert expected.std(axis=0).max() > 0.05
    # the same place in a batch, other rows in it: the same bits
    other = images.copy()
    other[1::2] = rng.normal(size=other[1::2].shape)
    np.testing.assert_array_equal(predictor.predict(other)[0][::2], expected[::2])
    np.testing.assert_array_equal(predictor.predict(images[:5])[0], expected[:5])
    np.testing.assert_array_equal(predictor.predict(images[:1])[0], expected[:1])
    np.testing.assert_array_equal(predictor.predict(images)[0], expected)
    # another place in a batch: the same to rounding
    order = rng.permutation(len(images))
    found, _, _ = predictor.predict(images[order])
    np.testing.assert_allclose(found, expected[order], rtol=0, atol=ROUNDING)
    for row in (3, BATCH - 1, BATCH + 5):
        found, _, _ = predictor.predict(images[row : row + 1])
        np.testing.assert_allclose(found[0], expected[row], rtol=0, atol=ROUNDING)


def test_rows_that_are_not_finite_are_nan_and_harm_no_other(make_bundle, stamps):
    predictor = Predictor(make_bundle(members=2))
    fractions, errors, _ = predictor.predict(stamps)
    bad = stamps.copy()
    bad[3, 0, 0] = np.nan
    bad[65, 5, 5] = -np.inf
    found = predictor.predict(bad)
    rows = np.isin(np.arange(70), [3, 65])
    for result, expected in zip(found[:2], (fractions, errors), strict=True):
        assert np.isnan(result[rows]).all()
        np.testing.assert_array_equal(result[~rows], expected[~rows])
    assert np.isnan(bad[3, 0, 0, 0])
    assert np.isnan(predictor.predict(np.full((2, *SHAPE), np.nan))[0]).all()


def test_any_numbers_and_no_rows_are_taken(make_bundle, stamps):
    predictor = Predictor(make_bundle(), views=2)
    expected, _, _ = predictor.predict(stamps)
    for dtype in (">f4", "f8"):
        np.testing.assert_array_equal(
            predictor.predict(stamps.astype(dtype))[0], expected
        )
    reverse = predictor.predict(stamps[:, :, ::-1][:, :, ::-1])[0]
    np.testing.assert_array_equal(reverse, expected)
    assert predictor.predict(np.zeros((1, *SHAPE), int))[0].shape == (1, 5)
    fractions, errors, _ = predictor.predict(np.zeros((0, *SHAPE)))
    assert fractions.shape == errors.shape == (0, 5)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (np.zeros(SHAPE), r"shape \(n, 12, 12, 1\); found \(12, 12, 1\)"),
        (np.zeros((2, 12, 13, 1)), r"found \(2, 12, 13, 1\)"),
        (np.zeros((2, 12, 12, 3)), r"found \(2, 12, 12, 3\)"),
        (np.zeros((2, *SHAPE), complex), "real numbers, found complex"),
        (np.full((2, *SHAPE), "a"), "real numbers"),
    ],
)
def test_stamps_that_do_not_fit_are_refused(make_bundle, stamps, message):
    with pytest.raises(ConfigurationError, match=message):
        Predictor(make_bundle()).predict(stamps)


def test_views_and_devices_that_there_are_not_are_refused(make_bundle, stamps):
    bundle = make_bundle()
    for n_views in (0, 9, 2.5):
        with pytest.raises(ConfigurationError, match="views: expected 1 to 8"):
            Predictor(bundle, views=n_views)
    for device in ("nonsense", "cpu:99", 3, [], ["cpu:0", "cpu:99"]):
        with pytest.raises(ConfigurationError, match="device"):
            Predictor(bundle, device=device)
    on_cpu = Predictor(bundle, device="cpu:0").predict(stamps)[0]
    np.testing.assert_allclose(on_cpu, Predictor(bundle).predict(stamps)[0], atol=1e-6)


def test_several_devices_give_the_bits_of_one(make_bundle, stamps, tmp_path):
    bundle = make_bundle(members=2, views=3)
    np.save(tmp_path / "stamps.npy", np.concatenate([stamps, stamps[::-1]]))
    code = """
import sys
import numpy as np
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 3
)
from galmorph.models import Predictor, load_bundle
bundle, stamps = load_bundle(sys.argv[1]), np.load(sys.argv[2])
expected = Predictor(bundle, device="cpu:0").predict(stamps)
several = Predictor(bundle, device=["cpu:0", "cpu:1", "cpu:2"])
assert {w.value.device[-5:] for m in several._models for w in m.weights} == {
    "CPU:0", "CPU:1", "CPU:2"
}
for one, other in zip(expected, several.predict(stamps), strict=True):
    np.testing.assert_array_equal(one, other)
"""
    words = [sys.executable, "-c", code, bundle.path, tmp_path / "stamps.npy"]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [str(word) for word in words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_stamps_that_are_not_square_cannot_be_turned(tmp_path):
    shape = (12, 10, 1)
    model = build("dense_ann", input_shape=shape, scheme=CANDELS, **OPTIONS)
    path = save_bundle(
        tmp_path / "oblong.zip",
        [model],
        name="oblong",
        scheme=CANDELS,
        preprocessor={},
        architecture="dense_ann",
        input_shape=shape,
        options=OPTIONS,
    )
    bundle = load_bundle(path)
    assert Predictor(bundle).predict(np.zeros((3, *shape)))[0].shape == (3, 5)
    with pytest.raises(ConfigurationError, match="12 x 10.*views=1"):
        Predictor(bundle, views=8)


def test_wrong_weights_are_told_as_such(make_bundle):
    bundle = make_bundle("small")
    (bundle.path / "member-0.weights.h5").write_bytes(b"")
    with pytest.raises(BundleError, match="changed since"):
        Predictor(bundle, device="cpu:0")


def test_a_decision_tree_is_obeyed_after_averaging(tmp_path, stamps):
    model = build("dense_ann", input_shape=SHAPE, scheme=GALAXY_ZOO_2, **OPTIONS)
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    path = save_bundle(
        tmp_path / "zoo.zip",
        [model],
        name="zoo",
        scheme=GALAXY_ZOO_2,
        preprocessor={},
        architecture="dense_ann",
        input_shape=SHAPE,
        options=OPTIONS,
    )
    fractions, _, _ = Predictor(load_bundle(path), views=8).predict(stamps)
    index = GALAXY_ZOO_2.index
    for question in GALAXY_ZOO_2.questions:
        if question.parent is not None:
            total = fractions[:, [index(a) for a in question.answers]].sum(axis=1)
            parent = fractions[:, index(question.parent)]
            assert np.all(total <= parent + ROUNDING)


CODE = """
import sys
import numpy as np
from galmorph.models import Predictor, load_bundle
path, stamps, out = sys.argv[1:]
fractions, errors, _ = Predictor(load_bundle(path), views=8).predict(np.load(stamps))
np.save(out, fractions)
"""


def predict_elsewhere(tmp_path, stamps, **environment):
    """Predictions in a fresh interpreter, and what it printed."""
    path = save_small_bundle(tmp_path / "elsewhere.zip")
    np.save(tmp_path / "stamps.npy", stamps)
    files = [path, tmp_path / "stamps.npy", tmp_path / "fractions.npy"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    run = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, files)],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return np.load(files[2]), run.stdout + run.stderr


def test_tensorflow_is_quiet(tmp_path, make_bundle, stamps):
    fractions, printed = predict_elsewhere(tmp_path, stamps)
    assert printed == ""
    expected, _, _ = Predictor(make_bundle(), views=8).predict(stamps)
    np.testing.assert_array_equal(fractions, expected)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same(tmp_path, make_bundle, stamps, backend):
    pytest.importorskip(backend)
    fractions, _ = predict_elsewhere(tmp_path, stamps, KERAS_BACKEND=backend)
    expected, _, _ = Predictor(make_bundle(), views=8).predict(stamps)
    np.testing.assert_allclose(fractions, expected, atol=1e-5)
