# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How good predictions are.

In: true and predicted fractions. Out: tables of numbers with their
uncertainty, figures and a page of them (`evaluate`), and the table of errors
that a model bundle carries (`fit_error_calibration`).
"""

from galmorph.evaluation.agreement import (
    agreement_table,
    auc,
    calibration_slope,
    spearman,
)
from galmorph.evaluation.bins import binned_metrics, equal_bins
from galmorph.evaluation.bootstrap import bootstrap_error
from galmorph.evaluation.calibration import fit_error_calibration
from galmorph.evaluation.classes import (
    class_names,
    class_table,
    confusion_matrix,
    confusion_table,
    misclassification_table,
)
from galmorph.evaluation.metrics import bias, metrics_table, rmse, scatter
from galmorph.evaluation.noise import (
    binomial_floor,
    draw_fractions,
    expected_if_perfect,
)
from galmorph.evaluation.reliability import (
    coverage,
    coverage_table,
    reliability_table,
)
from galmorph.evaluation.report import Evaluation, evaluate
from galmorph.evaluation.selection import selection_table

__all__ = [
    "Evaluation",
    "agreement_table",
    "auc",
    "bias",
    "binned_metrics",
    "binomial_floor",
    "bootstrap_error",
    "calibration_slope",
    "class_names",
    "class_table",
    "confusion_matrix",
    "confusion_table",
    "coverage",
    "coverage_table",
    "draw_fractions",
    "equal_bins",
    "evaluate",
    "expected_if_perfect",
    "fit_error_calibration",
    "metrics_table",
    "misclassification_table",
    "reliability_table",
    "rmse",
    "scatter",
    "selection_table",
    "spearman",
]
