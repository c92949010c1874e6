# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Errors of predicted fractions, from galaxies that a model was not trained on.
"""

import numpy as np

from galmorph.core import get_scheme

__all__ = ["fit_error_calibration"]


def fit_error_calibration(truth, predicted, scheme="candels", n_knots=6):
    """
    Root mean square error of each output as a function of its prediction.

    Parameters
    ----------
    truth, predicted : array_like
        Fractions of shape (n, outputs) of galaxies held back from training.
    scheme : `~galmorph.core.LabelScheme` or str, optional
        Names the outputs.
    n_knots : int, optional
        Number of fractions between 0 and 1 at which the error is given.

    Returns
    -------
    calibration : dict
        ``fraction``: the knots; ``error``: for each output the error at the
        knots. Around each knot galaxies count by a Gaussian weight whose
        sigma is half the distance of the knots; where few lie there, the
        output's overall error fills in with the weight of ten galaxies.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph import LabelScheme
    >>> from galmorph.evaluation import fit_error_calibration
    >>> bars = LabelScheme("bars", outputs=["f_bar"])
    >>> truth = np.random.default_rng(0).uniform(size=(500, 1))
    >>> calibration = fit_error_calibration(truth, truth + 0.1, bars)
    >>> np.round(calibration["error"]["f_bar"], 3).tolist()
    [0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    """
    scheme = get_scheme(scheme)
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    knots = np.linspace(0, 1, n_knots)
    errors = {}
    for i, output in enumerate(scheme.outputs):
        good = np.isfinite(truth[:, i]) & np.isfinite(predicted[:, i])
        p = predicted[good, i]
        square = (p - truth[good, i]) ** 2
        overall = square.mean() if square.size else 0.25
        weight = np.exp(-0.5 * (2 * (p - knots[:, None]) * (n_knots - 1)) ** 2)
        total = weight.sum(axis=1)
        local = (weight @ square + 10 * overall) / (total + 10)
        errors[output] = [round(float(value), 4) for value in np.sqrt(local)]
    return {"fraction": [round(float(k), 4) for k in knots], "error": errors}
