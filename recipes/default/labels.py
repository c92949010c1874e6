# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Labels of all sets in one scheme: a head for each, over one trunk.

The outputs of CANDELS come first; each of the two other sets has outputs of its own,
and says about those of CANDELS only what the recipe's configuration states.
"""

import numpy as np
from astropy.table import Table
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from galmorph import LabelScheme
from galmorph.core import CANDELS
from galmorph.tables import read_table

__all__ = [
    "GALAXY_ZOO_CEERS",
    "SCHEME",
    "SIMULATED_VOTES",
    "candels_labels",
    "gz_ceers_labels",
    "outlier_labels",
    "sdss_labels",
]

GALAXY_ZOO_CEERS = LabelScheme(
    "galaxy_zoo_ceers",
    ("f_smooth", "f_featured", "f_artifact", "f_merger_or_disturbed"),
    (
        "Fraction of volunteers for smooth",
        "Fraction of volunteers for features or a disk",
        "Fraction of volunteers for a star, an artifact or bad zoom",
        "Fraction of those asked for merging or a major disturbance",
    ),
    reference="Galaxy Zoo: CEERS",
)
SDSS = ("sdss_elliptical", "sdss_spiral", "sdss_edge_on", "sdss_merger")
SCHEME = LabelScheme(
    "galmorph_default_heads",
    [*CANDELS.outputs, *GALAXY_ZOO_CEERS.outputs, *SDSS, "is_galaxy"],
)

# virtual votes of simulated galaxies
SIMULATED_VOTES = 10
# votes for or against being a galaxy
_IS_GALAXY = 3


def _unknown(n):
    table = Table({name: np.full(n, np.nan, np.float32) for name in SCHEME.outputs})
    table["votes"] = np.zeros((n, len(SCHEME.outputs)), np.float32)
    table["fold"] = np.full(n, -1)
    _set(table, "is_galaxy", np.ones(n), _IS_GALAXY)
    return table


def _set(table, output, fractions, votes):
    table[output] = np.asarray(fractions, np.float32)
    table["votes"][:, SCHEME.outputs.index(output)] = votes


def candels_labels(simulated):
    """
    Labels of simulated galaxies.

    Parameters
    ----------
    simulated : `~astropy.table.Table`
        As `~galmorph.simulation.simulate_stamps` gives it.

    Returns
    -------
    labels : `~astropy.table.Table`
        A column for each output of `SCHEME`, NaN where nothing is known; ``votes``
        of shape (n, outputs) and ``fold``, -1 for what is in none.
    """
    table = _unknown(len(simulated))
    for output in CANDELS.outputs:
        _set(table, output, simulated[output], SIMULATED_VOTES)
    return table


def outlier_labels(n, config):
    """
    Labels of images that are no galaxies.

    Parameters
    ----------
    n : int
        Number of images.
    config : dict
        ``fractions`` of CANDELS that people would give, and their ``votes``.

    Returns
    -------
    labels : `~astropy.table.Table`
        As of `candels_labels`.
    """
    table = _unknown(n)
    _set(table, "is_galaxy", np.zeros(n), _IS_GALAXY)
    for output, fraction in config["fractions"].items():
        _set(table, output, np.full(n, fraction), config["votes"])
    return table


def sdss_labels(path, config, votes):
    """
    Labels of galaxies with a class of Galaxy Zoo 1.

    Parameters
    ----------
    path : path-like
        Table with ``gz1_class`` and ``fold``.
    config : dict
        ``fractions`` of CANDELS by class.
    votes : float
        What a label counts.

    Returns
    -------
    labels : `~astropy.table.Table`
        As of `candels_labels`. Of those that nobody could classify nothing is known.
    """
    given = read_table(path)
    classes = np.asarray(given["gz1_class"]).astype(str)
    classes[np.char.startswith(classes, "spiral")] = "spiral"
    known = classes != "dont_know"
    table = _unknown(len(given))
    table["fold"] = np.asarray(given["fold"])
    for output in SDSS:
        is_one = classes == output.removeprefix("sdss_")
        _set(table, output, np.where(known, is_one, np.nan), votes)
    for output in CANDELS.outputs:
        fractions = np.full(len(given), np.nan)
        for name, values in config["fractions"].items():
            fractions[classes == name] = values.get(output, np.nan)
        _set(table, output, fractions, votes)
    return table


def gz_ceers_labels(path, config, candels_path):
    """
    Labels of galaxies with votes of Galaxy Zoo CEERS.

    Parameters
    ----------
    path : path-like
        Table with the fractions of votes, their numbers and ``fold``.
    config : dict
        ``weight``, ``votes`` and the relation to each of the ``fractions`` of
        CANDELS: ``more``, ``less`` (optional) and ``correlation``.
    candels_path : path-like
        Table with real fractions of CANDELS, whose distribution is taken over.

    Returns
    -------
    labels : `~astropy.table.Table`
        As of `candels_labels`.
    """
    given = read_table(path)
    real = read_table(candels_path)

    def column(name):
        return np.asarray(np.ma.filled(given[name], np.nan), float)

    table = _unknown(len(given))
    table["fold"] = np.asarray(given["fold"])
    for output in GALAXY_ZOO_CEERS.outputs:
        of = "total_votes"
        if output == "f_merger_or_disturbed":
            of += "_merging_question"
        votes = config["weight"] * np.nan_to_num(column(of))
        _set(table, output, column(output), votes)
    for output, relation in config["fractions"].items():
        standing = column(relation["more"])
        if "less" in relation:
            standing = standing - column(relation["less"])
        fractions = np.asarray(real["any_" + output.removeprefix("f_")], float)
        expected = _expected(
            standing, relation["correlation"], fractions[np.isfinite(fractions)]
        )
        _set(table, output, expected, config["votes"])
    return table


def _expected(standing, correlation, fractions, steps=64):
    """Mean fraction of those that stand so high, with a Gaussian copula."""
    known = np.isfinite(standing)
    scores = ndtri((rankdata(standing[known]) - 0.5) / known.sum())
    scatter = ndtri((np.arange(steps) + 0.5) / steps)
    share = ndtr(correlation * scores[:, None] + np.sqrt(1 - correlation**2) * scatter)
    expected = np.full(len(standing), np.nan)
    expected[known] = np.quantile(fractions, share).mean(axis=1)
    return expected
