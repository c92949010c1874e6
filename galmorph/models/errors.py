# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Errors of fractions, from the fractions.
"""

import numpy as np

from galmorph.core import ConfigurationError

__all__ = ["LARGEST_ERROR", "ErrorModel", "error_terms"]

LARGEST_ERROR = 0.5
"""The standard deviation of a fraction that is 0 or 1 with equal odds."""

# a fraction counts as no closer to 0 or 1 than this
_CLOSEST = 0.002


def error_terms(fractions):
    """
    The functions of the fractions that their errors depend on.

    Parameters
    ----------
    fractions : array_like
        Predicted fractions of shape (n, outputs).

    Returns
    -------
    terms : `~numpy.ndarray`
        Thirds of ln(f / (1 - f)), shape (n, outputs).

    Examples
    --------
    >>> from galmorph.models.errors import error_terms
    >>> error_terms([[0.5, 0.9, 0.0]]).round(3)
    array([[ 0.   ,  0.732, -2.071]])
    """
    fractions = np.clip(np.asarray(fractions, float), _CLOSEST, 1 - _CLOSEST)
    return np.log(fractions / (1 - fractions)) / 3


class ErrorModel:
    """
    Standard deviations of predicted fractions.

    Parameters
    ----------
    calibration : dict
        ``{'log_variance': {output: [constant, square, terms...]}}``: the logarithm
        of the variance is linear in a constant, the square of the output's own
        ``error_terms``, and the terms of all outputs; the error is at most 0.5. Or
        ``{'fraction': knots, 'error': {output: values}}``: the error at each
        predicted fraction.
    outputs : sequence of str
        The outputs of the scheme, in their order.

    Raises
    ------
    ConfigurationError
        If a key is missing or a value is wrong.

    Examples
    --------
    >>> from galmorph.models.errors import ErrorModel
    >>> model = ErrorModel({"log_variance": {"f_bar": [-4.6, 0.0, 0.5]}}, ["f_bar"])
    >>> model.errors([[0.1], [0.5], [0.9]]).round(3)
    array([[0.083],
           [0.1  ],
           [0.12 ]])
    """

    def __init__(self, calibration, outputs):
        n = len(outputs)
        self._knots = None
        if "log_variance" in calibration:
            self._values = _values(calibration["log_variance"], outputs)
            if self._values.shape[1] != n + 2:
                raise ConfigurationError(
                    f"log_variance: expected {n + 2} numbers, found"
                    f" {self._values.shape[1]}"
                )
            return
        if not set(calibration) >= {"fraction", "error"}:
            raise ConfigurationError(
                "expected 'log_variance', or 'fraction' and 'error'; found"
                f" {sorted(calibration)}"
            )
        self._knots = np.asarray(calibration["fraction"], float)
        self._values = _values(calibration["error"], outputs)
        if self._knots.ndim != 1 or not np.all(np.diff(self._knots) > 0):
            raise ConfigurationError("the fractions must increase")
        if self._values.shape[1] != self._knots.size:
            raise ConfigurationError(
                f"{self._values.shape[1]} errors for {self._knots.size} fractions"
            )
        if np.any(self._values < 0):
            raise ConfigurationError("errors must not be negative")

    def errors(self, fractions):
        """
        Errors of fractions.

        Parameters
        ----------
        fractions : array_like
            Shape (n, outputs).

        Returns
        -------
        errors : `~numpy.ndarray`
            Shape (n, outputs).
        """
        fractions = np.asarray(fractions, float)
        if self._knots is not None:
            columns = zip(fractions.T, self._values, strict=True)
            return np.stack(
                [np.interp(f, self._knots, values) for f, values in columns], axis=1
            )
        terms = error_terms(fractions)
        # not by BLAS, whose rounding depends on how many rows there are
        logarithm = np.einsum("ni,ji->nj", terms, self._values[:, 2:])
        logarithm += self._values[:, 0] + self._values[:, 1] * terms**2
        return np.minimum(np.exp(logarithm / 2), LARGEST_ERROR)


def _values(by_output, outputs):
    """Numbers of shape (outputs, n), in the order of the outputs."""
    try:
        if set(by_output) != set(outputs):
            raise ConfigurationError(f"expected the outputs {list(outputs)}")
        values = np.array([by_output[output] for output in outputs], float)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(str(error)) from error
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ConfigurationError("expected as many finite numbers for each output")
    return values
