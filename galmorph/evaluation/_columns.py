# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The columns of all tables: what they mean and how they are printed.
"""

import numpy as np
from astropy.table import QTable

from galmorph.core import ConfigurationError
from galmorph.evaluation.bootstrap import bootstrap_error
from galmorph.evaluation.noise import expected_if_perfect

__all__ = [
    "describe_columns",
    "finite_pairs",
    "mean_of",
    "perfect_columns",
    "pooled_means",
    "ratio",
    "result_columns",
    "with_errors",
]

MEANINGS = {
    "row": "Row of the galaxy",
    "output": "Fraction that is compared; 'all' pools them",
    "n": "Number of galaxies",
    "rmse": "Root mean square of predicted - true",
    "bias": "Mean of predicted - true",
    "scatter": "Standard deviation of predicted - true",
    "rmse_mean": "RMSE of always predicting the mean",
    "rmse_floor": "RMSE that the noise of the votes leaves to the best model",
    "low": "Lower edge of the bin",
    "high": "Upper edge of the bin",
    "mean": "Mean of the galaxies in the bin",
    "predicted": "Mean of the predictions in the bin",
    "true": "Mean of the truths in the bin",
    "spearman": "Rank correlation of prediction and truth",
    "slope": "Slope of the truth against the prediction; 1 if calibrated",
    "auc": "Chance that a galaxy of the class is predicted above one that is not",
    "within_1": "Share of truths within 1 error of the prediction; 0.683 if normal",
    "within_2": "Share of truths within 2 errors of the prediction; 0.954 if normal",
    "pull_mean": "Mean of (predicted - true) / error",
    "pull_std": "Standard deviation of (predicted - true) / error; 1 if right",
    "morph_class": "Dominant class",
    "galaxies": "Galaxies that are counted",
    "n_true": "Number of galaxies that are of the class",
    "n_predicted": "Number of galaxies that are predicted to be of the class",
    "share": "Share of galaxies that are of the class: purity of a blind choice",
    "completeness": "Share of the galaxies of the class that are predicted as it",
    "purity": "Share of the galaxies predicted as the class that are of it",
    "rate": "Share of galaxies with another dominant class than the true one",
    "rate_commonest": "Rate of always naming the commonest class",
    "cut": "Galaxies with a predicted fraction above this are selected",
    "true_class": "Dominant class of the true fractions",
    "predicted_class": "Dominant class of the predicted fractions",
}
ENDINGS = {
    "_err": "Bootstrap error of {}",
    "_perfect": "{} if the predictions were the probabilities of the votes",
}


def describe_columns(table):
    """Give the columns their descriptions, and numbers three digits."""
    for name in table.colnames:
        meaning = MEANINGS.get(name, "")
        for ending, words in ENDINGS.items():
            stem = name.removesuffix(ending)
            if stem != name and stem in MEANINGS:
                meaning = words.format(stem)
        table[name].info.description = meaning or None
        if table[name].dtype.kind == "f":
            table[name].info.format = ".3f"
    return table


def result_columns(columns):
    """A table of columns that have the shape of (outputs, bins), or fewer axes."""
    shape = np.broadcast_shapes(*(np.shape(values) for values in columns.values()))
    table = QTable()
    for name, values in columns.items():
        if hasattr(values, "unit"):
            table[name] = np.broadcast_to(values, shape, subok=True).ravel()
        else:
            table[name] = np.broadcast_to(values, shape).ravel()
    return describe_columns(table)


def finite_pairs(truth, predicted):
    """Both as arrays of float, NaN in both where it is in either."""
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    if truth.shape != predicted.shape or truth.ndim != 2:
        raise ConfigurationError(
            f"truth, predicted: expected two arrays of one shape (n, outputs), found"
            f" {truth.shape} and {predicted.shape}"
        )
    good = np.isfinite(truth) & np.isfinite(predicted)
    return np.where(good, truth, np.nan), np.where(good, predicted, np.nan)


def mean_of(values, axis=None):
    """Mean of what is finite; NaN, without a warning, where nothing is."""
    good = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(good, values, 0).sum(axis=axis) / good.sum(axis=axis)


def ratio(part, whole):
    """A share; NaN, without a warning, of nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(whole) > 0, part / np.asarray(whole), np.nan)


def pooled_means(terms):
    """Means of terms (n, terms, outputs), NaN left out, of each output and of all."""
    good = np.isfinite(terms)
    sums, counts = np.where(good, terms, 0).sum(axis=0), good.sum(axis=0)
    sums = np.concatenate([sums, sums.sum(axis=1, keepdims=True)], axis=1)
    counts = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    return ratio(sums, counts)


def with_errors(names, statistic, *arrays, **options):
    """Columns of what a statistic gives, each followed by its bootstrap error."""
    errors = bootstrap_error(statistic, *arrays, **options)
    columns = {}
    for name, value, error in zip(names, statistic(*arrays), errors, strict=True):
        columns[name], columns[f"{name}_err"] = value, error
    return columns


def perfect_columns(names, statistic, truth, predicted, n_votes, seed):
    """Columns of what a statistic would give a perfect model; none without votes."""
    if n_votes is None:
        return {}
    values = expected_if_perfect(statistic, truth, predicted, n_votes, seed=seed)
    return {f"{name}_perfect": v for name, v in zip(names, values, strict=True)}
