# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest

from galmorph import LabelScheme
from galmorph.core import ConfigurationError
from galmorph.evaluation import (
    class_names,
    class_table,
    confusion_matrix,
    confusion_table,
    misclassification_table,
    selection_table,
)

SHAPES = LabelScheme("shapes", outputs=["round", "flat"])
SPHEROID = [0.9, 0.1, 0.0, 0.0, 0.0]
DISK = [0.1, 0.9, 0.0, 0.0, 0.0]
STAR = [0.9, 0.1, 0.0, 0.9, 0.0]
UNSURE = [0.5, 0.5, 0.0, 0.0, 0.0]
# true and predicted classes of eight galaxies
TRUTH = [SPHEROID] * 4 + [DISK] * 2 + [STAR, UNSURE]
PREDICTED = [SPHEROID] * 3 + [DISK] + [DISK] * 2 + [SPHEROID, DISK]


def test_matrix_has_true_classes_in_rows():
    matrix = confusion_matrix(list("aaabb"), list("abbba"), "abc")
    assert matrix.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 0]]


def test_unknown_classes_and_lengths_are_refused():
    with pytest.raises(ConfigurationError, match="'x'"):
        confusion_matrix(["x"], ["a"], ["a"])
    with pytest.raises(ConfigurationError, match="as many"):
        confusion_matrix(["a"], ["a", "a"], ["a"])


def test_table_of_the_matrix_leaves_out_classes_without_galaxies():
    table = confusion_table(["spheroid", "disk"], ["disk", "disk"], class_names())
    assert table.colnames == ["true_class", "spheroid", "disk"]
    assert table["disk"].tolist() == [1, 1]


def test_completeness_and_purity_of_dominant_classes():
    table = class_table(TRUTH, PREDICTED)
    table.add_index("morph_class")
    assert len(table) == 4
    spheroid, disk = table.loc["spheroid"], table.loc["disk"]
    assert (spheroid["n_true"], spheroid["n_predicted"]) == (4, 4)
    assert spheroid["completeness"] == 3 / 4 and spheroid["purity"] == 3 / 4
    assert disk["completeness"] == 1 and disk["purity"] == 2 / 4
    assert spheroid["share"] == 4 / 8
    star = table.loc["point_source"]
    assert star["completeness"] == 0 and np.isnan(star["purity"])


def test_rate_of_wrong_classes_of_all_and_of_clear_galaxies():
    table = misclassification_table(TRUTH, PREDICTED)
    assert table["galaxies"].tolist() == ["all", "clear"]
    assert table["n"].tolist() == [8, 7]  # the unsure one is not clear
    assert table["rate"] == pytest.approx([3 / 8, 2 / 7])
    assert table["rate_commonest"] == pytest.approx([4 / 8, 3 / 7])


def test_other_schemes_have_no_unclear_classes():
    truth = [[1, 0], [0, 1]]
    table = misclassification_table(truth, truth, SHAPES)
    assert table["galaxies"].tolist() == ["all"] and table["rate"].tolist() == [0]


def test_galaxies_without_a_class_do_not_count():
    truth = [SPHEROID, [np.nan] * 5]
    table = misclassification_table(truth, [SPHEROID, SPHEROID])
    assert table["n"][0] == 1


def test_errors_of_rates_are_binomial():
    random = np.random.default_rng(1)
    truth = np.array([SPHEROID, DISK])[random.integers(0, 2, 1000)]
    wrong = random.uniform(size=1000) < 0.2
    predicted = np.where(wrong[:, None], truth[:, [1, 0, 2, 3, 4]], truth)
    table = misclassification_table(truth, predicted)
    assert table["rate_err"][0] == pytest.approx(np.sqrt(0.16 / 1000), rel=0.2)


def test_few_votes_make_a_perfect_model_wrong():
    probabilities = np.tile([0.6, 0.3], (2000, 1))
    table = misclassification_table(
        np.ones((2000, 2)), probabilities, SHAPES, n_votes=1
    )
    # of one vote each, 'flat' is above 'round' in 0.3 x 0.4 of the cases
    assert table["rate_perfect"][0] == pytest.approx(0.12, abs=0.01)


def test_cuts_select_with_completeness_and_purity():
    truth = np.array([[1.0], [0.8], [0.6], [0.2], [0.0], [np.nan]])
    predicted = np.array([[0.9], [0.6], [0.3], [0.7], [0.1], [0.9]])
    one = LabelScheme("one", outputs=["f_a"])
    table = selection_table(truth, predicted, one, cuts=(0.2, 0.65, 0.95))
    assert table["n_true"].tolist() == [3, 3, 3]
    assert table["n_predicted"].tolist() == [4, 2, 0]
    assert table["completeness"] == pytest.approx([1, 1 / 3, 0])
    assert table["purity"] == pytest.approx([3 / 4, 1 / 2, np.nan], nan_ok=True)
    assert table["share"] == pytest.approx([0.6] * 3)
