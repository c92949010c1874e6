# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Virtual classifiers made to vote, on the whole, as real ones did.
"""

from itertools import combinations

import numpy as np
from scipy.optimize import least_squares

from galmorph.core import CANDELS
from galmorph.simulation.statistics import (
    CLASSIFIERS,
    REAL_ALONE,
    REAL_LEVELS,
    REAL_MAJORITIES,
    REAL_PRODUCTS,
    REAL_TICKED,
)
from galmorph.simulation.votes import (
    CALIBRATION,
    Calibration,
    expected_fractions,
    tick_chances,
    visible_terms,
)

__all__ = ["fit_calibration"]

_K = len(CANDELS.outputs)
_PAIRS = list(combinations(range(_K), 2))
# what a change of the weights costs
_STIFFNESS = 0.02
# what people say of clear cases, NaN where that is open: the real votes without their
# images do not tell who gets which, and would leave a bright elliptical half a disk
_CLEAR = (
    # large, small and smaller ellipticals, one that is not resolved
    ((1, 0.35, 1.4, 0.15, 0, 0.005), (0.93, 0.10, 0.03, 0.07, 0.01)),
    ((1, 0.1, 1.4, 0.15, 0, 0.005), (0.92, 0.12, 0.03, 0.12, 0.01)),
    ((1, -0.15, 1.4, 0.08, 0, 0.003), (0.88, 0.15, 0.03, 0.20, 0.01)),
    ((1, -0.4, 1.6, 0.03, 0, 0), (0.80, 0.13, 0.02, 0.40, 0.01)),
    # flat ones (E4), large and small
    ((1, 0.3, 1.4, 0.38, 0, 0.005), (0.90, 0.20, 0.03, 0.05, 0.01)),
    ((1, -0.15, 1.4, 0.28, 0, 0.003), (0.88, 0.22, 0.03, 0.15, 0.01)),
    # disks with arms, without, from their edge, and from above
    ((0, 0.5, 1.4, 0.3, 0.03, 0.08), (0.06, 0.97, 0.15, 0.01, 0.01)),
    ((0, 0.5, 1.2, 0.3, 0, 0.02), (0.10, 0.95, 0.08, 0.01, 0.01)),
    ((0.2, 0.3, 1.2, 0.65, 0.01, 0.04), (0.15, 0.96, 0.08, 0.01, 0.01)),
    ((0, 0.45, 1.2, 0.05, 0, 0.01), (0.15, 0.92, 0.08, 0.01, 0.01)),
    # a disk with a bulge and arms from above
    ((0.3, 0.5, 1.4, 0.05, 0.02, 0.06), (0.45, 0.90, 0.12, 0.01, 0.01)),
    # a merger
    ((0.2, 0.4, 1.3, 0.3, 0.15, 0.03), (np.nan, np.nan, 0.80, 0.02, 0.02)),
    # one that the noise hides, and one that an artifact spoils
    ((0.1, 0.5, -0.5, 0.15, 0, 0), (np.nan, np.nan, np.nan, np.nan, 0.70)),
    ((0.1, 0.3, 0.9, 0.2, 0, 0.02, 0, 1), (np.nan, np.nan, np.nan, np.nan, 0.60)),
)


def fit_calibration(visible, *, start=None):
    """
    Solve for the constants of the virtual classifiers.

    What is matched: how often a class gets no tick, some, a majority and all of
    them, how often two classes get a tick or a majority together, how often one
    has a majority and the other no tick, and the mean of their products, as after the
    votes of 3 to 5 classifiers; and what people say of a few clear cases, such as a
    bright elliptical.

    Parameters
    ----------
    visible : array_like
        What can be seen of many objects of the population as it will be used,
        shape (n, 10), see `Visible`.
    start : `Calibration`, optional
        Where to start.

    Returns
    -------
    calibration : `Calibration`
    """
    terms = visible_terms(visible)
    first = _pack(CALIBRATION if start is None else start)
    wanted = _flat(REAL_LEVELS, REAL_ALONE, REAL_TICKED, REAL_MAJORITIES, REAL_PRODUCTS)
    # rare events are to be as good as frequent ones
    scale = np.sqrt(wanted * (1 - wanted) + 1e-3)
    seen, clear = zip(*_CLEAR, strict=True)
    clear = np.array(clear)
    cases = visible_terms([case + (0,) * (10 - len(case)) for case in seen])
    known = np.isfinite(clear)

    def difference(parameters):
        chances = tick_chances(terms, _unpack(parameters))
        found = _flat(*_expected(chances))
        told = expected_fractions(tick_chances(cases, _unpack(parameters)))
        moved = (parameters - first)[_K:]
        return np.concatenate(
            [(found - wanted) / scale, (told - clear)[known], _STIFFNESS * moved]
        )

    # steps wide enough for the single precision of the counts
    solution = least_squares(
        difference, first, bounds=_bounds(first), diff_step=1e-3, max_nfev=15
    )
    return _unpack(solution.x)


def _bounds(first):
    """Weights keep about their size, so that they keep their meaning."""
    reach = np.full(len(first), 6.0)
    reach[_K:] = 0.8 + 0.5 * np.abs(first[_K:])
    return first - reach, first + reach


def _pack(calibration):
    return np.concatenate([calibration.intercept, np.ravel(calibration.weights)])


def _unpack(parameters):
    weights = parameters[_K:].reshape(_K, -1)
    return Calibration(
        tuple(parameters[:_K].tolist()), tuple(map(tuple, weights.tolist()))
    )


def _flat(levels, alone, ticked, majorities, products):
    upper = np.triu_indices(_K, 1)
    parts = [np.ravel(levels), np.asarray(alone)[~np.eye(_K, dtype=bool)]]
    parts += [np.asarray(matrix)[upper] for matrix in (ticked, majorities, products)]
    return np.concatenate(parts)


def _expected(chances):
    """Statistics of the votes of few classifiers, without drawing them."""
    fractions = expected_fractions(chances)
    found = np.maximum(1 - np.prod(1 - chances, axis=-1), 1e-12)
    levels = np.zeros((_K, 5))
    alone, ticked, majorities, products = np.zeros((4, _K, _K))
    for i, j in _PAIRS:
        both = chances[:, i] * chances[:, j] / found
        cells = (both, fractions[:, i] - both, fractions[:, j] - both)
        for n, joint in _counts(cells, max(CLASSIFIERS)):
            weight = CLASSIFIERS.get(n, 0.0)
            counts = np.arange(n + 1)
            most = counts >= n * 0.66
            ticked[i, j] += weight * joint[1:, 1:].sum()
            alone[i, j] += weight * joint[most, 0].sum()
            alone[j, i] += weight * joint[0, most].sum()
            majorities[i, j] += weight * joint[np.ix_(most, most)].sum()
            products[i, j] += weight * (counts @ joint @ counts) / n**2
            levels[i] += weight * _levels(joint.sum(axis=1)) / (_K - 1)
            levels[j] += weight * _levels(joint.sum(axis=0)) / (_K - 1)
    return levels, alone, ticked, majorities, products


def _counts(cells, largest):
    """Distributions of the ticks of two classes by 1, 2, ... persons."""
    both, first, second = (cell[:, None, None].astype(np.float32) for cell in cells)
    neither = 1 - both - first - second
    joint = np.ones((len(both), 1, 1), np.float32)
    for n in range(1, largest + 1):
        grown = np.zeros((len(both), n + 1, n + 1), np.float32)
        grown[:, 1:, 1:] += both * joint
        grown[:, 1:, :-1] += first * joint
        grown[:, :-1, 1:] += second * joint
        grown[:, :-1, :-1] += neither * joint
        joint = grown
        yield n, joint.mean(axis=0, dtype=float)


def _levels(distribution):
    """Shares of no tick, less than 0.4, 0.6, a majority, and all ticks."""
    n = len(distribution) - 1
    share = np.arange(n + 1) / n
    return np.array(
        [
            distribution[0],
            distribution[share < 0.4].sum(),
            distribution[share < 0.6].sum(),
            distribution[share > 0.66].sum(),
            distribution[-1],
        ]
    )
