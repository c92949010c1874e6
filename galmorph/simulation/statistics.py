# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What real votes look like on the whole, and how simulated ones compare.

The numbers were measured on 7,613 galaxies of CANDELS GOODS-S with H < 24.5,
classified by 3 to 5 people each and a few by many (Kartaltepe et al. 2015, ApJS
221, 11), after `restore_votes` had removed the jitter of the public table.
Matrices are in the order of the outputs of `~galmorph.core.CANDELS`.
"""

import numpy as np
from astropy.table import QTable
from scipy.spatial.distance import cdist

from galmorph.core import CANDELS
from galmorph.simulation.votes import draw_ticks

__all__ = [
    "CLASSIFIERS",
    "REAL_ALONE",
    "REAL_CORRELATIONS",
    "REAL_LEVELS",
    "REAL_MAJORITIES",
    "REAL_PRODUCTS",
    "REAL_STATISTICS",
    "REAL_TICKED",
    "compare_votes",
    "draw_few_votes",
    "energy_distance",
    "restore_votes",
    "vote_statistics",
]

CLASSIFIERS = {3: 0.41, 4: 0.27, 5: 0.32}
"""Share of the galaxies that were classified by so many people, about."""

REAL_STATISTICS = {
    "f_spheroid": (0.342, 0.295),
    "f_disk": (0.620, 0.316),
    "f_irregular": (0.192, 0.219),
    "f_point_source": (0.095, 0.188),
    "f_unclassifiable": (0.038, 0.135),
}
"""
Mean and spread of the fractions of ticks.

