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
# share of a normal distribution within 1 and 1.96 sigma
_WITHIN_1, _WITHIN_2 = 0.6827, 0.95


def fit_error_calibration(truth, predicted, scheme="candels", *, coordinates=None):
    """
    Errors of each output as a function of the prediction and of the image.

    The logarithm of the variance is linear in the terms of
    `~galmorph.models.errors.ErrorModel`, fitted by the likelihood of normal
    residuals. It is then stretched and shifted so that 68.3 % of the galaxies lie
    within one and, as nearly as that allows, 95 % within 1.96 of their errors,
    which residuals with long tails would not.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs) of galaxies held back from training;
        missing truths are NaN.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    coordinates : array_like, optional
        Where the images are in the model's `~galmorph.models.Domain`, shape
        (n, coordinates).

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
    n = len(predicted)
    if coordinates is None:
        coordinates = np.zeros((n, 0))
    coordinates = np.asarray(coordinates, float)
    unit = coordinates.std() if coordinates.size else 1.0
    terms = error_terms(predicted)
    fitted = {}
    for i, output in enumerate(scheme.outputs):
        design = np.concatenate(
            [
                np.ones((n, 1)),
                terms[:, [i]] ** 2,
                terms,
                coordinates / (unit or 1.0),
            ],
            axis=1,
        )
        residual = np.abs(truth[:, i] - predicted[:, i])
        known = np.isfinite(residual)
        weights = _fit(design[known], np.maximum(residual[known], _LEAST))
        weights[2 + terms.shape[1] :] /= unit or 1.0
        fitted[output] = [float(f"{value:.5g}") for value in weights]
    return {"log_variance": fitted}


def _fit(design, residual):
    """Coefficients of the logarithm of the variance."""
    start = np.zeros(design.shape[1])
    if not len(residual):
        start[0] = 2 * np.log(LARGEST_ERROR)
        return start
    square = residual**2
    start[0] = np.log(square.mean())
    prior = np.full(len(start), _PRIOR / len(residual))
    prior[0] = 0

    def likelihood(weights):
        logarithm = design @ weights
        pull = square * np.exp(-logarithm)
        value = 0.5 * np.mean(logarithm + pull) + 0.5 * np.sum(prior * weights**2)
        return value, 0.5 * design.T @ (1 - pull) / len(pull) + prior * weights

    weights = minimize(likelihood, start, jac=True, method="L-BFGS-B").x
    return _stretched(weights, design, residual)


def _stretched(weights, design, residual):
    """The same, with the right shares of residuals within 1 and 1.96 errors."""
    error = np.exp(design @ weights / 2)
    best, found = np.inf, weights
    for power in np.linspace(0.5, 2, 61):
        factor = np.quantile(residual / error**power, _WITHIN_1)
        within = np.mean(residual < 1.96 * factor * error**power)
        # of those that are as good, the one that changes least
        score = abs(within - _WITHIN_2) + 0.01 * abs(power - 1)
        if score < best:
            best, found = score, power * weights
            found[0] += 2 * np.log(factor)
    return found
