# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Errors of predicted fractions, from galaxies that a model was not trained on.
"""

import numpy as np
from scipy.optimize import minimize

from galmorph.core import get_scheme
from galmorph.models.errors import LARGEST_ERROR, error_terms

__all__ = ["fit_error_calibration"]

# coefficients are held to nought as strongly as this many galaxies would
_PRIOR = 10
# residuals below this are rounding
_LEAST = 1e-3
# share of a normal distribution within 1 and 1.96 sigma, and by how much the shares
# of residuals may miss them
_WIDTH = 1.96
_WITHIN, _WITHIN_WIDTH = 0.6827, 0.95
_MISS, _MISS_WIDTH = 0.015, 0.01


def fit_error_calibration(truth, predicted, scheme="candels", *, spread=None):
    """
    Errors of each output as a function of the predictions.

    The logarithm of the variance is linear in the terms of
    `~galmorph.models.errors.ErrorModel`, fitted by the likelihood of normal
    residuals. It is then stretched and shifted so that 68.3 % of the galaxies lie
    within one and 95 % within 1.96 of their errors, as nearly as residuals with
    long tails allow, and with the highest likelihood among what is within 1.5 and
    1 % of that.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs) of galaxies held back from training;
        missing truths are NaN.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    spread : array_like, optional
        Standard deviations of the members and views whose mean was predicted, of
        the same shape; they will be added to the errors in quadrature.

    Returns
    -------
    calibration : dict
        As `~galmorph.models.errors.ErrorModel` takes it.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import fit_error_calibration
    >>> from galmorph.models.errors import ErrorModel
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> random = np.random.default_rng(0)
    >>> predicted = random.uniform(0.2, 0.8, size=(5000, 1))
    >>> truth = predicted + 0.1 * random.normal(size=(5000, 1))
    >>> model = ErrorModel(fit_error_calibration(truth, predicted, bars), bars.outputs)
    >>> model.errors([[0.3], [0.5], [0.7]]).round(2).tolist()
    [[0.1], [0.1], [0.1]]
    """
    scheme = get_scheme(scheme)
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    spread = np.zeros_like(predicted) if spread is None else np.asarray(spread, float)
    terms = error_terms(predicted)
    fitted = {}
    for i, output in enumerate(scheme.outputs):
        own = terms[:, [i]] ** 2
        design = np.concatenate([np.ones_like(own), own, terms], axis=1)
        residual = np.abs(truth[:, i] - predicted[:, i])
        known = np.isfinite(residual)
        weights = _fit(
            design[known],
            np.maximum(residual[known], _LEAST) ** 2,
            spread[known, i] ** 2,
        )
        fitted[output] = [float(f"{value:.5g}") for value in weights]
    return {"log_variance": fitted}


def _fit(design, square, spread):
    """Coefficients of the logarithm of the variance, beside that of the members."""
    start = np.zeros(design.shape[1])
    if not len(square):
        start[0] = 2 * np.log(LARGEST_ERROR)
        return start
    start[0] = np.log(square.mean())
    prior = np.full(len(start), _PRIOR / len(square))
    prior[0] = 0

    def likelihood(weights):
        own = np.exp(design @ weights)
        variance = own + spread
        value = np.mean(_surprise(square, variance)) + np.sum(prior * weights**2)
        slope = own / variance * (1 - square / variance) / len(square)
        return value / 2, design.T @ slope / 2 + prior * weights

    weights = minimize(likelihood, start, jac=True, method="L-BFGS-B").x
    return _stretched(weights, design, square, spread)


def _stretched(weights, design, square, spread):
    """The same, with the right shares of residuals within 1 and 1.96 errors."""
    logarithm = design @ weights
    best, found = (np.inf, np.inf), weights
    for power in np.linspace(0.5, 2, 61):
        own = np.exp(power * logarithm)
        # the factor of the variance from which on each residual is within
        within = np.maximum(square - spread, 0) / own
        within_width = np.maximum(square / _WIDTH**2 - spread, 0) / own
        for share in np.linspace(_WITHIN - 2 * _MISS, _WITHIN + 2 * _MISS, 13):
            factor = max(np.quantile(within, share), _LEAST**2)
            miss = np.mean(within_width <= factor) - _WITHIN_WIDTH
            miss = max(abs(share - _WITHIN) / _MISS, abs(miss) / _MISS_WIDTH, 1)
            surprise = np.mean(_surprise(square, factor * own + spread))
            if (miss, surprise) < best:
                best, found = (miss, surprise), power * weights
                found[0] += np.log(factor)
    return found


def _surprise(square, variance):
    """Twice the negative logarithm of the normal likelihood, less a constant."""
    return np.log(variance) + square / variance
