# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Virtual classifiers vote for what can be seen, and on the whole as people did.
"""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from galmorph.core import CANDELS
from galmorph.simulation import (
    REAL_ALONE,
    REAL_CORRELATIONS,
    REAL_LEVELS,
    REAL_MAJORITIES,
    REAL_STATISTICS,
    REAL_TICKED,
    WFC3_F160W,
    compare_votes,
    draw_few_votes,
    draw_ticks,
    draw_votes,
    energy_distance,
    fit_calibration,
    restore_votes,
    see,
    simulate_galaxies,
    vote_fractions,
    vote_statistics,
)
from galmorph.simulation.population import STRUCTURE, draw_galaxy
from galmorph.simulation.scenes import draw_depth
from galmorph.simulation.statistics import CLASSIFIERS, REAL_PRODUCTS
from galmorph.simulation.votes import (
    CALIBRATION,
    expected_fractions,
    tick_chances,
    visible_terms,
)

RMS = 0.004


@pytest.fixture(scope="module")
def votes():
    # 2,500 galaxies with their neighbours and artifacts, as training sees them
    return simulate_galaxies(2500, seed=17, n_workers=2).table


def mean_fraction(output, **changes):
    """Expected fraction for a bright resolved round disk with changes."""
    random = np.random.default_rng(3)
    truth = draw_galaxy(random, "disk")
    truth.update(
        magnitude=21.0, half_light_radius=0.6, axis_ratio=0.8, bulge_to_total=0.1
    )
    truth.update(dict.fromkeys(STRUCTURE, 0.0))
    truth.update(changes)
    votes = [vote_fractions(truth, WFC3_F160W, RMS, random) for _ in range(100)]
    return np.mean([vote[output] for vote in votes])


def test_means_and_spreads_are_those_of_real_votes(votes):
    comparison = compare_votes(votes)
    assert np.allclose(comparison["mean"], comparison["mean_real"], atol=0.03)
    assert np.allclose(comparison["spread"], comparison["spread_real"], atol=0.03)


def test_classes_hang_together_as_in_real_votes(votes):
    comparison = compare_votes(votes)
    assert np.abs(comparison["correlations"] - REAL_CORRELATIONS).max() < 0.11


def test_levels_and_pairs_are_as_frequent_as_in_real_votes(votes):
    comparison = compare_votes(votes)
    for name, real in [
        ("levels", REAL_LEVELS),
        ("ticked", REAL_TICKED),
        ("majorities", REAL_MAJORITIES),
    ]:
        # of 7,600 galaxies the largest difference is 0.023, in those that are ticked
        # as disk and irregular; in as few as here it may be 0.03 more
        assert np.abs(comparison[name] - real).max() < 0.055, name


def test_classes_stand_alone_as_often_as_in_real_votes(votes):
    drawn = draw_few_votes(CANDELS.labels(votes), np.random.default_rng(6))
    assert np.abs(vote_statistics(drawn)["alone"] - REAL_ALONE).max() < 0.045


def test_many_spheroids_are_ticked_as_disks_too_as_in_real_votes(votes):
    drawn = draw_few_votes(CANDELS.labels(votes), np.random.default_rng(6))
    spheroid, disk = drawn[:, 0], drawn[:, 1]
    # of the real votes: 0.40 and 0.25. What can be seen does not explain all of it
    assert disk[spheroid > 0.8].mean() == pytest.approx(0.40, abs=0.17)
    assert spheroid[disk > 0.8].mean() == pytest.approx(0.25, abs=0.1)


def test_solved_calibration_undoes_wrong_constants():
    random = np.random.default_rng(1)
    visible = []
    for _ in range(250):
        rms = draw_depth(random, WFC3_F160W)[1]
        visible.append(np.array(see(draw_galaxy(random), WFC3_F160W, rms, random)))
    wrong = replace(CALIBRATION, intercept=(0.0, -2.0, 0.0, -2.0, -2.0))

    def mean(calibration):
        terms = visible_terms(np.array(visible))
        fractions = expected_fractions(tick_chances(terms, calibration))
        return fractions.mean(axis=0)

    real = np.array([REAL_STATISTICS[output][0] for output in CANDELS.outputs])
    assert np.abs(mean(wrong) - real).max() > 0.15
    solved = fit_calibration(visible, start=wrong)
    assert np.allclose(mean(solved), real, atol=0.03)


# flat ones look as those from above do; an unresolved one may be a point source too
@pytest.mark.parametrize("axis_ratio", [0.9, 0.6, 0.5])
@pytest.mark.parametrize(("radius", "least"), [(0.10, 0.75), (0.25, 0.8), (0.5, 0.8)])
def test_bright_elliptical_is_a_spheroid_and_no_disk(radius, least, axis_ratio):
    elliptical = {
        "kind": "spheroid",
        "magnitude": 20.5,
        "half_light_radius": radius,
        "bulge_to_total": 1.0,
        "sersic_n": 4.0,
        "axis_ratio": axis_ratio,
    }
    assert mean_fraction("f_spheroid", **elliptical) > least
    assert mean_fraction("f_disk", **elliptical) < 0.35


@pytest.mark.parametrize(("radius", "least"), [(0.35, 0.6), (0.6, 0.85)])
def test_disk_from_above_is_a_disk(radius, least):
    disk = {"half_light_radius": radius, "axis_ratio": 0.95, "bulge_to_total": 0.0}
    assert mean_fraction("f_disk", **disk) > least


@pytest.mark.parametrize("index", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("axis_ratio", [0.9, 0.7, 0.5])
def test_smooth_galaxy_has_no_structure(index, axis_ratio):
    random = np.random.default_rng(4)
    truth = draw_galaxy(random, "spheroid")
    truth.update(magnitude=20.0, axis_ratio=axis_ratio, sersic_n=index)
    for radius in (0.14, 0.25, 0.5):
        truth["half_light_radius"] = radius
        truth["bulge_to_total"] = float(index > 1)
        visible = see(truth, WFC3_F160W, RMS, random)
        assert visible.structure < 0.03
        assert visible.asymmetry < 0.02


def test_disk_without_a_bulge_is_a_disk_and_no_spheroid():
    assert mean_fraction("f_disk", bulge_to_total=0.0) > 0.85
    assert mean_fraction("f_spheroid", bulge_to_total=0.0) < 0.2


def test_bulge_makes_a_spheroid():
    much = mean_fraction("f_spheroid", bulge_to_total=0.9)
    assert much > mean_fraction("f_spheroid", bulge_to_total=0.1) + 0.25
    assert mean_fraction("f_disk", bulge_to_total=0.9) < mean_fraction("f_disk") - 0.1


def test_disturbance_makes_it_irregular_only_where_it_is_resolved():
    resolved = mean_fraction("f_irregular", clumpiness=0.9)
    blurred = mean_fraction("f_irregular", clumpiness=0.9, half_light_radius=0.06)
    assert resolved > 0.5
    assert blurred < 0.2


def test_disturbance_is_not_seen_below_the_noise():
    faint = mean_fraction("f_irregular", clumpiness=0.9, magnitude=26.0)
    assert faint < mean_fraction("f_irregular", clumpiness=0.9) - 0.15


def test_star_is_a_point_source():
    assert mean_fraction("f_point_source", kind="star", half_light_radius=0.0) > 0.6
    assert mean_fraction("f_point_source") < 0.05


def test_invisible_or_spoilt_galaxy_is_unclassifiable():
    assert mean_fraction("f_unclassifiable", magnitude=27.5) > 0.4
    assert mean_fraction("f_unclassifiable", artifact=1.0, magnitude=23.5) > 0.4
    assert mean_fraction("f_unclassifiable") < 0.05


def test_drawn_votes_have_the_binomial_noise():
    drawn = draw_votes(np.full(20000, 0.3), 5, np.random.default_rng(5))
    assert drawn.mean() == pytest.approx(0.3, abs=0.01)
    assert drawn.std() == pytest.approx(np.sqrt(0.3 * 0.7 / 5), rel=0.03)


def test_persons_tick_a_box_and_the_fractions_are_those_expected():
    random = np.random.default_rng(8)
    for fractions in ([0.5, 0.5, 0.0], [0.9, 0.6, 0.1], [1, 0, 0], [0.4, 0.7, 0.1]):
        ticks = draw_ticks(fractions, 20000, random)
        assert ticks.any(axis=-1).all()
        assert ticks.mean(axis=0) == pytest.approx(fractions, abs=0.015)


def test_fractions_too_small_for_a_box_each_leave_forms_empty():
    ticks = draw_ticks([0.3, 0.2], 20000, np.random.default_rng(9))
    assert ticks.mean(axis=0) == pytest.approx([0.3, 0.2], abs=0.015)
    assert ticks.sum(axis=-1).max() == 1


def test_some_persons_are_more_lenient_than_others():
    random = np.random.default_rng(10)
    ticks = draw_ticks(np.full((4000, 5), 0.5), 5, random).sum(axis=-1)
    # more spread than five independent boxes have
    assert ticks.var() > 1.1 * 5 * 0.25


def test_jitter_is_undone_exactly():
    random = np.random.default_rng(11)
    expected = random.dirichlet(np.ones(5), size=300).clip(0.05) * 1.3
    ticks = draw_ticks(expected.clip(0, 0.95), 5, random)
    true = ticks.mean(axis=1)
    shared = (ticks / np.maximum(ticks.sum(axis=-1, keepdims=True), 1)).mean(axis=1)
    jitter = random.uniform(-0.04, 0.04, size=true.shape)
    shown = np.where(
        true == 0, np.abs(jitter), np.where(true == 1, 0.966, true + jitter)
    )
    fractions, n_votes = restore_votes(shown, shared)
    assert np.mean(np.abs(fractions - true).max(axis=1) < 1e-9) > 0.95
    assert np.mean(n_votes == 5) > 0.8


def test_distance_of_equal_samples_is_noise_and_of_others_is_not():
    random = np.random.default_rng(12)
    first, second = random.random((2, 1500, 3))
    distance, noise = energy_distance(first, second)
    assert distance < 1.5 * noise
    distance, noise = energy_distance(first, second + 0.2)
    assert distance > 4 * noise


@pytest.fixture(scope="module")
def real_votes(real_data):
    table = Table.read(real_data / "candels_labels" / "kartaltepe_fractions.ecsv")

    def columns(kind):
        names = [output.replace("f_", kind) for output in CANDELS.outputs]
        return np.array([np.array(table[name], float) for name in names]).T

    ticked, shared = columns("any_"), columns("norm_")
    good = np.isfinite(ticked).all(axis=1)
    return restore_votes(ticked[good], shared[good])


def test_constants_are_those_of_the_real_table(real_votes):
    fractions, n_votes = real_votes
    assert np.mean(n_votes > 0) > 0.95
    found = vote_statistics(fractions)
    assert np.allclose(found["levels"], REAL_LEVELS, atol=6e-4)
    assert np.allclose(found["alone"], REAL_ALONE, atol=6e-5)
    assert np.allclose(found["ticked"], REAL_TICKED, atol=6e-4)
    assert np.allclose(found["majorities"], REAL_MAJORITIES, atol=6e-5)
    assert np.allclose(found["products"], REAL_PRODUCTS, atol=6e-5)
    assert np.allclose(found["correlations"], REAL_CORRELATIONS, atol=0.006)
    noise = sum(share / (n - 1) for n, share in CLASSIFIERS.items())
    spread = np.sqrt(
        fractions.var(axis=0) - noise * (fractions * (1 - fractions)).mean(axis=0)
    )
    stated = np.array([REAL_STATISTICS[output] for output in CANDELS.outputs])
    assert np.allclose(found["mean"], stated[:, 0], atol=1e-3)
    assert np.allclose(spread, stated[:, 1], atol=3e-3)


def test_joint_distribution_is_close_to_the_real_one(votes, real_votes):
    drawn = draw_few_votes(CANDELS.labels(votes), np.random.default_rng(7))
    distance, noise = energy_distance(drawn, real_votes[0])
    assert distance < 4 * noise
