# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What real votes look like on the whole, and how simulated ones compare.
"""

import numpy as np
from astropy.table import QTable

from galmorph.core import CANDELS

__all__ = ["REAL_CORRELATIONS", "REAL_STATISTICS", "compare_votes"]

REAL_STATISTICS = {
    "f_spheroid": (0.349, 0.302),
    "f_disk": (0.623, 0.312),
    "f_irregular": (0.198, 0.231),
    "f_point_source": (0.098, 0.194),
    "f_unclassifiable": (0.039, 0.138),
}
"""
Mean and spread of the fractions of ticks of 7,613 galaxies in CANDELS GOODS-S.

Measured on the votes of Kartaltepe et al. (2015, ApJS 221, 11), H < 24.5; the
spread is what remains of the standard deviation when the binomial noise of 4
votes, about the mean number of classifiers, is taken out.
"""

REAL_CORRELATIONS = np.array(
    [
        [1.00, -0.26, -0.33, 0.09, -0.18],
        [-0.26, 1.00, -0.14, -0.56, -0.25],
        [-0.33, -0.14, 1.00, -0.21, -0.04],
        [0.09, -0.56, -0.21, 1.00, -0.06],
        [-0.18, -0.25, -0.04, -0.06, 1.00],
    ]
)
"""Correlations of the same fractions, the noise of few votes included."""

_N_VOTES = 4


def compare_votes(table, *, seed=0):
    """
    Compare the statistics of simulated vote fractions with those of real ones.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Simulated galaxies with their expected fractions; thousands, for the
        numbers to mean something.
    seed : int, optional
        Seed of the 4 votes for each galaxy that are drawn for the correlations,
        because the real ones contain the noise of so few votes.

    Returns
    -------
    comparison : `~astropy.table.QTable`
        For each output: ``mean`` and ``spread`` of the fractions expected, and
        the row of correlations with all outputs, each followed by its real
        value (``mean_real`` ...).

    Examples
    --------
    >>> from galmorph.simulation import compare_votes, simulate_galaxies
    >>> comparison = compare_votes(simulate_galaxies(20, seed=8).table)
    >>> comparison["output", "mean_real", "spread_real"].pprint()
         output      mean_real spread_real
    ---------------- --------- -----------
          f_spheroid     0.349       0.302
              f_disk     0.623       0.312
         f_irregular     0.198       0.231
      f_point_source     0.098       0.194
    f_unclassifiable     0.039       0.138
    """
    fractions = CANDELS.labels(table).astype(float)
    drawn = np.random.default_rng(seed).binomial(_N_VOTES, fractions) / _N_VOTES
    # a sample without any vote for a class has no correlation there
    with np.errstate(invalid="ignore"):
        correlations = np.corrcoef(drawn.T)
    real = np.array([REAL_STATISTICS[output] for output in CANDELS.outputs])
    return QTable(
        {
            "output": list(CANDELS.outputs),
            "mean": fractions.mean(axis=0).round(3),
            "mean_real": real[:, 0],
            "spread": fractions.std(axis=0).round(3),
            "spread_real": real[:, 1],
            "correlations": correlations.round(2),
            "correlations_real": REAL_CORRELATIONS,
        }
    )
