# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph import LabelScheme
from galmorph.evaluation import (
    bias,
    binomial_floor,
    bootstrap_error,
    metrics_table,
    rmse,
    scatter,
)

TWO = LabelScheme("two", outputs=["f_a", "f_b"])


def test_rmse_is_pooled_or_by_output_or_by_galaxy():
    truth, predicted = np.zeros((2, 2)), np.array([[0.3, 0.4], [0.0, 0.0]])
    assert rmse(truth, predicted) == pytest.approx(0.25)
    assert rmse(truth, predicted, axis=0) == pytest.approx(np.sqrt([0.045, 0.08]))
    assert rmse(truth, predicted, axis=1) == pytest.approx([np.sqrt(0.125), 0])


def test_missing_labels_do_not_count():
    truth = np.array([[0.5, np.nan], [0.5, 0.0]])
    predicted = np.array([[0.7, 0.9], [np.nan, 0.1]])
    assert rmse(truth, predicted) == pytest.approx(np.sqrt((0.04 + 0.01) / 2))


def test_rmse_of_nothing_is_nan():
    assert np.isnan(rmse(np.zeros((0, 2)), np.zeros((0, 2))))
    assert np.isnan(rmse(np.full((2, 2), np.nan), np.zeros((2, 2))))


def test_arrays_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        rmse(np.zeros((2, 2)), np.zeros((2, 3)))


def test_binomial_floor_is_the_error_that_the_true_probabilities_have():
    random = np.random.default_rng(1)
    probabilities = random.uniform(size=(20000, 2))
    votes = random.integers(3, 8, 20000)
    observed = random.binomial(votes[:, None], probabilities) / votes[:, None]
    found = binomial_floor(observed, votes)
    assert found == pytest.approx(rmse(probabilities, observed), rel=0.02)


def test_bootstrap_error_of_the_rmse_is_its_scatter_between_samples():
    random = np.random.default_rng(2)

    def sample():
        truth = random.uniform(size=(400, 1))
        return truth, truth + random.normal(0, 0.1, size=truth.shape)

    scatter = np.std([rmse(*sample()) for _ in range(200)])
    assert bootstrap_error(rmse, *sample()) == pytest.approx(scatter, rel=0.25)


def test_bootstrap_error_is_the_same_each_time():
    values = np.arange(20.0)
    assert bootstrap_error(np.mean, values) == bootstrap_error(np.mean, values)


def test_table_of_metrics_has_bias_scatter_and_predict_the_mean():
    random = np.random.default_rng(3)
    truth = random.uniform(size=(5000, 2))
    predicted = truth + [[0.1, 0.0]] + random.normal(0, 0.05, truth.shape)
    table = metrics_table(truth, predicted, TWO)
    assert list(table["output"]) == ["f_a", "f_b", "all"]
    assert table["bias"][:2] == pytest.approx([0.1, 0.0], abs=0.005)
    assert table["scatter"][:2] == pytest.approx([0.05, 0.05], abs=0.002)
    assert table["rmse_mean"][:2] == pytest.approx(truth.std(axis=0))
    assert table["rmse"] ** 2 == pytest.approx(
        table["bias"] ** 2 + table["scatter"] ** 2
    )


def test_table_of_metrics_counts_galaxies_with_a_label():
    truth = np.array([[0.5, np.nan], [0.5, 0.0], [np.nan, np.nan]])
    table = metrics_table(truth, np.zeros((3, 2)), TWO)
    assert list(table["n"]) == [2, 1, 2]


def test_table_of_metrics_of_no_galaxy_has_its_rows():
    table = metrics_table(np.zeros((0, 2)), np.zeros((0, 2)), TWO)
    assert list(table["n"]) == [0, 0, 0]
    assert np.isnan(table["rmse"]).all()


def test_labels_of_another_scheme_are_refused():
    with pytest.raises(ValueError, match="candels"):
        metrics_table(np.zeros((3, 2)), np.zeros((3, 2)), "candels")


def test_bias_and_scatter_are_pooled_or_by_output_or_by_galaxy():
    truth, predicted = np.zeros((2, 2)), np.array([[0.1, 0.3], [0.3, np.nan]])
    assert bias(truth, predicted) == pytest.approx(0.7 / 3)
    assert bias(truth, predicted, axis=0) == pytest.approx([0.2, 0.3])
    assert bias(truth, predicted, axis=1) == pytest.approx([0.2, 0.3])
    assert scatter(truth, predicted, axis=0) == pytest.approx([0.1, 0])
    assert scatter(truth, predicted, axis=1) == pytest.approx([0.1, 0])


def test_errors_of_bias_and_scatter_are_those_of_normal_differences():
    random = np.random.default_rng(5)
    difference = random.normal(0, 0.2, (1000, 1))
    table = metrics_table(np.zeros((1000, 1)), difference, LabelScheme("one", ["f_a"]))
    assert table["bias_err"][0] == pytest.approx(0.2 / np.sqrt(1000), rel=0.2)
    assert table["scatter_err"][0] == pytest.approx(0.2 / np.sqrt(2000), rel=0.2)


def test_floor_of_the_votes_is_beside_the_rmse():
    truth = np.array([[0.5, 0.0], [0.5, 1.0]])
    table = metrics_table(truth, truth, TWO, n_votes=[2, 5])
    # variances 1/4 and 1/16 for f_a, none for f_b
    assert table["rmse_floor"] == pytest.approx(np.sqrt([5 / 32, 0, 5 / 64]), abs=1e-12)
