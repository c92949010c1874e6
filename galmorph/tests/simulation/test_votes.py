# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Virtual classifiers vote for what can be seen, and on the whole as people did.
"""

import numpy as np
import pytest
from astropy.table import Table

from galmorph.core import CANDELS
from galmorph.simulation import (
    REAL_CORRELATIONS,
    REAL_STATISTICS,
    WFC3_F160W,
    compare_votes,
    draw_votes,
    fit_calibration,
    vote_fractions,
)
from galmorph.simulation.galaxies import draw_depth
from galmorph.simulation.population import draw_galaxy

RMS = 0.004


@pytest.fixture(scope="module")
def population():
    random = np.random.default_rng(1)
    truths = [draw_galaxy(random) for _ in range(6000)]
    return truths, [draw_depth(random, WFC3_F160W)[1] for _ in truths]


@pytest.fixture(scope="module")
def votes(population):
    random = np.random.default_rng(2)
    rows = [
        vote_fractions(truth, WFC3_F160W, rms, random)
        for truth, rms in zip(*population, strict=True)
    ]
    return Table(rows=rows)


def mean_fraction(output, **changes):
    """Expected fraction for a bright resolved round disk with changes."""
    random = np.random.default_rng(3)
    truth = draw_galaxy(random, "disk")
    truth.update(
        magnitude=21.0, half_light_radius=0.6, axis_ratio=0.8, bulge_to_total=0.1
    )
    truth.update(spiral=0.0, ring=0.0, bar=0.0, clumpiness=0.0, lopsidedness=0.0)
    truth.update(changes)
    votes = [vote_fractions(truth, WFC3_F160W, RMS, random) for _ in range(200)]
    return np.mean([vote[output] for vote in votes])


def test_means_and_spreads_are_those_of_real_votes(votes):
    comparison = compare_votes(votes)
    assert np.allclose(comparison["mean"], comparison["mean_real"], atol=0.02)
    assert np.allclose(comparison["spread"], comparison["spread_real"], atol=0.02)


def test_classes_hang_together_as_in_real_votes(votes):
    difference = compare_votes(votes)["correlations"] - REAL_CORRELATIONS
    assert np.abs(difference).max() < 0.22
    assert abs(difference[0, 1]) < 0.07


def test_many_spheroids_are_ticked_as_disks_too_as_in_real_votes(votes):
    drawn = draw_votes(CANDELS.labels(votes), 4, np.random.default_rng(6))
    spheroid, disk = drawn[:, 0], drawn[:, 1]
    # Kartaltepe et al. 2015: 0.43 and 0.26
    assert disk[spheroid > 0.8].mean() == pytest.approx(0.43, abs=0.07)
    assert spheroid[disk > 0.8].mean() == pytest.approx(0.26, abs=0.04)


def test_solved_calibration_reaches_the_statistics(population):
    truths, rms = population
    calibration = fit_calibration(truths[:2000], rms[:2000], WFC3_F160W)
    random = np.random.default_rng(4)
    fractions = np.array(
        [
            list(vote_fractions(t, WFC3_F160W, r, random, calibration).values())
            for t, r in zip(truths[:2000], rms[:2000], strict=True)
        ]
    )
    real = np.array([REAL_STATISTICS[output] for output in CANDELS.outputs])
    assert np.allclose(fractions.mean(axis=0), real[:, 0], atol=0.02)
    assert np.allclose(fractions.std(axis=0), real[:, 1], atol=0.02)


def test_bulge_makes_a_spheroid():
    much = mean_fraction("f_spheroid", bulge_to_total=0.9)
    assert much > mean_fraction("f_spheroid", bulge_to_total=0.1) + 0.3
    assert mean_fraction("f_disk", bulge_to_total=0.9) < mean_fraction("f_disk") - 0.1


def test_disturbance_makes_it_irregular_only_where_it_is_resolved():
    resolved = mean_fraction("f_irregular", clumpiness=0.9)
    blurred = mean_fraction("f_irregular", clumpiness=0.9, half_light_radius=0.06)
    assert resolved > 0.6
    assert blurred < 0.2


def test_disturbance_is_not_seen_below_the_noise():
    faint = mean_fraction("f_irregular", clumpiness=0.9, magnitude=26.0)
    assert faint < mean_fraction("f_irregular", clumpiness=0.9) - 0.3


def test_star_is_a_point_source():
    assert mean_fraction("f_point_source", kind="star", half_light_radius=0.0) > 0.6
    assert mean_fraction("f_point_source") < 0.05


def test_invisible_or_spoilt_galaxy_is_unclassifiable():
    assert mean_fraction("f_unclassifiable", magnitude=27.5) > 0.2
    assert mean_fraction("f_unclassifiable", artifact=1.0) > 0.5
    assert mean_fraction("f_unclassifiable") < 0.05


def test_drawn_votes_have_the_binomial_noise():
    drawn = draw_votes(np.full(20000, 0.3), 5, np.random.default_rng(5))
    assert drawn.mean() == pytest.approx(0.3, abs=0.01)
    assert drawn.std() == pytest.approx(np.sqrt(0.3 * 0.7 / 5), rel=0.03)


def test_constants_are_those_of_the_real_table(real_data):
    path = real_data / "candels_labels" / "kartaltepe_fractions.ecsv"
    table = Table.read(path)
    names = [output.replace("f_", "any_") for output in CANDELS.outputs]
    real = np.array([np.array(table[name], float) for name in names]).T
    real = real[np.isfinite(real).all(axis=1)]
    # the jitter of the copies is one-sided at the ends: 0 appears as 0.025
    real = np.where(real < 0.05, 0, np.where(real > 0.95, 1, real))
    spread = np.sqrt(real.var(axis=0) - (real * (1 - real)).mean(axis=0) / 3)
    stated = np.array([REAL_STATISTICS[output] for output in CANDELS.outputs])
    assert np.allclose(stated, np.stack([real.mean(axis=0), spread], axis=1), atol=1e-3)
    assert np.allclose(REAL_CORRELATIONS, np.corrcoef(real.T), atol=0.006)
