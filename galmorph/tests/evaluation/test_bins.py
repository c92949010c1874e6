# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import astropy.units as u
import numpy as np
import pytest

from galmorph import LabelScheme
from galmorph.core import ConfigurationError
from galmorph.evaluation import (
    binned_metrics,
    draw_fractions,
    equal_bins,
    metrics_table,
)

TWO = LabelScheme("two", outputs=["f_a", "f_b"])
ONE = LabelScheme("one", outputs=["f_a"])


def test_bias_scatter_and_rmse_of_each_bin_are_right():
    truth = [[0.0, 0.5], [0.2, 0.5], [0.4, np.nan]]
    predicted = [[0.1, 0.5], [0.5, 0.7], [0.0, 0.1]]
    table = binned_metrics(truth, predicted, [20, 21, 24], TWO, edges=[18, 22, 26])
    assert table["output"].tolist() == ["f_a", "f_a", "f_b", "f_b", "all", "all"]
    assert table["n"].tolist() == [2, 1, 2, 0, 2, 1]
    assert table["mean"][:2].tolist() == [20.5, 24]
    # differences: f_a 0.1 0.3 | -0.4; f_b 0 0.2 | -; all 0.1 0.3 0 0.2 | -0.4
    assert table["bias"] == pytest.approx(
        [0.2, -0.4, 0.1, np.nan, 0.15, -0.4], nan_ok=True
    )
    assert table["scatter"] == pytest.approx(
        [0.1, 0, 0.1, np.nan, np.sqrt(0.0125), 0], nan_ok=True
    )
    assert table["rmse"] == pytest.approx(
        [np.sqrt(0.05), 0.4, np.sqrt(0.02), np.nan, np.sqrt(0.035), 0.4], nan_ok=True
    )


def test_bins_together_are_the_whole():
    random = np.random.default_rng(2)
    truth, predicted = random.uniform(size=(2, 500, 2))
    table = binned_metrics(truth, predicted, random.normal(size=500), TWO, n_samples=5)
    whole = metrics_table(truth, predicted, TWO)
    for output, row in zip(("f_a", "f_b", "all"), whole, strict=True):
        bins = table[table["output"] == output]
        assert bins["n"].sum() == 500
        assert np.average(bins["bias"], weights=bins["n"]) == pytest.approx(row["bias"])
        mean = np.average(bins["rmse"] ** 2, weights=bins["n"])
        assert mean == pytest.approx(row["rmse"] ** 2)
        mean = np.average(bins["rmse_mean"] ** 2, weights=bins["n"])
        assert mean == pytest.approx(row["rmse_mean"] ** 2)


def test_by_default_bins_are_of_the_true_fraction_also_in_single_precision():
    truth = np.array([[0.0], [0.1], [0.7], [1.0], [np.nan]], dtype="f4")
    table = binned_metrics(truth, truth, None, ONE, n_samples=5)
    first = table[table["output"] == "f_a"]
    assert first["n"].tolist() == [1, 1, 0, 0, 0, 0, 0, 1, 0, 1]


def test_a_bin_of_one_galaxy_has_no_error():
    table = binned_metrics([[0.1], [0.1], [0.9]], np.zeros((3, 1)), None, ONE)
    error = table["rmse_err"][table["output"] == "f_a"]
    assert np.isfinite(error[1]) and np.isnan(error[9])


def test_bins_keep_the_unit_and_take_edges_in_another():
    size = [100, 300] * u.mas
    table = binned_metrics(
        np.zeros((2, 1)), np.zeros((2, 1)), size, ONE, edges=[0, 0.2, 0.4] * u.arcsec
    )
    assert table["low"].unit == u.mas
    assert table["n"].tolist() == [1, 1, 1, 1]
    assert table["mean"][:2].value == pytest.approx([100, 300])


def test_values_outside_of_the_bins_and_missing_ones_do_not_count():
    values = [-1, 0, 2, 3, np.nan]
    table = binned_metrics(
        np.zeros((5, 1)), np.zeros((5, 1)), values, ONE, edges=[0, 1, 2]
    )
    assert table["n"].tolist() == [1, 1, 1, 1]


def test_a_perfect_model_seems_biased_in_bins_of_noisy_votes_as_foretold():
    random = np.random.default_rng(3)
    predicted = random.uniform(size=(20000, 1))
    truth = draw_fractions(predicted, 3, random)
    table = binned_metrics(truth, predicted, None, ONE, n_votes=3, n_samples=20)
    used = table[(table["n"] > 0) & (table["output"] == "f_a")]
    assert len(used) == 4  # 0, 1/3, 2/3, 1
    assert used["bias"][0] > 0.15 and used["bias"][-1] < -0.15
    assert used["bias_perfect"] == pytest.approx(used["bias"], abs=0.01)
    assert used["scatter_perfect"] == pytest.approx(used["scatter"], abs=0.01)


def test_equal_bins_hold_equal_numbers_and_fewer_where_values_repeat():
    edges = equal_bins(np.random.default_rng(1).normal(size=800), 8)
    assert len(edges) == 9
    assert equal_bins([1, 1, 1, 2], 4).tolist() == [1, 1.25, 2]
    table = binned_metrics(np.zeros((2, 1)), np.zeros((2, 1)), [5.0, 5.0], ONE)
    assert table["n"].tolist() == [2, 2]


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="values: expected one for each"):
        binned_metrics(np.zeros((3, 1)), np.zeros((3, 1)), [1, 2], ONE)
    with pytest.raises(ConfigurationError, match="finite"):
        binned_metrics(np.zeros((1, 1)), np.zeros((1, 1)), [np.nan], ONE)
