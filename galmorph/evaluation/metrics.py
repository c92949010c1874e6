# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How well predicted fractions agree with true ones.

All functions take arrays of shape (n, outputs) and leave out what is NaN in
either of them.
"""

import numpy as np
from astropy.table import QTable

from galmorph.core import get_scheme

__all__ = [
    "binomial_floor",
    "bootstrap_error",
    "metrics_table",
    "rmse",
]


def _pairs(truth, predicted):
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    if truth.shape != predicted.shape or truth.ndim != 2:
        raise ValueError(
            f"truth, predicted: expected two arrays of one shape (n, outputs), found"
            f" {truth.shape} and {predicted.shape}"
        )
    good = np.isfinite(truth) & np.isfinite(predicted)
    return np.where(good, truth, np.nan), np.where(good, predicted, np.nan)


def rmse(truth, predicted, axis=None):
    """
    Root mean square error of fractions.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    axis : {None, 0, 1}, optional
        `None` pools all of them, 0 gives one number per output, 1 one per
        galaxy.

    Returns
    -------
    rmse : float or `~numpy.ndarray`
        NaN where nothing can be compared.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from galmorph.evaluation import rmse
    >>> float(rmse([[0.0, 1.0]], [[0.3, 0.6]]).round(3))
    0.354
    """
    truth, predicted = _pairs(truth, predicted)
    square = (predicted - truth) ** 2
    good = np.isfinite(square)
    count = good.sum(axis=axis)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.where(good, square, 0).sum(axis=axis) / count)


def binomial_floor(fractions, n_votes):
    """
    The error that even the true probabilities have against drawn votes.

    Parameters
    ----------
    fractions : array_like
        Observed fractions of votes, shape (n, outputs).
    n_votes : int or array_like
        Number of classifiers, above 1; a number or shape (n,).

    Returns
    -------
    floor : float
        Pooled root mean square of the binomial noise; the variance of each
        fraction f of N votes is estimated without bias by f (1 - f) / (N - 1).

    Examples
    --------
    >>> from galmorph.evaluation import binomial_floor
    >>> round(binomial_floor([[0.5], [0.5]], 5), 3)
    0.25
    """
    fractions = np.asarray(fractions, float)
    n_votes = np.broadcast_to(np.asarray(n_votes, float), fractions.shape[:1])[:, None]
    return float(np.sqrt(np.nanmean(fractions * (1 - fractions) / (n_votes - 1))))


def bootstrap_error(statistic, *arrays, n_samples=200, seed=0):
    """
    Standard error of a statistic by resampling galaxies.

    Parameters
    ----------
    statistic : callable
        Called with resampled arrays.
    *arrays : array_like
        Arrays with one row per galaxy.
    n_samples : int, optional
        Number of resamplings.
    seed : int, optional
        Seed of the resamplings.

    Returns
    -------
    error : float or `~numpy.ndarray`
        Standard deviation of the statistic, of its shape.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.evaluation import bootstrap_error
    >>> values = np.random.default_rng(0).normal(size=400)
    >>> bool(0.04 < bootstrap_error(np.mean, values) < 0.06)
    True
    """
    arrays = [np.asarray(array) for array in arrays]
    n = len(arrays[0])
    if n == 0:
        return np.nan
    random = np.random.default_rng(seed)
    drawn = [
        statistic(*(array[rows] for array in arrays))
        for rows in random.integers(0, n, (n_samples, n))
    ]
    return np.std(drawn, axis=0)


def metrics_table(truth, predicted, scheme="candels"):
    """
    Error, bias and scatter of each output and of all together.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row per output and a last one, ``all``. ``n`` galaxies, ``rmse``
        with its bootstrap error, ``bias`` (mean of predicted - true),
        ``scatter`` (standard deviation of the same) and ``rmse_mean``, the
        RMSE of always predicting the mean of these galaxies.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import metrics_table
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = metrics_table([[0.0], [1.0]], [[0.25], [0.75]], bars)
    >>> table["rmse", "rmse_mean"][0].as_void().tolist()
    (0.25, 0.5)
    """
    scheme = get_scheme(scheme)
    truth, predicted = _pairs(truth, predicted)
    if truth.shape[1] != scheme.n_outputs:
        raise ValueError(
            f"truth: found {truth.shape[1]} outputs, {scheme.name!r} has"
            f" {scheme.n_outputs}"
        )
    mean = np.broadcast_to(_mean(truth, 0), truth.shape)
    columns = [[i] for i in range(scheme.n_outputs)] + [list(range(scheme.n_outputs))]
    rows = []
    for name, used in zip([*scheme.outputs, "all"], columns, strict=True):
        t, p = truth[:, used], predicted[:, used]
        difference = p - t
        rows.append(
            (
                name,
                int(np.isfinite(difference).any(axis=1).sum()),
                float(rmse(t, p)),
                float(bootstrap_error(rmse, t, p)),
                float(_mean(difference)),
                float(np.sqrt(_mean((difference - _mean(difference)) ** 2))),
                float(rmse(t, mean[:, used])),
            )
        )
    names = ("output", "n", "rmse", "rmse_err", "bias", "scatter", "rmse_mean")
    table = QTable(rows=rows, names=names)
    for name in names[2:]:
        table[name].info.format = ".3f"
    return table


def _mean(values, axis=None):
    """Mean of what is finite; NaN, without a warning, where nothing is."""
    good = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(good, values, 0).sum(axis=axis) / good.sum(axis=axis)
