# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How far predicted fractions are from true ones.

All functions take arrays of shape (n, outputs) and leave out what is NaN in
either of them.
"""

import numpy as np

from galmorph.core import ConfigurationError, get_scheme
from galmorph.evaluation._columns import (
    finite_pairs,
    mean_of,
    pooled_means,
    result_columns,
    with_errors,
)
from galmorph.evaluation.noise import binomial_floor

__all__ = ["bias", "metrics_table", "rmse", "scatter"]


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
    ConfigurationError
        If the shapes differ.

    Examples
    --------
    >>> from galmorph.evaluation import rmse
    >>> float(rmse([[0.0, 1.0]], [[0.3, 0.6]]).round(3))
    0.354
    """
    truth, predicted = finite_pairs(truth, predicted)
    return np.sqrt(mean_of((predicted - truth) ** 2, axis))


def bias(truth, predicted, axis=None):
    """
    Mean difference of predicted and true fractions.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    axis : {None, 0, 1}, optional
        `None` pools all of them, 0 gives one number per output, 1 one per
        galaxy.

    Returns
    -------
    bias : float or `~numpy.ndarray`
        Positive where the predictions are too high; NaN where nothing can be
        compared.

    Raises
    ------
    ConfigurationError
        If the shapes differ.

    Examples
    --------
    >>> from galmorph.evaluation import bias
    >>> float(bias([[0.0], [0.5]], [[0.25], [0.75]]))
    0.25
    """
    truth, predicted = finite_pairs(truth, predicted)
    return mean_of(predicted - truth, axis)


def scatter(truth, predicted, axis=None):
    """
    Standard deviation of the difference of predicted and true fractions.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    axis : {None, 0, 1}, optional
        `None` pools all of them, 0 gives one number per output, 1 one per
        galaxy.

    Returns
    -------
    scatter : float or `~numpy.ndarray`
        Its square and that of the `bias` make the square of the `rmse`. NaN
        where nothing can be compared.

    Raises
    ------
    ConfigurationError
        If the shapes differ.

    Examples
    --------
    >>> from galmorph.evaluation import scatter
    >>> float(scatter([[0.0], [0.5]], [[0.25], [0.25]]))
    0.25
    """
    truth, predicted = finite_pairs(truth, predicted)
    difference = predicted - truth
    mean = mean_of(difference, axis)
    mean = mean if axis is None else np.expand_dims(mean, axis)
    return np.sqrt(mean_of((difference - mean) ** 2, axis))


def metrics_table(
    truth,
    predicted,
    scheme="candels",
    *,
    n_votes=None,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Error, bias and scatter of each output and of all together.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    n_votes : int or array_like, optional
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    groups : array_like, optional
        To which group each galaxy belongs; groups are resampled as a whole.
    n_samples, seed : int, optional
        Number of resamplings for the errors, and their seed.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row per output and a last one, ``all``. ``n`` galaxies; ``rmse``,
        ``bias`` (mean of predicted - true) and ``scatter`` (standard deviation
        of the same), each with its bootstrap error (``_err``); ``rmse_mean``,
        the RMSE of always predicting the mean of these galaxies; and with
        ``n_votes`` also ``rmse_floor``, the `binomial_floor` of the votes.

    Raises
    ------
    ConfigurationError
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
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)
    difference = predicted - truth
    good = np.isfinite(difference)
    mean = np.broadcast_to(mean_of(truth, 0), truth.shape)
    columns = {
        "output": [*scheme.outputs, "all"],
        "n": [*good.sum(axis=0), good.any(axis=1).sum()],
        **with_errors(
            ("rmse", "bias", "scatter"),
            _rmse_bias_scatter,
            np.stack([difference, difference**2], axis=1),
            groups=groups,
            n_samples=n_samples,
            seed=seed,
        ),
    }
    columns["rmse_mean"] = with_pooled(rmse, truth, mean)
    if n_votes is not None:
        columns["rmse_floor"] = [
            *binomial_floor(truth, n_votes, axis=0),
            binomial_floor(truth, n_votes),
        ]
    return result_columns(columns)


def check_outputs(truth, predicted, scheme):
    """The scheme and both arrays, NaN where either is; they fit together."""
    scheme = get_scheme(scheme)
    truth, predicted = finite_pairs(truth, predicted)
    if truth.shape[1] != scheme.n_outputs:
        raise ConfigurationError(
            f"truth: found {truth.shape[1]} outputs, {scheme.name!r} has"
            f" {scheme.n_outputs}"
        )
    return scheme, truth, predicted


def with_pooled(statistic, *arrays):
    """A statistic of each output and of all together."""
    return np.append(statistic(*arrays, axis=0), statistic(*arrays))


def _rmse_bias_scatter(terms):
    """From the differences and their squares, as the bootstrap calls it often."""
    mean, square = pooled_means(terms)
    return np.sqrt(square), mean, np.sqrt(np.maximum(square - mean**2, 0))
