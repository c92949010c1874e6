# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The baseline: a random forest on the parameters of statmorph, as a model to score.

`measure_baseline.py` measures the parameters and trains the forests, in a Python
environment of its own; here what they predict is read.
"""

import numpy as np
import sets
from predictions import Predicted

from galmorph.core import CANDELS

__all__ = ["Baseline", "Restricted"]


class Baseline:
    """
    The random forest, for the galaxies whose parameters have been measured.

    Parameters
    ----------
    out : `~pathlib.Path`
        The folder that `measure_baseline.py` was given.
    """

    label = "statmorph and random forest"

    def __init__(self, out):
        self.out = out

    def measured(self, name):
        """Rows of a set that have been measured, and what the forest says."""
        path = self.out / "baseline" / "predictions" / f"{name}.npz"
        if not path.exists():
            return np.zeros(0, int), np.zeros((0, CANDELS.n_outputs))
        with np.load(path) as saved:
            return saved["rows"], saved["fractions"]

    def of(self, name):
        """Predictions for a set, as of `~predictions.Scored`."""
        rows, fractions = self.measured(name)
        table = sets.load(name, self.out / "sets", only_table=True)
        missing = np.full(len(rows), np.nan)
        return Predicted(
            table[rows],
            rows,
            dict(zip(CANDELS.outputs, fractions.T, strict=True)),
            dict.fromkeys(CANDELS.outputs, missing),
            missing,
            np.zeros(len(rows), int),
        )


class Restricted:
    """
    A model on the galaxies that the baseline has measured.

    Parameters
    ----------
    scored : `~predictions.Scored`
    baseline : `Baseline`
    """

    def __init__(self, scored, baseline):
        self.scored, self.baseline, self.label = scored, baseline, scored.label

    def of(self, name):
        """Predictions for a set, as of `~predictions.Scored`."""
        found = self.scored.of(name)
        return found.take(np.isin(found.rows, self.baseline.measured(name)[0]))
