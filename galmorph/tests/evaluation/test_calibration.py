# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import json

import numpy as np
import pytest

from galmorph import LabelScheme
from galmorph.evaluation import fit_error_calibration
from galmorph.models.errors import ErrorModel

TWO = LabelScheme("two", outputs=["f_a", "f_b"])


def fitted(truth, predicted, **more):
    return ErrorModel(fit_error_calibration(truth, predicted, TWO, **more), TWO.outputs)


def within(residual, errors, times):
    return np.mean(np.abs(residual) < times * errors, axis=0)


def test_errors_follow_the_residuals_along_the_predicted_fraction():
    random = np.random.default_rng(1)
    predicted = random.uniform(0.02, 0.98, size=(20000, 2))
    error = np.stack([0.05 + 0.1 * predicted[:, 0], np.full(20000, 0.1)], axis=1)
    truth = predicted + error * random.normal(size=predicted.shape)
    grid = np.linspace(0.1, 0.9, 9)
    found = fitted(truth, predicted).errors(np.stack([grid, grid], axis=1))
    assert found[:, 0] == pytest.approx(0.05 + 0.1 * grid, rel=0.1)
    assert found[:, 1] == pytest.approx(0.1, rel=0.05)


def test_both_shares_are_right_where_errors_differ_more_than_the_fraction_tells():
    random = np.random.default_rng(3)
    error = 0.02 * np.exp(0.3 * np.abs(random.normal(size=(12000, 1))))
    predicted = random.uniform(size=(12000, 2))
    truth = predicted + error * random.normal(size=predicted.shape)
    errors = fitted(truth[::2], predicted[::2]).errors(predicted[1::2])
    residual = (truth - predicted)[1::2]
    assert within(residual, errors, 1) == pytest.approx([0.683, 0.683], abs=0.03)
    assert within(residual, errors, 1.96) == pytest.approx([0.95, 0.95], abs=0.02)


def test_errors_of_a_known_shape_are_not_stretched():
    random = np.random.default_rng(4)
    predicted = random.uniform(0.05, 0.95, size=(20000, 2))
    error = 0.2 * np.sqrt(predicted * (1 - predicted))
    truth = predicted + error * random.normal(size=predicted.shape)
    found = fitted(truth, predicted).errors(predicted)
    assert np.std(np.log(found / error)) < 0.03
    assert np.median(found / error) == pytest.approx(1, abs=0.03)


def test_the_spread_of_the_members_is_a_part_of_the_errors():
    random = np.random.default_rng(5)
    predicted = random.uniform(0.2, 0.8, size=(20000, 2))
    spread = random.exponential(0.05, size=predicted.shape)
    error = np.hypot(0.1, spread)
    truth = predicted + error * random.normal(size=predicted.shape)
    found = fitted(truth, predicted, spread=spread).errors(predicted)
    assert np.median(found, axis=0) == pytest.approx([0.1, 0.1], rel=0.05)
    residual, total = truth - predicted, np.hypot(found, spread)
    assert within(residual, total, 1) == pytest.approx([0.683, 0.683], abs=0.02)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_galaxies_still_give_finite_errors(n):
    truth = np.linspace(0, 1, 2 * n).reshape(n, 2)
    errors = fitted(truth, truth * 0.5).errors([[0.0, 0.5], [1.0, 0.2]])
    assert np.isfinite(errors).all()
    assert (errors > 0).all()
    assert (errors <= 0.5).all()


def test_missing_labels_do_not_count():
    truth = np.full((100, 2), 0.5)
    predicted = truth + 0.1
    expected = fit_error_calibration(truth[:50], predicted[:50], TWO)
    truth[50:] = np.nan
    assert fit_error_calibration(truth, predicted, TWO) == expected


def test_calibration_is_plain_data_for_json():
    random = np.random.default_rng(2)
    calibration = fit_error_calibration(
        random.uniform(size=(50, 2)), random.uniform(size=(50, 2)), TWO
    )
    assert json.loads(json.dumps(calibration)) == calibration
    assert list(calibration["log_variance"]) == ["f_a", "f_b"]
