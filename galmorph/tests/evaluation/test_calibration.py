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


def test_errors_follow_where_the_image_is_in_the_domain():
    random = np.random.default_rng(2)
    coordinates = 0.1 * random.normal(size=(8000, 3))
    error = 0.05 * np.exp(4 * coordinates[:, :1])
    predicted = random.uniform(0.2, 0.8, size=(8000, 2))
    truth = predicted + error * random.normal(size=predicted.shape)
    model = fitted(truth, predicted, coordinates=coordinates)
    assert model.coordinate_weights.shape == (3, 2)
    found = model.errors(predicted, coordinates @ model.coordinate_weights)
    assert np.median(found / error, axis=0) == pytest.approx([1, 1], rel=0.05)
    assert np.std(np.log(found / error)) < 0.1


def test_one_error_covers_its_share_of_residuals_with_long_tails():
    random = np.random.default_rng(3)
    # errors that differ more than the fraction tells, as those of real galaxies
    coordinates = random.normal(size=(6000, 1))
    error = 0.02 * np.exp(np.abs(coordinates))
    predicted = random.uniform(size=(6000, 2))
    truth = predicted + error * random.normal(size=predicted.shape)
    model = fitted(truth[::2], predicted[::2], coordinates=coordinates[::2])
    seen = coordinates @ model.coordinate_weights
    errors = model.errors(predicted, seen)[1::2]
    residual = (truth - predicted)[1::2]
    assert within(residual, errors, 1) == pytest.approx([0.683, 0.683], abs=0.03)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_galaxies_still_give_finite_errors(n):
    truth = np.linspace(0, 1, 2 * n).reshape(n, 2)
    model = fitted(truth, truth * 0.5, coordinates=np.zeros((n, 4)))
    errors = model.errors([[0.0, 0.5], [1.0, 0.2]], np.zeros((2, 2)))
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
