# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from scipy.stats import spearmanr

from galmorph import LabelScheme
from galmorph.evaluation import agreement_table, auc, calibration_slope, spearman

ONE = LabelScheme("one", outputs=["f_a"])


def column(*values):
    return np.array(values, float)[:, None]


def test_rank_correlation_of_five_galaxies():
    # ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 * 4 / (5 * 24) = 0.8
    found = spearman(column(0, 0.1, 0.4, 0.6, 1), column(0.2, 0.1, 0.5, 0.4, 0.6))
    assert found == pytest.approx([0.8])


def test_rank_correlation_with_ties_is_that_of_scipy():
    truth, predicted = np.random.default_rng(1).integers(0, 5, (2, 60, 2)) / 5
    expected = [spearmanr(truth[:, i], predicted[:, i]).statistic for i in (0, 1)]
    assert spearman(truth, predicted) == pytest.approx(expected)
    assert spearman(truth, -truth) == pytest.approx([-1, -1])


def test_order_of_constants_and_of_nothing_is_unknown():
    assert np.isnan(spearman(column(0, 1), column(0.5, 0.5))).all()
    assert np.isnan(spearman(np.zeros((0, 1)), np.zeros((0, 1)))).all()


def test_area_counts_pairs_in_the_right_order():
    # class 0.4, 0.8 against 0.4, 0.1, 0.9: 1/2 + 1 + 0 and 1 + 1 + 0 of 6 pairs
    truth, predicted = column(1, 1, 0, 0, 0), column(0.4, 0.8, 0.4, 0.1, 0.9)
    assert auc(truth, predicted) == pytest.approx([3.5 / 6])


def test_area_needs_both_kinds():
    assert np.isnan(auc(column(1, 1), column(0.1, 0.2))).all()


def test_missing_labels_do_not_count():
    truth, predicted = column(1, 0, np.nan), column(0.9, 0.1, 0.0)
    assert auc(truth, predicted) == pytest.approx([1])


def test_slope_tells_predictions_that_are_too_extreme():
    predicted = column(0, 0.5, 1)
    assert calibration_slope(0.25 + predicted / 2, predicted) == pytest.approx([0.5])


def test_table_has_what_a_perfect_model_reaches():
    random = np.random.default_rng(2)
    probabilities = random.uniform(size=(3000, 1))
    truth = random.binomial(5, probabilities) / 5
    table = agreement_table(truth, probabilities, ONE, n_votes=5)
    for name in ("spearman", "slope", "auc"):
        expected = pytest.approx(table[f"{name}_perfect"][0], abs=0.02)
        assert table[name][0] == expected
        assert 0 < table[f"{name}_err"][0] < 0.02
