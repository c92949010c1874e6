# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Stamps as they come -> the table of results of some of the sources.
"""

import time

import numpy as np
from astropy.table import Column, QTable

from galmorph.images.stamps import MEASURED, measurement_table
from galmorph.scale.stamping import Stamped
from galmorph.tables import result_table

__all__ = ["Collector", "not_placed"]


class Collector:
    """
    Classify stamps that come task by task, and make tables of the results.

    Parameters
    ----------
    classifier : `~galmorph.classifier.MorphologyClassifier`
    batch_size : int
        Number of stamps that the network is given at a time; of its own batches
        as many as fit, at least one.
    seconds : dict
        Processor time by stage, to which is added.
    advance : callable
        Called with the number of rows that are done.
    """

    def __init__(self, classifier, batch_size, seconds, advance):
        self._classifier, self._seconds = classifier, seconds
        self._batch_size, self._advance = batch_size, advance

    def part(self, stamped, n_rows):
        """
        Take what comes until there are so many rows.

        The results do not depend on how the rows come, nor on ``batch_size``: the
        network sees them in batches of its own size, filled in their order.

        Parameters
        ----------
        stamped : iterator of `~galmorph.scale.stamping.Stamped`
            At least one.
        n_rows : int

        Returns
        -------
        table : `~astropy.table.QTable`
            ``row``, then the columns of `~galmorph.tables.result_table`, in the
            order in which they came. ``meta['failures']`` lists those that failed.
        """
        parts, waiting, predictions, found = [], [], [], 0
        failures = {}
        while found < n_rows or not parts:
            one = next(stamped)
            found += len(one.rows)
            waiting.append(one.data)
            one.data = None  # the stamps are many times as large as the rest
            parts.append(one)
            failures |= one.failures
            for stage, seconds in one.seconds.items():
                self._seconds[stage] = self._seconds.get(stage, 0) + seconds
            waiting = self._predict(waiting, predictions)
            self._advance(len(one.rows))
        self._predict(waiting, predictions, last=True)
        return self._table(parts, predictions, failures)

    def _predict(self, waiting, predictions, last=False):
        """Classify whole batches of what waits, and give the rest."""
        n = sum(map(len, waiting))
        if n == 0:
            return []
        predictor = self._classifier.predictor
        size = max(self._batch_size // predictor.rows, 1) * predictor.rows
        if n < size and not last:
            return waiting
        stamps = np.concatenate(waiting)
        end = n if last else n - n % size
        start = time.process_time()
        for first in range(0, end, size):
            predictions.append(predictor.predict(stamps[first : first + size][:end]))
        spent = time.process_time() - start
        self._seconds["network"] = self._seconds.get("network", 0) + spent
        return [stamps[end:]] if end < n else []

    def _table(self, parts, predictions, failures):
        rows, flags, usable = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("rows", "flags", "usable")
        )
        n, k = len(rows), self._classifier.scheme.n_outputs
        found = [np.full(shape, np.nan, np.float32) for shape in ((n, k), (n, k), n)]
        for values, new in zip(found, zip(*predictions, strict=True), strict=False):
            values[usable] = np.concatenate(new)
        fractions, errors, distances = found
        measured = {
            name: np.concatenate([part.values[name] for part in parts])
            for name in MEASURED
        }
        result = result_table(
            fractions,
            errors,
            flags,
            distances=distances,
            scheme=self._classifier.scheme,
            measurements=measurement_table(measured, n),
        )
        table = QTable({"row": Column(rows.astype(np.int64))})
        for name in result.colnames:
            table[name] = result[name]
        table.meta["failures"] = [[row, why] for row, why in failures.items()]
        return table


def not_placed(placed):
    """
    The rows of sources that are in no tile, of which there are no stamps.

    Parameters
    ----------
    placed : `~galmorph.scale.plan.Placed`

    Returns
    -------
    stamped : `~galmorph.scale.stamping.Stamped`
    """
    rows = np.flatnonzero(placed.tile < 0)
    return Stamped(
        rows=rows,
        data=np.zeros((0, 1, 1, 1), np.float32),
        usable=np.zeros(len(rows), bool),
        flags=placed.flags[rows].astype(np.int32),
        values={name: np.full(len(rows), np.nan) for name in MEASURED},
        failures={},
        seconds={},
    )
