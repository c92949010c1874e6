# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import numpy as np
import pytest
from astropy.table import QTable

from galmorph.core import ConfigurationError
from galmorph.evaluation import (
    binomial_floor,
    bootstrap_error,
    draw_fractions,
    expected_if_perfect,
    rmse,
)


def test_floor_is_the_unbiased_variance_of_the_votes():
    # 1/4 of 4 votes: 3/16 / 3 = 1/16; 1/2 of 2 votes: 1/4 / 1 = 1/4
    fractions = [[0.25], [0.5]]
    assert binomial_floor(fractions, [4, 2]) == pytest.approx(np.sqrt(5 / 32))


def test_floor_by_output_takes_a_number_of_votes_for_each():
    floor = binomial_floor([[0.5, 0.5]], [[2, 5]], axis=0)
    assert floor == pytest.approx([0.5, 0.25])


def test_floor_leaves_out_what_has_one_vote_or_none():
    assert binomial_floor([[1.0], [0.5], [0.5]], [1, 0, 5]) == pytest.approx(0.25)
    assert np.isnan(binomial_floor([[1.0]], 1))


def test_numbers_of_votes_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="n_votes"):
        binomial_floor(np.zeros((3, 2)), [1, 2])


def test_drawn_fractions_are_whole_votes_with_the_right_mean():
    drawn = draw_fractions(np.full((20000, 1), 0.3), 5)
    assert np.allclose(drawn * 5, np.round(drawn * 5))
    assert drawn.mean() == pytest.approx(0.3, abs=0.005)
    assert drawn.std() == pytest.approx(np.sqrt(0.3 * 0.7 / 5), rel=0.02)


def test_without_votes_or_probability_nothing_is_drawn():
    drawn = draw_fractions([[0.5], [np.nan], [0.5]], [0, 3, 3])
    assert np.isnan(drawn[:2]).all() and np.isfinite(drawn[2])


def test_a_perfect_model_is_as_bad_as_the_votes_are_noisy():
    random = np.random.default_rng(1)
    probabilities = random.uniform(size=(5000, 2))
    votes = random.integers(3, 8, 5000)
    observed = draw_fractions(probabilities, votes, 5)
    expected = expected_if_perfect(rmse, observed, probabilities, votes)
    assert expected == pytest.approx(rmse(observed, probabilities), rel=0.03)
    assert expected == pytest.approx(binomial_floor(observed, votes), rel=0.03)


def test_labels_that_are_missing_are_missing_in_drawn_ones():
    truth = np.array([[0.5, np.nan]] * 50)
    seen = []
    expected_if_perfect(
        lambda drawn, _: seen.append(drawn) or 0.0, truth, np.full((50, 2), 0.5), 3
    )
    assert all(np.isnan(drawn[:, 1]).all() for drawn in seen)


def test_errors_by_groups_see_that_their_members_are_alike():
    random = np.random.default_rng(4)
    field = np.repeat(np.arange(100), 25)
    values = random.normal(size=100)[field]  # all galaxies of a field are the same
    assert bootstrap_error(np.mean, values) == pytest.approx(0.02, rel=0.2)
    grouped = bootstrap_error(np.mean, values, groups=field)
    assert grouped == pytest.approx(0.1, rel=0.2)


def test_one_galaxy_or_one_group_has_no_error():
    assert np.isnan(bootstrap_error(np.mean, [1.0]))
    assert np.isnan(bootstrap_error(np.mean, [1.0, 2.0], groups=["a", "a"]))


def test_a_statistic_that_is_sometimes_unknown_still_has_an_error():
    values = np.array([1.0] + [np.nan] * 9 + [3.0])

    def mean(v):
        return v[np.isfinite(v)].mean() if np.isfinite(v).any() else np.nan

    assert 0 < bootstrap_error(mean, values) < 2


def test_floor_of_votes_of_volunteers(real_data):
    votes = QTable.read(real_data / "gz_ceers_f200w" / "votes.ecsv")
    outputs = [name for name in votes.colnames if name.startswith("f_")]
    truth = np.stack([np.asarray(votes[name], float) for name in outputs], axis=1)
    n_votes = np.tile(np.asarray(votes["total_votes"])[:, None], len(outputs))
    merging = outputs.index("f_merger_or_disturbed")
    n_votes[:, merging] = votes["total_votes_merging_question"]
    assert binomial_floor(truth, n_votes) == pytest.approx(0.0841, abs=5e-5)
    found = expected_if_perfect(rmse, truth, truth, n_votes)
    # drawn from the votes themselves, which are a little more certain than people
    assert found == pytest.approx(0.0841, rel=0.05)
