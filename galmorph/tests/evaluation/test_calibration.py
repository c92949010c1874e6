# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import json

import numpy as np
import pytest

from galmorph import LabelScheme
from galmorph.evaluation import fit_error_calibration

TWO = LabelScheme("two", outputs=["f_a", "f_b"])


def test_errors_follow_the_residuals_along_the_predicted_fraction():
    random = np.random.default_rng(1)
    predicted = random.uniform(size=(20000, 2))
    error = np.stack([0.05 + 0.2 * predicted[:, 0], np.full(20000, 0.1)], axis=1)
    truth = predicted + error * random.normal(size=predicted.shape)
    calibration = fit_error_calibration(truth, predicted, TWO)
    knots = np.array(calibration["fraction"])
    assert calibration["error"]["f_a"] == pytest.approx(0.05 + 0.2 * knots, abs=0.03)
    assert calibration["error"]["f_b"] == pytest.approx([0.1] * len(knots), abs=0.01)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_galaxies_still_give_finite_errors(n):
    truth = np.linspace(0, 1, 2 * n).reshape(n, 2)
    calibration = fit_error_calibration(truth, truth * 0.5, TWO)
    errors = np.array(list(calibration["error"].values()))
    assert np.isfinite(errors).all()
    assert (errors >= 0).all()


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
    assert list(calibration["error"]) == ["f_a", "f_b"]
    assert all(np.diff(calibration["fraction"]) > 0)
