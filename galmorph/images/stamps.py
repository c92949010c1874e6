# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What preprocessing hands on: stamps with their flags and measurements.
"""

from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from astropy.table import QTable

from galmorph.core import MorphFlag

__all__ = ["MEASURED", "NOT_CLASSIFIED", "Stamps", "measurement_table"]

NOT_CLASSIFIED = int(
    MorphFlag.BAD_POSITION
    | MorphFlag.OUTSIDE_IMAGE
    | MorphFlag.NO_DATA
    | MorphFlag.FAILED
)
"""The bits of ``morph_flags`` with which a row has no fractions."""

_MEASURED = (
    ("x_centroid", None, "Centre of the stamp in 0-based pixels, x"),
    ("y_centroid", None, "Centre of the stamp in 0-based pixels, y"),
    ("petrosian_radius", u.pix, "Circular Petrosian radius (eta = 0.2)"),
    ("petrosian_radius_angle", u.arcsec, "Circular Petrosian radius (eta = 0.2)"),
    ("stamp_side", u.pix, "Side of the stamp in pixels of the image"),
    ("snr", None, "Signal-to-noise ratio of the target's segment"),
    ("sky", None, "Local sky level in the image's unit"),
    ("sky_rms", None, "Standard deviation of the local sky in the image's unit"),
)

MEASURED = tuple(name for name, *_ in _MEASURED)
"""Names of the columns of measurements."""


@dataclass
class Stamps:
    """
    Stamps of many objects, ready for a network.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Array of shape (n, side, side, bands), float32. Rows that could not be
        used are zero.
    flags : `~numpy.ndarray`
        Bits of `~galmorph.core.MorphFlag`, shape (n,), int32.
    measurements : `~astropy.table.QTable`
        What was measured on the way, n rows; NaN where it could not be.
    failures : dict
        Row -> reason, for the rows with the flag ``FAILED``.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import Preprocessor
    >>> stamps = Preprocessor()([])
    >>> len(stamps), stamps.data.shape
    (0, (0, 45, 45, 1))
    """

    data: np.ndarray
    flags: np.ndarray
    measurements: QTable
    failures: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.data)

    @property
    def usable(self):
        """Which rows can be classified, bool of shape (n,)."""
        return (self.flags & NOT_CLASSIFIED) == 0


def measurement_table(values, n):
    """
    Put measurements into a table.

    Parameters
    ----------
    values : dict of `~numpy.ndarray`
        Columns by their names; what is missing becomes NaN.
    n : int
        Number of rows.

    Returns
    -------
    table : `~astropy.table.QTable`

    Examples
    --------
    >>> from galmorph.images.stamps import measurement_table
    >>> measurement_table({"petrosian_radius": [7.5]}, 1)["petrosian_radius"]
    <Quantity [7.5] pix>
    """
    table = QTable()
    for name, unit, description in _MEASURED:
        column = np.array(values.get(name, np.full(n, np.nan)), dtype=float)
        table[name] = column if unit is None else column * unit
        table[name].info.description = description
    return table
