# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the small number of votes does to every comparison.

With N votes, a fraction scatters about its probability p with the variance
p (1 - p) / N of a binomial distribution, and no model can foresee it.
"""

import numpy as np

from galmorph.core import ConfigurationError

__all__ = ["binomial_floor", "draw_fractions", "expected_if_perfect"]


def _votes(n_votes, shape):
    """Numbers of votes in the shape of the fractions; NaN where there are none."""
    votes = np.asarray(n_votes, float)
    if votes.ndim == 1:
        votes = votes[:, None]
    try:
        votes = np.broadcast_to(votes, shape)
    except ValueError:
        raise ConfigurationError(
            f"n_votes: expected a number, one for each galaxy or one for each"
            f" fraction of the shape {shape}; found the shape {np.shape(n_votes)}"
        ) from None
    return np.where(votes > 0, votes, np.nan)


def binomial_floor(fractions, n_votes, axis=None):
    """
    The error that even the true probabilities have against drawn votes.

    Parameters
    ----------
    fractions : array_like
        Observed fractions of votes, shape (n, outputs).
    n_votes : int or array_like
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
        Where there is only one, the noise cannot be told from its vote.
    axis : {None, 0}, optional
        `None` pools all outputs, 0 gives one number for each.

    Returns
    -------
    floor : float or `~numpy.ndarray`
        Root mean square of the binomial noise; the variance of each fraction f
        of N votes is estimated without bias by f (1 - f) / (N - 1). NaN where
        no galaxy has two votes.

    Raises
    ------
    ConfigurationError
        If the numbers of votes do not fit to the fractions.

    Examples
    --------
    >>> from galmorph.evaluation import binomial_floor
    >>> round(binomial_floor([[0.5], [0.5]], 5), 3)
    0.25
    """
    fractions = np.asarray(fractions, float)
    votes = _votes(n_votes, fractions.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where(
            votes > 1, fractions * (1 - fractions) / (votes - 1), np.nan
        )
        good = np.isfinite(variance)
        mean = np.where(good, variance, 0).sum(axis=axis) / good.sum(axis=axis)
    floor = np.sqrt(mean)
    return floor if floor.ndim else float(floor)


def draw_fractions(probabilities, n_votes, seed=0):
    """
    Fractions of votes of people who vote with given probabilities.

    Parameters
    ----------
    probabilities : array_like
        Probabilities of a vote, shape (n, outputs); clipped to 0..1.
    n_votes : int or array_like
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    seed : int or `~numpy.random.Generator`, optional

    Returns
    -------
    fractions : `~numpy.ndarray`
        Of the same shape; NaN where a probability or the number of votes is.

    Examples
    --------
    >>> from galmorph.evaluation import draw_fractions
    >>> fractions = draw_fractions([[0.0, 0.5, 1.0]], 4)
    >>> fractions[0, [0, 2]].tolist()
    [0.0, 1.0]
    >>> bool(fractions[0, 1] in (0.0, 0.25, 0.5, 0.75, 1.0))
    True
    """
    probabilities = np.clip(np.asarray(probabilities, float), 0, 1)
    votes = np.round(_votes(n_votes, probabilities.shape))
    good = np.isfinite(probabilities) & (votes > 0)
    fractions = np.full(probabilities.shape, np.nan)
    people = votes[good].astype(int)
    random = np.random.default_rng(seed)
    fractions[good] = random.binomial(people, probabilities[good]) / people
    return fractions


def expected_if_perfect(statistic, truth, predicted, n_votes, n_samples=20, seed=0):
    """
    What a statistic would be if the predictions were the true probabilities.

    The truth is replaced by votes that are drawn with the predicted
    probabilities, as many as there were, several times. What remains between
    these and the predictions is the noise of the votes alone.

    Parameters
    ----------
    statistic : callable
        Called with drawn fractions and predictions, both of shape (n, outputs).
    truth : array_like
        Observed fractions of shape (n, outputs); where they are NaN, the drawn
        ones are.
    predicted : array_like
        Predicted fractions of the same shape.
    n_votes : int or array_like
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    n_samples : int, optional
        How often votes are drawn.
    seed : int, optional

    Returns
    -------
    expected : float or `~numpy.ndarray`
        Mean of the statistic.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.evaluation import expected_if_perfect, rmse
    >>> half = np.full((2000, 1), 0.5)
    >>> floor = expected_if_perfect(rmse, half, half, n_votes=4)
    >>> float(floor.round(2))  # sqrt(0.5 * 0.5 / 4)
    0.25
    """
    missing = np.isnan(np.asarray(truth, float))
    random = np.random.default_rng(seed)
    values = []
    for _ in range(n_samples):
        drawn = draw_fractions(predicted, n_votes, random)
        drawn[missing] = np.nan
        values.append(statistic(drawn, predicted))
    good = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(good, values, 0).sum(axis=0) / good.sum(axis=0)
