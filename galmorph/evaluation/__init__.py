# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How good predictions are.

In: true and predicted fractions. Out: numbers with their uncertainty
(`metrics_table`) and the table of errors that a model bundle carries
(`fit_error_calibration`).
"""

from galmorph.evaluation.calibration import fit_error_calibration
from galmorph.evaluation.metrics import (
    binomial_floor,
    bootstrap_error,
    metrics_table,
    rmse,
)

__all__ = [
    "binomial_floor",
    "bootstrap_error",
    "fit_error_calibration",
    "metrics_table",
    "rmse",
]