The spread is what remains of the standard deviation when the binomial noise of
so few votes is taken out.
"""

REAL_LEVELS = np.array(
    [
        [0.401, 0.606, 0.696, 0.262, 0.111],
        [0.163, 0.298, 0.382, 0.577, 0.361],
        [0.586, 0.782, 0.867, 0.111, 0.035],
        [0.791, 0.909, 0.939, 0.054, 0.026],
        [0.921, 0.965, 0.973, 0.025, 0.013],
    ]
)
"""Share of galaxies with 0, less than 0.4, less than 0.6, at least 2/3, and 1."""

REAL_ALONE = np.array(
    [
        [0.0000, 0.0741, 0.2194, 0.1710, 0.2581],
        [0.2678, 0.0000, 0.3551, 0.5525, 0.5593],
        [0.0761, 0.0179, 0.0000, 0.1040, 0.1040],
        [0.0223, 0.0495, 0.0512, 0.0000, 0.0532],
        [0.0213, 0.0151, 0.0211, 0.0221, 0.0000],
    ]
)
"""Share of galaxies in which a class (row) has at least 2/3 and another no tick."""

REAL_TICKED = np.array(
    [
        [0.599, 0.483, 0.204, 0.169, 0.025],
        [0.483, 0.837, 0.383, 0.104, 0.056],
        [0.204, 0.383, 0.414, 0.048, 0.040],
        [0.169, 0.104, 0.048, 0.209, 0.013],
        [0.025, 0.056, 0.040, 0.013, 0.079],
    ]
)
"""Share of galaxies in which both of two classes were ticked by someone."""

REAL_MAJORITIES = np.array(
    [
        [0.2624, 0.1004, 0.0041, 0.0083, 0.0008],
        [0.1004, 0.5773, 0.0299, 0.0001, 0.0014],
        [0.0041, 0.0299, 0.1109, 0.0001, 0.0005],
        [0.0083, 0.0001, 0.0001, 0.0539, 0.0000],
        [0.0008, 0.0014, 0.0005, 0.0000, 0.0246],
    ]
)
"""Share of galaxies in which both of two classes have at least 2/3."""

REAL_PRODUCTS = np.array(
    [
        [0.2413, 0.1777, 0.0330, 0.0388, 0.0033],
        [0.1777, 0.5217, 0.1023, 0.0140, 0.0098],
        [0.0330, 0.1023, 0.1137, 0.0054, 0.0054],
        [0.0388, 0.0140, 0.0054, 0.0584, 0.0016],
        [0.0033, 0.0098, 0.0054, 0.0016, 0.0246],
    ]
)
"""Mean product of the fractions of two classes."""

REAL_CORRELATIONS = np.array(
    [
        [1.00, -0.26, -0.33, 0.08, -0.18],
        [-0.26, 1.00, -0.16, -0.55, -0.24],
        [-0.33, -0.16, 1.00, -0.21, -0.04],
        [0.08, -0.55, -0.21, 1.00, -0.06],
        [-0.18, -0.24, -0.04, -0.06, 1.00],
    ]
)
"""Correlations of the fractions, the noise of few votes included."""

_MAJORITY = 0.66  # 2/3 as a sum of floats may be a little less
_SAMPLE = 4000  # rows that the energy distance compares


def restore_votes(ticked, shared, largest=12):
    """
    Find the numbers of ticks behind the jittered fractions of a public table.

    Parameters
    ----------
    ticked : array_like
        Fractions of the classifiers that ticked each class, shape (n, k), with
        jitter: a true 0 appears between 0 and 0.05, a true 1 as 0.966 on
        average.
    shared : array_like
        Exact fractions if each person's vote is shared among the boxes ticked;
        their sum is one.
    largest : int, optional
        Number of classifiers above which a row is left as it is, but for 0 and
        1.

    Returns
    -------
    fractions : `~numpy.ndarray`
        Shape (n, k), free of jitter.
    n_votes : `~numpy.ndarray`
        The smallest number of classifiers that explains each row, 0 where none
        does; the true number may be a multiple of it.

    Examples
    --------
    >>> from galmorph.simulation import restore_votes
    >>> restore_votes([[0.71, 0.95, 0.03]], [[0.5, 0.5, 0.0]], largest=3)
    (array([[0.66666667, 1.        , 0.        ]]), array([3]))
    """
    ticked, shared = np.asarray(ticked, float), np.asarray(shared, float)
    fractions = np.where(ticked < 0.05, 0, np.where(ticked > 0.95, 1, ticked))
    n_votes = np.zeros(len(ticked), int)
    for n in range(2, largest + 1):
        ticks = np.round(ticked * n)
        shown = np.where(ticks == 0, 0.025, np.where(ticks == n, 0.966, ticks / n))
        # a vote is shared by up to four boxes, so twelfths of a vote are whole
        whole = np.abs(shared * n * 12 - np.round(shared * n * 12)) < 0.0132 * n
        explained = (np.abs(ticked - shown) < 0.09) & whole
        found = (n_votes == 0) & explained.all(axis=1) & (ticks.sum(axis=1) >= n)
        fractions[found], n_votes[found] = ticks[found] / n, n
    return fractions, n_votes


def draw_few_votes(fractions, random):
    """
    Fractions as after the votes of as few people as classified CANDELS.

    Parameters
    ----------
    fractions : array_like
        Expected fractions, shape (n, k).
    random : `numpy.random.Generator`

    Returns
    -------
    drawn : `~numpy.ndarray`
        Of the same shape.
    """
    numbers = np.array(list(CLASSIFIERS))
    ticks = draw_ticks(fractions, int(numbers.max()), random)
    n_votes = random.choice(numbers, len(ticks), p=list(CLASSIFIERS.values()))
    counts = np.cumsum(ticks, axis=1)[np.arange(len(ticks)), n_votes - 1]
    return counts / n_votes[:, None]


def vote_statistics(fractions):
    """
    Statistics of fractions that few people's votes gave.

    Parameters
    ----------
    fractions : array_like
        Shape (n, k).

    Returns
    -------
    statistics : dict of str to `~numpy.ndarray`
        ``mean``; ``levels``, see `REAL_LEVELS`; ``alone``, see `REAL_ALONE`;
        ``ticked``, ``majorities``, ``products`` and ``correlations``, matrices
        of k by k.

    Examples
    --------
    >>> from galmorph.simulation import vote_statistics
    >>> vote_statistics([[1.0, 0.0], [1.0, 0.5]])["ticked"]
    array([[1. , 0.5],
           [0.5, 0.5]])
    """
    fractions = np.asarray(fractions, float)
    n = len(fractions)
    ticked, most = (fractions > 0) * 1.0, (fractions > _MAJORITY) * 1.0
    levels = [fractions == 0, fractions < 0.4, fractions < 0.6, most, fractions > 0.999]
    # a sample without any vote for a class has no correlation there
    with np.errstate(invalid="ignore"):
        correlations = np.corrcoef(fractions.T)
    return {
        "mean": fractions.mean(axis=0),
        "levels": np.stack([level.mean(axis=0) for level in levels], axis=1),
        "ticked": ticked.T @ ticked / n,
        "alone": most.T @ (1 - ticked) / n,
        "majorities": most.T @ most / n,
        "products": fractions.T @ fractions / n,
        "correlations": correlations,
    }


def energy_distance(first, second, *, seed=0):
    """
    Distance of two joint distributions, and that of two halves of the second.

    Parameters
    ----------
    first, second : array_like
        Samples of shape (n, k) and (m, k).
    seed : int, optional
        Seed of the choice of at most 4,000 rows of each.

    Returns
    -------
    distance, noise : float
        Square root of the energy distance (Szekely & Rizzo 2013, J. Stat. Plan.
        Inference 143, 1249) of both samples, and of two halves of ``second``,
        scaled to the same number of rows: what equal distributions would give.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import energy_distance
    >>> random = np.random.default_rng(1)
    >>> distance, noise = energy_distance(
    ...     random.random((500, 2)), random.random((500, 2)) + 0.5
    ... )
    >>> bool(distance > 5 * noise)
    True
    """
    random = np.random.default_rng(seed)
    first, second = (random.permutation(np.asarray(x, float)) for x in (first, second))
    rows = min(len(first), len(second), _SAMPLE)
    halves = second[: len(second) // 2], second[len(second) // 2 :]
    half = min(len(halves[0]), _SAMPLE)
    noise = _energy(halves[0][:half], halves[1][:half]) * np.sqrt(half / rows)
    return _energy(first[:rows], second[:rows]), noise


def _energy(first, second):
    # with the distances of points to themselves, so that it is never negative
    between, one, other = (
        cdist(first, second),
        cdist(first, first),
        cdist(second, second),
    )
    square = 2 * between.mean() - one.mean() - other.mean()
    return float(np.sqrt(max(square, 0.0)))


def compare_votes(table, *, seed=0):
    """
    Compare the statistics of simulated vote fractions with those of real ones.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Simulated galaxies with their expected fractions; thousands, for the
        numbers to mean something.
    seed : int, optional
        Seed of the votes of 3 to 5 people that are drawn for each galaxy,
        because the real fractions contain the noise of so few votes. Only
        ``mean`` and ``spread`` are of the expected fractions.

    Returns
    -------
    comparison : `~astropy.table.QTable`
        For each output: ``mean`` and ``spread``; ``levels``, see
        `REAL_LEVELS`; and the rows of the matrices ``ticked``, ``majorities``
        and ``correlations`` with all outputs, see `vote_statistics`. Each is
        followed by its real value (``mean_real`` ...).

    Examples
    --------
    >>> from galmorph.simulation import compare_votes, simulate_galaxies
    >>> comparison = compare_votes(simulate_galaxies(20, seed=8).table)
    >>> comparison["output", "mean_real", "spread_real"].pprint()
         output      mean_real spread_real
    ---------------- --------- -----------
          f_spheroid     0.342       0.295
              f_disk      0.62       0.316
         f_irregular     0.192       0.219
      f_point_source     0.095       0.188
    f_unclassifiable     0.038       0.135
    """
    fractions = CANDELS.labels(table).astype(float)
    drawn = draw_few_votes(fractions, np.random.default_rng(seed))
    found = vote_statistics(drawn)
    real = np.array([REAL_STATISTICS[output] for output in CANDELS.outputs])
    return QTable(
        {
            "output": list(CANDELS.outputs),
            "mean": fractions.mean(axis=0).round(3),
            "mean_real": real[:, 0],
            "spread": fractions.std(axis=0).round(3),
            "spread_real": real[:, 1],
            "levels": found["levels"].round(3),
            "levels_real": REAL_LEVELS,
            "ticked": found["ticked"].round(3),
            "ticked_real": REAL_TICKED,
            "majorities": found["majorities"].round(4),
            "majorities_real": REAL_MAJORITIES,
            "correlations": found["correlations"].round(2),
            "correlations_real": REAL_CORRELATIONS,
        }
    )
