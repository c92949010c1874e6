# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Whether predictions rise with the truth: in order, in proportion, by class.
"""

import numpy as np

from galmorph.evaluation._columns import (
    finite_pairs,
    perfect_columns,
    result_columns,
    with_errors,
)
from galmorph.evaluation.metrics import check_outputs

__all__ = ["agreement_table", "auc", "calibration_slope", "spearman"]


def _by_output(function, *arrays):
    """A number for each output from the galaxies that have all; codes are integers."""
    good = np.isfinite(arrays[0])
    return np.array(
        [
            function(*(array[good[:, i], i] for array in arrays))
            for i in range(good.shape[1])
        ]
    )


def _codes(values):
    """The place of each value among those of its output, without gaps."""
    codes = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.stack(codes, axis=1).reshape(values.shape)


def _ranks(codes):
    """
    Ranks from 1, where equal values share their mean rank.

    The same as `scipy.stats.rankdata` of the values, without sorting them again
    in each resampling.
    """
    counts = np.bincount(codes)
    return (np.cumsum(counts) - (counts - 1) / 2)[codes]


def _slope(x, y):
    """Slope of y against x by least squares; NaN where x is constant."""
    x = x - x.mean() if x.size else x
    square = (x * x).sum()
    return (x * y).sum() / square if square > 0 else np.nan


def _correlation(_, true_codes, codes):
    t, p = _ranks(true_codes), _ranks(codes)
    t, p = t - (t.size + 1) / 2, p - (p.size + 1) / 2
    square = (t * t).sum() * (p * p).sum()
    return (t * p).sum() / np.sqrt(square) if square > 0 else np.nan


def _area(truth, codes, threshold):
    member = truth > threshold
    n, n_other = member.sum(), (~member).sum()
    if not n or not n_other:
        return np.nan
    return (_ranks(codes)[member].sum() - n * (n + 1) / 2) / (n * n_other)


def spearman(truth, predicted):
    """
    Rank correlation of predicted and true fractions.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).

    Returns
    -------
    correlation : `~numpy.ndarray`
        Spearman's coefficient of each output, -1 to 1; equal values share
        their mean rank. NaN where all truths or all predictions are the same.

    Raises
    ------
    ConfigurationError
        If the shapes differ.

    Examples
    --------
    >>> from galmorph.evaluation import spearman
    >>> spearman([[0.0], [0.1], [0.9]], [[0.3], [0.4], [0.5]]).round(6).tolist()
    [1.0]
    """
    truth, predicted = finite_pairs(truth, predicted)
    return _by_output(_correlation, truth, _codes(truth), _codes(predicted))


def calibration_slope(truth, predicted):
    """
    Slope of the true against the predicted fractions.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).

    Returns
    -------
    slope : `~numpy.ndarray`
        Of each output, by least squares. 1 if the predictions are calibrated,
        below 1 if they are too extreme, above 1 if they are too close to the
        mean; NaN where all predictions are the same.

    Raises
    ------
    ConfigurationError
        If the shapes differ.

    Notes
    -----
    The noise of votes does not change it, as it does not depend on the
    prediction. The slope of the predicted against the true fractions would be
    below 1 even for a perfect model.

    Examples
    --------
    >>> from galmorph.evaluation import calibration_slope
    >>> calibration_slope([[0.2], [0.8]], [[0.0], [1.0]]).round(6).tolist()
    [0.6]
    """
    return _by_output(lambda t, p: _slope(p, t), *finite_pairs(truth, predicted))


def auc(truth, predicted, threshold=0.5):
    """
    Area under the curve of true against false positives.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs); the truth may be 0 and 1, where labels
        are classes.
    threshold : float, optional
        A galaxy is of the class if its true fraction is above this.

    Returns
    -------
    area : `~numpy.ndarray`
        For each output, the chance that a galaxy of the class has a higher
        prediction than one that is not of it, where equal ones count half
        (Mann & Whitney 1947). NaN where all or none are of the class.

    Raises
    ------
    ConfigurationError
        If the shapes differ.

    Examples
    --------
    >>> from galmorph.evaluation import auc
    >>> auc([[0], [0], [1], [1]], [[0.1], [0.6], [0.5], [0.9]]).tolist()
    [0.75]
    """
    truth, predicted = finite_pairs(truth, predicted)
    return _by_output(
        lambda t, codes: _area(t, codes, threshold), truth, _codes(predicted)
    )


def agreement_table(
    truth,
    predicted,
    scheme="candels",
    *,
    threshold=0.5,
    n_votes=None,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Rank correlation, slope of the calibration and AUC of each output.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    threshold : float, optional
        For the AUC: a galaxy is of the class if its true fraction is above.
    n_votes : int or array_like, optional
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    groups : array_like, optional
        To which group each galaxy belongs; groups are resampled as a whole.
    n_samples, seed : int, optional
        Number of resamplings for the errors, and their seed.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row per output: ``n``; `spearman`, ``slope`` (`calibration_slope`)
        and `auc` with their bootstrap errors; and with ``n_votes`` the same
        three ``_perfect``, as `expected_if_perfect`. Whoever always predicts
        the mean has no rank correlation, and an AUC of 0.5.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import agreement_table
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = agreement_table([[0.0], [1.0]], [[0.25], [0.75]], bars)
    >>> table["output", "spearman", "slope", "auc"][0].as_void().tolist()
    ('f_bar', 1.0, 2.0, 1.0)
    """
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)

    def statistic(truth, predicted, true_codes, codes):
        def numbers(t, p, t_codes, p_codes):
            return (
                _correlation(t, t_codes, p_codes),
                _slope(p, t),
                _area(t, p_codes, threshold),
            )

        return _by_output(numbers, truth, predicted, true_codes, codes).T

    codes = _codes(predicted)
    names = ("spearman", "slope", "auc")
    columns = {
        "output": list(scheme.outputs),
        "n": np.isfinite(truth).sum(axis=0),
        **with_errors(
            names,
            statistic,
            truth,
            predicted,
            _codes(truth),
            codes,
            groups=groups,
            n_samples=n_samples,
            seed=seed,
        ),
        **perfect_columns(
            names,
            lambda t, p: statistic(t, p, _codes(t), codes),
            truth,
            predicted,
            n_votes,
            seed,
        ),
    }
    return result_columns(columns)
