# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Whether predictions can be taken at their word: fractions and their errors.
"""

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.evaluation._columns import (
    perfect_columns,
    pooled_means,
    ratio,
    result_columns,
    with_errors,
)
from galmorph.evaluation.bins import bin_of, cell_sums
from galmorph.evaluation.bootstrap import bootstrap_error
from galmorph.evaluation.metrics import check_outputs

__all__ = ["coverage", "coverage_table", "reliability_table"]


def reliability_table(
    truth,
    predicted,
    scheme="candels",
    *,
    n_bins=10,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Mean truth in bins of the predicted fraction.

    Where the predictions are calibrated, galaxies predicted at 0.3 have a
    mean truth of 0.3. The noise of votes leaves that as it is.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    n_bins : int, optional
        Number of bins between 0 and 1.
    groups : array_like, optional
        To which group each galaxy belongs; groups are resampled as a whole.
    n_samples, seed : int, optional
        Number of resamplings for the errors, and their seed.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row per bin of each output, then those of ``all``: ``low`` and
        ``high`` edge, ``n``, the means ``predicted`` and ``true``, and the
        bootstrap error ``true_err``, NaN where there are fewer than two.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import reliability_table
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = reliability_table([[0.0], [0.5]], [[0.25], [0.25]], bars, n_bins=2)
    >>> table["n", "predicted", "true"][0].as_void().tolist()
    (2, 0.25, 0.25)
    """
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)
    edges = np.linspace(0, 1, n_bins + 1)
    cells = bin_of(np.clip(predicted, 0, 1), edges)

    def means(values, cells):
        return ratio(cell_sums(values, cells, n_bins), counts(cells))

    def counts(cells):
        return cell_sums(np.where(cells >= 0, 1.0, np.nan), cells, n_bins)

    count = counts(cells).astype(int)
    error = bootstrap_error(
        means, truth, cells, groups=groups, n_samples=n_samples, seed=seed
    )
    return result_columns(
        {
            "output": np.array([*scheme.outputs, "all"])[:, None],
            "low": edges[:-1],
            "high": edges[1:],
            "n": count,
            "predicted": means(predicted, cells),
            "true": means(truth, cells),
            "true_err": np.where(count > 1, error, np.nan),
        }
    )


def _pulls(truth, predicted, errors):
    """Differences in units of the errors; NaN where there is no error."""
    errors = np.asarray(errors, float)
    if errors.shape != np.shape(truth):
        raise ConfigurationError(
            f"errors: expected the shape of the fractions, {np.shape(truth)}; found"
            f" {errors.shape}"
        )
    positive = np.where(errors > 0, errors, np.nan)
    return (np.asarray(predicted, float) - np.asarray(truth, float)) / positive


def _share_within(pulls, n_sigma, axis=None):
    good = np.isfinite(pulls)
    return ratio((np.abs(pulls) <= n_sigma).sum(axis=axis), good.sum(axis=axis))[()]


def coverage(truth, predicted, errors, n_sigma=1, axis=0):
    """
    Share of truths that are within the errors of the predictions.

    Parameters
    ----------
    truth, predicted, errors : array_like
        Fractions and the errors of the predictions, shape (n, outputs). Where
        an error is NaN or not positive, the galaxy is left out.
    n_sigma : float, optional
        Half width of the interval, in errors.
    axis : {0, None}, optional
        0 gives a number for each output, `None` pools them.

    Returns
    -------
    share : `~numpy.ndarray` or float
        0.683 within 1 and 0.954 within 2, where the differences are normal
        and the errors right. NaN where nothing can be compared.

    Raises
    ------
    ConfigurationError
        If the shapes differ.

    Examples
    --------
    >>> from galmorph.evaluation import coverage
    >>> truth, predicted = [[0.0], [0.5], [1.0], [0.2]], [[0.1], [0.5], [0.7], [0.2]]
    >>> coverage(truth, predicted, [[0.2]] * 4).tolist()
    [0.75]
    """
    return _share_within(_pulls(truth, predicted, errors), n_sigma, axis)


def coverage_table(
    truth,
    predicted,
    errors,
    scheme="candels",
    *,
    n_votes=None,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Share of truths within 1 and 2 errors, of each output and pooled.

    Parameters
    ----------
    truth, predicted, errors : array_like
        Fractions and the errors of the predictions, shape (n, outputs). Where
        an error is NaN or not positive, the galaxy is left out.
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
        One row per output, then ``all``: ``n``; ``within_1`` and ``within_2``,
        which are 0.683 and 0.954 where the differences are normal and the
        errors right; ``pull_mean`` and ``pull_std`` of (predicted - true) /
        error; each with its bootstrap error, and with ``n_votes`` also
        ``_perfect``, as `expected_if_perfect`.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import coverage_table
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> truth = np.array([[0.5], [0.5], [0.5], [0.5]])
    >>> shifts = np.array([[-0.05], [0.05], [0.15], [-0.15]])
    >>> table = coverage_table(truth, truth + shifts, truth / 5, bars)
    >>> table["within_1", "within_2", "pull_mean"][0].as_void().tolist()
    (0.5, 1.0, 0.0)
    """
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)

    def terms(truth, predicted):
        pulls = _pulls(truth, predicted, errors)
        within = [
            np.where(np.isfinite(pulls), np.abs(pulls) <= width, np.nan)
            for width in (1, 2)
        ]
        return np.stack([*within, pulls, pulls**2], axis=1)

    def statistic(terms):
        within_1, within_2, mean, square = pooled_means(terms)
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        return np.stack([within_1, within_2, mean, spread])

    of_data = terms(truth, predicted)
    good = np.isfinite(of_data[:, 0])
    names = ("within_1", "within_2", "pull_mean", "pull_std")
    columns = {
        "output": [*scheme.outputs, "all"],
        "n": [*good.sum(axis=0), good.any(axis=1).sum()],
        **with_errors(
            names, statistic, of_data, groups=groups, n_samples=n_samples, seed=seed
        ),
        **perfect_columns(
            names,
            lambda t, p: statistic(terms(t, p)),
            truth,
            predicted,
            n_votes,
            seed,
        ),
    }
    return result_columns(columns)
