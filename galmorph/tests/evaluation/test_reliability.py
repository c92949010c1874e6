# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph import LabelScheme
from galmorph.core import ConfigurationError
from galmorph.evaluation import coverage, coverage_table, reliability_table

ONE = LabelScheme("one", outputs=["f_a"])
TWO = LabelScheme("two", outputs=["f_a", "f_b"])


def toy(width=1.0, n=20000):
    """Truths that scatter about the predictions as much as the errors say."""
    random = np.random.default_rng(7)
    predicted = random.uniform(0.3, 0.7, (n, 2))
    errors = random.uniform(0.02, 0.1, (n, 2))
    return predicted + width * errors * random.normal(size=(n, 2)), predicted, errors


def test_right_gaussian_errors_cover_68_and_95_per_cent():
    table = coverage_table(*toy(), TWO)
    assert table["output"].tolist() == ["f_a", "f_b", "all"]
    for name, share in (("within_1", 0.6827), ("within_2", 0.9545)):
        off = (table[name] - share) / table[f"{name}_err"]
        assert np.abs(off).max() < 3
        assert table[f"{name}_err"][0] == pytest.approx(
            np.sqrt(share * (1 - share) / 20000), rel=0.2
        )
    assert table["pull_std"] == pytest.approx([1, 1, 1], abs=0.02)
    assert np.abs(table["pull_mean"]).max() < 0.03


def test_errors_that_are_too_small_cover_less():
    # P(|x| < 1/2) = 0.383, P(|x| < 1) = 0.683
    table = coverage_table(*toy(width=2.0), TWO)
    assert table["within_1"] == pytest.approx([0.383] * 3, abs=0.015)
    assert table["within_2"] == pytest.approx([0.683] * 3, abs=0.015)
    assert table["pull_std"] == pytest.approx([2] * 3, rel=0.02)


def test_coverage_of_four_galaxies():
    truth = [[0.5], [0.5], [0.5], [0.5]]
    predicted = [[0.55], [0.65], [0.75], [0.2]]
    errors = [[0.1], [0.1], [0.1], [np.nan]]  # pulls 0.5, 1.5, 2.5
    assert coverage(truth, predicted, errors) == pytest.approx([1 / 3])
    assert coverage(truth, predicted, errors, 2) == pytest.approx([2 / 3])
    assert coverage(truth, predicted, errors, 3, axis=None) == 1


def test_without_errors_nothing_is_covered():
    assert np.isnan(coverage([[0.5]], [[0.5]], [[0.0]])).all()
    table = coverage_table([[0.5]], [[0.5]], [[np.nan]], ONE)
    assert table["n"].tolist() == [0, 0] and np.isnan(table["within_1"]).all()


def test_errors_of_another_shape_are_refused():
    with pytest.raises(ConfigurationError, match="errors"):
        coverage_table([[0.5]], [[0.5]], [0.1], ONE)


def test_mean_truth_in_bins_of_the_prediction():
    truth = [[0.0], [0.5], [1.0], [np.nan]]
    predicted = [[0.1], [0.3], [1.0], [0.2]]
    table = reliability_table(truth, predicted, ONE, n_bins=2)
    assert table["n"].tolist() == [2, 1, 2, 1]
    assert table["predicted"] == pytest.approx([0.2, 1, 0.2, 1])
    assert table["true"] == pytest.approx([0.25, 1, 0.25, 1])
    assert np.isnan(table["true_err"][1]) and table["true_err"][0] > 0


def test_votes_of_few_people_leave_calibrated_predictions_on_the_line():
    random = np.random.default_rng(3)
    predicted = random.uniform(size=(20000, 1))
    table = reliability_table(random.binomial(3, predicted) / 3, predicted, ONE)
    off = (table["true"] - table["predicted"]) / table["true_err"]
    assert np.abs(off).max() < 4


def test_predictions_just_outside_of_0_to_1_are_in_the_end_bins():
    table = reliability_table([[0.0], [1.0]], [[-0.1], [1.2]], ONE, n_bins=2)
    assert table["n"][:2].tolist() == [1, 1]
