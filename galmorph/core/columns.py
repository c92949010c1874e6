# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Columns of tables as plain arrays.
"""

import numpy as np

__all__ = ["plain_numbers"]


def plain_numbers(column):
    """
    Numbers of a column of fractions or counts.

    Parameters
    ----------
    column : array_like, `~astropy.table.Column` or `~astropy.units.Quantity`

    Returns
    -------
    numbers : `~numpy.ndarray`
        Of float; NaN where the column is masked. Per cent become fractions.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, or have a unit such as metres.

    Examples
    --------
    >>> from astropy import units as u
    >>> from galmorph.core.columns import plain_numbers
    >>> plain_numbers([50, 100] * u.percent)
    array([0.5, 1. ])
    """
    unit, mask = getattr(column, "unit", None), getattr(column, "mask", False)
    plain = np.array(getattr(column, "unmasked", column), dtype=float)
    if unit is not None:
        plain *= unit.to("")  # the unit of plain numbers
    return np.where(mask, np.nan, plain)
