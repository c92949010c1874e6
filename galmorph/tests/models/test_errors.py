# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph.core import CANDELS, ConfigurationError
from galmorph.models import Predictor, load_bundle
from galmorph.models.errors import ErrorModel, error_terms
from galmorph.tests.models.conftest import save_small_bundle


def test_order_of_the_outputs_is_that_of_the_scheme():
    calibration = {"log_variance": {"f_b": [0.0, 0, 0, 0], "f_a": [-4.0, 0, 0, 0]}}
    errors = ErrorModel(calibration, ["f_a", "f_b"]).errors([[0.5, 0.5]])
    np.testing.assert_allclose(errors, [[np.exp(-2), 0.5]])


def test_an_error_depends_on_all_fractions():
    weights = [-4.0, 0.3, 0.5, -0.7]
    model = ErrorModel(
        {"log_variance": {"f_a": weights, "f_b": weights}}, ["f_a", "f_b"]
    )
    a, b = error_terms([[0.2, 0.7]])[0]
    shared = -4 + 0.5 * a - 0.7 * b
    expected = np.exp([(shared + 0.3 * a**2) / 2, (shared + 0.3 * b**2) / 2])
    np.testing.assert_allclose(model.errors([[0.2, 0.7]])[0], expected)


def test_fractions_of_0_and_1_have_errors():
    weights = [-4.0, 0.3, 0.5]
    model = ErrorModel({"log_variance": {"f_a": weights}}, ["f_a"])
    errors = model.errors([[0.0], [1.0]])
    assert (errors > 0).all()
    assert (errors <= 0.5).all()


def test_errors_of_a_bundle_are_those_of_its_fractions(tmp_path, stamps):
    random = np.random.default_rng(0)
    calibration = {
        "log_variance": {
            output: [-4.0, 0.1, *random.normal(size=5)] for output in CANDELS.outputs
        }
    }
    path = save_small_bundle(tmp_path / "b", calibration=calibration)
    found = Predictor(load_bundle(path)).predict(stamps)
    expected = ErrorModel(calibration, CANDELS.outputs).errors(found.fractions)
    np.testing.assert_allclose(found.errors, expected, rtol=1e-3)
    assert found.errors.std(axis=0).min() > 0


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        ({}, "log_variance"),
        ({"log_variance": {"f_a": [1, 2, 3]}}, "expected the outputs"),
        (
            {"log_variance": {"f_a": [1, 2, 3], "f_b": [1, 2, 3]}},
            "expected 4 numbers",
        ),
        ({"log_variance": {"f_a": [1, 2, 3, 4], "f_b": [1, 2, 3, np.nan]}}, "finite"),
        ({"log_variance": {"f_a": [1, 2, 3, 4], "f_b": [1, 2, 3]}}, "inhomogeneous"),
        ({"fraction": [0], "error": {"f_a": [-1], "f_b": [1]}}, "negative"),
    ],
)
def test_wrong_calibrations_are_explained(calibration, message):
    with pytest.raises(ConfigurationError, match=message):
        ErrorModel(calibration, ["f_a", "f_b"])
