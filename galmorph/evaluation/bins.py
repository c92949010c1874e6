# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Error, bias and scatter in bins: of the fraction, of magnitude, of anything.
"""

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.evaluation._columns import (
    mean_of,
    perfect_columns,
    ratio,
    result_columns,
    with_errors,
)
from galmorph.evaluation.metrics import check_outputs

__all__ = ["binned_metrics", "equal_bins"]

# of the range: 0.7 in single precision is just below the edge of a bin at 0.7
TOLERANCE = 1e-6


def equal_bins(values, n_bins=8):
    """
    Edges of bins that hold equal numbers of galaxies.

    Parameters
    ----------
    values : array_like or `~astropy.units.Quantity`
        One for each galaxy; NaN is left out.
    n_bins : int, optional
        Most bins; there are fewer where many values are the same.

    Returns
    -------
    edges : `~numpy.ndarray` or `~astropy.units.Quantity`
        In rising order, one more than there are bins.

    Raises
    ------
    ConfigurationError
        If no value is finite.

    Examples
    --------
    >>> from galmorph.evaluation import equal_bins
    >>> equal_bins([18.0, 22.0, 23.0, 24.0, 25.0], n_bins=2).tolist()
    [18.0, 23.0, 25.0]
    """
    values = np.asanyarray(values)
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ConfigurationError("values: none of them is finite")
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, n_bins + 1)))
    return edges if edges.size > 1 else np.repeat(edges, 2)


def binned_metrics(
    truth,
    predicted,
    values=None,
    scheme="candels",
    *,
    edges=None,
    n_votes=None,
    groups=None,
    n_samples=200,
    seed=0,
):
    """
    Error, bias and scatter of each output in bins of something else.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs).
    values : array_like or `~astropy.units.Quantity`, optional
        What decides on the bins, such as magnitudes, shape (n,). By default
        the true fraction of each output.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    edges : array_like or `~astropy.units.Quantity`, optional
        Edges of the bins; the last one is within. By default those of
        `equal_bins`, and 0, 0.1, ... 1 for fractions.
    n_votes : int or array_like, optional
        Number of classifiers; a number, or of shape (n,) or (n, outputs).
    groups : array_like, optional
        To which group each galaxy belongs; groups are resampled as a whole.
    n_samples, seed : int, optional
        Number of resamplings for the errors, and their seed.

    Returns
    -------
    table : `~astropy.table.QTable`
        One row per bin of each output, then those of ``all``. ``low`` and
        ``high`` edge, ``mean`` of the values in the bin, ``n``; ``bias``,
        ``scatter`` and ``rmse`` with their bootstrap errors; ``rmse_mean``,
        the RMSE of always predicting the mean of the output; and with
        ``n_votes``, the same three ``_perfect``, as `expected_if_perfect`.

    Raises
    ------
    ConfigurationError
        If the shapes do not fit.

    Notes
    -----
    In bins of the true fraction even a perfect model seems biased when there
    are few votes: where by chance nobody ticked a box, the truth is lower
    than the probability. ``bias_perfect`` is what to compare with.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import binned_metrics
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> table = binned_metrics(
    ...     [[0.0], [1.0]], [[0.25], [1.0]], [20, 24], bars, edges=[18, 22, 26]
    ... )
    >>> print(table["output", "low", "high", "n", "bias"][:2])
    output  low   high   n   bias
    ------ ------ ------ --- -----
     f_bar 18.000 22.000   1 0.250
     f_bar 22.000 26.000   1 0.000
    """
    scheme, truth, predicted = check_outputs(truth, predicted, scheme)
    of_truth = values is None
    values = truth if of_truth else np.asanyarray(values)
    if len(values) != len(truth) or values.ndim > 2:
        raise ConfigurationError(
            f"values: expected one for each of the {len(truth)} galaxies; found the"
            f" shape {values.shape}"
        )
    if edges is None:
        edges = np.linspace(0, 1, 11) if of_truth else equal_bins(values)
    if hasattr(values, "unit"):
        edges = edges.to(values.unit)
    edges = np.asanyarray(edges, dtype=float)
    n_bins, plain = len(edges) - 1, np.asarray(getattr(edges, "value", edges))

    def places(values):
        return bin_of(getattr(values, "value", values), plain)

    cells = places(values)

    def statistic(truth, predicted, cells):
        return _statistics(truth, predicted, cells, n_bins)

    count = _cell_counts(truth - predicted, cells, n_bins)
    blind = np.where(np.isfinite(predicted), mean_of(truth, 0), np.nan)
    names = ("bias", "scatter", "rmse")
    columns = {
        "output": np.array([*scheme.outputs, "all"])[:, None],
        "low": edges[:-1],
        "high": edges[1:],
        "mean": _cell_means(values, cells, truth - predicted, n_bins),
        "n": count,
        **with_errors(
            names,
            statistic,
            truth,
            predicted,
            cells,
            groups=groups,
            n_samples=n_samples,
            seed=seed,
        ),
        "rmse_mean": statistic(truth, blind, cells)[2],
        **perfect_columns(
            names,
            lambda t, p: statistic(t, p, places(t) if of_truth else cells),
            truth,
            predicted,
            n_votes,
            seed,
        ),
    }
    for name in names:  # one galaxy drawn again and again does not scatter
        columns[f"{name}_err"] = np.where(count > 1, columns[f"{name}_err"], np.nan)
    return result_columns(columns)


def bin_of(values, edges):
    """In which bin values are; -1 for none."""
    slack = TOLERANCE * (edges[-1] - edges[0])
    places = np.searchsorted(edges, values + slack, side="right") - 1
    inside = np.isfinite(values) & (places >= 0) & (values <= edges[-1] + slack)
    return np.where(inside, np.minimum(places, len(edges) - 2), -1)


def cell_sums(weights, cells, n_bins):
    """Sums in the bins of each output, and of all: shape (outputs + 1, n_bins)."""
    n, k = weights.shape
    cells = np.broadcast_to(cells if cells.ndim == 2 else cells[:, None], (n, k))
    good = np.isfinite(weights) & (cells >= 0)
    flat = (cells + n_bins * np.arange(k))[good]
    sums = np.bincount(flat, weights[good], k * n_bins).reshape(k, n_bins)
    return np.concatenate([sums, sums.sum(axis=0, keepdims=True)])


def _statistics(truth, predicted, cells, n_bins):
    difference = predicted - truth
    count = cell_sums(np.where(np.isfinite(difference), 1.0, np.nan), cells, n_bins)
    mean = ratio(cell_sums(difference, cells, n_bins), count)
    square = ratio(cell_sums(difference**2, cells, n_bins), count)
    return np.stack([mean, np.sqrt(np.maximum(square - mean**2, 0)), np.sqrt(square)])


def _cell_counts(difference, cells, n_bins):
    good = np.isfinite(difference)
    counts = cell_sums(np.where(good, 1.0, np.nan), cells, n_bins).astype(int)
    if cells.ndim == 1:  # a galaxy counts once among all outputs
        used = good.any(axis=1) & (cells >= 0)
        counts[-1] = np.bincount(cells[used], minlength=n_bins)
    return counts


def _cell_means(values, cells, difference, n_bins):
    unit = getattr(values, "unit", None)
    plain = np.asarray(getattr(values, "value", values), float)
    plain = plain if plain.ndim == 2 else plain[:, None]
    weights = np.where(np.isfinite(difference), plain, np.nan)
    ones = np.where(np.isfinite(weights), 1.0, np.nan)
    means = ratio(cell_sums(weights, cells, n_bins), cell_sums(ones, cells, n_bins))
    return means if unit is None else means * unit
