# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from scipy.special import logit

from galmorph import LabelScheme
from galmorph.core import BundleError, ConfigurationError, Question
from galmorph.models import Predictor, load_bundle
from galmorph.tests.training.shapes import SETTINGS, SHAPES, shapes
from galmorph.training import calibrate, train
from galmorph.training.trainer import predict

pytestmark = pytest.mark.filterwarnings("error")
ONE = LabelScheme("one", SHAPES.outputs[1:])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return train(shapes(), out=out, **{**SETTINGS, "epochs": 4}).bundle


def noisy(n, seed, sigma=0.2):
    """Shapes whose labels scatter more than those of the training."""
    stamps, table = shapes(n=n, seed=seed)
    random = np.random.default_rng(seed)
    for output in SHAPES.outputs:
        table[output] = np.clip(table[output] + random.normal(0, sigma, n), 0, 1)
    return stamps, table


def test_errors_become_those_of_the_new_galaxies(bundle, tmp_path):
    stamps, table = noisy(400, 21)
    before = Predictor(load_bundle(bundle)).predict(stamps[:, 4:20, 4:20, None])
    path = calibrate(bundle, noisy(1500, 22), out=tmp_path / "new.zip", name="new")
    new = load_bundle(path)
    after = Predictor(new).predict(stamps[:, 4:20, 4:20, None])
    np.testing.assert_allclose(after.fractions, before.fractions, atol=1e-6)
    residual = np.abs(SHAPES.labels(table) - after.fractions)
    assert np.mean(residual < after.errors) == pytest.approx(0.683, abs=0.06)
    assert np.mean(residual < before.errors) < 0.6
    assert new.name == "new"
    assert new.card == load_bundle(bundle).card
    assert new.config["training"]["calibrated_with"]["galaxies"] == 1500


def test_levels_become_those_of_the_labels(bundle, tmp_path):
    stamps, table = shapes(n=1500, seed=28)
    first, second = SHAPES.outputs
    table[first] = np.clip(table[first] + 0.1, 0, 1)
    table[second][::3] = np.nan
    path = calibrate(bundle, (stamps, table), out=tmp_path / "new.zip", levels=True)
    middle = stamps[:, 4:20, 4:20, None]
    before = Predictor(load_bundle(bundle)).predict(middle).fractions
    after = Predictor(load_bundle(path)).predict(middle).fractions
    truth = SHAPES.labels(table)
    difference = np.nanmean(np.where(np.isfinite(truth), after - truth, np.nan), axis=0)
    np.testing.assert_allclose(difference, 0, atol=1e-3)
    assert np.abs(np.mean(before[:, 0] - truth[:, 0])) > 0.03
    # as much for each galaxy, and so in the same order
    shift = logit(after.astype(float)) - logit(before.astype(float))
    np.testing.assert_allclose(
        shift, np.broadcast_to(shift[:1], shift.shape), atol=0.01
    )


def test_levels_and_domain_are_those_of_the_views_that_are_predicted(tmp_path):
    stamps, table = shapes(n=300, seed=31)
    settings = {**SETTINGS, "architecture": "p4m_resnet", "epochs": 2, "views": 2}
    settings["options"] = {"widths": [2, 3]}
    run = train((stamps, table), out=tmp_path / "run", **settings)
    path = calibrate(run.bundle, (stamps, table), out=tmp_path / "b", levels=True)
    bundle = load_bundle(path)
    found = Predictor(bundle).predict(stamps[:, 4:20, 4:20, None])
    views = predict(bundle.models()[0], stamps[..., None], views=2)
    # the second is turned by less than 90 degrees, to which it is not the same
    assert np.ptp(views, axis=0).max() > 0.01
    np.testing.assert_allclose(views.mean(axis=0), found.fractions, atol=1e-5)
    truth = SHAPES.labels(table)
    np.testing.assert_allclose(found.fractions.mean(axis=0), truth.mean(axis=0), 5e-3)
    assert np.mean(found.distances > 1) == pytest.approx(0.01, abs=0.005)


def test_levels_of_labels_that_are_all_0_stay_finite(bundle, tmp_path):
    stamps, table = shapes(n=50, seed=29)
    table[SHAPES.outputs[0]] = 0.0
    path = calibrate(bundle, (stamps, table), out=tmp_path / "new.zip", levels=True)
    found = Predictor(load_bundle(path)).predict(stamps[:, 4:20, 4:20, None])
    assert found.fractions[:, 0].mean() == pytest.approx(0.5 / 51, rel=0.02)


def test_levels_of_answers_to_questions_are_refused(tmp_path):
    tree = LabelScheme(
        "tree", SHAPES.outputs, questions=[Question("Round?", tuple(SHAPES.outputs))]
    )
    data = shapes(n=60, seed=30)
    settings = {**SETTINGS, "scheme": tree, "epochs": 1}
    run = train(data, out=tmp_path / "run", **settings)
    with pytest.raises(ConfigurationError, match="levels"):
        calibrate(run.bundle, data, out=tmp_path / "b", levels=True)


def test_known_stamps_describe_the_domain(bundle, tmp_path):
    data = noisy(200, 23)
    path = calibrate(bundle, data, known=data[0][:50], out=tmp_path / "b")
    found = Predictor(load_bundle(path)).predict(data[0][:, 4:20, 4:20, None])
    assert np.mean(found.distances > 1) == pytest.approx(0.01, abs=0.005)


def test_some_outputs_are_kept(bundle, tmp_path):
    data = noisy(200, 24)
    path = calibrate(bundle, data, out=tmp_path / "b", scheme=ONE)
    stamps = data[0][:, 4:20, 4:20, None]
    found = Predictor(load_bundle(path)).predict(stamps)
    expected = Predictor(load_bundle(bundle)).predict(stamps).fractions
    np.testing.assert_allclose(found.fractions, expected[:, 1:], atol=1e-6)
    assert load_bundle(path).scheme == ONE


def test_a_model_that_is_open_stays_as_it_is(bundle, tmp_path):
    opened = load_bundle(bundle)
    data = shapes(n=200, seed=29)
    before = predict(opened.models()[0], data[0][..., None])
    data[1]["f_round"] = 1.0
    calibrate(opened, data, out=tmp_path / "b", levels=True)
    assert np.array_equal(predict(opened.models()[0], data[0][..., None]), before)


def test_outputs_that_the_model_has_not_are_named(bundle, tmp_path):
    stamps, table = noisy(50, 25)
    table["f_bar"] = 0.5
    other = LabelScheme("other", ["f_bar"])
    with pytest.raises(ConfigurationError, match="'f_bar'] are missing"):
        calibrate(bundle, (stamps, table), out=tmp_path / "b", scheme=other)


def test_stamps_that_are_too_small_are_told(bundle, tmp_path):
    stamps, table = noisy(50, 26)
    with pytest.raises(ConfigurationError, match="found stamps of the shape"):
        calibrate(bundle, (stamps[:, :10, :10], table), out=tmp_path / "b")


def test_a_bundle_is_not_replaced_unawares(bundle, tmp_path):
    data = noisy(50, 27)
    path = calibrate(bundle, data, out=tmp_path / "b")
    with pytest.raises(BundleError, match="exists"):
        calibrate(bundle, data, out=path)
    assert calibrate(bundle, data, out=path, overwrite=True) == path
